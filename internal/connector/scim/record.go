package scim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// record is a JSON object with its fields in order. A create has some fifteen fields; writing them down one after
// another costs a fraction of sorting and reflecting over a map.
type record struct {
	fields []field
}

type field struct {
	name  string
	value any // *record, []any of these, or what package json takes
}

// get returns the value under a name without regard to case, nil for none. Like package internal/scim it prefers the very
// name, then the least of several spellings.
func (r *record) get(name string) any {
	for i := range r.fields {
		if r.fields[i].name == name {
			return r.fields[i].value
		}
	}
	var found *field
	for i := range r.fields {
		f := &r.fields[i]
		if len(f.name) == len(name) && strings.EqualFold(f.name, name) && (found == nil || f.name < found.name) {
			found = f
		}
	}
	if found == nil {
		return nil
	}
	return found.value
}

// valueOf returns the value under a name of a resource or a part of one, a record or a map, without regard to case; nil
// for none, and for what is no object.
func valueOf(object any, name string) any {
	switch o := object.(type) {
	case *record:
		return o.get(name)
	case map[string]any:
		_, v, _ := scim.Lookup(o, name)
		return v
	}
	return nil
}

// isObject tells records and maps from other values.
func isObject(v any) bool {
	switch v.(type) {
	case *record, map[string]any:
		return true
	}
	return false
}

// mapOf is an object with maps in place of records.
func mapOf(object any) map[string]any {
	m, _ := loose(object).(map[string]any)
	return m
}

// set replaces the value under a name or adds it at the end.
func (r *record) set(name string, value any) {
	for i := range r.fields {
		if strings.EqualFold(r.fields[i].name, name) {
			r.fields[i].value = value
			return
		}
	}
	r.fields = append(r.fields, field{name, value})
}

// inside is the object under a name, made when there is none; the record itself for "".
func (r *record) inside(name string) *record {
	if name == "" {
		return r
	}
	in, ok := r.get(name).(*record)
	if !ok {
		in = &record{}
		r.set(name, in)
	}
	return in
}

// has tells whether the record has all these values.
func (r *record) has(values []equality) bool {
	for _, eq := range values {
		switch have := r.get(eq.name).(type) {
		case string:
			want, ok := eq.value.(string)
			if !ok || !strings.EqualFold(have, want) {
				return false
			}
		default:
			if have != eq.value {
				return false
			}
		}
	}
	return true
}

// loose is a value with maps in place of records.
func loose(v any) any {
	switch v := v.(type) {
	case *record:
		m := make(map[string]any, len(v.fields))
		for _, f := range v.fields {
			m[f.name] = loose(f.value)
		}
		return m
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = loose(e)
		}
		return out
	}
	return v
}

// tight is a value with records in place of maps, their fields in order of the names.
func tight(v any) any {
	switch v := v.(type) {
	case map[string]any:
		r := &record{fields: make([]field, 0, len(v))}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			r.fields = append(r.fields, field{name, tight(v[name])})
		}
		return r
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = tight(e)
		}
		return out
	}
	return v
}

// encode writes a body. Characters that are special in HTML stay as they are.
func encode(body any) ([]byte, error) {
	if r, ok := body.(*record); ok {
		return appendValue(make([]byte, 0, 1024), r)
	}
	return encodeAny(body)
}

func encodeAny(v any) ([]byte, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

func appendValue(dst []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case *record:
		dst = append(dst, '{')
		for i, f := range v.fields {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendText(dst, f.name); err != nil {
				return nil, err
			}
			dst = append(dst, ':')
			if dst, err = appendValue(dst, f.value); err != nil {
				return nil, err
			}
		}
		return append(dst, '}'), nil
	case []any:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			var err error
			if dst, err = appendValue(dst, e); err != nil {
				return nil, err
			}
		}
		return append(dst, ']'), nil
	case map[string]any:
		if len(v) == 1 { // a reference: there is nothing to put in order
			for name, value := range v {
				return appendValue(dst, &record{fields: []field{{name, value}}})
			}
		}
		return appendValue(dst, tight(v))
	case string:
		return appendText(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10), nil
	case bool:
		if v {
			return append(dst, "true"...), nil
		}
		return append(dst, "false"...), nil
	case nil:
		return append(dst, "null"...), nil
	}
	text, err := encodeAny(v)
	return append(dst, text...), err
}

// appendText writes a JSON string. Bytes that are no UTF-8 become U+FFFD, as package json has it.
func appendText(dst []byte, s string) ([]byte, error) {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		out, err = jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "�"))
	}
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return out, nil
}
