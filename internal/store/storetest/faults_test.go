package storetest_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/store/storetest"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

// TestSuiteCatchesFaults runs every check against a store with just the fault that the check looks for. A check without
// such a store fails too: nobody knows that it can fail.
func TestSuiteCatchesFaults(t *testing.T) {
	faults := map[string]func(storetest.Store) storetest.Store{
		"a job comes back as it was stored":                                                     func(s storetest.Store) storetest.Store { return losesWatermark{s} },
		"a job is found by id before name, and by name without regard to case":                  func(s storetest.Store) storetest.Store { return namesByCase{s} },
		"a job whose id or name exists is a conflict":                                           func(s storetest.Store) storetest.Store { return hidesConflict{s} },
		"an update keeps id, epoch and hold, and a failed one changes nothing":                  func(s storetest.Store) storetest.Store { return updatesHolder{s} },
		"updates at the same time all take effect":                                              func(s storetest.Store) storetest.Store { return losesUpdates{s} },
		"a deleted job takes all its state and log along, and no other's":                       func(s storetest.Store) storetest.Store { return deletesTheRowOnly{s} },
		"versions come newest first, and a number is used once (engine.R160)":                   func(s storetest.Store) storetest.Store { return oldestVersionFirst{s} },
		"a hold gives a new epoch, and the same holder keeps it (I9)":                           func(s storetest.Store) storetest.Store { return releasesForAnybody{s} },
		"of several holders who ask at once one gets the job (I9)":                              func(s storetest.Store) storetest.Store { return holdsForAll{s} },
		"a batch of an old epoch is stale and writes nothing (D13)":                             func(s storetest.Store) storetest.Store { return ignoresEpoch{s} },
		"everything in a batch comes back as it was written, whatever the key":                  editing(func(b *store.Batch) { b.Unresolved = nil }),
		"a batch with one impossible row leaves nothing, and fails alike on all databases (I7)": func(s storetest.Store) storetest.Store { return commitsInTwo{s} },
		"forgetting an object takes everything that hangs on it, and nothing else":              editing(func(b *store.Batch) { b.Unstage, b.Unescrow, b.Forget = b.Forget, b.Forget, nil }),
		"rows written again replace the old ones":                                               editing(func(b *store.Batch) { b.Unstage = keysOf(b.Staged) }),
		"of two rows with one key in a batch the later one counts":                              editing(func(b *store.Batch) { b.Objects = slices.Clone(b.Objects); slices.Reverse(b.Objects) }),
		"a batch of thousands of rows arrives whole":                                            editing(func(b *store.Batch) { b.Objects = b.Objects[:min(2048, len(b.Objects))] }),
		"a cycle comes back as it was written, the newest first":                                func(s storetest.Store) storetest.Store { return oldestCycleFirst{s} },
		"a saved plan has one cycle at most (D5)": editing(func(b *store.Batch) {
			c := *b.Cycle
			c.Plan, b.Cycle = "", &c
		}),
		"memberships are found by the referent, exactly":                                                  func(s storetest.Store) storetest.Store { return findsNoMembership{s} },
		"objects come in byte order of their anchors, of one rule and job only (D15)":                     func(s storetest.Store) storetest.Store { return sortsByLanguage{s} },
		"objects can be written while they are read, and a reader may stop":                               func(s storetest.Store) storetest.Store { return readsOnePage{s} },
		"look-ups find what is there, once, whatever else is asked for":                                   func(s storetest.Store) storetest.Store { return findsByCase{s} },
		"links come in byte order of their anchors with what was exported, and no unlinked object":        func(s storetest.Store) storetest.Store { return linksAll{s} },
		"objects without a hash are unsettled, unless they are released":                                  func(s storetest.Store) storetest.Store { return unsettlesAll{s} },
		"members come in order of kind and anchor, of one owner and attribute only":                       func(s storetest.Store) storetest.Store { return membersReversed{s} },
		"the owners of a member are found, once each, of its kind and job only":                           func(s storetest.Store) storetest.Store { return forgetsKind{s} },
		"unresolved references come in the order of their referents until they are resolved (D4)":         editing(func(b *store.Batch) { b.Resolved = nil }),
		"held operations are allowed by key or all together, and counted once (engine.R120)":              func(s storetest.Store) storetest.Store { return allowsAll{s} },
		"escrows and held operations go when they are taken back":                                         editing(func(b *store.Batch) { b.Unescrow = nil }),
		"a reset forgets what it says, of one job only, and may be repeated (engine.R20)":                 func(s storetest.Store) storetest.Store { return resetsTooLittle{s} },
		"a reset at an old epoch is stale and forgets nothing (D13)":                                      func(s storetest.Store) storetest.Store { return resetsAtAnyEpoch{s} },
		"work comes in export order, in pages, of the stages asked for":                                   func(s storetest.Store) storetest.Store { return skipsAfterPage{s} },
		"an item changes until it is finished, and is gone then":                                          editing(func(b *store.Batch) { b.Done = nil }),
		"a long list that was written in order stays the same list, whatever happens to its items":        editing(func(b *store.Batch) { b.Done = b.Done[:len(b.Done)/2] }),
		"cleared work is gone with its index, and no other cycle's":                                       func(s storetest.Store) storetest.Store { return clearsNothing{s} },
		"the index keeps several accounts per value, any value, until it is dropped (D1)":                 editing(func(b *store.Batch) { b.DropIndex = false }),
		"depths follow parents of the same pass and rule, and cycles are cut at the smallest anchor (D1)": func(s storetest.Store) storetest.Store { return hidesCuts{s} },
		"a long chain and a wide tree get their depths":                                                   func(s storetest.Store) storetest.Store { return setsNoDepths{s} },
		"depths of an unknown cycle are an error":                                                         func(s storetest.Store) storetest.Store { return setsNoDepths{s} },
		"log records are filtered by every field of a query (engine.R145, R151)":                          func(s storetest.Store) storetest.Store { return ignoresUntil{s} },
		"log records come in pages, newest or oldest first":                                               func(s storetest.Store) storetest.Store { return skipsRecordAfterPage{s} },
		"pruning removes what is older, and nothing else":                                                 func(s storetest.Store) storetest.Store { return prunesTooMuch{s} },
		"a window gives its limit, then says when there is more (D2)":                                     func(s storetest.Store) storetest.Store { return grantsOneMore{s} },
		"calls without an answer leave after the window and the grace":                                    func(s storetest.Store) storetest.Store { return knowsNoGrace{s} },
		"unused calls are given back, and a ticket may be settled in parts":                               func(s storetest.Store) storetest.Store { return keepsUnused{s} },
		"no window ever holds more than the limit, whoever reserves at once (D2, P7)":                     func(s storetest.Store) storetest.Store { return givesBackAll{s} },
		"what stands in a window is told, of one site only (D2)":                                          func(s storetest.Store) storetest.Store { return standsAnywhere{s} },
		"a sealed secret comes back byte for byte, the one kept last, of its job and name only (D10)":     func(s storetest.Store) storetest.Store { return keepsFirst{s} },
		"of several who want to change a secret at once one may":                                          func(s storetest.Store) storetest.Store { return holdsSecretForAll{s} },
		"since when a credential is in use comes back, and goes with its job":                             func(s storetest.Store) storetest.Store { return forgetsWarned{s} },
	}
	for _, c := range storetest.Checks() {
		t.Run(c.Name, func(t *testing.T) {
			spoil, ok := faults[c.Name]
			if !ok {
				t.Fatal("no store with the fault that this check looks for")
			}
			delete(faults, c.Name)
			if err := c.Run(t.Context(), spoil(open(t))); err == nil {
				t.Error("the fault is not noticed")
			}
		})
	}
	for name := range faults {
		t.Errorf("there is no check %q", name)
	}
}

