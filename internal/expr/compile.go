package expr

import (
	"slices"
	"strings"
	"time"
)

// evalFn computes the value of a node. The error is concrete, so that no interface is built on the way up.
type evalFn func(st *state) (value, *Error)

// condFn computes a condition.
type condFn func(st *state) (bool, *Error)

const (
	// MaxText is the greatest size of a text that a function may make, in bytes.
	MaxText = 1 << 20
	// MaxElements is the greatest number of elements of a list that a function may make.
	MaxElements = 100_000
	// MaxWork bounds one evaluation: every call counts 1, and so does every byte of text and every element of a list that it
	// makes.
	MaxWork = 16 << 20
)

// state is what one evaluation works with. It is reused; nothing in it outlives the evaluation.
type state struct {
	env *Env
	// stack holds the arguments of the calls under evaluation.
	stack []value
	top   int // highest use of stack, so that reset knows what to clear
	// buf is scratch space for building texts; whoever takes it sets it back to length 0.
	buf []byte
	// decomposed is the same for NormalizeDiacritics, which needs two.
	decomposed []byte
	work       int
	searching  time.Duration // spent on regular expressions in the engine that can take long
	matching   int           // the most steps that those in the fast engine can have taken
	now        int64
	haveNow    bool
	noClock    bool            // the time was wanted, but there is no clock
	steps      map[*node]*Step // while explaining
}

func newState(env *Env) *state { return &state{env: env} }

func (st *state) reset() {
	st.env = nil
	clear(st.stack[:st.top])
	st.stack, st.top = st.stack[:0], 0
	st.work, st.searching, st.matching = 0, 0, 0
	st.now, st.haveNow, st.noClock, st.steps = 0, false, false, nil
	if cap(st.buf)+cap(st.decomposed) > 128<<10 {
		st.buf, st.decomposed = nil, nil
	}
}

// push makes room for n arguments, each of which is still to be set, and gives the place of the first.
func (st *state) push(n int) (base int) {
	base = len(st.stack)
	if base+n > cap(st.stack) {
		st.stack = slices.Grow(st.stack, n+8)
	}
	st.stack = st.stack[:base+n]
	st.top = max(st.top, len(st.stack))
	return base
}

// spend counts work.
func (st *state) spend(n int) *Error {
	if st.work += n; st.work > MaxWork {
		return newError(KindLimit, "the expression is too much work: what it makes is larger than %d in all", MaxWork)
	}
	return nil
}

// currentTime gives the time of this evaluation, the same at every call.
func (st *state) currentTime() (int64, *Error) {
	if st.haveNow {
		return st.now, nil
	}
	if st.env.Now == nil {
		st.noClock = true
		return 0, newError(KindArgument, "the current time is wanted, but this evaluation has no clock")
	}
	ticks, ok := ticksOf(st.env.Now())
	if !ok {
		return 0, errCalendar()
	}
	st.now, st.haveNow = ticks, true
	return ticks, nil
}

type compiler struct {
	src string
	// fold evaluates constant parts; nil while explaining, where every part shall be seen.
	fold  *state
	warn  func(Warning)
	trace bool
}

// operand is a compiled node.
type operand struct {
	eval     evalFn
	node     *node
	constant bool
	value    value // of a constant
}

func constantOperand(n *node, v value) operand {
	if v.k == kindText && v.ref == nil {
		v.ref = v.s
	}
	return operand{node: n, constant: true, value: v, eval: func(*state) (value, *Error) { return v, nil }}
}

