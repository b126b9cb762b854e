package sim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sim/model"
)

// An edit is something that people do: in the source, or by hand in the target. It tells whether there was anything to
// do it to.
type edit struct {
	name   string
	weight int
	do     func(w *world) bool
}

func edits() []edit {
	return []edit{
		{"joiner", 14, (*world).join},
		{"mover", 12, (*world).move},
		{"another title", 10, (*world).retitle},
		{"leaver", 8, (*world).leave},
		{"rehire under the same key", 4, (*world).rehire},
		{"rehire under a new key", 3, (*world).rehireNew},
		{"rename", 6, (*world).rename},
		{"rename in letter case only", 2, (*world).recase},
		{"merge of keys", 2, (*world).merge},
		{"two people want one login", 2, (*world).collide},
		{"another manager", 6, (*world).remanage},
		{"disabled in the source, or enabled", 6, (*world).switchOff},
		{"deleted in the source, or restored", 4, (*world).trash},
		{"assigned, or no longer", 4, (*world).assign},
		{"new group", 3, (*world).found},
		{"group gone", 2, (*world).dissolve},
		{"group renamed", 2, (*world).renameTeam},
		{"other members", 10, (*world).reshuffle},
		{"account made by hand", 3, (*world).foreign},
		{"account made by hand for somebody to come", 3, (*world).foreshadow},
		{"account deleted by hand", 2, (*world).handDelete},
		{"account changed by hand", 2, (*world).handChange},
		{"a foreign account takes a name", 1, (*world).squat},
		{"the target refuses one object", 2, (*world).poison},
		{"the target takes it again", 3, (*world).heal},
	}
}

// edit does so many random things.
func (w *world) edit(n int) {
	all := edits()
	sum := 0
	for _, e := range all {
		sum += e.weight
	}
	for range n {
		k := w.edits.IntN(sum)
		for _, e := range all {
			if k -= e.weight; k < 0 {
				if e.do(w) {
					w.tally.hit("edit: " + e.name)
				}
				break
			}
		}
	}
}

// number gives the next number of a sort of things.
func (w *world) number(sort string) int {
	w.next[sort]++
	return w.next[sort]
}

func (w *world) department() string { return pick(w.edits, "Sales", "Sales", "Sales", "Ops", "Legal") }

// newPerson makes somebody who was never there.
func (w *world) newPerson() *identity.Object {
	n := w.number("person")
	o := &identity.Object{Kind: identity.User, Anchor: fmt.Sprintf("p%03d", n)}
	o.Attrs.Set("login", fmt.Sprintf("login%03d@example.com", w.number("login")))
	o.Attrs.Set("name", fmt.Sprintf("Person %d", n))
	if flip(w.edits, 80) {
		o.Attrs.Set("title", pick(w.edits, "Clerk", "Chief", "Cook"))
	}
	o.Attrs.Set("department", w.department())
	if boss := w.anybody(identity.User); boss != nil && flip(w.edits, 60) {
		o.Attrs.Set("manager", identity.Ref{Kind: identity.User, Anchor: boss.Anchor})
	}
	o.Assignment = &identity.Assignment{Assigned: flip(w.edits, 80)}
	return o
}

// anybody returns a random object of the source, nil when there is none.
func (w *world) anybody(k identity.Kind) *identity.Object {
	all := w.source.Objects(k)
	if len(all) == 0 {
		return nil
	}
	return all[w.edits.IntN(len(all))]
}

func (w *world) put(what string, o *identity.Object) bool {
	w.source.Put(o)
	if o.Kind == identity.User {
		w.note("source: %s: %s %+v", what, o.Anchor, *person(o))
	} else {
		w.note("source: %s: %s %+v", what, o.Anchor, *team(o))
	}
	return true
}

func (w *world) join() bool { return w.put("joins", w.newPerson()) }

// change changes somebody.
func (w *world) change(what string, f func(o *identity.Object)) bool {
	o := w.anybody(identity.User)
	if o == nil {
		return false
	}
	f(o)
	return w.put(what, o)
}

func (w *world) move() bool {
	return w.change("moves", func(o *identity.Object) { o.Attrs.Set("department", w.department()) })
}

func (w *world) retitle() bool {
	return w.change("has another title", func(o *identity.Object) {
		o.Attrs.Set("title", pick[any](w.edits, "Clerk", "Chief", "Cook", "Composer", nil))
	})
}

func (w *world) rename() bool {
	return w.change("is renamed", func(o *identity.Object) {
		o.Attrs.Set("login", fmt.Sprintf("login%03d@example.com", w.number("login")))
		o.Attrs.Set("name", o.Text("name")+"!")
	})
}

func (w *world) recase() bool {
	return w.change("is written otherwise", func(o *identity.Object) {
		login := o.Text("login")
		if o.Attrs.Set("login", strings.ToUpper(login)); login == strings.ToUpper(login) {
			o.Attrs.Set("login", strings.ToLower(login))
		}
	})
}

