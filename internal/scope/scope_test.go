package scope

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func one(attribute, operator string, values ...string) Filter {
	return Filter{Groups: []Group{{Clauses: []Clause{{attribute, operator, values}}}}}
}

func compiled(t *testing.T, f Filter) *Program {
	t.Helper()
	p, err := Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestClauses(t *testing.T) { // engine.R43, R45
	when := time.Date(2025, 7, 30, 9, 5, 0, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		filter Filter
		value  any
		want   bool
	}{
		{"an integer equals its decimal text", one("a", "EQUALS", "7"), int64(7), true},
		{"an integer does not equal another spelling", one("a", "EQUALS", "07"), int64(7), false},
		{"an integer that came as a float", one("a", "EQUALS", "7"), 7.0, true},
		{"a fraction equals its text", one("a", "EQUALS", "7.5"), 7.5, true},
		{"NOT EQUALS with an integer", one("a", "NOT EQUALS", "7"), int64(8), true},
		{"text of a Boolean", one("a", "EQUALS", "True"), true, true},
		{"text of a date", one("a", "Includes", "7/30/2025"), when, true},
		{"several values, any (Q-06)", one("a", "EQUALS", "x", "y"), "y", true},
		{"several values, none (Q-06)", one("a", "NOT EQUALS", "x", "y"), "y", false},
		{"several values, none fits", one("a", "!&", "ab", "cd"), "e", true},
		{"several patterns", one("a", "NOT REGEX MATCH", "x", "[0-9]+"), "12", false},
		{"a list of one is its element (Q-08)", one("a", "EQUALS", "x"), []any{"x"}, true},
		{"every element of a list must satisfy (Q-08)", one("a", "EQUALS", "x"), []any{"x", "y"}, false},
		{"every element satisfies", one("a", "Includes", "x"), []string{"xa", "bx"}, true},
		{"an empty list is empty", one("a", "IS NULL"), []any{}, true},
		{"a list of one empty text is empty", one("a", "IS NULL"), []string{""}, true},
		{"an empty element fails the negative operators", one("a", "NOT EQUALS", "x"), []any{"y", nil}, false},
		{"a blank is a value (Q-12)", one("a", "IS NOT NULL"), " ", true},
		{"false is a value", one("a", "IS NOT NULL"), false, true},
		{"zero is a value", one("a", "IS NULL"), int64(0), false},
		{"text true in any case (Q-05)", one("a", "IS TRUE"), "TRUE", true},
		{"text false", one("a", "IS FALSE"), "false", true},
		{"a number is not true", one("a", "IS TRUE"), int64(1), false},
		{"text that is a number is not greater (Q-04)", one("a", "Greater_Than", "1"), "15", false},
		{"a fraction is no integer", one("a", "Greater_Than", "1"), 15.5, false},
		{"greater or equal of several", one("a", "Greater_Than_OR_EQUALS", "20", "10"), int64(10), true},
		{"ENDS_WITH is case-sensitive (Q-09)", one("a", "ENDS_WITH", ".COM"), "x.com", false},
		{"& is a substring of the value (Q-02)", one("a", "&", "US,CA,MX"), "A,M", true},
		{"an integer within a text", one("a", "&", "1,2,3"), int64(2), true},
		{"& is false for Null", one("a", "&", "US"), nil, false},
		{"!& is false for empty", one("a", "!&", "US"), "", false},
		{"a pattern with alternatives is whole", one("a", "REGEX MATCH", "a|ab"), "ab", true},
		{"a complex value has no text", one("a", "NOT EQUALS", "x"), map[string]any{"v": "y"}, false},
		{"a complex value is not null", one("a", "IS NOT NULL"), map[string]any{"v": "y"}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compiled(t, tc.filter)
			in, err := p.In(object{"a": tc.value})
			if err != nil || in != tc.want {
				t.Errorf("In gives %v, error %v; want %v", in, err, tc.want)
			}
			d, err := p.Evaluate(object{"a": tc.value})
			want := Decision{In: tc.want, Groups: []GroupResult{{In: tc.want, Clauses: []ClauseResult{
				{Clause: p.Filter().Groups[0].Clauses[0], Value: tc.value, Holds: tc.want},
			}}}}
			if diff := cmp.Diff(want, d); diff != "" || err != nil {
				t.Errorf("error %v, decision (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestOperatorSpelling(t *testing.T) {
	for in, want := range map[string]string{
		"equals": "EQUALS", "not_equals": "NOT EQUALS", "Is_Null": "IS NULL", "is  not null": "IS NOT NULL", "GREATER THAN": "Greater_Than",
		"greater_than or_equals": "Greater_Than_OR_EQUALS", "INCLUDES": "Includes", "ends with": "ENDS_WITH", "regex_match": "REGEX MATCH", " & ": "&", "!&": "!&",
	} {
		op, ok := LookupOperator(in)
		if !ok || op.Name != want {
			t.Errorf("%q is %q, %v; want %q", in, op.Name, ok, want)
		}
	}
	if _, ok := LookupOperator("NOTEQUALS"); ok {
		t.Error("NOTEQUALS is accepted")
	}
	p := compiled(t, one(" department ", "not_equals", "Sales"))
	if diff := cmp.Diff(one("department", "NOT EQUALS", "Sales"), p.Filter()); diff != "" {
		t.Errorf("canonical filter (-want +got):\n%s", diff)
	}
}

func TestAllRefusalsAtOnce(t *testing.T) {
	_, err := CompileWith(Filter{
		Groups: []Group{
			{Name: "a", Clauses: []Clause{
				{"x", "LIKE", []string{"y"}},
				{"", "EQUALS", nil},
				{"x", "REGEX MATCH", []string{"(["}},
				{"x", "Greater_Than", []string{"-1"}},
				{"x", "Greater_Than", []string{"99999999999999999999"}},
				{"x", "EQUALS", []string{""}},
				{"many", "IS NULL", nil},
				{"x", "IsMemberOf", []string{"g"}},
			}},
			{},
		},
		InputFilterGroups: []Group{{Clauses: []Clause{{"x", "Includes", nil}}}},
	}, Options{MultiValued: func(name string) bool { return name == "many" }})
	var all Errors
	if !errors.As(err, &all) {
		t.Fatalf("error %v, want Errors", err)
	}
	type place struct {
		Kind          ErrorKind
		Input         bool
		Group, Clause int
	}
	var got []place
	for _, e := range all {
		got = append(got, place{e.Kind, e.Input, e.Group, e.Clause})
	}
	want := []place{
		{KindOperator, false, 0, 0},
		{KindAttribute, false, 0, 1},
		{KindValue, false, 0, 1},
		{KindValue, false, 0, 2},
		{KindValue, false, 0, 3},
		{KindValue, false, 0, 4},
		{KindValue, false, 0, 5},
		{KindAttribute, false, 0, 6},
		{KindOperator, false, 0, 7},
		{KindEmpty, false, 1, -1},
		{KindValue, true, 0, 0},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("refusals (-want +got):\n%s", diff)
	}
	const line = `group 1, clause 3: the pattern "([" cannot be used: the pattern is not a regular expression: unterminated [] set`
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(want) || lines[3] != line {
		t.Errorf("the text of the error is\n%v\nwant as fourth line\n%s", err, line)
	}
}

func TestReasons(t *testing.T) {
	sales := Clause{"department", "EQUALS", []string{"Sales"}}
	for _, tc := range []struct {
		filter Filter
		attrs  object
		want   string
	}{
		{one("department", "EQUALS", "Sales"), object{"department": "Ops"}, `out of scope: department is "Ops", not EQUALS Sales`},
		{one("department", "EQUALS", "Sales", "HR"), object{}, `out of scope: department has no value, not EQUALS Sales or HR`},
		{one("department", "not equals", "Sales"), object{"department": "Sales"}, `out of scope: department is "Sales", but must be NOT EQUALS Sales`},
		{one("department", "NOT EQUALS", "Sales"), object{}, `out of scope: department has no value, but must be NOT EQUALS Sales`},
		{one("enabled", "IS TRUE"), object{"enabled": false}, `out of scope: enabled is False, but must be IS TRUE`},
		{one("level", "Greater_Than", "9"), object{"level": int64(3)}, `out of scope: level is 3, not Greater_Than 9`},
		{one("level", "EQUALS", "9"), object{"level": []any{"3", "9"}}, `out of scope: level is the list "3; 9", not EQUALS 9`},
		{Filter{Groups: []Group{{Name: "Sales", Clauses: []Clause{sales}}}}, object{"department": "Sales"}, `in scope: the filter "Sales" holds`},
		{
			Filter{Groups: []Group{{Clauses: []Clause{sales, {"enabled", "IS TRUE", nil}}}}},
			object{"department": "Sales", "enabled": true},
			`in scope: department EQUALS Sales and enabled IS TRUE`,
		},
		{
			Filter{Groups: []Group{{Clauses: []Clause{{"enabled", "IS TRUE", nil}, sales}}, {Clauses: []Clause{{"state", "EQUALS", []string{"Ohio"}}}}}},
			object{"department": "Ops", "enabled": true, "state": "Utah"},
			`out of scope: department is "Ops", not EQUALS Sales; state is "Utah", not EQUALS Ohio`,
		},
		{Filter{}, object{}, `in scope: there is no scoping filter`},
		{one("note", "EQUALS", "x"), object{"note": strings.Repeat("ä", 200)}, `out of scope: note is "` + strings.Repeat("ä", 79) + `…", not EQUALS x`},
	} {
		d, err := compiled(t, tc.filter).Evaluate(tc.attrs)
		if err != nil || d.Reason() != tc.want {
			t.Errorf("reason %q, error %v; want %q", d.Reason(), err, tc.want)
		}
	}
}

func TestPatternsAnywhere(t *testing.T) {
	p, err := CompileWith(one("level", "REGEX MATCH", "[1-9][0-9]"), Options{RegexAnywhere: true})
	if err != nil {
		t.Fatal(err)
	}
	if in, err := p.In(object{"level": "100"}); err != nil || !in {
		t.Errorf("In gives %v, error %v; the job matches anywhere (Q-03)", in, err)
	}
}

func TestInputFilterIsAQuestionOfItsOwn(t *testing.T) {
	f := one("department", "EQUALS", "Sales")
	f.InputFilterGroups = one("type", "EQUALS", "Employee").Groups
	f.CategoryFilterGroups = one("any", "whatever").Groups
	p := compiled(t, f)
	attrs := object{"department": "Sales", "type": "Guest"}
	if in, err := p.In(attrs); err != nil || !in {
		t.Errorf("In gives %v, error %v; want true", in, err)
	}
	if reads, err := p.Reads(attrs); err != nil || reads {
		t.Errorf("Reads gives %v, error %v; want false", reads, err)
	}
	if reads, err := compiled(t, Filter{}).Reads(attrs); err != nil || !reads {
		t.Errorf("without an input filter Reads gives %v, error %v; want true", reads, err)
	}
	if diff := cmp.Diff([]string{"department", "type"}, p.Attributes()); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(f, p.Filter()); diff != "" {
		t.Errorf("filter (-want +got):\n%s", diff)
	}
}

// A match that runs out of memory, or of time, fails the object, unless the decision stands without it.
func TestErrorsOfPatterns(t *testing.T) {
	slow := Clause{"text", "REGEX MATCH", []string{`(?=a)(ab|ba)*`}}
	pass := Clause{"ok", "IS TRUE", nil}
	fail := Clause{"ok", "IS FALSE", nil}
	attrs := object{"ok": true, "text": strings.Repeat("ab", 1_500_000) + "!"}
	for _, tc := range []struct {
		name   string
		groups []Group
		failed bool
		in     bool
	}{
		{"it decides", []Group{{Clauses: []Clause{pass, slow}}}, true, false},
		{"another clause failed before", []Group{{Clauses: []Clause{fail, slow}}}, false, false},
		{"another group held before", []Group{{Clauses: []Clause{pass}}, {Clauses: []Clause{slow}}}, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := compiled(t, Filter{Groups: tc.groups})
			in, err := p.In(attrs)
			if (err != nil) != tc.failed || in != tc.in {
				t.Errorf("In gives %v, error %v", in, err)
			}
			d, err := p.Evaluate(attrs)
			if (err != nil) != tc.failed || d.In != tc.in {
				t.Errorf("Evaluate gives %v, error %v", d.In, err)
			}
		})
	}
}

func TestWarnings(t *testing.T) { // engine.R44
	p := compiled(t, Filter{Groups: []Group{
		{Clauses: []Clause{{"department", "IS NULL", nil}, {"manager", "EQUALS", []string{"u1"}}}},
		{Clauses: []Clause{{"UserType", "EQUALS", []string{"Member"}}}},
	}})
	var places [][2]int
	for _, w := range p.Warnings() {
		places = append(places, [2]int{w.Group, w.Clause})
	}
	if diff := cmp.Diff([][2]int{{0, 1}, {1, 0}}, places); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

func TestGraphRoundTrip(t *testing.T) {
	const graph = `{"groups":[{"name":"Active sales","clauses":[` +
		`{"operatorName":"EQUALS","sourceOperandName":"department","targetOperand":{"values":["sales"]}},` +
		`{"operatorName":"IS TRUE","sourceOperandName":"accountEnabled","targetOperand":{"values":[]}}]},` +
		`{"name":null,"clauses":[]}],"inputFilterGroups":[],` +
		`"categoryFilterGroups":[{"name":"c","clauses":[{"operatorName":"X","sourceOperandName":"y","targetOperand":{"values":["z"]}}]}]}`
	f, err := ParseGraph([]byte(graph))
	if err != nil {
		t.Fatal(err)
	}
	data, err := MarshalGraph(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(graph, string(data)); diff != "" {
		t.Errorf("written back (-want +got):\n%s", diff)
	}
	for _, in := range []string{`null`, `{}`, `{"groups":null,"@odata.type":"#microsoft.graph.filter"}`} {
		f, err := ParseGraph([]byte(in))
		if diff := cmp.Diff(Filter{}, f); diff != "" || err != nil {
			t.Errorf("%s: error %v, filter (-want +got):\n%s", in, err, diff)
		}
	}
	if _, err := ParseGraph([]byte(`{"groups":{}}`)); err == nil {
		t.Error("groups that are no list are accepted")
	}
}

func TestOwnForm(t *testing.T) {
	const own = `{"groups":[{"name":"Active sales","clauses":[{"attribute":"department","operator":"EQUALS","values":["sales"]},` +
		`{"attribute":"accountEnabled","operator":"IS TRUE"}]}]}`
	var f Filter
	if err := json.Unmarshal([]byte(own), &f); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(own, string(data)); diff != "" {
		t.Errorf("written back (-want +got):\n%s", diff)
	}
}

// FuzzEvaluate: Evaluate decides as In does; a filter without the operators for missing values never lets an object without
// the attribute in; the canonical filter decides alike.
func FuzzEvaluate(f *testing.F) {
	for _, o := range Operators() {
		f.Add(o.Name, "x", "x", int64(3))
		f.Add(o.Name, "3", "", int64(3))
	}
	f.Fuzz(func(t *testing.T, operator, value, text string, n int64) {
		filter := one("a", operator, value)
		p, err := Compile(filter)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" {
				t.Fatalf("error %#v", err)
			}
			return
		}
		again := compiled(t, p.Filter())
		for _, v := range []any{nil, "", text, n, float64(n), true, []any{text, n}} {
			attrs := object{"a": v}
			in, err := p.In(attrs)
			d, err2 := p.Evaluate(attrs)
			in3, err3 := again.In(attrs)
			if in != d.In || in != in3 || (err == nil) != (err2 == nil) || (err == nil) != (err3 == nil) {
				t.Fatalf("%q %q on %v: In %v (%v), Evaluate %v (%v), canonical %v (%v)", operator, value, v, in, err, d.In, err2, in3, err3)
			}
			if err == nil && (v == nil || v == "") && in != (p.Filter().Groups[0].Clauses[0].Operator == "IS NULL") {
				t.Fatalf("%q %q on %v gives %v", operator, value, v, in)
			}
			if err == nil && d.Reason() == "" {
				t.Fatalf("%q %q on %v has no reason", operator, value, v)
			}
		}
	})
}

// FuzzFilter: whatever JSON is read as a filter comes back from both written forms as it was; compiling gives Errors with
// places that exist, or a filter whose canonical form compiles to itself.
func FuzzFilter(f *testing.F) {
	f.Add([]byte(`{"groups":[{"name":"Active","clauses":[{"attribute":"department","operator":"equals","values":["sales"]},{"attribute":"on","operator":"is true"}]}]}`))
	f.Add([]byte(`{"groups":[{"clauses":[{"sourceOperandName":"a","operatorName":"REGEX_MATCH","targetOperand":{"values":["(a|b)c"]}}]}],"inputFilterGroups":[{"name":null,"clauses":[]}]}`))
	f.Add([]byte(`{"groups":[{"clauses":[{"attribute":"n","operator":"greater than","values":["-1","x"]},{"attribute":" ","operator":"IsMemberOf"}]}],"categoryFilterGroups":[{}]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var own Filter
		if json.Unmarshal(data, &own) == nil {
			checkFilter(t, own)
		}
		if graph, err := ParseGraph(data); err == nil {
			checkFilter(t, graph)
		}
	})
}

func checkFilter(t *testing.T, filter Filter) {
	t.Helper()
	graph, err := MarshalGraph(filter)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseGraph(graph)
	if diff := cmp.Diff(filter, again, cmpopts.EquateEmpty()); err != nil || diff != "" {
		t.Fatalf("written for Graph and read again, error %v (-want +got):\n%s", err, diff)
	}
	own, err := json.Marshal(filter)
	if err != nil {
		t.Fatal(err)
	}
	again = Filter{}
	if err := json.Unmarshal(own, &again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(filter, again, cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("written and read again (-want +got):\n%s", diff)
	}
	p, err := Compile(filter)
	if err != nil {
		all, ok := err.(Errors) //nolint:errorlint // the type that Compile promises
		if !ok || len(all) == 0 {
			t.Fatalf("error %#v", err)
		}
		for _, e := range all {
			groups := filter.Groups
			if e.Input {
				groups = filter.InputFilterGroups
			}
			if e.Group >= len(groups) || e.Clause >= len(groups[e.Group].Clauses) || e.Message == "" {
				t.Fatalf("error %+v of a filter with %d groups", e, len(groups))
			}
		}
		return
	}
	canonical := p.Filter()
	if diff := cmp.Diff(canonical, compiled(t, canonical).Filter()); diff != "" {
		t.Fatalf("the canonical filter is another when compiled (-first +second):\n%s", diff)
	}
}

func TestInAllocatesNothing(t *testing.T) {
	p := compiled(t, Filter{Groups: []Group{
		{Clauses: []Clause{{"state", "EQUALS", []string{"Ohio"}}}},
		{Clauses: []Clause{{"department", "NOT EQUALS", []string{"HR"}}, {"mail", "ENDS_WITH", []string{".com"}}, {"level", "EQUALS", []string{"12345"}}}},
	}})
	var attrs Attributes = object{"state": "Utah", "department": "Sales", "mail": "a@contoso.com", "level": int64(12345)}
	got := testing.AllocsPerRun(100, func() {
		if in, err := p.In(attrs); err != nil || !in {
			t.Fatal(in, err)
		}
	})
	if got > 0 {
		t.Errorf("%v allocations", got)
	}
}

func BenchmarkIn(b *testing.B) {
	p, err := Compile(Filter{Groups: []Group{{Clauses: []Clause{
		{"state", "EQUALS", []string{"New York"}}, {"employeeId", "REGEX MATCH", []string{"(1[0-9][0-9][0-9][0-9][0-9][0-9])"}}, {"jobTitle", "IS NOT NULL", nil},
	}}}})
	if err != nil {
		b.Fatal(err)
	}
	var attrs Attributes = object{"state": "New York", "employeeId": "1234567", "jobTitle": "Engineer"}
	b.ReportAllocs()
	for b.Loop() {
		if in, err := p.In(attrs); err != nil || !in {
			b.Fatal(in, err)
		}
	}
}
