package expr

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// vector is one case of testdata/expressions.json.
type vector struct {
	ID         string         `json:"id"`
	Expression string         `json:"expression"`
	Attributes map[string]any `json:"attributes"`
	Context    struct {
		Now                string   `json:"now"`
		Existing           []string `json:"existing"`
		AppRoleAssignments []any    `json:"appRoleAssignments"`
		DefaultDomain      string   `json:"defaultDomain"`
	} `json:"context"`
	Want any    `json:"want"`
	Log  string `json:"log"`
}

func (v vector) env(t *testing.T) *Env {
	t.Helper()
	attrs := object{}
	for name, x := range v.Attributes {
		attrs[name] = x
	}
	if v.Context.AppRoleAssignments != nil {
		attrs["appRoleAssignments"] = v.Context.AppRoleAssignments
	}
	env := testEnv(attrs)
	env.DefaultDomain = v.Context.DefaultDomain
	env.Exists = taken(v.Context.Existing...)
	if v.Context.Now != "" {
		now, err := time.Parse(time.RFC3339, v.Context.Now)
		if err != nil {
			t.Fatal(err)
		}
		env.Now = func() time.Time { return now }
	}
	return env
}

func (v vector) run(t *testing.T) (any, error) {
	t.Helper()
	p, err := Compile(v.Expression)
	if err != nil {
		return nil, err
	}
	return p.Eval(v.env(t))
}

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/expressions.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 283 {
		t.Fatalf("%d vectors, want 283", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			times := 1
			want, ok := v.Want.(map[string]any)
			if ok && want["matches"] != nil {
				times = 50
			}
			for range times {
				got, err := v.run(t)
				checkVector(t, v, got, err)
			}
			if v.Log != "" {
				p, err := Compile(v.Expression)
				if err != nil {
					t.Fatal(err)
				}
				if !p.Calls("redact") {
					t.Error("the program does not say that it calls Redact")
				}
			}
		})
	}
}

func checkVector(t *testing.T, v vector, got any, err error) {
	t.Helper()
	want, form := v.Want.(map[string]any)
	if form && want["error"] != nil {
		var e *Error
		if !errors.As(err, &e) {
			t.Fatalf("got %#v, error %v; want an error of kind %v", got, err, want["error"])
		}
		if string(e.Kind) != want["error"] {
			t.Fatalf("error %v, want kind %v", e, want["error"])
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case !form:
		if diff := cmp.Diff(plain(v.Want), plain(shown(got))); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	case want["int"] != nil:
		n, err := strconv.ParseInt(want["int"].(string), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(n), got); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	case want["flow"] != nil:
		signal := map[any]Signal{"ignore": IgnoreAttribute, "ignoreObject": IgnoreObject}[want["flow"]]
		if diff := cmp.Diff(any(signal), got); diff != "" {
			t.Errorf("result (-want +got):\n%s", diff)
		}
	case want["matches"] != nil:
		s, ok := got.(string)
		if !ok {
			t.Fatalf("got %#v, want a string", got)
		}
		for _, pattern := range want["matches"].([]any) {
			if !regexp.MustCompile(pattern.(string)).MatchString(s) {
				t.Errorf("%q does not match %s", s, pattern)
			}
		}
	default:
		t.Fatalf("a form of want that this test does not know: %v", want)
	}
}

// plain makes every number a float64, as JSON has it.
func plain(v any) any {
	switch x := v.(type) {
	case int64:
		return float64(x)
	case []any:
		out := make([]any, len(x))
		for i := range x {
			out[i] = plain(x[i])
		}
		return out
	}
	return v
}

// The documentation and the console show the examples; each is a promise.
func TestExamplesOfAllFunctions(t *testing.T) {
	functions := Functions()
	if len(functions) != 45 {
		t.Errorf("%d functions, the specification has 45", len(functions))
	}
	for _, f := range functions {
		if f.Help == "" || f.Result == "" || len(f.Examples) == 0 {
			t.Errorf("%s has no help, result or example", f.Name)
		}
		for _, ex := range f.Examples {
			t.Run(ex.Expression, func(t *testing.T) {
				p, err := Compile(ex.Expression)
				if err != nil {
					t.Fatal(err)
				}
				if !p.Calls(f.Name) {
					t.Fatalf("the example does not call %s", f.Name)
				}
				got, err := p.Eval(testEnv(ex.Attributes))
				if err != nil {
					t.Fatal(err)
				}
				if ex.Pattern != "" {
					if !regexp.MustCompile(ex.Pattern).MatchString(got.(string)) {
						t.Errorf("%q does not match %s", got, ex.Pattern)
					}
					return
				}
				if diff := cmp.Diff(ex.Want, shown(got)); diff != "" {
					t.Errorf("result (-want +got):\n%s", diff)
				}
			})
		}
	}
}
