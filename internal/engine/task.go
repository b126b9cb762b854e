package engine

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// task is what a cycle remembers of one object from its evaluation to its export: the document of a work item.
type task struct {
	Name   string           `json:"n,omitempty"` // for people
	Hash   hash             `json:"h"`           // of the source object, stored when the task has succeeded
	Gone   bool             `json:"g,omitempty"` // the source no longer has the object
	Soft   bool             `json:"s,omitempty"` // value of IsSoftDeleted that Values were computed with
	Scope  []detail         `json:"sc,omitempty"`
	Values values           `json:"v,omitempty"`
	Match  []match.Question `json:"m,omitempty"`

	Prior   store.LinkState `json:"p,omitempty"` // state of the link before
	After   store.LinkState `json:"a,omitempty"` // and once the task has succeeded
	Current *current        `json:"c,omitempty"` // the account as it was when the change was decided

	Reason  string      `json:"r,omitempty"`
	Changes []change    `json:"ch,omitempty"`
	Refs    []refChange `json:"rf,omitempty"` // references to write to an existing account
	Matched string      `json:"mt,omitempty"` // "attribute value" that found the account in this cycle

	Code     string             `json:"e,omitempty"` // error or skip code, for tasks that only leave a record
	Failed   bool               `json:"f,omitempty"`
	Held     string             `json:"hd,omitempty"` // why the guard holds it
	HoldRefs bool               `json:"hr,omitempty"` // the membership guard holds its removals
	Warn     []string           `json:"w,omitempty"`
	Missing  []store.Unresolved `json:"u,omitempty"`  // references found without an account
	Stale    []store.Unresolved `json:"us,omitempty"` // references that waited for an account and are not wanted any more
	Absent   bool               `json:"ab,omitempty"` // the linked account was looked for and is gone
	Heal     bool               `json:"he,omitempty"`
	Repeat   bool               `json:"rp,omitempty"` // held in an earlier cycle already
	Follow   bool               `json:"fo,omitempty"` // second part of an object that was counted already
	Confirm  time.Time          `json:"cf,omitzero"`  // when Current was confirmed last
	Indexed  bool               `json:"ix,omitempty"` // the account was looked for in the index, not by a query of its own
}

// detail is one line of a log step.
type detail struct {
	Key   string `json:"k"`
	Value string `json:"v"`
}

// refChange is a change of a reference attribute, with source objects in place of accounts: those may still have to be
// created.
type refChange struct {
	Attr   string         `json:"a"`
	Multi  bool           `json:"m,omitempty"`
	Set    *identity.Ref  `json:"s,omitempty"`
	Clear  bool           `json:"c,omitempty"`
	Add    []identity.Ref `json:"ad,omitempty"`
	Remove []store.Member `json:"rm,omitempty"`
}

// empty tells whether the reference change does nothing.
func (r refChange) empty() bool {
	return r.Set == nil && !r.Clear && len(r.Add) == 0 && len(r.Remove) == 0
}

type hash [16]byte

func (h hash) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", h[:]), nil }

func (h *hash) UnmarshalText(b []byte) error {
	if len(b) != 32 {
		return fmt.Errorf("hash of %d characters", len(b))
	}
	for i := range h {
		n, err := strconv.ParseUint(string(b[2*i:2*i+2]), 16, 8)
		if err != nil {
			return err
		}
		h[i] = byte(n)
	}
	return nil
}

// scalar carries an attribute value through JSON without losing its type: integers stay integers and references
// references.
type scalar struct{ V any }

type wireRef struct {
	Kind   identity.Kind `json:"$kind"`
	Anchor string        `json:"$ref"`
}

func wire(v any) any {
	switch v := v.(type) {
	case identity.Ref:
		return wireRef(v)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = wire(e)
		}
		return out
	}
	return v
}

func (s scalar) MarshalJSON() ([]byte, error) {
	if t, ok := s.V.(string); ok {
		return json.Marshal(t)
	}
	return json.Marshal(wire(s.V))
}

func (s *scalar) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var t string
		err := json.Unmarshal(b, &t)
		s.V = t
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return err
	}
	s.V = unwire(v)
	return nil
}

func unwire(v any) any {
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			if n, err := v.Int64(); err == nil {
				return n
			}
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i, e := range v {
			v[i] = unwire(e)
		}
		return v
	case map[string]any:
		if r, ok := v["$ref"].(string); ok && len(v) == 2 {
			if k, ok := v["$kind"].(string); ok {
				return identity.Ref{Kind: identity.Kind(k), Anchor: r}
			}
		}
		for k, e := range v {
			v[k] = unwire(e)
		}
	}
	return v
}

