package csvfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/conntest"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// source makes a source of settings whose files are written from texts by name.
func source(t *testing.T, settings map[string]any, files map[string]string) *Source {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := Decode(settings)
	if err != nil {
		t.Fatal(err)
	}
	s := New(cfg, connector.Env{Dir: dir})
	s.temp = t.TempDir()
	return s
}

// written is an item in a form that is easy to write down: line, anchor, values, and what is wrong.
type written struct {
	Line     int
	Anchor   string
	Values   []any
	Disabled bool
	Err      string
}

func read(t *testing.T, s *Source, kind identity.Kind, attrs ...string) (out []written, err error) {
	t.Helper()
	for item, err := range s.Read(t.Context(), connector.ReadRequest{Kind: kind, Attrs: attrs}) {
		if err != nil {
			return out, err
		}
		w := written{Line: item.Line}
		if item.Err != nil {
			var e *connector.Error
			if !errors.As(item.Err, &e) || e.Kind != connector.KindInvalid {
				t.Errorf("line %d: the error of a row is %T of kind %v", item.Line, item.Err, connector.KindOf(item.Err))
			}
			w.Err = e.Detail
		}
		if o := item.Object; o != nil {
			w.Anchor, w.Disabled = o.Anchor, o.Disabled
			for i, a := range o.Attrs {
				if a.Name != attrs[i] {
					t.Errorf("line %d: attribute %d is %s and not %s", item.Line, i, a.Name, attrs[i])
				}
				w.Values = append(w.Values, a.Value)
			}
		}
		out = append(out, w)
	}
	return out, nil
}

func one(more map[string]any) map[string]any {
	settings := map[string]any{"path": "hr.csv", "key": "id"}
	for k, v := range more {
		settings[k] = v
	}
	return settings
}