func open(t *testing.T) storetest.Store {
	t.Helper()
	return sqlstore.New(testbed.ScratchDatabase(t))
}

// edits changes every batch before it is committed.
type edits struct {
	storetest.Store
	edit func(*store.Batch)
}

func editing(edit func(*store.Batch)) func(storetest.Store) storetest.Store {
	return func(s storetest.Store) storetest.Store { return edits{s, edit} }
}

func (s edits) Commit(ctx context.Context, b *store.Batch) error {
	c := *b
	s.edit(&c)
	return s.Store.Commit(ctx, &c)
}

func keysOf(staged []store.Staged) []store.ObjectKey {
	var keys []store.ObjectKey
	for _, o := range staged {
		keys = append(keys, o.ObjectKey)
	}
	return keys
}

type findsNoMembership struct{ storetest.Store }

func (findsNoMembership) Memberships(context.Context, string, []identity.Ref) ([]store.Member, error) {
	return nil, nil
}

type losesWatermark struct{ storetest.Store }

func (s losesWatermark) CreateJob(ctx context.Context, j store.Job) error {
	j.Watermark = ""
	return s.Store.CreateJob(ctx, j)
}

type namesByCase struct{ storetest.Store }

func (s namesByCase) Job(ctx context.Context, idOrName string) (store.Job, error) {
	j, err := s.Store.Job(ctx, idOrName)
	if err == nil && j.ID != idOrName && j.Name != idOrName {
		return store.Job{}, store.ErrNotFound
	}
	return j, err
}

