package main

import (
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
	if value, err = identity.ParseJSON([]byte(text)); err != nil {
		return "", nil, usagef("%s: %q is no JSON (%v); write %s=text for plain text", name, text, err, name)
	}
	return name, identity.Normal(value), nil
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
