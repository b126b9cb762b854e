package main

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/view"
)

// cli is what every command is made with: the world and the global flags.
type cli struct {
	world
	options
	parsed bool // the command line was accepted, so an error is not one of usage
}

// options are the global flags.
type options struct {
	Data    string // data directory
	DB      string // URL of a PostgreSQL database, "" for the file in Data
	Output  string // "table", "json" or, for logs, "csv"
	Server  string // URL of a running server
	Verbose bool
}

// annotationCSV marks a command that can write CSV.
const annotationCSV = "csv"

func newRootCommand(c *cli) *cobra.Command {
	root := &cobra.Command{
		Use:   "rollcall",
		Short: "Keep every application's list of users in step with the directory",
		Long: `Rollcall reads people and groups from a source, decides who is in scope, maps their attributes, finds the matching
account, and creates, updates, disables or deletes it in a target. Then it does so again, for changes only.

Exit codes: 0 fine, 1 internal error, 2 wrong command line or app file, 3 some objects (or tests) failed,
4 job failed or is in quarantine, 5 deprovisioning is held by the deletion guard.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.check(cmd); err != nil {
				return err
			}
			c.parsed = true
			return nil
		},
	}
	f := root.PersistentFlags()
	f.StringVar(&c.Data, "data", orDefault(c.Getenv("ROLLCALL_DATA"), "./rollcall-data"), "data directory (`DIR`; ROLLCALL_DATA)")
	f.StringVar(&c.DB, "db", "", "`URL` of a PostgreSQL database instead of the file in the data directory (ROLLCALL_DB)")
	f.StringVarP(&c.Output, "output", "o", "table", "`FORMAT` of what is printed: table or json (logs, discover: csv, too)")
	f.StringVar(&c.Server, "server", "", "`URL` of a running server to act on (ROLLCALL_SERVER)")
	f.BoolVarP(&c.Verbose, "verbose", "v", false, "say more on standard error")

	root.AddGroup(&cobra.Group{ID: groupJobs, Title: "Jobs:"}, &cobra.Group{ID: groupDirectory, Title: "Built-in directory:"},
		&cobra.Group{ID: groupTry, Title: "Try things out:"}, &cobra.Group{ID: groupOther, Title: "Other:"})
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	for _, cmd := range commands(c) {
		root.AddCommand(cmd)
	}
	root.AddCommand(newSettingsTopic())
	return root
}

// The groups of `rollcall --help`.
const (
	groupJobs      = "jobs"
	groupDirectory = "directory"
	groupTry       = "try"
	groupOther     = "other"
)

// commands is the list of all commands.
func commands(c *cli) []*cobra.Command {
	return []*cobra.Command{
		newApplyCommand(c), newPlanCommand(c), newRunCommand(c), newProvisionCommand(c), newStatusCommand(c), newLogsCommand(c), newWhyCommand(c),
		newPauseCommand(c), newStartCommand(c), newRestartCommand(c), newDeletesCommand(c), newUndoCommand(c), newLinksCommand(c), newDiscoverCommand(c),
		newProbeCommand(c), newLoginCommand(c),
		newValidateCommand(c), newNewCommand(c), newGalleryCommand(c), newExportCommand(c), newImportCommand(c), newVersionsCommand(c),
		newUsersCommand(c), newGroupsCommand(c), newAssignCommand(c),
		newEvalCommand(c), newFunctionsCommand(c), newTestCommand(c), newSandboxCommand(c), newDemoCommand(c),
		newVersionCommand(c),
	}
}

// check completes the global flags from the environment and refuses what cannot be.
func (c *cli) check(cmd *cobra.Command) error {
	if c.DB == "" {
		c.DB = c.Getenv("ROLLCALL_DB")
	}
	switch c.Output {
	case "table", "json":
	case "csv":
		if cmd.Annotations[annotationCSV] == "" {
			return usagef("--output csv: only `rollcall logs` and `rollcall discover` write CSV; take table or json")
		}
	default:
		return usagef("--output %s: no such format; take table or json", c.Output)
	}
	if c.Server == "" {
		c.Server = c.Getenv("ROLLCALL_SERVER")
	}
	if c.Server != "" {
		return usagef("acting on a running server is not in this version; leave out --server (and ROLLCALL_SERVER) to act on the data directory")
	}
	return nil
}

// json tells whether one JSON document is wanted on standard output.
func (c *cli) json() bool { return c.Output == "json" }

// logger writes to standard error: warnings and errors, with --verbose everything.
func (c *cli) logger() *slog.Logger {
	level := slog.LevelWarn
	if c.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.Err, &slog.HandlerOptions{Level: level}))
}

// progress draws on the terminal, if there is one; a nil *view.Progress draws nothing.
func (c *cli) progress() *view.Progress {
	if c.Columns() == 0 {
		return nil
	}
	return view.NewProgress(c.Err, c.Columns, c.Now)
}

// notef says something to the person on standard error. Where nobody can be reached, there is nobody to tell so.
func (c *cli) notef(format string, args ...any) {
	_, _ = fmt.Fprintf(c.Err, format+"\n", args...)
}

// parent makes a command that only holds others.
func parent(cmd *cobra.Command, children ...*cobra.Command) *cobra.Command {
	cmd.Args = cobra.NoArgs
	names := make([]string, len(children))
	for i, ch := range children {
		names[i] = ch.Name()
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return usagef("%s: say what to do: %s", cmd.CommandPath(), strings.Join(names, ", "))
	}
	cmd.AddCommand(children...)
	return cmd
}

// arguments refuses a command line with fewer arguments than names, or with more unless the last name ends in "...".
// A name in brackets may be left out.
func arguments(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		needed := 0
		for _, n := range names {
			if !strings.HasPrefix(n, "[") {
				needed++
			}
		}
		if len(args) < needed {
			return usagef("%s: %s is missing", cmd.CommandPath(), strings.TrimSuffix(names[len(args)], "..."))
		}
		many := len(names) > 0 && strings.HasSuffix(strings.TrimSuffix(names[len(names)-1], "]"), "...")
		if len(args) > len(names) && !many {
			return usagef("%s: too many arguments, beginning with %q; put quotes around an argument with spaces", cmd.CommandPath(), args[len(names)])
		}
		return nil
	}
}

func orDefault(s, fallback string) string {
	if s == "" {
		return fallback
	}
	return s
}
