package web

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
)

// network is how a connection reaches its server, and whom it trusts.
type network struct {
	roots       *x509.CertPool   // nil means the system's alone
	certificate *tls.Certificate // nil for none
	fingerprint string           // of certificate
	proxy       func(*http.Request) (*url.URL, error)
}

// network reads certificates and the credential of the proxy.
func (c Config) network(dir string, log *slog.Logger) (network, error) {
	roots, err := trusted(c.CAFile, dir)
	if err != nil {
		return network{}, err
	}
	n := network{roots: roots}
	if c.Certificate != "" {
		if n.certificate, err = c.certificate(dir, log); err != nil {
			return network{}, err
		}
		sum := sha256.Sum256(n.certificate.Certificate[0])
		n.fingerprint = hex.EncodeToString(sum[:8])
	}
	switch {
	case c.Proxy.None:
		n.proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	case c.Proxy.URL != nil:
		through := *c.Proxy.URL
		if c.Proxy.Username != "" {
			password, err := readSecret("proxyAuth.password", c.Proxy.Password, dir, log)
			if err != nil {
				return network{}, err
			}
			through.User = url.UserPassword(c.Proxy.Username, password.Reveal())
		}
		n.proxy = http.ProxyURL(&through)
	}
	return n, nil
}

// certificate reads the certificate that is shown to the server, with its key.
func (c Config) certificate(dir string, log *slog.Logger) (*tls.Certificate, error) {
	chain, err := readPEM("clientCertificate", c.Certificate, dir)
	if err != nil {
		return nil, err
	}
	key, err := readSecret("clientKey", c.Key, dir, log)
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(chain, []byte(key.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("setting clientCertificate: %s and the key %s cannot be used together: %w", c.Certificate, c.Key, err)
	}
	return &pair, nil
}

// trusted returns the system's certificate authorities and those of a file; nil means the system's alone.
func trusted(file, dir string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := readPEM("caFile", file, dir)
	if err != nil {
		return nil, err
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("setting caFile: %s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// readPEM reads a file that a setting names.
func readPEM(setting, file, dir string) ([]byte, error) {
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("setting %s: %w", setting, err)
	}
	return data, nil
}
