package plan

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// TestTheSameUpdateIsNoticedTheThirdTime (scim.R28).
func TestTheSameUpdateIsNoticedTheThirdTime(t *testing.T) {
	set := func(attr string, old, to any) connector.Change {
		return connector.Change{Attr: attr, Op: connector.Set, Old: old, New: to}
	}
	title := []connector.Change{set("title", "DRIVER", "Driver")}
	for name, tt := range map[string]struct {
		updates [][]connector.Change
		want    []string
	}{
		"three times":                          {[][]connector.Change{title, title, title}, []string{"title"}},
		"and every time after":                 {[][]connector.Change{title, title, title, title, title}, []string{"title"}},
		"twice":                                {[][]connector.Change{title, title}, nil},
		"with another value in between":        {[][]connector.Change{title, title, {set("title", "DRIVER", "Clerk")}, title}, nil},
		"with an update of something else":     {[][]connector.Change{title, title, {set("mail", nil, "a@example.com")}, title}, nil},
		"together with what changes":           {[][]connector.Change{title, append(title, set("mail", nil, "a")), append(title, set("mail", "a", "b"))}, []string{"title"}},
		"several values":                       {[][]connector.Change{{set("tags", nil, []any{"a", "b"})}, {set("tags", nil, []any{"a", "b"})}, {set("tags", nil, []any{"a", "b"})}}, []string{"tags"}},
		"a value that only goes along":         {[][]connector.Change{{set("title", "x", "x")}, {set("title", "x", "x")}, {set("title", "x", "x")}}, nil},
		"a reference, which is compared by id": {[][]connector.Change{{set("manager", nil, identity.Ref{Anchor: "1"})}, {set("manager", nil, identity.Ref{Anchor: "1"})}, {set("manager", nil, identity.Ref{Anchor: "1"})}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Current{}
			var got []string
			for _, changes := range tt.updates {
				got = c.Repeated(changes)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
