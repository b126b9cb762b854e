package packed

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
)

// Coder writes or reads the byte form of a document, field after field.
type Coder struct {
	out     []byte // when writing
	in      string // what is left, when reading
	reading bool
	err     error // the first
}

// ErrDamaged is the error of Unpack for bytes that are no document of the version.
var ErrDamaged = errors.New("the document is damaged, or of another version of rollcall")

// Pack writes a document.
func Pack(version byte, fields func(*Coder)) []byte {
	c := Coder{out: append(make([]byte, 0, 512), version)}
	fields(&c)
	return c.out
}

// Unpack reads a document. The error is ErrDamaged when the bytes are not what Pack wrote with the same version and fields.
func Unpack(version byte, doc []byte, fields func(*Coder)) error {
	if len(doc) == 0 || doc[0] != version {
		return ErrDamaged
	}
	c := Coder{in: string(doc[1:]), reading: true}
	fields(&c)
	if c.err == nil && c.in != "" {
		c.err = ErrDamaged
	}
	return c.err
}

func (c *Coder) fail(err error) {
	if c.err == nil {
		c.err = err
	}
	c.in = ""
}

// Number codes a number that is not negative.
func (c *Coder) Number(n *uint64) {
	if !c.reading {
		c.out = binary.AppendUvarint(c.out, *n)
		return
	}
	v, rest, ok := identity.Uvarint(c.in)
	if !ok {
		c.fail(ErrDamaged)
		v = 0
	}
	*n, c.in = v, rest
}

// Enum codes one of a few numbers.
func Enum[T ~int](c *Coder, v *T) {
	n := uint64(*v)
	c.Number(&n)
	*v = T(n)
}

// Flags codes up to 64 yes-or-nos.
func (c *Coder) Flags(list ...*bool) {
	var bits uint64
	for i, f := range list {
		if *f {
			bits |= 1 << i
		}
	}
	c.Number(&bits)
	for i, f := range list {
		*f = bits&(1<<i) != 0
	}
}

// Text codes a text.
func (c *Coder) Text(s *string) { Text(c, s) }

// Text codes a text of any type.
func Text[T ~string](c *Coder, s *T) {
	n := uint64(len(*s))
	c.Number(&n)
	switch {
	case !c.reading:
		c.out = append(c.out, *s...)
	case n > uint64(len(c.in)):
		c.fail(ErrDamaged)
	default:
		*s, c.in = T(c.in[:n]), c.in[n:]
	}
}

// Word codes a text that is often one of a few. words never loses a word, nor does one change its place.
func (c *Coder) Word(s *string, words *Words) {
	n := uint64(0)
	if !c.reading {
		n = words.places[*s]
	}
	c.Number(&n)
	switch {
	case n == 0:
		c.Text(s)
	case n > uint64(len(words.list)):
		c.fail(ErrDamaged)
	default:
		*s = words.list[n-1]
	}
}

// Words are texts that Word writes as a number.
type Words struct {
	list   []string
	places map[string]uint64 // from 1
}

// NewWords makes words of a list.
func NewWords(list ...string) *Words {
	w := &Words{list: list, places: make(map[string]uint64, len(list))}
	for i, s := range list {
		w.places[s] = uint64(i + 1)
	}
	return w
}

// Bytes codes a fixed number of bytes.
func (c *Coder) Bytes(b []byte) {
	switch {
	case !c.reading:
		c.out = append(c.out, b...)
	case len(c.in) < len(b):
		c.fail(ErrDamaged)
	default:
		c.in = c.in[copy(b, c.in):]
	}
}

// Time codes an instant to the microsecond.
func (c *Coder) Time(t *time.Time) {
	known := !t.IsZero()
	c.Flags(&known)
	if !known {
		*t = time.Time{}
		return
	}
	n := uint64(t.UnixMicro())
	c.Number(&n)
	if c.reading {
		*t = time.UnixMicro(int64(n)).UTC()
	}
}

// Value codes an attribute value with its type.
func (c *Coder) Value(v *any) {
	if !c.reading {
		c.out = identity.AppendValue(c.out, *v)
		return
	}
	got, rest, err := identity.DecodeValue(c.in)
	if err != nil {
		c.fail(fmt.Errorf("%w: %w", ErrDamaged, err))
		return
	}
	*v, c.in = got, rest
}

// Ref codes a reference.
func (c *Coder) Ref(r *identity.Ref) {
	Text(c, &r.Kind)
	c.Text(&r.Anchor)
}

// count codes the length of a list. A length that cannot be, since each element takes at least a byte, is refused before
// anything is made for it.
func (c *Coder) count(n int) int {
	v := uint64(n)
	c.Number(&v)
	if c.reading && v > uint64(len(c.in)) {
		c.fail(ErrDamaged)
		return 0
	}
	return int(v)
}

// List codes a list by the code of its elements; an empty one is read as nil.
func List[T any](c *Coder, l *[]T, each func(*Coder, *T)) {
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

// Map codes a map from names by the code of its values.
func Map[T any](c *Coder, m *map[string]T, each func(*Coder, *T)) {
	n := c.count(len(*m))
	if !c.reading {
		for k, v := range *m {
			c.Text(&k)
			each(c, &v)
		}
		return
	}
	*m = make(map[string]T, n)
	for range n {
		var k string
		var v T
		c.Text(&k)
		each(c, &v)
		(*m)[k] = v
	}
}

// Maybe codes what may be absent.
func Maybe[T any](c *Coder, p **T, each func(*Coder, *T)) {
	there := *p != nil
	c.Flags(&there)
	if c.reading && there {
		*p = new(T)
	}
	if there {
		each(c, *p)
	}
}
