package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
)

// newSettingsTopic is `rollcall help settings`: the tables that app files are checked against, for people at a terminal.
// It is a topic and no command, since it does nothing.
func newSettingsTopic() *cobra.Command {
	var names []string
	infos := appFileOptions().Connectors
	for _, name := range slices.Sorted(maps.Keys(infos)) {
		names = append(names, "`rollcall help settings "+name+"`")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "Keys under `settings` of a job. The settings of connectors: %s.\n\n", strings.Join(names, ", "))
	settingsText(&b, "", appfile.JobSettings())
	topic := &cobra.Command{Use: "settings", Short: "Settings of jobs and of connectors in app files", Long: strings.TrimRight(b.String(), "\n")}
	for _, name := range slices.Sorted(maps.Keys(infos)) {
		topic.AddCommand(newConnectorTopic(name, infos[name]))
	}
	return topic
}

// newConnectorTopic is `rollcall help settings NAME`.
func newConnectorTopic(name string, info appfile.ConnectorInfo) *cobra.Command {
	var ends []string
	if info.Source {
		ends = append(ends, "source")
	}
	if info.Target {
		ends = append(ends, "target")
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s Can be a %s.\n", info.Summary, strings.Join(ends, " and a "))
	if len(info.Settings) == 0 {
		b.WriteString("It has no settings.\n")
	} else {
		fmt.Fprintf(&b, "Keys under `settings` of its end:\n\n")
		settingsText(&b, "", info.Settings)
	}
	return &cobra.Command{Use: name, Short: "Settings of the connector " + name, Long: strings.TrimRight(b.String(), "\n")}
}

// settingsText writes a table of settings for a terminal: a line with the key and what may stand there, and the meaning.
func settingsText(b *strings.Builder, prefix string, settings []connector.Setting) {
	for _, s := range settings {
		fmt.Fprintf(b, "%s%s  (%s)\n", prefix, s.Name, settingForm(s))
		for line := range wrapped(s.Help, 100) {
			fmt.Fprintf(b, "    %s\n", line)
		}
		inner := prefix + s.Name + "."
		if s.Type == connector.List {
			inner = prefix + s.Name + "[]."
		}
		settingsText(b, inner, s.Fields)
	}
}

// settingForm says what may stand as the value, and what holds when nothing does.
func settingForm(s connector.Setting) string {
	form := string(s.Type)
	if len(s.Values) > 0 {
		form = strings.Join(s.Values, " or ")
	}
	switch {
	case s.Required:
		form += "; required"
	case s.Default != "":
		form += "; default " + s.Default
	}
	return form
}

// wrapped cuts a text into lines of at most width bytes.
func wrapped(text string, width int) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		line := ""
		for _, word := range strings.Fields(text) {
			if line != "" && len(line)+1+len(word) > width {
				if !yield(line) {
					return
				}
				line = ""
			}
			if line != "" {
				line += " "
			}
			line += word
		}
		if line != "" {
			yield(line)
		}
	}
}
