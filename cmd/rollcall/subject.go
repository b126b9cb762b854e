package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/view"
)

// subject opens both ends of a job for a cycle. An end that cannot be opened is the subject's Unready, so that the cycle
// that fails with it is recorded and reported like any other.
func (s *state) subject(ctx context.Context, c *cli, j store.Job, f *appfile.File, sites *httpx.Sites) (engine.Subject, error) {
	sub := describedBy(j, f)
	sub.Before = s.asked[j.ID]
	delete(s.asked, j.ID)
	src, dst, err := endsOf(j, f)
	if err != nil {
		return engine.Subject{}, err
	}
	env, p := s.environment(c, j, f), s.parts(c, sites)
	source, err := src.Source(ctx, f.Job.Source.Settings, env, p)
	if err != nil {
		sub.Unready = fmt.Errorf("source: %w", err)
		return sub, nil
	}
	sub.Source = source
	known, err := sub.Source.Schema(ctx)
	if err != nil {
		sub.Unready = fmt.Errorf("source: %w", err)
		return sub, nil
	}
	if err := withoutMissingKinds(c, &sub, known); err != nil {
		return engine.Subject{}, err
	}
	if env.Uses, err = engine.Uses(sub.Def, f.TargetSchema); err != nil {
		return engine.Subject{}, err
	}
	env.Meter = sub.Meter
	target, err := dst.Target(ctx, f.Job.Target.Settings, env, p)
	if err != nil {
		sub.Unready = fmt.Errorf("target: %w", err)
		return sub, nil
	}
	sub.Target = target
	return sub, nil
}

// endsOf finds the connectors of a job's two ends.
func endsOf(j store.Job, f *appfile.File) (src, dst connectorType, err error) {
	src, ok1 := connectors()[f.Job.Source.Connector]
	dst, ok2 := connectors()[f.Job.Target.Connector]
	if !ok1 || !ok2 { // the app file was checked when it was loaded
		return src, dst, fmt.Errorf("job %s: connector %s or %s does not exist", j.Name, f.Job.Source.Connector, f.Job.Target.Connector)
	}
	return src, dst, nil
}

// environment is what the connectors of a job are opened with, but for what they are used for.
func (s *state) environment(c *cli, j store.Job, f *appfile.File) connector.Env {
	return connector.Env{Logger: c.logger(), Now: c.Now, Dir: f.Job.Dir, Job: j.ID, Name: j.Name, Sealed: s.vault(c).Of(j.ID), Found: found(j)}
}

func (s *state) parts(c *cli, sites *httpx.Sites) parts {
	return parts{Dir: s.Dir, Sites: sites, Version: c.Version}
}

// describedBy returns a job with its definition and without its ends: enough for what only reads the state.
func describedBy(j store.Job, f *appfile.File) engine.Subject {
	sub := engine.Subject{Job: j, Def: f.Job, TargetSchema: f.TargetSchema, Meter: &connector.Meter{},
		SourceName: systemName(f.Job.Source), TargetName: systemName(f.Job.Target)}
	if f.Template != nil {
		sub.TargetName = f.Template.Title
	}
	return sub
}

// closeSubject lets go of what the ends of a job hold, connections above all, and gives back the calls that were
// reserved and not made, so that the next run finds the whole allowance that is left.
func closeSubject(ctx context.Context, sub engine.Subject, sites *httpx.Sites) error {
	err := sites.Flush(context.WithoutCancel(ctx))
	for _, end := range []any{sub.Source, sub.Target} {
		if cl, ok := end.(io.Closer); ok {
			err = errors.Join(err, cl.Close())
		}
	}
	return err
}

// withoutMissingKinds switches off rules for kinds that the source does not have, such as a template's groups when the
// source is a file of people only.
func withoutMissingKinds(c *cli, sub *engine.Subject, known schema.Schema) error {
	rules := make([]job.Rule, len(sub.Def.Rules))
	on := 0
	for i, r := range sub.Def.Rules {
		if _, ok := known.Object(r.From); r.Enabled && !ok {
			r.Enabled = false
			c.notef("note: the source has no objects of type %s, so the rule %q does nothing", r.From, r.Name)
		}
		if r.Enabled {
			on++
		}
		rules[i] = r
	}
	sub.Def.Rules = rules
	if on == 0 {
		return usagef("job %s: no rule is enabled for anything the source has", sub.Job.Name)
	}
	return nil
}

// systemName is how log records name one end of a job.
func systemName(e job.End) string {
	for _, key := range []string{"url", "path"} {
		if text, ok := e.Settings[key].(string); ok && text != "" {
			if u, err := url.Parse(text); err == nil && u.Host != "" {
				return u.Host
			}
			return text
		}
	}
	return e.Connector
}

// engine makes an engine over the state. Those who watch are told of its progress, beside the bar.
func (s *state) engine(c *cli, bar *view.Progress, watch ...func(engine.Progress)) *engine.Engine {
	return engine.New(engine.Config{
		Store: s.Store, Now: c.Now, NewID: newID, Logger: c.logger(),
		Holder: fmt.Sprintf("%s/%d/%s", machine(), os.Getpid(), uuid.NewString()),
		Ended:  ended,
		Progress: func(p engine.Progress) {
			bar.Update(snapshot(p))
			for _, w := range watch {
				w(p)
			}
		},
		Scratch: func(ctx context.Context, j store.Job) (engine.Scratch, func() error, error) {
			db, err := sqlite.OpenTemp(ctx)
			if err != nil {
				return nil, nil, err
			}
			st := sqlstore.New(db)
			if err = db.Migrate(ctx); err == nil {
				err = st.CreateJob(ctx, j)
			}
			if err != nil {
				return nil, nil, errors.Join(err, db.Close())
			}
			return st, db.Close, nil
		},
	})
}

func snapshot(p engine.Progress) view.Snapshot {
	label := map[store.Phase]string{store.PhaseList: "comparing", store.PhaseRead: "reading", store.PhaseMatch: "matching", store.PhaseExport: "writing"}[p.Phase]
	return view.Snapshot{Label: strings.TrimSpace(p.Job + " " + label), Done: p.Done, Total: p.Total, Wait: p.Waiting}
}

// newID makes a GUID that grows with time (RFC 9562, version 7), so that the log's index grows at its end.
func newID() string {
	id, err := uuid.NewV7()
	if err != nil { // the system's random numbers are gone
		return uuid.NewString()
	}
	return id.String()
}
