package httpx

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCheckURL(t *testing.T) {
	tests := []struct {
		url      string
		insecure bool
		err      string
	}{
		{"https://scim.example.com/v2", false, ""},
		{"https://10.1.2.3/scim", false, ""},
		{"http://127.0.0.1:8080/scim", false, ""},
		{"http://[::1]:8080/scim", false, ""},
		{"http://LOCALHOST/scim", false, ""},
		{"http://scim.example.com/v2", false, "not encrypted"},
		{"http://scim.example.com/v2", true, ""},
		{"http://localhost.example.com/v2", false, "not encrypted"},
		{"ftp://scim.example.com", true, "must begin with https://"},
		{"scim.example.com/v2", false, "has no host"},
		{"https:///v2", false, "has no host"},
		{"https://169.254.169.254/latest", false, "link-local"},
		{"http://169.254.169.254/latest", true, "link-local"},
		{"https://user:geheim@/x?token=geheim", false, "has no host"},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			u, err := url.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			err = CheckURL(u, tt.insecure)
			switch {
			case tt.err == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error %v, want one with %q", err, tt.err)
			case err != nil && strings.Contains(err.Error(), "geheim"):
				t.Errorf("the error shows a password: %v", err)
			}
		})
	}
}

func TestForbiddenAddresses(t *testing.T) {
	forbidden := []string{"169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%eth0", "febf::1", "::ffff:169.254.169.254",
		"64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "0.0.0.0", "::", "224.0.0.1", "ff02::1"}
	for _, text := range forbidden {
		if err := checkAddr(netip.MustParseAddr(text)); !errors.Is(err, errForbidden) {
			t.Errorf("%s is allowed", text)
		}
	}
	for _, text := range []string{"127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "fd12::1", "93.184.216.34", "2001:db8::1", "100.100.100.201", "64:ff9b::5db8:d822"} {
		if err := checkAddr(netip.MustParseAddr(text)); err != nil {
			t.Errorf("%s is refused: %v", text, err)
		}
	}
}

func TestForbiddenAddressesAreRefusedWhenDialled(t *testing.T) {
	for _, address := range []string{"169.254.169.254:80", "[fe80::1]:443", "[::ffff:100.100.100.200]:80"} {
		conn, err := dialer{timeout: time.Second}.dial(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
		}
		if !errors.Is(err, errForbidden) {
			t.Errorf("dial %s: %v, want it forbidden", address, err)
		}
		if got := faultOf(t.Context(), err); got != FaultForbidden {
			t.Errorf("fault %d, want FaultForbidden", got)
		}
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	conn, err := dialer{timeout: time.Second}.dial(t.Context(), "tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatalf("loopback is refused: %v", err)
	}
	_ = conn.Close()
}