func TestReadRows(t *testing.T) {
	ref := func(anchor string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: anchor} }
	cases := []struct {
		name     string
		settings map[string]any
		file     string
		attrs    []string
		want     []written
	}{
		{"columns are delivered as asked for, an empty cell is nil", nil,
			"id,name,title\n1,Ada,Countess\n2,Grace,\n", []string{"title", "name"},
			[]written{{Line: 2, Anchor: "1", Values: []any{"Countess", "Ada"}}, {Line: 3, Anchor: "2", Values: []any{nil, "Grace"}}}},
		{"the key is a column like any other, even asked for twice", nil,
			"name,id\nAda,1\n", []string{"id", "name", "id"}, []written{{Line: 2, Anchor: "1", Values: []any{"1", "Ada", "1"}}}},
		{"leading zeros and formula characters are data (F9)", nil,
			"id,name\n0007,=1+1\n0008,-2\n0009,@SUM(A1)\n", []string{"name"},
			[]written{{Line: 2, Anchor: "0007", Values: []any{"=1+1"}}, {Line: 3, Anchor: "0008", Values: []any{"-2"}}, {Line: 4, Anchor: "0009", Values: []any{"@SUM(A1)"}}}},
		{"quotes hold delimiters, quotes and line ends; the line is where the record begins", nil,
			"id,name\r\n1,\"a, \"\"b\"\"\"\r\n2,\"two\r\nlines\"\r\n\r\n3,c\r\n", []string{"name"},
			[]written{{Line: 2, Anchor: "1", Values: []any{`a, "b"`}}, {Line: 3, Anchor: "2", Values: []any{"two\nlines"}}, {Line: 6, Anchor: "3", Values: []any{"c"}}}},
		{"a quote within a field that has none at its beginning is data", nil,
			"id,name\n1,Robert \"Bob\" Smith\n", []string{"name"}, []written{{Line: 2, Anchor: "1", Values: []any{`Robert "Bob" Smith`}}}},
		{"a last row without a line end is complete when it has all cells", nil,
			"id,name\n1,Ada", []string{"name"}, []written{{Line: 2, Anchor: "1", Values: []any{"Ada"}}}},
		{"blanks around cells are no part of them", nil,
			"id, name \n 1 ,\t Ada \n2, \"Grace\" \n3,   \n", []string{"name"},
			[]written{{Line: 2, Anchor: "1", Values: []any{"Ada"}}, {Line: 3, Anchor: "2", Values: []any{"Grace"}}, {Line: 4, Anchor: "3", Values: []any{nil}}}},
		{"without trim blanks are kept", map[string]any{"trim": false},
			"id,name\n1, Ada \n", []string{"name"}, []written{{Line: 2, Anchor: "1", Values: []any{" Ada "}}}},
		{"nullText is an empty cell", map[string]any{"nullText": "NULL"},
			"id,name\n1,NULL\n2,Nullinger\n3,null\n", []string{"name"},
			[]written{{Line: 2, Anchor: "1", Values: []any{nil}}, {Line: 3, Anchor: "2", Values: []any{"Nullinger"}}, {Line: 4, Anchor: "3", Values: []any{"null"}}}},
		{"delimiter semicolon", map[string]any{"delimiter": ";"}, "id;name\n1;a,b\n", []string{"name"}, []written{{Line: 2, Anchor: "1", Values: []any{"a,b"}}}},
		{"delimiter bar", map[string]any{"delimiter": "|"}, "id|name\n1|Ada\n", []string{"name"}, []written{{Line: 2, Anchor: "1", Values: []any{"Ada"}}}},
		{"delimiter tab, where a tab is no blank", map[string]any{"delimiter": "tab"}, "id\tname\tx\n1\t\t3\n", []string{"name", "x"},
			[]written{{Line: 2, Anchor: "1", Values: []any{nil, "3"}}}},
		{"references point to their kind", map[string]any{"references": map[string]any{"boss": "User"}},
			"id,boss\n1,2\n2,\n", []string{"boss"}, []written{{Line: 2, Anchor: "1", Values: []any{ref("2")}}, {Line: 3, Anchor: "2", Values: []any{nil}}}},
		{"active tells who is disabled, without regard to case and blanks; an empty status is active",
			map[string]any{"active": map[string]any{"attribute": "status", "inactive": []any{"terminated", "Leave", 0}}, "trim": false},
			"id,status\n1,active\n2, TERMINATED \n3,leave\n4,\n5,0\n", nil,
			[]written{{Line: 2, Anchor: "1"}, {Line: 3, Anchor: "2", Disabled: true}, {Line: 4, Anchor: "3", Disabled: true}, {Line: 5, Anchor: "4"}, {Line: 6, Anchor: "5", Disabled: true}}},
		{"header names are found without regard to case when there is no exact one (F2)", nil,
			"ID,Name,name\n1,upper,lower\n", []string{"name"}, []written{{Line: 2, Anchor: "1", Values: []any{"lower"}}}},
		{"a ragged row fails alone, with its anchor", nil,
			"id,name\n1\n2,b,c\n3,d\n", []string{"name"},
			[]written{{Line: 2, Anchor: "1", Err: "line 2: 1 cells where the header has 2"}, {Line: 3, Anchor: "2", Err: "line 3: 3 cells where the header has 2"}, {Line: 4, Anchor: "3", Values: []any{"d"}}}},
		{"a ragged row whose key may have moved is delivered for both it may be about", nil,
			"name,id,x\nAda,Countess,1,x\n", nil,
			[]written{{Line: 2, Anchor: "Countess", Err: "line 2: 4 cells where the header has 3"}, {Line: 2, Anchor: "1", Err: "line 2: 4 cells where the header has 3"}}},
		{"a ragged row without a key has no anchor", nil,
			"id,name\n,b,c\n1,a\n", nil, []written{{Line: 2, Err: "line 2: 3 cells where the header has 2"}, {Line: 3, Anchor: "1"}}},
		{"text after a closing quote spoils the row", nil,
			"id,name\n1,\"a\"b\n2,c\n", []string{"name"},
			[]written{{Line: 2, Anchor: "1", Err: "line 2: text follows the closing quote of a field"}, {Line: 3, Anchor: "2", Values: []any{"c"}}}},
		{"a header alone is a file without objects", nil, "id,name\n", []string{"name"}, nil},
		{"columns without a name are passed over", nil, "id,,name,\n1,x,Ada,y\n", []string{"name"}, []written{{Line: 2, Anchor: "1", Values: []any{"Ada"}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := read(t, source(t, one(c.settings), map[string]string{"hr.csv": c.file}), identity.User, c.attrs...)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("- want, + got:\n%s", diff)
			}
		})
	}
}

