package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseAttr(t *testing.T) {
	type attr struct {
		Name  string
		Value any
	}
	for _, c := range []struct {
		name, arg string
		want      attr
	}{
		{"text", "department=Sales", attr{"department", "Sales"}},
		{"text with equal signs and colons", "q=a=b:=c", attr{"q", "a=b:=c"}},
		{"empty text", "department=", attr{"department", ""}},
		{"digits are text", "n=7", attr{"n", "7"}},
		{"a URN", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department=Sales",
			attr{"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", "Sales"}},
		{"a whole number", "n:=7", attr{"n", int64(7)}},
		{"a whole number that a fraction could not hold", "n:=9007199254740993", attr{"n", int64(9007199254740993)}},
		{"a fraction", "n:=7.5", attr{"n", 7.5}},
		{"a Boolean", "b:=true", attr{"b", true}},
		{"null", "x:=null", attr{"x", nil}},
		{"a list", `x:=["a",1]`, attr{"x", []any{"a", int64(1)}}},
		{"an empty list is no value", "x:=[]", attr{"x", nil}},
		{"a complex value", `x:={"a":[1]}`, attr{"x", map[string]any{"a": []any{int64(1)}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			name, value, err := parseAttr(c.arg)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, attr{name, value}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, arg := range []string{"department", "=Sales", ":=1", "x:=", "x:=Sales", "x:=1 2", "x:=1e999"} {
		if _, _, err := parseAttr(arg); exitCode(err) != exitUsage {
			t.Errorf("parseAttr(%q): error %v, want one of the command line", arg, err)
		}
	}
}

func TestArguments(t *testing.T) {
	var out, errs nopWriter
	cmd := newVersionCommand(&cli{world: world{Out: out, Err: errs}})
	for _, c := range []struct {
		names []string
		args  []string
		ok    bool
	}{
		{nil, nil, true},
		{nil, []string{"a"}, false},
		{[]string{"A"}, nil, false},
		{[]string{"A"}, []string{"a"}, true},
		{[]string{"A"}, []string{"a", "b"}, false},
		{[]string{"[A]"}, nil, true},
		{[]string{"[A]"}, []string{"a", "b"}, false},
		{[]string{"A", "B..."}, []string{"a"}, false},
		{[]string{"A", "B..."}, []string{"a", "b", "c"}, true},
		{[]string{"A", "[B...]"}, []string{"a"}, true},
		{[]string{"A", "[B...]"}, []string{"a", "b", "c"}, true},
	} {
		err := arguments(c.names...)(cmd, c.args)
		if (err == nil) != c.ok || err != nil && exitCode(err) != exitUsage {
			t.Errorf("arguments %q with %q: error %v, want accepted: %v", c.names, c.args, err, c.ok)
		}
	}
}

type nopWriter struct{}

func (nopWriter) Write(p []byte) (int, error) { return len(p), nil }
