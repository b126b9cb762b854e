package vectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Case is one test of a file.
type Case struct {
	ID   string // unique in its file
	Line int    // where it begins, from 1
	Rule string // rule of an app file that it runs, "" for none
	run  func(World) error
}

// Problem is a mistake in a file of vectors.
type Problem struct {
	File    string
	Line    int
	Message string
}

// Error gives file, line and message.
func (p *Problem) Error() string { return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message) }

// Problems is every mistake in a file, in the order of the file.
type Problems []*Problem

// Error gives one line for each mistake.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Load reads a file of vectors: a JSON list of cases. What a case is follows from its keys: one with "expression" tests
// the mapping language, one with "filter" or "graph" a scoping filter, one with "rule" a whole rule of an app file, one with
// "kind" and "input" SCIM. A key that no
// case of its kind has is a mistake, so that a misspelt one does not make a test that cannot fail. name is that of the
// file, for messages. The error is Problems.
func Load(name string, data []byte) ([]Case, error) {
	l := loader{name: name, data: data}
	cases := l.load()
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return cases, nil
}

type loader struct {
	name     string
	data     []byte
	problems Problems
}

func (l *loader) problem(offset int64, format string, args ...any) {
	l.problems = append(l.problems, &Problem{File: l.name, Line: l.line(offset), Message: fmt.Sprintf(format, args...)})
}

// line is the line of a byte, from 1.
func (l *loader) line(offset int64) int {
	return 1 + bytes.Count(l.data[:min(offset, int64(len(l.data)))], []byte("\n"))
}

func (l *loader) load() []Case {
	d := json.NewDecoder(bytes.NewReader(l.data))
	if tok, err := d.Token(); err != nil {
		l.syntax(d, err)
		return nil
	} else if tok != json.Delim('[') {
		l.problem(0, "a file of test vectors is a list of cases: [{\"id\": …}, …]")
		return nil
	}
	var cases []Case
	seen := map[string]int{}
	for d.More() {
		start := l.next(d.InputOffset())
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			l.syntax(d, err)
			return nil
		}
		c, err := parse(raw)
		if err != nil {
			where := ""
			if c.ID != "" {
				where = c.ID + ": "
			}
			for _, e := range flat(err) {
				l.problem(start, "%s%s", where, e)
			}
			continue
		}
		c.Line = l.line(start)
		if before := seen[c.ID]; before > 0 {
			l.problem(start, "%s: the case in line %d has the same id", c.ID, before)
		}
		seen[c.ID] = c.Line
		cases = append(cases, c)
	}
	if _, err := d.Token(); err != nil {
		l.syntax(d, err)
	} else if _, err := d.Token(); !errors.Is(err, io.EOF) {
		l.problem(l.next(d.InputOffset()), "something follows the list of cases")
	}
	return cases
}

// next is the offset of the value that follows the offset.
func (l *loader) next(offset int64) int64 {
	for offset < int64(len(l.data)) && bytes.IndexByte([]byte(" \t\r\n,"), l.data[offset]) >= 0 {
		offset++
	}
	return offset
}

func (l *loader) syntax(d *json.Decoder, err error) {
	var e *json.SyntaxError
	switch {
	case errors.As(err, &e):
		l.problem(e.Offset, "no JSON: %v", err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		l.problem(int64(len(l.data)), "the file ends early")
	default:
		l.problem(d.InputOffset(), "%v", err)
	}
}

// flat takes a joined error apart.
func flat(err error) []error {
	if j, ok := err.(interface{ Unwrap() []error }); ok {
		return j.Unwrap()
	}
	return []error{err}
}

// common are the keys that every case may have. "source", "note" and "open" are for readers.
var common = []string{"id", "want", "source", "note", "open"}

// parse makes a case of its text. A case returned with an error has its ID, if it has one.
func parse(raw []byte) (Case, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		return Case{}, errors.New("a case is an object: {\"id\": …, \"want\": …}")
	}
	var c Case
	if err := json.Unmarshal(keys["id"], &c.ID); err != nil || c.ID == "" {
		return c, errors.New("\"id\" is missing; every case has a text of its own by which it is named")
	}
	kinds := []struct {
		key     string
		allowed []string
		make    func([]byte) (func(World) error, error)
	}{
		{"expression", []string{"expression", "attributes", "context", "log"}, parseExpression},
		{"filter", []string{"filter", "attributes"}, parseScoping},
		{"graph", []string{"graph", "attributes"}, parseScoping},
		{"kind", []string{"kind", "input", "resource"}, parseSCIM},
		{"rule", []string{"rule", "attributes", "context"}, parseRule},
	}
	for _, k := range kinds {
		if _, ok := keys[k.key]; !ok {
			continue
		}
		var errs []error
		for name := range keys {
			if !slices.Contains(common, name) && !slices.Contains(k.allowed, name) {
				errs = append(errs, fmt.Errorf("unknown key %q; a case with %q has %s", name, k.key,
					strings.Join(slices.Concat(common[:2], k.allowed), ", ")))
			}
		}
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		if _, ok := keys["want"]; !ok {
			errs = append(errs, errors.New("\"want\" is missing: the result that is expected"))
		}
		if len(errs) > 0 {
			return c, errors.Join(errs...)
		}
		run, err := k.make(raw)
		if err != nil {
			return c, err
		}
		c.run = run
		if k.key == "rule" {
			err = json.Unmarshal(keys["rule"], &c.Rule)
		}
		return c, err
	}
	return c, errors.New("what is tested is missing: \"expression\", \"filter\", \"graph\", \"rule\", or \"kind\" with \"input\"")
}
