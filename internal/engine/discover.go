package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/match"
	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Category sorts the accounts of a target (engine.R161).
type Category string

// The categories.
const (
	Local      Category = "local"      // nobody in the source matches
	Unassigned Category = "unassigned" // it matches somebody who is not in scope
	Assigned   Category = "assigned"   // it matches somebody in scope
)

// Discovery is what account discovery found for one rule: the accounts of the target, and for everybody in scope which
// account they have or would get. The JSON form is stable.
type Discovery struct {
	Job      string           `json:"job"`
	Rule     string           `json:"rule"`
	Counts   map[Category]int `json:"counts"`
	Accounts []Account        `json:"accounts"`
	Matches  map[string]int   `json:"matches"` // number of people by outcome
	People   []Prospect       `json:"people"`
	Requests store.Requests   `json:"requests"`
	Warnings []string         `json:"-"`
}

// Account is one account of the target.
type Account struct {
	ID          string         `json:"id"`
	DisplayName string         `json:"displayName"`
	Category    Category       `json:"category"`
	Linked      bool           `json:"linked"`           // it belongs to Source already
	Source      *plan.Identity `json:"source"`           // whom it matches; null for nobody
	By          string         `json:"by,omitempty"`     // attribute and value that it matches by
	Reason      string         `json:"reason,omitempty"` // why its person is not in scope
	Attributes  map[string]any `json:"attributes"`       // those that the rule maps

	found *plan.Current
}

// Outcomes of a Prospect.
const (
	ProspectLinked    = "linked"    // has its account already
	ProspectMatch     = "match"     // an existing account will be taken over
	ProspectCreate    = "create"    // an account will be created
	ProspectAmbiguous = "ambiguous" // no decision is possible: several accounts, or several people for one
	ProspectFail      = "fail"      // what the mappings give is not enough for an account
	ProspectSkip      = "skip"      // nothing will happen
)

// Prospect is somebody of the source who is in scope, with what a first cycle would do about their account.
type Prospect struct {
	Source   plan.Identity `json:"source"`
	Outcome  string        `json:"outcome"`
	Accounts []string      `json:"accounts"` // ids: one for linked and match, several for ambiguous
	By       string        `json:"by,omitempty"`
	Reason   string        `json:"reason,omitempty"`
}

// census is a discovery under way. It holds all accounts in memory, since its result does: some 500 bytes for each.
type census struct {
	*cycle
	r   *rule
	out *Discovery

	byID    map[string]int              // place in out.Accounts
	byValue map[string]map[string][]int // the same by joining attribute and folded value
	owner   map[string]string           // account → source anchor, of links
	account map[string]string           // and the other way round
	state   map[string]store.LinkState  // of links, by source anchor
	taken   map[string]string           // account → source anchor that would take it over
	planned map[string]string           // joining value → source anchor that an account would be created for
}

