package appfile

import (
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// within turns a place in a scalar's text into a place in the file. It knows the forms in which the text stands in the
// file line by line: plain, quoted on one line, and literal blocks. For others, and for values of the template, it
// returns the position of the scalar.
func (r *reader) within(n *node, line, column int) (int, int) {
	if n.template || n.kind != kindScalar || n.line < 1 || n.line > len(r.lines) {
		return n.line, n.column
	}
	if n.style&yaml.LiteralStyle != 0 {
		return r.inBlock(n, line, column)
	}
	raw := []rune(r.lines[n.line-1])
	if line != 1 || n.column < 1 || n.column > len(raw) || strings.Contains(n.text, "\n") {
		return n.line, n.column
	}
	raw = raw[n.column-1:]
	if at, ok := offset(raw, []rune(n.text), column-1); ok {
		return n.line, n.column + at
	}
	return n.line, n.column
}

// inBlock finds a place in a literal block, which begins on the line after its | and whose indentation is that of its
// first line with text.
func (r *reader) inBlock(n *node, line, column int) (int, int) {
	at := n.line + line // the text's first line is the one after n.line
	indent := -1
	for i := n.line; i < len(r.lines) && indent < 0; i++ {
		if trimmed := strings.TrimLeft(r.lines[i], " "); strings.TrimSpace(trimmed) != "" {
			indent = len(r.lines[i]) - len(trimmed)
		}
	}
	if indent < 0 || at > len(r.lines) {
		return n.line, n.column
	}
	return at, indent + column
}

// offset finds where character i of text stands in raw, which begins with the scalar as it is written. It returns false
// when the text goes on in another line.
func offset(raw, text []rune, i int) (int, bool) {
	quote := rune(0)
	if len(raw) > 0 && (raw[0] == '"' || raw[0] == '\'') {
		quote = raw[0]
	}
	at := 0
	if quote != 0 {
		at = 1
	}
	for done := 0; done < i && done < len(text); done++ {
		if at >= len(raw) {
			return 0, false
		}
		switch {
		case quote == '\'' && raw[at] == '\'':
			at += 2
		case quote == '"' && raw[at] == '\\':
			if at+1 >= len(raw) {
				return 0, false
			}
			at += escapeWidth(raw[at+1])
		case raw[at] != text[done] && text[done] != utf8.RuneError:
			return 0, false
		default:
			at++
		}
	}
	if at > len(raw) {
		return 0, false
	}
	return at, true
}

// escapeWidth is the number of characters of a YAML escape sequence (YAML 1.2 section 5.7) by its letter.
func escapeWidth(letter rune) int {
	switch letter {
	case 'x':
		return 4
	case 'u':
		return 6
	case 'U':
		return 10
	}
	return 2
}
