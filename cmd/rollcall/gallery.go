package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newGalleryCommand(c *cli) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "gallery [ID]",
		Short: "List the application templates, or show one",
		Long: `List the application templates, or show one.

TESTED says which sandbox a template was tested with: three people and one group through their whole life, against an
emulation that refuses what the application is known to refuse. No template says that it was tried on the application
itself: begin with few people.`,
		Example: `  rollcall gallery
  rollcall gallery show litmos-scim`,
		GroupID: groupJobs,
		Args:    arguments("[ID]"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listGallery(c)
			}
			return showTemplate(c, args[0])
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "show ID",
		Short:   "Show all that is known of an application, and what is written to it by default",
		Example: `  rollcall gallery show litmos-scim`,
		Args:    arguments("ID"),
		RunE:    func(_ *cobra.Command, args []string) error { return showTemplate(c, args[0]) },
	}, newGalleryCheckCommand(c))
	return cmd
}

// templateSummary is one entry of `rollcall gallery -o json`.
type templateSummary struct {
	ID         string      `json:"id"`
	Title      string      `json:"title"`
	Vendor     string      `json:"vendor"`
	Summary    string      `json:"summary"`
	Tested     bool        `json:"tested"`
	TestedWith *testedWith `json:"testedWith"` // null for a template that was not tested
}

// testedWith is the sandbox that a template was tested with.
type testedWith struct {
	Sandbox string `json:"sandbox"`
	Quirks  string `json:"quirks"`
}

func summarize(t *gallery.Template) templateSummary {
	s := templateSummary{ID: t.ID, Title: t.Title, Vendor: t.Vendor, Summary: t.Summary, Tested: t.Tested.Done()}
	if s.Tested {
		s.TestedWith = &testedWith{Sandbox: t.Tested.Sandbox, Quirks: t.Tested.Quirks}
	}
	return s
}

func listGallery(c *cli) error {
	list, err := gallery.List()
	if err != nil {
		return err
	}
	out := make([]templateSummary, len(list))
	t := view.NewTable("ID", "APPLICATION", "TESTED", "WHAT IT DOES")
	for i, tpl := range list {
		out[i] = summarize(tpl)
		t.Add(tpl.ID, tpl.Title, testedShort(tpl), tpl.Summary)
	}
	if c.json() {
		return view.JSON(c.Out, out)
	}
	return t.Write(c.Out)
}

// testedShort is the cell TESTED of a template.
func testedShort(t *gallery.Template) string {
	if !t.Tested.Done() {
		return "no"
	}
	if t.Tested.Quirks != "" {
		return "sandbox, " + t.Tested.Quirks
	}
	return "sandbox"
}

// template finds a template; an id that does not exist is an error of the command line.
func template(id string) (*gallery.Template, error) {
	t, err := gallery.Get(id)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Errorf("%w; `rollcall gallery` lists the templates", err)}
	}
	return t, nil
}
