package appfile

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// kind is what a node of the document is.
type kind uint8

const (
	kindNull kind = iota
	kindScalar
	kindList
	kindMap
)

// node is one value of the document with its position. It is made of a YAML node, with aliases resolved, and is never
// changed afterwards: merging makes new ones.
type node struct {
	kind     kind
	tag      string // of a scalar: !!str, !!int, !!float, !!bool, ...
	text     string // of a scalar
	style    yaml.Style
	line     int // from 1
	column   int // in characters, from 1
	fields   []field
	items    []*node
	template bool // the value comes from the template; the position is that of the key `template` in the file
}

type field struct {
	name         string
	line, column int
	value        *node
}

// get returns the value of a key, nil when the key is absent or null.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, f := range n.fields {
		if f.name == name && f.value.kind != kindNull {
			return f.value
		}
	}
	return nil
}

// describe names what the node is in an administrator's words. It never shows the value, which may be a secret.
func (n *node) describe() string {
	switch {
	case n.kind == kindNull:
		return "nothing"
	case n.kind == kindList:
		return "a list"
	case n.kind == kindMap:
		return "a map of keys"
	}
	switch n.tag {
	case "!!bool":
		return "true or false"
	case "!!int":
		return "a number"
	case "!!float":
		return "a number with a fraction"
	}
	return "text"
}

// A file of this many values is no app file; the bound keeps aliases of aliases from filling the memory.
const maxNodes = 100_000

// maxBytes bounds what is read of an app file.
const maxBytes = 4 << 20

// builder makes nodes of YAML nodes.
type builder struct {
	report func(line, column int, message, hint string)
	count  int
	full   bool
}

// parseTree reads the one YAML document in data. It reports what it finds and returns nil when there is nothing to go
// on with.
func parseTree(data []byte, report func(line, column int, message, hint string)) *node {
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		if len(strings.TrimSpace(string(data))) == 0 || errors.Is(err, io.EOF) {
			report(1, 1, "the file is empty", "write at least name, source, target and rules, or a template")
			return nil
		}
		reportSyntax(err, data, report)
		return nil
	}
	var second yaml.Node
	if err := dec.Decode(&second); err == nil {
		report(second.Line, second.Column, "the file has a second document", "keep one app in one file")
	} else if !errors.Is(err, io.EOF) {
		reportSyntax(err, data, report)
	}
	if len(doc.Content) == 0 {
		report(1, 1, "the file is empty", "write at least name, source, target and rules, or a template")
		return nil
	}
	b := &builder{report: report}
	return b.node(doc.Content[0])
}

var (
	syntaxLine    = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)
	unknownAnchor = regexp.MustCompile(`^yaml: unknown anchor '(.*)' referenced$`)
)

// reportSyntax turns an error of the YAML library into a problem.
func reportSyntax(err error, data []byte, report func(line, column int, message, hint string)) {
	lines := strings.Split(string(data), "\n")
	hint := "put text with special characters into quotation marks"
	if m := unknownAnchor.FindStringSubmatch(err.Error()); m != nil {
		for i, l := range lines {
			if at := strings.Index(l, "*"+m[1]); at >= 0 { // the name is not repeated: it may be a secret without quotes
				report(i+1, utf8.RuneCountInString(l[:at])+1, "this is no YAML: text that begins with * must be quoted", hint)
				return
			}
		}
	}
	line, message := 1, "this is no YAML"
	if m := syntaxLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0]); m != nil {
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
		if strings.HasPrefix(m[2], "did not find expected") {
			line++ // the library counts these lines from 0
		}
		message += ": " + m[2]
	}
	line = min(line, len(lines))
	if strings.HasPrefix(strings.TrimLeft(lines[line-1], " "), "\t") {
		hint = "indent with blanks, not with tabs"
	}
	report(line, 1, message, hint)
}

func (b *builder) node(y *yaml.Node) *node {
	for y.Kind == yaml.AliasNode {
		y = y.Alias
	}
	n := &node{line: y.Line, column: y.Column, style: y.Style}
	if b.count++; b.count > maxNodes {
		if !b.full {
			b.full = true
			b.report(y.Line, y.Column, fmt.Sprintf("the file has more than %d values", maxNodes), "")
		}
		return n
	}
	switch y.Kind {
	case yaml.ScalarNode:
		n.tag, n.text = y.ShortTag(), y.Value
		switch n.tag {
		case "!!null":
		case "!!str", "!!int", "!!float", "!!bool", "!!timestamp", "!!merge":
			n.kind = kindScalar
		default:
			b.report(y.Line, y.Column, "the tag "+n.tag+" means nothing in an app file", "leave it out")
		}
	case yaml.SequenceNode:
		n.kind = kindList
		for _, item := range y.Content {
			n.items = append(n.items, b.node(item))
		}
	case yaml.MappingNode:
		n.kind = kindMap
		b.fields(n, y)
	case yaml.DocumentNode, yaml.AliasNode: // taken apart before
	}
	return n
}

func (b *builder) fields(n *node, y *yaml.Node) {
	seen := make(map[string]int)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		if key.Kind != yaml.ScalarNode {
			b.report(key.Line, key.Column, "a key must be text", "put text with brackets or braces into quotation marks")
			continue
		}
		value := b.node(y.Content[i+1])
		if first, ok := seen[key.Value]; ok {
			b.report(key.Line, key.Column, fmt.Sprintf("the key %s is there twice, first in line %d", key.Value, first), "keep one of the two")
			continue
		}
		seen[key.Value] = key.Line
		if value.kind == kindNull {
			value.line, value.column = key.Line, key.Column
		}
		n.fields = append(n.fields, field{name: key.Value, line: key.Line, column: key.Column, value: value})
	}
}

// find returns the node at a path, or the nearest one above it that exists. An index into a map goes through its key
// `groups` or `clauses`, so that one path fits both forms of a filter.
func (n *node) find(path string) *node {
	for path != "" {
		var next *node
		if rest, ok := strings.CutPrefix(path, "["); ok {
			digits, tail, _ := strings.Cut(rest, "]")
			path = tail
			i, err := strconv.Atoi(digits)
			within := n
			if n.kind == kindMap {
				if within = n.get("groups"); within == nil {
					within = n.get("clauses")
				}
			}
			if err == nil && within != nil && i < len(within.items) {
				next = within.items[i]
			}
		} else {
			path = strings.TrimPrefix(path, ".")
			end := strings.IndexAny(path, ".[")
			if end < 0 {
				end = len(path)
			}
			next = n.get(path[:end])
			path = path[end:]
		}
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// list returns the elements of a list; none of anything else.
func (n *node) list() []*node {
	if n == nil {
		return nil
	}
	return n.items
}
