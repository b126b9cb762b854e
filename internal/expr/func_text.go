package expr

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	nameInStr = "InStr"
	nameJoin  = "Join"
)

func textFunctions() []Function {
	return []Function{
		{
			Name:   "Append",
			Params: []Param{required("source", TypeString), required("suffix", TypeString).nullable()},
			Result: "String",
			Help:   "Gives source followed by suffix. Without a source the result is Null, so that no bare suffix flows.",
			Examples: []Example{
				{Expression: `Append([userPrincipalName], ".test")`, Attributes: attributes("userPrincipalName", "ada@contoso.com"), Want: "ada@contoso.com.test"},
				{Expression: `Append([mailNickname], "-ext")`, Want: nil},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				if a[1].isEmpty() {
					return a[0], nil
				}
				return textValue(a[0].s + a[1].s), nil
			},
		},
		{
			Name:   "ConvertToBase64",
			Params: []Param{required("source", TypeString)},
			Result: "String",
			Help:   "Encodes the text in Base64, taken as UTF-16 little-endian without byte-order mark.",
			Examples: []Example{
				{Expression: `ConvertToBase64("Hello world!")`, Want: "SABlAGwAbABvACAAdwBvAHIAbABkACEA"},
			},
			apply: func(_ *state, a []value) (value, *Error) { return textValue(base64UTF16(a[0].s)), nil },
		},
		{
			Name:   "ConvertToUTF8Hex",
			Params: []Param{required("source", TypeString)},
			Result: "String",
			Help:   "Writes the UTF-8 bytes of the text in upper-case hexadecimal.",
			Examples: []Example{
				{Expression: `ConvertToUTF8Hex("Zoë")`, Want: "5A6FC3AB"},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				return textValue(strings.ToUpper(hex.EncodeToString([]byte(a[0].s)))), nil
			},
		},
		{
			Name:   "CStr",
			Params: []Param{required("value", TypeString)},
			Result: "String",
			Help:   "Gives a value as text: True or False for a Boolean, the decimal form of a number, M/d/yyyy h:mm:ss tt for a date.",
			Examples: []Example{
				{Expression: `CStr([accountEnabled])`, Attributes: attributes("accountEnabled", true), Want: "True"},
				{Expression: `CStr(BitAnd(&HF, &HF7))`, Want: "7"},
			},
			apply: func(_ *state, a []value) (value, *Error) { return a[0], nil },
		},
		{
			Name: nameInStr,
			Params: []Param{
				required("value1", TypeString).nullable().help("the text to search in"),
				required("value2", TypeString).help("the text to search for"),
				optional("start", TypeNumber).integer().help("where to begin, from 1"),
				optional("compareType", TypeString).help("vbBinaryCompare, exact, or vbTextCompare, without regard to case"),
			},
			Result: "Number",
			Help:   "Gives the place, counted from 1, of the first value2 in value1; 0 when there is none.",
			Examples: []Example{
				{Expression: `InStr("The quick brown fox", "quick")`, Want: int64(5)},
				{Expression: `InStr("repEated", "e", 3, vbBinaryCompare)`, Want: int64(7)},
				{Expression: `InStr("repEated", "e", 3, vbTextCompare)`, Want: int64(4)},
			},
			apply: inStr,
		},
		{
			Name:   "Left",
			Params: []Param{required("string", TypeString).nullable(), required("numChars", TypeNumber).integer()},
			Result: "String",
			Help:   "Gives the first characters of a text. A negative number gives the whole text.",
			Examples: []Example{
				{Expression: `Left("John Doe", 3)`, Want: "Joh"},
				{Expression: `Left([givenName], 3)`, Want: ""},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				if a[0].isEmpty() {
					return textValue(""), nil
				}
				if a[1].n < 0 {
					return a[0], nil
				}
				return textValue(a[0].s[:byteIndex(a[0].s, a[1].n)]), nil
			},
		},
		{
			Name: "Mid",
			Params: []Param{
				required("source", TypeString).nullable(),
				required("start", TypeNumber).integer().help("the first character, from 1"),
				required("length", TypeNumber).integer().help("how many characters"),
			},
			Result: "String",
			Help:   "Gives length characters of the text from start on, or as many as there are.",
			Examples: []Example{
				{Expression: `Mid("John Doe", 3, 5)`, Want: "hn Do"},
				{Expression: `Mid("Jo", 5, 1)`, Want: ""},
			},
			apply: mid,
		},
		{
			Name:   "NormalizeDiacritics",
			Params: []Param{required("source", TypeString)},
			Result: "String",
			Help:   "Takes the accents off Latin letters and writes out letters such as ø, æ and ß. Letter case, blanks, hyphens and apostrophes stay.",
			Examples: []Example{
				{Expression: `NormalizeDiacritics("Zoë Müller")`, Want: "Zoe Muller"},
				{Expression: `NormalizeDiacritics("Ærøskøbing Straße")`, Want: "AEroeskoebing Strasse"},
			},
			apply: func(st *state, a []value) (value, *Error) { return textValue(withoutDiacritics(st, a[0].s)), nil },
		},
		{
			Name: "PCase",
			Params: []Param{
				required("source", TypeString),
				optional("wordSeparators", TypeString).help("the characters after which a word begins; blanks, hyphens and other signs if omitted"),
			},
			Result: "String",
			Help:   "Makes the first letter of each word upper case and all other letters lower case.",
			Examples: []Example{
				{Expression: `PCase("PABLO GONSALVES (SECOND)")`, Want: "Pablo Gonsalves (Second)"},
				{Expression: `PCase("PINTO-DE'SILVA", " '-")`, Want: "Pinto-De'Silva"},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				return textValue(properCase(a[0].s, a[1].k != kindNull, a[1].s)), nil
			},
		},
		replaceFunction(),
		{
			Name:   "StripSpaces",
			Params: []Param{required("source", TypeString)},
			Result: "String",
			Help:   "Removes every blank (U+0020) and nothing else.",
			Examples: []Example{
				{Expression: `StripSpaces("van der Berg")`, Want: "vanderBerg"},
			},
			apply: func(st *state, a []value) (value, *Error) { return textValue(stripSpaces(st, a[0].s)), nil },
		},
		{
			Name:   "ToLower",
			Params: []Param{required("source", TypeString), optional("culture", TypeString).help("such as tr-TR; invariant if omitted")},
			Result: "String",
			Help:   "Makes every letter lower case, letter by letter, by the rules of a culture.",
			Examples: []Example{
				{Expression: `ToLower("ÄÖÜ")`, Want: "äöü"},
				{Expression: `ToLower("I", "tr-TR")`, Want: "ı"},
			},
			bind: func(_ *node, a []*value) applyFn { return changeCase(a[1], mapping.toLower) },
		},
		{
			Name:   "ToUpper",
			Params: []Param{required("source", TypeString), optional("culture", TypeString).help("such as tr-TR; invariant if omitted")},
			Result: "String",
			Help:   "Makes every letter upper case, letter by letter, by the rules of a culture.",
			Examples: []Example{
				{Expression: `ToUpper([country], "en-US")`, Attributes: attributes("country", "us"), Want: "US"},
				{Expression: `ToUpper("i", "tr-TR")`, Want: "İ"},
			},
			bind: func(_ *node, a []*value) applyFn { return changeCase(a[1], mapping.toUpper) },
		},
		{
			Name: "Word",
			Params: []Param{
				required("string", TypeString).nullable(),
				required("wordNumber", TypeNumber).integer().nullable().help("which word, from 1"),
				required("delimiters", TypeString).nullable().help("each character separates words"),
			},
			Result: "String",
			Help:   "Gives one word of a text; nothing (\"\") when there are not as many words or no delimiter occurs.",
			Examples: []Example{
				{Expression: `Word("The quick brown fox", 3, " ")`, Want: "brown"},
				{Expression: `Word([mail], 2, "@")`, Attributes: attributes("mail", "jd@contoso.com"), Want: "contoso.com"},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				if a[0].isEmpty() || a[1].k == kindNull || a[2].isEmpty() {
					return textValue(""), nil
				}
				return textValue(word(a[0].s, a[1].n, a[2].s)), nil
			},
		},
	}
}

