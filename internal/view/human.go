package view

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Count writes a number with commas between groups of three digits: 1,234,567.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Plural writes a number with its noun: "1 user", "2 users". The plural is made by an added s.
func Plural(n int64, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return Count(n) + " " + noun
}

// Duration writes a time span in its two largest units: "340 ms", "4.2 s", "3 min 20 s", "5 h 10 min", "2 d 3 h".
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Duration(-d)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 9950*time.Millisecond:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + " s"
	}
	units := []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}}
	for i, u := range units {
		if u.size > time.Second && d.Round(units[min(i+1, len(units)-1)].size) < u.size {
			continue
		}
		if u.size == time.Second {
			return fmt.Sprintf("%d s", d.Round(time.Second)/time.Second)
		}
		next := units[i+1]
		d = d.Round(next.size)
		if rest := d % u.size / next.size; rest > 0 {
			return fmt.Sprintf("%d %s %d %s", d/u.size, u.name, rest, next.name)
		}
		return fmt.Sprintf("%d %s", d/u.size, u.name)
	}
	return ""
}

// Time writes an instant in UTC to the second; "" for the zero time.
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Value writes an attribute value as it would stand in JSON; absent values are "(none)".
func Value(v any) string {
	if v == nil {
		return "(none)"
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return oneLine(fmt.Sprint(v))
	}
	return oneLine(strings.TrimSuffix(b.String(), "\n"))
}

// methods writes numbers of calls by method: "GET 2, POST 1,050".
func methods(by map[string]int64) string {
	var parts []string
	for _, m := range slices.Sorted(maps.Keys(by)) {
		if by[m] > 0 {
			parts = append(parts, m+" "+Count(by[m]))
		}
	}
	return strings.Join(parts, ", ")
}

// named writes a display name with its id: "Mira Novak (AW0017)".
func named(name, id string) string {
	switch {
	case name == "" || name == id:
		return oneLine(id)
	case id == "":
		return oneLine(name)
	}
	return oneLine(name + " (" + id + ")")
}
