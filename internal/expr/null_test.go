package expr

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What every function makes of a missing attribute, of one that is null, and of an empty text. Missing and null are
// the same to the language; empty is different (sections 3 and 5).
func TestNullEmptyMissing(t *testing.T) {
	failed := func(k ErrorKind) any { return "error " + string(k) }
	table := []struct {
		expression  string
		null, empty any
	}{
		{`[x]`, nil, ""},
		{`Append([x], "s")`, nil, "s"},
		{`Append("s", [x])`, "s", "s"},
		{`AppRoleAssignmentsComplex([x])`, nil, nil},
		{`AssertiveAppRoleAssignmentsComplex([x])`, nil, nil},
		{`SingleAppRoleAssignment([x])`, nil, nil},
		{`BitAnd([x], 1)`, nil, failed(KindType)},
		{`CBool([x])`, false, false},
		{`CBool([x] = "")`, false, false},
		{`CDate([x])`, nil, nil},
		{`Coalesce([x], "d")`, "d", ""},
		{`ConvertToBase64([x])`, nil, ""},
		{`ConvertToUTF8Hex([x])`, nil, ""},
		{`Count([x])`, int64(0), int64(1)},
		{`CStr([x])`, nil, ""},
		{`DateAdd("d", 1, [x])`, nil, nil},
		{`DateAdd("d", [x], "2025-07-30")`, nil, failed(KindType)},
		{`DateDiff("d", [x], "2025-07-30")`, nil, nil},
		{`DateFromNum([x])`, nil, failed(KindType)},
		{`FormatDateTime([x], , "yyyy", "yyyy")`, nil, nil},
		{`IgnoreFlowIfNullOrEmpty([x])`, IgnoreAttribute, IgnoreAttribute},
		{`IIF([x] = "a", 1, 2)`, int64(2), int64(2)},
		{`IIF([x] <> "a", 1, 2)`, int64(2), int64(2)},
		{`IIF([x], 1, 2)`, int64(2), int64(2)},
		{`InStr([x], "a")`, int64(0), int64(0)},
		{`InStr("abc", [x], 2)`, nil, int64(2)},
		{`IsNull([x])`, true, false},
		{`IsNullOrEmpty([x])`, true, true},
		{`IsPresent([x])`, false, false},
		{`IsString([x])`, false, true},
		{`Item([x], 1)`, nil, ""},
		{`Item("a", [x])`, nil, failed(KindType)},
		{`Join("-", "a", [x], "b")`, "a-b", "a-b"},
		{`Join("-", [x])`, "", ""},
		{`Join([x], "a", "b")`, nil, "ab"},
		{`Left([x], 3)`, "", ""},
		{`Left("abc", [x])`, nil, failed(KindType)},
		{`Mid([x], 1, 3)`, "", ""},
		{`Mid("abc", [x], 3)`, nil, failed(KindType)},
		{`NormalizeDiacritics([x])`, nil, ""},
		{`Not([x])`, true, true},
		{`NumFromDate([x])`, nil, nil},
		{`PCase([x])`, nil, ""},
		{`PCase("ab cd", [x])`, "Ab Cd", "Ab cd"},
		{`RandomString([x], 0, 0, 0, 0)`, nil, failed(KindType)},
		{`Redact([x])`, nil, ""},
		{`RemoveDuplicates([x])`, nil, []any{""}},
		{`Replace([x], "a", , , "b", , )`, nil, ""},
		{`Replace("a", "a", , , [x], , )`, nil, ""},
		{`Replace("a", [x], , , "b", , )`, nil, failed(KindArgument)},
		{`Replace([x], "u", , , , , "u@x")`, nil, "@x"},
		{`Replace([x], , "(?<g>a)", "g", , "cat", )`, "a", "a"},
		{`SelectUniqueValue([x], "b")`, "b", "b"},
		{`SelectUniqueValue([x], [x])`, nil, nil},
		{`Split([x], ",")`, nil, nil},
		{`StripSpaces([x])`, nil, ""},
		{`Switch([x], "d", "", "e")`, "e", "e"},
		{`ToLower([x])`, nil, ""},
		{`ToLower("A", [x])`, "a", "a"},
		{`ToUpper([x])`, nil, ""},
		{`Word([x], 1, " ")`, "", ""},
	}
	for _, tc := range table {
		t.Run(tc.expression, func(t *testing.T) {
			p, err := Compile(tc.expression)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				name  string
				attrs object
				want  any
			}{
				{"missing", object{}, tc.null},
				{"null", object{"x": nil}, tc.null},
				{"empty list", object{"x": []any{}}, tc.null},
				{"empty text", object{"x": ""}, tc.empty},
			} {
				got, err := p.Eval(testEnv(c.attrs))
				if e := (*Error)(nil); errors.As(err, &e) {
					got = "error " + string(e.Kind)
				}
				if diff := cmp.Diff(c.want, shown(got)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", c.name, diff)
				}
			}
		})
	}
	for _, f := range Functions() {
		covered := len(f.Params) == 0
		for _, tc := range table {
			covered = covered || strings.HasPrefix(tc.expression, f.Name+"(")
		}
		if !covered {
			t.Errorf("%s is not in the table", f.Name)
		}
	}
}
