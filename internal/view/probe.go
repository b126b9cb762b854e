package view

import (
	"bytes"
	"fmt"
	"io"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// Probed is what `rollcall probe` prints. The JSON form is stable.
type Probed struct {
	Job      string    `json:"job"`
	Usable   bool      `json:"usable"` // a job can run with both ends as they were found
	Source   ProbedEnd `json:"source"`
	Target   ProbedEnd `json:"target"`
	Settings string    `json:"settings"` // YAML to paste into the app file, "" for nothing to change
}

// ProbedEnd is one end of a job as it was found.
type ProbedEnd struct {
	Connector string `json:"connector"`
	connector.Examination
	Requests int64 `json:"requests"` // calls that finding it out took
}

// Probe writes for people what was found out about the ends of a job: a table for each, what it means for the job, and
// settings to paste.
func Probe(w io.Writer, p Probed) error {
	var b bytes.Buffer
	for _, end := range []struct {
		name string
		ProbedEnd
	}{{"Source", p.Source}, {"Target", p.Target}} {
		fmt.Fprintf(&b, "%s: %s", end.name, end.Connector)
		if end.Address != "" {
			fmt.Fprintf(&b, " at %s", oneLine(end.Address))
		}
		if end.Requests > 0 {
			fmt.Fprintf(&b, ", %s", Plural(end.Requests, "call"))
			if end.Address != "" { // it was examined, so its credential is known
				fmt.Fprintf(&b, ", credential %s", orNone(end.Credential))
			}
		}
		b.WriteByte('\n')
		t := NewTable("", "", "")
		for _, f := range end.Findings {
			t.Add(string(f.State), f.Topic, f.Found)
		}
		if err := t.write(&b, "  "); err != nil {
			return err
		}
		b.WriteByte('\n')
		consequences(&b, end.Examination)
	}
	if p.Settings != "" {
		fmt.Fprintf(&b, "Settings that suit the target better:\n\n%s\n", p.Settings)
	}
	verdict := "The job can run with both as they are."
	if !p.Usable {
		verdict = "The job cannot run like this."
	}
	fmt.Fprintln(&b, verdict)
	_, err := w.Write(b.Bytes())
	return err
}

// consequences writes what the findings of one end mean and what can be done about them.
func consequences(b *bytes.Buffer, e connector.Examination) {
	n := 0
	for _, f := range e.Findings {
		if f.Meaning == "" && f.Cure == "" {
			continue
		}
		fmt.Fprintf(b, "- %s:", oneLine(f.Topic))
		for i, text := range []string{f.Meaning, f.Cure} {
			if i > 0 && f.Meaning != "" && text != "" {
				b.WriteString(";")
			}
			if text != "" {
				b.WriteString(" " + oneLine(text))
			}
		}
		b.WriteString(".\n")
		n++
	}
	if n > 0 {
		b.WriteByte('\n')
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
