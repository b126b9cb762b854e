package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/view"
)

// The recycle bin of the built-in directory, from which users and groups can be restored.

// entryKind is what differs between users and groups as to the recycle bin.
type entryKind struct {
	Several string // what they are called
	Delete  string // what `delete` takes
	Restore string // what `restore` takes
	How     string // a hint on restoring, which the help of `delete` ends with

	Read          func(*directory.Directory, context.Context, string) (directory.Entry, error)
	Remove, Purge func(*directory.Directory, context.Context, string) error
	TakeOut       func(*directory.Directory, context.Context, string) error
}

func people() entryKind {
	return entryKind{Several: "people", Delete: "USER...", Restore: "USER...", How: "from where they can be restored for 30 days",
		Read: (*directory.Directory).User, Remove: (*directory.Directory).DeleteUser, Purge: (*directory.Directory).PurgeUser, TakeOut: (*directory.Directory).RestoreUser}
}

func groupEntries() entryKind {
	return entryKind{Several: "groups", Delete: "GROUP...", Restore: "ID...", How: "from where they can be restored by id for 30 days",
		Read: (*directory.Directory).Group, Remove: (*directory.Directory).DeleteGroup, Purge: (*directory.Directory).PurgeGroup, TakeOut: (*directory.Directory).RestoreGroup}
}

func deleteCommand(c *cli, k entryKind) *cobra.Command {
	var permanently bool
	cmd := &cobra.Command{
		Use:   "delete " + k.Delete,
		Short: "Put " + k.Several + " into the recycle bin, " + k.How,
		Args:  arguments(k.Delete),
		RunE: func(cmd *cobra.Command, args []string) error {
			if permanently {
				return c.each(cmd.Context(), args, "Removed for good:", either, k.Read, k.Purge)
			}
			return c.each(cmd.Context(), args, "Deleted", live, k.Read, k.Remove)
		},
	}
	cmd.Flags().BoolVar(&permanently, "permanently", false, "remove them for good, also from the recycle bin")
	return cmd
}

func restoreCommand(c *cli, k entryKind) *cobra.Command {
	return &cobra.Command{
		Use:   "restore " + k.Restore,
		Short: "Take " + k.Several + " out of the recycle bin",
		Args:  arguments(k.Restore),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.each(cmd.Context(), args, "Restored", inBin, k.Read, k.TakeOut)
		},
	}
}

// binState says whether a command wants objects that are live, in the recycle bin, or either.
type binState int

const (
	either binState = iota
	live
	inBin
)

// each does something with several users or groups. All are looked up first, so that a misspelt name stops all of it.
func (c *cli) each(ctx context.Context, keys []string, verb string, wants binState,
	read func(*directory.Directory, context.Context, string) (directory.Entry, error), do func(*directory.Directory, context.Context, string) error,
) error {
	return c.withState(ctx, func(s *state) error {
		entries := make([]directory.Entry, len(keys))
		for i, key := range keys {
			e, err := read(s.Dir, ctx, key)
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
			if err := do(s.Dir, ctx, e.Anchor); err != nil {
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
	})
}
