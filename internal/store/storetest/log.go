package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-id/rollcall/internal/store"
)

func logChecks() []Check {
	return []Check{
		{"log records are filtered by every field of a query (engine.R145, R151)", logFilters},
		{"log records come in pages, newest or oldest first", logPages},
		{"pruning removes what is older, and nothing else", logPrune},
	}
}

func logFilters(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	if err := s.CreateJob(ctx, store.Job{ID: "other", Name: "other", Epoch: 1}); err != nil {
		return err
	}
	at := instant()
	r := func(id, cycle, action, status, source, name, target string, minutes int) store.LogRecord {
		return store.LogRecord{ID: id, JobID: jobID, CycleID: cycle, At: at.Add(time.Duration(minutes) * time.Minute), Action: action, Status: status, SourceID: source, SourceName: name, TargetID: target}
	}
	b := batch()
	b.Log = []store.LogRecord{
		r("1", cycleID, "create", "success", "s1", "Änne Groß", "t1", 0),
		r("2", cycleID, "create", "failure", "s2", "100% _real_!", "", 1),
		r("3", cycleID, "update", "success", "s1", "Änne Groß", "t1", 2),
		r("4", "", "update", "skipped", "s3", "not\xffutf8", "t\x003", 3),
		r("5", "cycle without a row", "delete", "success", "S1", "100x Areal!", "t5", 4),
	}
	other := &store.Batch{JobID: "other", Epoch: 1, Log: []store.LogRecord{{ID: "6", JobID: "other", At: at.Add(5 * time.Minute), SourceID: "s1"}}}
	if err := first(s.Commit(ctx, b), s.Commit(ctx, other)); err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		q    store.LogQuery
		want []string
	}{
		{"nothing", store.LogQuery{}, []string{"6", "5", "4", "3", "2", "1"}},
		{"job", store.LogQuery{JobID: jobID}, []string{"5", "4", "3", "2", "1"}},
		{"unknown job", store.LogQuery{JobID: "x"}, nil},
		{"cycle", store.LogQuery{CycleID: cycleID}, []string{"3", "2", "1"}},
		{"cycle without a row", store.LogQuery{CycleID: "cycle without a row"}, []string{"5"}},
		{"status", store.LogQuery{JobID: jobID, Status: "success"}, []string{"5", "3", "1"}},
		{"action", store.LogQuery{Action: "create"}, []string{"2", "1"}},
		{"action and status", store.LogQuery{Action: "create", Status: "failure"}, []string{"2"}},
		{"source id, exactly", store.LogQuery{JobID: jobID, Identity: "s1"}, []string{"3", "1"}},
		{"source id alone", store.LogQuery{JobID: jobID, Source: "s1"}, []string{"3", "1"}},
		{"a target id as source id", store.LogQuery{JobID: jobID, Source: "t1"}, nil},
		{"target id", store.LogQuery{Identity: "t5"}, []string{"5"}},
		{"part of the name in another case", store.LogQuery{Identity: "ÄNNE GRO"}, []string{"3", "1"}},
		{"a name with characters that LIKE knows", store.LogQuery{Identity: "0% _REAL_!"}, []string{"2"}},
		{"only such a character", store.LogQuery{Identity: "%"}, []string{"2"}},
		{"a name that could not be stored as it is", store.LogQuery{Identity: "not\xffutf8"}, []string{"4"}},
		{"since, which counts", store.LogQuery{Since: at.Add(2 * time.Minute), JobID: jobID}, []string{"5", "4", "3"}},
		{"until, which does not", store.LogQuery{Until: at.Add(2 * time.Minute)}, []string{"2", "1"}},
		{"all together", store.LogQuery{JobID: jobID, CycleID: cycleID, Status: "success", Action: "update", Identity: "änne", Since: at, Until: at.Add(time.Hour), Ascending: true, Limit: 5, After: "1"}, []string{"3"}},
	} {
		got, err := s.Records(ctx, c.q)
		if err := first(err, same("records by "+c.name, ids(got), c.want)); err != nil {
			return err
		}
	}
	// What no database keeps is replaced, so that a log record never stops a batch.
	got, err := s.Records(ctx, store.LogQuery{Identity: "s3"})
	want := b.Log[3]
	want.SourceName, want.TargetID = "not\uFFFDutf8", "t\uFFFD3"
	return first(err, same("record", got, []store.LogRecord{want}))
}

func ids(records []store.LogRecord) []string {
	var out []string
	for _, r := range records {
		out = append(out, r.ID)
	}
	return out
}

func logPages(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	const n = 1200
	b := batch()
	var want []string
	for i := range n {
		id := fmt.Sprintf("record %04d", i*7%n)
		want = append(want, id)
		b.Log = append(b.Log, store.LogRecord{ID: id, JobID: jobID, CycleID: cycleID, At: instant().Add(time.Duration(i/100) * time.Second)}) // many at one instant
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	for _, q := range []store.LogQuery{{JobID: jobID, Ascending: true}, {JobID: jobID}, {CycleID: cycleID}, {Ascending: true}} {
		wanted := slices.Clone(want)
		if !q.Ascending {
			slices.Reverse(wanted)
		}
		all, err := s.Records(ctx, q)
		if err := first(err, same("the first thousand", ids(all), wanted[:1000])); err != nil {
			return err
		}
		var got []string
		q.Limit = 33
		for {
			page, err := s.Records(ctx, q)
			if err != nil {
				return err
			}
			got = append(got, ids(page)...)
			if len(page) < 33 {
				break
			}
			q.After = page[len(page)-1].ID
		}
		if err := same("pages", got, wanted); err != nil {
			return err
		}
	}
	if _, err := s.Records(ctx, store.LogQuery{After: "no such record"}); !errors.Is(err, store.ErrNotFound) {
		return wrongError("continue after an unknown record", err, store.ErrNotFound)
	}
	return nil
}

func logPrune(ctx context.Context, s Store) error {
	if err := withJob(ctx, s); err != nil {
		return err
	}
	b := batch()
	for i := range 5500 {
		b.Log = append(b.Log, store.LogRecord{ID: fmt.Sprint(i), JobID: jobID, CycleID: cycleID, At: instant().Add(time.Duration(i) * time.Second)})
	}
	if err := s.Commit(ctx, b); err != nil {
		return err
	}
	n, err := s.Prune(ctx, instant().Add(5498*time.Second))
	if err := first(err, same("records pruned", n, 5498)); err != nil {
		return err
	}
	left, err := s.Records(ctx, store.LogQuery{JobID: jobID})
	return first(err, same("records left", ids(left), []string{"5499", "5498"}))
}
