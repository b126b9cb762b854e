package scim

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type vector struct {
	ID       string          `json:"id"`
	Kind     string          `json:"kind"`
	Input    json.RawMessage `json:"input"`
	Resource map[string]any  `json:"resource"`
	Want     json.RawMessage `json:"want"`
	Source   string          `json:"source"`
}

// TestVectors runs testdata/scim_paths.json: RFC samples and derived cases, in the form of vectors/README.md.
func TestVectors(t *testing.T) {
	data, err := os.ReadFile("testdata/scim_paths.json")
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors) != 79 {
		t.Fatalf("%d vectors, want 79", len(vectors))
	}
	run := map[string]func(*testing.T, vector){"path": runPath, "filter": runFilter, "patch": runPatch, "build": runBuild}
	for _, v := range vectors {
		t.Run(v.ID+" "+v.Source, func(t *testing.T) { run[v.Kind](t, v) })
	}
}

// wantError gives the scimType a vector expects, empty if it expects a value.
func (v vector) wantError() ErrorType {
	var want struct{ Error ErrorType }
	if json.Unmarshal(v.Want, &want) != nil {
		return ""
	}
	return want.Error
}

// refused checks err against the vector and reports whether an error was due.
func (v vector) refused(t *testing.T, err error) bool {
	t.Helper()
	want := v.wantError()
	var got *Error
	switch {
	case err == nil && want == "":
		return false
	case err == nil:
		t.Fatalf("no error, want %s", want)
	case !errors.As(err, &got):
		t.Fatalf("error %v is no *Error", err)
	case got.ScimType != want:
		t.Fatalf("error %v, want %q", err, want)
	}
	return true
}

func decode[T any](t *testing.T, data []byte) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

func runPath(t *testing.T, v vector) {
	path, err := ParsePath(decode[string](t, v.Input))
	if v.refused(t, err) {
		return
	}
	type parsed struct{ Schema, Attribute, Filter, SubAttribute *string }
	want := decode[struct {
		Parsed parsed
		Values []any
	}](t, v.Want)
	text := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	got := parsed{Schema: text(path.Schema), Attribute: text(path.Attribute), SubAttribute: text(path.SubAttribute)}
	if path.Filter != nil {
		got.Filter = text(path.Filter.String())
	}
	if want.Parsed.Filter != nil {
		// The tree prints operators in lower case.
		*want.Parsed.Filter = strings.Replace(*want.Parsed.Filter, " EQ ", " eq ", 1)
	}
	if diff := cmp.Diff(want.Parsed, got); diff != "" {
		t.Errorf("parsed (-want +got):\n%s", diff)
	}
	if v.Resource == nil {
		return
	}
	if diff := cmp.Diff(want.Values, path.Values(v.Resource)); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func runFilter(t *testing.T, v vector) {
	f, err := ParseFilter(decode[string](t, v.Input))
	got := false
	if err == nil {
		got, err = f.Match(v.Resource, nil)
	}
	if v.refused(t, err) {
		return
	}
	if want := decode[bool](t, v.Want); got != want {
		t.Errorf("%s is %v, want %v", f, got, want)
	}
}

func runPatch(t *testing.T, v vector) {
	op, err := ParsePatchOp(v.Input)
	if err != nil {
		t.Fatal(err)
	}
	before := Clone(v.Resource)
	got, err := Apply(v.Resource, op.Operations, nil)
	if diff := cmp.Diff(before, any(v.Resource)); diff != "" {
		t.Errorf("Apply changed its argument:\n%s", diff)
	}
	if v.refused(t, err) {
		return
	}
	if diff := cmp.Diff(decode[map[string]any](t, v.Want), got); diff != "" {
		t.Errorf("after the operations (-want +got):\n%s", diff)
	}
}

func runBuild(t *testing.T, v vector) {
	var values []PathValue
	for _, pair := range decode[[][2]any](t, v.Input) {
		path, err := ParsePath(pair[0].(string))
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, PathValue{path, pair[1]})
	}
	got, err := Build(UserURN, values)
	if v.refused(t, err) {
		return
	}
	if diff := cmp.Diff(decode[map[string]any](t, v.Want), got); diff != "" {
		t.Errorf("built (-want +got):\n%s", diff)
	}
}
