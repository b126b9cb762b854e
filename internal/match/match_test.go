package match

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
)

func TestJudge(t *testing.T) {
	q := Question{Attr: "userName", Value: "ada@example.com"}
	a := &identity.Object{Kind: identity.User, Anchor: "t1", Attrs: identity.Attrs{{Name: "userName", Value: "ada@example.com"}}}
	b := &identity.Object{Kind: identity.User, Anchor: "t2"}
	tests := []struct {
		name   string
		hits   []*identity.Object
		owners map[string]string
		want   Outcome
		ok     bool
	}{
		{"no account: the next question is asked, engine.R51", nil, nil, Outcome{Situation: Unmatched, Question: q}, false},
		{"one free account matches, engine.R51", []*identity.Object{a}, nil, Outcome{Situation: Matched, Account: a, Question: q}, true},
		{"one account that is ours already matches", []*identity.Object{a}, map[string]string{"t1": "s1"}, Outcome{Situation: Matched, Account: a, Question: q}, true},
		{"one account of somebody else is taken, engine.R52", []*identity.Object{a}, map[string]string{"t1": "s2"}, Outcome{Situation: Taken, Account: a, Owner: "s2", Question: q}, true},
		{"somebody else's other account does not matter", []*identity.Object{a}, map[string]string{"t2": "s2"}, Outcome{Situation: Matched, Account: a, Question: q}, true},
		{"several accounts are disputed, engine.R51", []*identity.Object{a, b}, nil, Outcome{Situation: Disputed, Hits: []string{"t1", "t2"}, Question: q}, true},
		{"several accounts are disputed even when one is ours, engine.R51", []*identity.Object{a, b}, map[string]string{"t1": "s1", "t2": "s2"}, Outcome{Situation: Disputed, Hits: []string{"t1", "t2"}, Question: q}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := Judge(q, tt.hits, "s1", func(target string) string { return tt.owners[target] })
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("ok %t, want %t (-want +got):\n%s", ok, tt.ok, diff)
			}
		})
	}
}

func TestWords(t *testing.T) {
	q := Question{Attr: "userName", Value: `a"b`}
	tests := []struct {
		name string
		in   Outcome
		want string
	}{
		{
			"a dispute names the accounts", Outcome{Situation: Disputed, Hits: []string{"t1", "t2"}, Question: q},
			`2 accounts in the target have userName "a\"b" (ids t1, t2); make the value unique there, or choose another joining property`,
		},
		{
			"a dispute among five names all", Outcome{Situation: Disputed, Hits: []string{"1", "2", "3", "4", "5"}, Question: q},
			`5 accounts in the target have userName "a\"b" (ids 1, 2, 3, 4, 5); make the value unique there, or choose another joining property`,
		},
		{
			"a dispute among many names five", Outcome{Situation: Disputed, Hits: []string{"1", "2", "3", "4", "5", "6", "7"}, Question: q},
			`7 accounts in the target have userName "a\"b" (ids 1, 2, 3, 4, 5, …); make the value unique there, or choose another joining property`,
		},
		{
			"a taken account names its owner", Outcome{Situation: Taken, Owner: "s2", Question: q},
			`the account with userName "a\"b" belongs to source object "s2" already; two source objects have the same joining value, correct one of them`,
		},
		{"a match needs no words", Outcome{Situation: Matched, Question: q}, ""},
		{"no match needs no words", Outcome{Question: q}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.in.Words()); diff != "" {
				t.Errorf("Words (-want +got):\n%s", diff)
			}
		})
	}
}
