package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/rollcall-id/rollcall/internal/gallery"
)

// galleryReference writes every application of the gallery with what an administrator has to know beforehand. The
// attributes are left to `rollcall gallery show`.
func galleryReference(w io.Writer) error {
	all, err := gallery.List()
	if err != nil {
		return err
	}
	without, err := gallery.ListUnsupported()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString(generatedNotice)
	b.WriteString("# Applications of the gallery\n\n[gallery.md](../gallery.md) says what a template is and what tested means; `rollcall gallery show ID` shows the attributes\n" +
		"and what is written to them.\n\n| ID | Application | Tested with | Users | Groups |\n|---|---|---|---|---|\n")
	for _, t := range all {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s | %s | %s |\n", t.ID, t.ID, tableCell(t.Title), testedCell(t),
			capabilityWords(t.Capabilities.Users), capabilityWords(t.Capabilities.Groups))
	}
	for _, t := range all {
		galleryEntry(&b, t)
	}
	b.WriteString("\n## Known, and without a template\n\n| Application | Why |\n|---|---|\n")
	for _, u := range without {
		fmt.Fprintf(&b, "| %s | %s |\n", tableCell(u.Title), tableCell(u.Why))
	}
	_, err = w.Write(b.Bytes())
	return err
}

func testedCell(t *gallery.Template) string {
	if !t.Tested.Done() {
		return "–"
	}
	return "`" + strings.Join(t.Tested.Arguments(), " ") + "`"
}

// galleryEntry writes the section of one application.
func galleryEntry(b *bytes.Buffer, t *gallery.Template) {
	fmt.Fprintf(b, "\n## %s\n\n%s: %s\n\n", t.ID, t.Title, t.Summary)
	fmt.Fprintf(b, "- **Tested**: %s\n", testedText(t))
	address := strings.Join(converted(t.TenantURLs, func(u gallery.TenantURL) string { return "`" + u.URL + "` (" + u.Name + ")" }), ", ")
	if address != "" {
		address += "."
	}
	fmt.Fprintf(b, "- **Address**: %s\n", strings.TrimSpace(address+" "+t.URLHelp))
	fmt.Fprintf(b, "- **Credential**: %s (%s). %s\n", t.Auth.Label, strings.Join(t.Auth.Kinds, ", "), strings.TrimSpace(t.Auth.Help+" "+lifetimeText(t)))
	for _, l := range t.Limits {
		fmt.Fprintf(b, "- **Limit**, %s: %s\n", l.Topic, l.Text)
	}
	for _, n := range t.Notes {
		fmt.Fprintf(b, "- %s\n", n)
	}
}
