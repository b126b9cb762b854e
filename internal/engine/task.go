package engine

import (
	"fmt"
	"maps"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/packed"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// task is what a cycle remembers of one object from its evaluation to its export: the document of a work item.
type task struct {
	Name   string // for people
	Hash   hash   // of the source object, stored when the task has succeeded
	Gone   bool   // the source no longer has the object
	Soft   bool   // value of IsSoftDeleted that Values were computed with
	Scope  store.LogFigures
	Values []mapping.Value
	Match  []match.Question

	Unmatched bool         // it was asked whether an account matches, and none does
	Choices   []openChoice // values to be chosen when an account is made

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
	Lost     bool               // the linked account is gone, and nobody needs another one: the link is dropped
	Replaces string             // the account that is gone, in whose place the object is matched or gets another one
	Newer    bool               // Current holds values found in the target that the stored projection lacks
	Drift    []drifted          // what was changed in the target
	Undo     *undone            // what is taken back, in a cycle that undoes another
	Heal     bool
	Repeat   bool          // held in an earlier cycle already
	Follow   bool          // second part of an object that was counted already
	Confirm  time.Time     // when Current was confirmed last
	Indexed  bool          // the account was looked for in the index, not by a query of its own
	Sent     *plan.Current // what a create in doubt carried
	Earlier  int           // questions of Match, the last ones, that are about Sent
	Open     bool          // it was not known what became of the last write, until the account was read
	Orphan   bool          // in doubt before, and not to have an account
}

// scoped notes why the object is in scope or not, for the log.
func (t *task) scoped(key, value string) {
	t.Scope = append(t.Scope, store.LogFigure{Key: key, Value: value})
}

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
	versionTask    = 4
	versionCurrent = 2
)

func (t *task) code(c *packed.Coder) {
	c.Flags(&t.Gone, &t.Soft, &t.Failed, &t.HoldRefs, &t.Absent, &t.Heal, &t.Repeat, &t.Follow, &t.Indexed, &t.Unmatched, &t.Lost, &t.Newer, &t.Orphan, &t.Open)
	c.Text(&t.Name)
	c.Bytes(t.Hash[:])
	packed.List(c, (*[]store.LogFigure)(&t.Scope), func(c *packed.Coder, f *store.LogFigure) { c.Text(&f.Key); c.Text(&f.Value) })
	packed.List(c, &t.Values, codeValue)
	packed.List(c, &t.Match, func(c *packed.Coder, q *match.Question) { c.Text(&q.Attr); c.Text(&q.Value) })
	packed.List(c, &t.Choices, codeChoice)
	packed.Enum(c, &t.Prior)
	packed.Enum(c, &t.After)
	packed.Maybe(c, &t.Current, codeCurrent)
	c.Text(&t.Reason)
	packed.List(c, &t.Changes, codeChange)
	packed.List(c, &t.Refs, codeRefChange)
	c.Text(&t.Matched)
	c.Text(&t.Code)
	c.Text(&t.Held)
	packed.List(c, &t.Warn, packed.Text)
	packed.List(c, &t.Missing, codeUnresolvedRef)
	packed.List(c, &t.Stale, codeUnresolvedRef)
	packed.List(c, &t.Drift, codeDrifted)
	packed.Maybe(c, &t.Undo, codeUndone)
	c.Time(&t.Confirm)
	packed.Maybe(c, &t.Sent, codeCurrent)
	packed.Enum(c, &t.Earlier)
	c.Text(&t.Replaces)
}

func codeValue(c *packed.Coder, v *mapping.Value) {
	packed.Enum(c, &v.Index)
	c.Flags(&v.Ignored)
	c.Value(&v.Value)
	packed.List(c, &v.Refs, (*packed.Coder).Ref)
}

func codeChoice(c *packed.Coder, o *openChoice) {
	packed.Enum(c, &o.Index)
	packed.List(c, &o.Values, (*packed.Coder).Value)
	c.Text(&o.Code)
	c.Text(&o.Reason)
}

func codeCurrent(c *packed.Coder, cur *plan.Current) {
	c.Flags(&cur.Read)
	packed.Map(c, &cur.Values, (*packed.Coder).Value)
	packed.Map(c, &cur.Refs, packed.Text)
	packed.List(c, &cur.Sent, func(c *packed.Coder, r *plan.Repeat) {
		c.Text(&r.Attr)
		c.Number(&r.Sum)
		packed.Enum(c, &r.Times)
	})
}

func codeChange(c *packed.Coder, ch *connector.Change) {
	c.Text(&ch.Attr)
	packed.Text(c, &ch.Op)
	c.Value(&ch.Old)
	c.Value(&ch.New)
}

func codeRefChange(c *packed.Coder, r *refChange) {
	c.Text(&r.Attr)
	c.Flags(&r.Multi, &r.Clear)
	packed.Maybe(c, &r.Set, (*packed.Coder).Ref)
	packed.List(c, &r.Add, (*packed.Coder).Ref)
	packed.List(c, &r.Remove, codeMember)
}

func codeMember(c *packed.Coder, m *store.Member) {
	codeKey(c, &m.Owner)
	c.Text(&m.Attr)
	c.Ref(&m.Ref)
	c.Text(&m.Target)
}

func codeUnresolvedRef(c *packed.Coder, u *store.Unresolved) {
	codeKey(c, &u.Owner)
	c.Text(&u.Attr)
	c.Ref(&u.Ref)
}

func codeKey(c *packed.Coder, k *store.ObjectKey) {
	c.Text(&k.Rule)
	c.Text(&k.Anchor)
}

func (t *task) encode() []byte { return packed.Pack(versionTask, t.code) }

func decodeTask(w store.WorkItem) (*task, error) {
	t := new(task)
	if err := packed.Unpack(versionTask, w.Doc, t.code); err != nil {
		return nil, fmt.Errorf("work item %s/%s: %w", w.Rule, w.Anchor, err)
	}
	return t, nil
}

// encodeCurrent makes the document of an account as it is known: of a projection, and of an entry of the match index.
func encodeCurrent(cur *plan.Current) []byte {
	return packed.Pack(versionCurrent, func(c *packed.Coder) { codeCurrent(c, cur) })
}

func decodeCurrent(doc []byte) (*plan.Current, error) {
	cur := new(plan.Current)
	return cur, packed.Unpack(versionCurrent, doc, func(c *packed.Coder) { codeCurrent(c, cur) })
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
	return &plan.Current{Values: maps.Clone(t.Current.Values), Refs: maps.Clone(t.Current.Refs), Read: t.Current.Read, Sent: t.Current.Sent}
}
