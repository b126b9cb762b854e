package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"
)

// row is one line of the table.
type row struct {
	measure, of    string
	rollcall, bare string
	ratio          float64 // 0 for none
	aim            string  // "" for a figure without one
	met            bool
}

// table is all that was measured, in the order of measuring.
type table struct{ rows []row }

func (t *table) add(r row) { t.rows = append(t.rows, r) }

// write prints the table. Rows that miss their aim are marked.
func (t *table) write(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0) // keeps its first error until Flush
	_, _ = fmt.Fprintln(w, "MEASURE\tOF\tROLLCALL\tBARE OR LIMIT\tRATIO\tAIM\t")
	missed := 0
	for _, r := range t.rows {
		ratio, verdict := "", ""
		if r.ratio != 0 {
			ratio = strconv.FormatFloat(r.ratio, 'f', 2, 64)
		}
		switch {
		case r.aim == "":
		case r.met:
			verdict = "met"
		default:
			verdict = "MISSED"
			missed++
		}
		_, _ = fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.measure, r.of, r.rollcall, r.bare, ratio, r.aim, verdict)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if missed > 0 {
		_, err := fmt.Fprintf(out, "\n%d of the figures missed their aim. On a busy machine measure again before looking for the cause.\n", missed)
		return err
	}
	return nil
}

// times are the durations of the rounds in short.
type times struct{ least, median time.Duration }

func timesOf(list []usage) times {
	all := make([]time.Duration, len(list))
	for i, u := range list {
		all[i] = u.Wall
	}
	slices.Sort(all)
	mid := len(all) / 2
	median := all[mid]
	if len(all)%2 == 0 {
		median = (all[mid-1] + all[mid]) / 2
	}
	return times{all[0], median}
}

func (t times) String() string {
	return fmt.Sprintf("%.3f s / %.3f s", t.least.Seconds(), t.median.Seconds())
}

// peakOf is the largest memory of the rounds.
func peakOf(list []usage) int64 {
	var peak int64
	for _, u := range list {
		peak = max(peak, u.Peak)
	}
	return peak
}

func mebi(bytes int64) string {
	if bytes == 0 {
		return "not known"
	}
	return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
}

func micro(d time.Duration) string {
	return fmt.Sprintf("%.1f µs", float64(d)/float64(time.Microsecond))
}

// thousands writes a number with its digits in threes.
func thousands(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
