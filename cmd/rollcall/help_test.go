package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func testWorld(out, errs *bytes.Buffer) world {
	return world{In: strings.NewReader(""), Out: out, Err: errs, Getenv: func(string) string { return "" }, Now: process().Now,
		Columns: func() int { return 0 }, Version: "0.0.0-test"}
}

// TestHelp asks every command for its help, which has to name the command's arguments and each of its flags.
func TestHelp(t *testing.T) {
	var walk func(cmd *cobra.Command, path []string)
	seen := 0
	walk = func(cmd *cobra.Command, path []string) {
		t.Run(strings.Join(append([]string{"rollcall"}, path...), " "), func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := run(t.Context(), testWorld(&out, &errs), append(path[:len(path):len(path)], "--help")); code != exitOK {
				t.Fatalf("exit code %d: %s", code, errs.String())
			}
			seen++
			help := out.String()
			if cmd.Short == "" || !strings.Contains(help, strings.TrimSpace(cmd.UseLine())) {
				t.Errorf("the help does not show %q and what it does:\n%s", cmd.UseLine(), help)
			}
			check := func(f *pflag.Flag) {
				if f.Hidden {
					return
				}
				if !strings.Contains(help, "--"+f.Name) || f.Usage == "" {
					t.Errorf("the help does not explain --%s:\n%s", f.Name, help)
				}
			}
			cmd.LocalFlags().VisitAll(check)
			cmd.InheritedFlags().VisitAll(check)
		})
		for _, ch := range cmd.Commands() {
			if ch.Name() != "completion" && ch.Name() != "help" && !ch.IsAdditionalHelpTopicCommand() {
				walk(ch, append(path[:len(path):len(path)], ch.Name()))
			}
		}
	}
	var out, errs bytes.Buffer
	walk(newRootCommand(&cli{world: testWorld(&out, &errs)}), nil)
	if seen < 5 {
		t.Errorf("only %d commands were asked", seen)
	}
}

// TestEveryCommandStandsInAGroupOfTheHelp keeps `rollcall --help` readable.
func TestEveryCommandStandsInAGroupOfTheHelp(t *testing.T) {
	var out, errs bytes.Buffer
	for _, cmd := range commands(&cli{world: testWorld(&out, &errs)}) {
		if cmd.GroupID == "" {
			t.Errorf("%s has no group", cmd.Name())
		}
	}
}
