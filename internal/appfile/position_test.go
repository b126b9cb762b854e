package appfile

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestPlacesOfOtherPackagesFindings compares the places of what the packages expr, scope, scim and job find in a file;
// their texts are their own.
func TestPlacesOfOtherPackagesFindings(t *testing.T) {
	_, err := Load("testdata/positions/expressions.yaml", testOptions())
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatalf("error %v, want Problems", err)
	}
	var got strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&got, "%d:%d: %s: %s\n", p.Line, p.Column, p.Severity, p.Path)
	}
	golden(t, "testdata/positions/expressions.txt", []byte(got.String()))
}

// TestPositionsWithinExpressions looks for the place of Nope, however the expression is written down.
func TestPositionsWithinExpressions(t *testing.T) {
	tests := []struct {
		name, written string
		whole         bool // the place is that of the value, not of the part
	}{
		{"plain", `expression: Left(Nope([a]), 1)`, false},
		{"double quotes", `expression: "Left(Nope([a]), 1)"`, false},
		{"double quotes with escapes", `expression: "Join(\"\x41\u00e9\U0001F600\", Nope([a]))"`, false},
		{"single quotes", `expression: 'Join("''", Nope([a]))'`, false},
		{"letters of several bytes", `expression: 'Join("äö😀", Nope([a]))'`, false},
		{"after a key in the same line", `{target: title, expression: "Left(Nope([a]), 1)"}`, false},
		{"literal block", "expression: |\n          Left(\n            Nope([a]), 1)", false},
		{"literal block with a chomping mark and an empty line", "expression: |-\n\n          Nope([a])", false},
		{"folded block", "expression: >\n          Left(Nope([a]), 1)", true},
		{"plain over two lines", "expression: Left(\n          Nope([a]), 1)", true},
		{"quoted over two lines", "expression: \"Left(\n          Nope([a]), 1)\"", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			written := tt.written
			if !strings.HasPrefix(written, "{") {
				written = "target: title\n        " + written
			}
			text := `name: A
source: {connector: directory}
target: {connector: directory}
rules:
  - name: users
    from: User
    to: User
    attributes:
      - {target: userName, expression: "[mail]", match: 1}
      - ` + written + "\n"
			_, err := Parse([]byte(text), "", testOptions())
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 {
				t.Fatalf("problems: %v; want one", err)
			}
			at := strings.Index(text, "Nope")
			if tt.whole {
				at = strings.LastIndex(text, "expression: ") + len("expression: ")
			}
			line := strings.Count(text[:at], "\n") + 1
			column := utf8.RuneCountInString(text[strings.LastIndex(text[:at], "\n")+1:at]) + 1
			if p := problems[0]; p.Line != line || p.Column != column {
				t.Errorf("%s\nwant %d:%d in\n%s", p, line, column, text)
			}
		})
	}
}
