package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/job"
)

// TestAnInterruptedCycleFindsItsVersion: a cycle that was interrupted is given the mappings it began with, and the
// settings that were saved last before the mappings were (engine.R10).
func TestAnInterruptedCycleFindsItsVersion(t *testing.T) {
	t.Setenv("APP_TOKEN", "secret")
	c, s, file := testState(t)
	write := func(text string) applied {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return applyNow(t, c, s, file)
	}
	began := write(applyFile).Job.Version
	write(applyFile + "settings: {interval: 2h}\n")
	last := write(applyFile + "settings: {interval: 3h, scope: all}\n").Job
	if last.Version == began || last.Saved != 3 {
		t.Fatalf("job %+v", last)
	}
	sites := s.sites(c)
	sub, err := s.subjectAt(t.Context(), c, last, began, sites)
	if err != nil {
		t.Fatal(err)
	}
	if got := sub.Def.Settings; got.Scope != job.ScopeAssigned || got.Interval != 2*time.Hour || sub.Unready != nil {
		t.Errorf("settings %+v, %v", got, sub.Unready)
	}
	if err := closeSubject(t.Context(), sub, sites); err != nil {
		t.Error(err)
	}
	if _, err := s.subjectAt(t.Context(), c, last, 99, sites); err == nil || !strings.Contains(err.Error(), "no saved version") {
		t.Errorf("a version that was never saved: %v", err)
	}
}
