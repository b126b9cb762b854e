package secret

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// Mask is what a secret shows of itself.
const Mask = "•••"

// Value is a secret. However it is printed, formatted, logged or marshalled, it shows Mask (design D10, I10).
// The zero value is no secret at all and shows as nothing.
type Value struct {
	text *string // a pointer, so that printing a struct that holds a Value by reflection shows an address at most
}

// New makes a Value of a text.
func New(text string) Value { return Value{text: &text} }

// Reveal returns the secret itself. Callers put it into a request and nowhere else.
func (v Value) Reveal() string {
	if v.text == nil {
		return ""
	}
	return *v.text
}

// IsZero tells whether there is no secret.
func (v Value) IsZero() bool { return v.text == nil || *v.text == "" }

// Fingerprint is a short text that differs for different secrets and does not tell them. It tells credentials apart
// where the secret itself may not be kept.
func (v Value) Fingerprint() string {
	sum := sha256.Sum256([]byte("rollcall secret\x00" + v.Reveal()))
	return hex.EncodeToString(sum[:8])
}

// String shows Mask.
func (v Value) String() string {
	if v.IsZero() {
		return ""
	}
	return Mask
}

// GoString shows Mask, for %#v.
func (v Value) GoString() string { return fmt.Sprintf("secret.Value(%q)", v.String()) }

// Format shows Mask for every verb, %x and %d included.
func (v Value) Format(s fmt.State, verb rune) {
	text := v.String()
	if verb == 'v' && s.Flag('#') {
		text = v.GoString()
	}
	// An error of the writer reaches whoever called the printing function.
	_, _ = s.Write([]byte(text))
}

// MarshalText shows Mask, for JSON, YAML and every other encoding that asks for text.
func (v Value) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// MarshalJSON shows Mask.
func (v Value) MarshalJSON() ([]byte, error) { return []byte(`"` + v.String() + `"`), nil }

// LogValue shows Mask, for log/slog.
func (v Value) LogValue() slog.Value { return slog.StringValue(v.String()) }
