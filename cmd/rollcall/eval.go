package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/vectors"
	"github.com/rollcall-id/rollcall/internal/view"
)

// evalOptions are the flags of `rollcall eval`.
type evalOptions struct {
	Attrs   []string
	Domain  string
	Taken   []string
	Explain bool
}

func newEvalCommand(c *cli) *cobra.Command {
	var o evalOptions
	cmd := &cobra.Command{
		Use:   "eval EXPRESSION",
		Short: "Evaluate an expression of the mapping language",
		Example: `  rollcall eval 'ToLower(Join(".", [givenName], [surname]))' --attr givenName=Mira --attr surname=Novak
  rollcall eval 'Item([otherMails], 1)' --attr otherMails:='["a@example.com","b@example.com"]' --explain`,
		GroupID: groupTry,
		Args:    arguments("EXPRESSION"),
		RunE: func(_ *cobra.Command, args []string) error {
			return eval(c, args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVar(&o.Attrs, "attr", nil, "an attribute of the source object: `name=text` or name:=JSON; may be repeated")
	f.StringVar(&o.Domain, "default-domain", "", "`DOMAIN` that DefaultDomain() gives")
	f.StringArrayVar(&o.Taken, "taken", nil, "a `VALUE` that SelectUniqueValue finds taken, without regard to case; may be repeated")
	f.BoolVar(&o.Explain, "explain", false, "show the value of every part")
	return cmd
}

// evalDocument is the document of `rollcall eval -o json`. One of value with type, and error is there.
type evalDocument struct {
	Expression string     `json:"expression"`
	Value      any        `json:"value"`
	Type       string     `json:"type"`
	Warnings   []string   `json:"warnings"`
	Steps      *evalStep  `json:"steps,omitempty"`
	Error      *evalError `json:"error,omitempty"`
}

type evalStep struct {
	Text      string     `json:"text"`
	Line      int        `json:"line"`
	Column    int        `json:"column"`
	Evaluated bool       `json:"evaluated"`
	Value     any        `json:"value"`
	Type      string     `json:"type,omitempty"`
	Error     string     `json:"error,omitempty"`
	Steps     []evalStep `json:"steps"`
}

type evalError struct {
	Kind    string `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

func eval(c *cli, text string, o evalOptions) error {
	attrs := vectors.NewAttributes()
	for _, arg := range o.Attrs {
		name, value, err := parseAttr(arg)
		if err != nil {
			return err
		}
		attrs.Set(name, value)
	}
	doc := evalDocument{Expression: text, Warnings: []string{}}
	prog, err := expr.Compile(text)
	if err != nil {
		return evalFailed(c, doc, err)
	}
	for _, w := range prog.Warnings() {
		doc.Warnings = append(doc.Warnings, fmt.Sprintf("%d:%d: %s", w.Line, w.Column, w.Message))
	}
	env := &expr.Env{Attributes: attrs, Now: c.Now, Rand: rand.Reader, DefaultDomain: o.Domain,
		Warn: func(m string) { doc.Warnings = append(doc.Warnings, m) }}
	if len(o.Taken) > 0 {
		env.Exists = func(v string) (bool, error) {
			return slices.ContainsFunc(o.Taken, func(t string) bool { return strings.EqualFold(t, v) }), nil
		}
	} else if prog.Calls("SelectUniqueValue") {
		doc.Warnings = append(doc.Warnings, "no target is asked, so every value counts as free; --taken VALUE says which are taken")
	}
	var value any
	var trace *expr.Step
	if o.Explain {
		trace = prog.Explain(env)
		value = trace.Value
		if trace.Err != nil {
			err = trace.Err
		}
		step := evalStepOf(trace)
		doc.Steps = &step
	} else {
		value, err = prog.Eval(env)
	}
	if trace != nil && !c.json() {
		if err := writeTrace(c, trace); err != nil {
			return err
		}
	}
	if err != nil {
		return evalFailed(c, doc, err)
	}
	if c.json() {
		doc.Value, doc.Type = jsonValue(value), expr.TypeName(value)
		return view.JSON(c.Out, doc)
	}
	for _, w := range doc.Warnings {
		c.notef("warning: %s", w)
	}
	_, err = fmt.Fprintln(c.Out, valueText(value))
	return err
}

// evalFailed shows what is wrong with an expression: with a caret on standard error, and as a document where one is
// wanted. The expression stands on the command line, so the code is that of a wrong command line.
func evalFailed(c *cli, doc evalDocument, err error) error {
	e, ok := errors.AsType[*expr.Error](err)
	if !ok {
		return err
	}
	rendered := e.Render()
	if all, ok := errors.AsType[expr.Errors](err); ok {
		rendered = all.Render()
	}
	c.notef("%s", strings.TrimSuffix(rendered, "\n"))
	if c.json() {
		doc.Type = "Error"
		message := e.Message
		if e.Function != "" {
			message = e.Function + ": " + message
		}
		doc.Error = &evalError{Kind: string(e.Kind), Message: message, Hint: e.Hint, Line: e.Line, Column: e.Column}
		if err := view.JSON(c.Out, doc); err != nil {
			return err
		}
	}
	return &exitError{code: exitUsage}
}

func evalStepOf(s *expr.Step) evalStep {
	out := evalStep{Text: s.Text, Line: s.Line, Column: s.Column, Evaluated: s.Evaluated, Steps: []evalStep{}}
	switch {
	case s.Err != nil:
		out.Error = s.Err.Error()
	case s.Evaluated:
		out.Value, out.Type = jsonValue(s.Value), expr.TypeName(s.Value)
	}
	for _, sub := range s.Steps {
		out.Steps = append(out.Steps, evalStepOf(sub))
	}
	return out
}

// writeTrace shows every part of an expression with its value, those within others indented.
func writeTrace(c *cli, s *expr.Step) error {
	t := view.NewTable("PART", "VALUE")
	for depth, step := range s.All() {
		text := strings.Repeat("  ", depth) + step.Text
		switch {
		case step.Err != nil:
			t.Add(text, "error: "+step.Err.Message)
		case !step.Evaluated:
			t.Add(text, "not evaluated")
		default:
			t.Add(text, valueText(step.Value))
		}
	}
	var b bytes.Buffer
	if err := t.Write(&b); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err := c.Out.Write(b.Bytes())
	return err
}
