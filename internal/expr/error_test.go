package expr

import (
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// testdata/errors.txt has, for each case, the expression, a line ---, and what Render gives, or the error at
// evaluation for an object with x = "text", n = 5, list = ["a", "b"]. Cases are separated by a line ===.
func TestErrorTexts(t *testing.T) {
	const file = "testdata/errors.txt"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	cases := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n===\n")
	if len(cases) < 60 {
		t.Fatalf("only %d cases", len(cases))
	}
	var rewritten []string
	for _, c := range cases {
		expression, want, _ := strings.Cut(c, "\n---\n")
		got := strings.TrimSuffix(renderedError(t, expression), "\n")
		rewritten = append(rewritten, expression+"\n---\n"+got)
		if diff := cmp.Diff(want, got); diff != "" && !*update {
			t.Errorf("%s\n(-want +got):\n%s", expression, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(strings.Join(rewritten, "\n===\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func renderedError(t *testing.T, expression string) string {
	t.Helper()
	p, err := Compile(expression)
	if err == nil {
		env := testEnv(object{"x": "text", "n": 5, "list": []any{"a", "b"}, "chan": make(chan int)})
		env.Exists = func(v string) (bool, error) {
			if v == "broken" {
				return false, errors.New("connection reset")
			}
			return true, nil
		}
		_, err = p.Eval(env)
	}
	switch e := err.(type) { //nolint:errorlint // the types that Compile and Eval promise
	case *Error:
		return e.Render()
	case Errors:
		return e.Render()
	}
	t.Errorf("%s: got error %v of type %T, want *Error or Errors", expression, err, err)
	return ""
}

func TestErrorIsOneLineWithPlaceKindAndHint(t *testing.T) {
	_, err := Compile("Join(\",\",\n  Tolowr([x]))")
	const want = `2:3: unknownFunction: there is no function Tolowr (did you mean ToLower?)`
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestErrorsAreAllReportedInTextOrder(t *testing.T) {
	_, err := Compile(`Join(",", Nope([a]), Append([b]), ToLower(SelectUniqueValue("x", "y")))`)
	var all Errors
	if !errors.As(err, &all) {
		t.Fatalf("error %v, want Errors", err)
	}
	var kinds []ErrorKind
	for _, e := range all {
		kinds = append(kinds, e.Kind)
	}
	if diff := cmp.Diff([]ErrorKind{KindUnknownFunction, KindArgument, KindPlacement}, kinds); diff != "" {
		t.Errorf("kinds (-want +got):\n%s", diff)
	}
	var first *Error
	if !errors.As(err, &first) || first != all[0] {
		t.Error("errors.As does not find the first error")
	}
}

func TestErrorPositionsCountCharacters(t *testing.T) {
	_, err := Compile("Join(\"ä\", \"日本\",\n\t\"é\", Nope())")
	var e *Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	if e.Line != 2 || e.Column != 7 || e.Source[e.Pos:e.Pos+4] != "Nope" {
		t.Errorf("line %d, column %d, offset %d; want 2, 7 and the offset of Nope", e.Line, e.Column, e.Pos)
	}
}

// The place is that of the innermost part that failed, not of the call around it.
func TestErrorIsBlamedOnTheArgument(t *testing.T) {
	p, err := Compile(`Join("-", Mid([x], "one", 2))`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Eval(testEnv(object{"x": "abc"}))
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want *Error", err)
	}
	if e.Function != "Mid" || e.Kind != KindType || !strings.HasPrefix(e.Source[e.Pos:], `"one"`) {
		t.Errorf("error %+v, want kind type of Mid at \"one\"", e)
	}
}

// Errors go to logs, and values of attributes must not (specification, section 9; Redact).
func TestErrorsNeverShowAttributeValues(t *testing.T) {
	const secret = "hunter2("
	for _, expression := range []string{
		`BitAnd([s], 1)`, `CDate([s])`, `CBool([s])`, `DateAdd([s], 1, "2025-07-30")`, `DateDiff([s], "2025-07-30", "2025-07-30")`,
		`FormatDateTime([s], , "yyyy", "yyyy")`, `FormatDateTime("2025", [s], "yyyy", "yyyy")`, `InStr("a", "b", 1, [s])`, `Item("a", [s])`,
		`Replace("a", , [s], , "b", , )`, `Replace("a", , "(?<g>a)", [s], "b", , )`, `ToLower("a", [s])`, `SelectUniqueValue([s], [s])`,
		`NumFromDate([s])`, `DateFromNum([s])`, `Mid("a", [s], 1)`, `RandomString([s], 0, 0, 0, 0)`,
	} {
		p, err := Compile(expression)
		if err != nil {
			t.Fatal(err)
		}
		env := testEnv(object{"s": secret})
		env.Exists = func(string) (bool, error) { return true, nil }
		v, err := p.Eval(env)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s gives %v, want an error", expression, v)
			continue
		}
		if strings.Contains(e.Error(), "hunter") || strings.Contains(e.Render(), "hunter") {
			t.Errorf("%s: the error shows the value: %v", expression, e)
		}
	}
}

func TestUniquenessErrorKeepsItsCause(t *testing.T) {
	cause := errors.New("connection reset")
	p, err := Compile(`SelectUniqueValue("a", "b")`)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Eval(&Env{Exists: func(string) (bool, error) { return false, cause }})
	var e *Error
	if !errors.As(err, &e) || e.Kind != KindLookup || !errors.Is(err, cause) {
		t.Errorf("error %v, want kind lookup around the cause", err)
	}
}
