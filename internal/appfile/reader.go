package appfile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/job"
)

// reader turns nodes into values and collects what is wrong with them.
type reader struct {
	file     string
	template string // id of the template, "" for none
	lines    []string
	problems Problems
	expected []string // paths whose absence is explained by a problem that is reported already
}

// at reports a problem at a node.
func (r *reader) at(n *node, severity Severity, path, message, hint string) {
	r.add(n.line, n.column, n.template, severity, path, message, hint)
}

func (r *reader) errorf(n *node, path, hint, format string, args ...any) {
	r.at(n, Error, path, fmt.Sprintf(format, args...), hint)
}

func (r *reader) add(line, column int, fromTemplate bool, severity Severity, path, message, hint string) {
	if fromTemplate {
		message += " (comes from the template " + r.template + ")"
	}
	r.problems = append(r.problems, Problem{
		File: r.file, Line: line, Column: column, Severity: severity,
		Path: path, Message: message, Hint: hint,
	})
}

// missing reports that something is not there, unless a reported problem explains that.
func (r *reader) missing(n *node, path, hint, message string) {
	if !r.explained(path) {
		r.at(n, Error, path, message, hint)
	}
}

func (r *reader) explained(path string) bool {
	for _, e := range r.expected {
		if under(path, e) {
			return true
		}
	}
	return false
}

// keys checks that n is a map with no other keys than the known ones. It returns false when n is no map.
func (r *reader) keys(n *node, path string, known ...string) bool {
	if n.kind != kindMap {
		r.errorf(n, path, "write "+last(path)+": with one key in each line below it", "%s must be a map of keys, not %s", last(path), n.describe())
		return false
	}
	for _, f := range n.fields {
		if contains(known, f.name) {
			continue
		}
		hint := "the keys here are " + strings.Join(known, ", ")
		if near := job.Nearest(f.name, known); near != "" {
			hint = "did you mean " + near + "?"
			r.expected = append(r.expected, join(path, near))
		}
		r.add(f.line, f.column, f.value.template, Error, join(path, f.name), "unknown key "+f.name+in(path), hint)
	}
	return true
}

// text reads a scalar as text, whatever YAML takes it for; "" when it is absent.
func (r *reader) text(parent *node, path, name, example string) string {
	n := parent.get(name)
	if n == nil {
		return ""
	}
	if n.kind != kindScalar {
		hint := name + ": " + example
		if n.kind == kindList && strings.HasPrefix(example, `"[`) {
			hint = "put it into quotation marks, since YAML takes brackets for a list: " + hint
		}
		r.errorf(n, join(path, name), hint, "%s must be text, not %s", name, n.describe())
		return ""
	}
	return n.text
}

// flag reads true or false.
func (r *reader) flag(parent *node, path, name string, def bool) bool {
	n := parent.get(name)
	if n == nil {
		return def
	}
	v, ok := r.boolean(n, join(path, name))
	if !ok {
		return def
	}
	return v
}

func (r *reader) boolean(n *node, path string) (value, ok bool) {
	if n.kind == kindScalar && n.tag == "!!bool" {
		return strings.EqualFold(n.text, "true"), true
	}
	r.errorf(n, path, last(path)+": true, or false", "%s must be true or false, not %s", last(path), n.describe())
	return false, false
}

// number reads a whole number.
func (r *reader) number(n *node, path string) (int, bool) {
	if n.kind == kindScalar && n.tag == "!!int" {
		if i, err := strconv.Atoi(n.text); err == nil {
			return i, true
		}
	}
	r.errorf(n, path, last(path)+": 1", "%s must be a whole number, not %s", last(path), n.describe())
	return 0, false
}

// items returns the elements of a list; none when it is absent.
func (r *reader) items(parent *node, path, name, example string) []*node {
	n := parent.get(name)
	if n == nil {
		return nil
	}
	if n.kind != kindList {
		r.errorf(n, join(path, name), name+": "+example, "%s must be a list, not %s", name, n.describe())
		return nil
	}
	return n.items
}

// texts reads a list of texts.
func (r *reader) texts(parent *node, path, name, example string) []string {
	var out []string
	for i, item := range r.items(parent, path, name, example) {
		if item.kind != kindScalar {
			r.errorf(item, fmt.Sprintf("%s[%d]", join(path, name), i), name+": "+example, "each element of %s must be text, not %s", name, item.describe())
			continue
		}
		out = append(out, item.text)
	}
	return out
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// last is the last name of a path, with the index of a list.
func last(path string) string {
	if path == "" {
		return "the app file"
	}
	return path[strings.LastIndexByte(path, '.')+1:]
}

func in(path string) string {
	if path == "" {
		return ""
	}
	return " in " + path
}
