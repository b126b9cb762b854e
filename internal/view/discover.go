package view

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/engine"
)

// Discovery writes what account discovery found: the accounts, or with people what a first cycle would do about
// everybody in scope; then the sums.
func Discovery(w io.Writer, d engine.Discovery, people bool) error {
	var b bytes.Buffer
	if people {
		t := NewTable("SOURCE", "OUTCOME", "ACCOUNT", "BY", "REASON")
		for _, p := range d.People {
			t.Add(named(p.Source.DisplayName, p.Source.ID), p.Outcome, strings.Join(p.Accounts, ", "), p.By, p.Reason)
		}
		if err := t.Write(&b); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n%s in scope: %d linked, %d would be matched, %d created, %d ambiguous, %d failing, %d left alone.\n", Plural(int64(len(d.People)), "object"),
			d.Matches[engine.ProspectLinked], d.Matches[engine.ProspectMatch], d.Matches[engine.ProspectCreate], d.Matches[engine.ProspectAmbiguous],
			d.Matches[engine.ProspectFail], d.Matches[engine.ProspectSkip])
	} else {
		t := NewTable("ACCOUNT", "NAME", "CATEGORY", "SOURCE", "BY", "REASON")
		for _, a := range d.Accounts {
			source, by := "", a.By
			if a.Source != nil {
				source = named(a.Source.DisplayName, a.Source.ID)
			}
			if a.Linked {
				by = "link"
			}
			t.Add(a.ID, a.DisplayName, string(a.Category), source, by, a.Reason)
		}
		if err := t.Write(&b); err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n%s: %d local, %d unassigned, %d assigned.\n", Plural(int64(d.Counts[engine.Local]+d.Counts[engine.Unassigned]+d.Counts[engine.Assigned]), "account"),
			d.Counts[engine.Local], d.Counts[engine.Unassigned], d.Counts[engine.Assigned])
	}
	_, err := w.Write(b.Bytes())
	return err
}

// DiscoveryJSON writes what account discovery found, accounts and people.
func DiscoveryJSON(w io.Writer, d engine.Discovery) error {
	if d.Requests.ByMethod == nil {
		d.Requests.ByMethod = map[string]int64{}
	}
	return JSON(w, d)
}

// DiscoveryCSV writes the accounts, or the people, as CSV (RFC 4180) with a head line. The mapped attributes of accounts
// have a column each.
func DiscoveryCSV(w io.Writer, d engine.Discovery, people bool) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	rows := accountRows(d)
	if people {
		rows = [][]string{{"sourceId", "sourceDisplayName", "outcome", "accounts", "by", "reason"}}
		for _, p := range d.People {
			rows = append(rows, []string{p.Source.ID, p.Source.DisplayName, p.Outcome, strings.Join(p.Accounts, " "), p.By, p.Reason})
		}
	}
	if err := c.WriteAll(rows); err != nil {
		return fmt.Errorf("write the discovery as CSV: %w", err)
	}
	return nil
}

func accountRows(d engine.Discovery) [][]string {
	names := map[string]bool{}
	for _, a := range d.Accounts {
		for name := range a.Attributes {
			names[name] = true
		}
	}
	attrs := slices.Sorted(maps.Keys(names))
	rows := [][]string{append([]string{"id", "displayName", "category", "linked", "sourceId", "sourceDisplayName", "by", "reason"}, attrs...)}
	for _, a := range d.Accounts {
		var id, name string
		if a.Source != nil {
			id, name = a.Source.ID, a.Source.DisplayName
		}
		row := []string{a.ID, a.DisplayName, string(a.Category), strconv.FormatBool(a.Linked), id, name, a.By, a.Reason}
		for _, attr := range attrs {
			row = append(row, plain(a.Attributes[attr]))
		}
		rows = append(rows, row)
	}
	return rows
}

// plain writes a value for a cell: text as it is, "" for none, the rest as JSON.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return Value(v)
}
