package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// readerCommand reads a file with encoding/csv alone: bench read FILE. It prints the number of its records.
const readerCommand = "read"

func readerMain(out io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	r := csv.NewReader(f)
	r.ReuseRecord = true
	for n := 0; ; n++ {
		switch _, err := r.Read(); {
		case errors.Is(err, io.EOF):
			_, err := fmt.Fprintln(out, n)
			return err
		case err != nil:
			return err
		}
	}
}

// Aims of P9.
const (
	mostCompare = 8 * time.Microsecond // CPU per user
	mostReading = 4.0                  // times the CPU of the bare reader
)

// compare times a cycle in which nothing changed (P9). The state has to come from a first load, which is why there are
// fewer users than the 1,000,000 of the aim; what it costs to start the process weighs more for it.
func (b *bench) compare(ctx context.Context, users int) (err error) {
	s := size{Users: users}
	b.notef("first load of %s, to be compared", s)
	t, err := b.openTarget(ctx, 0, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	dir, err := b.folder()
	if err != nil {
		return err
	}
	if err := errors.Join(writeCompany(dir, s), writeApp(dir, s, t.URL)); err != nil {
		return err
	}
	r, first, err := b.cycle(ctx, dir)
	if err != nil {
		return err
	}
	if r.Cycle.State != "Succeeded" || r.Counts.Created != users {
		return fmt.Errorf("the first cycle is %s with %d of %d users created", r.Cycle.State, r.Counts.Created, users)
	}
	var ours, bare []usage
	for round := range b.rounds {
		b.notef("unchanged: round %d of %d", round+1, b.rounds)
		r, u, err := b.cycle(ctx, dir)
		if err != nil {
			return err
		}
		if r.Cycle.State != "Succeeded" || r.Counts.Unchanged != users || r.Counts.Imported != users {
			return fmt.Errorf("the cycle without a change is %s with %d of %d users unchanged, %d imported", r.Cycle.State, r.Counts.Unchanged, users, r.Counts.Imported)
		}
		ours = append(ours, u)
		out, u, err := execute(ctx, dir, b.self, readerCommand, filepath.Join(dir, peopleFile))
		if err != nil {
			return err
		}
		if want := fmt.Sprintln(users + 1); string(out) != want { // with the header
			return fmt.Errorf("the bare reader found %q records, want %q", out, want)
		}
		bare = append(bare, u)
	}
	least := func(list []usage) time.Duration {
		cpu := list[0].CPU
		for _, u := range list {
			cpu = min(cpu, u.CPU)
		}
		return cpu
	}
	own, reading := least(ours), least(bare)
	each := own / time.Duration(users)
	b.table.add(row{measure: "P5 memory, first load", of: s.String(), rollcall: mebi(first.Peak), bare: "150 MiB", ratio: float64(first.Peak) / (150 << 20),
		aim: "≤ 1.00", met: first.Peak <= 150<<20})
	b.table.add(row{measure: "P5 memory, unchanged", of: s.String(), rollcall: mebi(peakOf(ours)), bare: "150 MiB", ratio: float64(peakOf(ours)) / (150 << 20),
		aim: "≤ 1.00", met: peakOf(ours) <= 150<<20})
	b.table.add(row{measure: "P9 CPU per user, unchanged", of: s.String(), rollcall: micro(each), bare: micro(mostCompare),
		ratio: each.Seconds() / mostCompare.Seconds(), aim: "≤ 1.00", met: each <= mostCompare})
	ratio := own.Seconds() / reading.Seconds()
	b.table.add(row{measure: "P9 CPU beside encoding/csv", of: s.String(), rollcall: fmt.Sprintf("%.3f s", own.Seconds()), bare: fmt.Sprintf("%.3f s", reading.Seconds()),
		ratio: ratio, aim: fmt.Sprintf("≤ %.2f", mostReading), met: ratio <= mostReading})
	return os.RemoveAll(dir)
}
