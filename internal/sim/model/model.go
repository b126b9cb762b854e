package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Kind is an object type.
type Kind string

// The kinds.
const (
	User  Kind = "User"
	Group Kind = "Group"
)

// Person is somebody as the source has them.
type Person struct {
	Login, Name, Title, Department string
	Manager                        string // key of a person, "" for none
	Off                            bool   // not active in the source
	Trashed                        bool   // deleted there, and may still be restored
	Assigned                       bool   // assigned to the application
}

// Team is a group as the source has it.
type Team struct {
	Name     string
	Members  []string // keys of people
	Assigned bool
}

// Rules are the job's, as far as they decide anything here.
type Rules struct {
	Assigned         bool   // only who is assigned is in scope
	Department       string // only who works there is in scope; "" for everybody
	TitleIsWorkplace bool   // the account's title is taken from the department instead of the title
	DeletePeople     bool   // an account is deleted when its person is gone for good, else disabled
	DeleteTeams      bool
	KeepLeavers      bool // who leaves scope keeps the account as it is (engine.R81), unless the source blocks them
	Rematch          bool // an account that is gone is looked for and made again
	Guard            Guard
	MemberGuard      Guard
}

// Guard bounds what one cycle may take away (design D6).
type Guard struct {
	On                        bool
	Threshold, Percent, Floor int
}

func (g Guard) limit(managed int) int { return min(g.Threshold, max(g.Floor, managed*g.Percent/100)) }

// Key names an object of the source.
type Key struct {
	Kind Kind
	Name string
}

func (k Key) String() string { return strings.ToLower(string(k.Kind)) + " " + k.Name }

// Account is an account or a group of the target.
type Account struct {
	ID      string
	Kind    Kind
	Owner   string            // key of whom it was made for or given to; "" for one that nobody of the source has
	Attrs   map[string]string // all but members; active is "true" or "false", manager an account
	Members []string          // accounts, in order

	foreign bool                // made by hand
	hand    map[string]bool     // attributes changed by hand since the job wrote them last
	wrote   map[string][]string // values that were sent, the last one last, for those whose fate is open
}

func (a *Account) active() bool { return a.Attrs["active"] != "false" }

// fact is what the source last said of an object.
type fact struct {
	person  Person
	team    Team
	present bool // false: it is gone
	wasIn   bool // it was in scope when it was last seen
}

// Model is what is known of one job, its source as delivered and its target as it is.
type Model struct {
	saved    Rules // as they were saved last
	rules    Rules // of the cycle at work
	facts    map[Key]*fact
	accounts map[Key]*Account // by kind and id
	buried   map[Key]*Account // accounts that are gone
	lost     map[Key]bool     // objects whose account somebody deleted by hand, and the job has made none since
	broken   map[Key]bool     // objects that the target refuses whatever is sent
	allowed  map[Key]bool     // operations released by an administrator
	recorded map[Key]Record   // what the job's state says
	spared   map[Key]bool     // out of scope with an account that was left as it is
	members  map[string]map[string]bool
	cycle    cycle
	undoing  map[Key]bool // accounts that the cycle wrote to which is taken back; nil when none is
}

// Record is what the job remembers of an object.
type Record struct {
	State   State
	Account string
}

// State of a record.
type State string

// The states.
const (
	Unlinked State = "unlinked"
	Active   State = "active"
	Disabled State = "disabled"
	Released State = "released"
)

// cycle is what counts within one cycle.
type cycle struct {
	id        string
	rules     Rules        // when it began
	wrote     map[Key]bool // accounts
	delivered map[Kind]int
	full      map[Kind]bool // everything was read, not only changes
	partial   map[Kind]bool // a row could have been anybody
	unread    map[Key]bool  // rows that could not be read
	managed   map[Kind]int  // accounts under the guard when the cycle began, at most
	surely    map[Kind]int  // and at least
	written   int           // memberships under the guard, at most
	took      map[Key]bool
	tookOut   map[string]bool
	told      map[Key]bool // delivered so far in the reading of its kind
	offered   map[Key]Key  // to whom a call was to give an account, whatever came of it
}

// New returns the model of a job that has never run.
func New(r Rules) *Model {
	return &Model{saved: r, rules: r, facts: map[Key]*fact{}, accounts: map[Key]*Account{}, buried: map[Key]*Account{}, lost: map[Key]bool{}, broken: map[Key]bool{},
		allowed: map[Key]bool{}, recorded: map[Key]Record{}, spared: map[Key]bool{}, members: map[string]map[string]bool{}}
}

