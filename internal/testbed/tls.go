package testbed

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// quiet keeps a server from writing to standard error about connections that a test breaks on purpose.
func quiet(s *httptest.Server) {
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
}

// CAFile writes the certificate that a server over TLS shows into a file, for the setting caFile.
func CAFile(t testing.TB, s *httptest.Server) string {
	t.Helper()
	return writePEM(t, "server-ca.pem", "CERTIFICATE", s.Certificate().Raw)
}

// CA is a private certificate authority.
type CA struct {
	Certificate *x509.Certificate
	key         crypto.Signer
	serial      int64
}

// NewCA makes an authority.
func NewCA(t testing.TB) *CA {
	t.Helper()
	ca := &CA{serial: 1}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign}
	ca.key = NewKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, ca.key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	if ca.Certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return ca
}

// NewKey makes a private key on P-256.
func NewKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Pool holds the authority alone.
func (ca *CA) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(ca.Certificate)
	return pool
}

// File writes the authority's certificate.
func (ca *CA) File(t testing.TB) string {
	t.Helper()
	return writePEM(t, "ca.pem", "CERTIFICATE", ca.Certificate.Raw)
}

// Issue makes a certificate for 127.0.0.1 that servers and clients can show, which holds until the time given.
func (ca *CA) Issue(t testing.TB, name string, until time.Time) tls.Certificate {
	t.Helper()
	ca.serial++
	key := NewKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(ca.serial), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-24 * time.Hour), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.Certificate, key.Public(), ca.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// Files writes a certificate and its key, for the settings clientCertificate and clientKey.
func Files(t testing.TB, pair tls.Certificate) (certificate, key string) {
	t.Helper()
	return writePEM(t, "certificate.pem", "CERTIFICATE", pair.Certificate[0]), KeyFile(t, pair.PrivateKey)
}

// KeyFile writes a private key.
func KeyFile(t testing.TB, key crypto.PrivateKey) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "key.pem", "PRIVATE KEY", der)
}

func writePEM(t testing.TB, name, kind string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
