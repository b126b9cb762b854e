package engine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
)

// coder writes or reads the byte form of a document, field after field. A document lists its fields once, and that list
// serves both ways:
//
//	func (x *example) code(c *coder) { c.text(&x.Name); c.flags(&x.Good, &x.Ready) }
//
// The form is compact and quick, because a first load writes and reads several documents for each object. It begins
// with a version. Texts that were read are parts of one string: the whole document.
type coder struct {
	out     []byte // when writing
	in      string // what is left, when reading
	reading bool
	err     error // the first
}

var errDocument = errors.New("the document is damaged, or of another version of rollcall")

// pack writes a document.
func pack(version byte, fields func(*coder)) []byte {
	c := coder{out: append(make([]byte, 0, 512), version)}
	fields(&c)
	return c.out
}

// unpack reads a document.
func unpack(version byte, doc []byte, fields func(*coder)) error {
	if len(doc) == 0 || doc[0] != version {
		return errDocument
	}
	c := coder{in: string(doc[1:]), reading: true}
	fields(&c)
	if c.err == nil && c.in != "" {
		c.err = errDocument
	}
	return c.err
}

func (c *coder) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.in = ""
}

// number codes a number that is not negative.
func (c *coder) number(n *uint64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *n)
		return
	}
	v, rest, ok := identity.Uvarint(c.in)
	if !ok {
		c.fail(errDocument)
		v = 0
	}
	*n, c.in = v, rest
}

// enum codes one of a few numbers.
func enum[T ~int](c *coder, v *T) {
	n := uint64(*v)
	c.number(&n)
	*v = T(n)
}

// flags codes up to 64 yes-or-nos.
func (c *coder) flags(list ...*bool) {
	var bits uint64
	for i, f := range list {
		if *f {
			bits |= 1 << i
		}
	}
	c.number(&bits)
	for i, f := range list {
		*f = bits&(1<<i) != 0
	}
}

func (c *coder) text(s *string) { text(c, s) }

// text codes a text of any type.
func text[T ~string](c *coder, s *T) {
	n := uint64(len(*s))
	c.number(&n)
	switch {
	case !c.reading:
		c.out = append(c.out, *s...)
	case n > uint64(len(c.in)):
		c.fail(errDocument)
	default:
		*s, c.in = T(c.in[:n]), c.in[n:]
	}
}

// bytes codes a fixed number of bytes.
func (c *coder) bytes(b []byte) {
	switch {
	case !c.reading:
		c.out = append(c.out, b...)
	case len(c.in) < len(b):
		c.fail(errDocument)
	default:
		c.in = c.in[copy(b, c.in):]
	}
}

// time codes an instant to the microsecond.
func (c *coder) time(t *time.Time) {
	known := !t.IsZero()
	c.flags(&known)
	if !known {
		*t = time.Time{}
		return
	}
	n := uint64(t.UnixMicro())
	c.number(&n)
	if c.reading {
		*t = time.UnixMicro(int64(n)).UTC()
	}
}

// value codes an attribute value with its type.
func (c *coder) value(v *any) {
	if !c.reading {
		c.out = identity.AppendValue(c.out, *v)
		return
	}
	got, rest, err := identity.DecodeValue(c.in)
	if err != nil {
		c.fail(fmt.Errorf("%w: %w", errDocument, err))
		return
	}
	*v, c.in = got, rest
}

func (c *coder) ref(r *identity.Ref) {
	text(c, &r.Kind)
	c.text(&r.Anchor)
}

// count codes the length of a list. A length that cannot be, since each element takes at least a byte, is refused before
// anything is made for it.
func (c *coder) count(n int) int {
	v := uint64(n)
	c.number(&v)
	if c.reading && v > uint64(len(c.in)) {
		c.fail(errDocument)
		return 0
	}
	return int(v)
}

// list codes a list by the code of its elements; an empty one is read as nil.
func list[T any](c *coder, l *[]T, each func(*coder, *T)) {
	n := c.count(len(*l))
	if c.reading {
		*l = nil
		if n > 0 {
			*l = make([]T, n)
		}
	}
	for i := range *l {
		each(c, &(*l)[i])
	}
}

// mapOf codes a map from names by the code of its values.
func mapOf[T any](c *coder, m *map[string]T, each func(*coder, *T)) {
	n := c.count(len(*m))
	if !c.reading {
		for k, v := range *m {
			c.text(&k)
			each(c, &v)
		}
		return
	}
	*m = make(map[string]T, n)
	for range n {
		var k string
		var v T
		c.text(&k)
		each(c, &v)
		(*m)[k] = v
	}
}

// maybe codes what may be absent.
func maybe[T any](c *coder, p **T, each func(*coder, *T)) {
	there := *p != nil
	c.flags(&there)
	if c.reading && there {
		*p = new(T)
	}
	if there {
		each(c, *p)
	}
}
