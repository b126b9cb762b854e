package expr

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// Case mapping is letter by letter, as in .NET: the length in characters never changes, and ß has no upper
// case.

// mapping gives the letter case mapping of a culture. "" is the invariant culture.
type mapping uint8

const (
	invariant mapping = iota
	common            // every culture but the Turkic ones
	turkic            // Turkish and Azerbaijani: i and İ, ı and I are pairs
)

// changeCase is ToLower and ToUpper. A constant culture is looked up when the expression is compiled.
func changeCase(culture *value, convert func(mapping, *state, string) string) applyFn {
	if culture != nil {
		m, err := mappingOf(*culture)
		return func(st *state, a []value) (value, *Error) {
			if err != nil {
				return value{}, err.again()
			}
			return textValue(convert(m, st, a[0].s)), nil
		}
	}
	return func(st *state, a []value) (value, *Error) {
		m, err := mappingOf(a[1])
		if err != nil {
			return value{}, err
		}
		return textValue(convert(m, st, a[0].s)), nil
	}
}

func mappingOf(culture value) (mapping, *Error) {
	if culture.isEmpty() {
		return invariant, nil
	}
	tag, err := language.Parse(culture.s)
	if err != nil {
		return invariant, newError(KindArgument, "the culture is not known").
			hint("cultures are written like en-US or tr-TR").forArg(1)
	}
	switch base, _ := tag.Base(); base.String() {
	case "tr", "az":
		return turkic, nil
	}
	return common, nil
}

func (m mapping) toLower(st *state, s string) string {
	if lower, ok := mapASCII(st, s, 'A', 'Z'); ok && m != turkic {
		return lower
	}
	return strings.Map(m.lower, s)
}

func (m mapping) toUpper(st *state, s string) string {
	if upper, ok := mapASCII(st, s, 'a', 'z'); ok && m != turkic {
		return upper
	}
	return strings.Map(m.upper, s)
}

// mapASCII turns round the case of the letters between two. ok is false for a text that is not ASCII.
func mapASCII(st *state, s string, from, to byte) (mapped string, ok bool) {
	first := -1
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return "", false
		case first < 0 && from <= c && c <= to:
			first = i
		}
	}
	if first < 0 {
		return s, true
	}
	buf := append(st.buf[:0], s...)
	for i := first; i < len(buf); i++ {
		if c := buf[i]; from <= c && c <= to {
			buf[i] = c ^ 0x20
		}
	}
	st.buf = buf[:0]
	return string(buf), true
}

func (m mapping) lower(r rune) rune {
	switch {
	case m == turkic:
		return unicode.TurkishCase.ToLower(r)
	case r == 'İ' && m == invariant: // the invariant culture of .NET leaves it alone
		return r
	}
	return unicode.ToLower(r)
}

func (m mapping) upper(r rune) rune {
	switch {
	case m == turkic:
		return unicode.TurkishCase.ToUpper(r)
	case r == 'ı' && m == invariant: // the invariant culture of .NET leaves it alone
		return r
	}
	return unicode.ToUpper(r)
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// properCase is PCase. A word begins at its first letter; with separators given, after each of them and
// nowhere else (O-21).
func properCase(s string, given bool, separators string) string {
	atStart, inWord := true, false
	isSeparator := runeSet(separators)
	return strings.Map(func(r rune) rune {
		var separates bool
		if given {
			separates = isSeparator(r)
		} else {
			// As in .NET a plain apostrophe within a word does not begin a new one: St John's.
			separates = isWordSeparator(r) && (r != '\'' || !inWord)
		}
		if separates {
			atStart, inWord = true, false
			return r
		}
		inWord = true
		if atStart && unicode.IsLetter(r) {
			atStart = false
			return invariant.upper(r)
		}
		return invariant.lower(r)
	}, s)
}

// runeSet tells whether a character is one of chars. Texts that stand for a set of characters may come from an attribute
// and be long; the time to look one up does not depend on it.
func runeSet(chars string) func(rune) bool {
	if len(chars) <= 32 {
		return func(r rune) bool { return strings.ContainsRune(chars, r) }
	}
	set := make(map[rune]bool)
	for _, r := range chars {
		set[r] = true
	}
	return func(r rune) bool { return set[r] }
}

// isWordSeparator reports whether a character is of the categories Zs Zl Zp Cc Cf Pc Pd Ps Pe Pi Pf Po Sm
// Sc Sk So.
func isWordSeparator(r rune) bool {
	return unicode.In(r, unicode.Z, unicode.Cc, unicode.Cf, unicode.P, unicode.S)
}

// withoutDiacritics is NormalizeDiacritics: decompose, drop the combining marks of Latin letters, write
// out the letters that have no decomposition, compose.
func withoutDiacritics(st *state, s string) string {
	if isASCII(s) {
		return s
	}
	if plain, ok := plainLatin(st, s); ok {
		return plain
	}
	return plainText(st, s)
}

// plainLatin does the work for texts of precomposed Latin letters, which are most: there each character can
// be looked at on its own.
func plainLatin(st *state, s string) (string, bool) {
	const firstMark = 0x300
	out := st.buf[:0]
	for i := 0; i < len(s); {
		if s[i] < utf8.RuneSelf {
			out = append(out, s[i])
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if r >= firstMark {
			return "", false
		}
		if d := norm.NFD.PropertiesString(s[i:]).Decomposition(); d != nil {
			r, _ = utf8.DecodeRune(d) // the marks follow
		}
		if plain := spelledOut(r); plain != "" {
			out = append(out, plain...)
		} else {
			out = utf8.AppendRune(out, r)
		}
		i += size
	}
	st.buf = out[:0]
	return string(out), true
}

func plainText(st *state, s string) string {
	out := st.buf[:0]
	latin := false
	st.decomposed = norm.NFD.AppendString(st.decomposed[:0], s)
	for rest := st.decomposed; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r < utf8.RuneSelf:
			latin = 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
			out = append(out, byte(r))
		case 0x300 <= r && r <= 0x36F:
			// Marks of other scripts are part of the spelling (O-22).
			if !latin {
				out = append(out, rest[:size]...)
			}
		default:
			latin = unicode.Is(unicode.Latin, r)
			if plain := spelledOut(r); plain != "" {
				out = append(out, plain...)
			} else {
				out = append(out, rest[:size]...)
			}
		}
		rest = rest[size:]
	}
	st.buf = out[:0]
	if norm.NFC.IsNormal(out) {
		return string(out)
	}
	return string(norm.NFC.Bytes(out))
}

func spelledOut(r rune) string {
	switch r {
	case 'ø':
		return "oe"
	case 'Ø':
		return "OE"
	case 'æ':
		return "ae"
	case 'Æ':
		return "AE"
	case 'œ':
		return "oe"
	case 'Œ':
		return "OE"
	case 'ß':
		return "ss"
	case 'ẞ':
		return "SS"
	case 'ł':
		return "l"
	case 'Ł':
		return "L"
	case 'ı':
		return "i"
	}
	return ""
}
