package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
)

// parseAttr reads an attribute as the command line gives it: name=text, or name:=JSON for what is no text. The value has
// one of the forms of package identity; null and a list without elements are nil.
func parseAttr(arg string) (name string, value any, err error) {
	name, text, ok := strings.Cut(arg, "=")
	if !ok || name == "" || name == ":" {
		return "", nil, usagef("%q is no attribute; write name=text, or name:=JSON, for instance department=Sales or tags:='[\"a\",\"b\"]'", arg)
	}
	name, isJSON := strings.CutSuffix(name, ":")
	if !isJSON {
		return name, text, nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&value); err != nil {
		return "", nil, usagef("%s: %q is no JSON (%v); write %s=text for plain text", name, text, jsonCause(err), name)
	}
	if rest, err := io.ReadAll(d.Buffered()); err == nil && len(bytes.TrimSpace(rest)) > 0 {
		return "", nil, usagef("%s: %q follows the JSON value", name, bytes.TrimSpace(rest))
	}
	value, err = plainNumbers(value)
	if err != nil {
		return "", nil, usagef("%s: %v", name, err)
	}
	return name, identity.Normal(value), nil
}

func jsonCause(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("it ends early")
	}
	return err
}

// plainNumbers turns JSON numbers into int64 where they are whole, else float64.
func plainNumbers(v any) (any, error) {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n, nil
		}
		f, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("%s is too large for a number", v)
		}
		return f, nil
	case []any:
		for i := range v {
			e, err := plainNumbers(v[i])
			if err != nil {
				return nil, err
			}
			v[i] = e
		}
	case map[string]any:
		for k := range v {
			e, err := plainNumbers(v[k])
			if err != nil {
				return nil, err
			}
			v[k] = e
		}
	}
	return v, nil
}

// parseAttrs reads several attributes; a later one with the same name replaces an earlier one.
func parseAttrs(args []string) (identity.Attrs, error) {
	var attrs identity.Attrs
	for _, arg := range args {
		name, value, err := parseAttr(arg)
		if err != nil {
			return nil, err
		}
		attrs.Set(name, value)
	}
	return attrs, nil
}
