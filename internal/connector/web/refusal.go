package web

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
)

// refused says why a credential may not have been accepted (401) and what to do about it, as far as the answer and the
// credential itself tell (RFC 9110 section 11.6.1, RFC 6750 section 3).
func (c *Conn) refused(e *connector.Error, resp *httpx.Response) {
	said, wanted := challenge(resp.Header)
	if said != "" && e.Detail == http.StatusText(resp.Status) {
		e.Detail = c.Clean(said, resp.Status)
	}
	const renew = "make a new one in the target and renew the setting auth"
	switch now := c.now(); {
	case c.cfg.Auth.Kind == "":
		e.Hint = "the target wants a credential: set auth"
	case c.cfg.Auth.Kind == authOAuth2:
		e.Hint = "the target does not accept the token that auth.oauth2 gets, a new one included: check scopes and audience, and that the token endpoint belongs to this target"
	case !c.expires.IsZero() && !c.expires.After(now):
		e.Hint = fmt.Sprintf("the token has expired, on %s: %s", c.expires.UTC().Format("2006-01-02 15:04Z"), renew)
	case strings.Contains(strings.ToLower(e.Detail), "expire"):
		e.Hint = "the target says that the credential has expired: " + renew
	case len(wanted) > 0 && c.cfg.Auth.Kind == authBearer && !slices.Contains(wanted, "bearer"),
		len(wanted) > 0 && c.cfg.Auth.Kind == authBasic && !slices.Contains(wanted, "basic"):
		e.Hint = fmt.Sprintf("the target asks for a credential of the kind %s, and the setting auth is %s: see in its administration pages which one it takes",
			strings.Join(wanted, " or "), c.cfg.Auth.Kind)
	default:
		e.Hint = "the target does not accept the credential: it may have expired or been revoked, or be one for something else; " + renew
	}
}

var (
	schemeName  = regexp.MustCompile(`(?i)(?:^|,)\s*([a-z][a-z0-9-]*)(?:\s|$|,)`)
	quoted      = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	description = regexp.MustCompile(`(?i)\berror_description\s*=\s*"((?:[^"\\]|\\.)*)"`)
)

// challenge reads what a server says with a 401: its words, if any, and the kinds of credential it takes, in lower case.
func challenge(header http.Header) (said string, kinds []string) {
	for _, text := range header.Values("WWW-Authenticate") {
		if m := description.FindStringSubmatch(text); m != nil && said == "" {
			said = m[1]
		}
		for _, m := range schemeName.FindAllStringSubmatch(quoted.ReplaceAllString(text, `""`), -1) {
			if kind := strings.ToLower(m[1]); !slices.Contains(kinds, kind) {
				kinds = append(kinds, kind)
			}
		}
	}
	return said, kinds
}

// CredentialKind names the kind of credential that is sent, "" for none.
func (c *Conn) CredentialKind() string { return c.cfg.Auth.Kind }

// CredentialEnds is when the credential ends, where its own text says so; else zero.
func (c *Conn) CredentialEnds() time.Time { return c.expires }

// untrusted says what is wrong with a server's certificate, or with the encryption as a whole, and how it is mended.
func (p place) untrusted(err error) string {
	host, setting := p.url.Host, p.setting
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		if strings.HasPrefix(string(plain.RecordHeader[:]), "HTTP") {
			return fmt.Sprintf("the server at %s does not encrypt: it answers plain HTTP. Check the port in the setting %s; where it is right, begin it with http:// and, for another machine, set allowInsecure", host, setting)
		}
		return fmt.Sprintf("what listens at %s does not speak TLS: check the port in the setting %s", host, setting)
	}
	cert := shown(err)
	var named x509.HostnameError
	var invalid x509.CertificateInvalidError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && invalid.Cert != nil:
		const day = "2006-01-02"
		if strings.Contains(invalid.Detail, " is before ") {
			return fmt.Sprintf("the certificate of %s is valid from %s on only: check this machine's clock", host, invalid.Cert.NotBefore.UTC().Format(day))
		}
		return fmt.Sprintf("the certificate of %s expired on %s: whoever runs the target has to renew it", host, invalid.Cert.NotAfter.UTC().Format(day))
	case errors.As(err, &named) && named.Certificate != nil:
		return fmt.Sprintf("the certificate is for %s, and not for %s: write the name it is for in the setting %s, or have the certificate corrected",
			names(named.Certificate), p.url.Hostname(), setting)
	case errors.As(err, &authority) && cert != nil && cert.CheckSignatureFrom(cert) == nil,
		errors.As(err, &authority) && cert != nil && cert.Issuer.String() == cert.Subject.String():
		return fmt.Sprintf("the certificate of %s is self-signed: store it as a PEM file and set caFile to that, or have the target use a certificate of an authority", host)
	case errors.As(err, &authority) && cert != nil:
		return fmt.Sprintf("the certificate of %s is from an authority that this machine does not know (%s): set caFile to a PEM file with that authority's certificate; where the authority is a public one, the target leaves out an intermediate certificate",
			host, name(cert.Issuer.CommonName, cert.Issuer.String()))
	case cert != nil:
		return fmt.Sprintf("the certificate of %s is not trusted: have it replaced, or, for a private certificate authority, set caFile", host)
	}
	var alert tls.AlertError
	if errors.As(err, &alert) || strings.Contains(err.Error(), "remote error: tls:") { // RFC 8446 section 6.2
		return fmt.Sprintf("%s ended the encryption: it may want a client certificate, or not accept the one of clientCertificate, which may have expired", host)
	}
	return fmt.Sprintf("no encryption could be agreed on with %s: it must speak TLS 1.2 or later", host)
}

// shown is the certificate that a server showed and that was not accepted, nil for none.
func shown(err error) *x509.Certificate {
	var verify *tls.CertificateVerificationError
	if errors.As(err, &verify) && len(verify.UnverifiedCertificates) > 0 {
		return verify.UnverifiedCertificates[0]
	}
	return nil
}

func names(cert *x509.Certificate) string {
	all := slices.Clone(cert.DNSNames)
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	const few = 4
	switch {
	case len(all) == 0:
		return name(cert.Subject.CommonName, "nobody")
	case len(all) > few:
		all = append(all[:few], "others")
	}
	return strings.Join(all, ", ")
}

func name(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Encryption tells what is known of the encryption of an answer, or, of a call that failed, of the certificate that was
// not accepted; nil for nothing.
func Encryption(resp *httpx.Response, err error) *connector.Encryption {
	cert, version := shown(err), ""
	if resp != nil && resp.TLS != nil {
		version = tls.VersionName(resp.TLS.Version)
		if len(resp.TLS.PeerCertificates) > 0 {
			cert = resp.TLS.PeerCertificates[0]
		}
	}
	if cert == nil {
		return nil
	}
	return &connector.Encryption{
		Version: version,
		Subject: name(cert.Subject.CommonName, names(cert)),
		Issuer:  name(cert.Issuer.CommonName, cert.Issuer.String()),
		Expires: cert.NotAfter.UTC(),
	}
}
