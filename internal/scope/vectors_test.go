package scope

import (
	"encoding/json"
	"errors"
	"os"
	"testing"
)

// object is a source object for tests.
type object map[string]any

func (o object) Attr(name string) (any, bool) { v, ok := o[name]; return v, ok }

func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/scoping.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []struct {
		ID         string          `json:"id"`
		Filter     Filter          `json:"filter"`
		Graph      json.RawMessage `json:"graph"`
		Attributes object          `json:"attributes"`
		Want       any             `json:"want"`
	}
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 57 {
		t.Fatalf("%d vectors, want 57", len(vectors))
	}
	for _, v := range vectors {
		t.Run(v.ID, func(t *testing.T) {
			f := v.Filter
			if v.Graph != nil {
				var err error
				if f, err = ParseGraph(v.Graph); err != nil {
					t.Fatal(err)
				}
			}
			p, err := Compile(f)
			if want, ok := v.Want.(map[string]any); ok {
				var e *Error
				if !errors.As(err, &e) || string(e.Kind) != want["error"] {
					t.Fatalf("error %v, want kind %v", err, want["error"])
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			in, err := p.In(v.Attributes)
			if err != nil {
				t.Fatal(err)
			}
			d, err := p.Evaluate(v.Attributes)
			if err != nil {
				t.Fatal(err)
			}
			if in != v.Want || d.In != v.Want {
				t.Errorf("In gives %v, Evaluate %v (%s), want %v", in, d.In, d.Reason(), v.Want)
			}
		})
	}
}
