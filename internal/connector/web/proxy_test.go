package web_test

import (
	"encoding/base64"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
)

// quietly keeps a server from writing about connections that a test breaks on purpose.
func quietly(s *httptest.Server) {
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
}

// proxy is a proxy that makes tunnels (RFC 9110 section 9.3.6) for who has its credential.
type proxy struct {
	*httptest.Server
	credential string // "" for anybody
	closed     bool   // it lets nobody through

	mu    sync.Mutex
	asked []string // hosts, in order
}

func newProxy(t *testing.T, credential string) *proxy {
	t.Helper()
	p := &proxy{credential: credential}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.Host)
	p.mu.Unlock()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte(p.credential))
	switch {
	case p.credential != "" && r.Header.Get("Proxy-Authorization") != want:
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	case p.closed || r.Method != http.MethodConnect:
		w.WriteHeader(http.StatusForbidden)
		return
	}
	var dial net.Dialer
	to, err := dial.DialContext(r.Context(), "tcp", r.Host)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer to.Close() //nolint:errcheck // the tunnel has ended
	from, read, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer from.Close() //nolint:errcheck // the tunnel has ended
	if _, err := io.WriteString(from, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(to, read) // what the server has read already stands there, too; ends with either side
		_ = to.Close()
	}()
	_, _ = io.Copy(from, to)
}

func (p *proxy) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.asked...)
}

func TestProxy(t *testing.T) {
	target := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Proxy-Authorization") != "" {
			t.Error("the target is sent the credential of the proxy")
		}
	}))
	quietly(target)
	defer target.Close()
	host := target.Listener.Addr().String()
	dir := files(t, map[string]string{"p": "geheim"})
	tests := []struct {
		name     string
		settings map[string]any // of the connection; PROXY stands for the proxy's address
		closed   bool
		status   int
		err      string
		asked    []string
	}{
		{"a proxy that takes everybody would be asked in vain", map[string]any{"proxy": "PROXY"}, false, 0, "the proxy answers 407 Proxy Authentication Required; the proxy wants a credential", []string{"CONNECT " + host}},
		{"with its credential it lets through", map[string]any{"proxy": "PROXY", "proxyAuth": map[string]any{"username": "u", "password": file("p")}}, false, 200, "", []string{"CONNECT " + host}},
		{"a proxy that refuses the target", map[string]any{"proxy": "PROXY", "proxyAuth": map[string]any{"username": "u", "password": file("p")}}, true, 0, "the proxy answers 403 Forbidden; the proxy does not let the call through", []string{"CONNECT " + host}},
		{"none goes straight to the target", map[string]any{"proxy": "none"}, false, 200, "", nil},
		{"a proxy that is not there", map[string]any{"proxy": "http://127.0.0.1:1"}, false, 0, "the proxy cannot be reached: check the setting proxy", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newProxy(t, "u:geheim")
			p.closed = tt.closed
			settings := map[string]any{"url": target.URL, "caFile": trust(t, target)}
			for k, v := range tt.settings {
				if v == "PROXY" {
					v = p.URL
				}
				settings[k] = v
			}
			conn, err := web.Open(decode(t, settings), connector.Env{Dir: dir}, nil)
			if err != nil {
				t.Fatal(err)
			}
			status, err := call(t.Context(), conn, http.MethodPost)
			switch {
			case tt.err == "" && (err != nil || status != tt.status):
				t.Errorf("status %d, %v", status, err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || strings.Contains(err.Error(), "geheim")):
				t.Errorf("%v, want %q and no secret", err, tt.err)
			case tt.err != "" && connector.AsError(err).MaybeDone:
				t.Error("the call is said to have been made perhaps, and the target was never reached")
			}
			// On a busy machine a connection may come too late for its call, which then gets another.
			if diff := cmp.Diff(tt.asked, slices.Compact(p.seen())); diff != "" {
				t.Errorf("what the proxy was asked: %s", diff)
			}
			if err := conn.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
