package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/view"
)

// What users and groups of the built-in directory have in common.

// refused makes an error of the directory that the command line caused one of the command line.
func refused(err error) error {
	for _, cause := range []error{directory.ErrNotFound, directory.ErrConflict, directory.ErrInvalid, directory.ErrAmbiguous} {
		if errors.Is(err, cause) {
			return &exitError{exitUsage, err}
		}
	}
	return err
}

// field is a key of a JSON object that has an order.
type field struct {
	Name  string
	Value any
}

// document is a JSON object that keeps the order of its keys.
type document []field

// MarshalJSON writes the fields in order.
func (d document) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, f := range d {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := enc.Encode(f.Name); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := enc.Encode(f.Value); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// entryDocument is a user or a group as a flat object: id, attributes in the order of the schema, times. References are
// ids.
func entryDocument(e directory.Entry) document {
	d := document{{"id", e.Anchor}}
	for _, a := range e.Attrs {
		d = append(d, field{a.Name, identity.Plain(a.Value)})
	}
	d = append(d, field{"createdDateTime", e.Created.UTC()}, field{"changedDateTime", e.Changed.UTC()})
	if !e.Deleted.IsZero() {
		d = append(d, field{"deletedDateTime", e.Deleted.UTC()})
	}
	return d
}

func entryDocuments(entries []directory.Entry) []document {
	docs := make([]document, len(entries))
	for i, e := range entries {
		docs[i] = entryDocument(e)
	}
	return docs
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

// named is a reference that people can read (`{"id", "displayName"}`).
type named struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"displayName"`
}

// attributeTable is a user or a group for people.
func attributeTable(e directory.Entry, texts map[string]string) *view.Table {
	t := view.NewTable("", "")
	t.Add("id", e.Anchor)
	for _, a := range e.Attrs {
		if text, ok := texts[a.Name]; ok {
			t.Add(a.Name, text)
			continue
		}
		t.Add(a.Name, plainText(identity.Plain(a.Value)))
	}
	t.Add("created", view.Time(e.Created))
	t.Add("changed", view.Time(e.Changed))
	if !e.Deleted.IsZero() {
		t.Add("deleted", view.Time(e.Deleted)+", for good after "+view.Time(e.Deleted.Add(directory.Retention)))
	}
	return t
}

// plainText is a value without quotes; several values have commas between them.
func plainText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = plainText(e)
		}
		return strings.Join(parts, ", ")
	case time.Time:
		return view.Time(v)
	}
	return fmt.Sprint(v)
}

// entryAttrs reads attributes from the command line; "" and null take a value away. The manager is given by id,
// userPrincipalName or display name.
func entryAttrs(ctx context.Context, d *directory.Directory, args []string) (identity.Attrs, error) {
	attrs, err := parseAttrs(args)
	if err != nil {
		return nil, err
	}
	for i, a := range attrs {
		text, isText := a.Value.(string)
		switch {
		case isText && text == "":
			attrs[i].Value = nil
		case isText && a.Name == directory.Manager:
			m, err := d.User(ctx, text)
			if err != nil {
				return nil, refused(fmt.Errorf("manager: %w", err))
			}
			attrs[i].Value = identity.Ref{Kind: identity.User, Anchor: m.Anchor}
		}
	}
	return attrs, nil
}

// listOptions are the flags of `users list` and `groups list`.
type listOptions struct {
	Search  string
	Deleted bool
	Limit   int
}

// listCommand makes `users list` and `groups list`. search is the help of --search.
func listCommand(c *cli, short, search string, list func(context.Context, *cli, *directory.Directory, listOptions) error) *cobra.Command {
	var o listOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: short,
		Args:  arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withState(cmd.Context(), func(s *state) error { return list(cmd.Context(), c, s.Dir, o) })
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Search, "search", "", search)
	f.BoolVar(&o.Deleted, "deleted", false, "those in the recycle bin")
	f.IntVar(&o.Limit, "limit", -1, "show at most `N`; 0 for all (default 1000 in a table, all in JSON)")
	return cmd
}

// tableRows is how many objects a table shows when nothing else is said; a document has all.
const tableRows = 1000

// list reads pages until the limit; more tells that there would be others.
func (o listOptions) list(ctx context.Context, c *cli, read func(context.Context, directory.Query) (directory.List, error)) (entries []directory.Entry, more bool, err error) {
	limit := o.Limit
	if limit < 0 {
		limit = tableRows
		if c.json() {
			limit = 0
		}
	}
	q := directory.Query{Search: o.Search, Deleted: o.Deleted}
	for {
		q.Limit = 1000
		if limit > 0 {
			q.Limit = min(q.Limit, limit-len(entries))
		}
		page, err := read(ctx, q)
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, page.Entries...)
		switch {
		case page.Next == "":
			return entries, false, nil
		case limit > 0 && len(entries) >= limit:
			return entries, true, nil
		}
		q.After = page.Next
	}
}

// describe reads the names of the objects that references point to.
func describe(ctx context.Context, d *directory.Directory, refs []identity.Ref) ([]named, error) {
	out := make([]named, 0, len(refs))
	for _, r := range refs {
		read := d.User
		if r.Kind == identity.Group {
			read = d.Group
		}
		e, err := read(ctx, r.Anchor)
		if errors.Is(err, directory.ErrNotFound) { // gone in between
			out = append(out, named{Kind: string(r.Kind), ID: r.Anchor})
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, named{Kind: string(r.Kind), ID: r.Anchor, Name: e.Text(directory.DisplayName)})
	}
	return out, nil
}

func names(list []named) string {
	parts := make([]string, len(list))
	for i, n := range list {
		parts[i] = orDefault(n.Name, n.ID)
	}
	return strings.Join(parts, ", ")
}

// noteMore says that a list was cut, and how many there are.
func (c *cli) noteMore(ctx context.Context, d *directory.Directory, kind identity.Kind, noun string, o listOptions, shown int, more bool) error {
	if !more {
		return nil
	}
	of := ""
	if o.Search == "" {
		all, deleted, err := d.Count(ctx, kind)
		if err != nil {
			return err
		}
		if o.Deleted {
			all = deleted
		}
		of = " of " + view.Plural(all, noun)
	}
	c.notef("Only the first %s%s are shown; --limit 0 shows all.", view.Count(int64(shown)), of)
	return nil
}
