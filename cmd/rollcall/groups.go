package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newGroupsCommand(c *cli) *cobra.Command {
	return parent(&cobra.Command{
		Use:   "groups",
		Short: "Groups of the built-in directory",
		Long: `Groups of the built-in directory. GROUP is an id, or a display name that only one group has. MEMBER is a person as
'rollcall users' takes it, or a group; where both are called the same, write user:NAME or group:NAME.`,
		GroupID: groupDirectory,
	},
		groupsList(c), groupsShow(c), groupsCreate(c), groupsSet(c), deleteCommand(c, groupEntries()), restoreCommand(c, groupEntries()), groupsMembers(c, true), groupsMembers(c, false), groupsRule(c))
}

func groupsList(c *cli) *cobra.Command {
	return listCommand(c, "List groups", "only those whose name contains this `TEXT`", listGroups)
}

func listGroups(ctx context.Context, c *cli, d *directory.Directory, o listOptions) error {
	entries, more, err := o.list(ctx, c, d.Groups)
	if err != nil {
		return err
	}
	if c.json() {
		return view.JSON(c.Out, entryDocuments(entries))
	}
	t := view.NewTable("NAME", ">MEMBERS", "DESCRIPTION", "ID")
	for _, e := range entries {
		members := "-"
		if !o.Deleted {
			list, err := d.Members(ctx, e.Anchor)
			if err != nil {
				return err
			}
			members = view.Count(int64(len(list)))
		}
		t.Add(e.Text(directory.DisplayName), members, e.Text("description"), e.Anchor)
	}
	if err := t.Write(c.Out); err != nil {
		return err
	}
	return c.noteMore(ctx, d, identity.Group, "group", o, len(entries), more)
}

func groupsShow(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "show GROUP",
		Short: "Show one group with its members",
		Args:  arguments("GROUP"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return showGroup(cmd.Context(), c, s, args[0]) })
		},
	}
}

func showGroup(ctx context.Context, c *cli, s *state, key string) error {
	e, err := s.Dir.Group(ctx, key)
	if err != nil {
		return refused(err)
	}
	members := []named{}
	if e.Deleted.IsZero() {
		refs, err := s.Dir.Members(ctx, e.Anchor)
		if err != nil {
			return err
		}
		if members, err = describe(ctx, s.Dir, refs); err != nil {
			return err
		}
	}
	assigned, err := s.assignmentsOf(ctx, e.Anchor)
	if err != nil {
		return err
	}
	rule, byRule, err := s.Dir.Rule(ctx, e.Anchor)
	if err != nil {
		return err
	}
	if c.json() {
		doc := entryDocument(e)
		if byRule {
			doc = append(doc, field{"membershipRule", rule})
		}
		return view.JSON(c.Out, append(doc, field{"members", members}, field{"assignments", assigned}))
	}
	t := attributeTable(e, nil)
	if byRule {
		t.Add("rule", rule.Text())
	}
	for _, a := range assigned {
		t.Add("assigned to", a.text())
	}
	t.Add("members", view.Count(int64(len(members))))
	for _, m := range members {
		t.Add("", m.Name+" ("+m.ID+")")
	}
	return t.Write(c.Out)
}

func groupsCreate(c *cli) *cobra.Command {
	var members []string
	cmd := &cobra.Command{
		Use:     "create NAME [name=value...]",
		Short:   "Add a group",
		Example: `  rollcall groups create Sales description='Everybody in sales' --member mira@example.com`,
		Args:    arguments("NAME", "[name=value...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				attrs, err := entryAttrs(cmd.Context(), s.Dir, args[1:])
				if err != nil {
					return err
				}
				attrs.Set(directory.DisplayName, args[0])
				refs, err := memberRefs(cmd.Context(), s.Dir, members)
				if err != nil {
					return err
				}
				if len(refs) > 0 {
					list := make([]any, len(refs))
					for i, r := range refs {
						list[i] = r
					}
					attrs.Set(directory.Members, list)
				}
				e, err := s.Dir.CreateGroup(cmd.Context(), attrs)
				return c.wrote("Created", e, err)
			})
		},
	}
	cmd.Flags().StringArrayVar(&members, "member", nil, "a `MEMBER` from the start; may be repeated")
	return cmd
}

