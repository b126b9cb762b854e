package expr

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
	netsyntax "github.com/dlclark/regexp2/v2/syntax"
)

const (
	// MatchTimeout is how long the search for one match may take, and how long all searches of one evaluation may take
	// together (specification, section 6).
	MatchTimeout = time.Second
	// MaxPattern is the greatest length of a regular expression in characters. A pattern may come from an attribute, and the
	// engine's recursion is as deep as its parentheses: without a bound such a value could end the process.
	MaxPattern = 10_000

	// maxBacktracking bounds the memory of one match, in entries of the engine's stack.
	maxBacktracking = 4 << 20
)

// Regex is a compiled .NET regular expression without options: case-sensitive, one line. It is safe for
// use by several goroutines.
//
// Patterns that mean the same in the linear-time engine of the standard library run there (regexfast.go says which); all
// others run in a backtracking engine with .NET semantics, under a time limit.
type Regex struct {
	net   *regexp2.Regexp
	names map[string]int // group names and numbers to .NET group numbers

	fast *regexp.Regexp // nil where the pattern means something else there
	// fastGroups has the group number of the fast engine for every .NET group number: .NET numbers named
	// groups after the others.
	fastGroups []int
	limits     fastLimits
	emptyable  bool // can match the empty text
	size       int  // instructions of the fast engine
	class      *letterClass
}

