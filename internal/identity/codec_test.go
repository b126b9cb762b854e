package identity

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// aValue draws every form a value may have; depth limits how far lists and complex values go into each other.
func aValue(depth int) *rapid.Generator[any] {
	forms := []*rapid.Generator[any]{
		rapid.String().AsAny(),
		rapid.Bool().AsAny(),
		rapid.Int64().AsAny(),
		rapid.Float64().AsAny(),
		rapid.Custom(func(t *rapid.T) any {
			// The byte form keeps microseconds, as the databases do.
			return time.UnixMicro(rapid.Int64Range(-1<<55, 1<<55).Draw(t, "microseconds")).UTC()
		}),
		rapid.Custom(func(t *rapid.T) any {
			return Ref{Kind: Kind(rapid.SampledFrom([]string{"User", "Group", ""}).Draw(t, "kind")), Anchor: rapid.String().Draw(t, "anchor")}
		}),
	}
	if depth > 0 {
		forms = append(forms,
			rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(aValue(depth-1), 1, 100).Draw(t, "list") }),
			rapid.Custom(func(t *rapid.T) any {
				return rapid.MapOfN(rapid.String(), aValue(depth-1), 0, 5).Draw(t, "complex")
			}))
	}
	return rapid.OneOf(forms...)
}

var aText = rapid.StringN(0, 5, -1)

// anObject draws an object with some of the names, and the names.
func anObject(t *rapid.T) (*Object, []string) {
	names := rapid.SliceOfNDistinct(rapid.StringN(1, 6, -1), 0, 8, rapid.ID[string]).Draw(t, "names")
	o := &Object{
		Kind:        Kind(rapid.SampledFrom([]string{"User", "Group"}).Draw(t, "kind")),
		Anchor:      aText.Draw(t, "anchor"),
		Attrs:       Attrs{},
		Disabled:    rapid.Bool().Draw(t, "disabled"),
		SoftDeleted: rapid.Bool().Draw(t, "soft-deleted"),
	}
	if rapid.Bool().Draw(t, "knows assignments") {
		o.Assignment = &Assignment{Assigned: rapid.Bool().Draw(t, "assigned")}
		for range rapid.IntRange(0, 3).Draw(t, "roles") {
			o.Assignment.Roles = append(o.Assignment.Roles, Role{ID: aText.Draw(t, "id"), Value: aText.Draw(t, "value"), DisplayName: aText.Draw(t, "name")})
		}
	}
	for _, n := range names {
		if rapid.IntRange(0, 3).Draw(t, "present") > 0 {
			o.Attrs = append(o.Attrs, Attr{Name: n, Value: aValue(2).Draw(t, "value")})
		}
	}
	return o, names
}

func TestDecodeGivesBackWhatAppendWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, names := anObject(t)
		prefix := []byte("before")
		b := o.Append(prefix, names)
		if !bytes.HasPrefix(b, prefix) {
			t.Fatalf("Append lost what was there: %q", b)
		}
		got, err := Decode(o.Kind, o.Anchor, names, b[len(prefix):])
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(o, got); diff != "" {
			t.Fatalf("the object changed (-want +got):\n%s", diff)
		}
	})
}

func TestAppendHangsOnNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, names := anObject(t)
		want := o.Append(nil, names)

		mixed := *o
		mixed.Attrs = rapid.Permutation(o.Attrs).Draw(t, "another order")
		mixed.Attrs = append(mixed.Attrs, Attr{Name: "not asked for", Value: "x"})
		if got := mixed.Append(nil, names); !bytes.Equal(want, got) {
			t.Fatalf("another order of attributes or one more gave other bytes:\n%q\n%q", want, got)
		}
	})
}

func TestMissingAndNilAreTheSameBytes(t *testing.T) {
	names := []string{"mail", "phone"}
	missing := &Object{Kind: User, Anchor: "1", Attrs: Attrs{{"mail", "a"}}}
	null := &Object{Kind: User, Anchor: "1", Attrs: Attrs{{"mail", "a"}, {"phone", nil}}}
	empty := &Object{Kind: User, Anchor: "1", Attrs: Attrs{{"mail", "a"}, {"phone", ""}}}
	if !bytes.Equal(missing.Append(nil, names), null.Append(nil, names)) {
		t.Error("an attribute of nil and an absent one differ")
	}
	if bytes.Equal(missing.Append(nil, names), empty.Append(nil, names)) {
		t.Error("empty text and an absent attribute do not differ")
	}
	got, err := Decode(User, "1", names, null.Append(nil, names))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(missing, got); diff != "" {
		t.Errorf("nil is not absent afterwards (-want +got):\n%s", diff)
	}
}

