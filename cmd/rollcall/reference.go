package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/scope"
	"github.com/rollcall-id/rollcall/internal/view"
)

// A referenceDocument is a file of docs/reference, made from the tables that the program itself works by.
type referenceDocument struct {
	Name  string // of the file
	Write func(io.Writer) error
}

// generatedNotice is the first line of every generated document.
const generatedNotice = "<!-- Made by `make generate` from the tables in the code; do not edit. -->\n\n"

// referenceDocuments are the documents of docs/reference. root is the tree of commands.
func referenceDocuments(root *cobra.Command) []referenceDocument {
	return []referenceDocument{
		{"settings.md", func(w io.Writer) error {
			if _, err := io.WriteString(w, generatedNotice); err != nil {
				return err
			}
			return appfile.Reference(w, appFileOptions().Connectors)
		}},
		{"functions.md", functionsReference},
		{"operators.md", operatorsReference},
		{"commands.md", func(w io.Writer) error { return commandsReference(w, root) }},
		{"gallery.md", galleryReference},
	}
}

// functionsReference writes every function of the mapping language with its parameters and examples.
func functionsReference(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(generatedNotice)
	b.WriteString("# Functions of the mapping language\n\n")
	b.WriteString("Brackets mark what may be left out, an ellipsis what may be repeated. `rollcall functions NAME` shows the same,\n" +
		"`rollcall eval` tries an expression out. `Now` gives " + expr.Format(expr.ExampleTime()) + " in the examples.\n\n")
	var links []string
	for _, f := range expr.Functions() {
		links = append(links, fmt.Sprintf("[%s](#%s)", f.Name, strings.ToLower(f.Name)))
	}
	b.WriteString(strings.Join(links, " · ") + "\n")
	for _, f := range expr.Functions() {
		fmt.Fprintf(&b, "\n## %s\n\n`%s` gives: %s\n\n%s\n", f.Name, f.Signature(), f.Result, f.Help)
		if len(f.Params) > 0 {
			b.WriteString("\n| Parameter | Type | | Meaning |\n|---|---|---|---|\n")
			for _, p := range f.Params {
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", p.Name, p.Type, parameterTraits(p), tableCell(p.Help))
			}
		}
		b.WriteString("\n```text\n")
		for i, e := range f.Examples {
			if i > 0 {
				b.WriteByte('\n')
			}
			b.WriteString(e.Expression + "\n")
			if len(e.Attributes) > 0 {
				fmt.Fprintf(&b, "    with %s\n", view.Value(e.Attributes))
			}
			if e.Pattern != "" {
				fmt.Fprintf(&b, "    gives text that matches %s\n", e.Pattern)
				continue
			}
			fmt.Fprintf(&b, "    gives %s\n", valueText(e.Want))
		}
		b.WriteString("```\n")
	}
	_, err := w.Write(b.Bytes())
	return err
}

// operatorsReference writes every operator of scoping filters.
func operatorsReference(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(generatedNotice)
	b.WriteString("# Operators of scoping filters\n\nLetter case and underscores in the name of an operator do not matter.\n\n" +
		"| Operator | Value | Types | Meaning |\n|---|---|---|---|\n")
	for _, o := range scope.Operators() {
		value := "one, or several"
		if o.Unary {
			value = "none"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", tableCell(o.Name), value, strings.Join(o.Types, ", "), tableCell(o.Help))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// commandsReference writes every command with its flags, in the order of the help.
func commandsReference(w io.Writer, root *cobra.Command) error {
	var b bytes.Buffer
	b.WriteString(generatedNotice)
	fmt.Fprintf(&b, "# Commands\n\n%s\n\n## Flags of every command\n\n", root.Long)
	flagTable(&b, root.PersistentFlags())
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "\n%s ", g.Title)
		var links []string
		for _, cmd := range root.Commands() {
			if cmd.GroupID == g.ID && documented(cmd) {
				links = append(links, fmt.Sprintf("[%s](#%s)", cmd.Name(), strings.ReplaceAll(cmd.CommandPath(), " ", "-")))
			}
		}
		b.WriteString(strings.Join(links, ", ") + "\n")
	}
	for _, cmd := range root.Commands() {
		if documented(cmd) {
			commandReference(&b, cmd)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// documented leaves out what cobra brings along, and topics, which have documents of their own.
func documented(cmd *cobra.Command) bool {
	return cmd.IsAvailableCommand() && cmd.Name() != "help" && cmd.Name() != "completion"
}

func commandReference(b *bytes.Buffer, cmd *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n```text\n%s\n```\n\n%s\n", cmd.CommandPath(), cmd.UseLine(), orDefault(cmd.Long, cmd.Short+"."))
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```text\n%s\n```\n", outdent(cmd.Example))
	}
	if cmd.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteByte('\n')
		flagTable(b, cmd.LocalNonPersistentFlags())
	}
	for _, ch := range cmd.Commands() {
		if documented(ch) {
			commandReference(b, ch)
		}
	}
}

// outdent takes away the two spaces that cobra wants before examples.
func outdent(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

func flagTable(b *bytes.Buffer, flags *pflag.FlagSet) {
	b.WriteString("| Flag | Default | Meaning |\n|---|---|---|\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		name, usage := pflag.UnquoteUsage(f)
		form := "--" + f.Name
		if f.Shorthand != "" {
			form = "-" + f.Shorthand + ", " + form
		}
		def := ""
		switch f.DefValue {
		case "", "false", "[]", "0s":
		default:
			def = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.TrimSpace(form+" "+name), def, tableCell(usage))
	})
}

// tableCell keeps a text within its cell of a Markdown table.
func tableCell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}
