package appfile

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// Reference writes the settings of jobs and of each connector as Markdown, from the same tables that app files are
// checked against.
func Reference(w io.Writer, connectors map[string]ConnectorInfo) error {
	var b bytes.Buffer
	b.WriteString("# Settings\n\n## Settings of a job\n\nKeys under `settings`.\n\n")
	table(&b, JobSettings())
	for _, name := range slices.Sorted(maps.Keys(connectors)) {
		c := connectors[name]
		var ends []string
		if c.Source {
			ends = append(ends, "source")
		}
		if c.Target {
			ends = append(ends, "target")
		}
		fmt.Fprintf(&b, "\n## Connector `%s`\n\n", name)
		if c.Summary != "" {
			b.WriteString(c.Summary + "\n\n")
		}
		fmt.Fprintf(&b, "Can be a %s.", strings.Join(ends, " and a "))
		if len(c.Settings) == 0 {
			b.WriteString(" It has no settings.\n")
			continue
		}
		b.WriteString(" Keys under its `settings`.\n\n")
		table(&b, c.Settings)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func table(b *bytes.Buffer, settings []connector.Setting) {
	b.WriteString("| Key | Value | Default | Meaning |\n|---|---|---|---|\n")
	rows(b, "", settings)
}

func rows(b *bytes.Buffer, prefix string, settings []connector.Setting) {
	for _, s := range settings {
		def := "–"
		switch {
		case s.Required:
			def = "required"
		case s.Default != "":
			def = "`" + s.Default + "`"
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", prefix, s.Name, cell(valueForm(s)), def, cell(s.Help))
		if len(s.Fields) > 0 {
			inner := prefix + s.Name + "."
			if s.Type == connector.List {
				inner = prefix + s.Name + "[]."
			}
			rows(b, inner, s.Fields)
		}
	}
}

// valueForm says what may stand as the value.
func valueForm(s connector.Setting) string {
	if s.Secret && s.Type != connector.Auth {
		return "secret: `{env: NAME}` or `{file: PATH}`"
	}
	switch s.Type {
	case connector.Choice:
		return "`" + strings.Join(s.Values, "`, `") + "`"
	case connector.Duration:
		return "duration: `30s`, `5m`, `24h`"
	case connector.Rate:
		return "rate: `none`, `25/s`, `100/min`"
	case connector.Path:
		return "path, from the app file's directory"
	case connector.Flag:
		return "`true`, `false`"
	case connector.Number:
		return "whole number"
	case connector.Auth:
		return "credential: one of `" + strings.Join(fieldNames(s), "`, `") + "`"
	case connector.List:
		if len(s.Fields) > 0 {
			return "list of maps"
		}
		return "list of texts"
	case connector.Map:
		if len(s.Fields) == 0 {
			return "map of texts"
		}
		return "map"
	case connector.URL:
		return "address"
	case connector.Text:
	}
	return "text"
}

// cell keeps a text within its cell of the table.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ").Replace(s)
}