func TestEveryDifferenceShowsInTheBytes(t *testing.T) { // design D15: the hash over the bytes tells a changed object
	names := []string{"a", "b"}
	objects := map[string]*Object{
		"nothing":                   {},
		"disabled":                  {Disabled: true},
		"soft-deleted":              {SoftDeleted: true},
		"not assigned":              {Assignment: &Assignment{}},
		"assigned":                  {Assignment: &Assignment{Assigned: true}},
		"a role":                    {Assignment: &Assignment{Assigned: true, Roles: []Role{{ID: "1", Value: "r"}}}},
		"the role's name":           {Assignment: &Assignment{Assigned: true, Roles: []Role{{ID: "1", Value: "r", DisplayName: "R"}}}},
		"text":                      {Attrs: Attrs{{"a", "1"}}},
		"the text of the neighbour": {Attrs: Attrs{{"b", "1"}}},
		"a number":                  {Attrs: Attrs{{"a", int64(1)}}},
		"a fraction":                {Attrs: Attrs{{"a", 1.0}}},
		"true":                      {Attrs: Attrs{{"a", true}}},
		"false":                     {Attrs: Attrs{{"a", false}}},
		"a time":                    {Attrs: Attrs{{"a", time.UnixMicro(1).UTC()}}},
		"a user":                    {Attrs: Attrs{{"a", Ref{User, "1"}}}},
		"a group":                   {Attrs: Attrs{{"a", Ref{Group, "1"}}}},
		"a list":                    {Attrs: Attrs{{"a", []any{"1"}}}},
		"a list of two":             {Attrs: Attrs{{"a", []any{"1", "2"}}}},
		"the list turned":           {Attrs: Attrs{{"a", []any{"2", "1"}}}},
		"a complex value":           {Attrs: Attrs{{"a", map[string]any{"1": "2"}}}},
		"a complex value turned":    {Attrs: Attrs{{"a", map[string]any{"2": "1"}}}},
	}
	seen := map[string]string{}
	for name, o := range objects {
		b := string(o.Append(nil, names))
		if other, ok := seen[b]; ok {
			t.Errorf("%q and %q have the same bytes", name, other)
		}
		seen[b] = name
	}
}

func TestValuesFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.OneOf(rapid.Just[any](nil), aValue(2)), 1, 5).Draw(t, "values")
		var buf []byte
		for _, v := range values {
			buf = AppendValue(buf, v)
		}
		b := string(buf)
		for i, want := range values {
			var got any
			var err error
			if got, b, err = DecodeValue(b); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("value %d changed (-want +got):\n%s", i, diff)
			}
		}
		if len(b) != 0 {
			t.Fatalf("%d bytes left over", len(b))
		}
	})
}

