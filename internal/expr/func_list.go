package expr

import (
	"reflect"
	"strings"
)

func listFunctions() []Function {
	return []Function{
		{
			Name:   "Count",
			Params: []Param{required("attribute", TypeAny)},
			Result: "Number",
			Help:   "Gives the number of values: 0 for Null, 1 for a single value.",
			Examples: []Example{
				{Expression: `Count([otherMails])`, Attributes: attributes("otherMails", []any{"a@x.org", "b@x.org"}), Want: int64(2)},
			},
			apply: func(_ *state, a []value) (value, *Error) { return intValue(int64(a[0].length())), nil },
		},
		{
			Name:   "Item",
			Params: []Param{required("attribute", TypeList), required("index", TypeNumber).integer().help("which value, from 1")},
			Result: "Any",
			Help:   "Gives one value of a list. A single value counts as a list of one.",
			Examples: []Example{
				{Expression: `Item([otherMails], 2)`, Attributes: attributes("otherMails", []any{"a@x.org", "b@x.org"}), Want: "b@x.org"},
			},
			apply: func(_ *state, a []value) (value, *Error) {
				if a[0].k == kindNull {
					return value{}, nil
				}
				if n := a[0].length(); a[1].n < 1 || a[1].n > int64(n) {
					return value{}, newError(KindRange, "the list has no element with this number").
						hint("elements are counted from 1; Count tells how many there are").forArg(1)
				}
				return a[0].element(int(a[1].n - 1))
			},
		},
		{
			Name: nameJoin,
			Params: []Param{
				required("separator", TypeString),
				required("source", TypeAny).repeated(),
			},
			Result: "String",
			Help:   "Puts values together with a separator between them; a list gives each of its values. Null and \"\" are left out, with their separator.",
			Examples: []Example{
				{Expression: `Join(", ", "", [surname], [givenName])`, Attributes: attributes("givenName", "John", "surname", "Doe"), Want: "Doe, John"},
				{Expression: `Join(";", [otherMails])`, Attributes: attributes("otherMails", []any{"a@x.org", "b@x.org"}), Want: "a@x.org;b@x.org"},
			},
			apply: join,
		},
		{
			Name:   "RemoveDuplicates",
			Params: []Param{required("attribute", TypeList)},
			Result: "List",
			Help:   "Gives each value of a list once, in the order of their first occurrence. Values are compared exactly.",
			Examples: []Example{
				{
					Expression: `RemoveDuplicates([proxyAddresses])`,
					Attributes: attributes("proxyAddresses", []any{"smtp:a@x.org", "smtp:b@x.org", "smtp:a@x.org"}), Want: []any{"smtp:a@x.org", "smtp:b@x.org"},
				},
			},
			apply: func(st *state, a []value) (value, *Error) { return withoutDuplicates(st, a[0]) },
		},
		{
			Name:   "Split",
			Params: []Param{required("source", TypeString), required("delimiter", TypeString)},
			Result: "List",
			Help:   "Cuts a text at every delimiter. Blanks around the parts are removed.",
			Examples: []Example{
				{Expression: `Split("PermissionSetOne, PermissionSetTwo", ",")`, Want: []any{"PermissionSetOne", "PermissionSetTwo"}},
			},
			apply: split,
		},
	}
}

func join(st *state, a []value) (value, *Error) {
	j := joiner{buf: st.buf[:0], separator: a[0].s}
	for i := range a[1:] {
		v := &a[i+1]
		if v.k == kindText {
			if err := j.add(v.s); err != nil {
				return value{}, err
			}
			continue
		}
		for k := range v.length() {
			e, err := v.element(k)
			if err == nil {
				e, err = e.toText()
			}
			if err == nil {
				err = j.add(e.s)
			}
			if err != nil {
				return value{}, err.forArg(i + 1)
			}
		}
	}
	st.buf = j.buf[:0]
	return textValue(string(j.buf)), nil
}

// joiner puts texts together.
type joiner struct {
	buf       []byte
	separator string
}

// add leaves out what is empty. What is in buf is not empty, so that only the first text comes without separator.
func (j *joiner) add(s string) *Error {
	if s == "" {
		return nil
	}
	if len(j.buf) > 0 {
		j.buf = append(j.buf, j.separator...)
	}
	if j.buf = append(j.buf, s...); len(j.buf) > MaxText {
		return newError(KindLimit, "the text is longer than %d bytes", MaxText)
	}
	return nil
}

func split(_ *state, a []value) (value, *Error) {
	s, delimiter := a[0].s, a[1].s
	if s == "" {
		return value{}, nil
	}
	if delimiter == "" {
		return value{}, newError(KindArgument, "the delimiter is empty").forArg(1)
	}
	if n := strings.Count(s, delimiter) + 1; n > MaxElements {
		return value{}, newError(KindLimit, "the list has more than %d elements", MaxElements)
	}
	parts := strings.Split(s, delimiter)
	list := make([]any, len(parts))
	for i, p := range parts {
		list[i] = strings.TrimSpace(p)
	}
	return listValue(list), nil
}

// comparisonWork is what it counts to compare two complex values.
const comparisonWork = 32

func withoutDuplicates(st *state, v value) (value, *Error) {
	if v.k == kindNull {
		return value{}, nil
	}
	seen := make(map[any]bool, v.length())
	var complexes []any
	out := make([]any, 0, v.length())
	for i := range v.length() {
		e, err := v.element(i)
		if err != nil {
			return value{}, err
		}
		x := e.toGo()
		if e.k == kindList || e.k == kindComplex { // not usable as keys of a map
			if err := st.spend(comparisonWork * len(complexes)); err != nil {
				return value{}, err
			}
			if contains(complexes, x) {
				continue
			}
			complexes = append(complexes, x)
		} else {
			if seen[x] {
				continue
			}
			seen[x] = true
		}
		out = append(out, x)
	}
	return listValue(out), nil
}

func contains(list []any, x any) bool {
	for _, y := range list {
		if reflect.DeepEqual(x, y) {
			return true
		}
	}
	return false
}
