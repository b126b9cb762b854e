package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// load is a first load of a company into an empty target.
type load struct {
	size    size
	latency time.Duration // of each call
}

func (l load) String() string { return fmt.Sprintf("%s, %d ms", l.size, l.latency.Milliseconds()) }

// memberBatch is how many members the SCIM connector sends in one call unless told otherwise.
const memberBatch = 100

// probes is how many calls may go into finding out what the target can do (design P1).
const probes = 2

// recording is a first load with all its calls.
type recording struct {
	file  string // script of the bare client
	calls int
}

// record provisions a company once with every call recorded, again without a change, and counts the calls of both
// (P1, P2) as the target saw them.
func (b *bench) record(ctx context.Context, s size) (rec *recording, err error) {
	b.notef("recording: %s", s)
	t, err := b.openTarget(ctx, 0, true)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	dir, err := b.folder()
	if err != nil {
		return nil, err
	}
	if err := errors.Join(writeCompany(dir, s), writeApp(dir, s, t.URL)); err != nil {
		return nil, err
	}
	// Saving the app file asks the target what it can do. That is no part of the load that P1 is about.
	if _, _, err := execute(ctx, dir, b.rollcall, "apply", "-f", appFile, "--data", "data"); err != nil {
		return nil, err
	}
	saved, err := t.requests(ctx)
	if err != nil {
		return nil, err
	}
	r, _, err := b.cycle(ctx, dir)
	if err != nil {
		return nil, err
	}
	if err := checkFirst(ctx, s, r, t); err != nil {
		return nil, err
	}
	first, err := t.requests(ctx)
	if err != nil {
		return nil, err
	}
	first = first[len(saved):]
	if len(first) != r.Requests.Total {
		return nil, fmt.Errorf("rollcall reports %d calls, the target got %d", r.Requests.Total, len(first))
	}
	if r, _, err = b.cycle(ctx, dir); err != nil {
		return nil, err
	}
	if n := s.Users + s.Groups; r.Counts.Unchanged != n || r.Cycle.State != "Succeeded" {
		return nil, fmt.Errorf("the second cycle is %s with %d of %d objects unchanged", r.Cycle.State, r.Counts.Unchanged, n)
	}
	all, err := t.requests(ctx)
	if err != nil {
		return nil, err
	}
	b.countCalls(s, first, all[len(saved)+len(first):])
	calls, err := script(first)
	if err != nil {
		return nil, err
	}
	rec = &recording{file: filepath.Join(b.dir, fmt.Sprintf("script-%d-%d.jsonl", s.Users, s.Groups)), calls: len(calls)}
	return rec, errors.Join(writeScript(rec.file, calls), os.RemoveAll(dir))
}

// countCalls compares the calls of a first and of a second cycle with what they may be.
func (b *bench) countCalls(s size, first, second []exchange) {
	pages := 0
	for _, e := range first {
		if e.Method == "GET" && (e.Path == basePath+"/Users" || e.Path == basePath+"/Groups") && !strings.Contains(e.Query, "filter=") {
			pages++
		}
	}
	limit := callLimit(s, pages)
	b.table.add(row{measure: "P1 calls, first load", of: s.String(), rollcall: thousands(len(first)),
		bare: fmt.Sprintf("%s (%d pages)", thousands(limit), pages), ratio: float64(len(first)) / float64(limit), aim: "≤ 1.00", met: len(first) <= limit})
	writes := 0
	for _, e := range second {
		if e.Method != "GET" {
			writes++
		}
	}
	b.table.add(row{measure: "P2 calls, nothing changed", of: s.String(), rollcall: fmt.Sprintf("%d writes, %d reads", writes, len(second)-writes),
		bare: "0 writes, 2 reads", aim: "≤", met: writes == 0 && len(second) <= 2})
}

// callLimit is P1: one call for each user and group, one for each page of the target's lists, one for each further
// batch of members of a group (the first goes with its create), and the probes.
func callLimit(s size, pages int) int {
	further := 0
	if n := s.perGroup(); n > 0 {
		further = (n - 1) / memberBatch
	}
	return s.Users + s.Groups + pages + s.Groups*further + probes
}

