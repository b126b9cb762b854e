package view

import (
	"fmt"
	"io"
	"time"

	"github.com/rollcall-id/rollcall/internal/store"
)

// stagedOperation is one held operation (`rollcall deletes list -o json`). key is what `rollcall deletes allow` takes.
type stagedOperation struct {
	Key         string    `json:"key"`
	Rule        string    `json:"rule"`
	DisplayName string    `json:"displayName"`
	Target      string    `json:"target"`
	Action      string    `json:"action"`
	Reason      string    `json:"reason"`
	StagedAt    time.Time `json:"stagedAt"`
	CycleID     string    `json:"cycleId"`
	Allowed     bool      `json:"allowed"`
}

// StagedKey writes the key of a held operation as `rollcall deletes` shows and takes it: RULE:ANCHOR.
func StagedKey(k store.ObjectKey) string { return k.Rule + ":" + k.Anchor }

// DeletesJSON writes the operations that the deletion guard holds.
func DeletesJSON(w io.Writer, list []store.Staged) error {
	out := make([]stagedOperation, len(list))
	for i, s := range list {
		out[i] = stagedOperation{Key: StagedKey(s.ObjectKey), Rule: s.Rule, DisplayName: s.Name, Target: s.Target, Action: s.Action,
			Reason: s.Reason, StagedAt: utc(s.StagedAt), CycleID: s.CycleID, Allowed: s.Allowed}
	}
	return JSON(w, out)
}

// Deletes writes the operations that the deletion guard holds, and how they are let go.
func Deletes(w io.Writer, job string, list []store.Staged) error {
	if len(list) == 0 {
		_, err := io.WriteString(w, "Nothing is held.\n")
		return err
	}
	t := NewTable("KEY", "NAME", "ACTION", "SINCE", "REASON", "")
	var waiting int64
	for _, s := range list {
		allowed := "allowed, done by the next cycle"
		if !s.Allowed {
			waiting++
			allowed = ""
		}
		t.Add(StagedKey(s.ObjectKey), s.Name, s.Action, Time(s.StagedAt), s.Reason, allowed)
	}
	if err := t.Write(w); err != nil {
		return err
	}
	if waiting == 0 {
		return nil
	}
	_, err := fmt.Fprintf(w, "\n%s held. `rollcall deletes allow %s` lets all of them go, keys behind it only those.\n",
		Plural(waiting, "operation"), QuoteArg(job))
	return err
}

// Allowed tells how many held operations were let go, as a document or a sentence.
func Allowed(w io.Writer, asJSON bool, n int64) error {
	if asJSON {
		return JSON(w, struct {
			Allowed int64 `json:"allowed"`
		}{n})
	}
	_, err := fmt.Fprintf(w, "%s allowed; the next cycle carries out what still has a cause.\n", Plural(n, "operation"))
	return err
}
