package replay

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite docs/sandbox-vs-scimmy.md")

// TestDocumentIsUpToDate holds docs/sandbox-vs-scimmy.md against the table it is made from. It needs no server.
func TestDocumentIsUpToDate(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "sandbox-vs-scimmy.md")
	want := document()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("make generate, and read what has changed (-from the table +in the document):\n%s", diff)
	}
}

const introduction = `# The sandbox and scimmy

The sandbox %[1]sscim%[1]s and Rollcall's own client share code, so they would agree on a misreading of the RFCs. Therefore
the tests send %[2]d requests, by plain HTTP, to the sandbox (strict and not strict) and to a SCIM server that shares no code
with it: the npm package scimmy, in %[1]stest/testbeds/scimmy%[1]s. Status, scimType, headers and every attribute of the
answers are compared, and for a change also what can be read afterwards. What Rollcall itself sends in the lives of two
users and a group is sent to both as well; all of it must succeed at both.

These are all differences, with their reasons. A difference that is not here fails the tests, and so does one that is
here and has ceased to occur. "The sandbox is right" means that scimmy departs from the RFC; "both are right" that the RFC
leaves the matter open; "on purpose" that the sandbox departs from the RFC, mostly when it is not strict, because
well-known clients do.

Each request is sent to a server that holds the users alice, with most attributes, and bob, with a user name alone, and
the group crew with alice as its member. A name in braces stands for an id or a URN. This document is made by
%[1]smake generate%[1]s from the tables in %[1]stest/replay%[1]s; change it there.
`

// document is the table as a document.
func document() string {
	steps := map[string]step{}
	n := 0
	for _, sec := range script() {
		for _, st := range sec.steps {
			steps[sec.title+": "+st.name] = st
			n++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, introduction, "`", n)
	for _, part := range parts() {
		fmt.Fprintf(&b, "\n## %s\n", part.title)
		for _, e := range part.explanations {
			fmt.Fprintf(&b, "\n### %s\n\n%s %s\n\n| Request | Differs in | Sandbox | scimmy |\n|---|---|---|---|\n", e.title, e.verdict, e.why)
			writeRows(&b, e.patterns, steps)
		}
	}
	return b.String()
}

// writeRows writes a row for each pattern, those of one request together.
func writeRows(b *strings.Builder, patterns []pattern, steps map[string]step) {
	var requests []string
	rows := map[string][]pattern{}
	for _, p := range patterns {
		request := requestOf(p, steps)
		if rows[request] == nil {
			requests = append(requests, request)
		}
		rows[request] = append(rows[request], p)
	}
	for _, request := range requests {
		shown := request
		for _, p := range rows[request] {
			sandbox := cell(p.field, p.sandbox)
			if p.when != always {
				sandbox += " (" + string(p.when) + ")"
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", shown, readable(p.field), sandbox, cell(p.field, p.other))
			shown = ""
		}
	}
}

// requestOf describes the requests that a pattern is about.
func requestOf(p pattern, steps map[string]step) string {
	st, ok := steps[p.where]
	switch {
	case ok:
	case p.where == "":
		return "every request"
	default:
		return "every `" + strings.TrimRight(p.where, " /") + "`"
	}
	text := "`" + st.String() + "`"
	for _, name := range []string{"Content-Type", "If-Match", "Authorization"} {
		switch value, named := st.header[name]; {
		case named && value == "":
			text += " without `" + name + "`"
		case named:
			text += " with `" + name + ": " + value + "`"
		}
	}
	body := st.body
	if operations, ok := strings.CutPrefix(body, `{"schemas":["{PatchOp}"],"Operations":[`); ok && operations != "]}" {
		body = strings.TrimSuffix(operations, "]}")
	}
	if body != "" {
		text += " `" + body + "`"
	}
	return text
}

// cell is a value as the document shows it.
func cell(field, value string) string {
	switch {
	case value == absent:
		return "none"
	case value == anything, value == somehow:
		return "some value"
	case field == "body":
		return value
	}
	return "`" + value + "`"
}

var (
	optional    = regexp.MustCompile(`\((?:[^()]*)\)\?`)
	place       = strings.NewReplacer(`\[\d+\]`, ``, `\[[^\]]*\]`, ``, `\.`, `.`, `\$`, `$`)
	alternative = regexp.MustCompile(`\(([^|()]*)\|([^|()]*)\)`)
)

// readable is a field as the document shows it.
func readable(field string) string {
	if expr, ok := strings.CutPrefix(field, "/"); ok {
		field = optional.ReplaceAllString(strings.TrimSuffix(expr, "/"), "")
		field = alternative.ReplaceAllString(place.Replace(field), "$1/$2")
	}
	name, later := strings.CutPrefix(field, "then ")
	text := "`" + name + "`"
	if name == "status" || name == "body" {
		text = name
	}
	if later {
		text += ", read afterwards"
	}
	return text
}
