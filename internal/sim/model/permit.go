package model

import (
	"fmt"
	"slices"
	"strings"
)

// Op is what a call to the target does.
type Op string

// The operations.
const (
	Create Op = "create"
	Update Op = "update"
	Delete Op = "delete"
)

// Write is one call that changes the target.
type Write struct {
	Op     Op
	Kind   Kind
	ID     string            // of the account; of a create once it has taken effect
	Set    map[string]string // values; manager is an account
	Clear  []string
	Add    []string // members, which are accounts
	Remove []string
}

// About returns the object that a write is about: whom its account belongs to, or is given to.
func (m *Model) About(w Write) Key {
	if to, ok := w.Set["externalId"]; ok {
		return Key{w.Kind, to}
	}
	if a, _ := m.account(w.Kind, w.ID); a != nil {
		return Key{w.Kind, a.Owner}
	}
	return Key{w.Kind, ""}
}

// Judge tells what is wrong with a call that is about to reach the target, whatever will come of it. It counts what the
// call takes away.
func (m *Model) Judge(w Write) []string {
	var out []string
	wrong := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case m.undoing != nil:
		m.judgeUndo(w, wrong)
		return out
	}
	switch w.Op {
	case Create:
		m.judgeCreate(w, wrong)
	case Update:
		m.judgeUpdate(w, wrong)
	case Delete:
		m.judgeDelete(w, wrong)
	}
	slices.Sort(out)
	return out
}

// judgeUndo: an undo writes to accounts that the cycle wrote to which it takes back. Others may get a member again that
// they have already.
func (m *Model) judgeUndo(w Write, wrong func(string, ...any)) {
	if w.Op == Create {
		for k := range m.undoing {
			if a := m.buried[k]; a != nil && k.Kind == w.Kind && a.Owner == w.Set["externalId"] {
				return
			}
		}
		wrong("an undo makes an account for %s, of whom the cycle deleted none", w.Set["externalId"])
		return
	}
	k := Key{w.Kind, w.ID}
	a, again := m.accounts[k], len(w.Set)+len(w.Clear)+len(w.Remove) == 0
	for _, id := range w.Add {
		again = again && a != nil && slices.Contains(a.Members, id)
	}
	if !m.undoing[k] && !again {
		wrong("an undo writes to %s, which the cycle did not: %v", k, w)
	}
}

func (m *Model) judgeCreate(w Write, wrong func(string, ...any)) {
	k := Key{w.Kind, w.Set["externalId"]}
	f := m.facts[k]
	switch {
	case f == nil || !f.present:
		wrong("I2: an account is made for %s, whom the source does not have", k)
		return
	case m.cycle.unread[k]:
		wrong("I7: an account is made for %s, which could not be read", k)
	}
	if k.Kind == User {
		if ok, why := m.entitled(f.person); !ok {
			wrong("I2: an account is made for %s, who is %s", k, why)
		}
	} else if !m.teamInScope(f.team) {
		wrong("I2: an account is made for %s, which is out of scope", k)
	}
	m.judgeValues(k, f, w, wrong)
	m.judgeMembers(k, f, w, wrong)
}

// judgeValues compares what is sent with what the source said.
func (m *Model) judgeValues(k Key, f *fact, w Write, wrong func(string, ...any)) {
	want := map[string]string{"displayName": f.team.Name, "externalId": k.Name}
	if k.Kind == User {
		want = m.wanted(k.Name, f.person)
	}
	for name, v := range w.Set {
		if name == "manager" {
			if f.person.Manager == "" || !m.belongs(v, f.person.Manager) {
				wrong("%s: the manager is set to account %s, which is not that of %q", k, v, f.person.Manager)
			}
			continue
		}
		if v != want[name] {
			wrong("%s: %s is set to %q, and ought to be %q", k, name, v, want[name])
		}
	}
	for _, name := range w.Clear {
		if name != "manager" || f.person.Manager != "" {
			wrong("%s: %s is cleared", k, name)
		}
	}
}

// belongs tells whether an account is somebody's, or is about to be given to them.
func (m *Model) belongs(id, name string) bool {
	a, _ := m.account(User, id)
	if a == nil {
		return false
	}
	f := m.facts[Key{User, name}]
	return a.Owner == name || a.Owner == "" && f != nil && fold(a.Attrs["userName"]) == fold(f.person.Login)
}

