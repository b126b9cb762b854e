package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// assignOptions are the flags of `rollcall assign`.
type assignOptions struct {
	Users, Groups []string
	Role          string
	NewRole       bool
	Remove        bool
}

func newAssignCommand(c *cli) *cobra.Command {
	var o assignOptions
	cmd := &cobra.Command{
		Use:   "assign APP",
		Short: "Assign people and groups of the directory to an application, or list who is",
		Long: `Assign people and groups of the built-in directory to an application, which is a job by its name or id. A group's direct
members are assigned with it. Without --user and --group it lists who is assigned.`,
		Example: `  rollcall assign 'SAP Litmos' --group Sales --role Learner
  rollcall assign 'SAP Litmos' --user mira@example.com --remove
  rollcall assign 'SAP Litmos'`,
		GroupID: groupDirectory,
		Args:    arguments("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return assign(cmd.Context(), c, s, args[0], o) })
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.Users, "user", nil, "`USER`: id, userPrincipalName or display name; may be repeated")
	f.StringArrayVar(&o.Groups, "group", nil, "`GROUP`: id or display name; may be repeated")
	f.StringVar(&o.Role, "role", "", "app `ROLE` that the assignment grants: id, value or display name; default access when left out")
	f.BoolVar(&o.NewRole, "new-role", false, "make the app role when there is none of that name")
	f.BoolVar(&o.Remove, "remove", false, "take the assignments back: with --role that one, else all")
	list := &cobra.Command{
		Use:   "list APP",
		Short: "List who is assigned to an application",
		Args:  arguments("APP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				return assign(cmd.Context(), c, s, args[0], assignOptions{})
			})
		},
	}
	cmd.AddCommand(list)
	return cmd
}

// assignment is an assignment as documents show it.
type assignment struct {
	ID        string `json:"id"`
	App       string `json:"app"`
	Principal named  `json:"principal"`
	Role      string `json:"role"` // its value, "" for default access
}

func (a assignment) text() string {
	if a.Role == "" {
		return a.App
	}
	return a.App + " as " + a.Role
}

func assign(ctx context.Context, c *cli, s *state, app string, o assignOptions) error {
	j, err := s.job(ctx, app)
	if err != nil {
		return err
	}
	if len(o.Users)+len(o.Groups) == 0 {
		if o.Remove || o.Role != "" {
			return usagef("rollcall assign: say with --user or --group whom")
		}
		return listAssignments(ctx, c, s, j)
	}
	var who []identity.Ref
	for _, u := range o.Users {
		e, err := s.Dir.User(ctx, u)
		if err != nil {
			return refused(err)
		}
		who = append(who, identity.Ref{Kind: identity.User, Anchor: e.Anchor})
	}
	for _, g := range o.Groups {
		e, err := s.Dir.Group(ctx, g)
		if err != nil {
			return refused(err)
		}
		who = append(who, identity.Ref{Kind: identity.Group, Anchor: e.Anchor})
	}
	roles, err := s.rolesFor(ctx, j, o)
	if err != nil {
		return err
	}
	if !o.Remove {
		if err := warnSource(c, j); err != nil {
			return err
		}
	}
	changed, err := s.changeAssignments(ctx, j, who, roles, o)
	if err != nil {
		return refused(err)
	}
	return writeAssignments(ctx, c, s, j, changed, o.Remove)
}

// warnSource says when the job does not look at the directory, so that assignments have no effect.
func warnSource(c *cli, j store.Job) error {
	f, err := parseStored(j)
	if err != nil {
		return err
	}
	switch {
	case f.Job.Source.Connector != job.Directory:
		c.notef("warning: the source of %s is not the directory, so assignments have no effect on it", j.Name)
	case f.Job.Settings.Scope == job.ScopeAll:
		c.notef("warning: the scope of %s is all, so everybody is in it, assigned or not", j.Name)
	}
	return nil
}

