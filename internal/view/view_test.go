package view_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/view"
)

func TestCount(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -999: "-999"} {
		if got := view.Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for _, c := range []struct {
		in   time.Duration
		want string
	}{
		{0, "0 ms"}, {340 * time.Millisecond, "340 ms"}, {time.Second, "1 s"}, {4200 * time.Millisecond, "4.2 s"},
		{9940 * time.Millisecond, "9.9 s"}, {9950 * time.Millisecond, "10 s"}, {59400 * time.Millisecond, "59 s"},
		{59600 * time.Millisecond, "1 min"}, {200 * time.Second, "3 min 20 s"}, {time.Hour - time.Millisecond, "1 h"},
		{310 * time.Minute, "5 h 10 min"}, {24*time.Hour - time.Second, "1 d"}, {51 * time.Hour, "2 d 3 h"}, {-time.Second, "-1 s"},
	} {
		if got := view.Duration(c.in); got != c.want {
			t.Errorf("Duration(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestTable(t *testing.T) {
	tab := view.NewTable("NAME", ">N", "NOTE")
	tab.Add("Zoë", "1", "plain")
	tab.Add("Zoe\u0308", "22", "the umlaut is a mark of its own")
	tab.Add("山田", "333")
	tab.Add("a\nforged row", "4", "\x1b[31mred\u202e")
	var b bytes.Buffer
	if err := tab.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := strings.Join([]string{
		"NAME            N  NOTE",
		"Zoë             1  plain",
		"Zoe\u0308            22  the umlaut is a mark of its own",
		"山田          333",
		"a forged row    4   [31mred",
		"",
	}, "\n")
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValue(t *testing.T) {
	for _, c := range []struct {
		in   any
		want string
	}{
		{nil, "(none)"}, {"", `""`}, {`a "b" <c> & d`, `"a \"b\" <c> & d"`}, {true, "true"}, {int64(7), "7"},
		{[]any{"a", int64(1)}, `["a",1]`}, {func() {}, ""}, {"a\x9bb", `"a\ufffdb"`}, {"a\u009bb", `"a b"`},
	} {
		got := view.Value(c.in)
		if _, odd := c.in.(func()); odd {
			if got == "" {
				t.Error("a value that has no JSON is shown as nothing")
			}
			continue
		}
		if got != c.want {
			t.Errorf("Value(%#v) = %s, want %s", c.in, got, c.want)
		}
	}
}

// screen runs a progress line and returns what each Update drew, "" where it drew nothing.
type screen struct {
	b   bytes.Buffer
	now time.Time
	p   *view.Progress
}

func newScreen(columns int) *screen {
	s := &screen{now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}
	s.p = view.NewProgress(&s.b, func() int { return columns }, func() time.Time { return s.now })
	return s
}

func (s *screen) after(d time.Duration, snap view.Snapshot) string {
	s.now = s.now.Add(d)
	s.b.Reset()
	s.p.Update(snap)
	return strings.TrimPrefix(s.b.String(), "\r\x1b[K")
}

func TestProgress(t *testing.T) {
	s := newScreen(120)
	writing := func(done int64) view.Snapshot { return view.Snapshot{Label: "writing", Done: done, Total: 2000} }
	var got []string
	got = append(got,
		s.after(0, view.Snapshot{Label: "reading", Done: 0}),
		s.after(time.Second, view.Snapshot{Label: "reading", Done: 1500}),
		s.after(time.Second, writing(0)),          // a new label starts a new rate
		s.after(50*time.Millisecond, writing(10)), // too soon
		s.after(10*time.Second-50*time.Millisecond, writing(500)),
		s.after(10*time.Millisecond, view.Snapshot{Label: "writing", Done: 500, Total: 2000, Wait: 41500 * time.Millisecond}), // shown at once
		s.after(10*time.Millisecond, writing(2000)),                                                                           // the end is shown at once
	)
	want := []string{
		"reading  0",
		"reading  1,500  1,500/s",
		"writing  [........................]    0 %  0 of 2,000",
		"",
		"writing  [######..................]   25 %  500 of 2,000  50/s  30 s left",
		"writing  [######..................]   25 %  500 of 2,000  waiting 42 s for the target's allowance",
		"writing  [########################]  100 %  2,000 of 2,000  200/s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestProgressRateForgetsWhatIsOlderThanAMinute(t *testing.T) {
	s := newScreen(120)
	var last string
	for i := range int64(10) {
		last = s.after(10*time.Second, view.Snapshot{Label: "writing", Done: i * 1000, Total: 1e6})
	}
	if !strings.Contains(last, "  100/s  ") {
		t.Fatalf("steady work: %q", last)
	}
	for range 7 {
		last = s.after(10*time.Second, view.Snapshot{Label: "writing", Done: 9100, Total: 1e6})
	}
	if strings.Contains(last, "/s") {
		t.Errorf("nothing moved for more than a minute, yet a rate is shown: %q", last)
	}
}

func TestProgressFitsTheTerminal(t *testing.T) {
	s := newScreen(20)
	got := s.after(0, view.Snapshot{Label: "writing", Done: 5, Total: 10})
	if want := "writing  [#########"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestProgressIsClearedOnceAndANilOneDrawsNothing(t *testing.T) {
	s := newScreen(80)
	s.after(0, view.Snapshot{Label: "reading"})
	s.b.Reset()
	s.p.Clear()
	s.p.Clear()
	if want := "\r\x1b[K"; s.b.String() != want {
		t.Errorf("%q, want %q", s.b.String(), want)
	}
	var none *view.Progress
	none.Update(view.Snapshot{})
	none.Clear()
}
