package identity

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var (
	berlin = time.FixedZone("Berlin", 2*60*60)
	noon   = time.Date(2026, 7, 30, 12, 0, 0, 0, time.UTC)
)

func TestNormal(t *testing.T) {
	tests := []struct {
		name     string
		in, want any
	}{
		{"nil stays nil", nil, nil},
		{"text stays text", "x", "x"},
		{"a Boolean stays a Boolean", true, true},
		{"int becomes int64", int(-7), int64(-7)},
		{"int8 becomes int64", int8(-7), int64(-7)},
		{"int16 becomes int64", int16(-7), int64(-7)},
		{"int32 becomes int64", int32(-7), int64(-7)},
		{"int64 stays int64", int64(-7), int64(-7)},
		{"uint becomes int64", uint(7), int64(7)},
		{"uint8 becomes int64", uint8(7), int64(7)},
		{"uint16 becomes int64", uint16(7), int64(7)},
		{"uint32 becomes int64", uint32(7), int64(7)},
		{"uint64 becomes int64", uint64(math.MaxInt64), int64(math.MaxInt64)},
		{"what int64 cannot hold becomes float64", uint64(math.MaxUint64), float64(math.MaxUint64)},
		{"float32 becomes float64", float32(1.5), 1.5},
		{"a time goes to UTC", noon.In(berlin), noon},
		{"bytes become text", []byte("x"), "x"},
		{"a list of text becomes a list", []string{"a", "b"}, []any{"a", "b"}},
		{"an empty list of text is no value", []string{}, nil},
		{"an empty list is no value", []any{}, nil},
		{"the elements of a list are brought into form", []any{1, []any{int32(2)}, []string{"x"}}, []any{int64(1), []any{int64(2)}, []any{"x"}}},
		{"the parts of a complex value are brought into form", map[string]any{"n": 1, "in": map[string]any{"t": noon.In(berlin)}}, map[string]any{"n": int64(1), "in": map[string]any{"t": noon}}},
		{"an empty complex value stays", map[string]any{}, map[string]any{}},
		{"a reference stays", Ref{Kind: User, Anchor: "1"}, Ref{Kind: User, Anchor: "1"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Normal(tt.in)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Normal(%#v) (-want +got):\n%s", tt.in, diff)
			}
			if at, ok := got.(time.Time); ok && at.Location() != time.UTC {
				t.Errorf("the time is in %v, not in UTC", at.Location())
			}
		})
	}
}

func TestNormalLeavesItsArgumentAlone(t *testing.T) {
	list, complexValue := []any{1}, map[string]any{"n": 1}
	Normal(list)
	Normal(complexValue)
	if diff := cmp.Diff([]any{1}, list); diff != "" {
		t.Errorf("the list was changed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"n": 1}, complexValue); diff != "" {
		t.Errorf("the complex value was changed (-want +got):\n%s", diff)
	}
}

func TestPlain(t *testing.T) {
	tests := []struct {
		name     string
		in, want any
	}{
		{"a reference becomes the text of its anchor", Ref{Kind: User, Anchor: "17"}, "17"},
		{"a list of references becomes a list of text", []any{Ref{Anchor: "1"}, Ref{Anchor: "2"}}, []any{"1", "2"}},
		{"other elements of a list stay", []any{"a", Ref{Anchor: "2"}, int64(3)}, []any{"a", "2", int64(3)}},
		{"a list without references stays", []any{"a", int64(3)}, []any{"a", int64(3)}},
		{"text stays", "x", "x"},
		{"nil stays", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, Plain(tt.in)); diff != "" {
				t.Errorf("Plain(%#v) (-want +got):\n%s", tt.in, diff)
			}
		})
	}
	in := []any{Ref{Anchor: "1"}}
	Plain(in)
	if diff := cmp.Diff([]any{Ref{Anchor: "1"}}, in); diff != "" {
		t.Errorf("Plain changed its argument (-want +got):\n%s", diff)
	}
}

