package csvfile

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

func TestDecodeFillsInDefaults(t *testing.T) {
	got, err := Decode(map[string]any{"path": "hr.csv", "key": "id"})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Files: []File{{Kind: identity.User, Path: "hr.csv", Key: "id", Format: Format{Delimiter: ',', Encoding: UTF8, Trim: true}}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestDecodeReadsEverySetting(t *testing.T) {
	got, err := Decode(map[string]any{
		"delimiter": ";", "encoding": "CP1252", "nullText": "NULL", "trim": false,
		"files": []any{
			map[string]any{"path": "hr.csv", "key": "id", "references": map[string]any{"boss": "User", "site": "Site"},
				"active": map[string]any{"attribute": "status", "inactive": []any{"left", 0, false}}},
			map[string]any{"path": "g.csv", "key": "gid", "objectType": "Group", "delimiter": "tab", "encoding": "utf-8", "nullText": "", "trim": true,
				"members": map[string]any{"path": "m.csv", "group": "g", "member": "u"}},
		}})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{Files: []File{
		{Kind: identity.User, Path: "hr.csv", Key: "id", References: map[string]identity.Kind{"boss": identity.User, "site": "Site"},
			Active: Active{Attribute: "status", Inactive: []string{"left", "0", "false"}},
			Format: Format{Delimiter: ';', Encoding: Windows1252, NullText: "NULL"}},
		{Kind: identity.Group, Path: "g.csv", Key: "gid", Members: &Members{Path: "m.csv", Group: "g", Member: "u"},
			Format: Format{Delimiter: '\t', Encoding: UTF8, Trim: true}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestDecodeTellsAllThatIsWrong(t *testing.T) {
	cases := []struct {
		name     string
		settings map[string]any
		want     string
	}{
		{"nothing", nil, "path is missing; key is missing"},
		{"one file", map[string]any{"pathh": "x", "key": 7, "delimiter": "::", "encoding": "ebcdic", "trim": "yes", "references": map[string]any{"boss": 1},
			"active": map[string]any{"attribute": "", "inactive": []any{" "}, "inactiv": "x"}, "members": map[string]any{"path": "m"}},
			`delimiter is one of , ; tab | and not "::"; ` +
				`encoding is one of utf-8, utf-16, utf-16le, utf-16be, windows-1252, iso-8859-1 and not "ebcdic"; trim is true or false; ` +
				`pathh is no setting here; did you mean path?; path is missing; key is a text, not 7; references.boss is the type of the object referred to, such as User; ` +
				`active.inactiv is no setting here; did you mean inactive?; active.attribute is missing; active.inactive has an empty value; an empty cell is always active; ` +
				`members.group is missing; members.member is missing`},
		{"files", map[string]any{"path": "x", "files": []any{"a", map[string]any{"path": "a", "key": "b"}, map[string]any{"path": "c", "key": "d"}}},
			`path is no setting here; files[0] is a map with path and key; files name two files with objectType User; each type has one file`},
		{"no files", map[string]any{"files": []any{}}, "files is a list of files, each with path and key"},
		{"active without values", map[string]any{"path": "x", "key": "y", "active": map[string]any{"attribute": "a"}}, "active.inactive lists the values that mean inactive"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Decode(c.settings)
			var e *connector.Error
			if !errors.As(err, &e) || e.Kind != connector.KindInvalid {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(c.want, e.Detail); diff != "" {
				t.Errorf("- want, + got:\n%s", diff)
			}
		})
	}
}

// Every setting of the table is read, and none that is not in it: an unknown name is refused, so the defaults of the
// table decoded give what Decode gives without them.
func TestSettingsTableAgreesWithDecode(t *testing.T) {
	settings := map[string]any{"path": "hr.csv", "key": "id"}
	for _, s := range Settings() {
		if s.Default == "" {
			continue
		}
		settings[s.Name] = s.Default
		if s.Type == connector.Flag {
			settings[s.Name] = s.Default == "true"
		}
	}
	got, err := Decode(settings)
	if err != nil {
		t.Fatal(err)
	}
	want, err := Decode(map[string]any{"path": "hr.csv", "key": "id"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- without defaults, + with them:\n%s", diff)
	}
	for _, s := range Settings() {
		if s.Type != connector.Choice {
			continue
		}
		for _, v := range s.Values {
			if _, err := Decode(map[string]any{"path": "hr.csv", "key": "id", s.Name: v}); err != nil {
				t.Errorf("%s: %s: %v", s.Name, v, err)
			}
		}
	}
}
