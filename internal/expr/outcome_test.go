package expr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOutcomes(t *testing.T) {
	tests := []struct {
		name, expression string
		want             []Outcome
	}{
		{"an attribute", `[mail]`, []Outcome{{1, 1, "", "mail", nil}}},
		{"a constant", `"x"`, []Outcome{{1, 1, "String", "", "x"}}},
		{"a number", `7`, []Outcome{{1, 1, "Number", "", int64(7)}}},
		{"a function has the type of its result", `ToLower([mail])`, []Outcome{{1, 1, "String", "", nil}}},
		{"what is taken from a list is anything", `Item([tags], 1)`, []Outcome{{1, 1, "", "", nil}}},
		{
			"both branches of IIF, and not its condition", "IIF([a]=\"1\",\n  True, Split([b], \",\"))",
			[]Outcome{{2, 3, "Boolean", "", true}, {2, 9, "List", "", nil}},
		},
		{
			"default and values of Switch, and not its keys", `Switch([a], "no", "1", [b], "2", Now())`,
			[]Outcome{{1, 13, "String", "", "no"}, {1, 24, "", "b", nil}, {1, 34, "DateTime", "", nil}},
		},
		{"a Switch without a default", `Switch([a], , "1", False)`, []Outcome{{1, 20, "Boolean", "", false}}},
		{
			"through functions that pass a value on", `Redact(IgnoreFlowIfNullOrEmpty(Coalesce([a], "b")))`,
			[]Outcome{{1, 41, "", "a", nil}, {1, 46, "String", "", "b"}},
		},
		{"flow signals are no values", `IIF([a]="1", IgnoreAttributeFlow, [b])`, []Outcome{{1, 35, "", "b", nil}}},
		{"a candidate is text", `SelectUniqueValue([a], 7)`, []Outcome{{1, 1, "String", "", nil}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Compile(tt.expression)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, p.Outcomes()); diff != "" {
				t.Errorf("Outcomes (-want +got):\n%s", diff)
			}
		})
	}
}
