package engine

import (
	"fmt"
	"maps"
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
	Name   string // for people
	Hash   hash   // of the source object, stored when the task has succeeded
	Gone   bool   // the source no longer has the object
	Soft   bool   // value of IsSoftDeleted that Values were computed with
	Scope  []detail
	Values []mapping.Value
	Match  []match.Question

	Prior   store.LinkState // state of the link before
	After   store.LinkState // and once the task has succeeded
	Current *plan.Current   // the account as it was when the change was decided

	Reason  string
	Changes []connector.Change
	Refs    []refChange // references to write to an existing account
	Matched string      // "attribute value" that found the account in this cycle

	Code     string // error or skip code, for tasks that only leave a record
	Failed   bool
	Held     string // why the guard holds it
	HoldRefs bool   // the membership guard holds its removals
	Warn     []string
	Missing  []store.Unresolved // references found without an account
	Stale    []store.Unresolved // references that waited for an account and are not wanted any more
	Absent   bool               // the linked account was looked for and is gone
	Heal     bool
	Repeat   bool      // held in an earlier cycle already
	Follow   bool      // second part of an object that was counted already
	Confirm  time.Time // when Current was confirmed last
	Indexed  bool      // the account was looked for in the index, not by a query of its own
}

// detail is one line of a log step.
type detail struct{ Key, Value string }

// refChange is a change of a reference attribute, with source objects in place of accounts: those may still have to be
// created.
type refChange struct {
	Attr   string
	Multi  bool
	Set    *identity.Ref
	Clear  bool
	Add    []identity.Ref
	Remove []store.Member
}

// empty tells whether the reference change does nothing.
func (r refChange) empty() bool {
	return r.Set == nil && !r.Clear && len(r.Add) == 0 && len(r.Remove) == 0
}

// hash is of the source values that a rule uses (package spool).
type hash [16]byte

// versionTask and versionCurrent change with the list of fields. A cycle that another version of the program left is
// not continued with a work list that means something else.
const (
	versionTask    = 1
	versionCurrent = 1
)

func (t *task) code(c *coder) {
	c.flags(&t.Gone, &t.Soft, &t.Failed, &t.HoldRefs, &t.Absent, &t.Heal, &t.Repeat, &t.Follow, &t.Indexed)
	c.text(&t.Name)
	c.bytes(t.Hash[:])
	list(c, &t.Scope, func(c *coder, d *detail) { c.text(&d.Key); c.text(&d.Value) })
	list(c, &t.Values, codeValue)
	list(c, &t.Match, func(c *coder, q *match.Question) { c.text(&q.Attr); c.text(&q.Value) })
	enum(c, &t.Prior)
	enum(c, &t.After)
	maybe(c, &t.Current, codeCurrent)
	c.text(&t.Reason)
	list(c, &t.Changes, codeChange)
	list(c, &t.Refs, codeRefChange)
	c.text(&t.Matched)
	c.text(&t.Code)
	c.text(&t.Held)
	list(c, &t.Warn, text)
	list(c, &t.Missing, codeUnresolvedRef)
	list(c, &t.Stale, codeUnresolvedRef)
	c.time(&t.Confirm)
}

func codeValue(c *coder, v *mapping.Value) {
	enum(c, &v.Index)
	c.flags(&v.Ignored)
	c.value(&v.Value)
	list(c, &v.Refs, (*coder).ref)
}

func codeCurrent(c *coder, cur *plan.Current) {
	c.flags(&cur.Read)
	mapOf(c, &cur.Values, (*coder).value)
	mapOf(c, &cur.Refs, text)
}

func codeChange(c *coder, ch *connector.Change) {
	c.text(&ch.Attr)
	text(c, &ch.Op)
	c.value(&ch.Old)
	c.value(&ch.New)
}

func codeRefChange(c *coder, r *refChange) {
	c.text(&r.Attr)
	c.flags(&r.Multi, &r.Clear)
	maybe(c, &r.Set, (*coder).ref)
	list(c, &r.Add, (*coder).ref)
	list(c, &r.Remove, codeMember)
}

func codeMember(c *coder, m *store.Member) {
	codeKey(c, &m.Owner)
	c.text(&m.Attr)
	c.ref(&m.Ref)
	c.text(&m.Target)
}

func codeUnresolvedRef(c *coder, u *store.Unresolved) {
	codeKey(c, &u.Owner)
	c.text(&u.Attr)
	c.ref(&u.Ref)
}

func codeKey(c *coder, k *store.ObjectKey) {
	c.text(&k.Rule)
	c.text(&k.Anchor)
}

func (t *task) encode() []byte { return pack(versionTask, t.code) }

func decodeTask(w store.WorkItem) (*task, error) {
	t := new(task)
	if err := unpack(versionTask, w.Doc, t.code); err != nil {
		return nil, fmt.Errorf("work item %s/%s: %w", w.Rule, w.Anchor, err)
	}
	return t, nil
}

// encodeCurrent makes the document of an account as it is known: of a projection, and of an entry of the match index.
func encodeCurrent(cur *plan.Current) []byte {
	return pack(versionCurrent, func(c *coder) { codeCurrent(c, cur) })
}

func decodeCurrent(doc []byte) (*plan.Current, error) {
	cur := new(plan.Current)
	return cur, unpack(versionCurrent, doc, func(c *coder) { codeCurrent(c, cur) })
}

func decodeProjection(p store.Projection) (*plan.Current, error) {
	cur, err := decodeCurrent(p.Doc)
	if err != nil {
		return nil, fmt.Errorf("projection of %s/%s: %w", p.Rule, p.Anchor, err)
	}
	return cur, nil
}

// known returns a copy of what was known of the account when the task was made, to be brought up to date with what is
// written.
func (t *task) known() *plan.Current {
	if t.Current == nil {
		return &plan.Current{Values: map[string]any{}, Refs: map[string]string{}}
	}
	return &plan.Current{Values: maps.Clone(t.Current.Values), Refs: maps.Clone(t.Current.Refs), Read: t.Current.Read}
}