type hidesConflict struct{ storetest.Store }

func (s hidesConflict) CreateJob(ctx context.Context, j store.Job) error {
	if err := s.Store.CreateJob(ctx, j); !errors.Is(err, store.ErrConflict) {
		return err
	}
	return nil
}

type updatesHolder struct{ storetest.Store }

func (s updatesHolder) UpdateJob(ctx context.Context, id string, change func(*store.Job) error) (store.Job, error) {
	j, err := s.Store.UpdateJob(ctx, id, change)
	if err == nil {
		j.Holder = "another"
	}
	return j, err
}

type losesUpdates struct{ storetest.Store }

func (s losesUpdates) UpdateJob(ctx context.Context, id string, change func(*store.Job) error) (store.Job, error) {
	return s.Store.UpdateJob(ctx, id, func(j *store.Job) error {
		before := j.Version
		if err := change(j); err != nil {
			return err
		}
		if before == 7 { // read before, written after another's change
			j.Version = before
		}
		return nil
	})
}

type deletesTheRowOnly struct{ storetest.Store }

func (s deletesTheRowOnly) DeleteJob(ctx context.Context, id string) error {
	j, err := s.Store.Job(ctx, id)
	if err != nil {
		return err
	}
	// The state stays under another name, as when rows of a job are found by something that is used again.
	_, err = s.Store.UpdateJob(ctx, j.ID, func(j *store.Job) error { j.Name = "deleted"; return nil })
	return err
}

type oldestVersionFirst struct{ storetest.Store }

func (s oldestVersionFirst) Versions(ctx context.Context, jobID string) ([]store.Version, error) {
	v, err := s.Store.Versions(ctx, jobID)
	slices.Reverse(v)
	return v, err
}

type releasesForAnybody struct{ storetest.Store }

func (s releasesForAnybody) Release(ctx context.Context, jobID, _ string) error {
	j, err := s.Store.Job(ctx, jobID)
	if err != nil {
		return err
	}
	return s.Store.Release(ctx, jobID, j.Holder)
}

type holdsForAll struct{ storetest.Store }

func (s holdsForAll) Hold(ctx context.Context, jobID, holder string, now, until time.Time) (store.Job, error) {
	j, err := s.Store.Hold(ctx, jobID, holder, now, until)
	if errors.Is(err, store.ErrStale) {
		return s.Store.Job(ctx, jobID)
	}
	return j, err
}

type ignoresEpoch struct{ storetest.Store }

func (s ignoresEpoch) Commit(ctx context.Context, b *store.Batch) error {
	j, err := s.Store.Job(ctx, b.JobID)
	if err != nil {
		return err
	}
	c := *b
	c.Epoch = j.Epoch
	return s.Store.Commit(ctx, &c)
}

// commitsInTwo writes one sort of row in a transaction of its own.
type commitsInTwo struct{ storetest.Store }

