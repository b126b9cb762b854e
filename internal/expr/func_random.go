package expr

import (
	"encoding/hex"
	"io"
	"slices"
	"strings"
)

func randomFunctions() []Function {
	return []Function{
		{
			Name:     "DefaultDomain",
			Result:   "String",
			Help:     "Gives the default verified domain of the directory.",
			Examples: []Example{{Expression: `DefaultDomain()`, Want: "contoso.onmicrosoft.com"}},
			impure:   true,
			apply: func(st *state, _ []value) (value, *Error) {
				if st.env.DefaultDomain == "" {
					return value{}, newError(KindArgument, "no default domain is set").hint("set it in the settings of the job")
				}
				return textValue(st.env.DefaultDomain), nil
			},
		},
		{
			Name:     "Guid",
			Result:   "String",
			Help:     "Gives a new random GUID in lower case with hyphens.",
			Examples: []Example{{Expression: `Guid()`, Pattern: `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`}},
			impure:   true,
			apply: func(st *state, _ []value) (value, *Error) {
				var raw [16]byte
				if err := st.random(raw[:]); err != nil {
					return value{}, err
				}
				return textValue(guid(raw)), nil
			},
		},
		{
			Name: "RandomString",
			Params: []Param{
				required("length", TypeNumber).integer().help("at most 256"),
				required("minimumNumbers", TypeNumber).integer(), required("minimumSpecialCharacters", TypeNumber).integer(),
				required("minimumCapital", TypeNumber).integer(), required("minimumLowerCase", TypeNumber).integer(),
				optional("charactersToAvoid", TypeString),
			},
			Result: "String",
			Help: "Gives a random text with at least so many digits, symbols, capital and small letters, and none of the characters to avoid. The rest of the " +
				"length is drawn from the classes whose minimum is not zero, from letters and digits if all are zero.",
			Examples: []Example{{Expression: `RandomString(6, 3, 0, 0, 3)`, Pattern: `^[0-9a-z]{6}$`}},
			impure:   true,
			apply:    randomString,
		},
	}
}

// random fills b from the randomness of the environment.
func (st *state) random(b []byte) *Error {
	if st.env.Rand == nil {
		return newError(KindArgument, "randomness is wanted, but this evaluation has none")
	}
	if _, err := io.ReadFull(st.env.Rand, b); err != nil {
		e := newError(KindLookup, "the random source cannot be read")
		e.Err = err
		return e
	}
	return nil
}

// guid formats 16 random bytes as a version 4 GUID (RFC 9562, 5.4).
func guid(raw [16]byte) string {
	raw[6] = raw[6]&0x0F | 0x40
	raw[8] = raw[8]&0x3F | 0x80
	h := hex.EncodeToString(raw[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

const (
	maxRandomString = 256

	digitClass   = "0123456789"
	capitalClass = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	lowerClass   = "abcdefghijklmnopqrstuvwxyz"
	symbolClass  = "~!@#$%^&*_-+=`|\\(){}[]:;\"'<>,.?/"
)

// randomString follows O-18.
func randomString(st *state, a []value) (value, *Error) {
	length := a[0].n
	if length < 0 || length > maxRandomString {
		return value{}, newError(KindRange, "the length is not between 0 and %d", maxRandomString).forArg(0)
	}
	classes := [...]string{digitClass, symbolClass, capitalClass, lowerClass}
	var sum int64
	var fill strings.Builder
	for i, class := range classes {
		least := a[i+1].n
		if least < 0 || least > maxRandomString {
			return value{}, newError(KindRange, "the minimum is not between 0 and %d", maxRandomString).forArg(i + 1)
		}
		classes[i] = without(class, a[5].s)
		sum += least
		if least == 0 {
			continue
		}
		if classes[i] == "" {
			return value{}, newError(KindRange, "the characters to avoid leave nothing of a class that has a minimum").forArg(5)
		}
		fill.WriteString(classes[i])
	}
	if sum > length {
		return value{}, newError(KindRange, "the four minimums add up to %d, more than the length", sum).forArg(0)
	}
	pool := fill.String()
	if sum == 0 {
		pool = classes[0] + classes[2] + classes[3]
	}
	if length > sum && pool == "" {
		return value{}, newError(KindRange, "the characters to avoid leave no letters and digits").forArg(5)
	}
	src := byteSource{st: st}
	out := make([]byte, 0, length)
	for i, class := range classes {
		for range a[i+1].n {
			out = append(out, src.pick(class))
		}
	}
	for int64(len(out)) < length {
		out = append(out, src.pick(pool))
	}
	for i := len(out) - 1; i > 0; i-- {
		j := src.below(i + 1)
		out[i], out[j] = out[j], out[i]
	}
	if src.err != nil {
		return value{}, src.err
	}
	return textValue(string(out)), nil
}

// without gives the characters of class that are not in avoid.
func without(class, avoid string) string {
	if avoid == "" {
		return class
	}
	return string(slices.DeleteFunc([]byte(class), func(c byte) bool { return strings.IndexByte(avoid, c) >= 0 }))
}

// byteSource draws small numbers without bias. After an error it gives zeros.
type byteSource struct {
	st   *state
	buf  [64]byte
	left int
	err  *Error
}

func (b *byteSource) pick(class string) byte { return class[b.below(len(class))] }

// below gives a number from 0 to n-1; n is at most 256.
func (b *byteSource) below(n int) int {
	limit := 256 - 256%n
	for b.err == nil {
		if b.left == 0 {
			if b.err = b.st.random(b.buf[:]); b.err != nil {
				break
			}
			b.left = len(b.buf)
		}
		b.left--
		if x := int(b.buf[b.left]); x < limit {
			return x % n
		}
	}
	return 0
}
