package csvfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Source reads files. It keeps nothing between calls; each reads the files anew.
type Source struct {
	files []File
	temp  string // folder for sorting memberships, "" for the system's
}

var (
	_ connector.Source = (*Source)(nil)
	_ connector.Lookup = (*Source)(nil)
)

// New returns the source that cfg describes. Paths that are not absolute start from env.Dir. No file is opened yet.
func New(cfg Config, env connector.Env) *Source {
	s := &Source{files: slices.Clone(cfg.Files)}
	absolute := func(path string) string {
		if filepath.IsAbs(path) {
			return path
		}
		return filepath.Join(env.Dir, path)
	}
	for i := range s.files {
		f := &s.files[i]
		f.Path = absolute(f.Path)
		if f.Members != nil {
			m := *f.Members
			m.Path = absolute(m.Path)
			f.Members = &m
		}
	}
	return s
}

// Schema describes the columns of each file.
func (s *Source) Schema(context.Context) (schema.Schema, error) {
	var out schema.Schema
	for _, f := range s.files {
		o, err := f.describe()
		if err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, nil
}

func (f *File) describe() (o schema.Object, _ error) {
	t, err := open(f.Path, f.Format)
	if err != nil {
		return o, err
	}
	defer t.close()
	if _, err := f.layout(t, nil); err != nil {
		return o, err
	}
	o.Kind = f.Kind
	key := t.column(f.Key)
	references := f.referenceColumns(t)
	for i, name := range t.header {
		if name == "" {
			continue
		}
		a := schema.Attribute{Name: name, Filterable: true}
		if i == key {
			a.Required, a.Unique = true, true
		}
		if kind, ok := references[i]; ok {
			a.Type, a.References = schema.Reference, kind
		}
		o.Attributes = append(o.Attributes, a)
	}
	if f.Members != nil {
		o.Attributes = slices.DeleteFunc(o.Attributes, func(a schema.Attribute) bool { return a.Name == attrMembers })
		o.Attributes = append(o.Attributes, schema.Attribute{Name: attrMembers, Type: schema.Reference, MultiValued: true, References: identity.User})
	}
	return o, nil
}

func (f *File) referenceColumns(t *table) map[int]identity.Kind {
	out := make(map[int]identity.Kind, len(f.References))
	for column, kind := range f.References {
		out[t.column(column)] = kind
	}
	return out
}

// file returns the file with a kind.
func (s *Source) file(kind identity.Kind) (*File, error) {
	var kinds []string
	for i := range s.files {
		if s.files[i].Kind == kind {
			return &s.files[i], nil
		}
		kinds = append(kinds, string(s.files[i].Kind))
	}
	return nil, &connector.Error{Kind: connector.KindInvalid, Op: "read " + string(kind),
		Detail: fmt.Sprintf("no file has objects of type %s, only %s", kind, strings.Join(kinds, ", ")), Hint: "set `objectType` of the file"}
}

// Read delivers every row of the file with the objects of the kind, in the order of the file; groups whose members are
// asked for in the order of their keys. An object has the attributes asked for in the order asked for; an empty cell
// is nil.
//
// A row with too few or too many cells, or a broken quote, is an Item with Err, with its anchor when the key could
// be read; where the key is not the first column, the row may be about either of two objects, and is delivered for
// both. A membership of a group that the file of groups does not have is such an Item with the group's anchor. An
// empty key ends the reading. Keys are not compared with one another: duplicates are the engine's to find.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	f, err := s.file(req.Kind)
	if err != nil {
		return fail(err)
	}
	if f.Members != nil && slices.Contains(req.Attrs, attrMembers) {
		return f.readGroups(ctx, req, s.temp)
	}
	return f.read(ctx, req.Attrs)
}

