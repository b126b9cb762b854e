package httpx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
)

// WaitError says that a call was not sent, because its site has no allowance for longer than a caller waits
// (design D13). Nothing has happened.
type WaitError struct {
	For  time.Duration // how long until a call may be sent; no earlier call to the site makes sense
	Told bool          // the target itself asked for the pause; otherwise the rate set for the site is used up
}

// Error says how long and why.
func (e *WaitError) Error() string {
	why := "the calls that the target allows are used up"
	if e.Told {
		why = "the target asked to wait"
	}
	return fmt.Sprintf("%s: next call in %s", why, e.For.Round(time.Millisecond))
}

// Fault says why a call got no answer.
type Fault int

// The faults.
const (
	FaultOther      Fault = iota
	FaultCancelled        // the caller's context ended
	FaultTimeout          // no answer in time
	FaultDNS              // the host name is not known
	FaultRefused          // nothing listens at the address
	FaultTLS              // the certificate is not accepted, or no common version or cipher
	FaultClosed           // the connection ended before the answer was complete
	FaultTooLarge         // the answer is longer than Config.MaxBody
	FaultForbidden        // the address is one that is never called
	FaultProxy            // the proxy cannot be reached, or refuses to let the call through
	FaultCredential       // no credential could be had; Err says why
)

// CallError says that a call got no usable answer. It shows method, scheme, host and path of the call, never its
// query, header or body.
type CallError struct {
	Method string
	URL    string // without user, query and fragment
	Fault  Fault
	Sent   bool // the request went out, wholly or in part: it may have taken effect
	Err    error
}

// Error tells what was called and what happened.
func (e *CallError) Error() string { return e.Method + " " + e.URL + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *CallError) Unwrap() error { return e.Err }

// ProxyError says that a proxy did not let a call through.
type ProxyError struct {
	Status int // what it answered; 407 means that it wants a credential, or another one
}

// Error names the status.
func (e *ProxyError) Error() string {
	return fmt.Sprintf("the proxy answers %d %s", e.Status, http.StatusText(e.Status))
}

// errForbidden is the cause of FaultForbidden.
var errForbidden = errors.New("address is never called")

// errTooLarge is the cause of FaultTooLarge.
var errTooLarge = errors.New("answer is longer than allowed")

// faultOf classifies what a transport returned. ctx is the caller's context, not the one with the call's time-out.
func faultOf(ctx context.Context, err error) Fault {
	var dns *net.DNSError
	var record tls.RecordHeaderError
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var alert tls.AlertError
	var timeout net.Error
	var proxy *ProxyError
	var op *net.OpError
	switch {
	case ctx.Err() != nil:
		return FaultCancelled
	case errors.Is(err, errForbidden):
		return FaultForbidden
	case errors.Is(err, errTooLarge):
		return FaultTooLarge
	case errors.As(err, &proxy), errors.As(err, &op) && op.Op == "proxyconnect":
		return FaultProxy
	case errors.Is(err, context.DeadlineExceeded):
		return FaultTimeout
	case errors.As(err, &dns):
		return FaultDNS
	case errors.As(err, &record), errors.As(err, &verify), errors.As(err, &authority), errors.As(err, &host),
		errors.As(err, &invalid), errors.As(err, &alert):
		return FaultTLS
	case errors.Is(err, syscall.ECONNREFUSED):
		return FaultRefused
	case errors.As(err, &timeout) && timeout.Timeout():
		return FaultTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET),
		errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return FaultClosed
	case strings.HasPrefix(err.Error(), "tls: "), strings.HasPrefix(err.Error(), "remote error: tls: "):
		return FaultTLS // the handshake's own errors have no type
	}
	return FaultOther
}

// repeatable tells whether another attempt can end otherwise. The sameness of DNS answers, certificates and
// forbidden addresses from one second to the next is what the others do not share.
func (f Fault) repeatable() bool {
	switch f {
	case FaultTimeout, FaultRefused, FaultClosed, FaultOther:
		return true
	case FaultCancelled, FaultDNS, FaultTLS, FaultTooLarge, FaultForbidden, FaultProxy, FaultCredential:
	}
	return false
}

// plainURL is the part of a URL that may be shown: a query holds values of people, and user info a password.
func plainURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
}
