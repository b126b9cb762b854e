package httpx

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is how many calls a target allows in a span of time. The zero value means no limit.
type Rate struct {
	N   int           // calls, more than 0
	Per time.Duration // time.Second or time.Minute
}

// ParseRate reads a rate as app files write it: "none" or "", "25/s", "100/min" (design D2).
func ParseRate(text string) (Rate, error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.EqualFold(text, "none") {
		return Rate{}, nil
	}
	number, unit, _ := strings.Cut(text, "/")
	n, err := strconv.Atoi(strings.TrimSpace(number))
	if err != nil || n < 1 || n > 1_000_000 {
		return Rate{}, fmt.Errorf("rate %q: write none, a number per second (25/s) or a number per minute (100/min)", text)
	}
	switch strings.ToLower(strings.TrimSpace(unit)) {
	case "s":
		return Rate{N: n, Per: time.Second}, nil
	case "min":
		return Rate{N: n, Per: time.Minute}, nil
	}
	return Rate{}, fmt.Errorf("rate %q: the unit must be s or min, for instance 25/s or 100/min", text)
}

// Limited tells whether there is a limit at all.
func (r Rate) Limited() bool { return r.N > 0 && r.Per > 0 }

// PerMinute is the rate in calls a minute, 0 for no limit.
func (r Rate) PerMinute() float64 {
	if !r.Limited() {
		return 0
	}
	return float64(r.N) * float64(time.Minute) / float64(r.Per)
}

// String writes the rate in the form ParseRate reads.
func (r Rate) String() string {
	switch {
	case !r.Limited():
		return "none"
	case r.Per == time.Second:
		return strconv.Itoa(r.N) + "/s"
	case r.Per == time.Minute:
		return strconv.Itoa(r.N) + "/min"
	}
	return strconv.Itoa(r.N) + "/" + r.Per.String()
}

// scaled is the number of calls under a factor between 0 and 1: whole calls, at least one.
func (r Rate) scaled(factor float64) int {
	return max(1, int(math.Floor(float64(r.N)*factor)))
}
