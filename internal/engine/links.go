package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// ErrNotPaused says that a link cannot be deleted while cycles of the job may run (engine.R168).
var ErrNotPaused = errors.New("the job must be paused first")

// Connection is the link between a source object and an account (an object connection, engine.R166). The JSON form is
// stable.
type Connection struct {
	ObjectID       string    `json:"objectId"` // what it is looked up by: the source anchor
	SourceAnchor   string    `json:"sourceAnchor"`
	TargetAnchor   string    `json:"targetAnchor"`
	DisplayName    string    `json:"displayName"`
	ObjectTypeName string    `json:"objectTypeName"` // of the source
	Rule           string    `json:"rule"`
	State          string    `json:"state"`              // active, disabled or released
	Confirmed      time.Time `json:"confirmed,omitzero"` // when the account was last known to have what was written
}

// stateName names the state of a link in documents.
func stateName(s store.LinkState) string {
	switch s {
	case store.Active:
		return "active"
	case store.Disabled:
		return "disabled"
	case store.Released:
		return "released"
	case store.Unlinked:
	}
	return "unlinked"
}

func connection(r *rule, o store.Object, name string) Connection {
	return Connection{ObjectID: o.Anchor, SourceAnchor: o.Anchor, TargetAnchor: o.Target, DisplayName: name, ObjectTypeName: string(r.def.From),
		Rule: r.def.Name, State: stateName(o.State), Confirmed: o.Confirmed}
}

// reader makes a cycle that only reads the state of a job.
func (e *Engine) reader(s Subject) (*cycle, error) {
	c := &cycle{Engine: e, subject: s, work: e.Store, dry: true, solo: &single{began: e.Now()}, readings: map[string]plan.Reading{}}
	if s.Meter != nil {
		c.meterWas = s.Meter.Read()
	}
	var err error
	c.rules, err = compileRules(s)
	return c, err
}

