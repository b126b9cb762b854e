package expr

const (
	nameIIF           = "IIF"
	nameSwitch        = "Switch"
	nameIsNull        = "IsNull"
	nameIsNullOrEmpty = "IsNullOrEmpty"
	nameIsPresent     = "IsPresent"
	nameSelectUnique  = "SelectUniqueValue"
	nameRedact        = "Redact"
	nameCoalesce      = "Coalesce"
	nameIgnoreIfEmpty = "IgnoreFlowIfNullOrEmpty"
)

func logicFunctions() []Function {
	return []Function{
		{
			Name:   "BitAnd",
			Params: []Param{required("value1", TypeNumber).integer(), required("value2", TypeNumber).integer()},
			Result: "Number",
			Help:   "Gives the bits that are set in both whole numbers.",
			Examples: []Example{
				{Expression: `BitAnd(&HF, &HF7)`, Want: int64(7)},
				{Expression: `BitAnd([userAccountControl], 2)`, Attributes: attributes("userAccountControl", 514), Want: int64(2)},
			},
			apply: func(_ *state, a []value) (value, *Error) { return intValue(a[0].n & a[1].n), nil },
		},
		{
			Name:   "CBool",
			Params: []Param{required("expression", TypeCondition)},
			Result: "Boolean",
			Help:   "Makes a Boolean: the outcome of a comparison; false for 0, Null and \"\"; true for any other number.",
			Examples: []Example{
				{Expression: `CBool([department] = "Sales")`, Attributes: attributes("department", "Sales"), Want: true},
				{Expression: `CBool([flag])`, Attributes: attributes("flag", "0"), Want: false},
			},
			form: func(c *compiler, n *node) evalFn {
				cond := c.condition(n.args[0], n.fn.Name)
				return func(st *state) (value, *Error) {
					b, err := cond(st)
					return boolValue(b), err
				}
			},
		},
		{
			Name:   nameCoalesce,
			Params: []Param{required("source", TypeAny).repeated()},
			Result: "Any",
			Lazy:   true,
			Help:   "Gives the first argument that is not Null. An empty text is not Null.",
			Examples: []Example{
				{Expression: `Coalesce([mail], [userPrincipalName])`, Attributes: attributes("userPrincipalName", "ada@contoso.com"), Want: "ada@contoso.com"},
				{Expression: `Coalesce([mail], "none@contoso.com")`, Attributes: attributes("mail", ""), Want: ""},
			},
			form: func(c *compiler, n *node) evalFn {
				sources := c.operands(n.args)
				return func(st *state) (value, *Error) {
					for i := range sources {
						if v, err := sources[i](st); err != nil || v.k != kindNull {
							return v, err
						}
					}
					return value{}, nil
				}
			},
		},
		{
			Name:   nameIgnoreIfEmpty,
			Params: []Param{required("expression", TypeAny)},
			Result: "Any",
			Lazy:   true,
			Help:   "Gives the value, or the signal to leave the target attribute out of the request when it is Null or \"\".",
			Examples: []Example{
				{Expression: `IgnoreFlowIfNullOrEmpty([department])`, Attributes: attributes("department", "Sales"), Want: "Sales"},
				{Expression: `IgnoreFlowIfNullOrEmpty([department])`, Attributes: attributes("department", ""), Want: IgnoreAttribute},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				if a[0].isEmpty() {
					return signalValue(IgnoreAttribute), nil
				}
				return a[0], nil
			},
		},
		{
			Name: nameIIF,
			Params: []Param{
				required("condition", TypeCondition).help("a comparison with = <> > >= < <=, or a Boolean; false when an operand is Null or \"\""),
				required("valueIfTrue", TypeAny), required("valueIfFalse", TypeAny),
			},
			Result: "Any",
			Lazy:   true,
			Help:   "Gives one of two values by a condition. The other one is not evaluated.",
			Examples: []Example{
				{Expression: `IIF([country] = "USA", [country], [department])`, Attributes: attributes("country", "FRA", "department", "Sales"), Want: "Sales"},
				{Expression: `IIF([level] > 5, "senior", "junior")`, Attributes: attributes("level", 10), Want: "senior"},
			},
			form: func(c *compiler, n *node) evalFn {
				cond := c.condition(n.args[0], n.fn.Name)
				yes, no := c.operand(n.args[1]).eval, c.operand(n.args[2]).eval
				return func(st *state) (value, *Error) {
					b, err := cond(st)
					if err != nil {
						return value{}, err
					}
					if b {
						return yes(st)
					}
					return no(st)
				}
			},
		},
		test(nameIsNull, "Tells whether there is no value. An empty text is a value.",
			Example{Expression: `IsNull([displayName])`, Want: true},
			func(v value) bool { return v.k == kindNull }),
		test(nameIsNullOrEmpty, "Tells whether there is no value or an empty text. Blanks are not empty.",
			Example{Expression: `IsNullOrEmpty([displayName])`, Attributes: attributes("displayName", ""), Want: true},
			value.isEmpty),
		test(nameIsPresent, "Tells whether there is a value other than an empty text.",
			Example{Expression: `IsPresent([directManager])`, Attributes: attributes("directManager", "u123"), Want: true},
			func(v value) bool { return !v.isEmpty() }),
		test("IsString", "Tells whether the value is a text.",
			Example{Expression: `IsString("abc")`, Want: true},
			func(v value) bool { return v.k == kindText }),
		{
			Name:   "Not",
			Params: []Param{required("source", TypeAny)},
			Result: "Boolean",
			Help:   "Gives false for True, true for everything else, Null and numbers included.",
			Examples: []Example{
				{Expression: `Not([IsSoftDeleted])`, Attributes: attributes("IsSoftDeleted", "True"), Want: false},
				{Expression: `Not([IsSoftDeleted])`, Want: true},
			},
			apply: func(_ *state, a []value) (value, *Error) { return boolValue(!a[0].isTrue()), nil },
		},
		{
			Name:   nameRedact,
			Params: []Param{required("value", TypeAny)},
			Result: "Any",
			Help:   "Lets the value flow; provisioning logs show [Redact] in its place, for the whole mapping that it stands in.",
			Examples: []Example{
				{Expression: `Redact([userPrincipalName])`, Attributes: attributes("userPrincipalName", "ada@contoso.com"), Want: "ada@contoso.com"},
			},
			apply: func(_ *state, a []value) (value, *Error) { return a[0], nil },
		},
		{
			Name:   nameSelectUnique,
			Params: []Param{required("rule", TypeString).repeated()},
			Result: "String",
			Lazy:   true,
			least:  2,
			impure: true,
			Help: "Gives the first candidate that does not exist in the target yet. It must be the outermost function, and is meant for mappings " +
				"that apply only when an object is created. Candidates that are Null or \"\" are passed over.",
			Examples: []Example{
				{
					Expression: `SelectUniqueValue(Join(".", [first], [last]), Join(".", Left([first], 1), [last]))`,
					Attributes: attributes("first", "Ada", "last", "Lovelace"), Want: "Ada.Lovelace",
				},
			},
			form: selectUnique,
		},
		{
			Name: nameSwitch,
			Params: []Param{
				required("source", TypeString).help("the value to look up; Null equals the key \"\""),
				optional("defaultValue", TypeAny).help("the result when no key fits"),
				required("key", TypeString).repeated(), required("value", TypeAny).repeated(),
			},
			Result: "Any",
			Lazy:   true,
			Help:   "Gives the value of the first key that equals source, else the default. Keys are case-sensitive; values that are not chosen are not evaluated.",
			Examples: []Example{
				{Expression: `Switch([state], "Australia/Sydney", "QLD", "Australia/Brisbane", "SA", "Australia/Adelaide")`, Attributes: attributes("state", "QLD"), Want: "Australia/Brisbane"},
				{Expression: `Switch([title], [title], "", "Employee")`, Want: "Employee"},
			},
			check: checkSwitch,
			form:  switchForm,
		},
	}
}

