package expr

import (
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

// Attributes gives the attributes of the source object. The implementer resolves names: the whole text
// between the brackets first, then a SCIM path (O-02).
type Attributes interface {
	// Attr gives the value of an attribute: nil, string, bool, int64, float64, time.Time, []any,
	// []string or map[string]any. ok is false when the attribute is absent, which is the same as nil to
	// the language. Lists and maps are not changed.
	Attr(name string) (value any, ok bool)
}

// Env is what an evaluation may use besides the expression. The zero value gives an object without
// attributes; what is missing makes only the functions fail that need it.
type Env struct {
	// Attributes is the source object; nil is an object without attributes. The app role assignments of
	// the user are its attribute appRoleAssignments.
	Attributes Attributes
	// Now is the clock of the function Now, called at most once in an evaluation. Without it Now, and
	// dates in a format without a year, are errors of kind argument.
	Now func() time.Time
	// Rand is the source of Guid and RandomString, cryptographic in production. Without it they are
	// errors of kind argument.
	Rand io.Reader
	// Exists tells SelectUniqueValue whether a value is taken in the target or promised to another object
	// of this cycle. Without it nothing is taken, as in a preview.
	Exists func(value string) (bool, error)
	// DefaultDomain is the result of DefaultDomain; without it the function is an error of kind argument.
	DefaultDomain string
	// Warn receives what is doubtful but no error, such as several app roles where one is wanted. It may
	// be nil.
	Warn func(message string)
}

// Program is a compiled expression. It is immutable and safe for use by several goroutines.
type Program struct {
	src      string
	root     *node
	eval     evalFn
	names    []string
	warnings []Warning

	constant bool
	result   any // of a constant
	direct   string
	states   sync.Pool
}

// Compile parses and checks an expression. The error is an *Error, or Errors if the check found several.
func Compile(text string) (*Program, error) {
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	switch errs := check(text, root); len(errs) {
	case 0:
	case 1:
		return nil, errs[0]
	default:
		return nil, errs
	}
	p := &Program{src: text, root: root}
	c := &compiler{src: text, fold: newState(&Env{}), warn: func(w Warning) { p.warnings = append(p.warnings, w) }}
	op := c.operand(root)
	p.eval, p.constant = op.eval, op.constant
	if op.constant {
		p.result = op.value.toGo()
	}
	if root.kind == nodeAttribute {
		p.direct = root.text
	}
	root.walk(func(n *node) {
		if n.kind == nodeAttribute && !slices.Contains(p.names, n.text) {
			p.names = append(p.names, n.text)
		}
	})
	c.portability(root)
	slices.SortStableFunc(p.warnings, func(a, b Warning) int { return a.Pos - b.Pos })
	return p, nil
}

// Eval gives the value of the expression for one object: nil, string, bool, int64, float64, time.Time in
// UTC, []any, map[string]any, or a Signal. The error is an *Error. A nil env is an empty one.
//
// Lists and maps may be those that Attributes gave and must not be changed.
func (p *Program) Eval(env *Env) (any, error) {
	if p.constant {
		if list, ok := p.result.([]any); ok {
			return slices.Clone(list), nil
		}
		return p.result, nil
	}
	if env == nil {
		env = &Env{}
	}
	if p.direct != "" {
		return p.evalDirect(env)
	}
	st, _ := p.states.Get().(*state)
	if st == nil {
		st = newState(env)
	}
	st.env = env
	v, err := p.eval(st)
	st.reset()
	p.states.Put(st)
	if err != nil {
		return nil, err
	}
	return v.toGo(), nil
}

// evalDirect is the evaluation of a single attribute, the most frequent mapping of all.
func (p *Program) evalDirect(env *Env) (any, error) {
	if env.Attributes == nil {
		return nil, nil
	}
	x, ok := env.Attributes.Attr(p.direct)
	if !ok {
		return nil, nil
	}
	switch x.(type) {
	case nil, string, bool, int64:
		return x, nil
	}
	v, ok := fromGo(x)
	if !ok {
		return nil, errAttribute(p.direct).place(p.src, p.root.pos)
	}
	return v.toGo(), nil
}

// String gives the canonical text: functions in their own spelling, one blank after a comma, omitted
// arguments with their commas. Compiling it gives an equivalent program.
func (p *Program) String() string { return p.root.String() }

// Attributes gives the names of the attributes that the expression refers to, each once, in the order of
// first use.
func (p *Program) Attributes() []string { return slices.Clone(p.names) }

// Calls reports whether the expression has a call of the function, without regard to case.
func (p *Program) Calls(function string) bool {
	found := false
	p.root.walk(func(n *node) {
		found = found || n.kind == nodeCall && strings.EqualFold(n.fn.Name, function)
	})
	return found
}

// Constant gives the result if it is the same for every object and at every time. A constant expression
// that always fails is not constant in this sense.
func (p *Program) Constant() (any, bool) {
	if !p.constant {
		return nil, false
	}
	v, _ := p.Eval(nil)
	return v, true
}

// Warning is a part of an expression that is allowed but doubtful.
type Warning struct {
	// Pos, Line and Column are the place, as in Error.
	Pos, Line, Column int
	Message           string
}

// Warnings gives what an administrator should look at although the expression compiles: parts that fail
// whenever they are evaluated, and forms that the reference service calls unsupported (O-07).
func (p *Program) Warnings() []Warning { return slices.Clone(p.warnings) }