// rolesFor are the app roles of a job, with the wanted one if it has to be made.
func (s *state) rolesFor(ctx context.Context, j store.Job, o assignOptions) ([]directory.Role, error) {
	roles, err := s.Dir.Roles(ctx, j.ID)
	if err != nil || o.Role == "" || roleID(roles, o.Role) != "" {
		return roles, err
	}
	if o.NewRole && !o.Remove {
		roles = addRole(roles, o.Role)
		return roles, s.Dir.SetRoles(ctx, j.ID, roles)
	}
	list := "it has none"
	for i, r := range roles {
		if i == 0 {
			list = "it has " + r.Value
			continue
		}
		list += ", " + r.Value
	}
	return nil, usagef("%s has no app role %s; %s; --new-role makes it", j.Name, o.Role, list)
}

// changeAssignments makes or takes back assignments in one transaction and returns those that changed.
func (s *state) changeAssignments(ctx context.Context, j store.Job, who []identity.Ref, roles []directory.Role, o assignOptions) ([]directory.Assignment, error) {
	existing, err := s.Dir.Assignments(ctx, j.ID)
	if err != nil {
		return nil, err
	}
	role := roleID(roles, o.Role)
	var changed []directory.Assignment
	err = s.Dir.Batch(ctx, func(t *directory.Tx) error {
		changed = nil
		for _, p := range who {
			if !o.Remove {
				a, created, err := t.Assign(j.ID, p, role)
				if err != nil {
					return err
				}
				if created {
					changed = append(changed, a)
				}
				continue
			}
			for _, a := range existing {
				if a.Principal != p || o.Role != "" && a.Role != role {
					continue
				}
				if err := t.Unassign(a.ID); err != nil {
					return err
				}
				changed = append(changed, a)
			}
		}
		return nil
	})
	return changed, err
}

func writeAssignments(ctx context.Context, c *cli, s *state, j store.Job, changed []directory.Assignment, removed bool) error {
	docs, err := s.describeAssignments(ctx, changed)
	if err != nil {
		return err
	}
	if c.json() {
		return view.JSON(c.Out, docs)
	}
	if len(docs) == 0 {
		_, err := fmt.Fprintln(c.Out, "Nothing to change.")
		return err
	}
	verb := "Assigned"
	if removed {
		verb = "Unassigned"
	}
	for _, a := range docs {
		if _, err := fmt.Fprintf(c.Out, "%s %s: %s\n", verb, orDefault(a.Principal.Name, a.Principal.ID), a.text()); err != nil {
			return err
		}
	}
	return nil
}

func listAssignments(ctx context.Context, c *cli, s *state, j store.Job) error {
	list, err := s.Dir.Assignments(ctx, j.ID)
	if err != nil {
		return err
	}
	docs, err := s.describeAssignments(ctx, list)
	if err != nil {
		return err
	}
	if c.json() {
		return view.JSON(c.Out, docs)
	}
	if len(docs) == 0 {
		_, err := fmt.Fprintf(c.Out, "Nobody is assigned to %s.\n", j.Name)
		return err
	}
	t := view.NewTable("KIND", "NAME", "ROLE", "ID")
	for _, a := range docs {
		t.Add(a.Principal.Kind, a.Principal.Name, orDefault(a.Role, "(default access)"), a.Principal.ID)
	}
	return t.Write(c.Out)
}

// assignmentsOf are the direct assignments of a user or a group.
func (s *state) assignmentsOf(ctx context.Context, id string) ([]assignment, error) {
	list, err := s.Dir.AssignmentsOf(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.describeAssignments(ctx, list)
}

// describeAssignments puts names to assignments.
func (s *state) describeAssignments(ctx context.Context, list []directory.Assignment) ([]assignment, error) {
	out := make([]assignment, 0, len(list))
	apps := map[string]string{}
	roles := map[string][]directory.Role{}
	for _, a := range list {
		if _, ok := apps[a.App]; !ok {
			j, err := s.Store.Job(ctx, a.App)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			apps[a.App] = orDefault(j.Name, a.App)
			if roles[a.App], err = s.Dir.Roles(ctx, a.App); err != nil {
				return nil, err
			}
		}
		who, err := describe(ctx, s.Dir, []identity.Ref{a.Principal})
		if err != nil {
			return nil, err
		}
		role := a.Role
		if i := slices.IndexFunc(roles[a.App], func(r directory.Role) bool { return r.ID == a.Role }); i >= 0 {
			role = roles[a.App][i].Value
		}
		out = append(out, assignment{ID: a.ID, App: apps[a.App], Principal: who[0], Role: role})
	}
	return out, nil
}