func (w *world) switchOff() bool {
	return w.change("is switched", func(o *identity.Object) { o.Disabled = !o.Disabled })
}

func (w *world) trash() bool {
	return w.change("is trashed or restored", func(o *identity.Object) { o.SoftDeleted = !o.SoftDeleted })
}

func (w *world) assign() bool {
	return w.change("is assigned or not", func(o *identity.Object) { o.Assignment = &identity.Assignment{Assigned: !o.Assignment.Assigned} })
}

func (w *world) remanage() bool {
	return w.change("has another manager", func(o *identity.Object) {
		o.Attrs.Set("manager", nil)
		if boss := w.anybody(identity.User); boss.Anchor != o.Anchor && flip(w.edits, 80) {
			o.Attrs.Set("manager", identity.Ref{Kind: identity.User, Anchor: boss.Anchor})
		}
	})
}

// drop takes somebody out of the source; who referred to them refers to them no longer, most of the time.
func (w *world) drop(o *identity.Object) {
	w.source.Remove(identity.User, o.Anchor)
	w.former[o.Anchor] = o
	w.note("source: leaves: %s", o.Anchor)
	if flip(w.edits, 30) {
		return
	}
	gone := identity.Ref{Kind: identity.User, Anchor: o.Anchor}
	for _, k := range []identity.Kind{identity.User, identity.Group} {
		for _, other := range w.source.Objects(k) {
			boss, _ := other.Get("manager")
			members, _ := other.Get("members")
			switch list := refs(members); {
			case boss == gone:
				other.Attrs.Set("manager", nil)
				w.put("loses a manager", other)
			case slices.Contains(list, gone):
				other.Attrs.Set("members", listOf(slices.DeleteFunc(list, func(r identity.Ref) bool { return r == gone })))
				w.put("loses a member", other)
			}
		}
	}
}

func listOf(list []identity.Ref) any {
	if len(list) == 0 {
		return nil
	}
	out := make([]any, len(list))
	for i, r := range list {
		out[i] = r
	}
	return out
}

func (w *world) leave() bool {
	o := w.anybody(identity.User)
	if o == nil {
		return false
	}
	w.drop(o)
	return true
}