func TestRefusedFiles(t *testing.T) {
	cases := []struct {
		name     string
		settings map[string]any
		file     string
		attrs    []string
		detail   string
		hint     string // part of it
	}{
		{"all missing columns are named with the header and what was meant",
			map[string]any{"references": map[string]any{"boss": "User"}, "active": map[string]any{"attribute": "state", "inactive": []any{"x"}}},
			"ID,Name,Status\n", []string{"nam", "zzz", "Name"},
			`it has no column "state" (did you mean "Status"?), "nam" (did you mean "Name"?), "zzz", "boss"; its header is: ID, Name, Status`, "correct the names"},
		{"a missing key", nil, "number,name\n1,Ada\n", nil, `it has no column "id"; its header is: number, name`, "correct"},
		{"another delimiter than the file's", nil, "id;name\n1;Ada\n", nil, `it has no column "id"; its header is: id;name`, "set `delimiter`"},
		{"a header name twice", nil, "id,name,name\n", nil, `the header has "name" more than once`, "name of its own"},
		{"an ambiguous name", nil, "id,NAME,Name\n", []string{"name"}, `it has no column "name" (did you mean "NAME"?); its header is: id, NAME, Name`, "correct"},
		{"an empty key", nil, "id,name\n1,Ada\n ,Grace\n", nil, "line 3 has no id: a row without a key could be anybody", "fill the key"},
		{"a half-written last row", nil, "id,name,x\n1,Ada,y\n2,Gra", nil,
			"its last row, on line 3, has 2 of 3 cells and no line end: the file is half written", "rename"},
		{"a quote that is never closed", nil, "id,name\n1,\"Ada\n2,Grace\n", nil, "line 2: a quote is opened and never closed, the file may be half written", "rename"},
		{"bytes that are not UTF-8", nil, "id,name\n1,Ada\n2,Zo\xeb\n", nil, "line 3: bytes that are not UTF-8: not in the encoding of the file", "windows-1252"},
		{"UTF-16 without a mark", nil, "i\x00d\x00\n\x00", nil, "line 1: NUL bytes: not in the encoding of the file", "utf-16le"},
		{"half a UTF-16 character", map[string]any{"encoding": "utf-16le"}, "i\x00d\x00\n\x001\x00\x00\xd8\n\x00", nil, "line 2: half a UTF-16 character: not in the encoding of the file", "encoding"},
		{"an odd number of bytes", map[string]any{"encoding": "utf-16le"}, "i\x00d\x00\n\x001\x00\n", nil,
			"line 2: an odd number of bytes, the file may be half written: not in the encoding of the file", "encoding"},
		{"an empty file", nil, "", nil, "it is empty, without even a header line", "wait"},
		{"a record without end", nil, "id,name\n1,\"" + strings.Repeat("x\n", maxRecord), nil, "line 2: a record is longer than 1048576 bytes, a quote may be missing", "rename"},
		{"a line without end", nil, "id,name\n1," + strings.Repeat("x", 2*maxRecord), nil, "line 2: a record is longer than 1048576 bytes, a quote may be missing", "rename"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := source(t, one(c.settings), map[string]string{"hr.csv": c.file})
			_, err := read(t, s, identity.User, c.attrs...)
			var e *connector.Error
			if !errors.As(err, &e) {
				t.Fatalf("want a *connector.Error, got %v", err)
			}
			if e.Kind != connector.KindInvalid || e.Detail != c.detail || !strings.Contains(e.Hint, c.hint) || e.Op != "read "+s.files[0].Path {
				t.Errorf("got kind %v\nop     %s\ndetail %s\nhint   %s\nwant   %s", e.Kind, e.Op, e.Detail, e.Hint, c.detail)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	// id,name / 1,Zoë €  (the euro sign is 0x80 in Windows-1252 and not in ISO 8859-1)
	utf16le := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			b.WriteByte(byte(r))
			b.WriteByte(byte(r >> 8))
		}
		return b.String()
	}
	utf16be := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			b.WriteByte(byte(r >> 8))
			b.WriteByte(byte(r))
		}
		return b.String()
	}
	const text = "id,name\n1,Zoë €\n"
	cases := []struct{ name, encoding, file, want string }{
		{"UTF-8", "", text, "Zoë €"},
		{"UTF-8 with a byte order mark", "utf-8", "\uFEFF" + text, "Zoë €"},
		{"UTF-16 little-endian by its mark", "", utf16le("\uFEFF" + text), "Zoë €"},
		{"UTF-16 big-endian by its mark, against the setting", "windows-1252", utf16be("\uFEFF" + text), "Zoë €"},
		{"UTF-16LE by name", "UTF-16LE", utf16le(text), "Zoë €"},
		{"UTF-16BE by name", "utf-16be", utf16be(text), "Zoë €"},
		{"UTF-16 without a mark is big-endian", "utf-16", utf16be(text), "Zoë €"},
		{"UTF-16 with a surrogate pair", "", "\xff\xfe" + utf16le("id,name\n1,") + "\x3d\xd8\x80\xde\n\x00", "🚀"},
		{"Windows-1252", "windows-1252", "id,name\n1,Zo\xeb \x80\n", "Zoë €"},
		{"ISO 8859-1", "ISO-8859-1", "id,name\n1,Zo\xeb\n", "Zoë"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := source(t, one(map[string]any{"encoding": c.encoding}), map[string]string{"hr.csv": c.file})
			got, err := read(t, s, identity.User, "name")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]written{{Line: 2, Anchor: "1", Values: []any{c.want}}}, got); diff != "" {
				t.Errorf("- want, + got:\n%s", diff)
			}
		})
	}
}

