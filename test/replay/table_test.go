package replay

import (
	"regexp"
	"strings"
	"testing"
)

// verdict says which of the two servers the RFCs are with.
type verdict string

const (
	sandboxRight verdict = "The sandbox is right."  // scimmy departs from the RFC
	bothRight    verdict = "Both are right."        // the RFC leaves it open
	onPurpose    verdict = "On purpose."            // the sandbox departs from the RFC unless strict, since clients in the field do
	harness      verdict = "Neither: the test bed." // the store around scimmy, which is not part of the library, does it
)

// explanation is an entry of the table: differences that have one cause.
type explanation struct {
	title    string
	verdict  verdict
	why      string // with the section of RFC 7643, RFC 7644 or another standard
	patterns []pattern
}

// part is explanations on one subject.
type part struct {
	title        string
	explanations []explanation
}

// parts returns the table in the order in which the document has it.
func parts() []part {
	return []part{
		{"In many answers", everywhere()},
		{"Reading, filters and pages", inReading()},
		{"Creating", inWriting()},
		{"Changing", inPatching()},
		{"Groups", inGroups()},
		{"Messages, credentials and discovery", inMessages()},
		{"Deviations that well-known clients send", inDeviations()},
	}
}

// differences returns the whole table: every difference between the sandbox and scimmy.
func differences() []explanation {
	var all []explanation
	for _, p := range parts() {
		all = append(all, p.explanations...)
	}
	return all
}

// status expects steps of a section to differ in status.
func status(sandbox, other, section string, names ...string) []pattern {
	return field("status", sandbox, other, section, names...)
}

// field expects steps of a section to differ in one field.
func field(name, sandbox, other, section string, names ...string) []pattern {
	var out []pattern
	for _, n := range names {
		out = append(out, pattern{section + ": " + n, always, name, sandbox, other})
	}
	return out
}

// strict and lax limit patterns to one mode of the sandbox.
func strict(patterns ...[]pattern) []pattern { return inMode(whenStrict, patterns) }
func lax(patterns ...[]pattern) []pattern    { return inMode(whenLax, patterns) }

func inMode(m mode, patterns [][]pattern) []pattern {
	out := together(patterns...)
	for i := range out {
		out[i].when = m
	}
	return out
}

func together(patterns ...[]pattern) []pattern {
	var out []pattern
	for _, p := range patterns {
		out = append(out, p...)
	}
	return out
}

func TestEveryExplanationCitesAStandard(t *testing.T) {
	cites := regexp.MustCompile(`RFC \d{4}, sections? \d`)
	titles := map[string]bool{}
	for _, e := range differences() {
		if !cites.MatchString(e.why) {
			t.Errorf("%s: the explanation cites no standard: %s", e.title, e.why)
		}
		if e.title == "" || e.verdict == "" || len(e.patterns) == 0 || !strings.HasSuffix(e.why, ".") {
			t.Errorf("%q lacks a title, a verdict, a pattern or a full stop", e.title)
		}
		if titles[e.title] {
			t.Errorf("two explanations are named %q", e.title)
		}
		titles[e.title] = true
	}
}
