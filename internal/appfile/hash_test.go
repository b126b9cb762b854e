package appfile

import (
	"strings"
	"testing"
)

const hashed = `
name: A
source: {connector: directory}
target: {connector: scim, settings: {url: 'https://example.com', rate: 25/s}}
settings: {interval: 40m, scope: assigned}
rules:
  - name: users
    from: User
    to: User
    filter: [[{attribute: department, operator: NOT EQUALS, value: Sales}]]
    attributes:
      - {target: userName, expression: "[mail]", match: 1}
      - {target: active, expression: "Not([IsSoftDeleted])"}
      - {target: title, expression: 'Join(" ", [a], [b])'}
`

// TestHashes: what changes who is in scope or what flows makes the next cycle initial (engine.R11, R41, R75), and what
// does not, does not (design D14).
func TestHashes(t *testing.T) {
	tests := []struct {
		name, old, new    string
		hash, mappingHash bool // whether it changes
	}{
		{"a comment", "name: A", "name: A # the name", false, false},
		{"the order of keys", "{url: 'https://example.com', rate: 25/s}", "{rate: 25/s, url: 'https://example.com'}", false, false},
		{"the spelling of a value", "rate: 25/s", `rate: "25/s"`, false, false},
		{"an empty key", "name: A", "name: A\ntests:", false, false},
		{"a connector's setting", "rate: 25/s", "rate: 20/s", true, false},
		{"a setting of the job", "interval: 40m", "interval: 41m", true, false},
		{"the name", "name: A", "name: B", true, false},
		{"the scope (design D14)", "scope: assigned", "scope: all", true, true},
		{"a filter (design D14)", "value: Sales", "value: Service", true, true},
		{"the spelling of an operator", "NOT EQUALS", "not_equals", true, false},
		{"a mapping (design D14)", "[b]", "[c]", true, true},
		{"blanks in an expression", "[a], [b]", "[a],[b]", true, false},
		{"an attribute more (design D14)", "match: 1}", "match: 1}\n      - {target: nickName, expression: \"[c]\"}", true, true},
		{"the actions of a rule", "to: User", "to: User\n    actions: [create, update]", true, true},
	}
	base, err := Parse([]byte(hashed), "", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := strings.Replace(hashed, tt.old, tt.new, 1)
			if text == hashed {
				t.Fatalf("the file does not contain %q", tt.old)
			}
			f, err := Parse([]byte(text), "", testOptions())
			if err != nil {
				t.Fatal(err)
			}
			if got := f.Hash != base.Hash; got != tt.hash {
				t.Errorf("hash changed: %t, want %t", got, tt.hash)
			}
			if got := f.MappingHash != base.MappingHash; got != tt.mappingHash {
				t.Errorf("mapping hash changed: %t, want %t", got, tt.mappingHash)
			}
		})
	}
}

func TestHashCoversTheTemplate(t *testing.T) {
	const file = "name: A\ntemplate: demo\nsource: {connector: directory}\ntarget: {settings: {url: 'https://example.com', auth: {bearer: {env: T}}}}"
	parse := func(template string) *File {
		f, err := Parse([]byte(file), "", withTemplate(t, template))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	a, b := parse(testTemplate), parse(strings.Replace(testTemplate, "rate: 25/s", "rate: 24/s", 1))
	if a.Hash == b.Hash || a.MappingHash != b.MappingHash {
		t.Errorf("a setting of the template: hash changed %t, mapping hash changed %t; want true, false", a.Hash != b.Hash, a.MappingHash != b.MappingHash)
	}
	if again := parse(testTemplate); again.Hash != a.Hash || again.MappingHash != a.MappingHash {
		t.Error("the same file has two hashes")
	}
}
