package expr

import (
	"math"
	"strconv"
	"strings"
)

// The coercions of section 4 of the expression specification.

// single unpacks a list of one element (specification, section 4). Several values where one is wanted are an error (O-06).
func (v value) single() (value, *Error) {
	for depth := 0; v.k == kindList; depth++ {
		if n := v.length(); n > 1 || depth > MaxDepth {
			return value{}, newError(KindType, "one value is wanted, but the list has %d", n).
				hint("take one with Item, or put them together with Join")
		}
		e, err := v.element(0)
		if err != nil {
			return value{}, err
		}
		v = e
	}
	return v, nil
}

// toText is the coercion to String; Null stays Null.
func (v value) toText() (value, *Error) {
	if v.k == kindText {
		return v, nil
	}
	v, err := v.single()
	if err != nil {
		return value{}, err
	}
	if v.k == kindNull {
		return v, nil
	}
	s, ok := v.text()
	if !ok {
		return value{}, v.cannotBe("a text")
	}
	return textValue(s), nil
}

// text gives the text of a single value. ok is false where there is none.
func (v value) text() (s string, ok bool) {
	switch v.k {
	case kindText:
		return v.s, true
	case kindInt:
		return strconv.FormatInt(v.n, 10), true
	case kindFloat:
		return strconv.FormatFloat(v.float(), 'f', -1, 64), true
	case kindBool:
		if v.n != 0 {
			return keywordTrue, true
		}
		return keywordFalse, true
	case kindDate:
		return string(appendGeneralDate(nil, v.n)), true
	case kindNull, kindList, kindComplex, kindSignal:
	}
	return "", false
}

// toNumber is the coercion to Number; Null stays Null.
func (v value) toNumber() (value, *Error) {
	if v.k == kindInt || v.k == kindFloat {
		return v, nil
	}
	v, err := v.single()
	if err != nil {
		return value{}, err
	}
	switch v.k {
	case kindNull, kindInt, kindFloat:
		return v, nil
	case kindText:
		if n, ok := parseNumber(v.s); ok {
			return n, nil
		}
		return value{}, newError(KindType, "a number is wanted, but the text is not one")
	case kindBool, kindDate, kindList, kindComplex, kindSignal:
	}
	return value{}, v.cannotBe("a number")
}

// toInt is the coercion to a whole Number; Null stays Null, a fraction is an error.
func (v value) toInt() (value, *Error) {
	v, err := v.toNumber()
	if err != nil || v.k != kindFloat {
		return v, err
	}
	if n, ok := wholeNumber(v.float()); ok {
		return intValue(n), nil
	}
	return value{}, newError(KindType, "a whole number is wanted")
}

// wholeNumber converts a float that has no fraction and fits.
func wholeNumber(f float64) (int64, bool) {
	if f != math.Trunc(f) || f < -(1<<63) || f >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// parseNumber reads a decimal number with optional sign and fraction, blanks around it ignored. It has no
// exponent: an employee number such as 12E5 is a text.
func parseNumber(s string) (value, bool) {
	s = strings.TrimSpace(s)
	digits, points := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isDigit(c):
			digits++
		case c == '.':
			points++
		case (c == '-' || c == '+') && i == 0:
		default:
			return value{}, false
		}
	}
	if digits == 0 || points > 1 {
		return value{}, false
	}
	if points == 0 {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return intValue(n), true
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return floatValue(f), err == nil
}

// toDate is the coercion to DateTime; Null and "" are Null.
func (v value) toDate() (value, *Error) {
	if v.k == kindDate {
		return v, nil
	}
	v, err := v.single()
	if err != nil {
		return value{}, err
	}
	switch v.k {
	case kindNull, kindDate:
		return v, nil
	case kindText:
		if v.s == "" {
			return value{}, nil
		}
		ticks, err := parseDate(v.s)
		return dateValue(ticks), err
	case kindInt, kindFloat, kindBool, kindList, kindComplex, kindSignal:
	}
	return value{}, v.cannotBe("a date")
}

// truth is the coercion of a condition to Boolean: Null and "" are false, a number is true unless zero,
// a text must be True, False or a number (sections 4 and 7, O-26).
func (v value) truth() (bool, *Error) {
	v, err := v.single()
	if err != nil {
		return false, err
	}
	switch v.k {
	case kindNull:
		return false, nil
	case kindBool, kindInt:
		return v.n != 0, nil
	case kindFloat:
		return v.float() != 0, nil
	case kindText:
		if b, ok := parseBool(v.s); ok {
			return b, nil
		}
		if v.s == "" {
			return false, nil
		}
		if n, ok := parseNumber(v.s); ok {
			return n.truth()
		}
		return false, newError(KindType, "a condition is wanted, but the text is neither True, False nor a number")
	case kindDate, kindList, kindComplex, kindSignal:
	}
	return false, v.cannotBe("a condition")
}

// isTrue reports whether a value is the Boolean True or its text in any case. Only conditions take numbers for Booleans
// (section 4).
func (v value) isTrue() bool {
	v, err := v.single()
	if err != nil {
		return false // several values are not True
	}
	return v.k == kindBool && v.n != 0 || v.k == kindText && strings.EqualFold(v.s, keywordTrue)
}

func parseBool(s string) (b, ok bool) {
	switch {
	case strings.EqualFold(s, keywordTrue):
		return true, true
	case strings.EqualFold(s, keywordFalse):
		return false, true
	}
	return false, false
}

func (v value) cannotBe(wanted string) *Error {
	if v.k == kindSignal {
		return newError(KindType, "%s is not a value and cannot be handed to a function", Signal(v.n)).
			hint("a flow signal may be the whole result, or pass through IIF, Switch and Coalesce")
	}
	return newError(KindType, "a value of kind %s cannot be made %s", v.k, wanted)
}

// compareNumbers gives the order of two Numbers.
func compareNumbers(a, b value) int {
	if a.k == kindInt && b.k == kindInt {
		return compareInts(a.n, b.n)
	}
	// An integer beyond 2^53 must not be rounded before it is compared with a whole float.
	if an, ok := a.whole(); ok {
		if bn, ok := b.whole(); ok {
			return compareInts(an, bn)
		}
	}
	x, y := a.asFloat(), b.asFloat()
	switch {
	case x < y:
		return -1
	case x > y:
		return 1
	}
	return 0
}

func (v value) whole() (int64, bool) {
	if v.k == kindInt {
		return v.n, true
	}
	return wholeNumber(v.float())
}

func (v value) asFloat() float64 {
	if v.k == kindInt {
		return float64(v.n)
	}
	return v.float()
}

func compareInts(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
