package job

import "fmt"

// Severity tells whether a problem stops a job from being saved.
type Severity string

// The severities.
const (
	Error   Severity = "error"   // the job cannot be saved
	Warning Severity = "warning" // the job can be saved and probably does not do what is wanted
)

// Problem is one thing that is wrong with a job.
type Problem struct {
	// Path names the place in the form of the app file (design 6.2), for instance rules[0].attributes[2].expression.
	Path     string
	Severity Severity
	Message  string // what is wrong
	Hint     string // how to mend it; may be empty
	// Line and Column are the place within the text at Path, from 1, where that text is an expression; else 0.
	Line, Column int
}

// String gives path, severity, message and hint on one line.
func (p Problem) String() string {
	s := fmt.Sprintf("%s: %s: %s", p.Path, p.Severity, p.Message)
	if p.Line > 0 {
		s += fmt.Sprintf(" at line %d, column %d", p.Line, p.Column)
	}
	if p.Hint != "" {
		s += "; " + p.Hint
	}
	return s
}