// byteIndex gives the place in bytes of character n, or the length of s if there are fewer. Characters
// are code points (O-29).
func byteIndex(s string, n int64) int {
	if n >= int64(len(s)) {
		return len(s)
	}
	i := 0
	for ; n > 0 && i < len(s); n-- {
		if s[i] < utf8.RuneSelf {
			i++
			continue
		}
		_, size := utf8.DecodeRuneInString(s[i:])
		i += size
	}
	return i
}

// mid follows O-14 where the arguments are out of range.
func mid(_ *state, a []value) (value, *Error) {
	if a[0].k == kindNull {
		return textValue(""), nil
	}
	s, start, length := a[0].s, a[1].n, a[2].n
	if start < 1 {
		return value{}, newError(KindRange, "the start is below 1").hint("the first character is number 1").forArg(1)
	}
	if length < 0 {
		return value{}, newError(KindRange, "the length is negative").forArg(2)
	}
	s = s[byteIndex(s, start-1):]
	return textValue(s[:byteIndex(s, length)]), nil
}

func inStr(st *state, a []value) (value, *Error) {
	s, sub := a[0].s, a[1].s
	if s == "" {
		return intValue(0), nil
	}
	start := int64(1)
	if a[2].k != kindNull {
		start = a[2].n
	}
	if start < 1 {
		return value{}, newError(KindRange, "the start is below 1").hint("the first character is number 1").forArg(2)
	}
	fold := false
	if a[3].k != kindNull {
		switch {
		case strings.EqualFold(a[3].s, keywordTextCompare):
			fold = true
		case strings.EqualFold(a[3].s, keywordBinaryCompare):
		default:
			return value{}, newError(KindArgument, "the way of comparing is neither vbBinaryCompare nor vbTextCompare").forArg(3)
		}
	}
	from := byteIndex(s, start-1)
	if from >= len(s) {
		return intValue(0), nil
	}
	if fold {
		// Case mapping is letter by letter, so that the places in characters stay.
		s, sub = invariant.toLower(st, s), invariant.toLower(st, sub)
		from = byteIndex(s, start-1)
	}
	at := strings.Index(s[from:], sub)
	if at < 0 {
		return intValue(0), nil
	}
	return intValue(int64(utf8.RuneCountInString(s[:from+at])) + 1), nil
}

// word gives word number n; words are what stands between delimiters, and none is empty (O-25).
func word(s string, n int64, delimiters string) string {
	separates := runeSet(delimiters)
	if n < 1 || strings.IndexFunc(s, separates) < 0 {
		return ""
	}
	for n > 0 {
		s = strings.TrimLeftFunc(s, separates)
		end := strings.IndexFunc(s, separates)
		if n == 1 {
			if end >= 0 {
				s = s[:end]
			}
			return s
		}
		if end < 0 {
			return ""
		}
		s = s[end:]
		n--
	}
	return ""
}

func base64UTF16(s string) string {
	units := utf16.Encode([]rune(s))
	raw := make([]byte, 0, 2*len(units))
	for _, u := range units {
		raw = append(raw, byte(u), byte(u>>8))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func stripSpaces(st *state, s string) string {
	i := strings.IndexByte(s, ' ')
	if i < 0 {
		return s
	}
	buf := append(st.buf[:0], s[:i]...)
	for _, c := range []byte(s[i:]) {
		if c != ' ' {
			buf = append(buf, c)
		}
	}
	st.buf = buf[:0]
	return string(buf)
}