// test is the row of a function that answers a question about any value.
func test(name, help string, ex Example, holds func(value) bool) Function {
	return Function{
		Name: name, Params: []Param{required("expression", TypeAny)}, Result: "Boolean", Help: help, Examples: []Example{ex},
		apply: func(_ *state, a []value) (value, *Error) { return boolValue(holds(a[0])), nil },
	}
}

func (c *compiler) operands(nodes []*node) []evalFn {
	out := make([]evalFn, len(nodes))
	for i, n := range nodes {
		out[i] = c.operand(n).eval
	}
	return out
}

// textOperand compiles an operand that is wanted as text, with its errors placed on it.
func (c *compiler) textOperand(n *node, fn string) operand {
	op := c.operand(n)
	if op.constant {
		if v, err := op.value.toText(); err == nil {
			return constantOperand(n, v)
		}
	}
	inner, src := op.eval, c.src
	op.constant = false
	convert := func(v value) (value, *Error) {
		v, err := v.toText()
		if err != nil {
			return value{}, err.in(fn).place(src, n.pos)
		}
		return v, nil
	}
	if n.kind == nodeAttribute && !c.trace {
		op.eval = c.attribute(n, convert)
		return op
	}
	op.eval = func(st *state) (value, *Error) {
		v, err := inner(st)
		if err != nil || v.k == kindText || v.k == kindNull {
			return v, err
		}
		return convert(v)
	}
	return op
}

