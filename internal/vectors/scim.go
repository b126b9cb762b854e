package vectors

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/rollcall-id/rollcall/internal/scim"
)

type scimCase struct {
	Kind     string
	Input    json.RawMessage
	Resource map[string]any
	Want     json.RawMessage
}

func parseSCIM(raw []byte) (func(World) error, error) {
	var c scimCase
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, mistyped(err)
	}
	var want any
	if err := json.Unmarshal(c.Want, &want); err != nil {
		return nil, err
	}
	makers := map[string]func(scimCase) (func() (any, error), error){
		"path": parsePath, "filter": parseFilter, "patch": parsePatch, "build": parseBuild,
	}
	makeRun, ok := makers[c.Kind]
	if !ok {
		return nil, fmt.Errorf("kind %q: there are path, filter, patch and build", c.Kind)
	}
	if c.Input == nil {
		return nil, fmt.Errorf("\"input\" is missing: what the %s is", c.Kind)
	}
	run, err := makeRun(c)
	if err != nil {
		return nil, err
	}
	if c.Kind == "path" {
		want = canonicalPath(want)
	}
	kind := wantedError(want)
	return func(World) error {
		got, err := run()
		switch {
		case err != nil:
			if k := errorKind(err, func(e *scim.Error) string { return string(e.ScimType) }); k != kind {
				return failure(text(want), showError(k, err))
			}
		case !equal(want, got):
			return failure(text(want), text(got))
		}
		return nil
	}, nil
}

func parsePath(c scimCase) (func() (any, error), error) {
	var input string
	if err := json.Unmarshal(c.Input, &input); err != nil {
		return nil, fmt.Errorf("the input of a path is its text: %w", err)
	}
	return func() (any, error) {
		p, err := scim.ParsePath(input)
		if err != nil {
			return nil, err
		}
		parsed := map[string]any{"schema": orNull(p.Schema), "attribute": orNull(p.Attribute), "filter": nil, "subAttribute": orNull(p.SubAttribute)}
		if p.Filter != nil {
			parsed["filter"] = p.Filter.String()
		}
		got := map[string]any{"parsed": parsed}
		if c.Resource != nil {
			got["values"] = append([]any{}, p.Values(c.Resource)...)
		}
		return got, nil
	}, nil
}

// canonicalPath brings the filter of a wanted path to the spelling in which filters are printed.
func canonicalPath(want any) any {
	m, _ := want.(map[string]any)
	parsed, _ := m["parsed"].(map[string]any)
	if written, ok := parsed["filter"].(string); ok {
		if f, err := scim.ParseFilter(written); err == nil {
			parsed["filter"] = f.String()
		}
	}
	return want
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func parseFilter(c scimCase) (func() (any, error), error) {
	var input string
	if err := json.Unmarshal(c.Input, &input); err != nil {
		return nil, fmt.Errorf("the input of a filter is its text: %w", err)
	}
	return func() (any, error) {
		f, err := scim.ParseFilter(input)
		if err != nil {
			return nil, err
		}
		return f.Match(c.Resource, nil)
	}, nil
}

func parsePatch(c scimCase) (func() (any, error), error) {
	return func() (any, error) {
		op, err := scim.ParsePatchOp(c.Input)
		if err != nil {
			return nil, err
		}
		return scim.Apply(c.Resource, op.Operations, nil)
	}, nil
}

func parseBuild(c scimCase) (func() (any, error), error) {
	var input [][]any
	if err := json.Unmarshal(c.Input, &input); err != nil {
		return nil, fmt.Errorf("the input of a build is a list of [path, value]: %w", err)
	}
	for i, pair := range input {
		if len(pair) != 2 {
			return nil, fmt.Errorf("pair %d of the input is not [path, value]", i+1)
		}
		if _, ok := pair[0].(string); !ok {
			return nil, fmt.Errorf("the path of pair %s is no text", strconv.Itoa(i+1))
		}
	}
	return func() (any, error) {
		values := make([]scim.PathValue, len(input))
		for i, pair := range input {
			name, _ := pair[0].(string)
			path, err := scim.ParsePath(name)
			if err != nil {
				return nil, err
			}
			values[i] = scim.PathValue{Path: path, Value: pair[1]}
		}
		return scim.Build(scim.UserURN, values)
	}, nil
}
