package httpx

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseRate(t *testing.T) {
	tests := []struct {
		in        string
		want      Rate
		perMinute float64
		err       string
	}{
		{"none", Rate{}, 0, ""},
		{"", Rate{}, 0, ""},
		{"25/s", Rate{25, time.Second}, 1500, ""},
		{" 100 / MIN ", Rate{100, time.Minute}, 100, ""},
		{"100", Rate{}, 0, "unit must be s or min"},
		{"5/h", Rate{}, 0, "unit must be s or min"},
		{"0/s", Rate{}, 0, "write none, a number per second"},
		{"-3/min", Rate{}, 0, "write none"},
		{"fast", Rate{}, 0, "write none"},
		{"1.5/s", Rate{}, 0, "write none"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			got, err := ParseRate(tt.in)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("error %v, want one with %q", err, tt.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
			if got.PerMinute() != tt.perMinute {
				t.Errorf("PerMinute = %v, want %v", got.PerMinute(), tt.perMinute)
			}
			again, err := ParseRate(got.String())
			if err != nil || again != got {
				t.Errorf("%q reads back as %v, %v", got, again, err)
			}
		})
	}
}
