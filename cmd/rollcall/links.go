package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newLinksCommand(c *cli) *cobra.Command {
	var rule, only string
	list := &cobra.Command{
		Use:   "list JOB",
		Short: "List which account belongs to whom",
		Args:  arguments("JOB"),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch only {
			case "", "active", "disabled", "released":
			default:
				return usagef("--state %s: no such state; take active, disabled or released", only)
			}
			return c.withState(cmd.Context(), func(s *state) error { return s.listLinks(cmd.Context(), c, args[0], rule, only) })
		},
	}
	list.Flags().StringVar(&only, "state", "", "only links in this `STATE`: active, disabled or released")
	show := &cobra.Command{
		Use:   "show JOB KEY",
		Short: "Show the link of one person, group or account",
		Long: `Show one link. KEY is the key in the source, the id of the account, or a joining value or e-mail address that was
written last; it is looked for in this order.`,
		Args: arguments("JOB", "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return s.showLink(cmd.Context(), c, args[0], args[1], rule) })
		},
	}
	del := &cobra.Command{
		Use:   "delete JOB KEY",
		Short: "Forget which account belongs to somebody; the account stays",
		Long: `Delete one link of a paused job, for instance one that was made by a wrong joining value. Only the link is deleted: the
account stays as it is, enabled or not. The next cycle looks at the person again, and may find the same account unless
the cause has been mended.`,
		Args: arguments("JOB", "KEY"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return s.deleteLink(cmd.Context(), c, args[0], args[1], rule) })
		},
	}
	for _, cmd := range []*cobra.Command{list, show, del} {
		cmd.Flags().StringVar(&rule, "rule", "", "`NAME` of the rule, where a key means something to several")
	}
	return parent(&cobra.Command{Use: "links", Short: "See and delete which account belongs to whom", GroupID: groupJobs}, list, show, del)
}

// defined returns a job with its definition, and without its ends: enough for what reads the state only.
func (s *state) defined(ctx context.Context, name string) (engine.Subject, error) {
	j, err := s.job(ctx, name)
	if err != nil {
		return engine.Subject{}, err
	}
	return definedJob(j)
}

func definedJob(j store.Job) (engine.Subject, error) {
	f, err := parseStored(j)
	if err != nil {
		return engine.Subject{}, err
	}
	return describedBy(j, f), nil
}

func (s *state) listLinks(ctx context.Context, c *cli, name, rule, only string) error {
	sub, err := s.defined(ctx, name)
	if err != nil {
		return err
	}
	var list []engine.Connection
	err = s.engine(c, nil).Connections(ctx, sub, rule, func(l engine.Connection) error {
		if only == "" || l.State == only {
			list = append(list, l)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.json() {
		return view.LinksJSON(c.Out, list)
	}
	return view.Links(c.Out, list)
}

func (s *state) showLink(ctx context.Context, c *cli, name, key, rule string) error {
	sub, err := s.defined(ctx, name)
	if err != nil {
		return err
	}
	l, err := s.engine(c, nil).Connection(ctx, sub, key, rule)
	if err != nil {
		return onceError(err)
	}
	if c.json() {
		return view.JSON(c.Out, l)
	}
	return view.Link(c.Out, l)
}

func (s *state) deleteLink(ctx context.Context, c *cli, name, key, rule string) error {
	sub, err := s.defined(ctx, name)
	if err != nil {
		return err
	}
	e := s.engine(c, nil)
	l, err := e.Connection(ctx, sub, key, rule)
	var ke *engine.KeyError
	if errors.As(err, &ke) && len(ke.Found) == 0 { // to delete what is not there is no error (engine.R168)
		return view.Unlinked(c.Out, c.json(), nil, "")
	}
	if err != nil {
		return onceError(err)
	}
	if !sub.Job.Paused && !sub.Job.Disabled {
		return notPaused(sub.Job.Name)
	}
	next := engine.AfterUnlink(sub, l)
	if c.Ask {
		ok, err := c.confirm(fmt.Sprintf("The link between %s and the account %s will be deleted.\n%s\nGo on? [y/N] ", l.SourceAnchor, l.TargetAnchor, next))
		if err != nil || !ok {
			return err
		}
	}
	l, err = e.Unlink(ctx, sub, l.SourceAnchor, l.Rule, c.author())
	switch {
	case errors.Is(err, engine.ErrNotPaused):
		return notPaused(sub.Job.Name)
	case err != nil:
		return onceError(err)
	}
	return view.Unlinked(c.Out, c.json(), &l, next)
}

func notPaused(job string) error {
	return usagef("job %s: %w: `rollcall pause %s`", job, engine.ErrNotPaused, view.QuoteArg(job))
}