// Lookup reads the whole file and delivers the objects with the anchors; those that it does not have are Gone.
func (s *Source) Lookup(ctx context.Context, req connector.ReadRequest, anchors []string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		wanted := make(map[string]bool, len(anchors)) // whether it has been found
		for _, a := range anchors {
			wanted[a] = false
		}
		for item, err := range s.Read(ctx, req) {
			if err != nil {
				yield(item, err)
				return
			}
			if item.Object == nil {
				continue
			}
			if _, ok := wanted[item.Object.Anchor]; !ok {
				continue
			}
			wanted[item.Object.Anchor] = true
			if !yield(item, nil) {
				return
			}
		}
		for _, a := range anchors {
			if !wanted[a] {
				wanted[a] = true
				if !yield(connector.Item{Object: &identity.Object{Kind: req.Kind, Anchor: a}, Gone: true}, nil) {
					return
				}
			}
		}
	}
}

func fail(err error) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) { yield(connector.Item{}, err) }
}

// read delivers the rows of the file.
func (f *File) read(ctx context.Context, attrs []string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		t, err := open(f.Path, f.Format)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		defer t.close()
		l, err := f.layout(t, attrs)
		if err != nil {
			yield(connector.Item{}, err)
			return
		}
		for n := 0; ; n++ {
			if n%1024 == 0 {
				err = live(ctx, t.op)
			}
			var bad error
			if err == nil {
				bad, err = t.row()
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if bad != nil {
				if !l.spoiled(t, bad, yield) {
					return
				}
				continue
			}
			item := connector.Item{Line: t.line}
			if err == nil {
				item.Object, err = l.object(t)
			}
			if err != nil {
				yield(connector.Item{}, err)
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// spoiled delivers a row that is bad, and tells whether to go on.
func (l *layout) spoiled(t *table, bad error, yield func(connector.Item, error) bool) bool {
	anchors := l.anchors(t)
	if anchors == nil {
		return yield(connector.Item{Err: bad, Line: t.line}, nil)
	}
	for _, anchor := range anchors {
		if !yield(connector.Item{Object: &identity.Object{Kind: l.file.Kind, Anchor: anchor}, Err: bad, Line: t.line}, nil) {
			return false
		}
	}
	return true
}

// anchors returns whom a bad row may be about. A cell too many or too few moves all cells after it, so the key is
// where it should be counted from the left or from the right; where the two differ both are named, since somebody
// who is not would seem to have left.
func (l *layout) anchors(t *table) (out []string) {
	for _, i := range []int{l.key, l.key + len(t.fields) - len(t.header)} {
		if i < 0 || l.key == 0 && i != 0 {
			continue
		}
		if v := l.cell(t, i); v != nil && !slices.Contains(out, string(v)) {
			out = append(out, string(v))
		}
	}
	return out
}

// layout says where in a row the parts of an object are.
type layout struct {
	file     *File
	key      int
	active   int // -1 for none
	inactive [][]byte
	nullText []byte
	names    []string
	columns  []int           // of names
	kinds    []identity.Kind // of names that are references
	scratch  []byte          // the row's values one after the other
	ends     []int           // where each of names ends in it
	common   []common        // of each of names

	objects []identity.Object // allocated, not yet used
	attrs   identity.Attrs
}

// layout finds the columns of the key, of what the file's settings name, and of attrs.
func (f *File) layout(t *table, attrs []string) (*layout, error) {
	wanted := []string{f.Key}
	if f.Active.Attribute != "" {
		wanted = append(wanted, f.Active.Attribute)
	}
	fixed := len(wanted)
	wanted = append(wanted, attrs...)
	var references []string
	for column := range f.References {
		references = append(references, column)
	}
	slices.Sort(references)
	columns, err := t.columns(append(wanted, references...)...)
	if err != nil {
		return nil, err
	}
	l := &layout{file: f, key: columns[0], active: -1, names: attrs, columns: columns[fixed:len(wanted)], nullText: []byte(f.NullText),
		ends: make([]int, len(attrs)), kinds: make([]identity.Kind, len(attrs)), common: make([]common, len(attrs))}
	if f.Active.Attribute != "" {
		l.active = columns[1]
	}
	for _, v := range f.Active.Inactive {
		l.inactive = append(l.inactive, []byte(strings.TrimSpace(v)))
	}
	byColumn := f.referenceColumns(t)
	for i, c := range l.columns {
		l.kinds[i] = byColumn[c]
	}
	return l, nil
}

// cell returns a cell of the row, nil when it is empty or not there.
func (l *layout) cell(t *table, column int) []byte {
	if column >= len(t.fields) {
		return nil
	}
	v := t.fields[column]
	if l.file.Trim {
		v = trim(v)
	}
	if len(v) == 0 || len(l.nullText) > 0 && bytes.Equal(v, l.nullText) {
		return nil
	}
	return v
}

// trim is bytes.TrimSpace with a quick way out for the usual cell, which has no blanks around it.
func trim(v []byte) []byte {
	if len(v) == 0 || plain(v[0]) && plain(v[len(v)-1]) {
		return v
	}
	return bytes.TrimSpace(v)
}

func plain(c byte) bool { return c > ' ' && c < 0x80 }

// object makes an object of the row.
func (l *layout) object(t *table) (*identity.Object, error) {
	key := l.cell(t, l.key)
	if key == nil {
		return nil, t.invalid(fmt.Sprintf("line %d has no %s: a row without a key could be anybody", t.line, t.header[l.key]), "fill the key column, or remove the row")
	}
	o := l.fresh()
	// Values that come again and again are shared; the others are cut out of one text for the whole row.
	text := append(l.scratch[:0], key...)
	for i, column := range l.columns {
		a := &o.Attrs[i]
		a.Name = l.names[i]
		if column != l.key {
			if v := l.cell(t, column); v != nil {
				if a.Value = l.common[i].find(v, l.kinds[i]); a.Value == nil {
					text = append(text, v...)
				}
			}
		}
		l.ends[i] = len(text)
	}
	l.scratch = text
	row := string(text)
	o.Anchor = row[:len(key)]
	var anchor any
	from := len(key)
	for i, to := range l.ends {
		a := &o.Attrs[i]
		switch {
		case l.columns[i] == l.key:
			if anchor == nil {
				anchor = value(o.Anchor, l.kinds[i])
			}
			a.Value = anchor
		case to > from:
			a.Value = value(row[from:to], l.kinds[i])
		}
		from = to
	}
	if l.active >= 0 {
		o.Disabled = l.isInactive(l.cell(t, l.active))
	}
	return o, nil
}

// batch is how many objects are allocated together, which takes a third of the time that it takes one by one. An
// object that somebody keeps keeps its batch, so it is small.
const batch = 16

// fresh returns an object with room for its attributes.
func (l *layout) fresh() *identity.Object {
	n := len(l.names)
	if len(l.objects) == 0 {
		l.objects = make([]identity.Object, batch)
		l.attrs = make(identity.Attrs, batch*n)
	}
	o := &l.objects[0]
	o.Kind, o.Attrs = l.file.Kind, l.attrs[:n:n]
	l.objects, l.attrs = l.objects[1:], l.attrs[n:]
	return o
}

// value is the value of a cell, a reference when the column refers to a kind.
func value(text string, kind identity.Kind) any {
	if kind != "" {
		return identity.Ref{Kind: kind, Anchor: text}
	}
	return text
}

// common is the values of a column that has few different ones, such as a department. Sharing them spares most of the
// memory that a row takes.
type common struct {
	values map[string]any
	asked  int
	found  int
	given  bool // up: the column has too many different values
}

const (
	commonMost  = 512  // values kept of a column
	commonTrial = 4096 // rows after which a column that repeats itself in less than half of them is given up
)

// find returns the shared value of a cell, nil when the column has none.
func (c *common) find(v []byte, kind identity.Kind) any {
	if c.given || len(v) > 64 {
		return nil
	}
	c.asked++
	if shared, ok := c.values[string(v)]; ok {
		c.found++
		return shared
	}
	if c.asked >= commonTrial && c.found < c.asked/2 {
		c.given, c.values = true, nil
		return nil
	}
	if len(c.values) >= commonMost {
		return nil
	}
	if c.values == nil {
		c.values = map[string]any{}
	}
	shared := value(string(v), kind)
	c.values[string(v)] = shared
	return shared
}

func (l *layout) isInactive(v []byte) bool {
	return v != nil && slices.ContainsFunc(l.inactive, func(i []byte) bool { return bytes.EqualFold(trim(v), i) })
}