// Save changes the rules; the next cycle works by them. One that has begun and goes on keeps those it began with.
func (m *Model) Save(r Rules) { m.saved, m.rules = r, r }

// Undo says that the last cycle is taken back, or, with false, that this is over. An undo writes what was there before,
// whatever the source says, and to no other accounts than that cycle.
func (m *Model) Undo(begins bool) {
	if m.undoing = nil; begins {
		m.undoing = maps.Clone(m.cycle.wrote)
	}
}

// Break says that the target refuses everything about an object from now on, or no longer.
func (m *Model) Break(k Key, broken bool) {
	if broken {
		m.broken[k] = true
	} else {
		delete(m.broken, k)
	}
}

// Cycle says which cycle is at work. One that is known goes on.
func (m *Model) Cycle(id string) {
	managed, surely := m.managed()
	if m.cycle.id == id {
		for k, n := range managed { // a process that takes a cycle over counts anew
			m.cycle.managed[k] = max(m.cycle.managed[k], n)
			m.cycle.surely[k] = min(m.cycle.surely[k], surely[k])
		}
		m.cycle.written = max(m.cycle.written, m.memberships())
		m.rules = m.cycle.rules
		return
	}
	m.rules = m.saved
	m.cycle = cycle{id: id, rules: m.rules, wrote: map[Key]bool{}, delivered: map[Kind]int{}, full: map[Kind]bool{}, partial: map[Kind]bool{}, unread: map[Key]bool{},
		managed: managed, surely: surely, written: m.memberships(), took: map[Key]bool{}, tookOut: map[string]bool{}, told: map[Key]bool{}, offered: map[Key]Key{}}
}

// managed counts the objects whose account is, or may be, under the guard: those recorded as active, and those whose
// account is active, whoever knows of it.
func (m *Model) managed() (most, least map[Kind]int) {
	most, least = map[Kind]int{}, map[Kind]int{}
	counted := map[Key]bool{}
	for k, r := range m.recorded {
		if r.State == Active {
			counted[k] = true
			least[k.Kind]++
		}
	}
	for _, a := range m.accounts {
		if k := (Key{a.Kind, a.Owner}); a.Owner != "" && (a.active() || a.Kind == Group) {
			counted[k] = true
		}
	}
	for k := range counted {
		most[k.Kind]++
	}
	return most, least
}

// memberships counts those that were ever written and not taken out since.
func (m *Model) memberships() int {
	n := 0
	for _, set := range m.members {
		n += len(set)
	}
	return n
}

// Read says that the reading of a kind begins: all objects, or only those that changed.
func (m *Model) Read(k Kind, full bool) {
	m.cycle.delivered[k], m.cycle.full[k], m.cycle.partial[k] = 0, full, false
	for key := range m.cycle.told {
		if key.Kind == k {
			delete(m.cycle.told, key)
		}
	}
	for key := range m.cycle.unread {
		if key.Kind == k {
			delete(m.cycle.unread, key)
		}
	}
}

// TellPerson says that the source delivered somebody; nil means that they are gone.
func (m *Model) TellPerson(name string, p *Person) {
	f := m.fact(Key{User, name})
	if f.present = p != nil; p != nil {
		f.person = *p
		f.wasIn = m.inScope(*p)
	}
}

// TellTeam says that the source delivered a group; nil means that it is gone.
func (m *Model) TellTeam(name string, t *Team) {
	f := m.fact(Key{Group, name})
	if f.present = t != nil; t != nil {
		f.team = Team{t.Name, slices.Clone(t.Members), t.Assigned}
		f.wasIn = m.teamInScope(*t)
	}
}

func (m *Model) fact(k Key) *fact {
	m.cycle.told[k] = true
	m.cycle.delivered[k.Kind]++
	delete(m.cycle.unread, k)
	f := m.facts[k]
	if f == nil {
		f = &fact{}
		m.facts[k] = f
	}
	return f
}

// Unreadable says that the source could not deliver one object, or, without a key, that it could be any.
func (m *Model) Unreadable(k Key) {
	if k.Name == "" {
		m.cycle.partial[k.Kind] = true
		return
	}
	m.cycle.told[k] = true
	m.cycle.unread[k] = true
	m.cycle.delivered[k.Kind]++
}

