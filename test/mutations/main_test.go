package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestEveryMutationStillMatches: a mutation whose text is gone from the code would prove nothing.
func TestEveryMutationStillMatches(t *testing.T) {
	mutations, err := parse(list)
	if err != nil {
		t.Fatal(err)
	}
	if len(mutations) < 10 {
		t.Errorf("only %d mutations", len(mutations))
	}
	for _, m := range mutations {
		text, err := os.ReadFile(filepath.Join("../..", m.file))
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		if changed, err := m.apply(string(text)); err != nil || changed == string(text) {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

func TestApply(t *testing.T) {
	m := mutation{file: "f", old: []string{"if b {", "return"}, new: []string{"if c {"}}
	for _, tt := range []struct{ name, text, want string }{
		{"lines are replaced, whatever blanks they begin with", "a\n\tif b {\n\t\treturn\n\t}", "a\nif c {\n\t}"},
		{"the first line may be the end of one", "} else if b {\n return\n}", "} else if c {\n}"},
		{"text that is gone is an error", "nothing", ""},
		{"text that occurs twice is an error", "if b {\nreturn\nif b {\nreturn", ""},
	} {
		if got, err := m.apply(tt.text); got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
	}
}
