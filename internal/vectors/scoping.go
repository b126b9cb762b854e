package vectors

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scope"
)

type scopingCase struct {
	Filter     json.RawMessage
	Graph      json.RawMessage
	Attributes map[string]json.RawMessage
	Want       json.RawMessage
}

func parseScoping(raw []byte) (func(World) error, error) {
	var c scopingCase
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, mistyped(err)
	}
	attributes, err := object(c.Attributes)
	if err != nil {
		return nil, err
	}
	filter, err := c.filter()
	if err != nil {
		return nil, err
	}
	want, err := identity.ParseJSON(c.Want)
	if err != nil {
		return nil, err
	}
	kind := wantedError(want)
	in, isBool := want.(bool)
	if !isBool && kind == "" {
		return nil, errors.New(`"want" is true (in scope), false, or {"error": "kind"}`)
	}
	return func(World) error {
		prog, err := scope.Compile(filter)
		if err != nil {
			return checkScopeError(want, kind, err)
		}
		d, err := prog.Evaluate(attributes)
		switch {
		case err != nil:
			return checkScopeError(want, kind, err)
		case kind != "" || d.In != in:
			return failure(text(want), fmt.Sprintf("%v (%s)", d.In, d.Reason()))
		}
		return nil
	}, nil
}

func checkScopeError(want any, kind string, err error) error {
	k := errorKind(err, func(e *scope.Error) string { return string(e.Kind) })
	if k != kind {
		return failure(text(want), showError(k, err))
	}
	return nil
}

// filter reads the filter in the form it has.
func (c *scopingCase) filter() (scope.Filter, error) {
	if c.Graph != nil {
		f, err := scope.ParseGraph(c.Graph)
		if err != nil {
			return f, fmt.Errorf("graph: %w", err)
		}
		return f, nil
	}
	var f scope.Filter
	d := json.NewDecoder(bytes.NewReader(c.Filter))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return f, fmt.Errorf("filter: %w", mistyped(err))
	}
	return f, nil
}
