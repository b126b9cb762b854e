package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTableMarksRowsThatMissTheirAim(t *testing.T) {
	var tb table
	tb.add(row{measure: "P1", of: "few", rollcall: "7", bare: "8", ratio: 0.875, aim: "≤ 1.00", met: true})
	tb.add(row{measure: "memory", of: "few", rollcall: "1 MiB", bare: "2 MiB"})
	tb.add(row{measure: "P4", of: "µ", rollcall: "1", bare: "2", ratio: 0.5, aim: "≥ 0.70"})
	var out strings.Builder
	if err := tb.write(&out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(out.String()) {
		got = append(got, strings.Join(strings.Fields(line), " "))
	}
	want := []string{
		"MEASURE OF ROLLCALL BARE OR LIMIT RATIO AIM",
		"P1 few 7 8 0.88 ≤ 1.00 met",
		"memory few 1 MiB 2 MiB",
		"P4 µ 1 2 0.50 ≥ 0.70 MISSED",
		"",
		"1 of the figures missed their aim. On a busy machine measure again before looking for the cause.",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
}

func TestTimesAreTheLeastAndTheMedian(t *testing.T) {
	of := func(seconds ...float64) (list []usage) {
		for _, s := range seconds {
			list = append(list, usage{Wall: time.Duration(s * float64(time.Second))})
		}
		return list
	}
	tests := []struct {
		name string
		in   []usage
		want string
	}{
		{"one round", of(2), "2.000 s / 2.000 s"},
		{"three rounds out of order", of(3, 1, 2), "1.000 s / 2.000 s"},
		{"an even number of rounds", of(4, 1, 2, 3), "1.000 s / 2.500 s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := timesOf(tt.in).String(); got != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 10304: "10,304", 123456: "123,456", 1234567: "1,234,567", -100: "-100", -1000: "-1,000"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}

func TestCallLimitCountsFurtherBatchesOfEachGroup(t *testing.T) {
	tests := []struct {
		name  string
		size  size
		pages int
		want  int
	}{
		{"users alone", size{Users: 10}, 1, 10 + 1 + 2},
		{"members that go with the create", size{Users: 1000, Groups: 50, Members: 5000}, 2, 1000 + 50 + 2 + 2},
		{"one member too many for the create", size{Users: 1000, Groups: 2, Members: 202}, 2, 1000 + 2 + 2 + 2 + 2},
		{"three batches", size{Users: 10_000, Groups: 100, Members: 30_000}, 2, 10_000 + 100 + 200 + 2 + 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := callLimit(tt.size, tt.pages); got != tt.want {
				t.Errorf("%d, want %d", got, tt.want)
			}
		})
	}
}

func TestTypicalMappingsAreTwentyOfWhichSixCompute(t *testing.T) {
	list := typicalMappings()
	computed := 0
	for _, m := range list {
		if strings.Contains(m.Expression, "(") {
			computed++
		}
	}
	if len(list) != 20 || computed != 6 {
		t.Errorf("%d mappings, %d computed; want 20 and 6", len(list), computed)
	}
	if _, _, err := evaluate(list, 50); err != nil {
		t.Error(err)
	}
}

func TestDeepExpressionsAllocateNoMoreThanShallowOnes(t *testing.T) { // P8
	list := typicalMappings()
	list[3].Expression = nested(1)
	_, shallow, err := evaluate(list, 5000)
	if err != nil {
		t.Fatal(err)
	}
	list[3].Expression = nested(32)
	_, deep, err := evaluate(list, 5000)
	if err != nil {
		t.Fatal(err)
	}
	if deep > shallow+0.5 {
		t.Errorf("%.1f allocations with a deep expression, %.1f with a shallow one", deep, shallow)
	}
}