func TestAppendValue(t *testing.T) {
	tests := []struct {
		name     string
		in, want any
	}{
		{"a time in another zone is the same instant in UTC", noon.In(berlin), noon},
		{"a time keeps microseconds", noon.Add(1234 * time.Nanosecond), noon.Add(time.Microsecond)},
		{"the greatest integer", int64(math.MaxInt64), int64(math.MaxInt64)},
		{"the least integer", int64(math.MinInt64), int64(math.MinInt64)},
		{"infinity", math.Inf(-1), math.Inf(-1)},
		{"text that is no UTF-8", "a\xff\x00b", "a\xff\x00b"},
		{"nil in a list", []any{nil, "a"}, []any{nil, "a"}},
		{"nil in a complex value", map[string]any{"a": nil}, map[string]any{"a": nil}},
		{"a long list", manyTexts(1000), manyTexts(1000)},
		{"what is no value becomes its text", struct{ A int }{7}, "{7}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, rest, err := DecodeValue(string(AppendValue(nil, tt.in)))
			if err != nil || len(rest) > 0 {
				t.Fatalf("error %v, rest %q", err, rest)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func manyTexts(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = strings.Repeat("x", i%7)
	}
	return out
}

func TestAppendValueSortsTheParts(t *testing.T) {
	v := map[string]any{"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}
	want := AppendValue(nil, v)
	for range 20 { // a map is walked in another order each time
		if got := AppendValue(nil, v); !bytes.Equal(want, got) {
			t.Fatalf("the same value gave other bytes:\n%q\n%q", want, got)
		}
	}
}

func TestDecodeSaysWhatIsWrong(t *testing.T) {
	names := []string{"mail"}
	good := (&Object{Attrs: Attrs{{"mail", "ada"}}, Assignment: &Assignment{Roles: []Role{{ID: "1"}}}}).Append(nil, names)
	tests := []struct {
		name  string
		names []string
		in    []byte
		want  string
	}{
		{"nothing at all", names, nil, `decode User "7": bytes end early`},
		{"a byte too many", names, append(bytes.Clone(good), 0), `decode User "7": bytes left over`},
		{"a name too many", []string{"mail", "phone"}, good, `decode User "7": bytes end early`},
		{"a name too few", nil, good, `decode User "7": bytes left over`},
		{"an unknown tag", names, []byte{0, 99}, `decode User "7": unknown tag 99`},
		{"a list longer than the bytes", names, []byte{0, tagList, 200, 1, 0}, `decode User "7": bytes end early`},
		{"a complex value longer than the bytes", names, []byte{0, tagMap, 200, 1, 0}, `decode User "7": bytes end early`},
		{"half a fraction", names, []byte{0, tagFloat, 1, 2, 3}, `decode User "7": bytes end early`},
		{"a length without an end", names, append([]byte{0, tagString}, bytes.Repeat([]byte{0xff}, 11)...), `decode User "7": bytes end early`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o, err := Decode(User, "7", tt.names, tt.in)
			if err == nil || err.Error() != tt.want || o != nil {
				t.Errorf("Decode = %v, %v; want the error %q", o, err, tt.want)
			}
		})
	}
	for n := range good {
		if _, err := Decode(User, "7", names, good[:n]); err == nil {
			t.Errorf("%d of %d bytes are no error", n, len(good))
		}
	}
}

// FuzzDecode: any bytes give an object or an error. An object that they give is written to bytes that give it again.
func FuzzDecode(f *testing.F) {
	names := []string{"a", "b", "c"}
	for _, o := range seeds() {
		f.Add(o.Append(nil, names))
	}
	f.Add([]byte{0, tagList, 0xff, 0xff, 0xff, 0x7f})
	f.Add(bytes.Repeat([]byte{tagList, 1}, 2000))
	f.Fuzz(func(t *testing.T, in []byte) {
		o, err := Decode(User, "7", names, in)
		if err != nil {
			return
		}
		b := o.Append(nil, names)
		again, err := Decode(User, "7", names, b)
		if err != nil {
			t.Fatalf("%q was read, but not what was written of it: %v", in, err)
		}
		// Bytes are compared, since NaN does not equal itself.
		if c := again.Append(nil, names); !bytes.Equal(b, c) {
			t.Fatalf("%q became %q", b, c)
		}
	})
}

// FuzzDecodeValue: any bytes give a value and a rest of them, or an error.
func FuzzDecodeValue(f *testing.F) {
	for _, o := range seeds() {
		for _, a := range o.Attrs {
			f.Add(AppendValue(nil, a.Value))
		}
	}
	f.Add([]byte{})
	f.Add([]byte{tagMap, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, in []byte) {
		v, rest, err := DecodeValue(string(in))
		if err != nil {
			return
		}
		if !strings.HasSuffix(string(in), rest) {
			t.Fatalf("the rest %q is not of %q", rest, in)
		}
		b := AppendValue(nil, v)
		again, more, err := DecodeValue(string(b))
		if err != nil || len(more) > 0 {
			t.Fatalf("%q was read, but not what was written of it: %v, rest %q", in, err, more)
		}
		if c := AppendValue(nil, again); !bytes.Equal(b, c) {
			t.Fatalf("%q became %q", b, c)
		}
	})
}

func seeds() []*Object {
	return []*Object{
		{},
		{Disabled: true, SoftDeleted: true, Assignment: &Assignment{Assigned: true, Roles: []Role{{"1", "r", "R"}}}},
		{Attrs: Attrs{{"a", "text"}, {"b", true}, {"c", int64(-1)}}},
		{Attrs: Attrs{{"a", 1.5}, {"b", noon}, {"c", Ref{Group, "9"}}}},
		{Attrs: Attrs{{"a", []any{"x", []any{nil}}}, {"b", map[string]any{"k": false, "m": map[string]any{}}}}},
	}
}
