package directory_test

import (
	"fmt"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
)

func TestScanStreamsInPages(t *testing.T) {
	onBoth(t, func(w *world) {
		const n = 2500
		var ids []identity.Ref
		w.must(w.Batch(w.ctx(), func(tx *directory.Tx) error {
			ids = nil
			for i := range n {
				e, err := tx.CreateUser(attrs("userPrincipalName", fmt.Sprintf("u%d@x", i), "displayName", "u"))
				if err != nil {
					return err
				}
				ids = append(ids, user(e.Anchor))
			}
			for i := range 60 {
				g, err := tx.CreateGroup(attrs("displayName", fmt.Sprint("g", i)))
				if err != nil {
					return err
				}
				if err := tx.AddMembers(g.Anchor, ids[i:i+150]...); err != nil {
					return err
				}
			}
			return nil
		}))
		seen := map[string]bool{}
		for item, err := range w.Scan(w.ctx(), connector.ReadRequest{Kind: identity.User, Attrs: []string{"displayName"}}, "") {
			w.must(err)
			if len(seen) == 1500 { // what is created meanwhile may come, but nobody is lost or comes twice
				w.user("late")
			}
			seen[item.Object.Anchor] = true
		}
		if len(seen) < n || len(seen) > n+1 {
			w.T.Errorf("%d users", len(seen))
		}
		groups := 0
		for item, err := range w.Scan(w.ctx(), connector.ReadRequest{Kind: identity.Group, Attrs: []string{"members"}}, "") {
			w.must(err)
			v, _ := item.Object.Get("members")
			if l, _ := v.([]any); len(l) != 150 || l[0] != ids[groups] {
				w.T.Fatalf("group %d has %d members", groups, len(l))
			}
			groups++
		}
		w.same("groups", 60, groups)
		changed := 0
		for _, err := range w.Changes(w.ctx(), connector.ReadRequest{Kind: identity.User}, "app", "0") {
			w.must(err)
			changed++
		}
		if changed < n+1 {
			w.T.Errorf("%d changes", changed)
		}
	})
}
