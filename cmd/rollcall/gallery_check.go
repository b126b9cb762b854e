package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newGalleryCheckCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Check template files, for people who add an application",
		Long: `Check template files, for people who add an application to the gallery. Everything that is wrong is told at once, each
with file and line: the form, the catalogue of attributes, the mappings, and whether the connector has the settings.`,
		Example: `  rollcall gallery check internal/gallery/apps/*.yaml`,
		Args:    arguments("FILE", "[FILE...]"),
		RunE: func(_ *cobra.Command, args []string) error {
			var problems gallery.Problems
			for _, name := range args {
				data, err := os.ReadFile(name)
				if err != nil {
					return usagef("%v", err)
				}
				problems = append(problems, checkTemplate(name, data)...)
			}
			if len(problems) > 0 {
				return &exitError{exitUsage, problems}
			}
			if c.json() {
				return view.JSON(c.Out, struct {
					Valid bool `json:"valid"`
				}{true})
			}
			_, err := fmt.Fprintf(c.Out, "%s: valid\n", strings.Join(args, ", "))
			return err
		},
	}
}

// checkTemplate returns what is wrong with a template file: its form, which package gallery knows, and the job that an
// app file over it makes, which the connectors know.
func checkTemplate(name string, data []byte) gallery.Problems {
	t, problems := gallery.Check(name, data)
	if len(problems) > 0 {
		return problems // a job of it would only repeat them
	}
	bad := func(p appfile.Problem) {
		message := p.Message
		if p.Path != "" {
			message = p.Path + ": " + message
		}
		if p.Hint != "" {
			message += "; " + p.Hint
		}
		problems = append(problems, &gallery.Problem{File: name, Line: t.Line("app." + p.Path), Message: message})
	}
	options := appFileOptions()
	options.Template = func(string) (*gallery.Template, error) { return t, nil }
	text, err := appFileText(t, newAppFile{})
	if err != nil {
		return gallery.Problems{{File: name, Line: 1, Message: err.Error()}}
	}
	f, err := appfile.Parse(text, "", options)
	if found, ok := errors.AsType[appfile.Problems](err); ok {
		for _, p := range found {
			bad(p)
		}
	} else {
		for _, p := range f.Warnings {
			bad(p)
		}
	}
	return problems
}
