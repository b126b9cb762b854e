package web

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/secret"
)

// leastRSA is the shortest RSA key that signs, in bits (RFC 7518 section 3.3).
const leastRSA = 2048

// signingKey reads a private key in PEM form: PKCS #8, PKCS #1 or SEC 1.
func signingKey(text secret.Value) (crypto.Signer, error) {
	rest := []byte(text.Reveal())
	for {
		block, after := pem.Decode(rest)
		if block == nil {
			return nil, errors.New("there is no private key in PEM form in it")
		}
		rest = after
		if !strings.HasSuffix(block.Type, "PRIVATE KEY") {
			continue // a certificate, or parameters of a curve
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the private key is protected by a password: keep it without one, readable by rollcall's user only")
		}
		return parseKey(block)
	}
}

func parseKey(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("the private key cannot be read: %w", err)
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < leastRSA {
			return nil, fmt.Errorf("the RSA key has %d bits; %d are the least (scim.R72)", k.N.BitLen(), leastRSA)
		}
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("the key is on the curve %s; P-256 is wanted", k.Curve.Params().Name)
		}
		return k, nil
	}
	return nil, errors.New("the private key is neither RSA nor P-256")
}

// signJWT makes a signed JWT in compact form (RFC 7515), RS256 or ES256 by the key (RFC 7518 section 3).
func signJWT(key crypto.Signer, keyID string, claims map[string]any) (secret.Value, error) {
	header := map[string]string{"typ": "JWT"}
	if keyID != "" {
		header["kid"] = keyID
	}
	if _, ok := key.(*rsa.PrivateKey); ok {
		header["alg"] = "RS256"
	} else {
		header["alg"] = "ES256"
	}
	var parts [2]string
	for i, v := range []any{header, claims} {
		data, err := json.Marshal(v)
		if err != nil {
			return secret.Value{}, fmt.Errorf("write an assertion: %w", err)
		}
		parts[i] = base64.RawURLEncoding.EncodeToString(data)
	}
	signed := parts[0] + "." + parts[1]
	digest := sha256.Sum256([]byte(signed))
	var signature []byte
	var err error
	switch k := key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, digest[:])
	case *ecdsa.PrivateKey:
		r, s, serr := ecdsa.Sign(rand.Reader, k, digest[:])
		if err = serr; err == nil {
			signature = make([]byte, 64) // two numbers of fixed length (RFC 7518 section 3.4)
			r.FillBytes(signature[:32])
			s.FillBytes(signature[32:])
		}
	default:
		err = errors.New("no key of a kind that signs")
	}
	if err != nil {
		return secret.Value{}, fmt.Errorf("sign an assertion: %w", err)
	}
	return secret.New(signed + "." + base64.RawURLEncoding.EncodeToString(signature)), nil
}

// jwtExpiry reads when a token expires that looks like a JWT (RFC 7519 section 4.1.4). The signature is not looked at: the
// claim is for a warning, and the server alone decides.
func jwtExpiry(token string) (time.Time, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, false
	}
	data, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return time.Time{}, false
	}
	var claims struct {
		Exp *float64 `json:"exp"`
	}
	if err := json.Unmarshal(data, &claims); err != nil || claims.Exp == nil || *claims.Exp <= 0 || *claims.Exp > math.MaxInt32*100.0 {
		return time.Time{}, false
	}
	return time.Unix(int64(*claims.Exp), 0).UTC(), true
}