func (s commitsInTwo) Commit(ctx context.Context, b *store.Batch) error {
	head, rest := store.Batch{JobID: b.JobID, CycleID: b.CycleID, Epoch: b.Epoch, Members: b.Members}, *b
	rest.Members = nil
	if err := s.Store.Commit(ctx, &head); err != nil {
		return err
	}
	return s.Store.Commit(ctx, &rest)
}

type oldestCycleFirst struct{ storetest.Store }

func (s oldestCycleFirst) CyclesOf(ctx context.Context, jobID string, limit int) ([]store.Cycle, error) {
	c, err := s.Store.CyclesOf(ctx, jobID, limit)
	slices.Reverse(c)
	return c, err
}

type sortsByLanguage struct{ storetest.Store }

func (s sortsByLanguage) Objects(ctx context.Context, jobID, rule string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		var all []store.Object
		for o, err := range s.Store.Objects(ctx, jobID, rule) {
			if err != nil {
				yield(o, err)
				return
			}
			all = append(all, o)
		}
		slices.SortFunc(all, func(a, b store.Object) int {
			return strings.Compare(strings.ToLower(a.Anchor), strings.ToLower(b.Anchor))
		})
		for _, o := range all {
			if !yield(o, nil) {
				return
			}
		}
	}
}

type readsOnePage struct{ storetest.Store }

func (s readsOnePage) Objects(ctx context.Context, jobID, rule string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		n := 0
		for o, err := range s.Store.Objects(ctx, jobID, rule) {
			if n++; n > 10_000 || !yield(o, err) {
				return
			}
		}
	}
}

type findsByCase struct{ storetest.Store }

func (s findsByCase) ObjectsByAnchor(ctx context.Context, jobID, rule string, anchors []string) (map[string]store.Object, error) {
	found := map[string]store.Object{}
	for _, a := range anchors {
		one, err := s.Store.ObjectsByAnchor(ctx, jobID, rule, []string{strings.ToLower(a)})
		if err != nil {
			return nil, err
		}
		for _, o := range one {
			found[a] = o
		}
	}
	return found, nil
}

type linksAll struct{ storetest.Store }

func (s linksAll) Links(ctx context.Context, jobID, rule string) iter.Seq2[store.Link, error] {
	return func(yield func(store.Link, error) bool) {
		for o, err := range s.Store.Objects(ctx, jobID, rule) {
			if !yield(store.Link{Object: o}, err) {
				return
			}
		}
	}
}

type unsettlesAll struct{ storetest.Store }

func (s unsettlesAll) Unsettled(ctx context.Context, jobID, rule string) (anchors []string, err error) {
	for o, err := range s.Store.Objects(ctx, jobID, rule) {
		if err != nil {
			return nil, err
		}
		if o.Hash == [16]byte{} {
			anchors = append(anchors, o.Anchor)
		}
	}
	return anchors, nil
}

type membersReversed struct{ storetest.Store }

func (s membersReversed) Members(ctx context.Context, jobID string, owner store.ObjectKey, attr string) ([]store.Member, error) {
	m, err := s.Store.Members(ctx, jobID, owner, attr)
	slices.Reverse(m)
	return m, err
}

type forgetsKind struct{ storetest.Store }

func (s forgetsKind) MembersOf(ctx context.Context, jobID string, ref identity.Ref) ([]store.ObjectKey, error) {
	users, err := s.Store.MembersOf(ctx, jobID, identity.Ref{Kind: identity.User, Anchor: ref.Anchor})
	if err != nil {
		return nil, err
	}
	groups, err := s.Store.MembersOf(ctx, jobID, identity.Ref{Kind: identity.Group, Anchor: ref.Anchor})
	return append(users, groups...), err
}

type allowsAll struct{ storetest.Store }

func (s allowsAll) AllowStaged(ctx context.Context, jobID string, keys []store.ObjectKey) (int64, error) {
	if _, err := s.Store.AllowStaged(ctx, jobID, nil); err != nil {
		return 0, err
	}
	return 2, nil
}

type resetsTooLittle struct{ storetest.Store }

func (s resetsTooLittle) Reset(ctx context.Context, jobID string, epoch int64, what health.Reset) error {
	return s.Store.Reset(ctx, jobID, epoch, what&^health.Watermark)
}

type resetsAtAnyEpoch struct{ storetest.Store }