func (m *Model) judgeMembers(k Key, f *fact, w Write, wrong func(string, ...any)) {
	for _, id := range w.Add {
		if !slices.ContainsFunc(f.team.Members, func(who string) bool { return m.belongs(id, who) }) {
			wrong("%s: account %s is added, whose owner is no member", k, id)
		}
	}
	for _, id := range w.Remove {
		a, gone := m.account(User, id)
		if a != nil && !gone && a.Owner != "" && slices.Contains(f.team.Members, a.Owner) {
			wrong("%s: account %s of %s is taken out, who is a member", k, id, a.Owner)
		}
		m.countMember(k, id, wrong)
	}
}

// countMember holds the removal of a membership against the guard.
func (m *Model) countMember(k Key, id string, wrong func(string, ...any)) {
	if m.allowed[k] {
		return
	}
	m.cycle.tookOut[k.Name+"\x00"+id] = true
	if limit := m.rules.MemberGuard.limit(m.cycle.written); m.rules.MemberGuard.On && len(m.cycle.tookOut) > limit {
		wrong("I3: %d memberships are taken away in one cycle, of %d that were written; %d are allowed", len(m.cycle.tookOut), m.cycle.written, limit)
	}
	if why := m.doubted(k.Kind); why != "" {
		wrong("I3: %s: a membership is taken away although the source delivered %s", k, why)
	}
}

func (m *Model) judgeUpdate(w Write, wrong func(string, ...any)) {
	a, gone := m.account(w.Kind, w.ID)
	if a == nil {
		wrong("update of %s %s, which never existed", w.Kind, w.ID)
		return
	}
	to, renamed := w.Set["externalId"]
	if renamed && to != a.Owner {
		m.judgeAdoption(a, to, wrong)
	} else if a.Owner == "" {
		wrong("I2: account %s, which the job neither made nor matched, is changed", w.ID)
		return
	}
	k := Key{w.Kind, a.Owner}
	if renamed {
		k.Name = to
	}
	f := m.facts[k]
	switch {
	case f == nil:
		wrong("I2: the account of %s, of whom the source never spoke, is changed", k)
		return
	case m.cycle.unread[k]:
		wrong("I7: the account of %s is changed, which could not be read", k)
	}
	if v, ok := w.Set["active"]; ok {
		m.judgeActive(k, f, v, a.active() && !gone, wrong)
	}
	if !f.present {
		if len(w.Set) != 1 || w.Set["active"] != "false" || len(w.Clear)+len(w.Add)+len(w.Remove) > 0 {
			wrong("%s is gone from the source, and more than the disable is sent: %v", k, w)
		}
		return
	}
	m.judgeValues(k, f, w, wrong)
	m.judgeMembers(k, f, w, wrong)
}

// judgeAdoption: an account may be taken over when its joining value is that of the person it is given to, and nobody
// else is entitled to it.
func (m *Model) judgeAdoption(a *Account, to string, wrong func(string, ...any)) {
	k := Key{a.Kind, to}
	f := m.facts[k]
	if f == nil || !f.present {
		wrong("I2: account %s is given to %s, whom the source does not have", a.ID, k)
		return
	}
	want := f.team.Name
	if k.Kind == User {
		want = f.person.Login
		if ok, why := m.entitled(f.person); !ok {
			wrong("I2: account %s is given to %s, who is %s", a.ID, k, why)
		}
	}
	if fold(a.Attrs[joins(a.Kind)]) != fold(want) {
		wrong("I2: account %s, called %q, is given to %s, called %q", a.ID, a.Attrs[joins(a.Kind)], k, want)
	}
	if r := m.recorded[Key{a.Kind, a.Owner}]; a.Owner != "" && r.State != Unlinked && r.Account == a.ID {
		wrong("I1: account %s belongs to %s and is given to %s", a.ID, a.Owner, to)
	}
	m.cycle.offered[Key{a.Kind, a.ID}] = k
}

// match says that an account is recorded as somebody's to whom no call that took effect has given it: one that was
// matched, and then could not be changed. The match is what counts (engine.R51), and from now on no joining value
// (engine.R55). It is judged here unless a call of this cycle was.
func (m *Model) match(k Key, a *Account, wrong func(string, ...any)) {
	if a == nil || a.Owner == k.Name {
		return
	}
	if account := (Key{a.Kind, a.ID}); m.cycle.offered[account] != k {
		m.judgeAdoption(a, k.Name, wrong)
	}
	a.Owner = k.Name
}

// unmatch says that the record of an object no longer names an account. One that was matched and never changed belongs
// to whom it did before.
func (m *Model) unmatch(k Key, now string) {
	was := m.recorded[k].Account
	if a := m.accounts[Key{k.Kind, was}]; a != nil && was != now && a.Owner == k.Name {
		a.Owner = a.Attrs["externalId"]
	}
}

