package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// keySize is the length of a key in bytes: AES-256.
const keySize = 32

// Keys seal values that are stored, and open them (design D10). The first seals, all open, so that a key can be replaced
// step by step. The zero value has none.
type Keys struct{ keys []key }

type key struct {
	id   string
	aead cipher.AEAD
}

// KeyError says that a value was sealed with a key that is not at hand.
type KeyError struct {
	ID   string   // of the key that sealed it
	Have []string // ids of the keys at hand
}

// Error names both, by ids that do not tell them.
func (e *KeyError) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("it is sealed with the key %s, and there is no key here", e.ID)
	}
	return fmt.Sprintf("it is sealed with the key %s, and the key here is %s", e.ID, strings.Join(e.Have, ", "))
}

// ParseKeys reads keys as they are kept: 32 bytes in base64, several separated by commas or white space.
func ParseKeys(text Value) (Keys, error) {
	var k Keys
	for _, word := range strings.FieldsFunc(text.Reveal(), func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\r' || r == '\n' }) {
		raw, err := base64.StdEncoding.DecodeString(word)
		if err != nil {
			raw, err = base64.URLEncoding.DecodeString(word)
		}
		if err != nil || len(raw) != keySize {
			return Keys{}, errors.New("a key is 32 random bytes in base64; `openssl rand -base64 32` makes one")
		}
		one, err := newKey(raw)
		if err != nil {
			return Keys{}, err
		}
		k.keys = append(k.keys, one)
	}
	if len(k.keys) == 0 {
		return Keys{}, errors.New("there is no key in it: 32 random bytes in base64, as `openssl rand -base64 32` makes them")
	}
	return k, nil
}

// NewKey makes a key, in the form that ParseKeys reads.
func NewKey() (Value, error) {
	raw := make([]byte, keySize)
	if _, err := rand.Read(raw); err != nil {
		return Value{}, fmt.Errorf("make a key: %w", err)
	}
	return New(base64.StdEncoding.EncodeToString(raw)), nil
}

func newKey(raw []byte) (key, error) {
	block, err := aes.NewCipher(raw)
	if err != nil {
		return key{}, fmt.Errorf("use a key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return key{}, fmt.Errorf("use a key: %w", err)
	}
	sum := sha256.Sum256(append([]byte("rollcall key id\x00"), raw...))
	return key{id: hex.EncodeToString(sum[:4]), aead: aead}, nil
}

// IDs name the keys without telling them, the one that seals first.
func (k Keys) IDs() []string {
	ids := make([]string, len(k.keys))
	for i, one := range k.keys {
		ids[i] = one.id
	}
	return ids
}

// Seal encrypts a value for an owner and a name, with AES-256-GCM and a random nonce in front. What comes back is opened
// for the same owner and name only, so that nobody can exchange two of them in the database.
func (k Keys) Seal(v Value, owner, name string) (keyID string, sealed []byte, err error) {
	if len(k.keys) == 0 {
		return "", nil, errors.New("seal a secret: there is no key")
	}
	one := k.keys[0]
	nonce := make([]byte, one.aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", nil, fmt.Errorf("seal a secret: %w", err)
	}
	return one.id, one.aead.Seal(nonce, nonce, []byte(v.Reveal()), bound(one.id, owner, name)), nil
}

// Open decrypts what Seal made. With no key of that id at hand the error is a *KeyError.
func (k Keys) Open(keyID string, sealed []byte, owner, name string) (Value, error) {
	i := slices.IndexFunc(k.keys, func(one key) bool { return one.id == keyID })
	if i < 0 {
		return Value{}, &KeyError{ID: keyID, Have: k.IDs()}
	}
	aead := k.keys[i].aead
	if len(sealed) < aead.NonceSize() {
		return Value{}, errors.New("open a sealed secret: it is cut short")
	}
	text, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], bound(keyID, owner, name))
	if err != nil {
		return Value{}, errors.New("open a sealed secret: it was changed, or belongs to something else")
	}
	return New(string(text)), nil
}

// bound is what a sealed value is bound to. Lengths keep apart what would read the same when joined.
func bound(parts ...string) []byte {
	out := []byte("rollcall sealed 1\x00")
	for _, p := range parts {
		out = binary.BigEndian.AppendUint32(out, uint32(len(p)))
		out = append(out, p...)
	}
	return out
}