// Connections delivers the links of a job, rule by rule in the order of source anchors. only names one rule, "" for all.
// Of the subject only the job and its definition are used.
func (e *Engine) Connections(ctx context.Context, s Subject, only string, visit func(Connection) error) error {
	c, err := e.reader(s)
	if err != nil {
		return err
	}
	for _, r := range c.rules {
		if only != "" && r.def.Name != only {
			continue
		}
		for l, err := range c.links(ctx, r) {
			if err != nil {
				return err
			}
			if err := visit(connection(r, l.Object, l.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Connection finds the link that a key names: by source anchor, then by account, then by a joining value or e-mail
// address (engine.R167). The error is a *KeyError when there is not exactly one.
func (e *Engine) Connection(ctx context.Context, s Subject, key, only string) (Connection, error) {
	c, err := e.reader(s)
	if err != nil {
		return Connection{}, err
	}
	_, con, err := c.connectionOf(ctx, key, only)
	return con, err
}

func (c *cycle) connectionOf(ctx context.Context, key, only string) (*rule, Connection, error) {
	found, err := c.findInState(ctx, key, only)
	if err != nil {
		return nil, Connection{}, err
	}
	var linked []Found
	var con Connection
	var of *rule
	for _, f := range found {
		r := c.ruleNamed(f.Rule)
		objects, err := c.Store.ObjectsByAnchor(ctx, c.subject.Job.ID, f.Rule, []string{f.Anchor})
		if err != nil {
			return nil, con, fmt.Errorf("rule %s: read links: %w", f.Rule, err)
		}
		o := objects[f.Anchor]
		if o.Target == "" {
			continue
		}
		last, err := c.Store.Projections(ctx, c.subject.Job.ID, f.Rule, []string{f.Anchor})
		if err != nil {
			return nil, con, fmt.Errorf("rule %s: read last exported values: %w", f.Rule, err)
		}
		linked, con, of = append(linked, f), connection(r, o, last[f.Anchor].Name), r
	}
	if _, err := one(key, "the list of links", linked); err != nil {
		return nil, Connection{}, err
	}
	return of, con, nil
}

// Unlink deletes the link that a key names and nothing else: the account stays as it is (engine.R168). The object, and
// what refers to it, is looked at again by the next cycle, which may find the same account. The error is ErrNotPaused, a
// *KeyError when there is not exactly one such link, or store.ErrStale when a cycle is under way.
func (e *Engine) Unlink(ctx context.Context, s Subject, key, only, by string) (Connection, error) {
	j, err := e.hold(ctx, s.Job.ID)
	if err != nil {
		return Connection{}, fmt.Errorf("job %s: take it to delete a link: %w", s.Job.Name, err)
	}
	defer func() { _ = e.Store.Release(context.WithoutCancel(ctx), j.ID, e.Holder) }()
	s.Job = j
	c, err := e.reader(s)
	if err != nil {
		return Connection{}, err
	}
	c.solo.by, c.solo.taken = by, map[store.ObjectKey]bool{}
	r, con, err := c.connectionOf(ctx, key, only)
	if err != nil {
		return Connection{}, err
	}
	if !j.Paused && !j.Disabled {
		return con, ErrNotPaused
	}
	f := Found{Rule: r.def.Name, Kind: r.def.From, Anchor: con.SourceAnchor}
	if err := c.takeOut(ctx, []Found{f}); err != nil {
		return con, err
	}
	object := store.ObjectKey{Rule: f.Rule, Anchor: f.Anchor}
	c.row = store.Cycle{ID: e.NewID(), JobID: j.ID}
	touched, err := c.referrers(ctx, r, con)
	if err != nil {
		return con, err
	}
	if err := c.commit(ctx, &store.Batch{Forget: []store.ObjectKey{object}, Touched: touched, Log: []store.LogRecord{c.unlinkRecord(r, con)}}); err != nil {
		return con, err
	}
	return con, c.commit(ctx, &store.Batch{Objects: []store.Object{{ObjectKey: object}}}) // known, and to be looked at again
}

// referrers lists the managed objects whose account points to the account of a link: they are compared again, so that
// they follow when their referent gets another account.
func (c *cycle) referrers(ctx context.Context, r *rule, con Connection) ([]store.Object, error) {
	owners, err := c.Store.MembersOf(ctx, c.subject.Job.ID, identity.Ref{Kind: r.def.From, Anchor: con.SourceAnchor})
	if err != nil {
		return nil, fmt.Errorf("job %s: read what %q is a member of: %w", c.subject.Job.Name, con.SourceAnchor, err)
	}
	var out []store.Object
	for _, key := range owners {
		out = append(out, store.Object{ObjectKey: key})
	}
	for _, other := range c.rules {
		if !refersTo(other, r.def.From) {
			continue
		}
		for l, err := range c.links(ctx, other) {
			if err != nil {
				return nil, err
			}
			cur, err := decodeProjection(store.Projection{ObjectKey: l.ObjectKey, Doc: l.Doc})
			if err != nil {
				return nil, err
			}
			for _, target := range cur.Refs {
				if target == con.TargetAnchor && l.State == store.Active {
					out = append(out, store.Object{ObjectKey: l.ObjectKey})
					break
				}
			}
		}
	}
	return out, nil
}

// refersTo tells whether accounts of a rule have a reference with one value, a manager, to objects of a kind.
func refersTo(r *rule, kind identity.Kind) bool {
	for _, m := range r.set.Mappings {
		if m.IsReference() && !m.Def.MultiValued && (m.Def.References == "" || m.Def.References == kind) {
			return true
		}
	}
	return false
}

// unlinkRecord is what the provisioning log says of a deleted link, so that it can be told later why the account is
// nobody's any more.
func (c *cycle) unlinkRecord(r *rule, con Connection) store.LogRecord {
	t := &task{Name: con.DisplayName, Reason: "the link to the account was deleted by hand; the account was not touched"}
	w := store.WorkItem{ObjectKey: store.ObjectKey{Rule: con.Rule, Anchor: con.SourceAnchor}, Target: con.TargetAnchor}
	return c.recordSteps(r, w, t, outcome{action: plan.Other, status: statusSuccess, target: con.TargetAnchor}, []step{
		{Name: "EntrySynchronizationDelete", Type: "processing", Status: statusSuccess, Description: t.Reason,
			Details: store.LogFigures{{Key: "SourceAnchor", Value: con.SourceAnchor}, {Key: "TargetAnchor", Value: con.TargetAnchor}}}})
}

// joiningText names the joining attributes of a rule for people.
func (r *rule) joiningText() string {
	text := ""
	for i, m := range r.set.Matching() {
		if i > 0 {
			text += ", then "
		}
		text += m.Target
	}
	return text
}

// AfterUnlink tells in a sentence what the next cycle does about an object whose link was deleted.
func AfterUnlink(s Subject, con Connection) string {
	rules, err := compileRules(s)
	if err != nil { // the definition was good a moment ago
		return ""
	}
	for _, r := range rules {
		if r.def.Name != con.Rule {
			continue
		}
		create := "creates one if there is none"
		if !r.def.Actions.Create {
			create = "creates none, since the rule does not allow it"
		}
		return fmt.Sprintf("The account stays as it is. If %s is in scope, the next cycle looks for an account by %s, links the one that it finds, and %s; it may be the same account again.",
			con.SourceAnchor, r.joiningText(), create)
	}
	return ""
}
