package vectors_test

import (
	"errors"
	"testing"

	"github.com/rollcall-id/rollcall/internal/vectors"
)

// FuzzLoad: whatever a file holds, Load gives cases that can be run, or Problems with a line; a run gives a *Failure or
// nothing.
func FuzzLoad(f *testing.F) {
	for _, seed := range []string{
		`[{"id":"a","expression":"ToLower([x])","attributes":{"x":"B","n":1e400},"context":{"now":"2026-03-01T08:00:00Z"},"want":"b"}]`,
		`[{"id":"a","expression":"Guid()","want":{"matches":["^[0-9a-f-]{36}$"]}}]`,
		`[{"id":"b","graph":null,"want":true},{"id":"c","filter":{"groups":[{"clauses":[{"attribute":"a","operator":"IS NULL"}]}]},"want":false}]`,
		`[{"id":"d","kind":"patch","input":{"Operations":[{"op":"remove","path":"a[b eq 1]"}]},"resource":{"a":[{"b":1}]},"want":{"error":"noTarget"}}]`,
		`[{"id":"e","kind":"build","input":[["a.b",1]],"want":null}, {"id":"f","kind":"path","input":"a","want":{"parsed":7}}]`,
		`[{"id":"f","rule":"r","attributes":{"accountEnabled":false,"m":["1"]},"want":{"a":{"flow":"ignore"},"b":["1"]}},{"id":"g","rule":"r","want":false}]`,
		`[{}] x`, `[[]]`, "[\n1e999]",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cases, err := vectors.Load("f.json", data)
		if err != nil {
			ps, ok := errors.AsType[vectors.Problems](err)
			if !ok || len(ps) == 0 {
				t.Fatalf("error %v, want Problems", err)
			}
			for _, p := range ps {
				if p.Line < 1 || p.Message == "" {
					t.Errorf("problem without a place or a message: %+v", p)
				}
			}
			return
		}
		for _, c := range cases {
			if c.ID == "" || c.Line < 1 {
				t.Errorf("case without a name or a place: %+v", c)
			}
			if err := c.Run(world); err != nil {
				if _, ok := errors.AsType[*vectors.Failure](err); !ok {
					t.Errorf("%s: error %v, want a *Failure", c.ID, err)
				}
			}
		}
	})
}
