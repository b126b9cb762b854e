package model

import (
	"cmp"
	"fmt"
	"slices"
)

// Expect compares the target with the source as it is, and tells every difference that a job without faults would not
// leave (I5). What a job cannot mend is no difference: accounts that somebody deleted by hand and about whose owner
// nothing changed since (engine.R18), attributes that were changed by hand, people who want the same joining value, and
// objects that the target refuses.
func (m *Model) Expect(people map[string]Person, teams map[string]Team) []string {
	x := expectation{Model: m, people: people, teams: teams}
	for name, p := range people {
		x.person(name, p)
	}
	for name, t := range teams {
		x.team(name, t)
	}
	for _, a := range m.accounts {
		x.account(a)
	}
	slices.Sort(x.wrong)
	return x.wrong
}

type expectation struct {
	*Model
	people map[string]Person
	teams  map[string]Team
	wrong  []string
}

func (x *expectation) add(format string, args ...any) {
	x.wrong = append(x.wrong, fmt.Sprintf("I5: "+format, args...))
}

// blocked tells whether somebody else has, or wants, the joining value of an object.
func (x *expectation) blocked(k Key) bool {
	if x.broken[k] {
		return true
	}
	value := func(key Key) (string, bool) {
		if key.Kind == User {
			p := x.people[key.Name]
			ok, _ := x.entitled(p)
			return fold(p.Login), ok
		}
		t := x.teams[key.Name]
		return fold(t.Name), x.teamInScope(t)
	}
	mine, _ := value(k)
	if k.Kind == User {
		for name := range x.people {
			if other, ok := value(Key{User, name}); name != k.Name && ok && other == mine {
				return true
			}
		}
	} else {
		for name := range x.teams {
			if other, ok := value(Key{Group, name}); name != k.Name && ok && other == mine {
				return true
			}
		}
	}
	for _, a := range x.accounts {
		if a.Kind == k.Kind && a.Owner != k.Name && fold(a.Attrs[joins(k.Kind)]) == mine {
			return true
		}
	}
	return false
}

// settled returns the one account of somebody who has nothing in the way; nil otherwise.
func (x *expectation) settled(name string) *Account {
	p, there := x.people[name]
	if ok, _ := x.entitled(p); !there || !ok {
		return nil
	}
	k := Key{User, name}
	all := x.of(k)
	if len(all) != 1 || x.lost[k] || x.blocked(k) {
		return nil
	}
	return all[0]
}

func (x *expectation) person(name string, p Person) {
	k := Key{User, name}
	all := x.of(k)
	if ok, _ := x.entitled(p); !ok || x.lost[k] || x.blocked(k) {
		return
	}
	if len(all) != 1 {
		x.add("%s is entitled to an account and has %d", k, len(all))
		return
	}
	a := all[0]
	for attr, want := range x.wanted(name, p) {
		have := a.Attrs[attr]
		if attr == joins(User) { // the target takes letter case for no difference (engine.R3)
			have, want = fold(have), fold(want)
		}
		if have != want && want != "" && !a.hand[attr] { // null values do not flow (engine.R63)
			x.add("%s: %s of account %s is %q and ought to be %q", k, attr, a.ID, a.Attrs[attr], want)
		}
	}
	switch boss := x.settled(p.Manager); {
	case a.hand["manager"]:
	case p.Manager == "" && a.Attrs["manager"] != "":
		x.add("%s has no manager, and account %s has %s", k, a.ID, a.Attrs["manager"])
	case boss != nil && a.Attrs["manager"] != boss.ID:
		x.add("%s: manager of account %s is %q and ought to be %s", k, a.ID, a.Attrs["manager"], boss.ID)
	}
}

func (x *expectation) team(name string, t Team) {
	k := Key{Group, name}
	if !x.teamInScope(t) || x.lost[k] || x.blocked(k) {
		return
	}
	all := x.of(k)
	if len(all) != 1 {
		x.add("%s is in scope, and the target has %d of it", k, len(all))
		return
	}
	a := all[0]
	if a.Attrs["displayName"] != t.Name && !a.hand["displayName"] {
		x.add("%s: the name of %s is %q and ought to be %q", k, a.ID, a.Attrs["displayName"], t.Name)
	}
	for _, member := range t.Members {
		if s := x.settled(member); s != nil && !slices.Contains(a.Members, s.ID) {
			x.add("%s lacks its member %s, account %s", k, member, s.ID)
		}
	}
	for _, id := range a.Members {
		owner := x.accounts[Key{User, id}].Owner
		if !slices.Contains(t.Members, owner) {
			x.add("%s has account %s of %q, who is no member", k, id, owner)
		}
	}
}

// account looks at an account whose owner is not entitled to it.
func (x *expectation) account(a *Account) {
	k := Key{a.Kind, a.Owner}
	if a.Owner == "" || x.broken[k] || x.spared[k] {
		return
	}
	r := x.recorded[k]
	if a.Kind == Group {
		t, there := x.teams[a.Owner]
		switch {
		case there && x.teamInScope(t), !x.rules.DeleteTeams, there && x.rules.KeepLeavers:
		case x.blocked(k) && r.State == Unlinked:
		default:
			x.add("%s is %s, and the target has it still: %s", k, cmp.Or(map[bool]string{true: "out of scope"}[there], "gone"), a.ID)
		}
		return
	}
	p, there := x.people[a.Owner]
	ok, why := x.entitled(p)
	switch {
	case there && ok:
	case there && !x.inScope(p) && x.rules.KeepLeavers:
	case a.active() && !a.hand["active"]:
		if !there {
			why = "gone"
		}
		x.add("%s is %s, and account %s can be used", k, why, a.ID)
	case !there && x.rules.DeletePeople && r.State != Released && r.State != Unlinked:
		x.add("%s is gone, and account %s is still there", k, a.ID)
	}
}
