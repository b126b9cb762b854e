package expr

import (
	"strings"
	"testing"
	"time"
)

// expr section 9, limit: values of attributes, which the author of an expression does not choose, can neither stall an
// evaluation nor end the process.
func TestLargeValuesAreBounded(t *testing.T) {
	deep := strings.Repeat("(", 500_000) + strings.Repeat(")", 500_000)
	many := strings.Repeat("é,", 200_000)
	complexes := make([]any, 20_000)
	for i := range complexes {
		complexes[i] = map[string]any{"value": int64(i)}
	}
	for _, tc := range []struct {
		name, expression string
		want             any // the kind of an error, or the length of the text
	}{
		{"a pattern with half a million groups", `Replace("x", , [deep], , "", , )`, KindLimit},
		{"a pattern of an ambiguous kind over a long text", `Replace([as], , "(a+)+c|b", , "", , )`, KindRegex},
		{"as many separators as letters", `PCase([many], [many])`, 3 * 200_000},
		{"as many delimiters as words", `Word(Append([many], "x"), 1, [many])`, 1},
		{"a text that doubles twenty times", doubled(`[as]`, 20), KindLimit},
		{"more complex values than can be compared", `Count(RemoveDuplicates([complexes]))`, KindLimit},
		{"a template filled with itself", `Replace([as], "a", , , , , [as])`, KindLimit},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, err := compiled(t, tc.expression).Eval(testEnv(object{
				"deep": deep, "many": many, "as": strings.Repeat("a", 100_000), "complexes": complexes,
			}))
			if e, ok := err.(*Error); ok { //nolint:errorlint // the type that Eval promises
				if e.Kind != tc.want {
					t.Errorf("error %v, want %v", e, tc.want)
				}
				return
			}
			if s, _ := v.(string); len(s) != tc.want {
				t.Errorf("a text of %d bytes, want %v", len(s), tc.want)
			}
		})
	}
}

func doubled(expression string, times int) string {
	for range times {
		expression = `Replace(` + expression + `, "a", , , "aa", , )`
	}
	return expression
}

func TestElementsOfListsAreWork(t *testing.T) {
	st := newState(testEnv(object{"commas": strings.Repeat(",", 99_999)}))
	if _, err := compiled(t, `Split([commas], ",")`).eval(st); err != nil || st.work < 100_000 {
		t.Errorf("100,000 elements count as %d, error %v", st.work, err)
	}
}

// The fast engine has no time limit and takes, for all matches, time that grows with the square of the text.
func TestFastEngineIsForShortTexts(t *testing.T) {
	r, err := compileRegex(`[ab]*c|a`)
	if err != nil {
		t.Fatal(err)
	}
	short, long := strings.Repeat("a", 1000), strings.Repeat("a", 20_000)
	if a, b := r.allFast(nil, short), r.allFast(nil, long); !a || b {
		t.Errorf("all matches: %v in a short text, %v in a long one; want true, false", a, b)
	}
	if a, b := r.oneFast(nil, long), r.oneFast(nil, strings.Repeat("a", maxSteps)); !a || b {
		t.Errorf("one match: %v in a long text, %v in a huge one; want true, false", a, b)
	}
	st := newState(&Env{})
	n := 0
	for r.allFast(st, strings.Repeat("a", 2000)) {
		if n++; n > evaluationSteps {
			t.Fatal("an evaluation may use the fast engine without end")
		}
	}
	if n == 0 {
		t.Error("an evaluation may not use the fast engine at all")
	}
}

// A short pattern can be a large program, and patterns from attributes are kept.
func TestLargeProgramsAreNotMade(t *testing.T) {
	for pattern, want := range map[string]bool{`a{1000}`: true, `(?:ab?){500}c`: true, strings.Repeat(`a{1000}`, 1400): false, `((a{10}){10}){10}b{900}`: false,
		strings.Repeat("(?:", 200) + "a" + strings.Repeat("){1}", 200): false} {
		r, err := compileRegex(pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.fast != nil; got != want {
			t.Errorf("%.30s in the fast engine: %v, want %v", pattern, got, want)
		}
	}
}

// Many searches, each within its limit, have one together.
func TestSearchesOfAnEvaluationShareTheTimeLimit(t *testing.T) {
	st := newState(&Env{})
	most := MatchTimeout * 6 / 10
	if err := st.searched(time.Now().Add(-most), nil); err != nil {
		t.Fatalf("the first search: %v", err)
	}
	if err := st.searched(time.Now().Add(-most), nil); err == nil || err.Kind != KindRegex {
		t.Errorf("the second search: %v, want an error of kind regex", err)
	}
	st.reset()
	if err := st.searched(time.Now().Add(-most), nil); err != nil {
		t.Errorf("the first search of the next evaluation: %v", err)
	}
}