func TestEmpty(t *testing.T) {
	tests := []struct {
		name string
		in   any
		want bool
	}{
		{"nil", nil, true},
		{"empty text", "", true},
		{"a list without elements", []any{}, true},
		{"a complex value without parts", map[string]any{}, true},
		{"a blank is text", " ", false},
		{"false is a value", false, false},
		{"zero is a value", int64(0), false},
		{"zero as a fraction is a value", 0.0, false},
		{"a list of nothing but an empty text", []any{""}, false},
		{"a time", time.Time{}, false},
		{"a reference", Ref{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Empty(tt.in); got != tt.want {
				t.Errorf("Empty(%#v) = %t, want %t", tt.in, got, tt.want)
			}
		})
	}
}

func TestEqual(t *testing.T) {
	tests := []struct {
		name       string
		a, b       any
		want, fold bool // without and with fold
	}{
		{"nil is nil", nil, nil, true, true},
		{"nil is not empty text", nil, "", false, false},
		{"the same text", "a", "a", true, true},
		{"text in another case, engine.R3", "Ada", "aDA", false, true},
		{"letters beyond ASCII in another case", "ÄRA", "ära", false, true},
		{"other text", "a", "b", false, false},
		{"the same Boolean", true, true, true, true},
		{"the other Boolean", true, false, false, false},
		{"a Boolean is not its text", true, "true", false, false},
		{"the same integer", int64(3), int64(3), true, true},
		{"integer and fraction are numbers", int64(3), 3.0, true, true},
		{"an integer is not another fraction", int64(3), 3.5, false, false},
		{"the same fraction", 1.5, 1.5, true, true},
		{"a number is not its text", int64(3), "3", false, false},
		{"the same instant in another zone", noon, noon.In(berlin), true, true},
		{"another instant", noon, noon.Add(time.Second), false, false},
		{"a time is not its text", noon, noon.Format(time.RFC3339), false, false},
		{"the same reference", Ref{User, "1"}, Ref{User, "1"}, true, true},
		{"a reference to another kind", Ref{User, "1"}, Ref{Group, "1"}, false, false},
		{"anchors keep their case", Ref{User, "a"}, Ref{User, "A"}, false, false},
		{"a reference is not its anchor", Ref{User, "1"}, "1", false, false},
		{"the same list", []any{"a", int64(1)}, []any{"a", 1.0}, true, true},
		{"a list in another case", []any{"a"}, []any{"A"}, false, true},
		{"a list in another order", []any{"a", "b"}, []any{"b", "a"}, false, false},
		{"a longer list", []any{"a"}, []any{"a", "b"}, false, false},
		{"a list is not its only element", []any{"a"}, "a", false, false},
		{"the same complex value", map[string]any{"v": "a", "n": int64(1)}, map[string]any{"n": 1.0, "v": "a"}, true, true},
		{"a complex value in another case", map[string]any{"v": "a"}, map[string]any{"v": "A"}, false, true},
		{"the names of parts keep their case", map[string]any{"v": "a"}, map[string]any{"V": "a"}, false, false},
		{"a part more", map[string]any{"v": "a"}, map[string]any{"v": "a", "w": nil}, false, false},
		{"a part of nil is not an absent one", map[string]any{"v": nil}, map[string]any{"w": nil}, false, false},
		{"a complex value is no list", map[string]any{}, []any{}, false, false},
		{"lists within complex values", map[string]any{"v": []any{"A"}}, map[string]any{"v": []any{"a"}}, false, true},
		{"what is no value equals nothing", struct{}{}, struct{}{}, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, c := range []struct {
				fold, want bool
			}{{false, tt.want}, {true, tt.fold}} {
				if got := Equal(tt.a, tt.b, c.fold); got != c.want {
					t.Errorf("Equal(%#v, %#v, fold %t) = %t, want %t", tt.a, tt.b, c.fold, got, c.want)
				}
				if got := Equal(tt.b, tt.a, c.fold); got != c.want {
					t.Errorf("Equal(%#v, %#v, fold %t) = %t, want %t", tt.b, tt.a, c.fold, got, c.want)
				}
			}
		})
	}
}

func TestFoldIsOneFormForAllCases(t *testing.T) {
	for _, s := range []string{"Ada@Example.COM", "ADA@EXAMPLE.COM", "ada@example.com"} {
		if got := Fold(s); got != "ada@example.com" {
			t.Errorf("Fold(%q) = %q", s, got)
		}
	}
}