func TestLongFileInEveryEncodingReadsTheSame(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,name\n")
	for i := range 5000 {
		fmt.Fprintf(&text, "%d,Zoë %d\n", i, i)
	}
	var latin, wide strings.Builder
	wide.WriteString("\xff\xfe")
	for _, r := range text.String() {
		latin.WriteByte(byte(r))
		wide.WriteByte(byte(r))
		wide.WriteByte(byte(r >> 8))
	}
	want, err := read(t, source(t, one(nil), map[string]string{"hr.csv": text.String()}), identity.User, "name")
	if err != nil || len(want) != 5000 || want[4999].Values[0] != "Zoë 4999" {
		t.Fatal(len(want), err)
	}
	for encoding, file := range map[string]string{"iso-8859-1": latin.String(), "windows-1252": latin.String(), "utf-16": wide.String()} {
		got, err := read(t, source(t, one(map[string]any{"encoding": encoding}), map[string]string{"hr.csv": file}), identity.User, "name")
		if err != nil {
			t.Fatal(encoding, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: - want, + got:\n%s", encoding, diff)
		}
	}
}

func TestMissingFileMayComeAndADirectoryMayNot(t *testing.T) {
	s := New(Config{Files: []File{{Kind: identity.User, Path: "gone.csv", Key: "id"}}}, connector.Env{Dir: t.TempDir()})
	_, err := read(t, s, identity.User)
	if connector.KindOf(err) != connector.KindTemporary || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, kind %v", err, connector.KindOf(err))
	}
	s = New(Config{Files: []File{{Kind: identity.User, Path: t.TempDir(), Key: "id"}}}, connector.Env{})
	if _, err := read(t, s, identity.User); connector.KindOf(err) != connector.KindInvalid {
		t.Errorf("a directory: %v, kind %v", err, connector.KindOf(err))
	}
}

