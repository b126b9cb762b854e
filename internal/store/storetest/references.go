package storetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

func referenceChecks() []Check {
	return []Check{
		{"members come in order of kind and anchor, of one owner and attribute only", memberOrder},
		{"the owners of a member are found, once each, of its kind and job only", memberOwners},
		{"memberships are found by the referent, exactly", membershipsOf},
		{"unresolved references come in the order of their referents until they are resolved (D4)", unresolved},
	}
}

func memberOrder(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	group := store.ObjectKey{Rule: "groups", Anchor: "g"}
	b := batch()
	var want []store.Member
	for _, kind := range []identity.Kind{identity.Group, identity.User} {
		for _, a := range anchors() {
			want = append(want, store.Member{Owner: group, Attr: members, Ref: identity.Ref{Kind: kind, Anchor: a}, Target: "t" + a})
		}
	}
	b.Members = slices.Clone(want)
	slices.Reverse(b.Members)
	elsewhere := []store.Member{
		{Owner: group, Attr: "owners", Ref: want[0].Ref, Target: "x"},
		{Owner: store.ObjectKey{Rule: "groups", Anchor: "G"}, Attr: members, Ref: want[0].Ref, Target: "x"},
		{Owner: store.ObjectKey{Rule: "users", Anchor: "g"}, Attr: members, Ref: want[0].Ref, Target: "x"},
	}
	b.Members = append(b.Members, elsewhere...)
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := s.Members(ctx, jobID, group, members)
	if err := first(err, same("members", got, want)); err != nil {
		return err
	}
	// Removal goes by owner, attribute and referent, not by what was written.
	b = batch()
	b.Unmember = []store.Member{{Owner: group, Attr: members, Ref: want[3].Ref, Target: "another"}, {Owner: group, Attr: members, Ref: identity.Ref{Kind: "Device", Anchor: "a"}}}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	want = slices.Delete(want, 3, 4)
	got, err = s.Members(ctx, jobID, group, members)
	if err := first(err, same("members after a removal", got, want)); err != nil {
		return err
	}
	n, err := s.CountMembers(ctx, jobID)
	return first(err, same("number of members", n, int64(len(want)+len(elsewhere))))
}

func memberOwners(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.CreateJob(ctx, store.Job{ID: "other", Name: "other", Epoch: 1}); err != nil {
		return err
	}
	owner := func(rule, anchor string) store.ObjectKey { return store.ObjectKey{Rule: rule, Anchor: anchor} }
	ann, group := identity.Ref{Kind: identity.User, Anchor: "ann"}, identity.Ref{Kind: identity.Group, Anchor: "ann"}
	b, other := batch(), batch()
	other.JobID, other.CycleID = "other", ""
	b.Members = []store.Member{{Owner: owner("teams", "b"), Attr: members, Ref: ann, Target: "t"}, {Owner: owner("groups", "z"), Attr: members, Ref: ann, Target: "t"},
		{Owner: owner("groups", "z"), Attr: "owners", Ref: ann, Target: "t"}, {Owner: owner("groups", "a"), Attr: members, Ref: group, Target: "t"},
		{Owner: owner("groups", "c"), Attr: members, Ref: identity.Ref{Kind: identity.User, Anchor: "Ann"}, Target: "t"}}
	other.Members = []store.Member{{Owner: owner("groups", "d"), Attr: members, Ref: ann, Target: "t"}}
	if err := first(s.Commit(ctx, b), s.Commit(ctx, other)); err != nil {
		return err
	}
	got, err := s.MembersOf(ctx, jobID, ann)
	return first(err, same("owners", got, []store.ObjectKey{owner("groups", "z"), owner("teams", "b")}))
}

func unresolved(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	const owners = 500
	b := batch()
	var want, last []store.Unresolved
	for _, kind := range []identity.Kind{identity.Group, identity.User} {
		for _, ref := range anchors() {
			for i := range owners {
				u := store.Unresolved{Owner: key(fmt.Sprintf("%04d", i)), Attr: "manager", Ref: identity.Ref{Kind: kind, Anchor: ref}}
				want = append(want, u)
				if i == owners-1 {
					last = append(last, u)
				}
			}
		}
	}
	b.Unresolved = slices.Clone(want)
	slices.Reverse(b.Unresolved)
	b.Unresolved = append(b.Unresolved, want[:100]...) // existing ones stay
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := collect(s.Unresolved(ctx, jobID))
	if err := first(err, same("unresolved references", got, want)); err != nil {
		return err
	}
	got, err = s.UnresolvedOf(ctx, jobID, key(fmt.Sprintf("%04d", owners-1)))
	if err := first(err, same("unresolved references of one owner", got, last)); err != nil {
		return err
	}
	b = batch()
	b.Resolved = append(slices.Clone(want[100:len(want)-3]), store.Unresolved{Owner: key("unknown"), Attr: "manager", Ref: want[0].Ref})
	b.Resolved = append(b.Resolved, store.Unresolved{Owner: want[0].Owner, Attr: "assistant", Ref: want[0].Ref})
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err = collect(s.Unresolved(ctx, jobID))
	return first(err, same("unresolved references left", got, slices.Concat(want[:100], want[len(want)-3:])))
}

func membershipsOf(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b := batch()
	for _, owner := range []string{"g", "h"} {
		for _, ref := range []string{"ann", "ANN", "bob"} {
			b.Members = append(b.Members, store.Member{Owner: store.ObjectKey{Rule: "groups", Anchor: owner}, Attr: members, Ref: identity.Ref{Kind: identity.User, Anchor: ref}, Target: "target of " + ref})
		}
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := s.Memberships(ctx, jobID, []identity.Ref{{Kind: identity.User, Anchor: "ann"}, {Kind: identity.Group, Anchor: "bob"}})
	return first(err, same("memberships", got, []store.Member{b.Members[0], b.Members[3]}))
}
