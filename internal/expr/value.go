package expr

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Signal is a result that is not a value but tells the mapping what to do (specification, section 8).
type Signal int

const (
	// IgnoreAttribute leaves the target attribute out of the request.
	IgnoreAttribute Signal = iota + 1
	// IgnoreObject skips the whole object in this cycle.
	IgnoreObject
)

// String gives the keyword that makes the signal.
func (s Signal) String() string {
	switch s {
	case IgnoreAttribute:
		return keywordIgnoreAttribute
	case IgnoreObject:
		return keywordIgnoreObject
	}
	return "Signal(" + strconv.Itoa(int(s)) + ")"
}

type kind uint8

const (
	kindNull kind = iota
	kindText
	kindInt
	kindFloat
	kindBool
	kindDate
	kindList
	kindComplex
	kindSignal
)

func (k kind) String() string {
	switch k {
	case kindNull:
		return "Null"
	case kindText:
		return "String"
	case kindInt, kindFloat:
		return "Number"
	case kindBool:
		return "Boolean"
	case kindDate:
		return "DateTime"
	case kindList:
		return "List"
	case kindComplex:
		return "Complex"
	case kindSignal:
		return "Signal"
	}
	return "unknown"
}

// value is a value during evaluation. It is a struct and not an interface so that a text that one function
// hands to the next is not put on the heap.
type value struct {
	k kind
	// n is the integer, the bits of the float, 1 for True, the Signal, or the date as 100-nanosecond
	// ticks since the beginning of the year 1.
	n int64
	s string
	// ref is the list ([]any or []string, never empty) or the map of a Complex, in the interface it came in; for a text
	// the interface that it came in, if any, so that a text which passes through is not put on the heap anew.
	ref any
}

func textValue(s string) value { return value{k: kindText, s: s} }
func intValue(n int64) value   { return value{k: kindInt, n: n} }
func floatValue(f float64) value {
	return value{k: kindFloat, n: int64(math.Float64bits(f))}
}
func boolValue(b bool) value {
	if b {
		return value{k: kindBool, n: 1}
	}
	return value{k: kindBool}
}
func dateValue(ticks int64) value { return value{k: kindDate, n: ticks} }
func signalValue(s Signal) value  { return value{k: kindSignal, n: int64(s)} }
func listValue(l []any) value {
	if len(l) == 0 {
		return value{}
	}
	return value{k: kindList, ref: l}
}

func (v value) float() float64 { return math.Float64frombits(uint64(v.n)) }
func (v value) isEmpty() bool  { return v.k == kindNull || v.k == kindText && v.s == "" }

// fromGo takes in a value of the caller. ok is false for a Go type that has no kind here.
func fromGo(x any) (v value, ok bool) {
	switch t := x.(type) {
	case nil:
		return value{}, true
	case string:
		return value{k: kindText, s: t, ref: x}, true
	case bool:
		return boolValue(t), true
	case int64:
		return intValue(t), true
	case int:
		return intValue(int64(t)), true
	case float64:
		return floatValue(t), !math.IsNaN(t) && !math.IsInf(t, 0)
	case time.Time:
		ticks, ok := ticksOf(t)
		return dateValue(ticks), ok
	case []any:
		if len(t) == 0 {
			return value{}, true
		}
		return value{k: kindList, ref: x}, true
	case []string:
		if len(t) == 0 {
			return value{}, true
		}
		return value{k: kindList, ref: x}, true
	case map[string]any:
		if t == nil {
			return value{}, true
		}
		return value{k: kindComplex, ref: x}, true
	case Signal:
		return signalValue(t), t == IgnoreAttribute || t == IgnoreObject
	case json.Number:
		return parseJSONNumber(t)
	}
	return fromOther(reflect.ValueOf(x))
}

func parseJSONNumber(n json.Number) (value, bool) {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return intValue(i), true
	}
	f, err := strconv.ParseFloat(string(n), 64)
	return floatValue(f), err == nil
}

