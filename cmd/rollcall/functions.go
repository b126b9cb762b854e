package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/view"
)

func newFunctionsCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "functions [NAME]",
		Short:   "List the functions of the mapping language, or explain one",
		GroupID: groupTry,
		Args:    arguments("[NAME]"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return listFunctions(c)
			}
			f, ok := expr.Lookup(args[0])
			if !ok {
				return unknownFunction(args[0])
			}
			return showFunction(c, f)
		},
	}
}

func unknownFunction(name string) error {
	var names []string
	for _, f := range expr.Functions() {
		names = append(names, f.Name)
	}
	hint := "`rollcall functions` lists all"
	if near := job.Nearest(name, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return usagef("no function %s; %s", name, hint)
}

// functionDocument is one function in `rollcall functions -o json`.
type functionDocument struct {
	Name       string              `json:"name"`
	Signature  string              `json:"signature"`
	Result     string              `json:"result"`
	Help       string              `json:"help"`
	Parameters []parameterDocument `json:"parameters"`
	Examples   []exampleDocument   `json:"examples"`
}

type parameterDocument struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Required bool   `json:"required"`
	Repeats  bool   `json:"repeats"`
	Help     string `json:"help"`
}

type exampleDocument struct {
	Expression string         `json:"expression"`
	Attributes map[string]any `json:"attributes"`
	Want       any            `json:"want,omitempty"`
	Pattern    string         `json:"pattern,omitempty"`
}

func functionDoc(f expr.Function) functionDocument {
	d := functionDocument{Name: f.Name, Signature: f.Signature(), Result: f.Result, Help: f.Help,
		Parameters: []parameterDocument{}, Examples: []exampleDocument{}}
	for _, p := range f.Params {
		d.Parameters = append(d.Parameters, parameterDocument{p.Name, string(p.Type), p.Required, p.Repeats, p.Help})
	}
	for _, e := range f.Examples {
		attributes := e.Attributes
		if attributes == nil {
			attributes = map[string]any{}
		}
		d.Examples = append(d.Examples, exampleDocument{e.Expression, attributes, jsonValue(e.Want), e.Pattern})
	}
	return d
}

func listFunctions(c *cli) error {
	var docs []functionDocument
	t := view.NewTable("FUNCTION", "RESULT", "WHAT IT GIVES")
	for _, f := range expr.Functions() {
		docs = append(docs, functionDoc(f))
		help, _, _ := strings.Cut(f.Help, "\n")
		t.Add(f.Signature(), f.Result, help)
	}
	if c.json() {
		return view.JSON(c.Out, docs)
	}
	return t.Write(c.Out)
}

func showFunction(c *cli, f expr.Function) error {
	if c.json() {
		return view.JSON(c.Out, functionDoc(f))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s -> %s\n\n%s\n", f.Signature(), f.Result, f.Help)
	if len(f.Params) > 0 {
		b.WriteByte('\n')
		t := view.NewTable("PARAMETER", "TYPE", "", "MEANING")
		for _, p := range f.Params {
			t.Add(p.Name, string(p.Type), parameterTraits(p), p.Help)
		}
		if err := t.Write(&b); err != nil {
			return err
		}
	}
	b.WriteString("\nExamples:\n")
	for _, e := range f.Examples {
		fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(e.Expression, "\n", "\n  "))
		if len(e.Attributes) > 0 {
			fmt.Fprintf(&b, "    with %s\n", view.Value(e.Attributes))
		}
		if e.Pattern != "" {
			fmt.Fprintf(&b, "    gives text that matches %s\n", e.Pattern)
			continue
		}
		fmt.Fprintf(&b, "    gives %s\n", valueText(e.Want))
	}
	_, err := c.Out.Write(b.Bytes())
	return err
}

func parameterTraits(p expr.Param) string {
	var words []string
	if !p.Required {
		words = append(words, "optional")
	}
	if p.Repeats {
		words = append(words, "repeats")
	}
	return strings.Join(words, ", ")
}

// jsonValue is a value of the language as JSON knows it: times are their text, signals {"flow": …} as in test vectors.
func jsonValue(v any) any {
	switch expr.TypeName(v) {
	case "DateTime":
		return expr.Format(v)
	case "Signal":
		if v == expr.IgnoreObject {
			return json.RawMessage(`{"flow":"ignoreObject"}`)
		}
		return json.RawMessage(`{"flow":"ignore"}`)
	}
	return v
}

// valueText is a value for people: with quotes where it is text, so that "7" and 7 differ.
func valueText(v any) string {
	switch expr.TypeName(v) {
	case "Null":
		return "no value (Null)"
	case "DateTime":
		return expr.Format(v) + " (DateTime)"
	case "Signal":
		if v == expr.IgnoreObject {
			return "the signal to skip the object (IgnoreObject)"
		}
		return "the signal to leave the attribute alone (IgnoreAttribute)"
	}
	return view.Value(v)
}
