package expr

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// ParamType says what a parameter takes. Values of other kinds are coerced where the specification,
// section 4, allows it.
type ParamType string

// The parameter types.
const (
	TypeAny       ParamType = "Any"
	TypeString    ParamType = "String"
	TypeNumber    ParamType = "Number"
	TypeDateTime  ParamType = "DateTime"
	TypeList      ParamType = "List"
	TypeCondition ParamType = "Condition" // a comparison, or a value that can be made a Boolean
)

// Param is one parameter of a function. Its name is the key under which the argument stands in the stored
// form of a mapping (Source).
type Param struct {
	Name     string
	Type     ParamType
	Required bool
	// Repeats is set on the last parameter if it may be given any number of times; on the last two, if
	// they repeat as a pair.
	Repeats bool
	// Help says what the argument is, where the name does not.
	Help string

	whole    bool // a Number without fraction
	takeNull bool // the function sees Null here; otherwise Null in a required argument gives Null (O-05)
}

// Example is a sample call. Every example is run as a test.
type Example struct {
	Expression string
	Attributes map[string]any
	// Want is the value, as Program.Eval gives it. A DateTime is given as its text.
	Want any
	// Pattern is set instead of Want where the result is random: a regular expression that fits it.
	Pattern string
}

// ExampleTime is what Now gives in the examples: 30 July 2025, 9:05:00 UTC, a Wednesday.
func ExampleTime() time.Time { return time.Date(2025, time.July, 30, 9, 5, 0, 0, time.UTC) }

// Function is one function of the language: a row of the table that the checker, the evaluation and the
// reference documentation share.
type Function struct {
	Name   string
	Params []Param
	// Result is the kind of the result: String, Number, Boolean, DateTime, List or Any.
	Result string
	Help   string
	// Lazy functions evaluate only the arguments that they use.
	Lazy bool
	// Examples has at least one element.
	Examples []Example

	least  int  // fewest arguments, where that is more than the required parameters
	impure bool // the result depends on more than the arguments

	// check adds the rules that Params cannot say. Most functions have none.
	check func(c *checker, n *node)
	// apply computes the result from the coerced arguments: one for every parameter, and more where the
	// last one repeats. The slice is the evaluation's and must not be kept.
	apply applyFn
	// bind is set instead of apply for functions that prepare something from constant arguments. It gets
	// the call and the coerced values of its arguments, nil where they are not constant.
	bind func(n *node, constants []*value) applyFn
	// form is set instead of apply for functions that decide themselves what to evaluate.
	form func(c *compiler, n *node) evalFn
}

// applyFn computes the result of a call from its arguments.
type applyFn func(st *state, a []value) (value, *Error)

// Signature gives the call as documentation writes it: Mid(source, start, length). Optional parameters
// stand in square brackets, repeated ones before an ellipsis.
func (f Function) Signature() string {
	var b strings.Builder
	b.WriteString(f.Name)
	b.WriteByte('(')
	for i, p := range f.Params {
		if i > 0 {
			b.WriteString(", ")
		}
		if p.Required {
			b.WriteString(p.Name)
		} else {
			b.WriteString("[" + p.Name + "]")
		}
	}
	if f.repeats() > 0 {
		b.WriteString(", …")
	}
	b.WriteByte(')')
	return b.String()
}

// repeats is the number of parameters at the end that repeat together.
func (f *Function) repeats() int {
	n := 0
	for _, p := range f.Params {
		if p.Repeats {
			n++
		}
	}
	return n
}

// param gives the parameter that argument i belongs to.
func (f *Function) param(i int) *Param {
	if i < len(f.Params) {
		return &f.Params[i]
	}
	r := f.repeats()
	if r == 0 {
		return nil
	}
	first := len(f.Params) - r
	return &f.Params[first+(i-first)%r]
}

// Functions gives all functions in alphabetical order.
func Functions() []Function { return slices.Clone(functionTable()) }

// Lookup finds a function by name, without regard to case (O-01).
func Lookup(name string) (Function, bool) {
	if f := lookup(name); f != nil {
		return *f, true
	}
	return Function{}, false
}

// functionTable is built on first use and never changed.
var functionTable = sync.OnceValue(func() []Function {
	table := slices.Concat(textFunctions(), logicFunctions(), listFunctions(), dateFunctions(), roleFunctions(), randomFunctions())
	slices.SortFunc(table, func(a, b Function) int {
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
	return table
})

var functionIndex = sync.OnceValue(func() map[string]*Function {
	table := functionTable()
	index := make(map[string]*Function, len(table))
	for i := range table {
		index[strings.ToLower(table[i].Name)] = &table[i]
	}
	return index
})

func lookup(name string) *Function { return functionIndex()[strings.ToLower(name)] }

// Short forms for the rows of the table.

func required(name string, t ParamType) Param { return Param{Name: name, Type: t, Required: true} }
func optional(name string, t ParamType) Param { return Param{Name: name, Type: t} }

func (p Param) repeated() Param        { p.Repeats = true; return p }
func (p Param) nullable() Param        { p.takeNull = true; return p }
func (p Param) integer() Param         { p.whole = true; return p }
func (p Param) help(text string) Param { p.Help = text; return p }

func attributes(pairs ...any) map[string]any {
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i].(string)] = pairs[i+1]
	}
	return m
}
