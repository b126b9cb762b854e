package expr

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// ErrorKind classifies an Error. The words are those of the expression specification, section 9, and are
// stable: test vectors and logs use them.
type ErrorKind string

// The error kinds. All but KindLookup are kinds of the expression specification.
const (
	// KindParse: the text is no expression.
	KindParse ErrorKind = "parse"
	// KindUnknownFunction: a function of that name does not exist.
	KindUnknownFunction ErrorKind = "unknownFunction"
	// KindArgument: wrong number of arguments, a required one omitted, a value outside a fixed list, or
	// something the evaluation was not given (a clock, randomness, the default domain).
	KindArgument ErrorKind = "argument"
	// KindPlacement: SelectUniqueValue is not the outermost function.
	KindPlacement ErrorKind = "placement"
	// KindType: a value cannot be made the wanted kind.
	KindType ErrorKind = "type"
	// KindDate: a date cannot be read or leaves the calendar (years 1 to 9999).
	KindDate ErrorKind = "date"
	// KindRange: an index or a length is out of range.
	KindRange ErrorKind = "range"
	// KindRegex: a bad pattern, an unknown group, or a match that ran out of time.
	KindRegex ErrorKind = "regex"
	// KindNotUnique: every candidate of SelectUniqueValue is taken.
	KindNotUnique ErrorKind = "notUnique"
	// KindLimit: the text is too long or too deeply nested, or a value grew beyond its bound.
	KindLimit ErrorKind = "limit"
	// KindLookup: the uniqueness check of SelectUniqueValue could not be made; Err has the cause.
	KindLookup ErrorKind = "lookup"
)

// Error is a mistake in an expression, or the reason why its evaluation stopped.
//
// Messages never contain the value of an attribute, so that they may be logged.
type Error struct {
	Kind ErrorKind
	// Function is the function that stopped, in its canonical spelling; empty outside of calls.
	Function string
	// Pos is the byte offset into Source of the part that is wrong. An error of CompileRegex or
	// Regex.MatchString has no place: Source is empty, and Pos, Line and Column are 0.
	Pos int
	// Line and Column are where Pos is, both from 1; columns count characters.
	Line, Column int
	// Message says what is wrong.
	Message string
	// Hint says how to mend it; may be empty.
	Hint string
	// Source is the whole text of the expression.
	Source string
	// Err is the cause, if it came from outside the language.
	Err error

	placed bool // Pos, Line, Column and Source are set
	slow   bool // a match ran out of time or memory
	arg    int  // the argument that is to blame, from 1; 0 for the call as a whole
}

// Error gives place, kind, message and hint on one line.
func (e *Error) Error() string {
	var b strings.Builder
	if e.placed {
		fmt.Fprintf(&b, "%d:%d: ", e.Line, e.Column)
	}
	b.WriteString(string(e.Kind))
	b.WriteString(": ")
	if e.Function != "" {
		b.WriteString(e.Function)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Hint != "" {
		b.WriteString(" (")
		b.WriteString(e.Hint)
		b.WriteString(")")
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap gives the cause that came from outside the language, or nil.
func (e *Error) Unwrap() error { return e.Err }

// Render gives the error for a terminal: the message, the line of the expression with a caret under the
// place, and the hint. It ends with a line feed.
func (e *Error) Render() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at line %d, column %d: ", e.Kind, e.Line, e.Column)
	if e.Function != "" {
		b.WriteString(e.Function)
		b.WriteString(": ")
	}
	b.WriteString(e.Message)
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	b.WriteByte('\n')
	line := sourceLine(e.Source, e.Pos)
	line, column := excerpt(line, e.Column)
	b.WriteString("  ")
	b.WriteString(strings.ReplaceAll(line, "\t", " "))
	b.WriteString("\n  ")
	b.WriteString(strings.Repeat(" ", max(column-1, 0)))
	b.WriteString("^\n")
	if e.Hint != "" {
		b.WriteString("  ")
		b.WriteString(e.Hint)
		b.WriteByte('\n')
	}
	return b.String()
}

// excerpt cuts a long line down to the surroundings of column.
func excerpt(line string, column int) (string, int) {
	const before, width = 50, 100
	runes := []rune(line)
	if len(runes) <= width {
		return line, column
	}
	from := min(max(column-before, 0), len(runes)-1)
	to := min(from+width, len(runes))
	cut, shift := string(runes[from:to]), from
	if from > 0 {
		cut = "… " + cut
		shift -= 2
	}
	if to < len(runes) {
		cut += " …"
	}
	return cut, column - shift
}

// place fills in where the error is, unless an inner part has done so already.
func (e *Error) place(src string, pos int) *Error {
	if e.placed {
		return e
	}
	e.placed = true
	e.Pos = pos
	e.Source = src
	e.Line, e.Column = lineColumn(src, pos)
	return e
}

func lineColumn(src string, pos int) (line, column int) {
	before := src[:min(pos, len(src))]
	line = strings.Count(before, "\n") + 1
	column = utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	return line, column
}

func sourceLine(src string, pos int) string {
	pos = min(pos, len(src))
	start := strings.LastIndexByte(src[:pos], '\n') + 1
	rest := src[start:]
	if end := strings.IndexByte(rest, '\n'); end >= 0 {
		rest = rest[:end]
	}
	return strings.TrimSuffix(rest, "\r")
}

func newError(kind ErrorKind, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

func (e *Error) hint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

func (e *Error) in(function string) *Error {
	if e.Function == "" && !e.placed {
		e.Function = function
	}
	return e
}

// forArg says which argument, counted from 0, is to blame.
func (e *Error) forArg(i int) *Error {
	e.arg = i + 1
	return e
}

// again gives a copy of an error that was found at compile time and is met at every evaluation.
func (e *Error) again() *Error {
	c := *e
	return &c
}

// Errors is every mistake that the static check found, in the order of the text. It has at least two
// elements; a single mistake is an *Error.
type Errors []*Error

// Error gives one line for each mistake.
func (es Errors) Error() string {
	lines := make([]string, len(es))
	for i, e := range es {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.As find the first *Error.
func (es Errors) Unwrap() []error {
	out := make([]error, len(es))
	for i, e := range es {
		out[i] = e
	}
	return out
}

// Render gives every mistake as Error.Render does.
func (es Errors) Render() string {
	var b strings.Builder
	for _, e := range es {
		b.WriteString(e.Render())
	}
	return b.String()
}