// fromOther takes in what fromGo has no case for: other widths of numbers, named types and typed slices.
func fromOther(r reflect.Value) (value, bool) {
	switch r.Kind() {
	case reflect.String:
		return textValue(r.String()), true
	case reflect.Bool:
		return boolValue(r.Bool()), true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return intValue(r.Int()), true
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u := r.Uint()
		if u > math.MaxInt64 {
			return floatValue(float64(u)), true
		}
		return intValue(int64(u)), true
	case reflect.Float32, reflect.Float64:
		f := r.Float()
		return floatValue(f), !math.IsNaN(f) && !math.IsInf(f, 0)
	case reflect.Slice:
		if r.Type().Elem().Kind() == reflect.Uint8 {
			return value{}, false
		}
		list := make([]any, r.Len())
		for i := range list {
			list[i] = r.Index(i).Interface()
		}
		return listValue(list), true
	case reflect.Map:
		if r.Type().Key().Kind() != reflect.String {
			return value{}, false
		}
		if r.IsNil() {
			return value{}, true
		}
		m := make(map[string]any, r.Len())
		for _, k := range r.MapKeys() {
			m[k.String()] = r.MapIndex(k).Interface()
		}
		return value{k: kindComplex, ref: m}, true
	default:
		return value{}, false
	}
}

// toGo gives the value as the caller gets it.
func (v value) toGo() any {
	switch v.k {
	case kindNull:
		return nil
	case kindText:
		if v.ref != nil {
			return v.ref
		}
		return v.s
	case kindInt:
		return v.n
	case kindFloat:
		return v.float()
	case kindBool:
		return v.n != 0
	case kindDate:
		return timeOf(v.n)
	case kindList:
		if l, ok := v.ref.([]string); ok {
			out := make([]any, len(l))
			for i, s := range l {
				out[i] = s
			}
			return out
		}
		return canonicalList(v.ref)
	case kindComplex:
		return v.ref
	case kindSignal:
		return Signal(v.n)
	}
	return nil
}

// canonicalList gives a list with elements of the kinds that Eval promises; most lists are such already.
func canonicalList(ref any) any {
	list := ref.([]any)
	for i, x := range list {
		switch x.(type) {
		case nil, string, bool, int64, float64, map[string]any, Signal:
			continue
		}
		out := append(make([]any, 0, len(list)), list[:i]...)
		for _, x := range list[i:] {
			if v, ok := fromGo(x); ok {
				x = v.toGo()
			}
			out = append(out, x)
		}
		return out
	}
	return ref
}

// length is the number of elements of a list, 0 for Null and 1 for any other value.
func (v value) length() int {
	switch v.k {
	case kindNull:
		return 0
	case kindList:
		if l, ok := v.ref.([]string); ok {
			return len(l)
		}
		return len(v.ref.([]any))
	default:
		return 1
	}
}

// element gives element i of a list; any other value is a list of one.
func (v value) element(i int) (value, *Error) {
	if v.k != kindList {
		return v, nil
	}
	if l, ok := v.ref.([]string); ok {
		return textValue(l[i]), nil
	}
	e, ok := fromGo(v.ref.([]any)[i])
	if !ok {
		return value{}, newError(KindType, "element %d of the list has a kind that expressions cannot hold", i+1)
	}
	return e, nil
}

// Format gives a value as text, by the rules that the language has for it: Booleans are True and False,
// numbers have their shortest decimal form, and a time is M/d/yyyy h:mm:ss tt in UTC. Null is "". What has
// no text in the language is shown for people: the elements of a list with "; " between them, a Complex
// as JSON, a signal as its keyword.
func Format(v any) string {
	x, ok := fromGo(v)
	if !ok {
		return "<" + reflect.TypeOf(v).String() + ">"
	}
	if s, ok := x.text(); ok {
		return s
	}
	switch x.k {
	case kindSignal:
		return Signal(x.n).String()
	case kindList:
		var b strings.Builder
		for i := range x.length() {
			if i > 0 {
				b.WriteString("; ")
			}
			if e, err := x.element(i); err == nil {
				b.WriteString(Format(e.toGo()))
			}
		}
		return b.String()
	case kindComplex:
		if data, err := json.Marshal(x.ref); err == nil {
			return string(data)
		}
	case kindNull, kindText, kindInt, kindFloat, kindBool, kindDate:
	}
	return ""
}

// TypeName gives the kind of a value: Null, String, Number, Boolean, DateTime, List, Complex or Signal. A
// Go type that the language cannot hold is "unknown".
func TypeName(v any) string {
	x, ok := fromGo(v)
	if !ok {
		return "unknown"
	}
	return x.k.String()
}
