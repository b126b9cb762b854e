package scim

import (
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

func TestQuickReadsTheUsualAndLeavesTheRest(t *testing.T) {
	tests := []struct {
		in   string
		want any
		ok   bool
	}{
		{`{"id":"7","active":true,"x":null,"y":false}`, map[string]any{"id": "7", "active": true, "x": nil, "y": false}, true},
		{" {\n\t\"name\" : { \"a\": \"ü\" } , \"list\": [ 1, -20, [], {} ] }\r\n", map[string]any{"name": map[string]any{"a": "ü"}, "list": []any{1.0, -20.0, []any{}, map[string]any{}}}, true},
		{`"text"`, "text", true},
		{`123456789012345`, 123456789012345.0, true},
		{`{"version":"W/\"1\"","a":"\\\/\b\f\n\r\tü"}`, map[string]any{"version": `W/"1"`, "a": "\\/\b\f\n\r\tü"}, true},
		{`{"a":"\u00e4"}`, nil, false},
		{`"\x"`, nil, false},
		{`"\`, nil, false},
		{"\"\\n\xff\"", nil, false},
		{"\"\\n\n\"", nil, false},
		{`"\"`, nil, false},
		{"{\"a\":\"\xff\"}", nil, false},
		{"\"a\nb\"", nil, false},
		{`{"a":1,"a":2}`, nil, false},
		{`1.5`, nil, false},
		{`1e3`, nil, false},
		{`-0`, nil, false},
		{`01`, nil, false},
		{`1234567890123456`, nil, false},
		{strings.Repeat("[", 20) + strings.Repeat("]", 20), nil, false},
		{``, nil, false},
		{`{`, nil, false},
		{`{"a"}`, nil, false},
		{`{"a":1,}`, nil, false},
		{`[1 2]`, nil, false},
		{`[1,]`, nil, false},
		{`{} {}`, nil, false},
		{`tru`, nil, false},
		{`"open`, nil, false},
		{`-`, nil, false},
	}
	for _, tt := range tests {
		v, ok := readQuick(tt.in)
		got := loose(v)
		if !ok {
			got = nil
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
			t.Errorf("%.60s: %v (-want +got):\n%s", tt.in, ok, diff)
		}
	}
}

// FuzzQuick: what quick reads, package json reads the same.
func FuzzQuick(f *testing.F) {
	for _, s := range []string{`{"id":"7","n":{"a":[1,"x",true,null]}}`, `[ -1 , {} ]`, `"\u00e4"`, `"\"\\\n"`, `1.0`, `{"a":1,"a":2}`, "\"\xff\"", `01`, ` 1 x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := readQuick(s)
		if !ok {
			return
		}
		var want any
		if err := json.Unmarshal([]byte(s), &want, usual); err != nil {
			t.Fatalf("%q was read as %v, package json says %v", s, got, err)
		}
		if diff := cmp.Diff(want, loose(got)); diff != "" {
			t.Fatalf("%q (-json +quick):\n%s", s, diff)
		}
	})
}
