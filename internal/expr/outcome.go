package expr

// Outcome is one of the values that an expression can have, as far as this can be told from its text: an expression has
// one for each branch of the functions that choose.
type Outcome struct {
	// Line and Column are the place of the part that gives the value, both from 1.
	Line, Column int
	// Type is String, Number, Boolean, DateTime or List; "" where only the evaluation can tell.
	Type string
	// Attribute is the name of the attribute whose value it is, unchanged; "" for none.
	Attribute string
	// Constant is the value where it is the same for every object, else nil.
	Constant any
}

// Outcomes gives what the expression can yield, in the order of the text. Flow signals and branches that are left out
// are not among it.
func (p *Program) Outcomes() []Outcome {
	var out []Outcome
	p.root.outcomes(func(n *node) {
		o := Outcome{Type: n.resultType()}
		o.Line, o.Column = lineColumn(p.src, n.pos)
		switch {
		case n.kind == nodeAttribute:
			o.Attribute = n.text
		case n.kind == nodeText:
			o.Constant = n.text
		case n.kind == nodeNumber:
			o.Constant = n.num.toGo()
		case n.kind == nodeKeyword:
			o.Constant = n.text == keywordTrue
		}
		out = append(out, o)
	})
	return out
}

// outcomes visits the parts whose value may become that of the whole.
func (n *node) outcomes(visit func(*node)) {
	if n.kind == nodeKeyword && n.text != keywordTrue && n.text != keywordFalse {
		return // a flow signal
	}
	if n.kind != nodeCall {
		visit(n)
		return
	}
	for _, i := range n.branches() {
		if !n.omitted(i) {
			n.args[i].outcomes(visit)
		}
	}
	if n.branches() == nil {
		visit(n)
	}
}

// branches are the arguments of a call that it may give as they are, nil when it gives a value of its own.
func (n *node) branches() []int {
	var out []int
	switch n.fn.Name {
	case nameIIF:
		return []int{1, 2}
	case nameSwitch:
		for i := 1; i < len(n.args); i += 2 { // the default, then every value
			out = append(out, i)
		}
	case nameCoalesce:
		for i := range n.args {
			out = append(out, i)
		}
	case nameIgnoreIfEmpty, nameRedact:
		return []int{0}
	}
	return out
}

// resultType is the type of what a part gives, "" where only the evaluation can tell.
func (n *node) resultType() string {
	switch n.kind {
	case nodeText:
		return "String"
	case nodeNumber:
		return "Number"
	case nodeKeyword, nodeCompare:
		return "Boolean"
	case nodeCall:
		if n.fn.Result != "Any" {
			return n.fn.Result
		}
	case nodeAttribute:
	}
	return ""
}
