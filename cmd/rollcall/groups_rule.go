package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/view"
)

func groupsRule(c *cli) *cobra.Command {
	var drop bool
	cmd := &cobra.Command{
		Use:   "rule GROUP [CLAUSE...]",
		Short: "Let a rule say who the members of a group are",
		Long: `Let a rule say who the members of a group are: everybody for whom it holds, as soon as it does. They cannot be added
or removed by hand then. A CLAUSE is an attribute, an operator and a value, each clause one argument; all clauses must
hold. The word 'or' between clauses begins others, of which all must hold instead. The operators are those of scoping
filters. Without a clause the rule is shown.`,
		Example: `  rollcall groups rule Sales 'department EQUALS Sales' 'accountEnabled IS TRUE' or 'jobTitle Includes sales'
  rollcall groups rule Sales --clear`,
		Args: arguments("GROUP", "[CLAUSE...]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return c.withState(ctx, func(s *state) error {
				g, err := s.Dir.Group(ctx, args[0])
				if err != nil {
					return refused(err)
				}
				switch {
				case drop && len(args) > 1:
					return usagef("give a rule, or --clear to take it away")
				case drop:
					err = s.Dir.ClearRule(ctx, g.Anchor)
				case len(args) > 1:
					var f scope.Filter
					if f, err = parseRule(args[1:]); err == nil {
						err = s.Dir.SetRule(ctx, g.Anchor, f)
					}
				}
				if err != nil {
					return refused(err)
				}
				return showRule(ctx, c, s.Dir, g)
			})
		},
	}
	cmd.Flags().BoolVar(&drop, "clear", false, "take the rule away; those who are members stay")
	return cmd
}

// parseRule reads clauses, with "or" between those that stand for one another.
func parseRule(args []string) (scope.Filter, error) {
	f := scope.Filter{Groups: []scope.Group{{}}}
	for _, arg := range args {
		last := &f.Groups[len(f.Groups)-1]
		if strings.EqualFold(strings.TrimSpace(arg), "or") {
			if len(last.Clauses) == 0 {
				return scope.Filter{}, usagef("'or' stands between clauses")
			}
			f.Groups = append(f.Groups, scope.Group{})
			continue
		}
		clause, err := scope.ParseClause(arg)
		if err != nil {
			return scope.Filter{}, &exitError{exitUsage, err}
		}
		last.Clauses = append(last.Clauses, clause)
	}
	if len(f.Groups[len(f.Groups)-1].Clauses) == 0 {
		return scope.Filter{}, usagef("'or' stands between clauses")
	}
	return f, nil
}

// showRule prints the rule of a group with the number of members that it gives.
func showRule(ctx context.Context, c *cli, d *directory.Directory, g directory.Entry) error {
	f, ok, err := d.Rule(ctx, g.Anchor)
	if err != nil {
		return refused(err)
	}
	members, err := d.Members(ctx, g.Anchor)
	if err != nil {
		return err
	}
	if c.json() {
		doc := document{{"id", g.Anchor}, {"displayName", g.Text(directory.DisplayName)}, {"membershipRule", nil}, {"members", len(members)}}
		if ok {
			doc[2].Value = f
		}
		return view.JSON(c.Out, doc)
	}
	if !ok {
		_, err = fmt.Fprintf(c.Out, "%s has no rule; %s.\n", g.Text(directory.DisplayName), view.Plural(int64(len(members)), "member"))
		return err
	}
	_, err = fmt.Fprintf(c.Out, "%s: %s; %s.\n", g.Text(directory.DisplayName), f.Text(), view.Plural(int64(len(members)), "member"))
	return err
}
