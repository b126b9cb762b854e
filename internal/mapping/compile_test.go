package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// target is the object type that the tests write to.
var target = &schema.Object{Kind: identity.User, Attributes: []schema.Attribute{
	{Name: "userName", Required: true},
	{Name: "active", Type: schema.Boolean},
	{Name: "level", Type: schema.Integer},
	{Name: "since", Type: schema.DateTime},
	{Name: "photo", Type: schema.Binary},
	{Name: "tags", MultiValued: true},
	{Name: "levels", Type: schema.Integer, MultiValued: true},
	{Name: "manager", Type: schema.Reference},
}}

func compile(t *testing.T, attrs ...Attribute) *Set {
	t.Helper()
	set, err := Compile(attrs, target)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestCompileTellsWhatIsWrongWithEachMapping(t *testing.T) {
	set, err := Compile([]Attribute{
		{Target: "userName", Expression: "[mail"},
		{Target: "active", Expression: "Not([IsSoftDeleted])"},
		{Target: "title", Expression: "NoSuchFunction([x])"},
		{Target: "nickName", Expression: `SelectUniqueValue([a], [b])`},
		{Target: "manager", Reference: "Trim("},
	}, target)
	if err == nil {
		t.Fatal("no error")
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("the error joins nothing: %v", err)
	}
	want := []string{"userName", "title", "nickName", "manager"}
	var got []string
	for _, e := range joined.Unwrap() {
		name, rest, _ := strings.Cut(e.Error(), ": ")
		got = append(got, name)
		if rest == "" {
			t.Errorf("%s: no reason is given", name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mappings with an error (-want +got):\n%s", diff)
	}
	if set == nil || len(set.Mappings) != 5 || !set.CanDisable() {
		t.Errorf("what is right was not compiled: %+v", set)
	}
}

func TestSelectUniqueValueIsForWhatIsWrittenOnce(t *testing.T) { // engine.R58, expressions section 7
	const want = "userName: SelectUniqueValue is for a value that is written once, on create, and by which no account is looked for: " +
		"set apply: create, without match"
	const text = "SelectUniqueValue([a], [b])"
	tests := []struct {
		name string
		attr Attribute
		ok   bool
	}{
		{"on create", Attribute{Expression: text, Apply: OnCreate}, true},
		{"always", Attribute{Expression: text}, false},
		{"on a joining attribute", Attribute{Expression: text, Apply: OnCreate, Match: 1}, false},
		{"as a reference", Attribute{Reference: text, Apply: OnCreate}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.attr.Target = "userName"
			_, err := Compile([]Attribute{tt.attr}, target)
			if tt.ok && err != nil || !tt.ok && (err == nil || err.Error() != want) {
				t.Errorf("error %v, want one: %t", err, !tt.ok)
			}
		})
	}
}

func TestSources(t *testing.T) {
	tests := []struct {
		name  string
		attrs []Attribute
		want  []string
	}{
		{"in order of first use, each once", []Attribute{{Target: "a", Expression: `Append([x], [b])`}, {Target: "b", Expression: "[x]"}, {Target: "c", Expression: "[c]"}}, []string{"x", "b", "c"}},
		{"references too", []Attribute{{Target: "manager", Reference: "[boss]"}}, []string{"boss"}},
		{"constants and kind None use none", []Attribute{{Target: "a", Expression: `"x"`}, {Target: "b", Default: "y"}}, nil},
		{
			"the computed attributes are not asked of the source",
			[]Attribute{{Target: "a", Expression: "[objectId]"}, {Target: "b", Expression: "Not([isSoftDeleted])"}, {Target: "c", Expression: "SingleAppRoleAssignment([appRoleAssignments])"}},
			nil,
		},
		{"accountEnabled may be delivered and is asked for", []Attribute{{Target: "active", Expression: "[accountEnabled]"}}, []string{"accountEnabled"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, compile(t, tt.attrs...).Sources()); diff != "" {
				t.Errorf("Sources (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMatchingIsInTheOrderOfPriority(t *testing.T) { // engine.R47
	set := compile(t,
		Attribute{Target: "c", Expression: "[c]", Match: 3},
		Attribute{Target: "none", Expression: "[n]"},
		Attribute{Target: "a", Expression: "[a]", Match: 1},
		Attribute{Target: "b1", Expression: "[b1]", Match: 2},
		Attribute{Target: "b2", Expression: "[b2]", Match: 2})
	var got []string
	for _, m := range set.Matching() {
		got = append(got, m.Target)
	}
	if diff := cmp.Diff([]string{"a", "b1", "b2", "c"}, got); diff != "" {
		t.Errorf("Matching (-want +got):\n%s", diff)
	}
	if got := compile(t, Attribute{Target: "a", Expression: "[a]"}).Matching(); len(got) != 0 {
		t.Errorf("joining mappings where there are none: %v", got)
	}
}

func TestCompiledMappingsKnowWhatTheyAre(t *testing.T) {
	tests := []struct {
		name                                string
		attr                                Attribute
		reference, shows, redacted, usesDep bool
	}{
		{"a plain one", Attribute{Target: "a", Expression: "[Department]"}, false, false, false, true},
		{"IsSoftDeleted in any case is where a disable shows, engine.R79", Attribute{Target: "active", Expression: "Not([ISSOFTDELETED])"}, false, true, false, false},
		{"Redact anywhere hides the value, engine.R71", Attribute{Target: "a", Expression: `Append("x", Redact([department]))`}, false, false, true, true},
		{"a reference", Attribute{Target: "manager", Reference: "[manager]"}, true, false, false, false},
		{"kind None", Attribute{Target: "a", Default: "x"}, false, false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, tt.attr)
			m := &set.Mappings[0]
			got := []bool{m.IsReference(), m.NamesSoftDeleted, m.Redacted, m.Uses("department")}
			if diff := cmp.Diff([]bool{tt.reference, tt.shows, tt.redacted, tt.usesDep}, got); diff != "" {
				t.Errorf("reference, shows a disable, redacted, uses department (-want +got):\n%s", diff)
			}
			if set.CanDisable() != tt.shows { // engine.R80
				t.Errorf("CanDisable() = %t, want %t", set.CanDisable(), tt.shows)
			}
		})
	}
}

func TestUsesGivesTheDefinitions(t *testing.T) {
	attrs := []Attribute{
		{Target: "active", Expression: "[a]"},
		{Target: "shoeSize", Expression: "[b]"},
		{Target: "manager", Reference: "[c]"},
		{Target: "members", Reference: "[d]"},
		{Target: "owner", Reference: "[e]"},
	}
	want := []schema.Attribute{
		{Name: "active", Type: schema.Boolean, Known: true},
		{Name: "shoeSize"},
		{Name: "manager", Type: schema.Reference, Known: true},
		{Name: "members", Type: schema.Reference, MultiValued: true}, // RFC 7643 section 4.2
		{Name: "owner", Type: schema.Reference},
	}
	if diff := cmp.Diff(want, compile(t, attrs...).Uses()); diff != "" {
		t.Errorf("Uses (-want +got):\n%s", diff)
	}

	set, err := Compile(attrs[:1], nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]schema.Attribute{{Name: "active"}}, set.Uses()); diff != "" {
		t.Errorf("without a schema (-want +got):\n%s", diff)
	}
}
