package scope

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseClause(t *testing.T) {
	for _, tt := range []struct {
		text string
		want Clause
		err  string
	}{
		{text: "department EQUALS Sales", want: Clause{"department", "EQUALS", []string{"Sales"}}},
		{text: "  department   not equals  Sales and Marketing ", want: Clause{"department", "NOT EQUALS", []string{"Sales and Marketing"}}},
		{text: "jobTitle Includes \" rep\"", want: Clause{"jobTitle", "Includes", []string{" rep"}}},
		{text: `jobTitle EQUALS "`, want: Clause{"jobTitle", "EQUALS", []string{`"`}}},
		{text: "mail IS NOT NULL", want: Clause{"mail", "IS NOT NULL", nil}},
		{text: "accountEnabled is_true", want: Clause{"accountEnabled", "IS TRUE", nil}},
		{text: "country & US,CA", want: Clause{"country", "&", []string{"US,CA"}}},
		{text: "employeeId NOT REGEX MATCH 1[0-9]+", want: Clause{"employeeId", "NOT REGEX MATCH", []string{"1[0-9]+"}}},
		{text: "mail ENDS_WITH @example.com", want: Clause{"mail", "ENDS_WITH", []string{"@example.com"}}},
		{text: "department EQUALS", err: "needs a value"},
		{text: "accountEnabled IS TRUE yes", err: "takes no value"},
		{text: "department = Sales", err: "has no operator"},
		{text: "department", err: "has no operator"},
		{text: "", err: "has no operator"},
	} {
		got, err := ParseClause(tt.text)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: error %v, want %q", tt.text, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", tt.text, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%q (- want, + got):\n%s", tt.text, diff)
		}
		again, err := ParseClause(Filter{Groups: []Group{{Clauses: []Clause{got}}}}.Text())
		if err != nil || !cmp.Equal(got, again) {
			t.Errorf("%q is written as something else: %+v, %v", tt.text, again, err)
		}
	}
}

func TestTextOfAFilter(t *testing.T) {
	f := Filter{Groups: []Group{
		{Clauses: []Clause{{"department", "EQUALS", []string{"Sales"}}, {"accountEnabled", "IS TRUE", nil}}},
		{Clauses: []Clause{{"city", "EQUALS", []string{"Graz", "Linz "}}}},
	}}
	if diff := cmp.Diff(`department EQUALS Sales AND accountEnabled IS TRUE OR city EQUALS Graz, "Linz "`, f.Text()); diff != "" {
		t.Error(diff)
	}
}

// FuzzParseClause: a clause comes back from its text as it was.
func FuzzParseClause(f *testing.F) {
	for _, s := range []string{`department EQUALS Sales`, `jobTitle includes "sales "`, `on is_true`, "a NOT  REGEX MATCH x|y", `a !& "`, `a & ""`, "a\tEQUALS b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseClause(text)
		if err != nil {
			return
		}
		written := Filter{Groups: []Group{{Clauses: []Clause{c}}}}.Text()
		again, err := ParseClause(written)
		if diff := cmp.Diff(c, again); err != nil || diff != "" {
			t.Fatalf("%q is written as %q, error %v (-want +got):\n%s", text, written, err, diff)
		}
	})
}
