package replay

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestSandboxAnswersLikeAnIndependentServer sends the script to the sandbox, strict and not, and to scimmy. Every
// difference is explained in the table, and every explanation is needed.
func TestSandboxAnswersLikeAnIndependentServer(t *testing.T) {
	other := startScimmy(t)
	sandboxes := map[bool]*server{true: startSandbox(t, true), false: startSandbox(t, false)}
	var all []seen
	alike := 0
	for _, sec := range script() {
		for _, st := range sec.steps {
			want := gatherAfresh(t, other, st)
			for strict, s := range sandboxes {
				found := compare(sec.title+": "+st.name, st.call(), strict, gatherAfresh(t, s, st), want)
				if len(found) == 0 {
					alike++
				}
				all = append(all, found...)
			}
		}
	}
	for _, problem := range judge(differences(), all) {
		t.Error(problem)
	}
	// If nothing were compared, nothing would differ.
	if alike < 20 {
		t.Errorf("only %d answers are the same in every field: the comparison does not work", alike)
	}
}

func gatherAfresh(t *testing.T, s *server, st step) facts {
	t.Helper()
	if err := s.prepare(st); err != nil {
		t.Fatal(err)
	}
	return s.gather(st)
}

func TestStepsHaveDifferentNames(t *testing.T) {
	names := map[string]bool{}
	for _, sec := range script() {
		for _, st := range sec.steps {
			name := sec.title + ": " + st.name
			if names[name] {
				t.Errorf("two steps are named %q", name)
			}
			names[name] = true
		}
	}
	for _, e := range differences() {
		for _, p := range e.patterns {
			if strings.Contains(p.where, ": ") && !names[p.where] {
				t.Errorf("the table names the step %q, which is not in the script", p.where)
			}
		}
	}
}

func TestComparisonFindsWhatDiffers(t *testing.T) {
	user := func(status int, body string) facts {
		f := facts{}
		a := answer{status: status, body: body}
		f.answer(step{}, a)
		f.body("", a)
		return f
	}
	tests := []struct {
		name           string
		sandbox, other facts
		want           []string
	}{
		{"the same answer", user(200, `{"a":1,"schemas":["x","y"]}`), user(200, `{"schemas":["y","x"],"a":1}`), nil},
		{"another value", user(200, `{"a":[{"b":"x"}]}`), user(200, `{"a":[{"b":"y"}]}`), []string{"a[1].b x y"}},
		{"a number and its text", user(200, `{"a":1}`), user(200, `{"a":"1"}`), []string{`a 1 "1"`}},
		{"a Boolean and its text", user(200, `{"a":true}`), user(200, `{"a":"true"}`), []string{`a true "true"`}},
		{"a missing attribute", user(200, `{"a":1,"b":[]}`), user(200, `{"a":1}`), []string{"b [] –"}},
		{"times are not compared", user(200, `{"meta":{"created":"1"}}`), user(200, `{"meta":{"created":"2"}}`), nil},
		{"another order of resources", user(200, `{"Resources":[{"id":"a"},{"id":"b"}]}`), user(200, `{"Resources":[{"id":"b"},{"id":"a"}]}`),
			[]string{"Resources[1].id a b", "Resources[2].id b a"}},
		{"a resource less", user(200, `{"Resources":[{"id":"a","x":1}]}`), user(200, `{"Resources":[]}`),
			[]string{"Resources – []", "Resources[1].id a –"}},
		{"another scimType", user(400, `{"status":"400","scimType":"invalidPath"}`), user(400, `{"status":"400","scimType":"noTarget"}`),
			[]string{"status 400 invalidPath 400 noTarget"}},
		{"another detail", user(400, `{"status":"400","detail":"a"}`), user(400, `{"status":"400","detail":"b"}`), nil},
		{"a status as number", user(400, `{"status":"400"}`), user(400, `{"status":400}`), []string{"error {} –", "error.status – 400"}},
		{"of a refusal on one side, the status alone", user(400, `{"status":"400"}`), user(201, `{"id":"a"}`), []string{"status 400 201"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, d := range compare("s: n", "GET /", true, tt.sandbox, tt.other) {
				got = append(got, d.field+" "+d.sandbox+" "+d.other)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("differences (-want +got):\n%s", diff)
			}
		})
	}
}

func TestJudgeReportsWhatIsNotInTheTableAndWhatIsInVain(t *testing.T) {
	d := func(strict bool, field, sandbox, other string) seen {
		return seen{"Filters: eq", "GET /Users", strict, field, sandbox, other}
	}
	p := pattern{"Filters: eq", always, "a", "1", "2"}
	tests := []struct {
		name     string
		patterns []pattern
		seen     []seen
		want     []string
	}{
		{"explained", []pattern{p}, []seen{d(true, "a", "1", "2"), d(false, "a", "1", "2")}, nil},
		{"explained by an expression", []pattern{{"GET /Users", always, `/a|b/`, anything, absent}},
			[]seen{d(true, "a", "1", absent), d(false, "b", "1", absent)}, nil},
		{"not in the table", nil, []seen{d(true, "a", "1", "2")},
			[]string{"not explained: Filters: eq, a (strict): the sandbox has 1, scimmy has 2"}},
		{"with another value", []pattern{p}, []seen{d(true, "a", "1", "2"), d(false, "a", "1", "2"), d(true, "a", "1", "3")},
			[]string{"not explained: Filters: eq, a (strict): the sandbox has 1, scimmy has 3"}},
		{"an expression matches the whole field", []pattern{{"", whenStrict, `/a/`, anything, absent}}, []seen{d(true, "a", "1", absent), d(true, "ab", "1", absent)},
			[]string{"not explained: Filters: eq, ab (strict): the sandbox has 1, scimmy has –"}},
		{"in the table in vain", []pattern{p}, nil,
			[]string{"explained, but does not occur any more: Filters: eq, a (strict and not): the sandbox has 1, scimmy has 2"}},
		{"in one mode only", []pattern{p}, []seen{d(true, "a", "1", "2")},
			[]string{"explained, but does not occur any more: Filters: eq, a (strict and not): the sandbox has 1, scimmy has 2"}},
		{"in the other mode", []pattern{{"Filters: eq", whenLax, "a", "1", "2"}}, []seen{d(true, "a", "1", "2")}, []string{
			"not explained: Filters: eq, a (strict): the sandbox has 1, scimmy has 2",
			"explained, but does not occur any more: Filters: eq, a (not strict): the sandbox has 1, scimmy has 2"}},
		{"twice in the table", []pattern{p, {"", always, "a", anything, anything}}, []seen{d(true, "a", "1", "2"), d(false, "a", "1", "2")}, []string{
			`explained more than once: Filters: eq, a (strict): the sandbox has 1, scimmy has 2, by ["Filters: eq, a (strict and not): the sandbox has 1, scimmy has 2" "every request, a (strict and not): the sandbox has (any), scimmy has (any)"]`,
			`explained more than once: Filters: eq, a (not strict): the sandbox has 1, scimmy has 2, by ["Filters: eq, a (strict and not): the sandbox has 1, scimmy has 2" "every request, a (strict and not): the sandbox has (any), scimmy has (any)"]`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := judge([]explanation{{patterns: tt.patterns}}, tt.seen)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}
