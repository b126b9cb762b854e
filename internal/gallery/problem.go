package gallery

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Problem is a mistake in a template file.
type Problem struct {
	File    string // "" where the template has none
	Line    int    // from 1
	Message string
}

// Error gives file, line and message.
func (p *Problem) Error() string {
	if p.File == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Problems is every mistake in one template file or in several.
type Problems []*Problem

// Error gives one line for each mistake.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// sorted puts the mistakes of one file in the order of its lines.
func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b *Problem) int { return cmp.Compare(a.Line, b.Line) })
	return ps
}

// yamlLine is the place in a message of the YAML reader.
var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): `)

// yamlProblems takes the error of a YAML reader apart: one problem for each mistake, with its line.
func yamlProblems(file string, err error) Problems {
	if err == nil {
		return nil
	}
	texts := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if many, ok := errors.AsType[*yaml.TypeError](err); ok {
		texts = many.Errors
	}
	if errors.Is(err, io.EOF) {
		texts = []string{"the file is empty"}
	}
	var out Problems
	for _, text := range texts {
		p := &Problem{File: file, Line: 1, Message: text}
		if m := yamlLine.FindStringSubmatch(text); m != nil {
			p.Line, _ = strconv.Atoi(m[1]) // digits, as the pattern says
			p.Message = strings.TrimPrefix(text, m[0])
		}
		out = append(out, p)
	}
	return out
}

// step is one step of a path such as rules[1].attributes[0].target: a key, or the number of an element.
var step = regexp.MustCompile(`[^.\[\]]+|\[\d+\]`)

// Line is the line of what stands at a path in the template file, such as app.rules[1].attributes[0].target; of what is
// nearest to it when there is nothing at the path. Keys with a dot or a bracket in them are not found.
func (t *Template) Line(path string) int {
	var root yaml.Node
	if err := yaml.Unmarshal(t.data, &root); err != nil || len(root.Content) == 0 {
		return 1 // what cannot be read has been told with its own line
	}
	n, line := root.Content[0], root.Content[0].Line
	for _, s := range step.FindAllString(path, -1) {
		if s[0] == '[' {
			i, err := strconv.Atoi(strings.Trim(s, "[]"))
			if err != nil || n.Kind != yaml.SequenceNode || i >= len(n.Content) {
				return line
			}
			n = n.Content[i]
			line = n.Line
			continue
		}
		i := keyOf(n, s)
		if i < 0 {
			return line
		}
		line, n = n.Content[i].Line, n.Content[i+1]
	}
	return line
}

// keyOf is the place of a key among the content of a mapping, -1 where there is none.
func keyOf(n *yaml.Node, key string) int {
	if n.Kind != yaml.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return i
		}
	}
	return -1
}
