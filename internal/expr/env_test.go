package expr

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"
)

// object is a source object for tests.
type object map[string]any

func (o object) Attr(name string) (any, bool) {
	if v, ok := o[name]; ok {
		return v, true
	}
	for k, v := range o {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// testEnv is the environment of the examples: the time of ExampleTime and a default domain.
func testEnv(attrs map[string]any) *Env {
	return &Env{
		Attributes:    object(attrs),
		Now:           ExampleTime,
		Rand:          rand.Reader,
		DefaultDomain: "contoso.onmicrosoft.com",
	}
}

// taken is an uniqueness check that ignores case, as directories do.
func taken(values ...string) func(string) (bool, error) {
	return func(v string) (bool, error) {
		return slices.ContainsFunc(values, func(t string) bool { return strings.EqualFold(t, v) }), nil
	}
}

// shown gives a DateTime as its text, as vectors and examples have it.
func shown(v any) any {
	if t, ok := v.(time.Time); ok {
		return Format(t)
	}
	return v
}
