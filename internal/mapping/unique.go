package mapping

import (
	"errors"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/expr"
)

// selectUnique is the function whose mappings are settled by asking the target (expressions O-19).
const selectUnique = "SelectUniqueValue"

// Choice is a mapping with SelectUniqueValue as far as it can be told without the target: its candidates. The engine
// takes the first that is free, and only for an account that is created: what has a value keeps it.
type Choice struct {
	Index  int   // of the mapping in its set
	Values []any // candidates in their order, each in the type of the target attribute and none of them empty

	// Err is what the mapping fails with when every candidate is taken. An error of a later candidate stops the
	// evaluation there, as one that is not reached cannot fail (expressions section 5).
	Err error
}

// choose collects the candidates of a mapping with SelectUniqueValue. open is false when there are none: the value is
// Null then, and nothing is taken.
func (m *Mapping) choose(index int, env *expr.Env) (c Choice, open bool) {
	c.Index = index
	collect := *env
	var mistyped error
	collect.Exists = func(text string) (bool, error) {
		v, err := coerce(text, m.Def)
		if err != nil {
			mistyped = err
			return false, nil //nolint:nilerr // which ends the evaluation; the error is kept
		}
		if v != nil {
			c.Values = append(c.Values, v)
		}
		return true, nil // which goes on to the next candidate
	}
	_, err := m.prog.Eval(&collect)
	switch {
	case mistyped != nil:
		err = mistyped
	case err == nil:
		return c, false
	}
	c.Err = fmt.Errorf("%s: %w", m.Target, err)
	return c, true
}

// NotUnique tells whether an error says that every candidate of SelectUniqueValue is taken (expressions section 9,
// notUnique).
func NotUnique(err error) bool {
	e, ok := errors.AsType[*expr.Error](err)
	return ok && e.Kind == expr.KindNotUnique
}
