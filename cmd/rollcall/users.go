package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newUsersCommand(c *cli) *cobra.Command {
	return parent(&cobra.Command{
		Use:   "users",
		Short: "People of the built-in directory",
		Long: `People of the built-in directory. USER is an id, a userPrincipalName, or a display name that only one person has.
Attributes are written name=text, or name:=JSON for several values and Booleans; name= takes a value away.`,
		GroupID: groupDirectory,
	},
		usersList(c), usersShow(c), usersCreate(c), usersSet(c), deleteCommand(c, people()), restoreCommand(c, people()))
}

func usersList(c *cli) *cobra.Command {
	return listCommand(c, "List people", "only those whose name contains this `TEXT`, or whose mail or employeeId it is", listUsers)
}

func listUsers(ctx context.Context, c *cli, d *directory.Directory, o listOptions) error {
	entries, more, err := o.list(ctx, c, d.Users)
	if err != nil {
		return err
	}
	if c.json() {
		return view.JSON(c.Out, entryDocuments(entries))
	}
	t := view.NewTable("NAME", "USER PRINCIPAL NAME", "DEPARTMENT", "TITLE", "", "ID")
	for _, e := range entries {
		mark := ""
		if e.Disabled {
			mark = "disabled"
		}
		t.Add(e.Text(directory.DisplayName), e.Text(directory.UserPrincipalName), e.Text("department"), e.Text("jobTitle"), mark, e.Anchor)
	}
	if err := t.Write(c.Out); err != nil {
		return err
	}
	return c.noteMore(ctx, d, identity.User, "user", o, len(entries), more)
}

func usersShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "show USER",
		Short: "Show one person",
		Args:  arguments("USER"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return showUser(cmd.Context(), c, s, args[0]) })
		},
	}
}

func showUser(ctx context.Context, c *cli, s *state, key string) error {
	e, err := s.Dir.User(ctx, key)
	if err != nil {
		return refused(err)
	}
	ids, err := s.Dir.GroupsOf(ctx, e.Anchor)
	if err != nil {
		return err
	}
	refs := make([]identity.Ref, len(ids))
	for i, id := range ids {
		refs[i] = identity.Ref{Kind: identity.Group, Anchor: id}
	}
	groups, err := describe(ctx, s.Dir, refs)
	if err != nil {
		return err
	}
	assigned, err := s.assignmentsOf(ctx, e.Anchor)
	if err != nil {
		return err
	}
	if c.json() {
		return view.JSON(c.Out, append(entryDocument(e), field{"memberOf", groups}, field{"assignments", assigned}))
	}
	texts := map[string]string{}
	if m, ok := e.Get(directory.Manager); ok {
		if ref, ok := m.(identity.Ref); ok {
			managers, err := describe(ctx, s.Dir, []identity.Ref{ref})
			if err != nil {
				return err
			}
			texts[directory.Manager] = names(managers)
		}
	}
	t := attributeTable(e, texts)
	for _, g := range groups {
		t.Add("member of", g.Name)
	}
	for _, a := range assigned {
		t.Add("assigned to", a.text())
	}
	return t.Write(c.Out)
}

func usersCreate(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "create userPrincipalName=TEXT displayName=TEXT [name=value...]",
		Short:   "Add a person",
		Example: `  rollcall users create userPrincipalName=mira@example.com displayName='Mira Novak' department=Sales manager=jo@example.com`,
		Args:    arguments("userPrincipalName=TEXT", "displayName=TEXT", "[name=value...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				attrs, err := entryAttrs(cmd.Context(), s.Dir, args)
				if err != nil {
					return err
				}
				e, err := s.Dir.CreateUser(cmd.Context(), attrs)
				return c.wrote("Created", e, err)
			})
		},
	}
}

func usersSet(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "set USER name=value...",
		Short:   "Change attributes of a person",
		Example: `  rollcall users set mira@example.com department=Ops jobTitle= accountEnabled=false`,
		Args:    arguments("USER", "name=value..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				attrs, err := entryAttrs(cmd.Context(), s.Dir, args[1:])
				if err != nil {
					return err
				}
				e, err := s.Dir.User(cmd.Context(), args[0])
				if err != nil {
					return refused(err)
				}
				e, err = s.Dir.UpdateUser(cmd.Context(), e.Anchor, attrs)
				return c.wrote("Changed", e, err)
			})
		},
	}
}
