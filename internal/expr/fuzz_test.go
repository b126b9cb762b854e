package expr

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func vectorExpressions(tb testing.TB) []string {
	tb.Helper()
	data, err := os.ReadFile("testdata/expressions.json")
	if err != nil {
		tb.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(data, &vectors); err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, v := range vectors {
		out = append(out, v.Expression)
	}
	for _, f := range Functions() {
		for _, ex := range f.Examples {
			out = append(out, ex.Expression)
		}
	}
	return out
}

// quietEnv has everything but randomness, so that two evaluations can be compared.
func quietEnv() *Env { return quietEnvWith("x", "a,b,a") }

func quietEnvWith(text, list string) *Env {
	env := testEnv(object{
		"a": text, "b": "2025-07-30", "n": 7, "f": 1.5, "t": true, "list": strings.Split(list, ","), "one": []string{"solo"}, "empty": "", "null": nil,
		"map": map[string]any{"value": "v", "displayName": "D", "id": "1"}, "mail": "ada@contoso.com", "when": time.Date(2025, 1, 2, 3, 4, 5, 0, time.UTC),
	})
	env.Rand = nil
	env.Exists = taken("x", "ada@contoso.com")
	return env
}

// FuzzCompile: compiling gives a program or an error of this package. The canonical text of a program compiles
// to the same canonical text, and to the same result or kind of error; so do the stored form and the explanation. An
// evaluation stays within its bounds: of work, of time for patterns, and of the size of what it makes.
func FuzzCompile(f *testing.F) {
	for _, e := range vectorExpressions(f) {
		f.Add(e, "x", "a,b,a")
	}
	f.Add(`Replace([a], , [list], , "$1", , )`, "(a+)+b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaac")
	f.Add(`FormatDateTime([a], , [list], "o")`, "2025-07-30T09:05:00+14:00", "yyyy-MM-ddTHH:mm:sszzz")
	f.Add(`Join([a], Item(Split([list], "a"), 2), DateAdd("m", [n], [b]))`, " ", "banana")
	for _, e := range []string{`IIF([a]="x",[n],[list])`, `Switch([null], [map], "", [one])`, `[a[b"c]d"].e]`, `Join("\"\\", &hfF, -1.50, TRUE)`, `((`, "\xff"} {
		f.Add(e, "Ærø ß", "é,,\u200d")
	}
	f.Fuzz(checkExpression)
}

func checkExpression(t *testing.T, text, attr, list string) {
	t.Helper()
	env := quietEnvWith(attr, list)
	p, err := Compile(text)
	if err != nil {
		checkCompileError(t, text, err)
		return
	}
	canonical := p.String()
	again, err := Compile(canonical)
	if err != nil {
		if isLimit(err) { // blanks after commas can make a text longer than allowed
			return
		}
		t.Fatalf("%q prints as %q, which does not compile: %v", text, canonical, err)
	}
	if again.String() != canonical {
		t.Fatalf("%q prints as %q and then as %q", text, canonical, again)
	}
	if diff := cmp.Diff(p.Attributes(), again.Attributes()); diff != "" {
		t.Fatalf("attributes of %q and %q (-first +second):\n%s", text, canonical, diff)
	}
	want := outcome(t, p, env)
	if diff := cmp.Diff(want, outcome(t, again, env)); diff != "" {
		t.Fatalf("%q and %q differ (-first +second):\n%s", text, canonical, diff)
	}
	stored, err := CompileSource(p.Source())
	if err != nil || stored.String() != canonical {
		t.Fatalf("the stored form of %q is %v, error %v", text, stored, err)
	}
	step := p.Explain(env)
	got := any(step.Value)
	if step.Err != nil {
		got = "error " + string(step.Err.Kind)
	}
	if !step.Evaluated || !cmp.Equal(want, got) {
		t.Fatalf("%q: explained as %v, evaluated as %v", text, got, want)
	}
}

// FuzzCalls is FuzzCompile with expressions that are well formed: numbers choose functions, constants and attributes.
func FuzzCalls(f *testing.F) {
	for i := range len(functionTable()) {
		f.Add([]byte{byte(i), 200, 201, 202, 203, 204, 205, 206}, "x", "a,b,a")
		f.Add([]byte{byte(i), 3, 220, 221, 17, 222, 223, 40, 224}, "2025-07-30T09:05:00Z", "yyyy-MM-dd")
	}
	f.Fuzz(func(t *testing.T, choices []byte, attr, list string) {
		if len(choices) > 60 {
			return
		}
		g := generator{choices: choices}
		checkExpression(t, g.operand(0), attr, list)
	})
}

// generator writes an expression; when the choices are used up it takes the last constant.
type generator struct{ choices []byte }

func (g *generator) next(n int) int {
	if len(g.choices) == 0 {
		return n - 1
	}
	c := int(g.choices[0])
	g.choices = g.choices[1:]
	return c % n
}

func (g *generator) operand(depth int) string {
	leaves := []string{"[a]", "[b]", "[n]", "[f]", "[t]", "[list]", "[one]", "[empty]", "[null]", "[map]", "[mail]", "[when]", "IgnoreAttributeFlow", "True",
		`"True"`, "0", "1", "-1", "3", "2.5", "9223372036854775807", `"d"`, `"m"`, `"yyyy"`, `"ww"`, `"yyyy-MM-dd"`, `"M/d/yyyy h:mm:ss tt"`, `" "`, `","`,
		`"tr-TR"`, `"(?<id>[a-z]+)(.)?"`, `"id"`, `"$1${id}$&"`, `"É ñ_ﬁ-ß"`, `"2020-02-29"`, "Now()", "vbTextCompare", `""`, `"x"`}
	table := functionTable()
	i := g.next(len(table) + len(leaves))
	if depth > 5 || i >= len(table) {
		return leaves[i%len(leaves)]
	}
	fn := &table[i]
	count := len(fn.Params)
	if fn.repeats() > 0 {
		count += fn.repeats() * g.next(3)
	}
	if count < fn.least {
		count = fn.least
	}
	args := make([]string, count)
	for k := range args {
		p := fn.param(k)
		switch {
		case !p.Required && g.next(2) == 0:
		case p.Type == TypeCondition && g.next(2) == 0:
			args[k] = g.operand(depth+1) + []string{"=", "<>", "<", ">="}[g.next(4)] + g.operand(depth+1)
		default:
			args[k] = g.operand(depth + 1)
		}
	}
	return fn.Name + "(" + strings.Join(args, ", ") + ")"
}

func isLimit(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == KindLimit
}

func checkCompileError(t *testing.T, text string, err error) {
	t.Helper()
	var all Errors
	switch e := err.(type) { //nolint:errorlint // the types that Compile promises
	case *Error:
		all = Errors{e}
	case Errors:
		all = e
	default:
		t.Fatalf("%q: error of type %T", text, err)
	}
	for _, e := range all {
		if e.Pos < 0 || e.Pos > len(text) || e.Line < 1 || e.Column < 1 || e.Message == "" || e.Kind == "" {
			t.Fatalf("%q: incomplete error %+v", text, e)
		}
		if !strings.Contains(e.Render(), "^") {
			t.Fatalf("%q: no caret in %q", text, e.Render())
		}
	}
}

// outcome gives the value, or the kind of the error, and checks what holds for every result.
func outcome(t *testing.T, p *Program, env *Env) any {
	t.Helper()
	checkBounds(t, p, env)
	v, err := p.Eval(env)
	if err != nil {
		e, ok := err.(*Error) //nolint:errorlint // the type that Eval promises
		if !ok || e.Line < 1 || e.Message == "" {
			t.Fatalf("%s: error %#v", p, err)
		}
		return "error " + string(e.Kind)
	}
	switch x := v.(type) {
	case nil, bool, int64, float64, map[string]any, Signal:
	case string:
		if len(x) > MaxText {
			t.Fatalf("%s: a text of %d bytes", p, len(x))
		}
	case time.Time:
		if x.Location() != time.UTC {
			t.Fatalf("%s: time zone %v", p, x.Location())
		}
	case []any:
		if len(x) == 0 || len(x) > MaxElements {
			t.Fatalf("%s: a list of %d elements", p, len(x))
		}
	case int: // a direct mapping gives numbers in their canonical width
		t.Fatalf("%s: a value of type int", p)
	default:
		t.Fatalf("%s: a value of type %T", p, v)
	}
	return v
}

// checkBounds evaluates with a state of its own, to see what the evaluation took: at most one text beyond the work that is
// allowed, and one search beyond the time.
func checkBounds(t *testing.T, p *Program, env *Env) {
	t.Helper()
	st := newState(env)
	if _, err := p.eval(st); err != nil && err.Kind == "" {
		t.Fatalf("%s: error %#v", p, err)
	}
	if st.work > MaxWork+MaxText+1 || st.searching > 3*MatchTimeout {
		t.Fatalf("%s took %d of %d work and searched for %v", p, st.work, MaxWork, st.searching)
	}
	if len(st.stack) != 0 {
		t.Fatalf("%s leaves %d values on the stack", p, len(st.stack))
	}
}

// FuzzDateFormat: what a format prints, the same format reads back to the same text. Whatever text it or CDate reads is a
// date of the calendar, or an error of kind date; what CDate reads, it reads again from the text of the DateTime.
func FuzzDateFormat(f *testing.F) {
	for _, s := range []string{"yyyy-MM-dd", "M/d/yyyy h:mm:ss tt", "yyyyMMddHHmmss.fffZ", "ddd, dd MMM yyyy", "o", "'on' d. MMMM yyyy", "HH:mm:ss.FFFzzz", `yy\d%d`} {
		f.Add(s, int64(638000000000000000), "2020-12-31 23:59:59-08:00")
		f.Add(s, int64(0), " Thu, 2 JAN 0001 ")
	}
	f.Add("yyyyyyyyyyyyyyyyyyyyyy", int64(1), "7/30/2025 12:05:00 am")
	f.Fuzz(func(t *testing.T, format string, ticks int64, given string) {
		checkCDate(t, given)
		df, err := parseDateFormat(format)
		if err != nil {
			if err.Kind != KindArgument {
				t.Fatalf("%q: %v", format, err)
			}
			return
		}
		if ticks < 0 {
			ticks = -(ticks + 1)
		}
		text := string(df.append(nil, ticks%endOfCalendar))
		st := newState(testEnv(nil))
		for _, styles := range []dateStyles{{}, defaultStyles, {inner: true}} {
			if read, err := df.parse(st, given, styles); err == nil && !inCalendar(read) || err != nil && err.Kind != KindDate {
				t.Fatalf("%q read by %q gives %d, error %v", given, format, read, err)
			}
		}
		read, err := df.parse(st, text, dateStyles{})
		if err != nil {
			return // formats can be ambiguous, as in Md
		}
		if !ambiguous(df) {
			if again := string(df.append(nil, read)); again != text {
				t.Fatalf("%q writes %q and reads it as %q", format, text, again)
			}
		}
	})
}

func checkCDate(t *testing.T, text string) {
	t.Helper()
	ticks, err := parseDate(text)
	if err != nil {
		if err.Kind != KindDate {
			t.Fatalf("CDate of %q: %v", text, err)
		}
		return
	}
	if !inCalendar(ticks) {
		t.Fatalf("CDate of %q is outside the calendar", text)
	}
	shown := string(appendGeneralDate(nil, ticks))
	if again, err := parseDate(shown); err != nil || again != ticks-ticks%ticksPerSecond {
		t.Fatalf("CDate of %q is %q, which reads as %d, error %v", text, shown, again, err)
	}
}

// ambiguous reports whether a format can read a text in another way than it was written: parts of variable length side by
// side, a part twice, 12 hours without AM and PM, a year or part of the date left out.
func ambiguous(df dateFormat) bool {
	seen := map[byte]int{}
	for i, p := range df {
		seen[p.letter]++
		if p.letter != 0 && p.letter != 't' && seen[p.letter] > 1 {
			return true
		}
		next := i+1 < len(df)
		if p.letter != 0 && p.count == 1 && next && (df[i+1].letter != 0 || isDigit(df[i+1].literal[0])) {
			return true
		}
	}
	weekday := false
	for _, p := range df {
		weekday = weekday || p.letter == 'd' && p.count > 2
	}
	short := false
	for _, p := range df {
		short = short || p.letter == 'y' && p.count != 4
	}
	return short || weekday || seen['y'] == 0 || seen['M'] == 0 || seen['d'] == 0 || seen['h'] > 0 || seen['t'] > 0 || seen['F'] > 0
}

// FuzzRegexEngines: where the fast engine is used, it gives what the .NET engine gives.
func FuzzRegexEngines(f *testing.F) {
	for _, p := range []string{
		`[()\s-]+`, `\+(?<code>\d*) (?<number>.*)`, `^(\w+)@(?<d>.+)$`, `(a|ab)(c|bcd)(d*)`, `a*`, `(.*?)(?<id>.{0,8})$`, `[]a]+`, `[^]a]`, `\bx\B`,
		`(?<a>x)(y)(?<b>z)`, `a{2,3}?`, `(?:a|(b))+`, `x|`, `^$`, `\S+\D\W`, `[a-z-[aeiou]]`, `a{,3}`, `\_`, `(?i)k`, `[[:alpha:]]`, `.`, `(a+|b)+?c`,
	} {
		f.Add(p, "aab bcd +49 30\n")
		f.Add(p, "xyz x@y éx \v")
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 40 || len(text) > 40 || strings.ToValidUTF8(pattern+text, "") != pattern+text {
			return
		}
		r, err := compileRegex(pattern)
		if err != nil || r.fast == nil {
			return
		}
		slow := &Regex{net: r.net, names: r.names}
		a, errA := r.MatchString(text)
		b, errB := slow.MatchString(text)
		if a != b || (errA == nil) != (errB == nil) {
			t.Fatalf("%q in %q: %v and %v, errors %v and %v", pattern, text, a, b, errA, errB)
		}
		st := newState(&Env{})
		groups := len(r.fastGroups)
		mine, _, err1 := r.first(st, text)
		theirs, _, err2 := slow.first(st, text)
		if err1 != nil || err2 != nil {
			t.Fatalf("%q in %q: errors %v and %v", pattern, text, err1, err2)
		}
		if a {
			for g := range groups {
				s1, e1, ok1 := mine.span(g)
				s2, e2, ok2 := theirs.span(g)
				if s1 != s2 || e1 != e2 || ok1 != ok2 {
					t.Fatalf("%q in %q, group %d: %d-%d %v and %d-%d %v", pattern, text, g, s1, e1, ok1, s2, e2, ok2)
				}
			}
		}
		for _, by := range []string{"", "<>", "<$1>", "$&$&"} {
			x, errX := r.replaceAll(st, text, r.parseReplacement(by))
			y, errY := slow.replaceAll(st, text, slow.parseReplacement(by))
			if x != y || (errX == nil) != (errY == nil) {
				t.Fatalf("%q in %q by %q: %q and %q, errors %v and %v", pattern, text, by, x, y, errX, errY)
			}
		}
	})
}
