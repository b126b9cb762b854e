package view

import (
	"fmt"
	"io"

	"github.com/rollcall-id/rollcall/internal/engine"
)

// Links writes a list of links.
func Links(w io.Writer, list []engine.Connection) error {
	if len(list) == 0 {
		_, err := io.WriteString(w, "No links.\n")
		return err
	}
	t := NewTable("SOURCE", "NAME", "TYPE", "STATE", "ACCOUNT", "CONFIRMED")
	for _, l := range list {
		t.Add(l.SourceAnchor, l.DisplayName, l.ObjectTypeName, l.State, l.TargetAnchor, Time(l.Confirmed))
	}
	return t.Write(w)
}

// LinksJSON writes a list of links, each in the form of engine.R166.
func LinksJSON(w io.Writer, list []engine.Connection) error {
	if list == nil {
		list = []engine.Connection{}
	}
	return JSON(w, list)
}

// Link writes one link.
func Link(w io.Writer, l engine.Connection) error {
	t := NewTable("", "")
	for _, row := range [][2]string{{"source key", l.SourceAnchor}, {"account", l.TargetAnchor}, {"name", l.DisplayName}, {"type", l.ObjectTypeName},
		{"rule", l.Rule}, {"state", l.State}, {"last confirmed", Time(l.Confirmed)}} {
		t.Add(row[0], row[1])
	}
	return t.Write(w)
}

// Unlinked tells that a link was deleted, or that there was none, and what comes of it.
func Unlinked(w io.Writer, asJSON bool, l *engine.Connection, next string) error {
	if asJSON {
		return JSON(w, struct {
			Deleted bool               `json:"deleted"`
			Link    *engine.Connection `json:"link"`
			Next    string             `json:"next,omitempty"`
		}{l != nil, l, next})
	}
	if l == nil {
		_, err := io.WriteString(w, "There is no such link; nothing was deleted.\n")
		return err
	}
	_, err := fmt.Fprintf(w, "Deleted the link between %s and the account %s.\n%s\n", named(l.DisplayName, l.SourceAnchor), oneLine(l.TargetAnchor), oneLine(next))
	return err
}