// ReadAll says that a full reading has come to its end: who was not delivered is gone.
func (m *Model) ReadAll(k Kind) {
	for key, f := range m.facts {
		if key.Kind == k && !m.cycle.told[key] {
			f.present = false
		}
	}
}

// Allow says that an administrator has released the operations that are held for these objects, and no others.
func (m *Model) Allow(keys []Key) {
	clear(m.allowed)
	for _, k := range keys {
		m.allowed[k] = true
	}
}

// inScope tells whether the rules want somebody, active or not.
func (m *Model) inScope(p Person) bool {
	return (!m.rules.Assigned || p.Assigned) && (m.rules.Department == "" || p.Department == m.rules.Department)
}

func (m *Model) teamInScope(t Team) bool { return !m.rules.Assigned || t.Assigned }

// entitled tells whether somebody is to have an account that works, and why not.
func (m *Model) entitled(p Person) (bool, string) {
	switch {
	case !m.inScope(p):
		return false, "out of scope"
	case p.Off:
		return false, "not active in the source"
	case p.Trashed:
		return false, "deleted in the source"
	}
	return true, ""
}

// wanted are the values of a person's account, but for the manager.
func (m *Model) wanted(name string, p Person) map[string]string {
	title := p.Title
	if m.rules.TitleIsWorkplace {
		title = p.Department
	}
	active, _ := m.entitled(p)
	return map[string]string{"userName": p.Login, "displayName": p.Name, "title": title, "externalId": name, "active": fmt.Sprint(active)}
}

func fold(s string) string { return strings.ToLower(s) }

// joins is the attribute that an account is found by.
func joins(k Kind) string {
	if k == User {
		return "userName"
	}
	return "displayName"
}

// of returns the accounts of an object, in the order of their ids.
func (m *Model) of(k Key) []*Account {
	var out []*Account
	for _, a := range m.accounts {
		if a.Kind == k.Kind && a.Owner == k.Name {
			out = append(out, a)
		}
	}
	slices.SortFunc(out, func(a, b *Account) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// account finds an account that exists, or one that is gone.
func (m *Model) account(k Kind, id string) (a *Account, gone bool) {
	if a = m.accounts[Key{k, id}]; a != nil {
		return a, false
	}
	return m.buried[Key{k, id}], true
}

// Accounts returns the target as the model knows it, for comparison.
func (m *Model) Accounts() map[Key]Account {
	out := map[Key]Account{}
	for k, a := range m.accounts {
		out[k] = Account{ID: a.ID, Kind: a.Kind, Attrs: maps.Clone(a.Attrs), Members: slices.Sorted(slices.Values(a.Members))}
	}
	return out
}

// ByHand says that somebody made or changed an account in the target itself. Attributes without a value are taken away.
func (m *Model) ByHand(k Kind, id string, attrs map[string]string) {
	a := m.accounts[Key{k, id}]
	if a == nil {
		a = &Account{ID: id, Kind: k, Attrs: map[string]string{}, foreign: true, hand: map[string]bool{}}
		m.accounts[Key{k, id}] = a
	}
	for name, v := range attrs {
		a.hand[name] = true
		if v == "" {
			delete(a.Attrs, name)
		} else {
			a.Attrs[name] = v
		}
	}
}

// DeletedByHand says that somebody deleted an account in the target itself.
func (m *Model) DeletedByHand(k Kind, id string) {
	if a := m.accounts[Key{k, id}]; a != nil {
		if a.Owner != "" {
			m.lost[Key{k, a.Owner}] = true
		}
		for key, r := range m.recorded { // linked, though nothing was written to it yet
			if key.Kind == k && r.Account == id {
				m.lost[key] = true
			}
		}
		m.bury(a)
	}
}

// bury takes an account away, and with it, as the target does, all that refers to it.
func (m *Model) bury(a *Account) {
	delete(m.accounts, Key{a.Kind, a.ID})
	m.buried[Key{a.Kind, a.ID}] = a
	if a.Kind != User {
		return
	}
	for _, other := range m.accounts {
		if other.Attrs["manager"] == a.ID {
			delete(other.Attrs, "manager")
		}
		other.Members = slices.DeleteFunc(other.Members, func(id string) bool { return id == a.ID })
	}
}