// CompileRegex compiles a pattern to be searched for anywhere in a text. The error is an *Error of kind regex
// or, for one that is too long, limit, without a place.
func CompileRegex(pattern string) (*Regex, error) {
	r, err := compileRegex(pattern)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// CompileWholeRegex compiles a pattern that has to match a whole text, as scoping filters want it. The
// error is as for CompileRegex.
func CompileWholeRegex(pattern string) (*Regex, error) {
	if _, err := compileRegex(pattern); err != nil { // a)(b must not become valid by the wrapping
		return nil, err
	}
	r, err := buildRegex(`\A(?:` + pattern + `)\z`)
	if err != nil {
		// With the option x the pattern may end in a comment, which a line break ends.
		r, err = buildRegex(`\A(?:` + pattern + "\n" + `)\z`)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func compileRegex(pattern string) (*Regex, *Error) {
	if utf8.RuneCountInString(pattern) > MaxPattern {
		return nil, newError(KindLimit, "the pattern is longer than %d characters", MaxPattern)
	}
	return buildRegex(pattern)
}

func buildRegex(pattern string) (*Regex, *Error) {
	net, err := regexp2.Compile(pattern, regexp2.OptionMaxBacktrackingStackSize(maxBacktracking))
	if err != nil {
		message := err.Error()
		if se, ok := errors.AsType[*netsyntax.Error](err); ok {
			message = se.Code.String() // without the pattern, which may come from an attribute
		}
		return nil, newError(KindRegex, "the pattern is not a regular expression: %s", message)
	}
	net.MatchTimeout = MatchTimeout
	r := &Regex{net: net, names: make(map[string]int)}
	numbers := net.GetGroupNumbers()
	for _, n := range numbers {
		r.names[net.GroupNameFromNumber(n)] = n
		r.names[strconv.Itoa(n)] = n
	}
	r.useFast(pattern, len(numbers))
	return r, nil
}

// MatchString reports whether the pattern occurs in s. The error is an *Error of kind regex when the match
// ran out of time or memory.
func (r *Regex) MatchString(s string) (bool, error) {
	if r.oneFast(nil, s) {
		return r.fast.MatchString(s), nil
	}
	ok, err := r.net.MatchString(s)
	if err != nil {
		return false, errMatch(err)
	}
	return ok, nil
}

func errMatch(err error) *Error {
	e := errSlow()
	if errors.Is(err, regexp2.ErrBacktrackingStackLimit) {
		e = newError(KindRegex, "the match needs too much memory")
	}
	e.slow = true
	return e.hint("make the pattern more exact")
}

func errSlow() *Error { return newError(KindRegex, "the match takes longer than %v", MatchTimeout) }

// stopwatch tells how long a search takes, not what time it is: nothing that is evaluated depends on it.
func stopwatch() time.Time { return time.Now() } //nolint:forbidigo // see above

// searched counts the time of a search that began at the given time. Each has its own limit, but there can be many in
// one evaluation.
func (st *state) searched(began time.Time, err error) *Error {
	st.searching += stopwatch().Sub(began)
	switch {
	case err != nil:
		return errMatch(err)
	case st.searching > MatchTimeout:
		return errMatch(nil)
	}
	return nil
}

// group gives the number of a group by its name, or by its number in digits.
func (r *Regex) group(name string) (int, *Error) {
	if n, ok := r.names[name]; ok {
		return n, nil
	}
	return 0, newError(KindRegex, "the pattern has no group of that name").hint("a group is named like (?<name>…)")
}

// found is one match: the byte ranges of its groups.
type found struct {
	r    *Regex
	fast []int
	net  *regexp2.Match
}

// span gives the range of a .NET group number. ok is false for a group that took no part in the match.
func (f found) span(group int) (start, end int, ok bool) {
	if f.net != nil {
		g := f.net.GroupByNumber(group)
		if g == nil || len(g.Captures) == 0 {
			return 0, 0, false
		}
		start, length := g.ByteRange()
		return start, start + length, true
	}
	i := 2 * f.r.fastGroups[group]
	if f.fast[i] < 0 {
		return 0, 0, false
	}
	return f.fast[i], f.fast[i+1], true
}

// first gives the first match.
func (r *Regex) first(st *state, s string) (m found, ok bool, err *Error) {
	if r.oneFast(st, s) {
		loc := r.fast.FindStringSubmatchIndex(s)
		return found{r: r, fast: loc}, loc != nil, nil
	}
	began := stopwatch()
	match, e := r.net.FindStringMatch(s)
	if err := st.searched(began, e); err != nil {
		return found{}, false, err
	}
	return found{r: r, net: match}, match != nil, nil
}

// each visits all matches in order, until visit gives an error. The engines disagree about empty matches right after
// another match, so that patterns which can match nothing go to the .NET engine.
func (r *Regex) each(st *state, s string, visit func(found) *Error) *Error {
	if !r.emptyable && r.allFast(st, s) {
		for _, loc := range r.fast.FindAllStringSubmatchIndex(s, -1) {
			if err := visit(found{r: r, fast: loc}); err != nil {
				return err
			}
		}
		return nil
	}
	began := stopwatch()
	m, err := r.net.FindStringMatch(s)
	for {
		if e := st.searched(began, err); e != nil || m == nil {
			return e
		}
		if e := visit(found{r: r, net: m}); e != nil {
			return e
		}
		began = stopwatch()
		m, err = r.net.FindNextMatch(m)
	}
}

// replacement is a parsed .NET replacement pattern.
type replacement []replacementPart

type replacementPart struct {
	literal string
	group   int // -1: literal
}

// parseReplacement knows $1, ${1}, ${name}, $&, $0 and $$. A reference to a group that does not exist is
// literal text.
func (r *Regex) parseReplacement(s string) replacement {
	var out replacement
	literal := func(text string) {
		if text == "" {
			return
		}
		if n := len(out); n > 0 && out[n-1].group < 0 {
			out[n-1].literal += text
			return
		}
		out = append(out, replacementPart{literal: text, group: -1})
	}
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 || i+1 == len(s) {
			literal(s)
			return out
		}
		literal(s[:i])
		s = s[i:]
		switch name, length := reference(s); {
		case length == 0:
			literal("$")
			s = s[1:]
		case name == "$":
			literal("$")
			s = s[length:]
		default:
			if n, ok := r.names[name]; ok {
				out = append(out, replacementPart{group: n})
			} else {
				literal(s[:length])
			}
			s = s[length:]
		}
	}
}

// reference reads the reference at the start of s, which begins with $: the name of the group, or "$" for
// $$, and the length of the whole; 0 if there is none.
func reference(s string) (name string, length int) {
	switch c := s[1]; {
	case c == '$':
		return "$", 2
	case c == '&':
		return "0", 2
	case isDigit(c):
		end := 2
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		return canonicalNumber(s[1:end]), end
	case c == '{':
		if end := strings.IndexByte(s, '}'); end > 2 {
			name := s[2:end]
			if isDigit(name[0]) {
				name = canonicalNumber(name)
			}
			return name, end + 1
		}
	}
	return "", 0
}

// canonicalNumber takes leading zeros off, so that ${01} is group 1.
func canonicalNumber(digits string) string {
	if n, err := strconv.Atoi(digits); err == nil {
		return strconv.Itoa(n)
	}
	return digits
}

// isLiteral gives the text of a replacement without references.
func (rep replacement) isLiteral() (string, bool) {
	switch {
	case len(rep) == 0:
		return "", true
	case len(rep) == 1 && rep[0].group < 0:
		return rep[0].literal, true
	}
	return "", false
}

// replaceAll replaces every match.
func (r *Regex) replaceAll(st *state, s string, rep replacement) (string, *Error) {
	text, literal := rep.isLiteral()
	if literal && r.class != nil {
		if result, ok := r.class.replaceAll(st, s, text); ok {
			return result, nil
		}
	}
	if literal && (!r.emptyable || text == "") && r.allFast(st, s) {
		if !r.fast.MatchString(s) {
			return s, nil
		}
		if len(text) > 1 && len(s)*len(text) > MaxText { // rather counted than guessed
			return r.rewrite(st, s, func(buf []byte, _ found) []byte { return append(buf, text...) })
		}
		return r.fast.ReplaceAllLiteralString(s, text), nil
	}
	return r.rewrite(st, s, func(buf []byte, m found) []byte {
		for _, part := range rep {
			if part.group < 0 {
				buf = append(buf, part.literal...)
			} else if start, end, ok := m.span(part.group); ok {
				buf = append(buf, s[start:end]...)
			}
		}
		return buf
	})
}

// replaceGroup replaces, in every match, what a group covers.
func (r *Regex) replaceGroup(st *state, s string, group int, text string) (string, *Error) {
	return r.rewrite(st, s, func(buf []byte, m found) []byte {
		start, end, _ := m.span(0)
		from, to, ok := m.span(group)
		if !ok || from < start || to > end { // a group in a lookaround can lie outside
			return append(buf, s[start:end]...)
		}
		buf = append(buf, s[start:from]...)
		buf = append(buf, text...)
		return append(buf, s[to:end]...)
	})
}

// rewrite copies s and lets write put something in the place of every match.
func (r *Regex) rewrite(st *state, s string, write func(buf []byte, m found) []byte) (string, *Error) {
	buf, last, changed := st.buf[:0], 0, false
	err := r.each(st, s, func(m found) *Error {
		start, end, _ := m.span(0)
		if start < last { // with the option RightToLeft matches come from behind
			return newError(KindRegex, "the pattern searches from right to left")
		}
		changed = true
		buf = append(buf, s[last:start]...)
		buf = write(buf, m)
		last = end
		if len(buf) > MaxText {
			return newError(KindLimit, "the text is longer than %d bytes", MaxText)
		}
		return nil
	})
	if err != nil || !changed {
		return s, err
	}
	buf = append(buf, s[last:]...)
	st.buf = buf[:0]
	return string(buf), nil
}

// String gives the pattern as it is matched.
func (r *Regex) String() string { return r.net.String() }
