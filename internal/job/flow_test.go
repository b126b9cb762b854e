package job

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// typedSource and typedTarget have an attribute of each type.
func typedSource() schema.Schema {
	s := slices.Clone(sourceSchema)
	s[0].Attributes = append(slices.Clone(s[0].Attributes),
		schema.Attribute{Name: "floor", Type: schema.Integer}, schema.Attribute{Name: "external", Type: schema.Boolean},
		schema.Attribute{Name: "hired", Type: schema.DateTime}, schema.Attribute{Name: "deputies", Type: schema.Reference, MultiValued: true})
	s[0].OwnPrefix = "extension_"
	return s
}

func typedTarget() schema.Schema {
	t := slices.Clone(targetSchema)
	t[0].Attributes = append(slices.Clone(t[0].Attributes),
		schema.Attribute{Name: "level", Type: schema.Integer}, schema.Attribute{Name: "since", Type: schema.DateTime},
		schema.Attribute{Name: "flag", Type: schema.Boolean}, schema.Attribute{Name: "nickName", Filterable: true}, schema.Attribute{Name: "password"})
	t[0].OwnPrefix = "extension_"
	return t
}

func TestValidateFlow(t *testing.T) {
	create := mapping.OnCreate
	tests := []struct {
		name string
		attr mapping.Attribute
		want []string // beginning with the key; place, severity and message
	}{
		{"a text that is no Boolean", mapping.Attribute{Target: "flag", Expression: `IIF([mail]="x", "yes", [mail])`},
			[]string{`expression 1:17: error: flag takes True or False: "yes" is no Boolean; the expression should give True or False`}},
		{"a number is no Boolean", mapping.Attribute{Target: "flag", Expression: `[floor]`},
			[]string{`expression 1:1: error: flag takes True or False, and floor is a Number`}},
		{"text that is no integer", mapping.Attribute{Target: "level", Expression: `IIF([mail]="x", "1", "low")`},
			[]string{`expression 1:22: error: level takes a whole number: "low" is no integer`}},
		{"a fraction is no integer", mapping.Attribute{Target: "level", Expression: `1.5`},
			[]string{`expression 1:1: error: level takes a whole number: 1.5 is no integer`}},
		{"a Boolean is no integer", mapping.Attribute{Target: "level", Expression: `IsPresent([mail])`},
			[]string{`expression 1:1: error: level takes a whole number, and this gives a Boolean`}},
		{"a Boolean attribute is no integer", mapping.Attribute{Target: "level", Expression: `[external]`},
			[]string{`expression 1:1: error: level takes a whole number, and external is a Boolean`}},
		{"an integer attribute is one", mapping.Attribute{Target: "level", Expression: `[floor]`}, nil},
		{"text may be an integer", mapping.Attribute{Target: "level", Expression: `Left([mail], 1)`}, nil},
		{"a Boolean is no date", mapping.Attribute{Target: "since", Expression: `Not([IsSoftDeleted])`},
			[]string{`expression 1:1: error: since takes a date, and this gives a Boolean`}},
		{"a date is a date", mapping.Attribute{Target: "since", Expression: `Coalesce([hired], Now())`}, nil},
		{"everything can be text", mapping.Attribute{Target: "title", Expression: `Switch([external], [floor], "True", Now())`}, nil},
		{"a list into one value (engine.R67)", mapping.Attribute{Target: "title", Expression: `Split([mail], "@")`},
			[]string{`expression 1:1: error: title can only accept one value, and this gives a list`}},
		{"a list within a choice (engine.R67)", mapping.Attribute{Target: "title", Expression: `IgnoreFlowIfNullOrEmpty([proxyAddresses])`},
			[]string{`expression 1:25: error: title can only accept one value, and proxyAddresses has several`}},
		{"a default of the wrong type (engine.R61)", mapping.Attribute{Target: "level", Expression: `[floor]`, Default: "ground"},
			[]string{`default: error: level takes a whole number: "ground" is no integer`}},
		{"a default of the right type", mapping.Attribute{Target: "level", Expression: `[floor]`, Default: "0"}, nil},
		{"several references into one (engine.R67)", mapping.Attribute{Target: "deputy", Reference: "[deputies]"},
			[]string{`reference 1:1: error: deputy can only refer to one object, and this gives several`}},
		{"a reference has no default", mapping.Attribute{Target: "deputy", Reference: "[manager]", Default: "x"},
			[]string{`default: error: a reference takes no default`}},
		{"a reference is not chosen", mapping.Attribute{Target: "deputy", Reference: "SelectUniqueValue([manager], [mail])"},
			[]string{`reference: error: SelectUniqueValue gives a text, and no reference`}},
		{"SelectUniqueValue on what can be searched for", mapping.Attribute{Target: "nickName", Expression: "SelectUniqueValue([mail], [jobTitle])", Apply: create}, nil},
		{"SelectUniqueValue on what cannot (expressions O-19)", mapping.Attribute{Target: "title", Expression: "SelectUniqueValue([mail], [jobTitle])", Apply: create},
			[]string{`expression: error: the target cannot search for title, by which SelectUniqueValue finds out what is taken`}},
		{"SelectUniqueValue is outermost", mapping.Attribute{Target: "nickName", Expression: "ToLower(SelectUniqueValue([mail], [jobTitle]))", Apply: create},
			[]string{`expression 1:9: error: SelectUniqueValue: it must be the outermost function`}},
		{"roles cannot join (engine.R58)", mapping.Attribute{Target: "nickName", Expression: "SingleAppRoleAssignment([appRoleAssignments])", Match: 2},
			[]string{`expression: error: SingleAppRoleAssignment gives a role, and a role cannot be a joining attribute`}},
		{"roles need a role function (engine.R73)", mapping.Attribute{Target: "roles", Expression: "[appRoleAssignments]"},
			[]string{`expression 1:1: error: roles cannot take app roles as they are`}},
		{"roles by a role function", mapping.Attribute{Target: "roles", Expression: "AssertiveAppRoleAssignmentsComplex([appRoleAssignments])"}, nil},
		{"a constant cannot join (engine.R49)", mapping.Attribute{Target: "nickName", Expression: `"everybody"`, Match: 2},
			[]string{`expression: error: the joining attribute nickName is "everybody" for everybody`}},
		{"random values over and over", mapping.Attribute{Target: "nickName", Expression: `Guid()`},
			[]string{`expression: warning: Guid gives another value each time, so nickName would be written over and over`}},
		{"random values once", mapping.Attribute{Target: "nickName", Expression: `Guid()`, Apply: create}, nil},
		{"a password is never synchronised (engine.R70)", mapping.Attribute{Target: "password", Expression: `Redact([mail])`},
			[]string{`: error: a password is never synchronised; it can be set once, when the account is created`}},
		{"a password is not logged (engine.R71)", mapping.Attribute{Target: "password", Expression: `RandomString(12, 2, 2, 2, 2, "")`, Apply: create},
			[]string{`: warning: the provisioning log would show the password`}},
		{"a first password", mapping.Attribute{Target: "password", Expression: `Redact(RandomString(12, 2, 2, 2, 2, ""))`, Apply: create}, nil},
		{"flowNull is for updates (engine.R64)", mapping.Attribute{Target: "title", Expression: `[jobTitle]`, Apply: create, FlowNull: true},
			[]string{`flowNull: warning: title flows with apply: create, which never clears it, so flowNull does nothing`}},
		{"a disable is an update (engine.R79)", mapping.Attribute{Target: "title", Expression: `IIF([IsSoftDeleted], "left", "here")`, Apply: create},
			[]string{`apply: warning: title is written on create only, so nobody would be disabled by it`}},
		{"what always fails (expressions section 9)", mapping.Attribute{Target: "title", Expression: `IIF([mail]="x", Mid("abc", 0, 1), "y")`},
			[]string{`expression 1:28: warning: this fails whenever it is evaluated: the start is below 1`}},
		{"what does not carry over (expressions O-07)", mapping.Attribute{Target: "title", Expression: `IIF(IsPresent([mail]), "x", "y")`},
			[]string{`expression 1:5: warning: IIF(IsPresent(…), …) works here but is documented as unsupported in Microsoft Entra; a Switch with the key "" is understood by both`}},
		{"an expression of more than 10,000 characters (engine section 22)", mapping.Attribute{Target: "title", Expression: `"` + strings.Repeat("x", 10_000) + `"`},
			[]string{`expression 1:1: error: the expression has 10002 characters, 10000 are allowed`}},
		{"own attributes of the organisation", mapping.Attribute{Target: "extension_badge", Expression: `[extension_badge]`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := goodJob()
			j.Settings = j.Settings.WithDefaults(j.Source, j.Target)
			target := typedTarget()
			target[0].Attributes = append(target[0].Attributes, schema.Attribute{Name: "deputy", Type: schema.Reference})
			j.Rules[0].Attributes = append(j.Rules[0].Attributes, tt.attr)
			const at = "rules[0].attributes[4]"
			var got []string
			for _, p := range Validate(j, typedSource(), target) {
				key := p.Path[len(at):]
				if len(key) > 0 {
					key = key[1:]
				}
				if p.Line > 0 {
					key += " " + place(p)
				}
				got = append(got, key+": "+string(p.Severity)+": "+p.Message)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func place(p Problem) string { return fmt.Sprintf("%d:%d", p.Line, p.Column) }

func TestFiltersThatFilterNothingWarn(t *testing.T) { // scoping Q-11
	j := goodJob()
	j.Rules[0].Filter.CategoryFilterGroups = []scope.Group{{Clauses: []scope.Clause{{Attribute: "mail", Operator: "IS NULL"}}}}
	want := []Problem{{Path: "rules[0].filter.categoryFilterGroups", Severity: Warning, Message: "categoryFilterGroups is kept for export and filters nothing"}}
	if diff := cmp.Diff(want, Validate(j, sourceSchema, targetSchema)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
