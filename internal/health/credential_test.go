package health

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestJudgeCredential(t *testing.T) {
	day := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		before time.Duration
		want   Credential
	}{
		{"more than 60 days before all is well", 60*24*time.Hour + time.Second, Credential{CredentialValid, 61, 0}},
		{"60 days before the first warning is due", 60 * 24 * time.Hour, Credential{CredentialExpiring, 60, 60}},
		{"a month and a day before it is the same one", 31 * 24 * time.Hour, Credential{CredentialExpiring, 31, 60}},
		{"30 days", 30 * 24 * time.Hour, Credential{CredentialExpiring, 30, 30}},
		{"14 days", 14 * 24 * time.Hour, Credential{CredentialExpiring, 14, 14}},
		{"7 days", 7 * 24 * time.Hour, Credential{CredentialExpiring, 7, 7}},
		{"two days", 2 * 24 * time.Hour, Credential{CredentialExpiring, 2, 7}},
		{"the day before", 12 * time.Hour, Credential{CredentialExpiring, 1, 1}},
		{"on the day it has expired", 0, Credential{CredentialExpired, 0, 0}},
		{"and afterwards", -100 * time.Hour, Credential{CredentialExpired, 0, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, JudgeCredential(day, day.Add(-tt.before))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := JudgeCredential(time.Time{}, day); got != (Credential{State: CredentialUnknown}) {
		t.Errorf("without a date: %+v", got)
	}
}

func TestCyclesWarnAtEachStageOnceAndFromTheLastDayOnAlways(t *testing.T) {
	expires := time.Date(2027, 3, 31, 0, 0, 0, 0, time.UTC)
	var days []int
	warned := 0
	for left := 90; left >= -1; left-- {
		c := JudgeCredential(expires, expires.AddDate(0, 0, -left))
		for range 2 { // two cycles a day
			if c.WarnAgain(warned) {
				days = append(days, left)
				warned = c.Stage
			}
		}
	}
	want := []int{60, 30, 14, 7, 1, 1, 0, 0, -1, -1}
	if diff := cmp.Diff(want, slices.Clone(days)); diff != "" {
		t.Error(diff)
	}
}
