package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func compiled(t *testing.T, text string) *Program {
	t.Helper()
	p, err := Compile(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCanonicalText(t *testing.T) {
	for in, want := range map[string]string{
		"switch\n([ a ],\"d\" ,\"k\",1)":                  `Switch([a], "d", "k", 1)`,
		`replace([a],,"\+(x)",,"\"",,)`:                   `Replace([a], , "\\+(x)", , "\"", , )`,
		`iif([a]<>&hff,TRUE,ignoreattributeflow)`:         `IIF([a] <> &HFF, True, IgnoreAttributeFlow)`,
		`Join("",+1,-2.50)`:                               `Join("", 1, -2.5)`,
		`INSTR([a],"b",1,VBTEXTCOMPARE)`:                  `InStr([a], "b", 1, vbTextCompare)`,
		`[emails[type eq "work"].value]`:                  `[emails[type eq "work"].value]`,
		"\t\"a\nb\"":                                      "\"a\nb\"",
		`isnullorempty( now( ) )`:                         `IsNullOrEmpty(Now())`,
		`FormatDateTime([a], "M/d/yyyy", "yyyy")`:         `FormatDateTime([a], "M/d/yyyy", "yyyy")`,
		`Join("", 123456789012345678901234567890)`:        `Join("", 123456789012345680000000000000)`,
		`Append([a], "C:\\Users\\")`:                      `Append([a], "C:\\Users\\")`,
		`SelectUniqueValue([a],[b])`:                      `SelectUniqueValue([a], [b])`,
		`CBool([a]>=[b])`:                                 `CBool([a] >= [b])`,
		`Coalesce([urn:x:1.0:User:b.c],[B],[b])`:          `Coalesce([urn:x:1.0:User:b.c], [B], [b])`,
		`AppRoleAssignmentsComplex([appRoleAssignments])`: `AppRoleAssignmentsComplex([appRoleAssignments])`,
	} {
		if got := compiled(t, in).String(); got != want {
			t.Errorf("%s prints as %s, want %s", in, got, want)
		}
	}
}

func TestAttributesInOrderOfFirstUse(t *testing.T) {
	p := compiled(t, `Switch([state], Join(",", [b], [a]), "x", [state], [key], IIF([a] = [c], 1, 2))`)
	if diff := cmp.Diff([]string{"state", "b", "a", "key", "c"}, p.Attributes()); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func TestCalls(t *testing.T) {
	p := compiled(t, `tolower(Join(",", redact([b])))`)
	for name, want := range map[string]bool{"ToLower": true, "REDACT": true, "Join": true, "ToUpper": false, "b": false} {
		if p.Calls(name) != want {
			t.Errorf("Calls(%s) is %v", name, !want)
		}
	}
}

func TestConstant(t *testing.T) {
	type result struct {
		Value any
		OK    bool
	}
	for expression, want := range map[string]result{
		`"en_US"`:                                       {"en_US", true},
		`ToLower(Join("-", "A", 1))`:                    {"a-1", true},
		`IIF("a" = "b", [x], "y")`:                      {nil, false}, // decided by the text alone, for simplicity
		`IIF("a" = "b", "x", "y")`:                      {"y", true},
		`Switch("a", , "b", "c")`:                       {nil, true},
		`Split("a,b", ",")`:                             {[]any{"a", "b"}, true},
		`IgnoreObjectFlow`:                              {IgnoreObject, true},
		`CDate("2025-07-30")`:                           {time.Date(2025, 7, 30, 0, 0, 0, 0, time.UTC), true},
		`[a]`:                                           {nil, false},
		`Now()`:                                         {nil, false},
		`Join("", Guid())`:                              {nil, false},
		`DefaultDomain()`:                               {nil, false},
		`SelectUniqueValue("a", "b")`:                   {nil, false},
		`CDate("never")`:                                {nil, false},
		`FormatDateTime("12", , "MM", "yyyy")`:          {nil, false}, // depends on the current year
		`FormatDateTime("2025", "yyyy", "MM")`:          {"01", true},
		`Coalesce(Switch("a", , "b", "c"), 5)`:          {int64(5), true},
		`SingleAppRoleAssignment([appRoleAssignments])`: {nil, false},
	} {
		v, ok := compiled(t, expression).Constant()
		if diff := cmp.Diff(want, result{v, ok}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", expression, diff)
		}
	}
}

func TestConstantListsAreNotShared(t *testing.T) {
	p := compiled(t, `Split("a,b", ",")`)
	first, err := p.Eval(nil)
	if err != nil {
		t.Fatal(err)
	}
	first.([]any)[0] = "changed"
	second, err := p.Eval(nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"a", "b"}, second); diff != "" {
		t.Errorf("second result (-want +got):\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	for expression, want := range map[string][]string{
		`ToLower([a])`: nil,
		`IIF([x] = "v", "ok", Replace([x], , "(", , "", , ))`: nil, // the pattern is no constant call
		`IIF([x] = "v", "ok", CDate("never"))`:                {"this fails whenever it is evaluated"},
		`Join(",", [a], DateAdd("x", 1, "2025-07-30"))`:       {"this fails whenever it is evaluated"},
		`IIF(IsNullOrEmpty([a]), 1, 2)`:                       {"IIF(IsNullOrEmpty(…), …) works here"},
		`Switch(ispresent([a]), 1, "True", 2)`:                {"Switch(IsPresent(…), …) works here"},
		`FormatDateTime("12", , "MM", "yyyy")`:                nil, // only here it has no clock
		`IsNull([a])`:                                         nil,
	} {
		got := compiled(t, expression).Warnings()
		if len(got) != len(want) {
			t.Errorf("%s: %d warnings, want %d: %v", expression, len(got), len(want), got)
			continue
		}
		for i, w := range got {
			if !strings.HasPrefix(w.Message, want[i]) || w.Line != 1 || w.Column != w.Pos+1 {
				t.Errorf("%s: warning %+v, want %q", expression, w, want[i])
			}
		}
	}
}

func TestExplain(t *testing.T) {
	p := compiled(t, `IIF([n] > 5, Join("-", [a], ToUpper("b")), [never])`)
	var got []string
	for depth, s := range p.Explain(testEnv(object{"n": 7, "a": "x"})).All() {
		line := fmt.Sprintf("%d %s", depth, s.Text)
		if s.Evaluated {
			line += fmt.Sprintf(" = %v %s", s.Value, TypeName(s.Value))
		}
		got = append(got, line)
	}
	want := []string{
		`0 IIF([n] > 5, Join("-", [a], ToUpper("b")), [never]) = x-B String`,
		`1 [n] > 5 = true Boolean`,
		`2 [n] = 7 Number`,
		`2 5 = 5 Number`,
		`1 Join("-", [a], ToUpper("b")) = x-B String`,
		`2 "-" = - String`,
		`2 [a] = x String`,
		`2 ToUpper("b") = B String`,
		`3 "b" = b String`,
		`1 [never]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
}

func TestExplainShowsWhereAnErrorComesFrom(t *testing.T) {
	step := compiled(t, `Join("-", [a], Mid([a], 0, 1))`).Explain(testEnv(object{"a": "x"}))
	if step.Err == nil || step.Err.Kind != KindRange || step.Value != nil {
		t.Errorf("root %+v, want an error of kind range", step)
	}
	if inner := step.Steps[2]; inner.Err != step.Err || inner.Steps[1].Err != nil {
		t.Errorf("inner %+v, want the same error, and none in its arguments", inner)
	}
	for range step.All() {
		break // an early stop must not panic
	}
}

func TestFormatAndTypeName(t *testing.T) {
	for _, tc := range []struct {
		in         any
		text, name string
	}{
		{nil, "", "Null"},
		{"x", "x", "String"},
		{true, "True", "Boolean"},
		{int64(-7), "-7", "Number"},
		{1.5, "1.5", "Number"},
		{1e21, "1000000000000000000000", "Number"},
		{time.Date(2020, 3, 16, 7, 0, 0, 0, time.UTC), "3/16/2020 7:00:00 AM", "DateTime"},
		{time.Date(987, 3, 16, 12, 0, 0, 0, time.UTC), "3/16/0987 12:00:00 PM", "DateTime"},
		{[]any{"a", int64(1)}, "a; 1", "List"},
		{[]string{"a", "b"}, "a; b", "List"},
		{[]any{}, "", "Null"},
		{map[string]any{"a": 1}, `{"a":1}`, "Complex"},
		{IgnoreAttribute, "IgnoreAttributeFlow", "Signal"},
		{make(chan int), "<chan int>", "unknown"},
	} {
		if text, name := Format(tc.in), TypeName(tc.in); text != tc.text || name != tc.name {
			t.Errorf("%v: %q of kind %s, want %q of kind %s", tc.in, text, name, tc.text, tc.name)
		}
	}
}

// expr section 11
func TestStoredForm(t *testing.T) {
	data, err := json.Marshal(compiled(t, `Mid([userPrincipalName], 1, 8)`).Source())
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"type":"Function","name":"Mid","expression":"Mid([userPrincipalName], 1, 8)","parameters":[` +
		`{"key":"source","value":{"type":"Attribute","name":"userPrincipalName","expression":"[userPrincipalName]","parameters":[]}},` +
		`{"key":"start","value":{"type":"Constant","name":"1","expression":"\"1\"","parameters":[]}},` +
		`{"key":"length","value":{"type":"Constant","name":"8","expression":"\"8\"","parameters":[]}}]}`
	if diff := cmp.Diff(want, string(data)); diff != "" {
		t.Errorf("stored form (-want +got):\n%s", diff)
	}
}

// A tree without its texts gives an equivalent program, for every vector that compiles.
func TestStoredTreeIsEquivalent(t *testing.T) {
	var strip func(s Source) Source
	strip = func(s Source) Source {
		s.Expression = ""
		s.Parameters = append([]SourceParameter(nil), s.Parameters...)
		for i := range s.Parameters {
			s.Parameters[i].Value = strip(s.Parameters[i].Value)
		}
		return s
	}
	count := 0
	for _, text := range vectorExpressions(t) {
		p, err := Compile(text)
		if err != nil || strings.Contains(text, "=1") || strings.Contains(text, "IgnoreObjectFlow") || strings.Contains(text, "IgnoreAttributeFlow") {
			continue // in a bare tree a number and a keyword cannot be told from their text
		}
		again, err := CompileSource(strip(p.Source()))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if p.Calls("RandomString") || p.Calls("Guid") {
			continue
		}
		want, errWant := p.Eval(quietEnv())
		got, errGot := again.Eval(quietEnv())
		if !cmp.Equal(want, got) || (errWant == nil) != (errGot == nil) {
			t.Errorf("%s gives %v (%v), read from the tree %v (%v)", text, want, errWant, got, errGot)
		}
		count++
	}
	if count < 200 {
		t.Errorf("only %d expressions compared", count)
	}
}

func TestCompileSource(t *testing.T) {
	attribute := func(name string) Source { return Source{Type: "Attribute", Name: name} }
	constant := func(name string) Source { return Source{Type: "Constant", Name: name} }
	for _, tc := range []struct {
		name string
		in   Source
		want string
		kind ErrorKind
	}{
		{"the text wins over the tree", Source{Expression: "[a]", Type: "Attribute", Name: "b"}, "[a]", ""},
		{"the tree stands in for a bad text", Source{Expression: "[a", Type: "Attribute", Name: "b"}, "[b]", ""},
		{"a bad text alone", Source{Expression: "[a"}, "", KindParse},
		{"nothing", Source{}, "", KindParse},
		{"type Attribute is the default", Source{Name: "b"}, "[b]", ""},
		{"a constant is quoted", constant(`say "x"`), `"say \"x\""`, ""},
		{"older names of parameters", Source{Type: "Function", Name: "Replace", Parameters: []SourceParameter{
			{"Replacement", constant("y")}, {"source", attribute("a")}, {"Find", constant("x")},
		}}, `Replace([a], "x", , , "y")`, ""},
		{"keys of repeated parameters may be numbered", Source{Type: "function", Name: "switch", Parameters: []SourceParameter{
			{"source", attribute("a")}, {"key1", constant("k")}, {"value1", constant("v")}, {"key", constant("l")}, {"value", constant("w")},
		}}, `Switch([a], , "k", "v", "l", "w")`, ""},
		{"an unknown parameter", Source{Type: "Function", Name: "ToLower", Parameters: []SourceParameter{{"text", attribute("a")}}}, "", KindArgument},
		{"an unknown function", Source{Type: "Function", Name: "Nope"}, "", KindUnknownFunction},
		{"an unknown type", Source{Type: "Thing", Name: "x"}, "", KindParse},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p, err := CompileSource(tc.in)
			var e *Error
			if errors.As(err, &e) {
				if e.Kind != tc.kind {
					t.Errorf("error %v, want kind %q", err, tc.kind)
				}
				return
			}
			if err != nil || p.String() != tc.want || tc.kind != "" {
				t.Errorf("got %v, error %v; want %s, kind %q", p, err, tc.want, tc.kind)
			}
		})
	}
}

func TestSignatures(t *testing.T) {
	for name, want := range map[string]string{
		"mid": "Mid(source, start, length)", "tolower": "ToLower(source, [culture])", "Join": "Join(separator, source, …)", "Now": "Now()",
	} {
		f, ok := Lookup(name)
		if !ok || f.Signature() != want {
			t.Errorf("Lookup(%s) gives %q, %v; want %q", name, f.Signature(), ok, want)
		}
	}
	if _, ok := Lookup("Nope"); ok {
		t.Error("Lookup finds Nope")
	}
}

// No call of a program puts more on the heap than its result and the texts on the way.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("allocations cannot be counted with the race detector")
	}
	env := &Env{Attributes: &fixed{"Ada", "Lovelace", "DE", "Manager", "+1 (555) 123-4567", "2025-07-30"}}
	for expression, most := range map[string]float64{
		`[surname]`: 0,
		`ToLower(Join(".", [givenName], [surname]))`:                                                    3,
		`Switch([country], "none", "US", "USA", "DE", Switch([jobTitle], "DEU", "Manager", "DEU-MGR"))`: 0,
		`Coalesce([nothing], [givenName])`:                                                              0,
		`Replace([telephoneNumber], , "[()\s-]+", , "", , )`:                                            2,
		`FormatDateTime([employeeHireDate], , "yyyy-MM-dd", "M/d/yyyy")`:                                2,
		`IIF([country] = "DE", IsPresent([surname]), True)`:                                             0,
	} {
		p := compiled(t, expression)
		got := testing.AllocsPerRun(100, func() {
			if _, err := p.Eval(env); err != nil {
				t.Fatal(err)
			}
		})
		if got > most {
			t.Errorf("%s: %v allocations, at most %v wanted", expression, got, most)
		}
	}
}