func (s resetsAtAnyEpoch) Reset(ctx context.Context, jobID string, _ int64, what health.Reset) error {
	j, err := s.Store.Job(ctx, jobID)
	if err != nil {
		return err
	}
	return s.Store.Reset(ctx, jobID, j.Epoch, what)
}

type skipsAfterPage struct{ storetest.Store }

func (s skipsAfterPage) WorkAt(ctx context.Context, cycleID string, stages []store.Stage, after *store.Position, limit int) ([]store.WorkItem, error) {
	items, err := s.Store.WorkAt(ctx, cycleID, stages, after, limit)
	if after != nil && len(items) > 0 {
		items = items[1:]
	}
	return items, err
}

type clearsNothing struct{ storetest.Store }

func (clearsNothing) ClearWork(context.Context, string) error { return nil }

type hidesCuts struct{ storetest.Store }

func (s hidesCuts) SetDepths(ctx context.Context, cycleID string, pass int) ([]store.ObjectKey, error) {
	_, err := s.Store.SetDepths(ctx, cycleID, pass)
	return nil, err
}

type setsNoDepths struct{ storetest.Store }

func (setsNoDepths) SetDepths(context.Context, string, int) ([]store.ObjectKey, error) {
	return nil, nil
}

type ignoresUntil struct{ storetest.Store }

func (s ignoresUntil) Records(ctx context.Context, q store.LogQuery) ([]store.LogRecord, error) {
	q.Until = time.Time{}
	return s.Store.Records(ctx, q)
}

type skipsRecordAfterPage struct{ storetest.Store }

func (s skipsRecordAfterPage) Records(ctx context.Context, q store.LogQuery) ([]store.LogRecord, error) {
	records, err := s.Store.Records(ctx, q)
	if q.After != "" && len(records) > 0 {
		records = records[1:]
	}
	return records, err
}

type prunesTooMuch struct{ storetest.Store }

func (s prunesTooMuch) Prune(ctx context.Context, before time.Time) (int64, error) {
	return s.Store.Prune(ctx, before.Add(time.Second))
}

type grantsOneMore struct{ storetest.Store }

func (s grantsOneMore) Reserve(ctx context.Context, site string, n, limit int, window, grace time.Duration, now time.Time) (int, int64, time.Duration, error) {
	return s.Store.Reserve(ctx, site, n, limit+1, window, grace, now)
}

type knowsNoGrace struct{ storetest.Store }

func (s knowsNoGrace) Reserve(ctx context.Context, site string, n, limit int, window, _ time.Duration, now time.Time) (int, int64, time.Duration, error) {
	return s.Store.Reserve(ctx, site, n, limit, window, 0, now)
}

type keepsUnused struct{ storetest.Store }

func (s keepsUnused) Settle(ctx context.Context, site string, ticket int64, answered []time.Time, _ int) error {
	return s.Store.Settle(ctx, site, ticket, answered, 0)
}

type givesBackAll struct{ storetest.Store }

func (s givesBackAll) Settle(ctx context.Context, site string, ticket int64, answered []time.Time, unused int) error {
	return s.Store.Settle(ctx, site, ticket, nil, len(answered)+unused)
}

type standsAnywhere struct{ storetest.Store }

func (s standsAnywhere) Standing(ctx context.Context, _ string, now time.Time) (int, error) {
	return s.Store.Standing(ctx, "https://api.litmos.example#key", now)
}

type keepsFirst struct{ storetest.Store }

func (s keepsFirst) KeepSealed(ctx context.Context, v store.Sealed) error {
	if _, err := s.Sealed(ctx, v.JobID, v.Name); err == nil {
		return nil
	}
	return s.Store.KeepSealed(ctx, v)
}

type holdsSecretForAll struct{ storetest.Store }

func (holdsSecretForAll) HoldSealed(context.Context, string, string, string, time.Time, time.Time) error {
	return nil
}

type forgetsWarned struct{ storetest.Store }

func (s forgetsWarned) SetCredential(ctx context.Context, jobID string, c store.Credential) error {
	c.Warned = 0
	return s.Store.SetCredential(ctx, jobID, c)
}