// operand compiles a node. An omitted argument (nil) is Null.
func (c *compiler) operand(n *node) operand {
	if n == nil {
		return constantOperand(nil, value{})
	}
	var op operand
	switch n.kind {
	case nodeText:
		op = constantOperand(n, textValue(n.text))
	case nodeNumber:
		op = constantOperand(n, n.num)
	case nodeKeyword:
		op = constantOperand(n, keywordValue(n.text))
	case nodeAttribute:
		op = operand{node: n, eval: c.attribute(n, nil)}
	case nodeCompare:
		cond, constant := c.comparison(n, "")
		op = c.folded(operand{node: n, eval: func(st *state) (value, *Error) {
			b, err := cond(st)
			return boolValue(b), err
		}}, constant)
	case nodeCall:
		op = c.call(n)
	}
	if c.trace {
		op.eval, op.constant = traced(n, op.eval), false
	}
	return op
}

func keywordValue(word string) value {
	switch word {
	case keywordTrue:
		return boolValue(true)
	case keywordFalse:
		return boolValue(false)
	case keywordIgnoreAttribute:
		return signalValue(IgnoreAttribute)
	case keywordIgnoreObject:
		return signalValue(IgnoreObject)
	}
	return textValue(word)
}

// attribute reads an attribute. convert, if not nil, is what is done with any value that is not a text.
func (c *compiler) attribute(n *node, convert func(value) (value, *Error)) evalFn {
	name, pos, src := n.text, n.pos, c.src
	return func(st *state) (value, *Error) {
		if st.env.Attributes == nil {
			return value{}, nil
		}
		x, ok := st.env.Attributes.Attr(name)
		if !ok {
			return value{}, nil
		}
		if s, ok := x.(string); ok { // as most are
			return value{k: kindText, s: s, ref: x}, nil
		}
		v, ok := fromGo(x)
		if !ok {
			return value{}, errAttribute(name).place(src, pos)
		}
		if convert != nil {
			return convert(v)
		}
		return v, nil
	}
}

func errAttribute(name string) *Error {
	return newError(KindType, "the attribute [%s] has a value of a kind that expressions cannot hold", name)
}

// call compiles a call and evaluates it at once if it is constant.
func (c *compiler) call(n *node) operand {
	f := n.fn
	if f.form != nil {
		eval := f.form(c, n)
		if f.impure { // the others make nothing, and their errors come from operands, with a place
			eval = c.located(n, eval)
		}
		return c.folded(operand{node: n, eval: eval}, !f.impure && c.allConstant(n))
	}
	args := make([]argument, max(len(n.args), len(f.Params)))
	constant := !f.impure
	for i := range args {
		args[i] = c.argument(n, i)
		constant = constant && args[i].constant
	}
	apply := f.apply
	if f.bind != nil {
		constants := make([]*value, len(args))
		for i := range args {
			constants[i] = args[i].value
		}
		apply = f.bind(n, constants)
	}
	return c.folded(operand{node: n, eval: c.located(n, applyAll(apply, args))}, constant)
}

// folded replaces an operand by its value when that is always the same. An operand that always fails is
// left as it is: it may stand in a branch that is never taken.
func (c *compiler) folded(op operand, constant bool) operand {
	if !constant || c.fold == nil {
		return op
	}
	c.fold.noClock = false
	v, err := op.eval(c.fold)
	switch {
	case err == nil:
		return constantOperand(op.node, v)
	case err.slow || err.Kind == KindLimit:
		c.fold = nil // compiling must not take long
	case !c.fold.noClock:
		c.warnAt(err.Pos, "this fails whenever it is evaluated: "+err.Message)
	}
	return op
}

// allConstant reports whether everything below a call is constant. Unlike the operands of an eager call,
// those of a special form are not all compiled on their own.
func (c *compiler) allConstant(n *node) bool {
	constant := true
	n.walk(func(x *node) {
		if x.kind == nodeAttribute || x.kind == nodeCall && x.fn.impure {
			constant = false
		}
	})
	return constant
}

func (c *compiler) warnAt(pos int, message string) {
	if c.warn == nil {
		return
	}
	w := Warning{Pos: pos, Message: message}
	w.Line, w.Column = lineColumn(c.src, pos)
	c.warn(w)
}

