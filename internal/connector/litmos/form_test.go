package litmos

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
)

func TestEntitiesAreUndoneWithinATextAndNotBeyond(t *testing.T) { // U3
	for in, want := range map[string]string{
		"plain": "plain", "R&amp;D": "R&D", "O&#39;Neil &quot;Sales&quot;": `O'Neil "Sales"`, "&amp;amp;": "&amp;", "&lt;b&gt;": "<b>",
		"a&b=c": "a&b=c", "AT&copy": "AT&copy", "&": "&", "&;": "&;", "&&amp;": "&&", "&#x1F98A;": "🦊", "&nosuchthing;": "&nosuchthing;",
		"&" + strings.Repeat("x", 40) + ";": "&" + strings.Repeat("x", 40) + ";",
	} {
		if got := unescaped(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	r, _, err := newJSONReader([]byte(`{"Name":"&quot;,&quot;Id&quot;:&quot;x"}`), true).records()
	if err != nil || len(r) != 1 || r[0].text("Name") != `","Id":"x` || r[0].id() != "" {
		t.Errorf("an entity changed the form of the answer: %v %v", r, err)
	}
	r, _, err = newJSONReader([]byte(`{"Name":"R&amp;D"}`), false).records()
	if err != nil || r[0].text("Name") != "R&amp;D" {
		t.Errorf("entities are to be kept: %v %v", r, err)
	}
}

func TestDatesAreReadInEveryForm(t *testing.T) { // U9
	at := time.Date(2021, 9, 21, 0, 23, 46, 0, time.UTC)
	for in, want := range map[string]time.Time{
		"": {}, "2021-09-21T00:23:46Z": at, "2021-09-21T00:23:46.967": at.Add(967 * time.Millisecond), "2021-09-21T02:23:46+02:00": at,
		"2021-09-21 00:23:46": at, "2021-09-21": at.Truncate(24 * time.Hour), "/Date(1632183826000)/": at, "/Date(1632183826000+0200)/": at,
	} {
		if got, err := parseDate(in); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v; want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"yesterday", "/Date(x)/", "21.09.2021"} {
		if got, err := parseDate(in); err == nil {
			t.Errorf("%q is taken for %v", in, got)
		}
	}
}

func TestFlagsAreReadInBothForms(t *testing.T) { // U8
	for _, tt := range []struct {
		in   any
		want bool
		bad  bool
	}{{true, true, false}, {"true", true, false}, {"True", true, false}, {"1", true, false}, {false, false, false}, {"false", false, false},
		{"", false, false}, {"yes", false, true}, {digits("1"), false, true}} {
		got, err := asFlag(tt.in)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("%#v is %v, %v", tt.in, got, err)
		}
	}
}

func TestXMLAndJSONAreReadAlike(t *testing.T) {
	a := &api{cfg: Config{Entities: entitiesUnescape}}
	tests := []struct {
		name, json, xml string
		list            bool
		want            []*record
	}{
		{"one object", `{"Id":"1","Name":"R&amp;D","Brand":null,"LoginKey":"x"}`,
			`<?xml version="1.0"?><Team xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><Id>1</Id><Name>R&amp;D</Name><Brand i:nil="true"/><loginkey>x</loginkey></Team>`,
			false, []*record{{fields: []item{{"Id", "1"}, {"Name", "R&D"}, {"Brand", nil}}}}},
		{"a list", ` [{"Id":"1"},{"Id":"2"}] `, "\ufeff" + `<Teams><Team><Id>1</Id></Team><Team><Id>2</Id></Team></Teams>`,
			true, []*record{{fields: []item{{"Id", "1"}}}, {fields: []item{{"Id", "2"}}}}},
		{"an empty list", `[]`, `<Teams/>`, true, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for form, body := range map[string]string{"JSON": tt.json, "XML": tt.xml} {
				got, list, err := a.parse([]byte(body), nameTeam)
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(record{}, item{})); err != nil || list != tt.list || diff != "" {
					t.Errorf("%s: list %v, %v (-want +got):\n%s", form, list, err, diff)
				}
			}
		})
	}
	for _, body := range []string{"", "null", "7", `"text"`, `{"Id":"1"} {"Id":"2"}`, `[{"Id":"1"}`, `[1]`, `{"Id"`, "<Teams>", "<a><b></a></b>",
		"<Team>" + strings.Repeat("<x>", maxDepth) + strings.Repeat("</x>", maxDepth) + "</Team>",
		`<!DOCTYPE t [<!ENTITY x "y">]><Team><Id>&x;</Id></Team>`} {
		if got, _, err := a.parse([]byte(body), nameTeam); err == nil {
			t.Errorf("%q is read as %v", body, got)
		}
	}
}

