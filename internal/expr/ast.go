package expr

import (
	"strconv"
	"strings"
)

type nodeKind uint8

const (
	nodeText      nodeKind = iota // string constant
	nodeNumber                    // number constant
	nodeKeyword                   // True, False, the flow signals, the compare types
	nodeAttribute                 // [name]
	nodeCall                      // function call
	nodeCompare                   // left op right
)

// node is one node of the syntax tree. After the check it is never changed.
type node struct {
	kind nodeKind
	pos  int // byte offset of the first character
	end  int // byte offset after the last character

	// text is the content of a string constant, the name of an attribute, the name of a function as
	// written, the canonical spelling of a keyword, or a comparison operator.
	text string
	num  value // nodeNumber
	hex  bool  // nodeNumber was written as &H
	// args are the arguments of a call, nil where omitted, or the two sides of a comparison.
	args []*node
	// argPos has the place of every argument, omitted ones included; for a comparison the place of the
	// operator.
	argPos []int
	fn     *Function // nodeCall, set by the check
}

// omitted reports whether argument i is missing or empty.
func (n *node) omitted(i int) bool { return i >= len(n.args) || n.args[i] == nil }

// walk visits the node and everything below it, outermost first, left to right.
func (n *node) walk(visit func(*node)) {
	visit(n)
	for _, a := range n.args {
		if a != nil {
			a.walk(visit)
		}
	}
}

// print writes the canonical text. Omitted arguments keep their commas, because the reference service
// wants them written.
func (n *node) print(b *strings.Builder) {
	switch n.kind {
	case nodeText:
		quote(b, n.text)
	case nodeNumber:
		if n.hex {
			b.WriteString("&H")
			b.WriteString(strings.ToUpper(strconv.FormatUint(uint64(n.num.n), 16)))
			return
		}
		s, _ := n.num.text()
		b.WriteString(s)
	case nodeKeyword:
		b.WriteString(n.text)
	case nodeAttribute:
		b.WriteByte('[')
		b.WriteString(n.text)
		b.WriteByte(']')
	case nodeCompare:
		n.args[0].print(b)
		b.WriteByte(' ')
		b.WriteString(n.text)
		b.WriteByte(' ')
		n.args[1].print(b)
	case nodeCall:
		if n.fn != nil {
			b.WriteString(n.fn.Name)
		} else {
			b.WriteString(n.text)
		}
		b.WriteByte('(')
		for i, a := range n.args {
			if i > 0 {
				b.WriteString(", ")
			}
			if a != nil {
				a.print(b)
			}
		}
		b.WriteByte(')')
	}
}

func (n *node) String() string {
	var b strings.Builder
	n.print(&b)
	return b.String()
}

// quote writes a string constant: \ and " are escaped, everything else stands for itself.
func quote(b *strings.Builder, s string) {
	b.WriteByte('"')
	for {
		i := strings.IndexAny(s, `\"`)
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		b.WriteByte('\\')
		b.WriteByte(s[i])
		s = s[i+1:]
	}
	b.WriteString(s)
	b.WriteByte('"')
}
