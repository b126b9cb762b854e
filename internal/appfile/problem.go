package appfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/job"
)

// Severity tells whether a problem makes the app file unusable.
type Severity = job.Severity

// The severities.
const (
	Error   = job.Error
	Warning = job.Warning
)

// Problem is one thing that is wrong with an app file.
type Problem struct {
	File     string   `json:"file,omitempty"`
	Line     int      `json:"line"`   // from 1
	Column   int      `json:"column"` // in characters, from 1
	Severity Severity `json:"severity"`
	Path     string   `json:"path,omitempty"` // of the value in the merged document: rules[0].attributes[2].expression
	Message  string   `json:"message"`
	Hint     string   `json:"hint,omitempty"` // how to mend it
}

// String gives file, line, column, severity, message and hint on one line, in the form that editors can jump to.
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		b.WriteByte(':')
	}
	fmt.Fprintf(&b, "%d:%d: %s: %s", p.Line, p.Column, p.Severity, p.Message)
	if p.Hint != "" {
		b.WriteString("; ")
		b.WriteString(p.Hint)
	}
	return b.String()
}

// Problems is every problem of one app file, in the order of the text. As an error it holds at least one that is not a
// warning.
type Problems []Problem

// Error gives one line for each problem.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Errors returns the problems that are not warnings.
func (ps Problems) Errors() Problems { return ps.with(Error) }

// Warnings returns the warnings.
func (ps Problems) Warnings() Problems { return ps.with(Warning) }

func (ps Problems) with(s Severity) Problems {
	var out Problems
	for _, p := range ps {
		if p.Severity == s {
			out = append(out, p)
		}
	}
	return out
}

// sorted returns the problems in the order of the text, each once: an alias shows the same text in several places.
func (ps Problems) sorted() Problems {
	out := slices.Clone(ps)
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.CompactFunc(out, func(a, b Problem) bool {
		a.Path = b.Path
		return a == b
	})
}
