package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// object is the source object of a case. A name that the object does not have is read as a SCIM path into it
// (expressions O-02).
func object(attributes map[string]json.RawMessage) (*Attributes, error) {
	o := &Attributes{values: map[string]any{}}
	for name, raw := range attributes {
		v, err := identity.ParseJSON(raw)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", name, err)
		}
		o.Set(name, v)
	}
	return o, nil
}

// equal compares a result with a wanted value. The kinds count (text is no number), but whole and fractional numbers are
// one kind; a time is wanted as its text.
func equal(want, got any) bool {
	if t, ok := got.(time.Time); ok {
		got = expr.Format(t)
	}
	switch w := want.(type) {
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !equal(w[i], g[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			e, ok := g[k]
			if !ok || !equal(w[k], e) {
				return false
			}
		}
		return true
	}
	return identity.Equal(want, got, false)
}

// show writes a value as a vector would want it; times, which JSON does not know, with their kind.
func show(v any) string {
	switch v := v.(type) {
	case time.Time:
		return text(expr.Format(v)) + " (DateTime)"
	case expr.Signal:
		if v == expr.IgnoreObject {
			return `{"flow": "ignoreObject"}`
		}
		return `{"flow": "ignore"}`
	}
	return text(v)
}

func text(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// showError writes an error as a vector would want it, with its text.
func showError(kind string, err error) string {
	return fmt.Sprintf(`{"error": %q} (%v)`, kind, err)
}

// special reads a want of the form {"key": …}: an object with this key alone.
func special(want any, key string) (any, bool) {
	m, ok := want.(map[string]any)
	if !ok || len(m) != 1 {
		return nil, false
	}
	v, ok := m[key]
	return v, ok
}

// wantedError is the error kind that a case wants, "" when it wants a value.
func wantedError(want any) string {
	v, _ := special(want, "error")
	kind, _ := v.(string)
	return kind
}

// errorKind finds the kind of an error of one of the tested packages by the function given.
func errorKind[E error](err error, kind func(E) string) string {
	if e, ok := errors.AsType[E](err); ok {
		return kind(e)
	}
	return "?"
}
