package expr

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// The fast engine is that of the standard library, RE2. It is used where pattern and text are such that it gives what .NET
// gives: the same matches at the same places, with the same groups. The pattern may consist of
//
//   - characters that stand for themselves, the point, and the escapes \t \n \r \f \v and of punctuation;
//   - classes in brackets without a bracket within, in which .NET would subtract and RE2 name a class;
//   - \d \w \s \D \W \S \b \B, for texts that are ASCII without vertical tab: beyond that the engines differ in what these
//     are;
//   - ^ \A \z, and $ for texts that do not end in a line feed, before which it matches only in .NET;
//   - groups with and without (?:…), and with plain names (?<name>…); .NET counts the named ones after the others, which is
//     allowed for;
//   - | and the quantifiers * + ? {n} {n,} {n,m}, greedy and lazy, without zeros in front of a count, but of nothing that can
//     be empty: the engines end such loops differently.
//
// Both engines take the leftmost match and, at one place, the one that backtracking finds first, so that nothing else can
// differ. Patterns that can match the empty text are left to the .NET engine where all matches are wanted: the engines
// disagree about an empty match right behind another one. FuzzRegexEngines compares the two.

const (
	// maxSteps bounds the work of the fast engine, which knows no time limit: instructions of the pattern times bytes of
	// the text, for every match that there can be. It is less than a second's work; larger texts go to the other engine, as
	// does everything once an evaluation has used up its share.
	maxSteps        = 1 << 27
	evaluationSteps = 4 * maxSteps
	// maxProgram is the largest program of the fast engine, in instructions: it writes repetitions out, so that a short
	// pattern such as (a{100}){10} can become a large one.
	maxProgram = 10_000
)

