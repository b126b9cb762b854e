package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run is the whole command, or one of the processes that it measures Rollcall against.
func run(ctx context.Context, args []string) error {
	if len(args) == 3 && args[0] == clientCommand {
		return clientMain(ctx, os.Stdout, args[1], args[2])
	}
	if len(args) == 2 && args[0] == readerCommand {
		return readerMain(os.Stdout, args[1])
	}
	var mode, rollcall, only string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&mode, "mode", "full", "quick (under a minute), full (under ten), or long (about an hour: a million people, and the large load with latency)")
	f.StringVar(&only, "only", "", "measure only this: loads, mappings, growth, feed or allowance")
	f.StringVar(&rollcall, "rollcall", "", "built program to measure; it is built when left out")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	p, ok := programmes()[mode]
	if !ok {
		return fmt.Errorf("-mode %s: use quick, full or long", mode)
	}
	dir, err := os.MkdirTemp("", "rollcall-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what stays behind is in the folder for temporary files
	b := &bench{dir: dir, rounds: p.rounds}
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("find this program, to run it as the bare client: %w", err)
	}
	if rollcall == "" {
		b.notef("building")
		if rollcall, err = build(ctx, dir); err != nil {
			return err
		}
	} else if rollcall, err = filepath.Abs(rollcall); err != nil { // it runs in other folders than this one
		return err
	}
	b.rollcall = rollcall
	if err := b.measure(ctx, p, only); err != nil {
		return err
	}
	fmt.Printf("Rollcall beside a bare client of %d connections that sends the same calls. Rounds: %d, in turn; times are the least and\n"+
		"the median; ratios are of the least. %d cores, %s.\n\n", connections, p.rounds, runtime.NumCPU(), runtime.Version())
	return b.table.write(os.Stdout)
}

// programme is what one mode measures.
type programme struct {
	rounds    int
	loads     []load
	grow      []int // sizes of the populations whose cycles are compared (P5, P9)
	feed      []int // the same for the change feed (P6)
	allowance int   // people for a target with a limit a minute (P7); 0 leaves it out, since it takes minutes
}

func programmes() map[string]programme {
	small := size{Users: 1000, Groups: 50, Members: 5000}
	large := size{Users: 10_000, Groups: 100, Members: 30_000}
	const latency = 20 * time.Millisecond
	return map[string]programme{
		"quick": {rounds: 1, loads: []load{{small, latency}, {small, 0}, {large, 0}}, grow: []int{10_000}, feed: []int{1000, 10_000}},
		"full":  {rounds: 3, loads: []load{{small, latency}, {small, 0}, {large, 0}}, grow: []int{10_000, 100_000}, feed: []int{10_000, 50_000}, allowance: 150},
		"long": {rounds: 3, loads: []load{{small, latency}, {small, 0}, {large, 0}, {large, latency}},
			grow: []int{10_000, 100_000, 1_000_000}, feed: []int{10_000, 1_000_000}, allowance: 350},
	}
}

// bench is one run of all measures.
type bench struct {
	dir      string // temporary
	self     string // this program
	rollcall string
	rounds   int
	table    table
	runs     int // folders made so far
}

// parts are what can be measured alone, in the order of measuring.
func (b *bench) parts() []part {
	return []part{
		{"loads", b.firstLoads},
		{"mappings", func(context.Context, programme) error { return b.mappings() }},
		{"growth", b.grow},
		{"feed", b.feed},
		{"allowance", b.allowance},
	}
}

type part struct {
	name    string
	measure func(context.Context, programme) error
}

// measure measures one part, or all.
func (b *bench) measure(ctx context.Context, p programme, only string) error {
	var names []string
	for _, part := range b.parts() {
		names = append(names, part.name)
		if only != "" && only != part.name {
			continue
		}
		if err := part.measure(ctx, p); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	if only != "" && !slices.Contains(names, only) {
		return fmt.Errorf("-only %s: use one of %s", only, strings.Join(names, ", "))
	}
	return nil
}

// firstLoads measures first loads (P1 to P4).
func (b *bench) firstLoads(ctx context.Context, p programme) error {
	scripts := map[size]*recording{}
	for _, l := range p.loads {
		if scripts[l.size] == nil {
			r, err := b.record(ctx, l.size)
			if err != nil {
				return fmt.Errorf("record one of %s: %w", l.size, err)
			}
			scripts[l.size] = r
		}
		if err := b.firstLoad(ctx, l, scripts[l.size]); err != nil {
			return fmt.Errorf("%s: %w", l, err)
		}
	}
	return nil
}

// notef says on standard error what is being done.
func (b *bench) notef(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}

// folder makes an empty folder.
func (b *bench) folder() (string, error) {
	b.runs++
	dir := filepath.Join(b.dir, strconv.Itoa(b.runs))
	return dir, os.Mkdir(dir, 0o700)
}
