package httpx

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// CheckURL says whether calls to u are allowed: HTTPS, or plain HTTP to this machine, or plain HTTP anywhere with
// allowInsecure (scim.R72, scim.R74, design D11). What a host name resolves to is checked when it is dialled.
func CheckURL(u *url.URL, allowInsecure bool) error {
	host := u.Hostname()
	switch {
	case host == "":
		return fmt.Errorf("%q has no host: write it like https://scim.example.com/v2", plainURL(u))
	case u.Scheme == "https":
	case u.Scheme != "http":
		return fmt.Errorf("%q: the address must begin with https://", plainURL(u))
	case !allowInsecure && !loopbackName(host):
		return fmt.Errorf("%q is not encrypted: use https://, or set allowInsecure if the network is trusted", plainURL(u))
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return checkAddr(addr)
	}
	return nil
}

// loopbackName tells whether a host is written as this machine.
func loopbackName(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// checkAddr refuses addresses that hand out credentials of the machine Rollcall runs on, or that no target can have:
// link-local ones (where most clouds keep their metadata service), the metadata addresses of clouds that keep it
// elsewhere, and the unspecified and multicast addresses.
func checkAddr(addr netip.Addr) error {
	addr = addr.WithZone("").Unmap()
	if b := addr.As16(); addr.Is6() && nat64.Contains(addr) {
		addr = netip.AddrFrom4([4]byte(b[12:])) // an IPv4 address in the clothes of RFC 6052
	}
	switch {
	case addr.IsLinkLocalUnicast(), addr.IsLinkLocalMulticast(), addr.IsInterfaceLocalMulticast(), addr.IsMulticast(),
		addr.IsUnspecified():
	default:
		for _, m := range metadata {
			if addr == m {
				return fmt.Errorf("%w: %s is a cloud metadata service", errForbidden, addr)
			}
		}
		return nil
	}
	return fmt.Errorf("%w: %s is link-local, multicast or unspecified", errForbidden, addr)
}

var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// metadata are metadata services outside of 169.254.0.0/16 and fe80::/10.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"),   // AWS, IPv6
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure, wire server
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud, IPv6
}

// dialer makes connections to allowed addresses only. The check stands after name resolution, so that a name that
// resolves to a forbidden address, now or at the second look, is refused too.
type dialer struct {
	timeout time.Duration
}

func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	local := loopbackName(host) // plain HTTP may have been allowed only because of the name
	nd := net.Dialer{Timeout: d.timeout, KeepAlive: 30 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("%w: %s", errForbidden, address)
		}
		if local && !ap.Addr().Unmap().IsLoopback() {
			return fmt.Errorf("%w: %s is the name of this machine but leads to %s", errForbidden, host, ap.Addr())
		}
		return checkAddr(ap.Addr())
	}}
	return nd.DialContext(ctx, network, address)
}
