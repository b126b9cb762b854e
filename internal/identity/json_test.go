package identity

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseJSON(t *testing.T) {
	tests := []struct {
		name, in string
		want     any
		err      string
	}{
		{"text", `"a"`, "a", ""},
		{"a whole number", `7`, int64(7), ""},
		{"the largest whole number", `9223372036854775807`, int64(9223372036854775807), ""},
		{"a whole number beyond 64 bits is a fraction", `9223372036854775808`, 9223372036854775808.0, ""},
		{"a fraction", `1.5`, 1.5, ""},
		{"an exponent is a fraction", `1e2`, 100.0, ""},
		{"numbers within lists and objects", ` {"a": [1, {"b": 2.5}]} `, map[string]any{"a": []any{int64(1), map[string]any{"b": 2.5}}}, ""},
		{"an empty list stays", `[]`, []any{}, ""},
		{"null", `null`, nil, ""},
		{"a number that no computer holds", `[1e999]`, nil, "1e999 is too large for a number"},
		{"the same in an object", `{"a": 1e999}`, nil, "1e999 is too large for a number"},
		{"nothing", ``, nil, "it ends early"},
		{"half a list", `[1,`, nil, "it ends early"},
		{"no JSON", `a`, nil, "invalid character"},
		{"a second value", `1 2`, nil, `"2" follows the value`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ParseJSON([]byte(tt.in))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("ParseJSON: %v, want %q in it", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("ParseJSON (-want +got):\n%s", diff)
			}
		})
	}
}
