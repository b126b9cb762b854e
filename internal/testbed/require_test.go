package testbed

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// verdict is what a test that asked for a setting came to.
type verdict struct {
	Value           string
	Skipped, Failed bool
}

// recorder is a testing.TB that notes Skipf and Fatalf and ends the calling goroutine's work by a panic with itself.
type recorder struct {
	testing.TB
	verdict *verdict
}

func (r recorder) Helper()                   {}
func (r recorder) Skipf(f string, a ...any)  { r.verdict.Skipped = true; panic(fmt.Sprintf(f, a...)) }
func (r recorder) Fatalf(f string, a ...any) { r.verdict.Failed = true; panic(fmt.Sprintf(f, a...)) }

func TestSettingSkipsUnlessRequired(t *testing.T) {
	const variable = "ROLLCALL_TEST_EXAMPLE"
	tests := []struct {
		name           string
		value, require string
		want           verdict
	}{
		{"a value is returned", "here", "", verdict{Value: "here"}},
		{"a value is returned when it is required", "here", "1", verdict{Value: "here"}},
		{"no value skips", "", "", verdict{Skipped: true}},
		{"no value skips when nothing is required", "", "0", verdict{Skipped: true}},
		{"no value fails when it is required", "", "1", verdict{Failed: true}},
		{"an unreadable requirement fails instead of skipping", "", "maybe", verdict{Failed: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(variable, tt.value)
			t.Setenv(requireVariable, tt.require)
			var got verdict
			func() {
				defer func() { _ = recover() }()
				got.Value = setting(recorder{TB: t, verdict: &got}, variable)
			}()
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("verdict (-want +got):\n%s", diff)
			}
		})
	}
}