// judgeActive: an account is turned off only for a reason, and on only for who may use it.
func (m *Model) judgeActive(k Key, f *fact, v string, was bool, wrong func(string, ...any)) {
	ok, why := f.present, "gone from the source"
	if ok {
		ok, why = m.entitled(f.person)
	}
	switch {
	case v == "true" && !ok:
		wrong("I2: the account of %s is enabled, who is %s", k, why)
	case v == "false" && ok:
		wrong("I2: the account of %s is disabled, who is entitled to it", k)
	case v == "false" && f.present && !m.inScope(f.person) && m.rules.KeepLeavers && !f.person.Off && !f.person.Trashed: // a block is carried out
		wrong("I2: the account of %s is disabled, who has left scope; the job is to leave such accounts alone", k)
	case v == "false" && was:
		m.countTaken(k, wrong)
	}
}

func (m *Model) judgeDelete(w Write, wrong func(string, ...any)) {
	a, _ := m.account(w.Kind, w.ID)
	if a == nil || a.Owner == "" {
		wrong("I2: %s %s is deleted, which the job neither made nor matched", w.Kind, w.ID)
		return
	}
	k := Key{w.Kind, a.Owner}
	f := m.facts[k]
	switch {
	case f == nil:
		wrong("I2: the account of %s, of whom the source never spoke, is deleted", k)
		return
	case m.cycle.unread[k]:
		wrong("I7: the account of %s is deleted, which could not be read", k)
	case k.Kind == User && f.present:
		wrong("I2: the account of %s is deleted, who is still in the source", k)
	case k.Kind == User && !m.rules.DeletePeople, k.Kind == Group && !m.rules.DeleteTeams:
		wrong("I2: the account of %s is deleted, and the rule does not allow deletes", k)
	case k.Kind == Group && f.present && m.teamInScope(f.team):
		wrong("I2: %s is deleted, which is in scope", k)
	case k.Kind == Group && f.present && m.rules.KeepLeavers:
		wrong("I2: %s is deleted, which has left scope; the job is to leave such groups alone", k)
	case m.recorded[k].State == Released:
		wrong("I2: the account of %s is deleted, which was released and is no longer managed (engine.R84)", k)
	}
	m.countTaken(k, wrong)
}

// countTaken holds a disable or a delete against the guard, each object once in a cycle.
func (m *Model) countTaken(k Key, wrong func(string, ...any)) {
	if m.allowed[k] {
		return
	}
	m.cycle.took[k] = true
	most := m.cycle.managed[User] + m.cycle.managed[Group]
	if limit := m.rules.Guard.limit(most); m.rules.Guard.On && len(m.cycle.took) > limit {
		wrong("I3: %d accounts are taken away in one cycle, of %d that are managed at most; %d are allowed", len(m.cycle.took), most, limit)
	}
	if m.rules.Guard.On {
		if wanted, limit := m.mustGo(), m.rules.Guard.limit(most); wanted > limit {
			wrong("I3: %s loses its account in a cycle in which %d would; more than %d must be held, all of them", k, wanted, limit)
		}
	}
	if why := m.doubted(k.Kind); why != "" {
		wrong("I3: %s loses its account although the source delivered %s", k, why)
	}
}

// mustGo counts those who, as far as can be told from outside, are to lose an account in this cycle for certain.
func (m *Model) mustGo() int {
	n := 0
	for k, r := range m.recorded {
		f := m.facts[k]
		if r.State != Active || m.allowed[k] || m.cycle.unread[k] || f == nil || k.Kind != User || m.broken[k] {
			continue
		}
		a := m.accounts[Key{k.Kind, r.Account}]
		switch {
		case a == nil || !a.active() && !m.cycle.took[k] || a.hand["active"] || len(a.wrote) > 0:
		case !f.present:
			n++
		case !m.inScope(f.person) && m.rules.KeepLeavers && !f.person.Off && !f.person.Trashed:
		default:
			if ok, _ := m.entitled(f.person); !ok {
				n++
			}
		}
	}
	return n
}

// doubted tells why nobody of a kind may be taken for a leaver (design D6, half rule).
func (m *Model) doubted(k Kind) string {
	switch {
	case m.cycle.partial[k]:
		return "a row that could be anybody"
	case !m.cycle.full[k] || m.cycle.surely[k] == 0:
	case m.cycle.delivered[k] == 0:
		return "nothing"
	case 2*m.cycle.delivered[k] < m.cycle.surely[k]:
		return fmt.Sprintf("%d of %d", m.cycle.delivered[k], m.cycle.surely[k])
	}
	return ""
}

