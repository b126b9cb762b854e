package view

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Snapshot is how far a piece of work has come.
type Snapshot struct {
	Label string        // what is being done: "reading", "matching", "writing"
	Done  int64         // objects
	Total int64         // 0 while it is not known
	Wait  time.Duration // how long the work stands still, 0 when it does not
	For   string        // what it waits for, "" means the target's allowance
}

// Progress draws one line on a terminal and redraws it in place: bar, percent, count, rate and remaining time. It is
// safe for use by several goroutines. A nil *Progress draws nothing, so that a caller without a terminal needs no test.
type Progress struct {
	mu      sync.Mutex
	w       io.Writer
	columns func() int
	now     func() time.Time
	last    Snapshot
	drawn   time.Time // zero: nothing is on the line
	samples []sample  // of the present label, oldest first
}

type sample struct {
	at   time.Time
	done int64
}

const (
	redraw     = 100 * time.Millisecond // at most ten lines a second
	rateWindow = time.Minute            // the rate is that of the last minute, which a limit of N/min does not make jump
	barColumns = 24
)

// NewProgress draws on w, which must be a terminal of the given number of columns.
func NewProgress(w io.Writer, columns func() int, now func() time.Time) *Progress {
	return &Progress{w: w, columns: columns, now: now}
}

// Update shows s, unless the line was redrawn a moment ago and s says nothing of a new kind.
func (p *Progress) Update(s Snapshot) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	fresh := s.Label != p.last.Label
	if fresh {
		p.samples = nil
	}
	p.sample(now, s.Done)
	changed := fresh || (s.Wait > 0) != (p.last.Wait > 0) || s.Total > 0 && s.Done >= s.Total
	p.last = s
	if !changed && !p.drawn.IsZero() && now.Sub(p.drawn) < redraw {
		return
	}
	p.draw(now)
}

// Clear removes the line, for a message or at the end. A later Update draws it again.
func (p *Progress) Clear() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.drawn.IsZero() {
		_, _ = io.WriteString(p.w, "\r\x1b[K") // a terminal that cannot be written to has nobody to tell
		p.drawn = time.Time{}
	}
}

func (p *Progress) sample(now time.Time, done int64) {
	if n := len(p.samples); n > 0 && done < p.samples[n-1].done {
		p.samples = nil // counted anew
	}
	if n := len(p.samples); n < 2 || now.Sub(p.samples[n-2].at) >= redraw {
		p.samples = append(p.samples, sample{now, done})
	} else {
		p.samples[n-1] = sample{now, done}
	}
	old := 0
	for old < len(p.samples)-2 && now.Sub(p.samples[old+1].at) >= rateWindow {
		old++
	}
	p.samples = p.samples[old:]
}

// rate is in objects per second, 0 while it is not known.
func (p *Progress) rate() float64 {
	if len(p.samples) < 2 {
		return 0
	}
	first, last := p.samples[0], p.samples[len(p.samples)-1]
	if span := last.at.Sub(first.at); span >= redraw {
		return float64(last.done-first.done) / span.Seconds()
	}
	return 0
}

func (p *Progress) draw(now time.Time) {
	line := p.line()
	if limit := p.columns() - 1; limit > 0 {
		line = cut(line, limit)
	}
	_, _ = io.WriteString(p.w, "\r\x1b[K"+line)
	p.drawn = now
}

func (p *Progress) line() string {
	s := p.last
	parts := []string{s.Label}
	if s.Total > 0 {
		share := min(1, float64(s.Done)/float64(s.Total))
		full := int(share * barColumns)
		parts = append(parts,
			"["+strings.Repeat("#", full)+strings.Repeat(".", barColumns-full)+"]",
			fmt.Sprintf("%3d %%", int(share*100)),
			Count(s.Done)+" of "+Count(s.Total))
	} else {
		parts = append(parts, Count(s.Done))
	}
	if s.Wait > 0 {
		what := s.For
		if what == "" {
			what = "the target's allowance"
		}
		return strings.Join(append(parts, "waiting "+Duration(wholeSeconds(s.Wait))+" for "+what), "  ")
	}
	if rate := p.rate(); rate > 0 {
		parts = append(parts, perSecond(rate))
		if left := s.Total - s.Done; left > 0 {
			parts = append(parts, Duration(wholeSeconds(time.Duration(float64(left)/rate*float64(time.Second))))+" left")
		}
	}
	return strings.Join(parts, "  ")
}

// wholeSeconds rounds up: a wait of a moment is not "0 ms".
func wholeSeconds(d time.Duration) time.Duration {
	return (d + time.Second - 1).Truncate(time.Second)
}

func perSecond(rate float64) string {
	if rate < 10 {
		return fmt.Sprintf("%.1f/s", rate)
	}
	return Count(int64(rate+0.5)) + "/s"
}

// cut shortens s to at most n columns.
func cut(s string, n int) string {
	if cellWidth(s) <= n {
		return s
	}
	used := 0
	for i, r := range s {
		w := cellWidth(string(r))
		if used+w > n {
			return s[:i]
		}
		used += w
	}
	return s
}
