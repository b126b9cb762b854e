package identity

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// The byte form of an object. It is written once per object and cycle: the hash that tells a changed object from an
// unchanged one is taken over these bytes (design D15), and the spool files carry them. Of an object only the hash
// outlives a cycle, so a change of the form costs one full compare. The form of values (AppendValue) is also what the
// engine keeps of an account, so the tags below stay what they are.

const (
	tagNil byte = iota
	tagString
	tagTrue
	tagFalse
	tagInt
	tagFloat
	tagTime
	tagRef
	tagList
	tagMap
)

const (
	flagDisabled byte = 1 << iota
	flagSoftDeleted
	flagAssignment
	flagAssigned
)

// Append adds the byte form of o to dst, with the attributes in the order of names: the same object always gives the
// same bytes, whatever order its connector delivered it in. Attributes that are not named are left out.
func (o *Object) Append(dst []byte, names []string) []byte {
	var flags byte
	if o.Disabled {
		flags |= flagDisabled
	}
	if o.SoftDeleted {
		flags |= flagSoftDeleted
	}
	if o.Assignment != nil {
		flags |= flagAssignment
		if o.Assignment.Assigned {
			flags |= flagAssigned
		}
	}
	dst = append(dst, flags)
	if o.Assignment != nil {
		dst = binary.AppendUvarint(dst, uint64(len(o.Assignment.Roles)))
		for _, r := range o.Assignment.Roles {
			dst = appendText(dst, r.ID)
			dst = appendText(dst, r.Value)
			dst = appendText(dst, r.DisplayName)
		}
	}
	for i, name := range names {
		var v any
		if i < len(o.Attrs) && o.Attrs[i].Name == name { // the usual case: delivered as asked for
			v = o.Attrs[i].Value
		} else {
			v, _ = o.Attrs.Get(name)
		}
		dst = appendValue(dst, v)
	}
	return dst
}

// Decode reads what Append wrote, given the same names. The bytes are trusted: they come from this process' own spool.
func Decode(kind Kind, anchor string, names []string, b []byte) (*Object, error) {
	d := decoder{b: string(b)} // the texts of the object are parts of this one
	o := &Object{Kind: kind, Anchor: anchor}
	flags := d.byte()
	o.Disabled = flags&flagDisabled != 0
	o.SoftDeleted = flags&flagSoftDeleted != 0
	if flags&flagAssignment != 0 {
		o.Assignment = &Assignment{Assigned: flags&flagAssigned != 0}
		for n := d.uvarint(); n > 0 && d.err == nil; n-- {
			o.Assignment.Roles = append(o.Assignment.Roles, Role{ID: d.text(), Value: d.text(), DisplayName: d.text()})
		}
	}
	o.Attrs = make(Attrs, 0, len(names))
	for _, name := range names {
		if v := d.value(); v != nil {
			o.Attrs = append(o.Attrs, Attr{Name: name, Value: v})
		}
	}
	if d.err == nil && len(d.b) > 0 {
		d.err = errors.New("bytes left over")
	}
	if d.err != nil {
		return nil, fmt.Errorf("decode %s %q: %w", kind, anchor, d.err)
	}
	return o, nil
}

// AppendValue adds the byte form of a value to dst.
func AppendValue(dst []byte, v any) []byte { return appendValue(dst, v) }

// DecodeValue reads one value that AppendValue wrote and returns the bytes after it. Texts in the value are parts of b:
// they are not copied.
func DecodeValue(b string) (v any, rest string, err error) {
	d := decoder{b: b}
	v = d.value()
	return v, d.b, d.err
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

func appendValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, tagNil)
	case string:
		return appendText(append(dst, tagString), v)
	case bool:
		if v {
			return append(dst, tagTrue)
		}
		return append(dst, tagFalse)
	case int64:
		return binary.AppendVarint(append(dst, tagInt), v)
	case float64:
		return binary.BigEndian.AppendUint64(append(dst, tagFloat), math.Float64bits(v))
	case time.Time:
		return binary.AppendVarint(append(dst, tagTime), v.UnixMicro())
	case Ref:
		return appendText(appendText(append(dst, tagRef), string(v.Kind)), v.Anchor)
	case []any:
		dst = binary.AppendUvarint(append(dst, tagList), uint64(len(v)))
		for _, e := range v {
			dst = appendValue(dst, e)
		}
		return dst
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		dst = binary.AppendUvarint(append(dst, tagMap), uint64(len(v)))
		for _, k := range keys {
			dst = appendValue(appendText(dst, k), v[k])
		}
		return dst
	}
	return appendValue(dst, Normal(fmt.Sprint(v)))
}

type decoder struct {
	b   string
	err error
}

// mostAhead is how many elements a list or map gets room for on the word of its count alone, so that bytes that are not
// ours cannot ask for much more memory than they have.
const mostAhead = 64

var errShort = errors.New("bytes end early")

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail(errShort)
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = ""
}

func (d *decoder) uvarint() uint64 {
	n, rest, ok := Uvarint(d.b)
	if !ok {
		d.fail(errShort)
		return 0
	}
	d.b = rest
	return n
}

// Uvarint is binary.Uvarint for a text: it returns the number that b begins with and what comes after it.
func Uvarint(b string) (n uint64, rest string, ok bool) {
	for i := 0; i < len(b) && i < binary.MaxVarintLen64; i++ {
		c := b[i]
		if c < 0x80 {
			if i == binary.MaxVarintLen64-1 && c > 1 { // more than 64 bits
				break
			}
			return n | uint64(c)<<(7*i), b[i+1:], true
		}
		n |= uint64(c&0x7f) << (7 * i)
	}
	return 0, "", false
}

func (d *decoder) varint() int64 {
	n := d.uvarint()
	if n&1 != 0 {
		return ^int64(n >> 1)
	}
	return int64(n >> 1)
}

func (d *decoder) text() string {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return ""
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) value() any {
	switch tag := d.byte(); tag {
	case tagNil:
		return nil
	case tagString:
		return d.text()
	case tagTrue:
		return true
	case tagFalse:
		return false
	case tagInt:
		return d.varint()
	case tagFloat:
		if len(d.b) < 8 {
			d.fail(errShort)
			return nil
		}
		f := math.Float64frombits(binary.BigEndian.Uint64([]byte(d.b[:8])))
		d.b = d.b[8:]
		return f
	case tagTime:
		return time.UnixMicro(d.varint()).UTC()
	case tagRef:
		return Ref{Kind: Kind(d.text()), Anchor: d.text()}
	case tagList:
		n := d.uvarint()
		if n > uint64(len(d.b)) {
			d.fail(errShort)
			return nil
		}
		out := make([]any, 0, min(n, mostAhead))
		for ; n > 0 && d.err == nil; n-- {
			out = append(out, d.value())
		}
		return out
	case tagMap:
		n := d.uvarint()
		if n > uint64(len(d.b)) {
			d.fail(errShort)
			return nil
		}
		out := make(map[string]any, min(n, mostAhead))
		for ; n > 0 && d.err == nil; n-- {
			k := d.text()
			out[k] = d.value()
		}
		return out
	default:
		d.fail(fmt.Errorf("unknown tag %d", tag))
		return nil
	}
}