// checkFirst makes sure that a first load made everything.
func checkFirst(ctx context.Context, s size, r report, t *target) error {
	if n := s.Users + s.Groups; r.Cycle.State != "Succeeded" || r.Counts.Created != n {
		return fmt.Errorf("the first cycle is %s with %d of %d objects created", r.Cycle.State, r.Counts.Created, n)
	}
	return checkPopulation(ctx, s, t, "rollcall")
}

func checkPopulation(ctx context.Context, s size, t *target, who string) error {
	got, err := t.population(ctx)
	if err != nil {
		return err
	}
	if want := populationOf(s); got != want {
		return fmt.Errorf("after %s the target holds %+v, want %+v", who, got, want)
	}
	return nil
}

// firstLoad times Rollcall and the bare client in turn (P3, P4).
func (b *bench) firstLoad(ctx context.Context, l load, rec *recording) error {
	var ours, bare []usage
	for round := range b.rounds {
		b.notef("%s: round %d of %d", l, round+1, b.rounds)
		turns := []func() error{
			func() error {
				u, err := b.loadByRollcall(ctx, l)
				ours = append(ours, u)
				return err
			},
			func() error {
				u, err := b.loadBare(ctx, l, rec)
				bare = append(bare, u)
				return err
			},
		}
		first := round % 2 // who goes first changes, so that neither always follows the other
		if err := turns[first](); err != nil {
			return err
		}
		if err := turns[1-first](); err != nil {
			return err
		}
	}
	b.timeRow(l, rec.calls, ours, bare)
	return nil
}

func (b *bench) loadByRollcall(ctx context.Context, l load) (u usage, err error) {
	t, err := b.openTarget(ctx, l.latency, false)
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	dir, err := b.folder()
	if err != nil {
		return u, err
	}
	if err := errors.Join(writeCompany(dir, l.size), writeApp(dir, l.size, t.URL)); err != nil {
		return u, err
	}
	r, u, err := b.cycle(ctx, dir)
	if err != nil {
		return u, err
	}
	return u, errors.Join(checkFirst(ctx, l.size, r, t), os.RemoveAll(dir))
}

func (b *bench) loadBare(ctx context.Context, l load, rec *recording) (u usage, err error) {
	t, err := b.openTarget(ctx, l.latency, false)
	if err != nil {
		return u, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	out, u, err := execute(ctx, b.dir, b.self, clientCommand, t.URL, rec.file)
	if err != nil {
		return u, err
	}
	var r clientReport
	if err := json.Unmarshal(out, &r); err != nil {
		return u, fmt.Errorf("read the report of the bare client: %w", err)
	}
	u.Wall = r.Took // without starting and reading the script
	return u, checkPopulation(ctx, l.size, t, "the bare client")
}

// Aims of section 7 of the design.
const (
	mostTime   = 1.25 // P3: time of Rollcall to time of the bare client, with latency
	leastSpeed = 0.70 // P4: calls a second of Rollcall to those of the bare client, without
)

func (b *bench) timeRow(l load, calls int, ours, bare []usage) {
	a, c := timesOf(ours), timesOf(bare)
	r := row{measure: "P3 time, first load", of: l.String(), rollcall: a.String(), bare: c.String(),
		ratio: a.least.Seconds() / c.least.Seconds(), aim: fmt.Sprintf("≤ %.2f", mostTime)}
	r.met = r.ratio <= mostTime
	if l.latency == 0 {
		speed := func(t times) string {
			return fmt.Sprintf("%s/s / %s/s", thousands(int(float64(calls)/t.least.Seconds())), thousands(int(float64(calls)/t.median.Seconds())))
		}
		r = row{measure: "P4 calls a second", of: l.String(), rollcall: speed(a), bare: speed(c),
			ratio: c.least.Seconds() / a.least.Seconds(), aim: fmt.Sprintf("≥ %.2f", leastSpeed)}
		r.met = r.ratio >= leastSpeed
	}
	b.table.add(r)
	cpu := func(list []usage) time.Duration {
		least := list[0].CPU
		for _, u := range list {
			least = min(least, u.CPU)
		}
		return least / time.Duration(calls)
	}
	b.table.add(row{measure: "   CPU per call", of: l.String(), rollcall: micro(cpu(ours)), bare: micro(cpu(bare)),
		ratio: cpu(ours).Seconds() / cpu(bare).Seconds()})
	b.table.add(row{measure: "   peak memory", of: l.String(), rollcall: mebi(peakOf(ours)), bare: mebi(peakOf(bare))})
}
