package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newGalleryCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:   "gallery [show] [ID]",
		Short: "List the application templates, or show one",
		Example: `  rollcall gallery
  rollcall gallery show litmos-scim`,
		GroupID: groupJobs,
		Args:    arguments("[show]", "[ID]"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 && args[0] == "show" {
				args = args[1:]
				if len(args) == 0 {
					return usagef("rollcall gallery show: ID is missing; `rollcall gallery` lists the ids")
				}
			}
			switch len(args) {
			case 0:
				return listGallery(c)
			case 1:
				return showTemplate(c, args[0])
			}
			return usagef("rollcall gallery: %q is too much; it takes one ID", args[1])
		},
	}
}

// templateSummary is one entry of `rollcall gallery -o json`.
type templateSummary struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Vendor  string `json:"vendor"`
	Summary string `json:"summary"`
	Tested  bool   `json:"tested"`
}

func summarize(t *gallery.Template) templateSummary {
	return templateSummary{ID: t.ID, Title: t.Title, Vendor: t.Vendor, Summary: t.Summary, Tested: t.Tested}
}

func listGallery(c *cli) error {
	list, err := gallery.List()
	if err != nil {
		return err
	}
	out := make([]templateSummary, len(list))
	t := view.NewTable("ID", "APPLICATION", "WHAT IT DOES")
	for i, tpl := range list {
		out[i] = summarize(tpl)
		t.Add(tpl.ID, tpl.Title, tpl.Summary)
	}
	if c.json() {
		return view.JSON(c.Out, out)
	}
	return t.Write(c.Out)
}

// template finds a template; an id that does not exist is an error of the command line.
func template(id string) (*gallery.Template, error) {
	t, err := gallery.Get(id)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	return t, nil
}

// templateDocument is the document of `rollcall gallery show ID -o json`.
type templateDocument struct {
	templateSummary
	TenantURLs   []tenantURL      `json:"tenantUrls"`
	Auth         templateAuth     `json:"auth"`
	Capabilities capabilities     `json:"capabilities"`
	Objects      []templateObject `json:"objects"`
	Limits       []templateLimit  `json:"limits"`
	Notes        []string         `json:"notes"`
	Quirks       []templateQuirk  `json:"quirks"`
}

type tenantURL struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type templateAuth struct {
	Kinds        []string `json:"kinds"`
	Label        string   `json:"label"`
	Help         string   `json:"help"`
	LifetimeDays int      `json:"lifetimeDays"`
}

type capabilities struct {
	Users  []gallery.Capability `json:"users"`
	Groups []gallery.Capability `json:"groups"`
}

type templateObject struct {
	Name       string              `json:"name"`
	Open       bool                `json:"open"`
	Attributes []templateAttribute `json:"attributes"`
}

type templateAttribute struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	MultiValued bool   `json:"multiValued"`
	Required    bool   `json:"required"`
	ReadOnly    bool   `json:"readOnly"`
	Unique      bool   `json:"unique"`
	Filterable  bool   `json:"filterable"`
	Note        string `json:"note"`
}

type templateLimit struct {
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

type templateQuirk struct {
	Setting string `json:"setting"`
	Why     string `json:"why"`
}

func templateDoc(t *gallery.Template) templateDocument {
	d := templateDocument{
		templateSummary: summarize(t),
		TenantURLs:      []tenantURL{},
		Auth:            templateAuth{Kinds: t.Auth.Kinds, Label: t.Auth.Label, Help: t.Auth.Help, LifetimeDays: t.Auth.LifetimeDays},
		Capabilities:    capabilities{Users: list(t.Capabilities.Users), Groups: list(t.Capabilities.Groups)},
		Objects:         []templateObject{},
		Limits:          []templateLimit{},
		Notes:           list(t.Notes),
		Quirks:          []templateQuirk{},
	}
	for _, u := range t.TenantURLs {
		d.TenantURLs = append(d.TenantURLs, tenantURL(u))
	}
	for _, o := range t.Objects {
		object := templateObject{Name: string(o.Name), Open: o.Open, Attributes: []templateAttribute{}}
		for _, a := range o.Attributes {
			object.Attributes = append(object.Attributes, templateAttribute{Name: a.Name, Type: orDefault(string(a.Type), "String"),
				MultiValued: a.MultiValued, Required: a.Required, ReadOnly: a.ReadOnly, Unique: a.Unique, Filterable: a.Filterable, Note: a.Note})
		}
		d.Objects = append(d.Objects, object)
	}
	for _, l := range t.Limits {
		d.Limits = append(d.Limits, templateLimit(l))
	}
	for _, q := range t.Quirks {
		d.Quirks = append(d.Quirks, templateQuirk(q))
	}
	return d
}

// list is never nil, so that JSON has [] and not null.
func list[T any](in []T) []T { return append([]T{}, in...) }

func showTemplate(c *cli, id string) error {
	t, err := template(id)
	if err != nil {
		return err
	}
	d := templateDoc(t)
	if c.json() {
		return view.JSON(c.Out, d)
	}
	var b bytes.Buffer
	if err := writeTemplate(&b, d); err != nil {
		return err
	}
	_, err = c.Out.Write(b.Bytes())
	return err
}

func writeTemplate(w *bytes.Buffer, d templateDocument) error {
	fmt.Fprintf(w, "%s (%s)\n%s\n", d.Title, d.ID, d.Summary)
	if !d.Tested {
		fmt.Fprintln(w, "Not yet tried against the real application.")
	}
	facts := view.NewTable("", "")
	facts.Add("credential", d.Auth.Label+" ("+strings.Join(d.Auth.Kinds, ", ")+")")
	facts.Add("", d.Auth.Help)
	for _, u := range d.TenantURLs {
		facts.Add("address", u.URL+" ("+u.Name+")")
	}
	facts.Add("users", join(d.Capabilities.Users))
	facts.Add("groups", join(d.Capabilities.Groups))
	for _, l := range d.Limits {
		facts.Add("limit", l.Topic+": "+l.Text)
	}
	for _, n := range d.Notes {
		facts.Add("note", n)
	}
	for _, q := range d.Quirks {
		facts.Add("quirk", q.Setting+": "+q.Why)
	}
	fmt.Fprintln(w)
	if err := facts.Write(w); err != nil {
		return err
	}
	for _, o := range d.Objects {
		title := o.Name
		if o.Open {
			title += " (other attributes may exist)"
		}
		fmt.Fprintf(w, "\n%s\n", title)
		t := view.NewTable("ATTRIBUTE", "TYPE", "", "NOTE")
		for _, a := range o.Attributes {
			t.Add(a.Name, a.Type, traits(a), a.Note)
		}
		if err := t.Write(w); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "\n`rollcall new %s` writes an app file for it.\n", d.ID)
	return nil
}

func join(list []gallery.Capability) string {
	if len(list) == 0 {
		return "none"
	}
	words := make([]string, len(list))
	for i, c := range list {
		words[i] = string(c)
	}
	return strings.Join(words, ", ")
}

func traits(a templateAttribute) string {
	var words []string
	for _, t := range []struct {
		has  bool
		word string
	}{{a.Required, "required"}, {a.Filterable, "for matching"}, {a.Unique, "unique"}, {a.MultiValued, "several values"}, {a.ReadOnly, "read-only"}} {
		if t.has {
			words = append(words, t.word)
		}
	}
	return strings.Join(words, ", ")
}
