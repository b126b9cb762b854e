package storetest

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

func objectChecks() []Check {
	return []Check{
		{"objects come in byte order of their anchors, of one rule and job only (D15)", objectsInOrder},
		{"objects can be written while they are read, and a reader may stop", objectsWhileWriting},
		{"look-ups find what is there, once, whatever else is asked for", objectsByAnchor},
		{"links come in byte order of their anchors with what was exported, and no unlinked object", linksInOrder},
		{"objects without a hash are unsettled, unless they are released", unsettledObjects},
	}
}

func objectsInOrder(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.CreateJob(ctx, store.Job{ID: "other", Name: "other", Epoch: 1}); err != nil {
		return err
	}
	b, other := batch(), batch()
	other.JobID, other.CycleID = "other", ""
	for i, a := range anchors() { // written in reverse
		at := len(anchors()) - 1 - i
		b.Objects = append(b.Objects, store.Object{ObjectKey: key(anchors()[at]), Hash: hash(byte(at))},
			store.Object{ObjectKey: store.ObjectKey{Rule: "Users", Anchor: a + " of another rule"}})
		other.Objects = append(other.Objects, store.Object{ObjectKey: key(a + " of another job")})
	}
	if err := first(s.Commit(ctx, b), s.Commit(ctx, other)); err != nil {
		return err
	}
	var want []store.Object
	for i, a := range anchors() {
		want = append(want, store.Object{ObjectKey: key(a), Hash: hash(byte(i))})
	}
	got, err := collect(s.Objects(ctx, jobID, users))
	if err := first(err, same("objects", got, want)); err != nil {
		return err
	}
	seen, err := collect(s.Seen(ctx, jobID, users))
	if err := first(err, same("objects seen", seen, want)); err != nil {
		return err
	}
	for _, read := range []func(context.Context, string, string) iter.Seq2[store.Object, error]{s.Objects, s.Seen} {
		none, err := collect(read(ctx, "no such job", users))
		if err := first(err, same("objects of an unknown job", none, nil)); err != nil {
			return err
		}
	}
	linked := store.Object{ObjectKey: key("linked"), Hash: hash(99), State: store.Disabled, Target: "t", Confirmed: instant()}
	b = batch()
	b.Objects = []store.Object{linked}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	linked.Target, linked.Confirmed = "", time.Time{}
	seen, err = collect(s.Seen(ctx, jobID, users))
	return first(err, same("an object seen", without(seen, func(o store.Object) bool { return o.Anchor != "linked" }), []store.Object{linked}))
}

func linksInOrder(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b := batch()
	var want []store.Link
	for i, a := range anchors() {
		o := store.Object{ObjectKey: key(a), Hash: hash(byte(i)), State: store.LinkState(i % 4), Target: "t" + a, Confirmed: instant()}
		l := store.Link{Object: o}
		if i%4 != int(store.Unlinked) {
			l.Name, l.Doc = "name of "+a, []byte(`{"v":{}}`)
			b.Project = append(b.Project, store.Projection{ObjectKey: o.ObjectKey, Name: l.Name, Doc: l.Doc})
		}
		b.Objects = append(b.Objects, o)
		want = append(want, l) // linked by its target, whether anything was exported or not
	}
	b.Objects = append(b.Objects, store.Object{ObjectKey: key("without an account")},
		store.Object{ObjectKey: store.ObjectKey{Rule: "Users", Anchor: "of another rule"}, Target: "t"})
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := collect(s.Links(ctx, jobID, users))
	if err := first(err, same("links", got, want)); err != nil {
		return err
	}
	none, err := collect(s.Links(ctx, "no such job", users))
	return first(err, same("links of an unknown job", none, nil))
}

