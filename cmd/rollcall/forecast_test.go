package main

import (
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/httpx"
)

func TestMinutesFor(t *testing.T) {
	perMinute, perSecond := httpx.Rate{N: 100, Per: time.Minute}, httpx.Rate{N: 25, Per: time.Second}
	tests := []struct {
		name  string
		rate  httpx.Rate
		calls int64
		used  int
		want  float64
	}{
		{"what the window lets through at once takes no minute", perMinute, 100, 0, 0},
		{"one call more waits for the next window", perMinute, 101, 0, 1},
		{"a thousand", perMinute, 1000, 0, 9},
		{"a window that is half used lets through the other half", perMinute, 50, 50, 0},
		{"and no more", perMinute, 51, 50, 1},
		{"a full window", perMinute, 100, 100, 1},
		{"a window that holds more than the rate, which was lowered", perMinute, 100, 300, 1},
		{"nothing to do", perMinute, 0, 100, 0},
		{"a rate per second is even", perSecond, 1500, 0, 1},
		{"and has no window", perSecond, 750, 20, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := minutesFor(tt.rate, tt.calls, tt.used); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}
