package mapping

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
)

func TestCandidates(t *testing.T) { // expressions O-19, section 5
	const allTaken = "every one of the 2 candidates is taken (add candidates that differ more, for instance with RandomString)"
	tests := []struct {
		name, target, expression string
		values                   []any
		err                      string // of the choice; "" when nothing is to be chosen
		notUnique                bool
	}{
		{"in their order", "userName", `SelectUniqueValue([nick], Append([nick], "2"))`, []any{"ada", "ada2"}, "userName: 1:1: notUnique: SelectUniqueValue: " + allTaken, true},
		{"without those that are Null or empty", "userName", `SelectUniqueValue([none], "", [nick], "b")`, []any{"ada", "b"}, "userName: 1:1: notUnique: SelectUniqueValue: " + allTaken, true},
		{"in the type of the target", "level", `SelectUniqueValue("1", "2")`, []any{int64(1), int64(2)}, "level: 1:1: notUnique: SelectUniqueValue: " + allTaken, true},
		{
			"up to one that cannot be evaluated", "userName", `SelectUniqueValue([nick], Mid([nick], 0, 1), "x")`, []any{"ada"},
			"userName: 1:39: range: Mid: the start is below 1 (the first character is number 1)", false,
		},
		{"up to one that is not of the type", "level", `SelectUniqueValue("1", [nick], "2")`, []any{int64(1)}, `level: "ada" is no integer`, false},
		{"none of them", "userName", `SelectUniqueValue([none], "")`, nil, "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			set := compile(t, Attribute{Target: tt.target, Expression: tt.expression, Apply: OnCreate})
			got, err := set.Eval(user(identity.Attr{Name: "nick", Value: "ada"}), false, false, env)
			if err != nil {
				t.Fatal(err)
			}
			want := Result{Values: []Value{{Index: 0, Ignored: tt.err != ""}}}
			if tt.err != "" {
				if len(got.Choices) != 1 || got.Choices[0].Err == nil || got.Choices[0].Err.Error() != tt.err || NotUnique(got.Choices[0].Err) != tt.notUnique {
					t.Fatalf("choices %+v, want one with the error %s", got.Choices, tt.err)
				}
				got.Choices[0].Err = nil
				want.Choices = []Choice{{Index: 0, Values: tt.values}}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Eval (-want +got):\n%s", diff)
			}
			if tt.err != "" {
				Settle(got.Values, 0, tt.values[0])
				if diff := cmp.Diff([]Value{{Index: 0, Value: tt.values[0]}}, got.Values); diff != "" {
					t.Errorf("once chosen (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestRandomFunctionsNeedRandomNumbers(t *testing.T) {
	set := compile(t, Attribute{Target: "userName", Expression: "Guid()"})
	if _, err := set.Eval(user(), false, false, env); err == nil {
		t.Error("no error without random numbers")
	}
	with := env
	with.Rand = zeros{}
	got, err := set.Eval(user(), false, false, with)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Result{Values: []Value{{Value: "00000000-0000-4000-8000-000000000000"}}}, got); diff != "" {
		t.Errorf("Eval (-want +got):\n%s", diff)
	}
}

// zeros is a source of anything but random numbers.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
