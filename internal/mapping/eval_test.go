package mapping

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
)

var (
	now = time.Date(2026, 7, 30, 9, 5, 0, 0, time.UTC)
	env = Context{Now: func() time.Time { return now }, DefaultDomain: "example.com"}
)

func user(attrs ...identity.Attr) *identity.Object {
	return &identity.Object{Kind: identity.User, Anchor: "s1", Attrs: attrs}
}

func TestEvalGivesAValueForEachMapping(t *testing.T) {
	set := compile(t,
		Attribute{Target: "userName", Expression: `Append([nick], "@x")`},
		Attribute{Target: "title", Expression: "[jobTitle]", Default: "Employee"},
		Attribute{Target: "note", Default: "kept"},
		Attribute{Target: "domain", Expression: "DefaultDomain()"},
		Attribute{Target: "id", Expression: "[objectId]"},
		Attribute{Target: "manager", Reference: "[manager]"})
	got, err := set.Eval(user(identity.Attr{Name: "nick", Value: "ada"}, identity.Attr{Name: "manager", Value: identity.Ref{Kind: identity.User, Anchor: "s2"}}), false, false, env)
	if err != nil {
		t.Fatal(err)
	}
	want := Result{Values: []Value{
		{Index: 0, Value: "ada@x"},
		{Index: 1}, // engine.R61: the default is for package plan
		{Index: 2},
		{Index: 3, Value: "example.com"},
		{Index: 4, Value: "s1"},
		{Index: 5, Refs: []identity.Ref{{Kind: identity.User, Anchor: "s2"}}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Eval (-want +got):\n%s", diff)
	}
}

func TestEvalOfSoftDeleted(t *testing.T) {
	set := compile(t,
		Attribute{Target: "userName", Expression: "[nick]"},
		Attribute{Target: "active", Expression: "Not([IsSoftDeleted])"},
		Attribute{Target: "state", Expression: `IIF([issoftdeleted], "left", "here")`})
	tests := []struct {
		name       string
		gone, only bool
		want       []Value
	}{
		{"a person who is here, engine.R77", false, false, []Value{{Index: 0, Value: "ada"}, {Index: 1, Value: true}, {Index: 2, Value: "here"}}},
		{"a person who is disabled, engine.R79", true, false, []Value{{Index: 0, Value: "ada"}, {Index: 1, Value: false}, {Index: 2, Value: "left"}}},
		{"a person whose row is gone, design 6.2", true, true, []Value{{Index: 1, Value: false}, {Index: 2, Value: "left"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := set.Eval(user(identity.Attr{Name: "nick", Value: "ada"}), tt.gone, tt.only, env)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Result{Values: tt.want}, got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvalTellsWhichMappingsFailedAndKeepsTheOthers(t *testing.T) {
	set := compile(t,
		Attribute{Target: "level", Expression: "[size]"},
		Attribute{Target: "userName", Expression: "[nick]"},
		Attribute{Target: "title", Expression: "[phones]"})
	got, err := set.Eval(user(
		identity.Attr{Name: "size", Value: "big"}, identity.Attr{Name: "nick", Value: "ada"}, identity.Attr{Name: "phones", Value: []any{"1", "2"}},
	), false, false, env)
	const want = "level: \"big\" is no integer\ntitle: several values for an attribute that takes one: 2 values; choose one with Item() or Join()"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
	if !errors.Is(err, ErrManyValues) { // engine.R67
		t.Error("the error is not ErrManyValues")
	}
	if diff := cmp.Diff(Result{Values: []Value{{Index: 1, Value: "ada"}}}, got); diff != "" {
		t.Errorf("Eval (-want +got):\n%s", diff)
	}
}

func TestSignals(t *testing.T) { // expressions section 8
	tests := []struct {
		name, expression string
		want             Result
	}{
		{"IgnoreAttributeFlow leaves the attribute alone", `IIF([nick]="ada", IgnoreAttributeFlow, [nick])`, Result{Values: []Value{{Index: 0, Ignored: true}, {Index: 1, Value: "ada"}}}},
		{"IgnoreObjectFlow skips the object", `IIF([nick]="ada", IgnoreObjectFlow, [nick])`, Result{Values: []Value{{Index: 0, Ignored: true}, {Index: 1, Value: "ada"}}, IgnoreObject: true}},
		{"IgnoreFlowIfNullOrEmpty leaves the attribute alone, engine.R66", `IgnoreFlowIfNullOrEmpty([none])`, Result{Values: []Value{{Index: 0, Ignored: true}, {Index: 1, Value: "ada"}}}},
		{"a value is no signal", `IgnoreFlowIfNullOrEmpty([nick])`, Result{Values: []Value{{Index: 0, Value: "ada"}, {Index: 1, Value: "ada"}}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, Attribute{Target: "title", Expression: tt.expression}, Attribute{Target: "userName", Expression: "[nick]"})
			got, err := set.Eval(user(identity.Attr{Name: "nick", Value: "ada"}), false, false, env)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValuesTakeTheTypeOfTheTarget(t *testing.T) {
	when := time.Date(2026, 7, 30, 12, 0, 0, 500, time.FixedZone("", 2*60*60))
	complexValue := map[string]any{"value": "x"}
	tests := []struct {
		name, target string
		in, want     any
		err          string
	}{
		{"null stays null in a Boolean", "active", nil, nil, ""},
		{"a Boolean stays one", "active", false, false, ""},
		{"the text True is a Boolean", "active", "True", true, ""},
		{"the text false is a Boolean", "active", "false", false, ""},
		{"empty text is no Boolean value", "active", "", nil, ""},
		{"another text is no Boolean", "active", "yes", nil, `active: "yes" is no Boolean; the expression should give True or False`},
		{"a number is no Boolean", "active", int64(1), nil, "active: a Number is no Boolean"},
		{"a list of one text is a Boolean", "active", []any{"True"}, true, ""},

		{"null stays null in an integer", "level", nil, nil, ""},
		{"an integer stays one", "level", int64(3), int64(3), ""},
		{"digits are an integer", "level", "-3", int64(-3), ""},
		{"blanks around digits do not matter", "level", " 3 ", int64(3), ""},
		{"blank text is no integer value", "level", " ", nil, ""},
		{"a whole fraction is an integer", "level", 3.0, int64(3), ""},
		{"a fraction is no integer", "level", 3.5, nil, "level: 3.5 is no integer"},
		{"the text of a fraction is no integer", "level", "3.5", nil, `level: "3.5" is no integer`},
		{"digits without end are no integer", "level", "99999999999999999999", nil, `level: "99999999999999999999" is no integer`},
		{"a Boolean is no integer", "level", true, nil, "level: a Boolean is no integer"},
		{"a complex value is no integer", "level", complexValue, nil, "level: a Complex is no integer"},

		{"a time is written as RFC 3339 in UTC", "since", when, "2026-07-30T10:00:00.0000005Z", ""},
		{"the text of a time stays", "since", "30.07.2026", "30.07.2026", ""},

		{"a Boolean is text of the language in text", "userName", true, "True", ""},
		{"a number is text in text", "userName", int64(3), "3", ""},
		{"a fraction is its shortest text in text", "userName", 1.50, "1.5", ""},
		{"a time is text of the language in text", "userName", when, "7/30/2026 10:00:00 AM", ""},
		{"text stays", "userName", "Ada", "Ada", ""},
		{"empty text stays, engine.R66", "userName", "", "", ""},
		{"null stays null in text", "userName", nil, nil, ""},
		{"an empty list is null", "userName", []any{}, nil, ""},
		{"one value of several is it", "userName", []any{"a"}, "a", ""},
		{"a complex value stays", "userName", complexValue, complexValue, ""},
		{
			"several values do not fit into one, engine.R67", "userName", []any{"a", "b", "c"}, nil,
			"userName: several values for an attribute that takes one: 3 values; choose one with Item() or Join()",
		},
		{"binary text stays", "photo", "aGk=", "aGk=", ""},

		{"several values stay several", "tags", []any{"a", "b"}, []any{"a", "b"}, ""},
		{"each of several values is text", "tags", []any{int64(1), true, when}, []any{"1", "True", "7/30/2026 10:00:00 AM"}, ""},
		{"complex values stay", "tags", []any{complexValue}, []any{complexValue}, ""},
		{"one value for several stays one", "tags", "a", "a", ""},
		{"each of several values is an integer", "levels", []any{"1", 2.0, int64(3)}, []any{int64(1), int64(2), int64(3)}, ""},
		{"values that are none are left out", "levels", []any{"1", " ", nil}, []any{int64(1)}, ""},
		{"no value is left", "levels", []any{" "}, nil, ""},
		{"one of several values is no integer", "levels", []any{"1", "x"}, nil, `levels: "x" is no integer`},

		{"what the schema does not know takes a Boolean", "unknown", true, true, ""},
		{"what the schema does not know takes a number", "unknown", 1.5, 1.5, ""},
		{"what the schema does not know takes a time as text", "unknown", when, "7/30/2026 10:00:00 AM", ""},
		{
			"what the schema does not know takes one value, engine.R69", "unknown", []any{"a", "b"}, nil,
			"unknown: several values for an attribute that takes one: 2 values; choose one with Item() or Join()",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := compile(t, Attribute{Target: tt.target, Expression: "[x]"}).Eval(user(identity.Attr{Name: "x", Value: tt.in}), false, false, env)
			if tt.err != "" {
				if err == nil || err.Error() != tt.err {
					t.Errorf("error %v, want %s", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Result{Values: []Value{{Value: tt.want}}}, got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEvalLeavesTheSourcesListAlone(t *testing.T) {
	list := []any{int64(2), int64(1)}
	if _, err := compile(t, Attribute{Target: "tags", Expression: "[x]"}, Attribute{Target: "manager", Reference: "[x]"}).
		Eval(user(identity.Attr{Name: "x", Value: list}), false, false, env); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{int64(2), int64(1)}, list); diff != "" {
		t.Errorf("the object changed (-want +got):\n%s", diff)
	}
}

func TestTyped(t *testing.T) {
	tests := []struct {
		name, target, in string
		want             any
	}{
		{"a Boolean", "active", "True", true},
		{"an integer", "level", "3", int64(3)},
		{"an integer among several", "levels", "3", int64(3)},
		{"text", "userName", "3", "3"},
		{"text of which nothing is known", "unknown", "true", "true"},
		{"what is not of the type stays", "active", "yes", "yes"},
		{"what would be no value stays", "level", " ", " "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := &compile(t, Attribute{Target: tt.target, Expression: "[x]"}).Mappings[0]
			if diff := cmp.Diff(tt.want, m.Typed(tt.in)); diff != "" {
				t.Errorf("Typed(%q) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
}

func TestText(t *testing.T) {
	tests := []struct {
		name string
		in   any
		want string
	}{
		{"null is empty", nil, ""},
		{"text", "Ada", "Ada"},
		{"a number", int64(7), "7"},
		{"a fraction", 7.25, "7.25"},
		{"a Boolean", true, "True"},
		{"a time", now, "7/30/2026 9:05:00 AM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Text(tt.in); got != tt.want {
				t.Errorf("Text(%v) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