func checkSwitch(c *checker, n *node) {
	const shape = "it is called as Switch(source, defaultValue, key1, value1, key2, value2, …)"
	report := func(pos int, message string) {
		c.report(pos, newError(KindArgument, "%s", message).hint(shape).in(nameSwitch))
	}
	switch {
	case len(n.args) < 4:
		report(n.pos, "too few arguments")
		return
	case len(n.args)%2 != 0:
		report(n.pos, "the last key has no value: the number of arguments must be even")
	}
	for i, a := range n.args {
		if a == nil && i != 1 {
			report(n.argPos[i], "the argument "+n.fn.param(i).Name+" must not be omitted")
		}
	}
}

// manyKeys is the number of constant keys from which a map is faster than looking at one after another.
const manyKeys = 8

func switchForm(c *compiler, n *node) evalFn {
	source := c.textOperand(n.args[0], nameSwitch)
	fallback := c.operand(n.args[1]).eval
	pairs := len(n.args)/2 - 1
	keys, values := make([]operand, pairs), make([]evalFn, pairs)
	constant := true
	for i := range pairs {
		keys[i] = c.textOperand(n.args[2+2*i], nameSwitch)
		values[i] = c.operand(n.args[3+2*i]).eval
		constant = constant && keys[i].constant
	}
	if constant && pairs >= manyKeys {
		index := make(map[string]evalFn, pairs)
		for i, k := range keys {
			if _, found := index[k.value.s]; !found { // the first of equal keys wins
				index[k.value.s] = values[i]
			}
		}
		return func(st *state) (value, *Error) {
			v, err := source.eval(st)
			if err != nil {
				return value{}, err
			}
			if chosen, ok := index[v.s]; ok {
				return chosen(st)
			}
			return fallback(st)
		}
	}
	return func(st *state) (value, *Error) {
		v, err := source.eval(st)
		if err != nil {
			return value{}, err
		}
		for i := range keys {
			key := &keys[i].value
			if !keys[i].constant {
				k, err := keys[i].eval(st)
				if err != nil {
					return value{}, err
				}
				key = &k
			}
			if key.s == v.s { // Null has the text ""
				return values[i](st)
			}
		}
		return fallback(st)
	}
}

// selectUnique follows O-19. Without any candidate the result is Null: nothing is taken then.
func selectUnique(c *compiler, n *node) evalFn {
	rules := make([]evalFn, len(n.args))
	for i, a := range n.args {
		rules[i] = c.textOperand(a, nameSelectUnique).eval
	}
	return func(st *state) (value, *Error) {
		candidates := 0
		for i, rule := range rules {
			v, err := rule(st)
			if err != nil {
				return value{}, err
			}
			if v.isEmpty() {
				continue
			}
			candidates++
			if st.env.Exists == nil {
				return v, nil
			}
			taken, cause := st.env.Exists(v.s)
			if cause != nil {
				e := newError(KindLookup, "whether the value is taken could not be found out").forArg(i)
				e.Err = cause
				return value{}, e
			}
			if !taken {
				return v, nil
			}
		}
		if candidates == 0 {
			return value{}, nil
		}
		return value{}, newError(KindNotUnique, "every one of the %d candidates is taken", candidates).
			hint("add candidates that differ more, for instance with RandomString")
	}
}