func unsettledObjects(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b := batch()
	var want []string
	for _, a := range anchors() {
		b.Objects = append(b.Objects, store.Object{ObjectKey: key(a)}, store.Object{ObjectKey: key(a + " settled"), Hash: hash(1)},
			store.Object{ObjectKey: key(a + " released"), State: store.Released, Target: "t"},
			store.Object{ObjectKey: store.ObjectKey{Rule: "Users", Anchor: a + " of another rule"}})
		want = append(want, a)
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	got, err := s.Unsettled(ctx, jobID, users)
	return first(err, same("unsettled objects", got, want))
}

// objectsWhileWriting reads more than fits a page of any implementation.
func objectsWhileWriting(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	const n = 25_000
	b := batch()
	for i := range n {
		b.Objects = append(b.Objects, store.Object{ObjectKey: key(fmt.Sprintf("%06d", i)), Hash: hash(1)})
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	// What a compare does: it reads all, changes some as it goes, and adds some behind its place.
	var seen int
	for o, err := range s.Objects(ctx, jobID, users) {
		if err != nil {
			return err
		}
		if want := fmt.Sprintf("%06d", seen); o.Anchor != want || o.Hash != hash(1) {
			return fmt.Errorf("object %d is %s with hash %x, want %s", seen, o.Anchor, o.Hash, want)
		}
		if seen%1000 == 0 {
			b := batch()
			b.Touched = []store.Object{{ObjectKey: key(o.Anchor), Hash: hash(2)}}
			b.Objects = []store.Object{{ObjectKey: key("000000 new after " + o.Anchor)}}
			if err := s.Commit(ctx, b); err != nil {
				return fmt.Errorf("write during a read: %w", err)
			}
			if o.Anchor != "000000" {
				b.Objects, b.Touched = nil, nil
				b.Forget = []store.ObjectKey{key("000000 new after " + o.Anchor)}
				if err := s.Commit(ctx, b); err != nil {
					return fmt.Errorf("write during a read: %w", err)
				}
			}
		}
		seen++
		if seen == 1 {
			// The new row lies right ahead and may be seen or not; forget it, so that the order above is plain.
			b := batch()
			b.Forget = []store.ObjectKey{key("000000 new after 000000")}
			if err := s.Commit(ctx, b); err != nil {
				return err
			}
		}
	}
	if err := same("objects read", seen, n); err != nil {
		return err
	}
	var changed []string
	stopped := 0
	for o, err := range s.Objects(ctx, jobID, users) {
		if err != nil {
			return err
		}
		if o.Hash == hash(2) {
			changed = append(changed, o.Anchor)
		}
		if stopped++; stopped == 1500 {
			break
		}
	}
	if err := same("objects changed", changed, []string{"000000", "001000"}); err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := collect(s.Objects(cancelled, jobID, users)); err == nil {
		return fmt.Errorf("a cancelled read ends without an error")
	}
	return nil
}

func objectsByAnchor(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b := batch()
	var asked []string
	for i := range 300 {
		a := fmt.Sprint("u", i)
		b.Objects = append(b.Objects, store.Object{ObjectKey: key(a), Hash: hash(1), State: store.Active, Target: "t" + a})
		b.Project = append(b.Project, store.Projection{ObjectKey: key(a), Name: a})
		b.Index = append(b.Index, store.IndexEntry{Kind: identity.User, Attr: mail, Value: a, Anchor: "t" + a})
		b.Work = append(b.Work, store.WorkItem{ObjectKey: key(a)})
		asked = append(asked, a, a, "unknown "+a, "U"+a[1:])
	}
	asked = append(asked, "", "a\x00b", "a\xff", string(make([]byte, 100_000)))
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	objects, err := s.ObjectsByAnchor(ctx, jobID, users, asked)
	if err != nil {
		return err
	}
	projections, err := s.Projections(ctx, jobID, users, asked)
	if err != nil {
		return err
	}
	work, err := s.WorkByAnchor(ctx, cycleID, users, asked)
	if err != nil {
		return err
	}
	entries, err := s.Indexed(ctx, cycleID, identity.User, mail, asked)
	if err != nil {
		return err
	}
	var targets []string
	for _, a := range asked {
		targets = append(targets, "t"+a)
	}
	owners, err := s.Owners(ctx, jobID, users, append(targets, "", "t"))
	if err != nil {
		return err
	}
	wantObjects, wantProjections, wantWork := map[string]store.Object{}, map[string]store.Projection{}, map[string]store.WorkItem{}
	wantEntries, wantOwners := map[string][]store.IndexEntry{}, map[string]string{}
	for i, o := range b.Objects {
		wantObjects[o.Anchor], wantProjections[o.Anchor], wantWork[o.Anchor] = o, b.Project[i], b.Work[i]
		wantEntries[o.Anchor], wantOwners[o.Target] = []store.IndexEntry{b.Index[i]}, o.Anchor
	}
	if err := first(same("objects", objects, wantObjects), same("projections", projections, wantProjections),
		same("work", work, wantWork), same("index entries", entries, wantEntries), same("owners", owners, wantOwners)); err != nil {
		return err
	}
	// An unlinked object has no target, and so owns none.
	b = batch()
	b.Objects = []store.Object{{ObjectKey: key("u1")}}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	owners, err = s.Owners(ctx, jobID, users, []string{"tu1", "tu2", ""})
	return first(err, same("owners", owners, map[string]string{"tu2": "u2"}))
}