// located puts function and place on errors that have none, and counts the work.
func (c *compiler) located(n *node, inner evalFn) evalFn {
	src := c.src
	return func(st *state) (value, *Error) {
		v, err := inner(st)
		if err == nil {
			work := 1
			switch v.k {
			case kindText:
				if work += len(v.s); work > MaxText {
					err = newError(KindLimit, "the text is longer than %d bytes", MaxText)
				}
			case kindList:
				work += v.length()
			case kindNull, kindInt, kindFloat, kindBool, kindDate, kindComplex, kindSignal:
			}
			if err == nil {
				err = st.spend(work)
			}
			if err == nil {
				return v, nil
			}
		}
		if err.placed {
			return value{}, err
		}
		pos := n.pos
		if err.arg > 0 && !n.omitted(err.arg-1) {
			pos = n.args[err.arg-1].pos
		}
		return value{}, err.in(n.fn.Name).place(src, pos)
	}
}

// argument is a compiled argument of an eager call: its evaluation includes the coercion.
type argument struct {
	eval     evalFn
	constant bool
	value    *value // of a constant that could be coerced
	nullOut  bool   // Null here makes the result Null
}

func (c *compiler) argument(n *node, i int) argument {
	p := n.fn.param(i)
	var arg *node
	if i < len(n.args) {
		arg = n.args[i]
	}
	a := argument{nullOut: p.Required && !p.takeNull && p.Type != TypeAny && p.Type != TypeList}
	if p.Type == TypeNumber && arg != nil && arg.kind == nodeText {
		// The stored form keeps every constant as text, hexadecimal numbers too.
		if v, hex, ok := parseLiteral(strings.TrimSpace(arg.text)); ok && hex && !c.trace {
			a.constant, a.value, a.eval = true, &v, constantOperand(arg, v).eval
			return a
		}
	}
	op := c.operand(arg)
	coerce := coercionTo(p)
	if op.constant {
		if v, err := coerce(op.value); err == nil {
			a.constant, a.value, a.eval = true, &v, constantOperand(arg, v).eval
			return a
		}
	}
	a.constant = op.constant
	inner, src, name := op.eval, c.src, n.fn.Name
	convert := func(v value) (value, *Error) {
		v, err := coerce(v)
		if err != nil {
			err.Message = p.Name + ": " + err.Message
			return value{}, err.in(name).place(src, arg.pos)
		}
		return v, nil
	}
	textual := p.Type == TypeString || p.Type == TypeAny || p.Type == TypeList
	if textual && arg.kind == nodeAttribute && !c.trace {
		a.eval = c.attribute(arg, convert)
		return a
	}
	a.eval = func(st *state) (value, *Error) {
		v, err := inner(st)
		if err != nil || textual && v.k == kindText {
			return v, err
		}
		return convert(v)
	}
	return a
}

func coercionTo(p *Param) func(value) (value, *Error) {
	switch p.Type {
	case TypeString:
		return value.toText
	case TypeNumber:
		if p.whole {
			return value.toInt
		}
		return value.toNumber
	case TypeDateTime:
		return value.toDate
	case TypeAny, TypeList, TypeCondition:
	}
	return func(v value) (value, *Error) {
		if v.k == kindSignal {
			return value{}, v.cannotBe("an argument")
		}
		return v, nil
	}
}

// applyAll evaluates all arguments, then the function. The arguments lie on a stack of the evaluation, so
// that a call allocates nothing.
func applyAll(apply applyFn, args []argument) evalFn {
	return func(st *state) (value, *Error) {
		base := st.push(len(args))
		null := false
		for i := range args {
			a := &args[i]
			if a.value != nil {
				st.stack[base+i] = *a.value
				null = null || a.nullOut && a.value.k == kindNull
				continue
			}
			v, err := a.eval(st)
			if err != nil {
				st.stack = st.stack[:base]
				return value{}, err
			}
			null = null || a.nullOut && v.k == kindNull
			st.stack[base+i] = v
		}
		var v value
		var err *Error
		if !null {
			end := base + len(args)
			v, err = apply(st, st.stack[base:end:end])
		}
		st.stack = st.stack[:base]
		return v, err
	}
}

