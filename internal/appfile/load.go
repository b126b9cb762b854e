package appfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Options is what an app file is read with: the connectors and templates there are.
type Options struct {
	Connectors map[string]ConnectorInfo
	Template   func(id string) (*gallery.Template, error) // gallery.Get, but for tests
	File       string                                     // name of the file in problems; Load sets it
	Found      schema.Schema                              // what the target said of itself; it adds to what is known (scim.R46)

	files bool // the file is read from its place, so the files it names must be there
}

// ConnectorInfo is what is known of a connector without opening it.
type ConnectorInfo struct {
	Source, Target bool                // which ends it can be
	Summary        string              // one sentence for the reference
	Settings       []connector.Setting // the table that its settings are checked against

	// Check looks at what a table cannot say, for instance that two settings exclude each other. It gets the settings
	// as job.End holds them and reads no file and no secret. Several errors are joined with errors.Join. May be nil.
	Check func(settings map[string]any) error

	// Schema returns what is known of the system without asking it; nil, also as a function, where nothing is.
	Schema func(settings map[string]any) schema.Schema

	// Lists tells whether all accounts of the target can be listed, which a reconciliation needs. nil means yes.
	Lists func(settings map[string]any) bool

	// Attribute checks the form of a target attribute's name, for instance that it is a SCIM path. May be nil.
	Attribute func(settings map[string]any, name string) error

	// Adapt adds to what is known of the target what its settings say: how long texts may be, for instance. May be nil.
	Adapt func(settings map[string]any, known schema.Schema) schema.Schema

	// Lacks tells what the target cannot do to accounts. nil means nothing.
	Lacks func(settings map[string]any) connector.Lacks
}

// File is an app file that was read, merged with its template, and checked.
type File struct {
	Job      job.Job
	Raw      []byte            // the bytes of the file itself
	Template *gallery.Template // nil for none

	// SourceSchema and TargetSchema are what is known of the two systems without asking them: the template's catalogue,
	// else what the connector says; nil for nothing.
	SourceSchema, TargetSchema schema.Schema

	// Hash is a SHA-256, in hexadecimal, over the merged document and the template. Comments, the order of keys and the
	// spelling of values do not change it. The directory that relative paths start from is no part of it.
	Hash string

	// MappingHash is the same over mappings, filters and scope alone: only when it changes is the next cycle initial
	// (design D14).
	MappingHash string

	Warnings Problems

	opts Options // that it was read with
}

// Informed is the file checked against what the target said of itself, too. That only ever adds to what is known: a file
// that cannot be used with it is the file as it was, and what was wrong is among its warnings.
func (f *File) Informed(found schema.Schema) *File {
	if len(found) == 0 {
		return f
	}
	opts := f.opts
	opts.Found = found
	informed, err := Parse(f.Raw, f.Job.Dir, opts)
	if err == nil {
		return informed
	}
	out := *f
	out.Warnings = nil
	if problems, ok := errors.AsType[Problems](err); ok {
		for _, p := range problems {
			p.Severity = Warning
			out.Warnings = append(out.Warnings, p)
		}
	}
	return &out
}

// Load reads the app file at path. When there is something wrong with what stands in it, the error is Problems and has
// everything, warnings too. Relative paths in the file start from the directory it is in.
func Load(path string, opts Options) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the app file: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	err = errors.Join(err, f.Close())
	if err != nil {
		return nil, fmt.Errorf("read the app file: %w", err)
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("app file %s: find its directory: %w", path, err)
	}
	opts.File, opts.files = path, true
	return Parse(data, dir, opts)
}

// Parse reads an app file from memory. dir is the directory that its relative paths start from. The error is Problems.
func Parse(data []byte, dir string, opts Options) (*File, error) {
	d := &decoder{opts: opts, reader: reader{file: opts.File, lines: strings.Split(string(data), "\n")}}
	if len(data) > maxBytes {
		d.add(1, 1, false, Error, "", fmt.Sprintf("the file is larger than %d MiB", maxBytes>>20), "")
		return nil, d.problems
	}
	doc := parseTree(data, func(line, column int, message, hint string) {
		d.add(line, column, false, Error, "", message, hint)
	})
	if doc == nil {
		return nil, d.problems
	}
	if doc.kind != kindMap {
		d.errorf(doc, "", "name: SAP Litmos", "an app file is a map of keys, not %s", doc.describe())
		return nil, d.problems
	}
	d.document = d.withTemplate(shortDrift(doc))
	f := &File{Raw: data, Template: d.gallery, opts: opts}
	f.Job = d.job()
	f.Job.Dir = dir
	f.SourceSchema = d.schemaOf(f.Job.Source)
	f.TargetSchema = d.schemaOf(f.Job.Target)
	if t := d.gallery; t != nil && len(t.Objects) > 0 && f.Job.Target.Connector == templateTarget(t) {
		f.TargetSchema = t.Schema()
	}
	f.TargetSchema = f.TargetSchema.With(opts.Found)
	d.heedSettings(f)
	d.validate(f)
	d.tests(f.Job)
	problems := d.problems.sorted()
	if len(problems.Errors()) > 0 {
		return nil, problems
	}
	f.Warnings = problems.Warnings()
	f.Hash = documentHash(d.document, d.gallery)
	f.MappingHash = mappingHash(f.Job)
	return f, nil
}