func TestFileThatChangesWhileItIsReadIsRefused(t *testing.T) {
	changes := map[string]func(path string) error{
		"it grows": func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString("3,c\n")
			return errors.Join(err, f.Close())
		},
		"it is written again with the same size": func(path string) error {
			return os.Chtimes(path, time.Time{}, time.Unix(1_000_000_000, 0))
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			s := source(t, one(nil), map[string]string{"hr.csv": "id,name\n1,a\n2,b\n"})
			var last error
			n := 0
			for _, err := range s.Read(t.Context(), connector.ReadRequest{Kind: identity.User}) {
				if n++; n == 1 {
					if err := change(s.files[0].Path); err != nil {
						t.Fatal(err)
					}
				}
				last = err
			}
			var e *connector.Error
			if !errors.As(last, &e) || e.Kind != connector.KindTemporary || e.Detail != "it changed while it was read" {
				t.Errorf("got %v after %d rows", last, n)
			}
		})
	}
}

func groups(more map[string]any) map[string]any {
	group := map[string]any{"objectType": "Group", "path": "groups.csv", "key": "gid",
		"members": map[string]any{"path": "members.csv", "group": "group", "member": "user"}}
	for k, v := range more {
		group[k] = v
	}
	return map[string]any{"files": []any{map[string]any{"path": "hr.csv", "key": "id"}, group}}
}

func TestReadGroups(t *testing.T) {
	users := func(anchors ...string) []any {
		var out []any
		for _, a := range anchors {
			out = append(out, identity.Ref{Kind: identity.User, Anchor: a})
		}
		return out
	}
	cases := []struct {
		name            string
		groups, members string
		attrs           []string
		want            []written
	}{
		{"members are sorted and each is there once, in whatever order the rows come",
			"gid,name\nsales,Sales\nit,IT\nempty,Empty\n", "group,user\nsales,b\nit,z\nsales,a\nsales,b\n", []string{"members", "name"},
			[]written{
				{Line: 4, Anchor: "empty", Values: []any{nil, "Empty"}},
				{Line: 3, Anchor: "it", Values: []any{users("z"), "IT"}},
				{Line: 2, Anchor: "sales", Values: []any{users("a", "b"), "Sales"}},
			}},
		{"without members the second file is not even opened",
			"gid,name\nsales,Sales\n", "", []string{"name"}, []written{{Line: 2, Anchor: "sales", Values: []any{"Sales"}}}},
		{"a membership of an unknown group is an item with an error, once per group",
			"gid,name\nsales,Sales\n", "group,user\nops,a\nsales,a\nzoo,c\nops,b\n", []string{"members"},
			[]written{
				{Line: 2, Anchor: "ops", Err: `line 2: a membership of "ops", which is no group of GROUPS`},
				{Line: 2, Anchor: "sales", Values: []any{users("a")}},
				{Line: 4, Anchor: "zoo", Err: `line 4: a membership of "zoo", which is no group of GROUPS`},
			}},
		{"a membership without a member spoils its group",
			"gid,name\nsales,Sales\nit,IT\n", "group,user\nsales,a\nsales,\nit,b\n", []string{"members"},
			[]written{
				{Line: 3, Anchor: "it", Values: []any{users("b")}},
				{Line: 2, Anchor: "sales", Err: `line 3: a membership of "sales" without a member`},
			}},
		{"a bad row of the groups is delivered, and its members are not those of an unknown group",
			"gid,name\nsales\nit,IT\n", "group,user\nsales,a\nit,b\n", []string{"members"},
			[]written{
				{Line: 2, Anchor: "sales", Err: "line 2: 1 cells where the header has 2"},
				{Line: 3, Anchor: "it", Values: []any{users("b")}},
			}},
		{"two groups with one key are both delivered with the members",
			"gid,name\nit,One\nit,Two\n", "group,user\nit,b\n", []string{"name", "members"},
			[]written{{Line: 2, Anchor: "it", Values: []any{"One", users("b")}}, {Line: 3, Anchor: "it", Values: []any{"Two", users("b")}}}},
		{"a key that begins with another key is another group",
			"gid,name\na,A\nab,AB\n\"a b\",A B\n", "group,user\na b,3\nab,2\na,1\n", []string{"members"},
			[]written{{Line: 2, Anchor: "a", Values: []any{users("1")}}, {Line: 4, Anchor: "a b", Values: []any{users("3")}}, {Line: 3, Anchor: "ab", Values: []any{users("2")}}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := source(t, groups(nil), map[string]string{"groups.csv": c.groups, "members.csv": c.members})
			got, err := read(t, s, identity.Group, c.attrs...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range got {
				got[i].Err = strings.ReplaceAll(got[i].Err, s.files[1].Path, "GROUPS")
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("- want, + got:\n%s", diff)
			}
		})
	}
}

func TestMembersThatCannotBeTrustedRefuseTheGroups(t *testing.T) {
	cases := []struct{ name, members, detail string }{
		{"a row without a group", "group,user\n,a\n", "line 2: it cannot be told which group the row is about"},
		{"a ragged row where the group is not the first column", "user,group\na,sales,x\n", "line 2: it cannot be told which group the row is about"},
		{"a missing column", "grp,user\nsales,a\n", `it has no column "group" (did you mean "grp"?); its header is: grp, user`},
		{"a half-written file", "group,user\nsales", "its last row, on line 2, has 1 of 2 cells and no line end: the file is half written"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := source(t, groups(nil), map[string]string{"groups.csv": "gid\nsales\n", "members.csv": c.members})
			_, err := read(t, s, identity.Group, "members")
			var e *connector.Error
			if !errors.As(err, &e) || e.Kind != connector.KindInvalid || e.Detail != c.detail {
				t.Errorf("got %v, want %s", err, c.detail)
			}
			if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
				t.Errorf("files left behind: %v, %v", left, err)
			}
		})
	}
}