// leaver returns somebody who left, nil when nobody has.
func (w *world) leaver() *identity.Object {
	var names []string
	there := w.source.Objects(identity.User)
	for name := range w.former {
		if !slices.ContainsFunc(there, func(o *identity.Object) bool { return o.Anchor == name }) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	o := w.former[names[w.edits.IntN(len(names))]]
	c := *o
	c.Attrs = slices.Clone(o.Attrs)
	c.Attrs.Set("manager", nil)
	return &c
}

func (w *world) rehire() bool {
	o := w.leaver()
	if o == nil {
		return false
	}
	o.Attrs.Set("department", w.department())
	return w.put("comes back", o)
}

func (w *world) rehireNew() bool {
	o := w.leaver()
	if o == nil {
		return false
	}
	o.Anchor = fmt.Sprintf("p%03d", w.number("person"))
	return w.put("comes back under another key", o)
}

// merge: two records of one person become one, which keeps the key of one and the login of the other.
func (w *world) merge() bool {
	a, b := w.anybody(identity.User), w.anybody(identity.User)
	if a == nil || a.Anchor == b.Anchor {
		return false
	}
	a.Attrs.Set("login", b.Text("login"))
	w.drop(b)
	return w.put("is merged with "+b.Anchor, a)
}

func (w *world) collide() bool {
	a, b := w.anybody(identity.User), w.anybody(identity.User)
	if a == nil || a.Anchor == b.Anchor {
		return false
	}
	a.Attrs.Set("login", strings.ToUpper(b.Text("login")))
	return w.put("gets the login of "+b.Anchor, a)
}

func (w *world) newTeam() *identity.Object {
	n := w.number("team")
	o := &identity.Object{Kind: identity.Group, Anchor: fmt.Sprintf("g%02d", n), Assignment: &identity.Assignment{Assigned: flip(w.edits, 90)}}
	o.Attrs.Set("name", fmt.Sprintf("Team %d", n))
	o.Attrs.Set("members", w.members())
	return o
}

// members is a random list of people, in the order of their keys.
func (w *world) members() any {
	var list []identity.Ref
	share := pick(w.edits, 0, 20, 50, 90)
	for _, o := range w.source.Objects(identity.User) {
		if flip(w.edits, share) {
			list = append(list, identity.Ref{Kind: identity.User, Anchor: o.Anchor})
		}
	}
	return listOf(list)
}

func (w *world) found() bool { return w.put("is founded", w.newTeam()) }

func (w *world) dissolve() bool {
	o := w.anybody(identity.Group)
	if o == nil {
		return false
	}
	w.source.Remove(identity.Group, o.Anchor)
	w.note("source: is dissolved: %s", o.Anchor)
	return true
}

func (w *world) renameTeam() bool {
	o := w.anybody(identity.Group)
	if o == nil {
		return false
	}
	o.Attrs.Set("name", fmt.Sprintf("Team %d", w.number("team")))
	return w.put("is renamed", o)
}

// reshuffle changes a few members of a group, or all.
func (w *world) reshuffle() bool {
	o := w.anybody(identity.Group)
	if o == nil {
		return false
	}
	if flip(w.edits, 30) {
		o.Attrs.Set("members", w.members())
		return w.put("has other members", o)
	}
	v, _ := o.Get("members")
	list := refs(v)
	for range 1 + w.edits.IntN(3) {
		who := w.anybody(identity.User)
		if who == nil {
			return false
		}
		ref := identity.Ref{Kind: identity.User, Anchor: who.Anchor}
		if i := slices.Index(list, ref); i >= 0 {
			list = slices.Delete(list, i, i+1)
		} else {
			list = append(list, ref)
		}
	}
	slices.SortFunc(list, func(a, b identity.Ref) int { return strings.Compare(a.Anchor, b.Anchor) })
	o.Attrs.Set("members", listOf(list))
	return w.put("changes members", o)
}

// byHand makes an account in the target as its own administrator would.
func (w *world) byHand(login, name string) {
	o := &identity.Object{Kind: identity.User, Anchor: fmt.Sprintf("hand%d", w.number("hand"))}
	o.Attrs.Set("userName", login)
	o.Attrs.Set("displayName", name)
	o.Attrs.Set("active", true)
	w.target.Put(o)
	w.model.ByHand(model.User, o.Anchor, map[string]string{"userName": login, "displayName": name, "active": "true"})
	w.note("target, by hand: account %s %q", o.Anchor, login)
}

func (w *world) foreign() bool {
	n := w.number("foreign")
	w.byHand(fmt.Sprintf("root%d@example.com", n), fmt.Sprintf("Foreign %d", n))
	return true
}

// foreshadow makes an account that somebody who joins at once will be matched to.
func (w *world) foreshadow() bool {
	o := w.newPerson()
	w.byHand(strings.ToUpper(o.Text("login")), "By hand")
	return w.put("joins, and has an account already", o)
}

// squat takes a login in the target that somebody of the source is about to get.
func (w *world) squat() bool {
	login := fmt.Sprintf("login%03d@example.com", w.number("login"))
	w.byHand(login, "Squatter")
	return w.change("is renamed to a login that is taken", func(o *identity.Object) { o.Attrs.Set("login", login) })
}

// account returns a random account or group of the target.
func (w *world) account(k identity.Kind) *identity.Object {
	all := w.target.Objects(k)
	if len(all) == 0 {
		return nil
	}
	return all[w.edits.IntN(len(all))]
}

func (w *world) handDelete() bool {
	o := w.account(pick(w.edits, identity.User, identity.User, identity.Group))
	if o == nil {
		return false
	}
	if err := w.target.Delete(w.ctx, o.Kind, o.Anchor); err != nil {
		w.wrong(err.Error())
	}
	w.model.DeletedByHand(kindOf(o.Kind), o.Anchor)
	w.note("target, by hand: %s %s is deleted", o.Kind, o.Anchor)
	return true
}

func (w *world) handChange() bool {
	o := w.account(identity.User)
	if o == nil {
		return false
	}
	name, text := pick(w.edits, "title", "displayName", "active"), "by hand"
	var v any = text
	if name == "active" {
		text, v = "false", false
	}
	if _, err := w.target.Update(w.ctx, connector.Update{Kind: o.Kind, Anchor: o.Anchor, Changes: []connector.Change{{Attr: name, Op: connector.Set, New: v}}}); err != nil {
		w.wrong(err.Error())
	}
	w.model.ByHand(model.User, o.Anchor, map[string]string{name: text})
	w.note("target, by hand: %s of account %s is %s", name, o.Anchor, text)
	return true
}

func (w *world) poison() bool {
	o := w.anybody(pick(w.edits, identity.User, identity.User, identity.Group))
	if o == nil {
		return false
	}
	w.refuse(model.Key{Kind: kindOf(o.Kind), Name: o.Anchor}, true)
	return true
}

// refuse makes the target refuse everything about an object from now on, or no longer.
func (w *world) refuse(k model.Key, yes bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if yes {
		w.broken[k] = true
	} else {
		delete(w.broken, k)
	}
	w.model.Break(k, yes)
	w.noteLocked("target: refuses %s: %v", k, yes)
}

func (w *world) heal() bool {
	keys := sortedKeys(w.broken)
	if len(keys) == 0 {
		return false
	}
	w.refuse(keys[w.edits.IntN(len(keys))], false)
	return true
}

func sortedKeys(set map[model.Key]bool) []model.Key {
	var out []model.Key
	for k := range set {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b model.Key) int { return strings.Compare(a.String(), b.String()) })
	return out
}