// values are mapping results in a work item. They are most of its bytes, and written and read once for every object of
// a first load, so they go into the JSON as one text: base64 of a byte form.
type values []mapping.Value

const (
	valueIgnored byte = 1 << iota
	valueRefs
)

func (vs values) MarshalText() ([]byte, error) {
	b := make([]byte, 0, 64*len(vs))
	for _, v := range vs {
		b = binary.AppendUvarint(b, uint64(v.Index))
		var flags byte
		if v.Ignored {
			flags |= valueIgnored
		}
		if len(v.Refs) > 0 {
			flags |= valueRefs
		}
		b = identity.AppendValue(append(b, flags), v.Value)
		if len(v.Refs) > 0 {
			list := make([]any, len(v.Refs))
			for i, r := range v.Refs {
				list[i] = r
			}
			b = identity.AppendValue(b, list)
		}
	}
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

func (vs *values) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	if err != nil {
		return fmt.Errorf("values: %w", err)
	}
	*vs = make(values, 0, 16)
	for len(b) > 0 {
		n, k := binary.Uvarint(b)
		if k <= 0 || k >= len(b) {
			return errors.New("values: bytes end early")
		}
		flags := b[k]
		v := mapping.Value{Index: int(n), Ignored: flags&valueIgnored != 0}
		if v.Value, b, err = identity.DecodeValue(b[k+1:]); err != nil {
			return fmt.Errorf("values: %w", err)
		}
		if flags&valueRefs != 0 {
			var list any
			if list, b, err = identity.DecodeValue(b); err != nil {
				return fmt.Errorf("values: %w", err)
			}
			refs, _ := list.([]any)
			for _, r := range refs {
				if ref, ok := r.(identity.Ref); ok {
					v.Refs = append(v.Refs, ref)
				}
			}
		}
		*vs = append(*vs, v)
	}
	return nil
}

// current is plan.Current in JSON; it is also the document of a projection.
type current struct {
	Values map[string]scalar `json:"v,omitempty"`
	Refs   map[string]string `json:"r,omitempty"`
	Read   bool              `json:"rd,omitempty"`
}

func packCurrent(c *plan.Current) *current {
	if c == nil {
		return nil
	}
	out := &current{Refs: c.Refs, Read: c.Read, Values: make(map[string]scalar, len(c.Values))}
	for k, v := range c.Values {
		out.Values[k] = scalar{v}
	}
	return out
}

func (c *current) unpack() *plan.Current {
	out := &plan.Current{Values: map[string]any{}, Refs: map[string]string{}}
	if c == nil {
		return out
	}
	out.Read = c.Read
	for k, v := range c.Values {
		out.Values[k] = v.V
	}
	for k, v := range c.Refs {
		out.Refs[k] = v
	}
	return out
}

// change is connector.Change in JSON.
type change struct {
	Attr string       `json:"a"`
	Op   connector.Op `json:"o"`
	Old  *scalar      `json:"w,omitempty"`
	New  *scalar      `json:"n,omitempty"`
}

func packChanges(in []connector.Change) []change {
	out := make([]change, len(in))
	for i, c := range in {
		out[i] = change{Attr: c.Attr, Op: c.Op}
		if c.Old != nil {
			out[i].Old = &scalar{c.Old}
		}
		if c.New != nil {
			out[i].New = &scalar{c.New}
		}
	}
	return out
}

func (t *task) changes() []connector.Change {
	out := make([]connector.Change, len(t.Changes))
	for i, c := range t.Changes {
		out[i] = connector.Change{Attr: c.Attr, Op: c.Op}
		if c.Old != nil {
			out[i].Old = c.Old.V
		}
		if c.New != nil {
			out[i].New = c.New.V
		}
	}
	return out
}

func (t *task) encode() ([]byte, error) {
	b, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("encode task of %q: %w", t.Name, err)
	}
	return b, nil
}

func decodeTask(w store.WorkItem) (*task, error) {
	t := new(task)
	if err := json.Unmarshal(w.Doc, t); err != nil {
		return nil, fmt.Errorf("work item %s/%s: %w", w.Rule, w.Anchor, err)
	}
	return t, nil
}

func encodeProjection(c *plan.Current) ([]byte, error) { return json.Marshal(packCurrent(c)) }

func decodeProjection(p store.Projection) (*plan.Current, error) {
	var c current
	if err := json.Unmarshal(p.Doc, &c); err != nil {
		return nil, fmt.Errorf("projection of %s/%s: %w", p.Rule, p.Anchor, err)
	}
	return c.unpack(), nil
}