func TestManyMembershipsGoThroughFiles(t *testing.T) {
	const n, perGroup = 2000, 100
	var g, m strings.Builder
	g.WriteString("gid\n")
	m.WriteString("group,user\n")
	for i := range n {
		fmt.Fprintf(&g, "g%d\n", (i*7919)%n)
	}
	for i := range n * perGroup {
		fmt.Fprintf(&m, "g%d,u%d\n", (i*7919)%n, i)
	}
	s := source(t, groups(nil), map[string]string{"groups.csv": g.String(), "members.csv": m.String()})
	seen := map[string]bool{}
	for item, err := range s.Read(t.Context(), connector.ReadRequest{Kind: identity.Group, Attrs: []string{"members"}}) {
		if err != nil || item.Err != nil {
			t.Fatal(err, item.Err)
		}
		list, _ := item.Object.Get("members")
		if l, _ := list.([]any); len(l) != perGroup {
			t.Fatalf("%s has %d members", item.Object.Anchor, len(l))
		}
		seen[item.Object.Anchor] = true
	}
	if len(seen) != n {
		t.Errorf("%d groups", len(seen))
	}
	if left, err := os.ReadDir(s.temp); err != nil || len(left) > 0 {
		t.Errorf("files left behind: %v, %v", left, err)
	}
}