// comparison compiles left op right (specification, section 5, Comparison), the condition of a function.
func (c *compiler) comparison(n *node, fn string) (cond condFn, constant bool) {
	left, right := c.operand(n.args[0]), c.operand(n.args[1])
	holds := comparator(n.text)
	src := c.src
	return func(st *state) (bool, *Error) {
		l, err := left.eval(st)
		if err != nil {
			return false, err
		}
		r, err := right.eval(st)
		if err != nil {
			return false, err
		}
		if l.isEmpty() || r.isEmpty() { // also for <> (O-07)
			return false, nil
		}
		if l, err = l.single(); err != nil {
			return false, err.in(fn).place(src, n.args[0].pos)
		}
		if r, err = r.single(); err != nil {
			return false, err.in(fn).place(src, n.args[1].pos)
		}
		if l.isEmpty() || r.isEmpty() { // out of a list of one
			return false, nil
		}
		if l.k == kindText && r.k == kindText {
			return holds(strings.Compare(l.s, r.s)), nil
		}
		order, err := compareValues(l, r)
		if err != nil {
			return false, err.in(fn).place(src, n.pos)
		}
		return holds(order), nil
	}, left.constant && right.constant
}

func comparator(op string) func(order int) bool {
	switch op {
	case "=":
		return func(o int) bool { return o == 0 }
	case "<>":
		return func(o int) bool { return o != 0 }
	case ">":
		return func(o int) bool { return o > 0 }
	case ">=":
		return func(o int) bool { return o >= 0 }
	case "<":
		return func(o int) bool { return o < 0 }
	}
	return func(o int) bool { return o <= 0 }
}

// compareValues orders two single values that are not empty: as numbers if one is a Number and the other
// can be made one (O-09), two DateTimes as instants, anything else as text by code point.
func compareValues(l, r value) (int, *Error) {
	isNumber := func(v value) bool { return v.k == kindInt || v.k == kindFloat }
	if isNumber(l) || isNumber(r) {
		ln, lerr := l.toNumber()
		rn, rerr := r.toNumber()
		if lerr == nil && rerr == nil {
			return compareNumbers(ln, rn), nil
		}
	}
	if l.k == kindDate && r.k == kindDate {
		return compareInts(l.n, r.n), nil
	}
	lt, err := l.toText()
	if err != nil {
		return 0, err
	}
	rt, err := r.toText()
	if err != nil {
		return 0, err
	}
	return strings.Compare(lt.s, rt.s), nil
}

// condition compiles the first argument of IIF and CBool.
func (c *compiler) condition(n *node, fn string) condFn {
	if n.kind == nodeCompare && !c.trace {
		cond, _ := c.comparison(n, fn)
		return cond
	}
	op := c.operand(n)
	src := c.src
	return func(st *state) (bool, *Error) {
		v, err := op.eval(st)
		if err != nil {
			return false, err
		}
		b, err := v.truth()
		if err != nil {
			return false, err.in(fn).place(src, n.pos)
		}
		return b, nil
	}
}

// portability warns of forms that work here but are called unsupported in the reference service (O-07).
func (c *compiler) portability(root *node) {
	root.walk(func(n *node) {
		if n.kind != nodeCall || n.fn.Name != nameIIF && n.fn.Name != nameSwitch || n.omitted(0) {
			return
		}
		test := n.args[0]
		if test.kind != nodeCall {
			return
		}
		switch test.fn.Name {
		case nameIsNull, nameIsNullOrEmpty, nameIsPresent:
			c.warnAt(test.pos, n.fn.Name+"("+test.fn.Name+"(…), …) works here but is documented as unsupported in Microsoft Entra; "+
				`a Switch with the key "" is understood by both`)
		}
	})
}
