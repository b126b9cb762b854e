package expr

import (
	"testing"
	"time"
)

// Every day of the calendar, against the time package.
func TestCalendar(t *testing.T) {
	day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	for ticks := int64(0); ticks < endOfCalendar; ticks += ticksPerDay {
		c := civilOf(ticks)
		year, month, d := day.Date()
		if want := (civil{year: year, month: int(month), day: d}); c != want {
			t.Fatalf("day %d is %+v, want %+v", ticks/ticksPerDay, c, want)
		}
		if back, ok := c.ticks(); !ok || back != ticks || weekdayOf(ticks) != day.Weekday() {
			t.Fatalf("%v is day %d, a %v", day, back/ticksPerDay, weekdayOf(ticks))
		}
		day = day.AddDate(0, 0, 1)
	}
	if c := civilOf(endOfCalendar - 1); c != (civil{9999, 12, 31, 23, 59, 59, ticksPerSecond - 1}) {
		t.Errorf("the last instant is %+v", c)
	}
	for _, c := range []civil{{year: 2025, month: 2, day: 29}, {year: 1900, month: 2, day: 29}, {year: 2024, month: 4, day: 31}, {year: 0, month: 1, day: 1},
		{year: 10000, month: 1, day: 1}, {year: 2024, month: 13, day: 1}, {year: 2024, month: 1, day: 1, hour: 24}} {
		if ticks, ok := c.ticks(); ok {
			t.Errorf("%+v is accepted as %v", c, timeOf(ticks))
		}
	}
}
