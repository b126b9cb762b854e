package view

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/rollcall-id/rollcall/internal/engine"
)

// explanations is `rollcall why -o json`.
type explanations struct {
	User string               `json:"user"`
	Jobs []engine.Explanation `json:"jobs"`
}

// WhyJSON writes what is known about somebody, job by job.
func WhyJSON(w io.Writer, user string, list []engine.Explanation) error {
	if list == nil {
		list = []engine.Explanation{}
	}
	return JSON(w, explanations{user, list})
}

// Why writes the same for people: plain sentences first, the details below.
func Why(w io.Writer, list []engine.Explanation) error {
	var b bytes.Buffer
	for i, x := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s\n", oneLine(x.Job))
		for _, s := range x.Answer {
			fmt.Fprintf(&b, "  %s\n", oneLine(s))
		}
		if err := whyDetails(&b, x); err != nil {
			return err
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func whyDetails(b *bytes.Buffer, x engine.Explanation) error {
	t := NewTable("", "")
	if x.Rule != "" {
		t.Add("rule", x.Rule)
	}
	if x.State != "unknown" {
		t.Add("link", x.State)
	}
	if x.Target.ID != "" {
		t.Add("account", x.Target.ID)
	}
	if !x.Confirmed.IsZero() {
		t.Add("last confirmed", Time(x.Confirmed))
	}
	for _, l := range x.Scope {
		t.Add("scope: "+l.Name, l.Value)
	}
	t.Add("stands on", strings.Join(x.Basis, ", "))
	b.WriteByte('\n')
	if err := t.write(b, "  "); err != nil || len(x.Records) == 0 {
		return err
	}
	b.WriteByte('\n')
	log := NewTable("TIME", "ACTION", "STATUS", "REASON")
	for _, r := range x.Records {
		reason := r.Reason
		if r.Code != "" {
			reason = r.Code + ": " + reason
		}
		log.Add(Time(r.At), r.Action, r.Status, reason)
	}
	return log.write(b, "  ")
}
