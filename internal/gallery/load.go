package gallery

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/rollcall-id/rollcall/internal/job"
)

//go:embed apps/*.yaml unsupported.yaml
var files embed.FS

// ErrUnknown is the error of Get for an id that no template has.
var ErrUnknown = errors.New("no such template")

// The files are part of the binary and every one of them is read by the tests, so reading them once and keeping the
// result is a matter of speed alone.
var (
	builtin     = sync.OnceValues(func() ([]*Template, error) { return load(files) })
	unsupported = sync.OnceValues(func() ([]Unsupported, error) { return loadUnsupported(files) })
)

// List returns all templates, sorted by id.
func List() ([]*Template, error) {
	all, err := builtin()
	return slices.Clone(all), err
}

// Get returns the template with this id, or an error that is ErrUnknown and names the ids that are like it, or says why
// there is no template for the application.
func Get(id string) (*Template, error) {
	all, err := builtin()
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	for i, t := range all {
		if t.ID == id {
			return t, nil
		}
		ids[i] = t.ID
	}
	without, err := unsupported()
	if err != nil {
		return nil, err
	}
	for _, u := range without {
		if u.ID == id {
			return nil, fmt.Errorf("template %q: %w: %s cannot be provisioned to yet. %s", id, ErrUnknown, u.Title, u.Why)
		}
	}
	if like := alike(id, ids); len(like) > 0 {
		return nil, fmt.Errorf("template %q: %w; perhaps %s", id, ErrUnknown, strings.Join(like, " or "))
	}
	return nil, fmt.Errorf("template %q: %w", id, ErrUnknown)
}

// alike returns the ids that have a word in common with what was asked for, else the nearest one, if any is near.
func alike(id string, ids []string) (out []string) {
	words := strings.FieldsFunc(strings.ToLower(id), func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
	for _, known := range ids {
		if slices.ContainsFunc(strings.Split(known, "-"), func(w string) bool { return w != "scim" && slices.Contains(words, w) }) {
			out = append(out, known)
		}
	}
	if near := job.Nearest(strings.ToLower(id), ids); len(out) == 0 && near != "" {
		out = append(out, near)
	}
	return out
}

// load reads every template file under apps. What is wrong with them is told all at once.
func load(fsys fs.FS) ([]*Template, error) {
	names, err := fs.Glob(fsys, "apps/*.yaml")
	if err != nil {
		return nil, fmt.Errorf("list the templates: %w", err)
	}
	slices.Sort(names)
	out := make([]*Template, 0, len(names))
	var wrong Problems
	for _, name := range names {
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("template: %w", err)
		}
		t, problems := parse(name, data)
		wrong = append(wrong, problems...)
		if want := strings.TrimSuffix(path.Base(name), ".yaml"); len(problems) == 0 && t.ID != want {
			wrong = append(wrong, &Problem{File: name, Line: t.Line("id"),
				Message: fmt.Sprintf("its id is %q; call the file %s.yaml or the template %s", t.ID, t.ID, want)})
		}
		out = append(out, t)
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("templates of the gallery:\n%w", wrong)
	}
	return out, nil
}