func FuzzAnswersAreReadOrRefused(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(fullXML))
	f.Add([]byte(`[{"Id":"1","Parts":[1,{"a":"b"}]},{}]`))
	f.Add([]byte(`<Users><User><Id>1</Id><Name>&#39;</Name></User></Users>`))
	a := &api{cfg: Config{Entities: entitiesUnescape, Format: formatJSON}}
	f.Fuzz(func(t *testing.T, body []byte) {
		list, _, err := a.parse(body, nameUser)
		if err != nil {
			return
		}
		for _, r := range list {
			if _, kept := r.get(fieldLoginKey); kept {
				t.Fatal("a sign-in address was kept")
			}
			// What is read can be written, and is read again as what it was.
			written, err := r.appendJSON(nil)
			if err != nil {
				t.Fatalf("%q cannot be written: %v", body, err)
			}
			again, _, err := newJSONReader(written, false).records()
			if err != nil || len(again) != 1 {
				t.Fatalf("%q was written as %q, which cannot be read: %v", body, written, err)
			}
			for i, it := range r.fields {
				if v, ok := it.value.(string); ok && utf8.ValidString(v) && utf8.ValidString(it.name) && again[0].fields[i].value != v {
					t.Fatalf("%q comes back as %v", v, again[0].fields[i].value)
				}
			}
		}
	})
}

func TestValuesGoOutAndComeBack(t *testing.T) {
	at := time.Date(2027, 1, 31, 23, 59, 0, 0, time.UTC)
	for _, tt := range []struct {
		field string
		value any
		wire  any
		back  any
	}{
		{"JobTitle", "Smith", "Smith", "Smith"}, {"JobTitle", nil, "", nil}, {"JobTitle", int64(7), "7", "7"}, {"JobTitle", true, "true", "true"},
		{"Active", true, true, true}, {"Active", "False", false, false}, {"Active", nil, false, false},
		{"ManagerId", identity.Ref{Kind: identity.User, Anchor: "x"}, "x", identity.Ref{Kind: identity.User, Anchor: "x"}}, {"ManagerId", nil, "0", nil},
		{"ExpirationDate", at, "2027-01-31T23:59:00Z", at}, {"ExpirationDate", nil, "", nil},
	} {
		f, _ := fieldNamed(userFields(), tt.field)
		wire, err := f.wire(tt.value)
		if err != nil || wire != tt.wire {
			t.Errorf("%s %#v is sent as %#v, %v; want %#v", tt.field, tt.value, wire, err, tt.wire)
		}
		if back, err := f.value(wire); err != nil || !identity.Equal(back, tt.back, false) {
			t.Errorf("%s %#v is read as %#v, %v; want %#v", tt.field, wire, back, err, tt.back)
		}
	}
	f, _ := fieldNamed(userFields(), "Active")
	if v, err := f.wire("perhaps"); err == nil {
		t.Errorf("a flag is %v", v)
	}
	f, _ = fieldNamed(userFields(), "JobTitle")
	if v, err := f.wire([]any{"a", "b"}); err == nil {
		t.Errorf("several values became %v", v)
	}
}
