package csvfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Config is what the source reads.
type Config struct {
	Files []File
}

// File is one file, the complete list of one kind of object.
type File struct {
	Kind       identity.Kind
	Path       string // relative paths start from connector.Env.Dir
	Key        string // column of the anchor
	References map[string]identity.Kind
	Active     Active
	Members    *Members // nil when the objects have no members
	Format
}

// Format is how a file is written.
type Format struct {
	Delimiter byte
	Encoding  Encoding
	NullText  string // a cell with exactly this text is empty; "" for none
	Trim      bool   // blanks around a cell are no part of it
}

// Active says which column tells whether somebody is active. The zero value says that everybody is.
type Active struct {
	Attribute string
	Inactive  []string // values that mean inactive, compared without regard to case; an empty cell is active
}

// Members is a file with one membership in each row.
type Members struct {
	Path   string
	Group  string // column with the key of the group
	Member string // column with the key of the member, a User
}

// attrMembers is the attribute that memberships are delivered as.
const attrMembers = "members"

// Settings describes the settings of the source. Either the settings of one file stand on their own, or `files` is a
// list of them; the format may then stand beside `files` for all.
func Settings() []connector.Setting {
	return append(fileSettings(),
		connector.Setting{Name: "files", Type: connector.List, Help: "Several files, each with settings of its own; instead of `path` and `key`.",
			Fields: append(fileSettings(), connector.Setting{Name: "members", Type: connector.Map, Help: "File with one membership in each row, for groups.",
				Fields: []connector.Setting{
					{Name: "path", Type: connector.Path, Required: true, Help: "The file."},
					{Name: "group", Type: connector.Text, Required: true, Help: "Column with the key of the group."},
					{Name: "member", Type: connector.Text, Required: true, Help: "Column with the key of the member."},
				}})})
}

func fileSettings() []connector.Setting {
	return []connector.Setting{
		{Name: "path", Type: connector.Path, Help: "The file, the complete list of its objects with a header line."},
		{Name: "key", Type: connector.Text, Help: "Column whose value tells one object from another and never changes."},
		{Name: "objectType", Type: connector.Text, Default: string(identity.User), Help: "What the rows are: User, Group, or a name of your own."},
		{Name: "references", Type: connector.Map, Help: "Columns that hold the key of another object, each with the type of that object, such as {manager_id: User}."},
		{Name: "active", Type: connector.Map, Help: "Which column says whether somebody is active.",
			Fields: []connector.Setting{
				{Name: "attribute", Type: connector.Text, Required: true, Help: "The column."},
				{Name: "inactive", Type: connector.List, Required: true, Help: "Values that mean inactive, without regard to case; an empty cell is active."},
			}},
		{Name: "delimiter", Type: connector.Choice, Default: ",", Values: []string{",", ";", "tab", "|"}, Help: "What stands between two cells."},
		{Name: "encoding", Type: connector.Choice, Default: string(UTF8),
			Values: []string{string(UTF8), string(UTF16), string(UTF16LE), string(UTF16BE), string(Windows1252), string(Latin1)},
			Help:   "How characters are written; a byte order mark in the file outranks it."},
		{Name: "nullText", Type: connector.Text, Help: "Text that stands for an empty cell, such as NULL; an empty cell is always empty."},
		{Name: "trim", Type: connector.Flag, Default: "true", Help: "Blanks around a cell are no part of its value."},
	}
}

// Decode reads the settings of an app file. The error tells all that is wrong with them at once.
func Decode(settings map[string]any) (Config, error) {
	d := &decoder{}
	var c Config
	list, several := settings["files"]
	common := d.format(settings, "", Format{Delimiter: ',', Encoding: UTF8, Trim: true})
	if !several {
		d.known(settings, "", append(names(fileSettings()), "members")...)
		c.Files = []File{d.file(settings, "", common)}
	} else {
		d.known(settings, "", "files", "delimiter", "encoding", "nullText", "trim")
		files, ok := list.([]any)
		if !ok || len(files) == 0 {
			d.problem("files", "is a list of files, each with path and key")
		}
		for i, f := range files {
			at := fmt.Sprintf("files[%d]", i)
			m, ok := f.(map[string]any)
			if !ok {
				d.problem(at, "is a map with path and key")
				continue
			}
			d.known(m, at, append(names(fileSettings()), "members")...)
			c.Files = append(c.Files, d.file(m, at, common))
		}
	}
	seen := map[identity.Kind]bool{}
	for _, f := range c.Files {
		if seen[f.Kind] {
			d.problem("files", fmt.Sprintf("name two files with objectType %s; each type has one file", f.Kind))
		}
		seen[f.Kind] = true
	}
	if d.problems == nil {
		return c, nil
	}
	return Config{}, &connector.Error{Kind: connector.KindInvalid, Op: "read the settings of the csv source", Detail: strings.Join(d.problems, "; ")}
}

func names(settings []connector.Setting) []string {
	out := make([]string, len(settings))
	for i, s := range settings {
		out[i] = s.Name
	}
	return out
}

// decoder reads settings and collects what is wrong with them.
type decoder struct{ problems []string }

