package packed_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/packed"
)

type state int

type document struct {
	Number   uint64
	State    state
	A, B, C  bool
	Name     string
	Kind     identity.Kind
	Common   string
	Rare     string
	Hash     [4]byte
	At, Null time.Time
	Value    any
	Refs     []identity.Ref
	None     []string
	Counts   map[string]uint64
	Child    *document
}

func (d *document) code(c *packed.Coder) {
	words := packed.NewWords("success", "failure")
	c.Number(&d.Number)
	packed.Enum(c, &d.State)
	c.Flags(&d.A, &d.B, &d.C)
	c.Text(&d.Name)
	packed.Text(c, &d.Kind)
	c.Word(&d.Common, words)
	c.Word(&d.Rare, words)
	c.Bytes(d.Hash[:])
	c.Time(&d.At)
	c.Time(&d.Null)
	c.Value(&d.Value)
	packed.List(c, &d.Refs, (*packed.Coder).Ref)
	packed.List(c, &d.None, packed.Text)
	packed.Map(c, &d.Counts, func(c *packed.Coder, n *uint64) { c.Number(n) })
	packed.Maybe(c, &d.Child, func(c *packed.Coder, d *document) { d.code(c) })
}

func example() *document {
	return &document{
		Number: math.MaxUint64, State: 3, A: true, C: true, Name: "Zoë", Kind: identity.Group, Common: "failure", Rare: "something else", Hash: [4]byte{0, 1, 0xff, 2},
		At: time.Date(1815, 12, 10, 1, 2, 3, 4000, time.UTC), Value: []any{"a", int64(-7)}, Refs: []identity.Ref{{Kind: identity.User, Anchor: "1"}, {}},
		Counts: map[string]uint64{"a": 1, "": 0}, Child: &document{Name: "child", Counts: map[string]uint64{}},
	}
}

func TestADocumentIsReadAsItWasWritten(t *testing.T) {
	want := example()
	got := new(document)
	if err := packed.Unpack(7, packed.Pack(7, want.code), got.code); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWordsTakeOneByte(t *testing.T) {
	words := packed.NewWords("success")
	for text, want := range map[string]int{"success": 2, "": 3, "Success": 10} { // the version and the number stand before
		if got := len(packed.Pack(1, func(c *packed.Coder) { c.Word(&text, words) })); got != want {
			t.Errorf("%q takes %d bytes, want %d", text, got, want)
		}
	}
}

func TestBytesThatAreNoDocumentAreAnError(t *testing.T) {
	good := packed.Pack(7, example().code)
	bad := map[string][]byte{"nothing": nil, "another version": append([]byte{8}, good[1:]...), "a byte too many": append(good[:len(good):len(good)], 0)}
	for i := range good {
		bad[string(good[:i])] = good[:i]
	}
	for name, doc := range bad {
		if err := packed.Unpack(7, doc, new(document).code); !errors.Is(err, packed.ErrDamaged) {
			t.Errorf("%q: got the error %v", name, err)
		}
	}
	if err := packed.Unpack(7, []byte{7, 9}, func(c *packed.Coder) { var s string; c.Word(&s, packed.NewWords("one")) }); !errors.Is(err, packed.ErrDamaged) {
		t.Errorf("a word that is not known: got the error %v", err)
	}
}

// FuzzUnpack: any bytes are an error, or a document that survives being written again.
func FuzzUnpack(f *testing.F) {
	f.Add(packed.Pack(1, example().code))
	f.Add(packed.Pack(1, new(document).code))
	f.Fuzz(func(t *testing.T, doc []byte) {
		d, again := new(document), new(document)
		if err := packed.Unpack(1, doc, d.code); err != nil {
			return
		}
		b := packed.Pack(1, d.code)
		if err := packed.Unpack(1, b, again.code); err != nil {
			t.Fatal(err)
		}
		if a, b := packed.Pack(1, again.code), packed.Pack(1, d.code); len(a) != len(b) { // maps are written in any order
			t.Errorf("%q became %q", b, a)
		}
	})
}
