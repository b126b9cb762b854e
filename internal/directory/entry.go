package directory

import (
	"bytes"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Entry is a user or a group as the directory keeps it. Object has every attribute that has a value, in the order of
// the schema; a manager is a Ref; the members of a group are only in it where a method says so.
type Entry struct {
	identity.Object
	Sequence int64     // number of the transaction that changed it last
	Created  time.Time // UTC
	Changed  time.Time
	Deleted  time.Time // when it was soft-deleted; zero while it is live
}

// row is an object as it lies in dir_object.
type row struct {
	id      string
	seq     int64
	active  bool
	deleted int64 // microseconds, 0 while live
	created int64
	changed int64
	manager string // id, "" for none
	doc     []byte // JSON object of all other attributes, in the order of the catalogue
	raw     sql.RawBytes
}

// rowColumns are the columns of a row, in the order in which they are scanned.
const rowColumns = "id, seq, active, deleted, created, changed, manager, doc"

// entry decodes the whole row.
func (r *row) entry(c *catalogue) (Entry, error) {
	attrs, err := c.decode(r.doc)
	if err != nil {
		return Entry{}, fmt.Errorf("%s %s: %w", noun(c.kind), r.id, err)
	}
	e := Entry{Object: identity.Object{Kind: c.kind, Anchor: r.id, Attrs: make(identity.Attrs, 0, len(attrs)+2)},
		Sequence: r.seq, Created: database.Time(r.created), Changed: database.Time(r.changed), Deleted: database.Time(r.deleted)}
	for _, d := range c.order {
		switch d.Name {
		case c.active:
			e.Attrs.Set(d.Name, r.active)
		case Manager:
			if r.manager != "" {
				e.Attrs.Set(Manager, identity.Ref{Kind: identity.User, Anchor: r.manager})
			}
		default:
			if v, ok := attrs.Get(d.Name); ok {
				e.Attrs = append(e.Attrs, identity.Attr{Name: d.Name, Value: v})
			}
		}
	}
	for _, a := range attrs {
		if isExtension(a.Name) {
			e.Attrs = append(e.Attrs, a)
		}
	}
	r.flags(c, &e.Object)
	return e, nil
}

// flags sets what an object says of itself beside its attributes.
func (r *row) flags(c *catalogue, o *identity.Object) {
	o.Disabled = c.active == AccountEnabled && !r.active
	o.SoftDeleted = r.deleted != 0
}

// encode writes attributes as a JSON object in the order of the catalogue, own extensions last and by name. What has
// columns or tables of its own is left out.
func (c *catalogue) encode(attrs identity.Attrs) []byte {
	sorted := slices.Clone(attrs)
	slices.SortFunc(sorted, func(a, b identity.Attr) int {
		i, aOwn := c.byName[a.Name]
		j, bOwn := c.byName[b.Name]
		switch {
		case aOwn && bOwn:
			return i - j
		case aOwn:
			return -1
		case bOwn:
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	out := []byte{'{'}
	for _, a := range sorted {
		if a.Value == nil || a.Name == c.active || a.Name == Manager || a.Name == Members {
			continue
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(appendQuoted(out, a.Name), ':')
		if l, ok := a.Value.([]any); ok {
			out = append(out, '[')
			for i, e := range l {
				if i > 0 {
					out = append(out, ',')
				}
				out = appendScalar(out, e)
			}
			out = append(out, ']')
			continue
		}
		out = appendScalar(out, a.Value)
	}
	return append(out, '}')
}

func appendScalar(dst []byte, v any) []byte {
	switch v := v.(type) {
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case string:
		return appendQuoted(dst, v)
	}
	return append(dst, "null"...) // not reached: accept lets nothing else through
}

// appendQuoted quotes text that accept has found to be valid UTF-8, which is all that quoting could fail at.
func appendQuoted(dst []byte, s string) []byte {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		return append(dst, '"', '"')
	}
	return out
}

// decode reads every attribute of a document, in its order.
func (c *catalogue) decode(doc []byte) (identity.Attrs, error) {
	var attrs identity.Attrs
	err := newDecoder().each(doc,
		func(name []byte) int {
			attrs = append(attrs, identity.Attr{Name: string(name)})
			return len(attrs) - 1
		},
		func(i int, v any) { attrs[i].Value = v })
	return attrs, err
}

// decoder reads documents one after the other with the same buffers.
type decoder struct {
	in  bytes.Reader
	dec *jsontext.Decoder
}

func newDecoder() *decoder {
	d := &decoder{}
	d.dec = jsontext.NewDecoder(&d.in)
	return d
}

// each asks slot for every name in the document and hands the value to use under the number it gave; a value with a
// negative number is skipped without being decoded.
func (d *decoder) each(doc []byte, slot func(name []byte) int, use func(slot int, v any)) error {
	if err := d.object(doc, slot, use); err != nil {
		return fmt.Errorf("stored attributes: %w", err)
	}
	return nil
}

func (d *decoder) object(doc []byte, slot func(name []byte) int, use func(slot int, v any)) error {
	d.in.Reset(doc)
	d.dec.Reset(&d.in)
	if _, err := d.dec.ReadToken(); err != nil {
		return err
	}
	for d.dec.PeekKind() != '}' {
		raw, err := d.dec.ReadValue()
		if err != nil {
			return err
		}
		i := slot(raw[1 : len(raw)-1]) // names need no escapes
		if i < 0 {
			if err := d.dec.SkipValue(); err != nil {
				return err
			}
			continue
		}
		v, err := d.value()
		if err != nil {
			return err
		}
		use(i, v)
	}
	return nil
}

func (d *decoder) value() (any, error) {
	tok, err := d.dec.ReadToken()
	if err != nil {
		return nil, err
	}
	switch kind := tok.Kind(); {
	case kind == '"':
		return tok.String(), nil
	case kind == 't' || kind == 'f':
		return tok.Bool(), nil
	case kind == '[':
		var list []any
		for d.dec.PeekKind() != ']' {
			v, err := d.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.dec.ReadToken()
		return list, err
	}
	return nil, nil
}
