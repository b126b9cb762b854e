package gallery

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Unsupported is an application that people ask for and that no connector speaks to yet.
type Unsupported struct {
	ID    string `yaml:"id"`    // what its template would be called
	Title string `yaml:"title"` // the application's name
	Why   string `yaml:"why"`   // sentences: what it speaks instead, and what can be done
}

// ListUnsupported returns the applications that are known and cannot be provisioned to yet, sorted by id.
func ListUnsupported() ([]Unsupported, error) {
	all, err := unsupported()
	return slices.Clone(all), err
}

func loadUnsupported(fsys fs.FS) ([]Unsupported, error) {
	const name = "unsupported.yaml"
	data, err := fs.ReadFile(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("applications without a template: %w", err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	var out []Unsupported
	if problems := yamlProblems(name, dec.Decode(&out)); len(problems) > 0 {
		return nil, fmt.Errorf("applications without a template:\n%w", problems)
	}
	return out, nil
}
