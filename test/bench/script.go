package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// call is one call of a script. Ids that the target gave out are places to fill in: each run gets its own.
type call struct {
	Method string   `json:"method"`
	Path   template `json:"path"` // below the base URL
	Query  string   `json:"query,omitempty"`
	Body   template `json:"body,omitzero"`
	Status int      `json:"status"` // of the answer
	Makes  bool     `json:"makes,omitempty"`
}

// template is a text with places for ids: Text[0], the id made by call Calls[0], Text[1] and so on. Text is one longer
// than Calls, or both are empty.
type template struct {
	Text  []string `json:"text"`
	Calls []int    `json:"calls,omitempty"`
}

// fill returns the text with the ids that id gives.
func (t template) fill(id func(call int) string) string {
	switch len(t.Text) {
	case 0:
		return ""
	case 1:
		return t.Text[0]
	}
	n := 0
	for i, text := range t.Text {
		n += len(text)
		if i < len(t.Calls) {
			n += len(id(t.Calls[i]))
		}
	}
	var b strings.Builder
	b.Grow(n)
	for i, text := range t.Text {
		b.WriteString(text)
		if i < len(t.Calls) {
			b.WriteString(id(t.Calls[i]))
		}
	}
	return b.String()
}

// script makes a script of a record of calls. Calls keep their order, so an id is made before it is used.
func script(record []exchange) ([]call, error) {
	maker := map[string]int{} // by id
	calls := make([]call, len(record))
	for i, e := range record {
		if e.BodiesDropped {
			return nil, fmt.Errorf("the target's record lacks bodies from call %d on: it is too long", i)
		}
		below, ok := strings.CutPrefix(e.Path, basePath)
		if !ok {
			return nil, fmt.Errorf("call %d went to %s, which is not below %s", i, e.Path, basePath)
		}
		c := call{Method: e.Method, Path: templateOf(below, "/", maker), Query: e.Query, Status: e.Status}
		if body := string(e.Request); body != "" && body != "null" {
			c.Body = templateOf(body, `"`, maker)
		}
		if e.Method == "POST" && e.Status/100 == 2 {
			var made struct{ ID string }
			if err := json.Unmarshal(e.Response, &made); err != nil || made.ID == "" {
				return nil, errors.Join(fmt.Errorf("call %d, a POST to %s, made nothing with an id", i, e.Path), err)
			}
			maker[made.ID], c.Makes = i, true
		}
		calls[i] = c
	}
	return calls, nil
}

// templateOf finds the ids among the parts of a text that a separator divides: the strings of a JSON document lie
// between quotes, the segments of a path between slashes.
func templateOf(text, separator string, maker map[string]int) template {
	var t template
	var b strings.Builder
	for i, part := range strings.Split(text, separator) {
		if i > 0 {
			b.WriteString(separator)
		}
		if n, ok := maker[part]; ok {
			t.Text, t.Calls = append(t.Text, b.String()), append(t.Calls, n)
			b.Reset()
			continue
		}
		b.WriteString(part)
	}
	t.Text = append(t.Text, b.String())
	return t
}

// writeScript stores a script, one call on a line.
func writeScript(name string, calls []call) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriter(f)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, c := range calls {
		if err := enc.Encode(c); err != nil {
			return err
		}
	}
	return w.Flush()
}

// readScript reads a script and checks that every id is made before it is used.
func readScript(name string) ([]call, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	var calls []call
	for d := json.NewDecoder(bufio.NewReader(f)); ; {
		var c call
		if err := d.Decode(&c); errors.Is(err, io.EOF) {
			return calls, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: call %d: %w", name, len(calls), err)
		}
		for _, t := range []template{c.Path, c.Body} {
			if len(t.Text) != len(t.Calls)+1 && len(t.Text)+len(t.Calls) > 0 {
				return nil, fmt.Errorf("%s: call %d: %d texts around %d ids", name, len(calls), len(t.Text), len(t.Calls))
			}
			for _, n := range t.Calls {
				if n < 0 || n >= len(calls) || !calls[n].Makes {
					return nil, fmt.Errorf("%s: call %d needs the id of call %d, which makes none before it", name, len(calls), n)
				}
			}
		}
		calls = append(calls, c)
	}
}
