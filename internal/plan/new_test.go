package plan

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

func TestNew(t *testing.T) {
	withDefault := func(name, def string) mapping.Attribute {
		a := from(name)
		a.Default = def
		return a
	}
	tests := []struct {
		name  string
		attrs []mapping.Attribute
		in    []any
		want  identity.Attrs
	}{
		{
			"values stand in the order of the mappings",
			[]mapping.Attribute{from("displayName"), from("active"), from("tags")},
			[]any{"Ada", false, []any{"a", "b"}},
			identity.Attrs{{Name: "displayName", Value: "Ada"}, {Name: "active", Value: false}, {Name: "tags", Value: []any{"a", "b"}}},
		},
		{
			"null is left out, engine.R63",
			[]mapping.Attribute{from("displayName"), from("code")},
			[]any{nil, "7"},
			identity.Attrs{{Name: "code", Value: "7"}},
		},
		{
			"the default takes the place of null, engine.R61",
			[]mapping.Attribute{withDefault("displayName", "Employee")},
			[]any{nil},
			identity.Attrs{{Name: "displayName", Value: "Employee"}},
		},
		{
			"the default does not take the place of a value, engine.R61",
			[]mapping.Attribute{withDefault("displayName", "Employee")},
			[]any{"Ada"},
			identity.Attrs{{Name: "displayName", Value: "Ada"}},
		},
		{
			"empty text flows as it is, engine.R66",
			[]mapping.Attribute{withDefault("displayName", "Employee")},
			[]any{""},
			identity.Attrs{{Name: "displayName", Value: ""}},
		},
		{
			"false and zero are values",
			[]mapping.Attribute{withDefault("active", "true"), withDefault("level", "3")},
			[]any{false, int64(0)},
			identity.Attrs{{Name: "active", Value: false}, {Name: "level", Value: int64(0)}},
		},
		{
			"a default has the type of its attribute",
			[]mapping.Attribute{withDefault("active", "True"), withDefault("level", "3"), withDefault("code", "3")},
			[]any{nil, nil, nil},
			identity.Attrs{{Name: "active", Value: true}, {Name: "level", Value: int64(3)}, {Name: "code", Value: "3"}},
		},
		{
			"a default that is not of the type goes as it is written",
			[]mapping.Attribute{withDefault("level", "high")},
			[]any{nil},
			identity.Attrs{{Name: "level", Value: "high"}},
		},
		{
			"a mapping of kind None writes its default, engine.R61",
			[]mapping.Attribute{{Target: "displayName", Default: "Employee"}},
			[]any{nil},
			identity.Attrs{{Name: "displayName", Value: "Employee"}},
		},
		{
			"a mapping that flows only on create flows here, engine.R59",
			[]mapping.Attribute{{Target: "displayName", Expression: "[displayName]", Apply: mapping.OnCreate}},
			[]any{"Ada"},
			identity.Attrs{{Name: "displayName", Value: "Ada"}},
		},
		{
			"flowNull writes nothing on create, engine.R64",
			[]mapping.Attribute{{Target: "displayName", Expression: "[displayName]", FlowNull: true}},
			[]any{nil},
			nil,
		},
		{
			"a required attribute without a value takes the definition's default, engine.R62",
			[]mapping.Attribute{from("kind"), from("quota")},
			[]any{nil, nil},
			identity.Attrs{{Name: "kind", Value: "person"}, {Name: "quota", Value: int64(10)}},
		},
		{
			"empty text is no value for a required attribute, engine.R62",
			[]mapping.Attribute{from("kind")},
			[]any{""},
			identity.Attrs{{Name: "kind", Value: "person"}},
		},
		{
			"the mapping's default comes before the definition's, engine.R61",
			[]mapping.Attribute{withDefault("kind", "robot")},
			[]any{nil},
			identity.Attrs{{Name: "kind", Value: "robot"}},
		},
		{
			"the definition's default is for required attributes alone, engine.R62",
			[]mapping.Attribute{from("displayName")},
			[]any{""},
			identity.Attrs{{Name: "displayName", Value: ""}},
		},
		{
			"an ignored mapping is left out, default or not, expressions section 8",
			[]mapping.Attribute{withDefault("displayName", "Employee"), from("code")},
			[]any{ignored{}, "7"},
			identity.Attrs{{Name: "code", Value: "7"}},
		},
		{
			"a reference is no value, and not missed when it is required",
			[]mapping.Attribute{{Target: "manager", Reference: "[manager]"}, from("code")},
			[]any{nil, "7"},
			identity.Attrs{{Name: "code", Value: "7"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(compile(t, tt.attrs...), withIgnored(values(tt.in...)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("New (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNewNamesAllThatIsMissing(t *testing.T) { // engine.R62
	attrs := []mapping.Attribute{from("userName"), from("displayName"), from("unit"), from("kind")}
	tests := []struct {
		name string
		in   []mapping.Value
		want []string
	}{
		{"null", values(nil, nil, nil, nil), []string{"userName", "unit"}},
		{"empty text", values("", "Ada", "", ""), []string{"userName", "unit"}},
		{"an ignored mapping", withIgnored(values("ada", "Ada", ignored{}, "x")), []string{"unit"}},
		{"an ignored mapping has not the definition's default either", withIgnored(values("ada", "Ada", "u", ignored{})), []string{"kind"}},
		{"a mapping that was not evaluated", values("ada", "Ada"), []string{"unit", "kind"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := New(compile(t, attrs...), tt.in)
			var missing *Missing
			if !errors.As(err, &missing) || got != nil {
				t.Fatalf("New = %v, %v; want a *Missing", got, err)
			}
			if diff := cmp.Diff(tt.want, missing.Attributes); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingSaysHowToMendIt(t *testing.T) {
	err := &Missing{Attributes: []string{"userName", "unit"}}
	const want = "required in the target but without a value: userName, unit; give the person a value in the source, or the mapping a default"
	if err.Error() != want {
		t.Errorf("Error() = %q, want %q", err.Error(), want)
	}
}
