package repo

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

//go:generate go test -run ^TestConformancePage$ -update .

var update = flag.Bool("update", false, "write the pages of conformance anew")

// specification is one whose rules tests name: engine.R51, scim.R23. The rules are numbered from 1 without a gap.
type specification struct {
	name  string // before the dot
	rules string // file with the list of rules
	last  int    // number of the last rule
	page  string
	intro string
	short string // folder in whose tests a rule may go without the name of the specification; "" for none
}

var specifications = []specification{
	{name: "engine", rules: "testdata/engine-rules.txt", last: 169, page: "docs/conformance.md", short: "internal/engine",
		intro: `The rules are those of the engine's
specification: the documented behaviour of the reference service, with a decision where the documents are silent. A test
names a rule as ` + "`engine.R51`" + `, in its name, its comment or the case that is about it. The rules of the SCIM client are on
[another page](conformance-scim.md).`},
	{name: "scim", rules: "testdata/scim-rules.txt", last: 75, page: "docs/conformance-scim.md",
		intro: `The rules are those of the SCIM client's
specification: the requests that the reference service is documented to send, with a decision where the documents are
silent. A test names a rule as ` + "`scim.R23`" + `, in its name, its comment or the case that is about it. What each dialect sends is
shown in [scim-dialects.md](scim-dialects.md); the rules of the engine are on [another page](conformance.md).`},
}