func groupsSet(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "set GROUP name=value...",
		Short: "Change attributes of a group",
		Args:  arguments("GROUP", "name=value..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withState(cmd.Context(), func(s *state) error {
				attrs, err := entryAttrs(cmd.Context(), s.Dir, args[1:])
				if err != nil {
					return err
				}
				if slices.ContainsFunc(attrs, func(a identity.Attr) bool { return a.Name == directory.Members }) {
					return usagef("members: `rollcall groups add` and `rollcall groups remove` change members")
				}
				e, err := s.Dir.Group(cmd.Context(), args[0])
				if err != nil {
					return refused(err)
				}
				e, err = s.Dir.UpdateGroup(cmd.Context(), e.Anchor, attrs)
				return c.wrote("Changed", e, err)
			})
		},
	}
}

// groupsMembers makes `groups add` and `groups remove`.
func groupsMembers(c *cli, add bool) *cobra.Command {
	use, short, verb := "add", "Make people or groups members of a group", "Added"
	if !add {
		use, short, verb = "remove", "Take members out of a group", "Removed"
	}
	return &cobra.Command{
		Use:   use + " GROUP MEMBER...",
		Short: short,
		Args:  arguments("GROUP", "MEMBER..."),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.withState(ctx, func(s *state) error {
				g, err := s.Dir.Group(ctx, args[0])
				if err != nil {
					return refused(err)
				}
				refs, err := memberRefs(ctx, s.Dir, args[1:])
				if err != nil {
					return err
				}
				change := s.Dir.AddMembers
				if !add {
					change = s.Dir.RemoveMembers
				}
				if err := change(ctx, g.Anchor, refs...); err != nil {
					return refused(err)
				}
				members, err := describe(ctx, s.Dir, refs)
				if err != nil {
					return err
				}
				if c.json() {
					return view.JSON(c.Out, members)
				}
				_, err = fmt.Fprintf(c.Out, "%s %s; group %s\n", verb, names(members), g.Text(directory.DisplayName))
				return err
			})
		},
	}
}

// memberRefs finds the users and groups that the command line names.
func memberRefs(ctx context.Context, d *directory.Directory, keys []string) ([]identity.Ref, error) {
	refs := make([]identity.Ref, len(keys))
	for i, key := range keys {
		r, err := memberRef(ctx, d, key)
		if err != nil {
			return nil, refused(err)
		}
		refs[i] = r
	}
	return refs, nil
}

func memberRef(ctx context.Context, d *directory.Directory, key string) (identity.Ref, error) {
	if name, ok := strings.CutPrefix(key, "group:"); ok {
		g, err := d.Group(ctx, name)
		return identity.Ref{Kind: identity.Group, Anchor: g.Anchor}, err
	}
	name, onlyUser := strings.CutPrefix(key, "user:")
	u, err := d.User(ctx, name)
	user := identity.Ref{Kind: identity.User, Anchor: u.Anchor}
	if onlyUser || err != nil && !errors.Is(err, directory.ErrNotFound) {
		return user, err
	}
	g, gerr := d.Group(ctx, name)
	switch {
	case err == nil && gerr == nil:
		return identity.Ref{}, usagef("%q is a user and a group; write user:%[1]s or group:%[1]s", key)
	case err == nil:
		return user, nil
	case errors.Is(gerr, directory.ErrNotFound):
		return identity.Ref{}, usagef("the directory has no user and no group %q", key)
	}
	return identity.Ref{Kind: identity.Group, Anchor: g.Anchor}, gerr
}