// Discover lists the accounts of the target and sorts them by whom in the source they match, and tells which of them a
// first cycle would take over (engine.R161-R165). It reads both ends and writes nothing. rule names the rule, "" for the
// first, which is that of users. The joining values are compared as a cycle compares them, all priorities and
// expressions included.
func (e *Engine) Discover(ctx context.Context, s Subject, rule string) (Discovery, error) {
	c, err := e.reader(s)
	if err != nil {
		return Discovery{}, err
	}
	r := c.rules[0]
	if rule != "" {
		if r = c.ruleNamed(rule); r == nil {
			return Discovery{}, &KeyError{Key: rule, Where: "the list of rules in use"}
		}
	}
	if s.Unready != nil {
		return Discovery{}, &jobFailure{reason: quarantineConnection, op: "open the job", err: s.Unready}
	}
	if err := c.insist(ctx, c.connect); err != nil {
		return Discovery{}, err
	}
	n := &census{cycle: c, r: r, out: &Discovery{Job: s.Job.Name, Rule: r.def.Name, Counts: map[Category]int{Local: 0, Unassigned: 0, Assigned: 0},
		Accounts: []Account{}, Matches: map[string]int{}, People: []Prospect{}},
		byID: map[string]int{}, byValue: map[string]map[string][]int{}, owner: map[string]string{}, account: map[string]string{}, state: map[string]store.LinkState{},
		taken: map[string]string{}, planned: map[string]string{}}
	for _, o := range []string{ProspectLinked, ProspectMatch, ProspectCreate, ProspectAmbiguous, ProspectFail, ProspectSkip} {
		n.out.Matches[o] = 0
	}
	for _, step := range []func(context.Context) error{n.list, n.recallLinks, n.compare} {
		if err := step(ctx); err != nil {
			return Discovery{}, err
		}
	}
	for i := range n.out.Accounts {
		a := &n.out.Accounts[i]
		if a.Category == "" {
			a.Category = Local
		}
		n.out.Counts[a.Category]++
	}
	slices.SortFunc(n.out.Accounts, func(a, b Account) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(n.out.People, func(a, b Prospect) int { return strings.Compare(a.Source.ID, b.Source.ID) })
	n.out.Requests, n.out.Warnings = c.current().Requests, c.warnings
	return *n.out, nil
}

// list reads all accounts of the target, page by page.
func (n *census) list(ctx context.Context) error {
	lister, ok := n.subject.Target.(connector.Lister)
	if !ok || !n.caps.List {
		return &jobFailure{reason: quarantineConnection, op: "list the target's accounts", err: &connector.Error{Kind: connector.KindUnsupported,
			Code: connector.CodeNotImplemented, Detail: "this target cannot list its accounts", Hint: "`rollcall plan --initial` finds them one by one"}}
	}
	cursor := ""
	for {
		var page connector.Page
		err := n.insist(ctx, func(ctx context.Context) (wait time.Duration, err error) {
			if page, err = lister.List(ctx, n.r.def.To, cursor); err != nil {
				return n.whileReading(ctx, "list the target's accounts", err)
			}
			return 0, nil
		})
		if err != nil {
			return err
		}
		for _, o := range page.Objects {
			n.add(o)
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

func (n *census) add(o *identity.Object) {
	if _, twice := n.byID[o.Anchor]; twice { // the listing shifted while it was read
		return
	}
	cur := asCurrent(o)
	a := Account{ID: o.Anchor, DisplayName: mapping.Text(cur.Values["displayName"]), Attributes: map[string]any{}, found: cur}
	for _, m := range n.r.set.Mappings {
		if v, ok := cur.Values[m.Target]; ok && v != nil {
			a.Attributes[m.Target] = v
			if m.Redacted {
				a.Attributes[m.Target] = "[Redact]"
			}
		}
	}
	at := len(n.out.Accounts)
	for _, attr := range n.r.joining() {
		v := mapping.Text(cur.Values[attr])
		if v == "" {
			continue
		}
		if a.DisplayName == "" {
			a.DisplayName = v
		}
		if n.byValue[attr] == nil {
			n.byValue[attr] = map[string][]int{}
		}
		n.byValue[attr][identity.Fold(v)] = append(n.byValue[attr][identity.Fold(v)], at)
	}
	n.byID[o.Anchor] = at
	n.out.Accounts = append(n.out.Accounts, a)
}

// recallLinks reads which accounts belong to somebody already, by any rule that writes to the same kind.
func (n *census) recallLinks(ctx context.Context) error {
	for _, r := range n.rules {
		if r.def.To != n.r.def.To {
			continue
		}
		for l, err := range n.links(ctx, r) {
			if err != nil {
				return err
			}
			n.owner[l.Target] = l.Anchor
			if r == n.r {
				n.account[l.Anchor], n.state[l.Anchor] = l.Target, l.State
			}
		}
	}
	return nil
}

// compare goes through the source and finds the account of each object.
func (n *census) compare(ctx context.Context) error {
	for item, err := range n.subject.Source.Read(ctx, connector.ReadRequest{Kind: n.r.def.From, Attrs: n.r.used}) {
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &jobFailure{reason: quarantineSource, op: "read the source", err: err}
		}
		if item.Err != nil || item.Object == nil {
			n.warn("line %d of the source could not be read: %v", item.Line, item.Err)
			continue
		}
		if err := n.person(ctx, item.Object); err != nil {
			return err
		}
	}
	return nil
}

// person finds the account of one object of the source.
func (n *census) person(ctx context.Context, o *identity.Object) error {
	e := &evaluation{rule: n.r, set: n.subject.Def.Settings, anchor: o.Anchor, object: o,
		ctx: mapping.Context{Now: n.Now, Rand: n.Rand, DefaultDomain: n.subject.Def.Settings.DefaultDomain}}
	t := &task{}
	over, scopeErr := e.passedOver(t)
	in := false
	if !over && scopeErr == nil {
		in, scopeErr = e.inScope(t)
	}
	soft := !in || o.Disabled || o.SoftDeleted
	res, evalErr := n.r.set.Eval(o, soft, false, e.ctx)
	for _, c := range res.Choices { // which of its candidates is free, a cycle finds out
		if len(c.Values) > 0 {
			mapping.Settle(res.Values, c.Index, c.Values[0])
		}
	}
	p := Prospect{Source: plan.Identity{ID: o.Anchor, DisplayName: e.displayName(res.Values)}, Accounts: []string{}}
	reason := t.Reason
	if in && soft {
		reason = "not active in the source"
	}
	qs := questions(n.r.set, res.Values)
	if target := n.account[o.Anchor]; target != "" {
		n.matches(target, p.Source, "", true, in, reason)
		p.Outcome, p.Accounts, p.Reason = ProspectLinked, []string{target}, reason
		if in {
			n.count(p)
		}
		return nil
	}
	found, err := n.find(ctx, o.Anchor, qs)
	if err != nil {
		return err
	}
	by := ""
	if found.Question.Attr != "" {
		by = found.Question.Attr + " " + found.Question.Value
	}
	if found.Situation == match.Matched {
		n.matches(found.Account.Anchor, p.Source, by, false, !soft, reason)
	}
	for _, id := range found.Hits { // each of several accounts matches somebody, though nobody can say which
		n.matches(id, p.Source, by, false, !soft, reason)
	}
	if !in && scopeErr == nil {
		return nil
	}
	p.By = by
	switch {
	case scopeErr != nil:
		p.Outcome, p.Reason = ProspectFail, scopeErr.Error()
	case soft:
		p.Outcome, p.Reason = ProspectSkip, reason
	case e.protected(qs):
		p.Outcome, p.Reason = ProspectSkip, "protected: the job's setting `protected` names it"
	case evalErr != nil:
		_, reason := failureOf(evalErr)
		p.Outcome, p.Reason = ProspectFail, reason
	case len(qs) == 0:
		p.Outcome, p.Reason = ProspectSkip, "no value for any joining property ("+strings.Join(n.r.joining(), ", ")+")"
	default:
		n.foretell(&p, o.Anchor, found, qs, res.Values)
	}
	n.count(p)
	return nil
}

// find asks the questions of an object of what was listed, in the order of priorities.
func (n *census) find(ctx context.Context, anchor string, qs []match.Question) (match.Outcome, error) {
	for _, q := range qs {
		var hits []*identity.Object
		for _, at := range n.byValue[q.Attr][identity.Fold(q.Value)] {
			a := n.out.Accounts[at]
			if !n.r.folds(q.Attr) && mapping.Text(a.found.Values[q.Attr]) != q.Value { // the target has to say whether case counts
				answer, _, _, err := n.ask(ctx, n.r, q, false, nil)
				if err != nil {
					return match.Outcome{}, &jobFailure{reason: quarantineConnection, op: "look for an account by " + q.Attr, err: err}
				}
				hits = answer
				break
			}
			hits = append(hits, &identity.Object{Kind: n.r.def.To, Anchor: a.ID})
		}
		owner := func(target string) string { return n.owner[target] }
		if out, ok := match.Judge(q, hits, anchor, owner); ok {
			return out, nil
		}
	}
	return match.Outcome{}, nil
}

// foretell says what a first cycle would do about somebody in scope without a link.
func (n *census) foretell(p *Prospect, anchor string, found match.Outcome, qs []match.Question, values []mapping.Value) {
	switch found.Situation {
	case match.Disputed:
		p.Outcome, p.Accounts, p.Reason = ProspectAmbiguous, found.Hits, found.Words()
		return
	case match.Taken:
		p.Outcome, p.Accounts, p.Reason = ProspectAmbiguous, []string{found.Account.Anchor}, found.Words()
		return
	case match.Matched:
		id := found.Account.Anchor
		p.Outcome, p.Accounts = ProspectMatch, []string{id}
		if other := n.taken[id]; other != "" {
			p.Outcome, p.Reason = ProspectAmbiguous, fmt.Sprintf("source object %q has the same %s and would get the same account; correct one of them", other, found.Question.Attr)
			return
		}
		n.taken[id] = anchor
		return
	case match.Unmatched:
	}
	for _, q := range qs {
		if other := n.planned[q.Attr+"\x00"+n.r.fold(q.Attr, q.Value)]; other != "" {
			p.Outcome, p.Reason = ProspectAmbiguous, fmt.Sprintf("source object %q has the same %s %q; correct one of them", other, q.Attr, q.Value)
			return
		}
	}
	if !n.r.def.Actions.Create {
		p.Outcome, p.Reason = ProspectSkip, "no account matches, and the rule does not allow creates"
		return
	}
	if _, err := plan.New(n.r.set, values); err != nil {
		p.Outcome, p.Reason = ProspectFail, err.Error()
		return
	}
	p.Outcome = ProspectCreate
	for _, q := range qs {
		n.planned[q.Attr+"\x00"+n.r.fold(q.Attr, q.Value)] = anchor
	}
}

// matches notes whom an account matches. Who is linked to it outranks everybody, who is in scope those who are not.
func (n *census) matches(target string, who plan.Identity, by string, linked, in bool, reason string) {
	at, ok := n.byID[target]
	if !ok { // linked, and gone from the target
		n.warn("the account %s of %s is gone from the target", target, who.ID)
		return
	}
	a := &n.out.Accounts[at]
	if a.Linked || a.Category == Assigned && !linked {
		return
	}
	a.Category, a.Source, a.By, a.Linked, a.Reason = Unassigned, &who, by, linked, reason
	if in {
		a.Category, a.Reason = Assigned, ""
	}
}

func (n *census) count(p Prospect) {
	n.out.Matches[p.Outcome]++
	n.out.People = append(n.out.People, p)
}
