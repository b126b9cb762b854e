package litmos

import (
	"slices"
	"strings"
)

// record is one object as the interface shows it, its fields in order. A value is a string, a bool, digits, nil, or raw.
// Fields that we do not know are kept, so that a write gives them back.
type record struct {
	fields []item
}

type item struct {
	name  string
	value any
}

// digits is a number as it was written.
type digits string

// raw is a value that is no single one, as it was written in JSON.
type raw string

// get returns the value of a field, whatever the case of its name.
func (r *record) get(name string) (any, bool) {
	for i := range r.fields {
		if strings.EqualFold(r.fields[i].name, name) {
			return r.fields[i].value, true
		}
	}
	return nil, false
}

// text returns the value of a field as text.
func (r *record) text(name string) string {
	v, _ := r.get(name)
	return asText(v)
}

// set replaces the value of a field or adds it at the end.
func (r *record) set(name string, value any) {
	for i := range r.fields {
		if strings.EqualFold(r.fields[i].name, name) {
			r.fields[i].value = value
			return
		}
	}
	r.fields = append(r.fields, item{name, value})
}

// add appends a field that an answer has. A sign-in address holds a secret and is not kept (section 2.3, LoginKey).
func (r *record) add(name string, value any) {
	if !strings.EqualFold(name, fieldLoginKey) {
		r.fields = append(r.fields, item{name, value})
	}
}

// id is the id of an object, "" for none.
func (r *record) id() string { return r.text(fieldID) }

// arranged is what is sent: the fields in documented order, those of the skeleton always, others where there is
// something in the record, and behind them what we do not know.
func (r *record) arranged(fields []field) *record {
	out := &record{fields: make([]item, 0, len(fields)+2)}
	for _, f := range fields {
		v, has := r.get(f.name)
		switch {
		case f.name == fieldLoginKey:
			v = ""
		case !has && !f.skeleton:
			continue
		case f.kind == flagType:
			on, err := asFlag(v)
			if err != nil {
				on = false
			}
			v = on
		case f.kind == numberType && has:
			if s, ok := v.(string); ok && isDigits(s) {
				v = digits(s)
			}
		case !has:
			v = ""
		}
		out.fields = append(out.fields, item{f.name, v})
	}
	for _, it := range r.fields {
		if _, known := fieldNamed(fields, it.name); !known {
			out.fields = append(out.fields, it)
		}
	}
	return out
}

func isDigits(s string) bool {
	return s != "" && !slices.ContainsFunc([]byte(s), func(c byte) bool { return c < '0' || c > '9' })
}