// TestConformancePage holds the pages of conformance to the tests: every rule of a specification is on its page, with the
// tests that name the rule, or with the reason why none does.
func TestConformancePage(t *testing.T) {
	for _, spec := range specifications {
		t.Run(spec.name, func(t *testing.T) {
			sections := readRules(t, spec.rules)
			cited := spec.citations(t)
			if *update {
				spec.dropMarks(t, cited)
				sections = readRules(t, spec.rules)
			}
			for _, problem := range spec.problemsOf(sections, cited) {
				t.Error(problem)
			}
			page := spec.document(sections, cited)
			if *update {
				if err := os.WriteFile(filepath.Join(root, spec.page), []byte(page), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(page, readFile(t, spec.page)); diff != "" {
				t.Errorf("%s is not up to date; run `make generate` (- from the code, + as it is):\n%s", spec.page, diff)
			}
		})
	}
}

// dropMarks takes the mark "later" from rules that tests name by now.
func (spec specification) dropMarks(t *testing.T, cited map[int][]string) {
	t.Helper()
	text, err := os.ReadFile(spec.rules)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, line := range lines {
		head, _, marked := strings.Cut(line, " | later: ")
		if r, err := parseRule(head); marked && err == nil && len(cited[r.Number]) > 0 {
			lines[i] = head
		}
	}
	if err := os.WriteFile(spec.rules, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// section is a chapter of the specification.
type section struct {
	Title string
	Rules []rule
}

// rule is one line of the page.
type rule struct {
	Number      int
	Title       string
	Mark, Words string // why no test is wanted, or a remark
}

func readRules(t *testing.T, name string) []section {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var out []section
	for i, line := range strings.Split(string(text), "\n") {
		n := i + 1
		title, isSection := strings.CutPrefix(line, "## ")
		switch {
		case isSection:
			out = append(out, section{Title: title})
			continue
		case line == "", strings.HasPrefix(line, "# "):
			continue
		case len(out) == 0:
			t.Fatalf("%s:%d: a rule before the first section", name, n)
		}
		r, err := parseRule(line)
		if err != nil {
			t.Fatalf("%s:%d: %v", name, n, err)
		}
		out[len(out)-1].Rules = append(out[len(out)-1].Rules, r)
	}
	return out
}

func parseRule(line string) (rule, error) {
	parts := strings.SplitN(line, " | ", 3)
	if len(parts) < 2 {
		return rule{}, fmt.Errorf("%q is not `number | title`", line)
	}
	number, err := strconv.Atoi(parts[0])
	if err != nil {
		return rule{}, err
	}
	r := rule{Number: number, Title: parts[1]}
	if len(parts) == 3 {
		r.Mark, r.Words, _ = strings.Cut(parts[2], ": ")
		if !slices.Contains([]string{"later", "outranked", "plain", "note"}, r.Mark) || r.Words == "" {
			return rule{}, fmt.Errorf("%q is no mark", parts[2])
		}
	}
	return r, nil
}

// problemsOf compares the list of rules with the tests that name them.
func (spec specification) problemsOf(sections []section, cited map[int][]string) []string {
	var out []string
	report := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	next := 1
	for _, s := range sections {
		for _, r := range s.Rules {
			if r.Number != next {
				report("%s: R%d stands where R%d belongs", spec.rules, r.Number, next)
			}
			next = r.Number + 1
			switch tests := cited[r.Number]; {
			case len(tests) == 0 && (r.Mark == "" || r.Mark == "note"):
				report("R%d (%s): no test names it and nothing says why; cite it as %s.R%d in the test that holds it", r.Number, r.Title, spec.name, r.Number)
			case len(tests) > 0 && r.Mark == "later":
				report("R%d (%s) is marked as later and named by %s; `make generate` takes the mark away", r.Number, r.Title, tests[0])
			}
		}
	}
	if next != spec.last+1 {
		report("%s ends with R%d, the specification with R%d", spec.rules, next-1, spec.last)
	}
	for _, n := range slices.Sorted(maps.Keys(cited)) {
		if n < 1 || n > spec.last {
			report("%s names %s.R%d, which there is not", cited[n][0], spec.name, n)
		}
	}
	return out
}

// shownTests is how many tests a rule is shown with; the others are counted.
const shownTests = 6

func (spec specification) document(sections []section, cited map[int][]string) string {
	var b strings.Builder
	held, all := 0, 0
	for _, s := range sections {
		for _, r := range s.Rules {
			all++
			if len(cited[r.Number]) > 0 {
				held++
			}
		}
	}
	fmt.Fprintf(&b, `<!-- Made by `+"`make generate`"+` from test/repo/%s and the tests; do not edit. -->

# Conformance

What Rollcall holds to, rule by rule, and which tests hold it to that. %s %d of %d rules are named by tests.

A rule without a test says why: it is *outranked* by a decision of the design, it is *plain*, a definition or a remark
with nothing to test, or it belongs to a part that comes *later* and does not exist yet.
`, spec.rules, spec.intro, held, all)
	for _, s := range sections {
		fmt.Fprintf(&b, "\n## %s\n\n| Rule | What it asks | Held by |\n|---|---|---|\n", s.Title)
		for _, r := range s.Rules {
			fmt.Fprintf(&b, "| R%d | %s | %s |\n", r.Number, r.Title, holders(r, cited[r.Number]))
		}
	}
	return b.String()
}

func holders(r rule, tests []string) string {
	var parts []string
	switch r.Mark {
	case "":
	case "note":
		parts = append(parts, r.Words)
	default:
		parts = append(parts, "*"+r.Mark+"*: "+r.Words)
	}
	shown := make([]string, 0, shownTests)
	for _, name := range tests[:min(len(tests), shownTests)] {
		shown = append(shown, "`"+name+"`")
	}
	if more := len(tests) - len(shown); more > 0 {
		shown = append(shown, fmt.Sprintf("and %d more", more))
	}
	if len(shown) > 0 {
		parts = append(parts, strings.Join(shown, ", "))
	}
	return strings.Join(parts, "; ")
}

// suites are packages whose checks are tests without being called so.
var suites = []string{"internal/store/storetest", "internal/connector/conntest"}

// citations finds the rules that tests name: by number, the tests in order.
func (spec specification) citations(t *testing.T) map[int][]string {
	t.Helper()
	out := map[int][]string{}
	add := func(name string, numbers []int) {
		for _, n := range numbers {
			if !slices.Contains(out[n], name) {
				out[n] = append(out[n], name)
			}
		}
	}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if d.IsDir() {
			if base := path.Base(name); base != "." && base != ".." && strings.HasPrefix(base, ".") || base == "node_modules" || name == "test/repo" {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case strings.HasSuffix(name, "_test.go"), strings.HasSuffix(name, ".go") && slices.Contains(suites, path.Dir(name)):
			return spec.citedInGo(file, name, add)
		case strings.HasSuffix(name, ".txtar"):
			text, err := os.ReadFile(file)
			if err == nil {
				add("script "+strings.TrimSuffix(path.Base(name), ".txtar"), rulesIn(string(text), spec.name, false))
			}
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("no test names a rule; the search is broken")
	}
	for _, tests := range out {
		slices.SortFunc(tests, func(a, b string) int {
			return strings.Compare(placeOf(a)+a, placeOf(b)+b)
		})
	}
	return out
}

// placeOf puts tests of the engine before others.
func placeOf(test string) string {
	if strings.HasPrefix(test, "engine.") {
		return "0"
	}
	return "1"
}

// citedInGo finds what the test functions of a file name, their comments included. In the tests of the engine itself a
// rule may go without the name of its specification.
func (spec specification) citedInGo(file, name string, add func(string, []int)) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	folder := path.Base(path.Dir(name))
	short := path.Dir(name) == spec.short
	for _, decl := range tree.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		isTest := strings.HasPrefix(f.Name.Name, "Test") || strings.HasPrefix(f.Name.Name, "Fuzz") || strings.HasPrefix(f.Name.Name, "Example")
		if !isTest && !slices.Contains(suites, path.Dir(name)) {
			continue
		}
		from, to := f.Pos(), f.End()
		if f.Doc != nil {
			from = f.Doc.Pos()
		}
		part := string(text[set.Position(from).Offset:set.Position(to).Offset])
		add(folder+"."+f.Name.Name, rulesIn(part, spec.name, short))
	}
	return nil
}

var (
	citation  = regexp.MustCompile(`(?:\b([a-z]+)\.)?\bR([0-9]{1,3})\b`)
	continues = regexp.MustCompile(`^(?: [a-d])?(?:,| and| or|/)? ?(?:, [a-d],? )?$`)
	spans     = regexp.MustCompile(`^ ?[-–] ?$`)
)

// rulesIn returns the numbers of a specification's rules that a text names: engine.R51, and those that follow it in a list
// or at the end of a span, as in engine.R28, R29 and engine.R77-R87. short takes R51 alone for a rule of it.
func rulesIn(text, spec string, short bool) []int {
	var out []int
	last, end, of := 0, -1, ""
	for _, m := range citation.FindAllStringSubmatchIndex(text, -1) {
		number, _ := strconv.Atoi(text[m[4]:m[5]])
		between := ""
		if end >= 0 {
			between = text[end:m[0]]
		}
		follows := end >= 0 && (continues.MatchString(between) || spans.MatchString(between))
		switch {
		case m[2] >= 0:
			of = text[m[2]:m[3]]
		case follows:
		case short:
			of = spec
		default:
			of = ""
		}
		if of == spec {
			if m[2] < 0 && follows && spans.MatchString(between) {
				for n := last + 1; n < number; n++ {
					out = append(out, n)
				}
			}
			out = append(out, number)
		}
		last, end = number, m[1]
	}
	return out
}

func TestRulesAreFoundInText(t *testing.T) {
	for _, c := range []struct {
		text  string
		short bool
		want  []int
	}{
		{"// engine.R51", false, []int{51}},
		{"(engine.R28, R29 and R39)", false, []int{28, 29, 39}},
		{"(engine.R77-R79)", false, []int{77, 78, 79}},
		{"(engine.R77 a, R86)", false, []int{77, 86}},
		{"scim.R33, R34; engine.R62", false, []int{62}},
		{"R33 of something else", false, nil},
		{"blocked (R77 d), and back (R85)", true, []int{77, 85}},
		{"scim.R33 in the engine's own tests (R90)", true, []int{90}},
		{"inbound.R12, R13", true, nil},
		{"engine.R1 is told apart from R2 by words", false, []int{1}},
	} {
		if diff := cmp.Diff(c.want, rulesIn(c.text, "engine", c.short)); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", c.text, diff)
		}
	}
}

// TestConformanceIsChecked proves that the check above finds what it looks for.
func TestConformanceIsChecked(t *testing.T) {
	spec := specification{name: "engine", rules: "a list", last: 10}
	for _, c := range []struct {
		name, line string
		cited      map[int][]string
		fails      bool
	}{
		{"a rule that a test names", "1 | One anchor", map[int][]string{1: {"engine.TestX"}}, false},
		{"a rule that no test names", "1 | One anchor", nil, true},
		{"a rule that no test names, with a reason", "1 | One anchor | plain: a definition", nil, false},
		{"a rule with a remark only", "1 | One anchor | note: by design", nil, true},
		{"a rule that is said to come later, and a test names it", "1 | One anchor | later: serve", map[int][]string{1: {"engine.TestX"}}, true},
		{"a rule that there is not", "1 | One anchor", map[int][]string{1: {"engine.TestX"}, 500: {"engine.TestY"}}, true},
	} {
		r, err := parseRule(c.line)
		if err != nil {
			t.Fatal(err)
		}
		rest := []rule{r}
		for n := 2; n <= spec.last; n++ {
			rest = append(rest, rule{Number: n, Mark: "plain", Words: "x"})
		}
		if got := spec.problemsOf([]section{{Rules: rest}}, c.cited); (len(got) > 0) != c.fails {
			t.Errorf("%s: problems %q", c.name, got)
		}
	}
	if got := spec.problemsOf([]section{{Rules: []rule{{Number: 1, Mark: "plain", Words: "x"}, {Number: 3, Mark: "plain", Words: "x"}}}}, nil); len(got) == 0 {
		t.Error("a rule that is missing is not noticed")
	}
}
