package main

import (
	"context"
	"fmt"

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
		usersList(c), usersShow(c), usersCreate(c), usersSet(c), usersDelete(c), usersRestore(c))
}

func usersList(c *cli) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List people",
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return listUsers(cmd.Context(), c, s.Dir, o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Search, "search", "", "only those whose name contains this `TEXT`, or whose mail or employeeId it is")
	f.BoolVar(&o.Deleted, "deleted", false, "those in the recycle bin")
	f.IntVar(&o.Limit, "limit", -1, "show at most `N`; 0 for all (default 1000 in a table, all in JSON)")
	return cmd
}

func listUsers(ctx context.Context, c *cli, d *directory.Directory, o listOptions) error {
	entries, more, err := o.list(ctx, c, d.Users)
	if err != nil {
		return err
	}
	if c.json() {
		docs := make([]document, len(entries))
		for i, e := range entries {
			docs[i] = entryDocument(e)
		}
		return view.JSON(c.Out, docs)
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

func usersDelete(c *cli) *cobra.Command {
	var permanently bool
	cmd := &cobra.Command{
		Use:   "delete USER...",
		Short: "Put people into the recycle bin, from where they can be restored for 30 days",
		Args:  arguments("USER..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				remove, wants := s.Dir.DeleteUser, live
				if permanently {
					remove, wants = s.Dir.PurgeUser, either
				}
				return c.each(cmd.Context(), args, removedWord(permanently), wants, s.Dir.User, remove)
			})
		},
	}
	cmd.Flags().BoolVar(&permanently, "permanently", false, "remove them for good, also from the recycle bin")
	return cmd
}

func usersRestore(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "restore USER...",
		Short: "Take people out of the recycle bin",
		Args:  arguments("USER..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				return c.each(cmd.Context(), args, "Restored", inBin, s.Dir.User, s.Dir.RestoreUser)
			})
		},
	}
}

func removedWord(permanently bool) string {
	if permanently {
		return "Removed for good:"
	}
	return "Deleted"
}

// wrote shows a user or a group that a command has written.
func (c *cli) wrote(verb string, e directory.Entry, err error) error {
	if err != nil {
		return refused(err)
	}
	if c.json() {
		return view.JSON(c.Out, entryDocument(e))
	}
	_, err = fmt.Fprintf(c.Out, "%s %s (%s)\n", verb, e.Text(directory.DisplayName), e.Anchor)
	return err
}

// binState says whether a command wants objects that are live, in the recycle bin, or either.
type binState int

const (
	either binState = iota
	live
	inBin
)

// each does something with several users or groups. All are looked up first, so that a misspelt name stops all of it.
func (c *cli) each(ctx context.Context, keys []string, verb string, wants binState, read func(context.Context, string) (directory.Entry, error), do func(context.Context, string) error) error {
	entries := make([]directory.Entry, len(keys))
	for i, key := range keys {
		e, err := read(ctx, key)
		if err != nil {
			return refused(err)
		}
		switch deleted := !e.Deleted.IsZero(); {
		case wants == live && deleted:
			return usagef("%s is in the recycle bin already", key)
		case wants == inBin && !deleted:
			return usagef("%s is not in the recycle bin", key)
		}
		entries[i] = e
	}
	done := make([]named, 0, len(entries))
	for _, e := range entries {
		if err := do(ctx, e.Anchor); err != nil {
			return refused(err)
		}
		done = append(done, named{Kind: string(e.Kind), ID: e.Anchor, Name: e.Text(directory.DisplayName)})
	}
	if c.json() {
		return view.JSON(c.Out, done)
	}
	for _, n := range done {
		if _, err := fmt.Fprintf(c.Out, "%s %s (%s)\n", verb, n.Name, n.ID); err != nil {
			return err
		}
	}
	return nil
}
