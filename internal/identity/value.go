package identity

import (
	"math"
	"slices"
	"strings"
	"time"
)

// A value of an attribute is one of
//
//	nil             absent
//	string, bool
//	int64, float64
//	time.Time       in UTC; its byte form keeps microseconds
//	Ref             a reference to another object
//	[]any           several values, in order; never empty (an empty list is nil)
//	map[string]any  a complex value (RFC 7643 section 2.3.8)
//
// Normal brings what JSON, YAML and database drivers deliver into this form.

// Normal converts v to the value forms above: other integer types to int64 (to float64 what int64 cannot hold), lists
// of text to []any, times to UTC, and an empty list to nil. It does so within lists and complex values too, on copies.
func Normal(v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int8:
		return int64(v)
	case int16:
		return int64(v)
	case int32:
		return int64(v)
	case uint8:
		return int64(v)
	case uint16:
		return int64(v)
	case uint32:
		return int64(v)
	case uint:
		return Normal(uint64(v))
	case uint64:
		if v > math.MaxInt64 {
			return float64(v)
		}
		return int64(v)
	case float32:
		return float64(v)
	case time.Time:
		return v.UTC()
	case []string:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case []any:
		if len(v) == 0 {
			return nil
		}
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = Normal(e)
		}
		return out
	case map[string]any:
		if len(v) == 0 {
			return v
		}
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = Normal(e)
		}
		return out
	case []byte:
		return string(v)
	}
	return v
}

// Plain replaces references by the text of their anchors, since expressions and filters know no references.
func Plain(v any) any {
	switch v := v.(type) {
	case Ref:
		return v.Anchor
	case []any:
		for i, e := range v {
			if _, ok := e.(Ref); !ok {
				continue
			}
			out := slices.Clone(v)
			for j := i; j < len(out); j++ {
				out[j] = Plain(out[j])
			}
			return out
		}
	}
	return v
}

// Empty tells whether a value counts as absent: nil, "" or a list without elements.
func Empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// Equal compares two values. Integers and fractions compare as numbers, times as instants, lists element by element
// in order. With fold, text is compared without regard to case (engine.R3, caseExact false).
func Equal(a, b any, fold bool) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case string:
		b, ok := b.(string)
		return ok && (a == b || fold && strings.EqualFold(a, b))
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case int64:
		switch b := b.(type) {
		case int64:
			return a == b
		case float64:
			return float64(a) == b
		}
		return false
	case float64:
		switch b := b.(type) {
		case int64:
			return a == float64(b)
		case float64:
			return a == b
		}
		return false
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case Ref:
		b, ok := b.(Ref)
		return ok && a == b
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, func(x, y any) bool { return Equal(x, y, fold) })
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for k, x := range a {
			y, ok := b[k]
			if !ok || !Equal(x, y, fold) {
				return false
			}
		}
		return true
	}
	return false
}

// Fold brings a joining value to the form under which values that differ only in case are the same.
// It is used for index keys; it is the lower case of Unicode's simple mapping, which has no locale.
func Fold(s string) string { return strings.ToLower(s) }