// withTemplate merges the document over the template it names.
func (d *decoder) withTemplate(doc *node) *node {
	n := doc.get("template")
	if n == nil || n.kind != kindScalar || d.opts.Template == nil {
		return doc
	}
	t, err := d.opts.Template(n.text)
	if err != nil {
		d.errorf(n, "template", "`rollcall gallery` lists the templates", "%v", err)
		d.expected = append(d.expected, "rules") // what the file leaves to the template
		for _, end := range []string{"source", "target"} {
			if doc.get(end).get("connector") == nil {
				d.expected = append(d.expected, end)
			}
		}
		return doc
	}
	d.gallery, d.template = t, t.ID
	b := &builder{report: func(int, int, string, string) {}}
	base := shortDrift(b.node(t.App()))
	line, column := n.line, n.column
	for _, f := range doc.fields {
		if f.name == "template" {
			line, column = f.line, f.column
		}
	}
	return merge(base, doc, line, column)
}

// templateTarget is the connector that a template's catalogue describes.
func templateTarget(t *gallery.Template) string {
	b := &builder{report: func(int, int, string, string) {}}
	if n := b.node(t.App()).get("target").get("connector"); n != nil {
		return n.text
	}
	return ""
}

func (d *decoder) schemaOf(e job.End) schema.Schema {
	if info := d.opts.Connectors[e.Connector]; info.Schema != nil {
		return info.Schema(e.Settings)
	}
	return nil
}

// validate adds what package job has to say. A finding about a value that could not be read, or about a list of which
// an element could not be read, would only be a consequence of the mistake that is reported already.
func (d *decoder) validate(f *File) {
	read := d.problems
	for _, p := range job.Validate(f.Job, f.SourceSchema, f.TargetSchema) {
		if d.explained(p.Path) || follows(p.Path, read) {
			continue
		}
		n := d.document.find(p.Path)
		line, column := n.line, n.column
		if p.Line > 0 {
			line, column = d.within(n, p.Line, p.Column)
		}
		d.add(line, column, n.template, p.Severity, p.Path, p.Message, p.Hint)
	}
	if lists := d.opts.Connectors[f.Job.Target.Connector].Lists; lists != nil && !lists(f.Job.Target.Settings) && f.Job.Settings.Reconcile != job.Never {
		n := d.document.find("settings.reconcile")
		d.at(n, Warning, "settings.reconcile", "the target cannot list its accounts, so nothing is compared with them", "reconcile: never")
	}
	check := d.opts.Connectors[f.Job.Target.Connector].Attribute
	if check == nil {
		return
	}
	for i, r := range f.Job.Rules {
		for k, a := range r.Attributes {
			path := fmt.Sprintf("rules[%d].attributes[%d].target", i, k)
			if a.Target == "" {
				continue
			}
			if err := check(f.Job.Target.Settings, a.Target); err != nil {
				n := d.document.find(path)
				d.at(n, Error, path, err.Error(), "")
			}
		}
	}
}

// tests looks whether the files with test vectors are there. A stored app file may have been moved away from them.
func (d *decoder) tests(j job.Job) {
	for i, name := range j.Tests {
		path := fmt.Sprintf("tests[%d]", i)
		n := d.document.find(path)
		if strings.TrimSpace(name) == "" {
			d.errorf(n, path, "tests: [mappings_test.json]", "a file of tests has no name")
			continue
		}
		if !d.opts.files {
			continue
		}
		info, err := os.Stat(j.TestFile(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			d.errorf(n, path, "paths start from the folder of the app file", "there is no file %s", name)
		case err != nil:
			d.errorf(n, path, "", "the file %s cannot be read: %v", name, err)
		case info.IsDir():
			d.errorf(n, path, "name the files in it", "%s is a folder", name)
		}
	}
}

func follows(path string, problems Problems) bool {
	for _, p := range problems {
		if p.Path != "" && (under(path, p.Path) || under(p.Path, path)) {
			return true
		}
	}
	return false
}

// under tells whether path is at or below the other.
func under(path, other string) bool {
	rest, ok := strings.CutPrefix(path, other)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}
