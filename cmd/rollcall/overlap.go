package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/job"
)

// noteOverlap warns of other jobs that write objects of the same type to the same address. Each job stands for itself,
// so what one of them provisions the other may take away (engine.R7).
func (s *state) noteOverlap(ctx context.Context, c *cli, jobID string, j job.Job) error {
	mine := addressOf(j)
	if mine == "" {
		return nil
	}
	jobs, err := s.Store.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, other := range jobs {
		if other.ID == jobID {
			continue
		}
		f, err := appfile.Parse(other.File, other.FileDir, appFileOptions())
		if err != nil || addressOf(f.Job) != mine {
			continue // whoever runs a job with a broken file is told what is wrong with it
		}
		if kinds := sharedKinds(j, f.Job); len(kinds) > 0 {
			c.notef("The job %s writes %s to %s too. If their scopes overlap, one undoes what the other does.", other.Name, strings.Join(kinds, " and "), fmt.Sprint(j.Target.Settings["url"]))
		}
	}
	return nil
}

// addressOf is where a job writes to, "" for a target without an address.
func addressOf(j job.Job) string {
	url, _ := j.Target.Settings["url"].(string)
	if url, _, _ = strings.Cut(url, "?"); url == "" { // behind it are flags of behaviour (scim.R2)
		return ""
	}
	return j.Target.Connector + " " + strings.ToLower(strings.TrimRight(url, "/"))
}

func sharedKinds(a, b job.Job) []string {
	var out []string
	for _, r := range a.Rules {
		for _, o := range b.Rules {
			if r.Enabled && o.Enabled && r.To == o.To {
				out = append(out, strings.ToLower(string(r.To))+"s")
			}
		}
	}
	return out
}
