package expr

import (
	"slices"
	"strings"
)

// The values of Source.Type.
const (
	SourceAttribute = "Attribute"
	SourceConstant  = "Constant"
	SourceFunction  = "Function"
)

// Source is the stored form of an expression in the Microsoft Graph synchronization schema
// (attributeMappingSource): the text and, for programs that do not parse it, the tree.
type Source struct {
	// Type is Attribute, Constant or Function.
	Type string `json:"type"`
	// Name is the name of the attribute or function, or the text of the constant. A comparison is stored
	// as a function that is named by its operator, with the parameters left and right.
	Name string `json:"name"`
	// Expression is the text of this part. Constants within a function are always quoted here.
	Expression string `json:"expression"`
	// Parameters are the arguments that are given, each under the name of its parameter; a parameter that
	// repeats repeats its key. Empty unless a function.
	Parameters []SourceParameter `json:"parameters"`
}

// SourceParameter is one argument of a function.
type SourceParameter struct {
	Key   string `json:"key"`
	Value Source `json:"value"`
}

// Source gives the stored form of the expression.
func (p *Program) Source() Source {
	s := sourceOf(p.root)
	s.Expression = p.String()
	return s
}

func sourceOf(n *node) Source {
	s := Source{Expression: n.String(), Parameters: []SourceParameter{}}
	switch n.kind {
	case nodeAttribute:
		s.Type, s.Name = SourceAttribute, n.text
	case nodeText, nodeKeyword:
		s.Type, s.Name = SourceConstant, n.text
	case nodeNumber:
		var quoted strings.Builder
		quote(&quoted, s.Expression)
		s.Type, s.Name, s.Expression = SourceConstant, s.Expression, quoted.String()
	case nodeCompare:
		s.Type, s.Name = SourceFunction, n.text
		for i, key := range compareKeys {
			side := sourceOf(n.args[i])
			side.Expression = n.args[i].String() // a number and its text compare differently
			s.Parameters = append(s.Parameters, SourceParameter{Key: key, Value: side})
		}
	case nodeCall:
		s.Type, s.Name = SourceFunction, n.fn.Name
		for i, a := range n.args {
			if a != nil {
				s.Parameters = append(s.Parameters, SourceParameter{Key: n.key(i), Value: sourceOf(a)})
			}
		}
	}
	return s
}

var compareKeys = [2]string{"left", "right"}

// key gives the name of the parameter that argument i of a call belongs to.
func (n *node) key(i int) string {
	if n.fn.Name == nameFormatDateTime && len(n.args) == 3 && i > 0 { // without the styles
		i++
	}
	return n.fn.param(i).Name
}

// CompileSource compiles a stored mapping. The text wins over the tree when it is there and compiles;
// otherwise the tree is read. If there is only a text, its error is given.
func CompileSource(s Source) (*Program, error) {
	var first error
	if s.Expression != "" {
		p, err := Compile(s.Expression)
		if err == nil {
			return p, nil
		}
		first = err
	}
	if s.Name == "" && len(s.Parameters) == 0 {
		if first == nil {
			return nil, newError(KindParse, "the mapping has neither an expression nor a name").place("", 0)
		}
		return nil, first
	}
	text, err := s.text(0)
	if err != nil {
		if first != nil {
			return nil, first
		}
		return nil, err.place("", 0)
	}
	return Compile(text)
}

// text writes the tree as an expression.
func (s Source) text(depth int) (string, *Error) {
	if depth > MaxDepth {
		return "", newError(KindLimit, "calls are nested more than %d deep", MaxDepth)
	}
	switch strings.ToLower(s.Type) {
	case "", strings.ToLower(SourceAttribute): // Attribute is the default of the schema
		return "[" + s.Name + "]", nil
	case strings.ToLower(SourceConstant):
		if n, err := parse(s.Expression); err == nil && (n.kind == nodeText || n.kind == nodeNumber || n.kind == nodeKeyword) {
			return s.Expression, nil
		}
		var b strings.Builder
		quote(&b, s.Name)
		return b.String(), nil
	case strings.ToLower(SourceFunction):
		return s.callText(depth)
	}
	return "", newError(KindParse, "there is no source type %q", s.Type).hint("the types are Attribute, Constant and Function")
}

func (s Source) callText(depth int) (string, *Error) {
	values := make([]string, len(s.Parameters))
	for i, p := range s.Parameters {
		v, err := p.Value.text(depth + 1)
		if err != nil {
			return "", err
		}
		values[i] = v
	}
	if slices.Contains([]string{"=", "<>", ">", ">=", "<", "<="}, s.Name) && len(values) == 2 {
		return values[0] + " " + s.Name + " " + values[1], nil
	}
	f := lookup(s.Name)
	if f == nil {
		return s.Name + "(" + strings.Join(values, ", ") + ")", nil // for the check to report
	}
	var args []string
	next := make(map[int]int) // how often each repeating parameter has been given
	for i, p := range s.Parameters {
		at := f.paramIndex(p.Key)
		if at < 0 {
			return "", newError(KindArgument, "%s has no parameter %q", f.Name, p.Key).hint("it is called as %s", f.Signature())
		}
		if f.Params[at].Repeats {
			given := next[at]
			next[at]++
			at += given * f.repeats()
		}
		for len(args) <= at {
			args = append(args, "")
		}
		args[at] = values[i]
	}
	return f.Name + "(" + strings.Join(args, ", ") + ")", nil
}

// paramIndex finds a parameter by its key. Older schemas have other names for two parameters of Replace, and number
// the keys of parameters that repeat.
func (f *Function) paramIndex(key string) int {
	switch {
	case strings.EqualFold(key, "Find"):
		key = "oldValue"
	case strings.EqualFold(key, "Replacement"):
		key = "replacementValue"
	}
	find := func(key string) int {
		return slices.IndexFunc(f.Params, func(p Param) bool { return strings.EqualFold(p.Name, key) })
	}
	if i := find(key); i >= 0 {
		return i
	}
	i := find(strings.TrimRight(key, "0123456789"))
	if i >= 0 && f.Params[i].Repeats {
		return i
	}
	return -1
}