func (d *decoder) problem(at, text string) {
	d.problems = append(d.problems, fmt.Sprintf("%s %s", at, text))
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

// known refuses settings that do not exist.
func (d *decoder) known(m map[string]any, at string, allowed ...string) {
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(allowed, name) {
			text := "is no setting here"
			if near := nearest(name, allowed); near != "" {
				text += "; did you mean " + near + "?"
			}
			d.problem(join(at, name), text)
		}
	}
}

func (d *decoder) text(m map[string]any, at, name string, required bool) string {
	v, there := m[name]
	s, ok := v.(string)
	switch {
	case there && v != nil && !ok:
		d.problem(join(at, name), fmt.Sprintf("is a text, not %v", v))
	case required && strings.TrimSpace(s) == "":
		d.problem(join(at, name), "is missing")
	}
	return s
}

func (d *decoder) sub(m map[string]any, at, name string) map[string]any {
	v, there := m[name]
	sub, ok := v.(map[string]any)
	if there && v != nil && !ok {
		d.problem(join(at, name), "is a map")
	}
	return sub
}

func (d *decoder) format(m map[string]any, at string, f Format) Format {
	if _, there := m["delimiter"]; there {
		switch s := d.text(m, at, "delimiter", false); s {
		case ",", ";", "|", "\t":
			f.Delimiter = s[0]
		case "tab", `\t`:
			f.Delimiter = '\t'
		default:
			d.problem(join(at, "delimiter"), fmt.Sprintf("is one of , ; tab | and not %q", s))
		}
	}
	if _, there := m["encoding"]; there {
		name := d.text(m, at, "encoding", false)
		enc, ok := parseEncoding(name)
		if !ok {
			d.problem(join(at, "encoding"), fmt.Sprintf("is one of utf-8, utf-16, utf-16le, utf-16be, windows-1252, iso-8859-1 and not %q", name))
		}
		f.Encoding = enc
	}
	if _, there := m["nullText"]; there {
		f.NullText = d.text(m, at, "nullText", false)
	}
	if v, there := m["trim"]; there {
		var ok bool
		if f.Trim, ok = v.(bool); !ok {
			d.problem(join(at, "trim"), "is true or false")
		}
	}
	return f
}

func (d *decoder) file(m map[string]any, at string, common Format) File {
	f := File{Kind: identity.User, Path: d.text(m, at, "path", true), Key: d.text(m, at, "key", true), Format: common}
	if at != "" {
		f.Format = d.format(m, at, common)
	}
	if kind := d.text(m, at, "objectType", false); kind != "" {
		f.Kind = identity.Kind(kind)
	}
	references := d.sub(m, at, "references")
	for _, column := range slices.Sorted(maps.Keys(references)) {
		kind, ok := references[column].(string)
		if !ok || kind == "" {
			d.problem(join(at, "references."+column), "is the type of the object referred to, such as User")
			continue
		}
		if f.References == nil {
			f.References = map[string]identity.Kind{}
		}
		f.References[column] = identity.Kind(kind)
	}
	if active := d.sub(m, at, "active"); active != nil {
		at := join(at, "active")
		d.known(active, at, "attribute", "inactive")
		f.Active.Attribute = d.text(active, at, "attribute", true)
		f.Active.Inactive = d.inactive(active["inactive"], at)
	}
	if members := d.sub(m, at, "members"); members != nil {
		at := join(at, "members")
		d.known(members, at, "path", "group", "member")
		f.Members = &Members{Path: d.text(members, at, "path", true), Group: d.text(members, at, "group", true), Member: d.text(members, at, "member", true)}
	}
	return f
}

// inactive reads the list of values that mean inactive. YAML makes numbers and booleans of some of them.
func (d *decoder) inactive(v any, at string) []string {
	list, ok := v.([]any)
	if !ok && v != nil {
		list = []any{v}
	}
	var out []string
	for _, e := range list {
		s := strings.TrimSpace(fmt.Sprint(e))
		if s == "" {
			d.problem(join(at, "inactive"), "has an empty value; an empty cell is always active")
			continue
		}
		out = append(out, s)
	}
	if len(list) == 0 {
		d.problem(join(at, "inactive"), "lists the values that mean inactive")
	}
	return out
}

// nearest returns the known name that a wrong one is most likely meant for, "" when none is near.
func nearest(name string, known []string) string {
	best, least := "", 1+len([]rune(name))/3
	for _, k := range known {
		if n := distance(strings.ToLower(name), strings.ToLower(k)); n <= least && (best == "" || n < least) {
			best, least = k, n
		}
	}
	return best
}

// distance is the number of letters to insert, delete or replace that turns a into b.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	row := make([]int, len(y)+1)
	for j := range row {
		row[j] = j
	}
	for i := range x {
		before := row[0] // of the row above, one column back
		row[0] = i + 1
		for j := range y {
			cost := before
			if x[i] != y[j] {
				cost++
			}
			before = row[j+1]
			row[j+1] = min(cost, row[j]+1, before+1)
		}
	}
	return row[len(y)]
}