func TestSchemaDescribesColumns(t *testing.T) {
	s := source(t, map[string]any{"files": []any{
		map[string]any{"path": "hr.csv", "key": "ID", "references": map[string]any{"boss": "User"}},
		map[string]any{"path": "groups.csv", "key": "gid", "objectType": "Group", "members": map[string]any{"path": "m.csv", "group": "g", "member": "u"}},
	}}, map[string]string{"hr.csv": "id,name,,boss\n", "groups.csv": "gid,members\n"})
	got, err := s.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := schema.Schema{
		{Kind: identity.User, Attributes: []schema.Attribute{
			{Name: "id", Required: true, Unique: true, Filterable: true}, {Name: "name", Filterable: true},
			{Name: "boss", Filterable: true, Type: schema.Reference, References: identity.User}}},
		{Kind: identity.Group, Attributes: []schema.Attribute{
			{Name: "gid", Required: true, Unique: true, Filterable: true},
			{Name: "members", Type: schema.Reference, MultiValued: true, References: identity.User}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("- want, + got:\n%s", diff)
	}
}

func TestReadCompany(t *testing.T) {
	cfg, err := Decode(map[string]any{"path": "testdata/hr-2014-01-31.csv", "key": "employee_id",
		"references": map[string]any{"manager_id": "User"}, "active": map[string]any{"attribute": "status", "inactive": []any{"terminated", "leave"}}})
	if err != nil {
		t.Fatal(err)
	}
	people, disabled, managed := 0, 0, 0
	for item, err := range New(cfg, connector.Env{}).Read(t.Context(), connector.ReadRequest{Kind: identity.User, Attrs: []string{"email", "manager_id"}}) {
		if err != nil || item.Err != nil {
			t.Fatal(err, item.Err)
		}
		people++
		if item.Object.Disabled {
			disabled++
		}
		if v, ok := item.Object.Get("manager_id"); ok {
			if _, isRef := v.(identity.Ref); isRef {
				managed++
			}
		}
		if item.Line != people+1 {
			t.Fatalf("person %d on line %d", people, item.Line)
		}
	}
	if people != 287 || disabled != 2 || managed < 280 {
		t.Errorf("%d people, %d disabled, %d with a manager", people, disabled, managed)
	}
}

func TestSourceKeepsTheContract(t *testing.T) {
	const file = "id,name,title,boss\n1,Ada,Countess,2\n2,\"Zoë 🚀 \"\"q\"\", x\",,\n3,\"" + "two\nlines" + "\",Dr.,1\na,lower,,\nA,upper,,\n"
	person := func(anchor string, attrs ...any) *identity.Object {
		o := &identity.Object{Kind: identity.User, Anchor: anchor}
		for i := 0; i < len(attrs); i += 2 {
			o.Attrs = append(o.Attrs, identity.Attr{Name: attrs[i].(string), Value: attrs[i+1]})
		}
		return o
	}
	ref := func(a string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: a} }
	conntest.RunSource(t, func(t *testing.T) conntest.SourceCase {
		return conntest.SourceCase{
			Source: source(t, one(map[string]any{"references": map[string]any{"boss": "User"}}), map[string]string{"hr.csv": file}),
			Kind:   identity.User, Attrs: []string{"name", "boss", "title"},
			Want: []*identity.Object{
				person("1", "name", "Ada", "title", "Countess", "boss", ref("2")),
				person("2", "name", `Zoë 🚀 "q", x`),
				person("3", "name", "two\nlines", "title", "Dr.", "boss", ref("1")),
				person("a", "name", "lower"), person("A", "name", "upper"),
			},
		}
	})
	t.Run("groups", func(t *testing.T) {
		conntest.RunSource(t, func(t *testing.T) conntest.SourceCase {
			group := func(anchor, name string, members ...any) *identity.Object {
				o := &identity.Object{Kind: identity.Group, Anchor: anchor, Attrs: identity.Attrs{{Name: "name", Value: name}}}
				if members != nil {
					o.Attrs = append(o.Attrs, identity.Attr{Name: "members", Value: members})
				}
				return o
			}
			return conntest.SourceCase{
				Source: source(t, groups(nil), map[string]string{"hr.csv": "id\n", "groups.csv": "gid,name\ns,Sales\ni,IT\ne,Empty\n", "members.csv": "group,user\ni,2\ns,2\ns,1\n"}),
				Kind:   identity.Group, Attrs: []string{"members", "name"},
				Want: []*identity.Object{group("s", "Sales", ref("1"), ref("2")), group("i", "IT", ref("2")), group("e", "Empty")},
			}
		})
	})
}

func TestLookupDeliversARowThatIsBad(t *testing.T) {
	s := source(t, one(nil), map[string]string{"hr.csv": "id,name\n1\n2,b\n"})
	var got []connector.Item
	for item, err := range s.Lookup(t.Context(), connector.ReadRequest{Kind: identity.User}, []string{"1"}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, item)
	}
	if len(got) != 1 || got[0].Err == nil || got[0].Gone || got[0].Object.Anchor != "1" {
		t.Errorf("got %+v", got)
	}
}