// useFast sets up the fast engine if the pattern means the same there.
func (r *Regex) useFast(pattern string, groups int) {
	limits, ok := scanPattern(pattern)
	if !ok {
		return
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || loopsOverNothing(tree) {
		return
	}
	size := programSize(tree)
	if size > maxProgram {
		return
	}
	fast, err := regexp.Compile(pattern)
	if err != nil || fast.NumSubexp()+1 != groups {
		return
	}
	r.fastGroups = []int{0}
	names := fast.SubexpNames()
	for _, named := range [...]bool{false, true} {
		for i := 1; i < len(names); i++ {
			if (names[i] != "") == named {
				r.fastGroups = append(r.fastGroups, i)
			}
		}
	}
	r.fast, r.limits, r.emptyable, r.size = fast, limits, leastLength(tree) == 0, size
	r.class = letterClassOf(tree)
}

// letterClass is a pattern that is one character class, alone or with a plus: what most patterns are that clean up phone
// numbers and names. For ASCII texts no engine is needed.
type letterClass struct {
	has  [utf8.RuneSelf]bool
	runs bool // a run of such characters is one match
}

func letterClassOf(tree *syntax.Regexp) *letterClass {
	c := new(letterClass)
	if tree.Op == syntax.OpPlus {
		c.runs = tree.Flags&syntax.NonGreedy == 0
		tree = tree.Sub[0]
	}
	if tree.Op != syntax.OpCharClass {
		return nil
	}
	for i := 0; i+1 < len(tree.Rune); i += 2 {
		for r := tree.Rune[i]; r <= tree.Rune[i+1] && r < utf8.RuneSelf; r++ {
			c.has[r] = true
		}
	}
	return c
}

// replaceAll puts text in the place of every match. ok is false for a text that is left to an engine.
func (c *letterClass) replaceAll(st *state, s, text string) (result string, ok bool) {
	buf, changed, inRun := st.buf[:0], false, false
	last := 0
	for i := 0; i < len(s); i++ {
		b := s[i]
		if b >= utf8.RuneSelf || b == '\v' {
			return "", false
		}
		if !c.has[b] {
			inRun = false
			continue
		}
		buf = append(buf, s[last:i]...)
		last, changed = i+1, true
		if !inRun || !c.runs {
			if buf = append(buf, text...); len(buf) > MaxText {
				return "", false
			}
		}
		inRun = true
	}
	st.buf = buf[:0]
	if !changed {
		return s, true
	}
	buf = append(buf, s[last:]...)
	st.buf = buf[:0]
	return string(buf), true
}

// oneFast reports whether the fast engine may look for one match in s, and counts its steps. Without a state nothing is
// counted.
func (r *Regex) oneFast(st *state, s string) bool {
	return r.fast != nil && len(s) <= maxSteps/r.size && st.mayTake(r.size*len(s)) && r.limits.allow(s)
}

// allFast reports whether the fast engine may look for all matches in s, and counts its steps. It can come to the end of
// the text for each match, as with [ab]*c|a.
func (r *Regex) allFast(st *state, s string) bool {
	return r.fast != nil && (s == "" || len(s) <= maxSteps/r.size/len(s)) && st.mayTake(r.size*len(s)*len(s)) && r.limits.allow(s)
}

// mayTake reports whether the fast engine may take so many steps more in this evaluation.
func (st *state) mayTake(steps int) bool {
	if st == nil {
		return true
	}
	if steps > evaluationSteps-st.matching {
		return false
	}
	st.matching += steps
	return true
}

// fastLimits says for which texts the fast engine gives the .NET result.
type fastLimits struct {
	ascii   bool // only ASCII without vertical tab: the pattern has \d, \w, \s, \b or one of their opposites
	noBreak bool // not for texts that end in a line feed: the pattern has $
}

func (l fastLimits) allow(s string) bool {
	if l.noBreak && strings.HasSuffix(s, "\n") {
		return false
	}
	if l.ascii {
		for i := 0; i < len(s); i++ {
			if s[i] >= utf8.RuneSelf || s[i] == '\v' {
				return false
			}
		}
	}
	return true
}

// scanPattern reports whether a pattern consists only of what both engines read in the same way.
func scanPattern(p string) (limits fastLimits, ok bool) {
	class := false
	for i := 0; i < len(p); i++ {
		switch c := p[i]; {
		case c == '\\':
			if i++; i >= len(p) {
				return limits, false
			}
			switch e := p[i]; {
			case strings.IndexByte("dwsDWS", e) >= 0:
				limits.ascii = true
			case strings.IndexByte("bB", e) >= 0 && !class:
				limits.ascii = true
			case strings.IndexByte("Az", e) >= 0 && !class:
			case strings.IndexByte("tnrfv", e) >= 0:
			case strings.IndexByte(`\^$.|?*+()[]{}-/@"'<>=:;,!#%&~ `, e) >= 0:
			default:
				return limits, false
			}
		case class:
			switch {
			case c == ']':
				class = false
			case c == '[': // class subtraction there, [:alpha:] here
				return limits, false
			}
		case c == '[':
			class = true
			if strings.HasPrefix(p[i+1:], "^") {
				i++
			}
			if strings.HasPrefix(p[i+1:], "]") { // a bracket in the first place is a character
				i++
			}
		case c == '$':
			limits.noBreak = true
		case c == '{':
			if !sameCount(p[i+1:]) {
				return limits, false
			}
		case c == '(' && strings.HasPrefix(p[i+1:], "?"):
			if strings.HasPrefix(p[i+2:], ":") {
				i += 2
				continue
			}
			name, ok := groupName(p[i+2:])
			if !ok {
				return limits, false
			}
			i += 2 + len(name)
		}
	}
	return limits, !class
}

// sameCount reports whether what follows a brace is a count to both engines, or to neither. To RE2 a count with a zero in
// front, as in a{01}, is text.
func sameCount(p string) bool {
	for i := 0; i < len(p) && (isDigit(p[i]) || p[i] == ','); i++ {
		leading := i == 0 || p[i-1] == ','
		if leading && p[i] == '0' && i+1 < len(p) && isDigit(p[i+1]) {
			return false
		}
	}
	return true
}

// groupName reads <name> if the name is plain.
func groupName(p string) (string, bool) {
	end := strings.IndexByte(p, '>')
	if end < 2 || p[0] != '<' || isDigit(p[1]) {
		return "", false
	}
	for i := 1; i < end; i++ {
		c := p[i]
		if !isDigit(c) && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') {
			return "", false
		}
	}
	return p[:end+1], true
}

// loopsOverNothing reports whether something that can be empty is repeated: the engines end such loops
// differently.
func loopsOverNothing(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpRepeat, syntax.OpQuest:
		if leastLength(re.Sub[0]) == 0 {
			return true
		}
	default:
	}
	for _, sub := range re.Sub {
		if loopsOverNothing(sub) {
			return true
		}
	}
	return false
}

// programSize estimates the instructions that the fast engine makes of an expression, not too few; what is above the bound does not
// matter.
func programSize(re *syntax.Regexp) int {
	n := 2 + len(re.Sub)
	if re.Op == syntax.OpLiteral {
		n += len(re.Rune)
	}
	for _, sub := range re.Sub {
		n += programSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1) + 1
	}
	return min(n, maxProgram+1)
}

// leastLength gives 0 if the expression can match the empty text, else a positive number.
func leastLength(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return 1
	case syntax.OpCapture, syntax.OpPlus:
		return leastLength(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min == 0 {
			return 0
		}
		return leastLength(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if leastLength(sub) > 0 {
				return 1
			}
		}
		return 0
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if leastLength(sub) == 0 {
				return 0
			}
		}
		return 1
	default:
		return 0
	}
}
