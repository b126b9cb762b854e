package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newProbeCommand(c *cli) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "probe (-f FILE | JOB)",
		Short: "Find out what works with the two systems of a job, and suggest settings",
		Long: `Ask the source and the target of a job what works, and say what that means for the job: the address, the credential and
the certificate; whether accounts can be found and listed; what the target says of itself; which attributes it requires that
no rule maps. Settings that suit the target better are printed as YAML to paste into the app file.

Both systems are read, by a handful of calls of which none is repeated; nothing is written to either, and the app file is not
stored. What the target of a stored job says of itself is kept with the job, as it is when an app file is saved. The exit code is 4 when the job cannot run with what was found.`,
		GroupID: groupJobs,
		Args:    arguments("[JOB]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (file == "") == (len(args) == 0) {
				return usagef("rollcall probe: name a job, or give its app file with -f")
			}
			return c.withState(cmd.Context(), func(s *state) error {
				j, f, err := s.named(cmd.Context(), c, file, args)
				if err != nil {
					return err
				}
				if file != "" {
					if f, err = c.informed(f, found(j)); err != nil {
						return err
					}
				}
				p, err := s.probe(cmd.Context(), c, j, f)
				if err != nil {
					return err
				}
				if c.json() {
					err = view.JSON(c.Out, p)
				} else {
					err = view.Probe(c.Out, p)
				}
				if err == nil && !p.Usable {
					return &exitError{code: exitJob}
				}
				return err
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "app `FILE` to probe with; it is not stored")
	return cmd
}

// probe examines both ends of a job. An end that cannot be opened is a finding.
func (s *state) probe(ctx context.Context, c *cli, j store.Job, f *appfile.File) (p view.Probed, err error) {
	src, dst, err := endsOf(j, f)
	if err != nil {
		return p, err
	}
	p = view.Probed{Job: j.Name, Source: view.ProbedEnd{Connector: f.Job.Source.Connector}, Target: view.ProbedEnd{Connector: f.Job.Target.Connector}}
	sites := s.sites(c)
	sub := describedBy(j, f)
	defer func() { err = errors.Join(err, closeSubject(ctx, sub, sites)) }()
	env := s.environment(c, j, f)
	env.Once = true

	source, serr := src.Source(ctx, f.Job.Source.Settings, env, s.parts(c, sites))
	if serr == nil {
		sub.Source = source
	}
	if p.Source.Examination, err = s.examineSource(ctx, c, &sub, serr); err != nil {
		return p, err
	}
	if name := systemName(f.Job.Source); p.Source.Address == "" && name != f.Job.Source.Connector {
		p.Source.Address = name
	}
	if env.Uses, err = engine.Uses(sub.Def, f.TargetSchema); err != nil {
		return p, err
	}
	env.Meter = sub.Meter
	target, terr := dst.Target(ctx, f.Job.Target.Settings, env, s.parts(c, sites))
	if terr == nil {
		sub.Target = target
	}
	p.Target.Examination = examineTarget(ctx, target, terr)
	p.Target.Requests = sub.Meter.Read().Total()
	if d := p.Target.Discovery; d != nil && j.FileHash == f.Hash {
		if err := s.keepFound(ctx, j, asked{Found: d}, f); err != nil {
			return p, err
		}
	}
	p.Usable = p.Source.Usable() && p.Target.Usable()
	p.Settings, err = pasteable(p.Target.Suggested, sub.Def.Target.Settings)
	return p, err
}

// examineSource looks whether the source can be read and has what the rules use. Rules for kinds that it does not have
// are switched off, as a cycle does it.
func (s *state) examineSource(ctx context.Context, c *cli, sub *engine.Subject, opened error) (connector.Examination, error) {
	e := connector.Examination{Findings: []connector.Finding{}, Suggested: []connector.Suggestion{}}
	if opened != nil {
		e.Add(connector.Failure("settings", connector.Fails, opened))
		return e, nil
	}
	if x, ok := sub.Source.(connector.Examiner); ok {
		e = x.Examine(ctx)
	}
	known, err := sub.Source.Schema(ctx)
	if err != nil {
		e.Add(connector.Failure("read", connector.Fails, err))
		return e, nil
	}
	if err := withoutMissingKinds(c, sub, known); err != nil {
		return e, err
	}
	used, err := engine.SourceAttributes(sub.Def)
	if err != nil {
		return e, err
	}
	for _, kind := range slices.Sorted(maps.Keys(used)) {
		e.Add(sourceFinding(known, kind, used[kind]))
	}
	return e, nil
}

func sourceFinding(known schema.Schema, kind identity.Kind, used []string) connector.Finding {
	o, ok := known.Object(kind)
	if !ok {
		return connector.Finding{Topic: "attributes of " + string(kind), State: connector.Fails, Found: "the source has no objects of this type"}
	}
	return connector.Finding{Topic: "attributes of " + string(kind), State: connector.Works,
		Found: fmt.Sprintf("%d, of which the rules use %d", len(o.Attributes), len(used))}
}

// examineTarget examines a target; one that cannot say more is asked what a cycle asks first.
func examineTarget(ctx context.Context, target connector.Target, opened error) connector.Examination {
	e := connector.Examination{Findings: []connector.Finding{}, Suggested: []connector.Suggestion{}}
	if opened != nil {
		e.Add(connector.Failure("settings", connector.Fails, opened))
		return e
	}
	if x, ok := target.(connector.Examiner); ok {
		return x.Examine(ctx)
	}
	if _, err := target.Probe(ctx); err != nil {
		e.Add(connector.Failure("connection", connector.Fails, err))
		return e
	}
	e.Add(connector.Finding{Topic: "connection", State: connector.Works, Found: "answers as a cycle needs it"})
	return e
}

// pasteable writes suggested settings as they stand in an app file, those that are in force left out.
func pasteable(suggested []connector.Suggestion, now map[string]any) (string, error) {
	var b strings.Builder
	for _, s := range suggested {
		if fmt.Sprint(now[s.Setting]) == fmt.Sprint(s.Value) {
			continue
		}
		value := fmt.Sprint(s.Value)
		if text, ok := s.Value.(string); ok {
			var err error
			if value, err = scalar(text); err != nil {
				return "", err
			}
		}
		if b.Len() == 0 {
			b.WriteString("target:\n  settings:\n")
		}
		if _, err := fmt.Fprintf(&b, "    %s: %s # %s\n", s.Setting, value, s.Why); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}
