package replay

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// seen is one difference that has occurred: a field of an answer that the sandbox and the other server give differently.
type seen struct {
	step    string // section and name, such as "Filters: eq"
	call    string // method and kind of thing, such as "PATCH /Users/"
	strict  bool   // of the sandbox
	field   string
	sandbox string // absent if there is no such field
	other   string
}

// absent stands for a field that an answer does not have, anything for any value of one that it has.
const (
	absent   = "–"
	anything = "(any)"
)

func (d seen) String() string {
	mode := "not strict"
	if d.strict {
		mode = "strict"
	}
	return fmt.Sprintf("%s, %s (%s): the sandbox has %s, scimmy has %s", d.step, d.field, mode, d.sandbox, d.other)
}

// listed finds the beginning of a field that is about one resource of a list.
var listed = regexp.MustCompile(`^Resources\[\d+\]\.`)

// compare returns the differences between two answers.
func compare(step, call string, strict bool, sandbox, other facts) []seen {
	// Where one refuses and the other does not, that is the difference; what the bodies hold follows from it.
	onlyOutcome := sandbox["status"][:1] != other["status"][:1]
	var out []seen
	for k := range union(sandbox, other) {
		if onlyOutcome && k != "status" && !strings.HasPrefix(k, "then ") {
			continue
		}
		// Of a resource that only one of them lists, the id is enough.
		if r := listed.FindString(k); r != "" && k != r+"id" && (sandbox[r+"id"] == "") != (other[r+"id"] == "") {
			continue
		}
		a, b := cmp.Or(sandbox[k], absent), cmp.Or(other[k], absent)
		if a != b {
			out = append(out, seen{step, call, strict, k, a, b})
		}
	}
	slices.SortFunc(out, func(a, b seen) int { return cmp.Compare(a.field, b.field) })
	return out
}

// mode says in which of its two modes the sandbox shows a difference.
type mode string

const (
	always     mode = ""
	whenStrict mode = "strict"
	whenLax    mode = "not strict"
)

func (m mode) includes(strict bool) bool {
	return m == always || (m == whenStrict) == strict
}

// pattern is a difference that is expected.
type pattern struct {
	where string // a step with its section, "Filters: eq"; a beginning of calls, "PATCH /Groups"; empty for all
	when  mode
	field string // a field, or between slashes a regular expression for several
	// The two values: as they are, absent, or anything.
	sandbox, other string
}

func (p pattern) matches(d seen) bool {
	value := func(want, got string) bool { return want == got || want == anything && got != absent }
	here := p.where == d.step || !strings.Contains(p.where, ": ") && strings.HasPrefix(d.call, p.where)
	field := p.field == d.field
	if expr, ok := strings.CutPrefix(p.field, "/"); ok {
		field = regexp.MustCompile("^(?:" + strings.TrimSuffix(expr, "/") + ")$").MatchString(d.field)
	}
	return here && field && p.when.includes(d.strict) && value(p.sandbox, d.sandbox) && value(p.other, d.other)
}

func (p pattern) String() string {
	return fmt.Sprintf("%s, %s (%s): the sandbox has %s, scimmy has %s",
		cmp.Or(p.where, "every request"), p.field, cmp.Or(p.when, "strict and not"), p.sandbox, p.other)
}

// judge holds the differences that have occurred against the table: it returns those that are not in it, those that are
// in it twice, and the entries of the table that have not occurred in a mode in which they should.
func judge(table []explanation, all []seen) []string {
	return append(unexplained(table, all), inVain(table, all)...)
}

// unexplained returns the differences that the table does not have, or has more than once.
func unexplained(table []explanation, all []seen) []string {
	var problems []string
	for _, d := range all {
		var found []pattern
		for _, e := range table {
			for _, p := range e.patterns {
				if p.matches(d) {
					found = append(found, p)
				}
			}
		}
		switch {
		case len(found) == 0:
			problems = append(problems, "not explained: "+d.String())
		case len(found) > 1:
			problems = append(problems, fmt.Sprintf("explained more than once: %s, by %q", d, found))
		}
	}
	return problems
}

// inVain returns the entries of the table that have not occurred in a mode in which they should.
func inVain(table []explanation, all []seen) []string {
	var problems []string
	for _, e := range table {
		for _, p := range e.patterns {
			in := func(strict bool) bool {
				return slices.ContainsFunc(all, func(d seen) bool { return d.strict == strict && p.matches(d) })
			}
			if p.when.includes(true) && !in(true) || p.when.includes(false) && !in(false) {
				problems = append(problems, "explained, but does not occur any more: "+p.String())
			}
		}
	}
	return problems
}