// Apply says that a call took effect, and tells what is wrong with the target now.
func (m *Model) Apply(w Write) []string {
	var out []string
	key := Key{w.Kind, w.ID}
	a := m.accounts[key]
	m.cycle.wrote[key] = true
	switch w.Op {
	case Delete:
		if a != nil {
			m.bury(a)
		}
		if w.Kind == Group && a != nil {
			delete(m.members, a.Owner)
		}
		return nil
	case Create:
		a = &Account{ID: w.ID, Kind: w.Kind, Attrs: map[string]string{}, hand: map[string]bool{}}
		m.accounts[key] = a
		delete(m.lost, Key{w.Kind, w.Set["externalId"]})
	case Update:
		if a == nil {
			return []string{fmt.Sprintf("%s %s was changed and does not exist", w.Kind, w.ID)}
		}
	}
	for name, v := range w.Set {
		a.Attrs[name] = v
		delete(a.hand, name)
	}
	for _, name := range w.Clear {
		delete(a.Attrs, name)
		delete(a.hand, name)
	}
	if to, ok := w.Set["externalId"]; ok {
		a.Owner, a.foreign = to, false
		delete(m.lost, Key{w.Kind, to})
	}
	m.changeMembers(a, w)
	if all := m.of(Key{w.Kind, a.Owner}); len(all) > 1 && a.Owner != "" {
		ids := make([]string, len(all))
		for i := range all {
			ids[i] = all[i].ID
		}
		out = append(out, fmt.Sprintf("I1: %s has %d accounts: %s", Key{w.Kind, a.Owner}, len(all), strings.Join(ids, ", ")))
	}
	return out
}

func (m *Model) changeMembers(a *Account, w Write) {
	if len(w.Add)+len(w.Remove) == 0 {
		return
	}
	set := m.members[a.Owner]
	if set == nil {
		set = map[string]bool{}
		m.members[a.Owner] = set
	}
	for _, id := range w.Remove {
		a.Members = slices.DeleteFunc(a.Members, func(e string) bool { return e == id })
	}
	for _, id := range w.Add {
		set[id] = true
		if !slices.Contains(a.Members, id) {
			a.Members = append(a.Members, id)
		}
	}
}

// Remember says what the job has recorded of an object, and tells what is wrong with that.
func (m *Model) Remember(k Key, r Record) []string {
	var out []string
	wrong := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	was, f := m.recorded[k], m.facts[k]
	a, gone := m.account(k.Kind, r.Account)
	m.unmatch(k, r.Account)
	if r.State != Unlinked && f != nil && !gone {
		m.match(k, a, wrong)
	}
	switch {
	case r.State == Unlinked:
		delete(m.recorded, k)
		delete(m.spared, k)
		return nil
	case m.undoing != nil: // whatever the source says
	case a == nil:
		wrong("%s is recorded as linked to %q, which never existed", k, r.Account)
	case f == nil:
		wrong("%s is recorded as linked, and the source never spoke of it", k)
	case r.State == was.State:
	case r.State == Active && k.Kind == User && a.active() && !gone:
		if ok, why := m.entitled(f.person); f.present && !ok {
			wrong("%s is recorded as active, who is %s", k, why)
		}
	case r.State == Disabled && (!f.present || !m.inScope(f.person)):
		wrong("%s is recorded as disabled and still managed, who is out of scope", k)
	case r.State == Disabled && a.active() && !gone && !a.hand["active"]:
		wrong("I6: %s is recorded as disabled, and the account is active", k)
	case r.State == Released && f.present && k.Kind == User && m.inScope(f.person):
		wrong("%s is recorded as released, who is in scope", k)
	case r.State == Released && k.Kind == User && a.active() && !gone && !a.hand["active"]:
		if !m.rules.KeepLeavers || !f.present {
			wrong("I6: %s is recorded as released, and the account is active", k)
		}
		m.spared[k] = true
	case r.State == Released && k.Kind == Group:
		m.spared[k] = true
	}
	if r.State != Released {
		delete(m.spared, k)
	}
	for other, o := range m.recorded {
		if other != k && other.Kind == k.Kind && o.Account == r.Account {
			wrong("I1: %s and %s are both linked to %s", k, other, r.Account)
		}
	}
	m.recorded[k] = r
	return out
}

// Forget says that the job remembers nothing of an object any more.
func (m *Model) Forget(k Key) {
	m.unmatch(k, "")
	delete(m.recorded, k)
	delete(m.spared, k)
}
