package scim

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func wantType(t *testing.T, err error, want ErrorType) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v, want *Error of type %s", err, want)
	}
	if e.ScimType != want || e.Status < 400 || e.Detail == "" {
		t.Fatalf("error %+v, want type %s, a status and a detail", *e, want)
	}
}

func TestFilterTreeAndPrint(t *testing.T) {
	a, b, c := Eq(Path{Attribute: "a"}, "1"), Eq(Path{Attribute: "b"}, true), Eq(Path{Attribute: "c"}, json.Number("-2.5e3"))
	tests := []struct {
		name, in string
		want     Filter
		print    string
	}{
		{"and binds tighter than or", `a eq "1" or b eq true and c eq -2.5e3`,
			&Logical{Or: true, Left: a, Right: &Logical{Left: b, Right: c}}, `a eq "1" or b eq true and c eq -2.5e3`},
		{"parentheses group", `(a eq "1" or b eq true) and c eq -2.5e3`,
			&Logical{Left: &Logical{Or: true, Left: a, Right: b}, Right: c}, `(a eq "1" or b eq true) and c eq -2.5e3`},
		{"operators group to the left", `a eq "1" and b eq true and c eq -2.5e3`,
			&Logical{Left: &Logical{Left: a, Right: b}, Right: c}, `a eq "1" and b eq true and c eq -2.5e3`},
		{"needless parentheses go", `((a eq "1"))`, a, `a eq "1"`},
		{"not without a blank", `NOT(a eq "1")`, &Not{a}, `not (a eq "1")`},
		{"an attribute may be called not", `not pr`, &Compare{Path: Path{Attribute: "not"}, Operator: Present}, `not pr`},
		{"a value path alone", `emails[a eq "1" or b eq true]`,
			&Has{Path{Attribute: "emails", Filter: &Logical{Or: true, Left: a, Right: b}}}, `emails[a eq "1" or b eq true]`},
		{"a value path with pr", `emails[a eq "1"] pr`,
			&Compare{Path: Path{Attribute: "emails", Filter: a}, Operator: Present}, `emails[a eq "1"] pr`},
		{"a value path with sub-attribute (P-04)", `emails[a eq "1"].value ne null`,
			&Compare{Path: Path{Attribute: "emails", Filter: a, SubAttribute: "value"}, Operator: NotEqual}, `emails[a eq "1"].value ne null`},
		{"escapes are read as in JSON", `a eq "\u0031"`, a, `a eq "1"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseFilter(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			if got.String() != tt.print {
				t.Errorf("printed %s, want %s", got, tt.print)
			}
		})
	}
}

func TestParseFilterRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"nothing":                         "",
		"a bare attribute":                "userName",
		"a value without quotation marks": "userName eq mira",
		"a Boolean in capitals":           "active eq True",
		"an open text":                    `userName eq "mira`,
		"an open text ending in \\":       `userName eq "mira\`,
		"a bad escape":                    `userName eq "\x"`,
		"an open parenthesis":             `(userName pr`,
		"a lone closing parenthesis":      `userName pr)`,
		"and at the end":                  `userName pr and`,
		"two filters":                     `userName pr title pr`,
		"no blank before the value":       `userName eq"x"`,
		"a leading zero":                  "a eq 01",
		"a schema instead of attribute":   UserURN + ` eq "x"`,
		"brackets within brackets":        `a[b[c pr]]`,
		"deep nesting":                    strings.Repeat("(", 5000) + "a pr" + strings.Repeat(")", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ParseFilter(in)
			wantType(t, err, InvalidFilter)
			if f != nil {
				t.Errorf("filter %s beside an error", f)
			}
		})
	}
}

func TestFilterOfManyComparisons(t *testing.T) {
	joined := func(n int) string { return strings.Repeat("title pr or ", n-1) + "title pr" }
	if _, err := ParseFilter(joined(maxComparisons)); err != nil {
		t.Errorf("%d comparisons: %.200v", maxComparisons, err)
	}
	_, err := ParseFilter(joined(maxComparisons + 1))
	wantType(t, err, InvalidFilter)
	if n := len(err.Error()); n > 1000 {
		t.Errorf("the error has %d bytes", n)
	}
}

func TestMatch(t *testing.T) {
	def := NewDefinition("Thing", "/Things", Schema{ID: "urn:example:core:Thing", Attributes: []Attribute{
		{Name: "count", Type: Integer}, {Name: "code", Type: String, CaseExact: true}, {Name: "label", Type: String},
		{Name: "on", Type: Boolean}, {Name: "at", Type: DateTime}, {Name: "blob", Type: Binary},
		{Name: "parts", Type: Complex, SubAttributes: []Attribute{{Name: "x"}}},
		{Name: "owner", Type: Complex, SubAttributes: []Attribute{{Name: "value"}}},
		{Name: "rows", Type: Complex, MultiValued: true, SubAttributes: []Attribute{{Name: "k"}, {Name: "n", Type: Integer}}},
	}})
	thing := decode[map[string]any](t, []byte(`{"id":"A1","count":7,"code":"Ab","label":"Straße","on":true,
		"at":"2026-02-01T10:00:00+01:00","blob":"QUI=","parts":{"x":"1"},"owner":{"value":"U1"},"free":"X","flag":false,"num":3,
		"rows":[{"k":"a","n":1},{"k":"b","n":2}]}`))
	tests := []struct {
		filter string
		want   bool
	}{
		{`count gt 6`, true}, {`count gt 7`, false}, {`count le 7.0`, true}, {`count ne 7`, false}, {`count lt 10`, true},
		{`code eq "Ab"`, true}, {`code eq "ab"`, false}, {`code sw "a"`, false}, {`code ew "b"`, true},
		{`label eq "STRAßE"`, true}, {`label co "RAẞ"`, true}, {`label gt "strasse"`, true},
		{`on eq "True"`, true}, {`on ne "False"`, true}, {`on ne true`, false},
		{`at eq "2026-02-01T09:00:00Z"`, true}, {`at lt "2026-02-01T09:00:00.001Z"`, true}, {`at co "02-01"`, true},
		{`blob eq "QUI="`, true}, {`blob eq "qui="`, true},
		{`id eq "a1"`, false}, {`ID eq "A1"`, true},
		{`parts pr`, true}, {`owner eq "u1"`, true}, {`owner.value eq "U1"`, true},
		{`free eq "x"`, true}, {`flag eq false`, true}, {`flag eq "false"`, true}, {`num ge 3`, true}, {`num eq "3"`, false},
		{`free gt 3`, false}, {`missing pr`, false}, {`missing eq "x"`, false}, {`missing ne "x"`, true},
		{`label eq null`, false}, {`missing eq null`, true}, {`label ne null`, true},
		{`rows[k eq "a" and n eq 2]`, false}, {`rows.k eq "a" and rows.n eq 2`, true}, {`rows[k eq "b"].n eq 2`, true},
		{`rows.k ne "a"`, true}, {`not (rows.k eq "a")`, false}, {`rows[n gt 5]`, false}, {`rows[not (k eq "a")]`, true},
		{`meta.resourceType pr or code pr`, true},
	}
	for _, tt := range tests {
		t.Run(tt.filter, func(t *testing.T) {
			f, err := ParseFilter(tt.filter)
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Match(thing, def)
			if err != nil || got != tt.want {
				t.Errorf("%v, %v, want %v", got, err, tt.want)
			}
		})
	}
	for _, in := range []string{
		`on gt true`, `on co "t"`, `on eq "yes"`, `count co 7`, `count eq "7"`, `at gt "yesterday"`, `blob gt "A"`,
		`parts eq "1"`, `code eq 7`, `label gt null`, `rows[n co 1]`,
		`free gt true`, `flag co false`, // also where no definition says that it is a Boolean (RFC 7644 3.4.2.2)
	} {
		t.Run("refused: "+in, func(t *testing.T) {
			f, err := ParseFilter(in)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Match(thing, def)
			wantType(t, err, InvalidFilter)
		})
	}
	for _, in := range []string{`free eq "x"`, `urn:example:Other:a pr`, `rows.z pr`, `rows[z pr]`, `parts[x pr]`} {
		t.Run("refused if strict: "+in, func(t *testing.T) {
			f, err := ParseFilter(in)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Match(thing, def); err != nil {
				t.Errorf("refused although not strict: %v", err)
			}
			_, err = f.Match(thing, def.AsStrict())
			wantType(t, err, InvalidFilter)
		})
	}
}

// TestReferenceCheckQueries covers the queries of scim.R34.
func TestReferenceCheckQueries(t *testing.T) {
	user := decode[map[string]any](t, []byte(`{"id":"7710ab","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":{"value":"7702fe"}}}`))
	group := decode[map[string]any](t, []byte(`{"id":"g31","members":[{"value":"7710ab"}]}`))
	tests := []struct {
		filter   string
		resource map[string]any
		def      *Definition
		want     bool
	}{
		{`id eq "7710ab" and manager eq "7702fe"`, user, UserDefinition(), true},
		{`manager eq "7702fe" and id eq "7710ab"`, user, UserDefinition(), true},
		{`id eq "7710ab" and manager eq "other"`, user, UserDefinition(), false},
		{`id eq "g31" and members eq "7710ab"`, group, GroupDefinition(), true},
		{`id eq "g31" and members eq "7710ac"`, group, GroupDefinition(), false},
	}
	for _, tt := range tests {
		f, err := ParseFilter(tt.filter)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.Match(tt.resource, tt.def); err != nil || got != tt.want {
			t.Errorf("%s: %v, %v, want %v", tt.filter, got, err, tt.want)
		}
	}
}

// TestQuote covers scim.R14.
func TestQuote(t *testing.T) {
	for _, tt := range []struct {
		in   any
		want string
	}{
		{`O'Malley`, `"O'Malley"`}, {`say "hi"`, `"say \"hi\""`}, {`back\slash`, `"back\\slash"`},
		{"tab\tline\n", `"tab\u0009line\u000a"`}, {"Müller 😀", `"Müller 😀"`}, {"<&>", `"<&>"`}, {"\xff", "\"\uFFFD\""},
		{true, "true"}, {nil, "null"}, {json.Number("1.0"), "1.0"}, {42, "42"}, {1.5, "1.5"},
	} {
		if got := Quote(tt.in); got != tt.want {
			t.Errorf("Quote(%q) = %s, want %s", tt.in, got, tt.want)
		}
	}
}
