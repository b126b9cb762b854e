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
	"strconv"
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
	var mode, rollcall string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&mode, "mode", "full", "quick (under a minute), full (under five), or long (adds the large load with latency)")
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
	if err := b.measure(ctx, p); err != nil {
		return err
	}
	fmt.Printf("Rollcall beside a bare client of %d connections that sends the same calls. Rounds: %d, in turn; times are the least and\n"+
		"the median; ratios are of the least. %d cores, %s.\n\n", connections, p.rounds, runtime.NumCPU(), runtime.Version())
	return b.table.write(os.Stdout)
}

// programme is what one mode measures.
type programme struct {
	rounds  int
	loads   []load
	compare int // people of the comparison without a change
}

func programmes() map[string]programme {
	small := size{Users: 1000, Groups: 50, Members: 5000}
	large := size{Users: 10_000, Groups: 100, Members: 30_000}
	const latency = 20 * time.Millisecond
	return map[string]programme{
		"quick": {rounds: 1, loads: []load{{small, latency}, {small, 0}, {large, 0}}, compare: 20_000},
		"full":  {rounds: 3, loads: []load{{small, latency}, {small, 0}, {large, 0}}, compare: 100_000},
		"long":  {rounds: 3, loads: []load{{small, latency}, {small, 0}, {large, 0}, {large, latency}}, compare: 100_000},
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

func (b *bench) measure(ctx context.Context, p programme) error {
	scripts := map[size]*recording{}
	for _, l := range p.loads {
		if scripts[l.size] == nil {
			r, err := b.record(ctx, l.size)
			if err != nil {
				return fmt.Errorf("record a first load of %s: %w", l.size, err)
			}
			scripts[l.size] = r
		}
		if err := b.firstLoad(ctx, l, scripts[l.size]); err != nil {
			return fmt.Errorf("first load of %s: %w", l, err)
		}
	}
	if err := b.mappings(); err != nil {
		return fmt.Errorf("mappings: %w", err)
	}
	if err := b.compare(ctx, p.compare); err != nil {
		return fmt.Errorf("comparison of %d unchanged people: %w", p.compare, err)
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
