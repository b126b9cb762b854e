package sandbox

import (
	"encoding/json"
	"iter"
	"slices"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// member is a resource in a group.
type member struct {
	rec     *record
	display string // as the client sent it
}

func (m member) append(b []byte, origin string) []byte {
	b = append(b, `{"value":"`...)
	b = append(b, m.rec.id...)
	b = append(b, `","$ref":"`...)
	b = appendText(b, origin)
	b = append(b, '/')
	b = append(b, m.rec.kind.path...)
	b = append(b, '/')
	b = append(b, m.rec.id...)
	if m.display != "" {
		b = append(b, `","display":"`...)
		b = appendText(b, m.display)
	}
	b = append(b, `","type":"`...)
	b = append(b, m.rec.kind.typeName...)
	return append(b, `"}`...)
}

// object is the member as filters see it.
func (m member) object(origin string) map[string]any {
	o := map[string]any{"value": m.rec.id, "type": m.rec.kind.typeName, "$ref": origin + "/" + m.rec.kind.path + "/" + m.rec.id}
	if m.display != "" {
		o["display"] = m.display
	}
	return o
}

// appendText writes the inside of a JSON string.
func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil {
				return b // a string can always be written
			}
			return append(b, quoted[1:len(quoted)-1]...)
		}
	}
	return append(b, s...)
}

// memberList is the members of a group in the order they joined. Adding and removing take constant time, so that
// a group of many is filled in many requests without slowing down.
type memberList struct {
	list []member       // removed ones have a nil record
	at   map[string]int // place of each id
}

func newMemberList() *memberList {
	return &memberList{at: map[string]int{}}
}

func (l *memberList) len() int { return len(l.at) }

func (l *memberList) has(id string) bool {
	_, ok := l.at[id]
	return ok
}

func (l *memberList) all() iter.Seq[member] {
	return func(yield func(member) bool) {
		for _, m := range l.list {
			if m.rec != nil && !yield(m) {
				return
			}
		}
	}
}

func (l *memberList) add(m member) {
	if l.has(m.rec.id) {
		return
	}
	l.at[m.rec.id] = len(l.list)
	l.list = append(l.list, m)
}

// show gives a member the name that it is displayed by and reports whether that is another one.
func (l *memberList) show(id, display string) bool {
	m := &l.list[l.at[id]]
	if m.display == display {
		return false
	}
	m.display = display
	return true
}

func (l *memberList) remove(id string) {
	i, ok := l.at[id]
	if !ok {
		return
	}
	delete(l.at, id)
	l.list[i] = member{}
	if len(l.list) > 32 && len(l.at) < len(l.list)/2 {
		l.list = slices.DeleteFunc(l.list, func(m member) bool { return m.rec == nil })
		for i, m := range l.list {
			l.at[m.rec.id] = i
		}
	}
}

// memberEdit collects changes of a group's members, to be carried out when nothing can fail any more.
type memberEdit struct {
	app     *scimApp
	group   *record // nil for a new group
	origin  string
	cleared bool
	changed map[string]*member // nil: removed
	order   []string           // ids in the order of their change
}

func (a *scimApp) editMembers(group *record, origin string) *memberEdit {
	return &memberEdit{app: a, group: group, origin: origin, changed: map[string]*member{}}
}

// has reports whether an id is a member after the changes so far.
func (e *memberEdit) has(id string) bool {
	if m, ok := e.changed[id]; ok {
		return m != nil
	}
	return !e.cleared && e.group != nil && e.group.members.has(id)
}

func (e *memberEdit) clear() {
	e.cleared = true
	e.order = nil
	clear(e.changed)
}

func (e *memberEdit) set(id string, m *member) {
	e.changed[id] = m
	e.order = append(e.order, id)
}

// add enters members given as canonical elements. Each must exist (RFC 7643 section 4.2).
func (e *memberEdit) add(elements any) error {
	list, _ := elements.([]any)
	for _, element := range list {
		m, _ := element.(map[string]any)
		id, _ := m["value"].(string)
		rec := e.app.store.find(id)
		switch {
		case id == "":
			return scim.NewError(400, scim.InvalidValue, "a member needs the id of a resource in value")
		case rec == nil:
			return scim.NewError(400, scim.InvalidValue, "there is no resource %s to be a member", id)
		case rec == e.group:
			return scim.NewError(400, scim.InvalidValue, "a group cannot be its own member")
		case e.app.facts.membersAreUsers && rec.kind != &e.app.store.users:
			return scim.NewError(400, scim.InvalidValue, "%s is a group; only users can be members", id)
		case e.has(id):
			continue
		}
		display, _ := m["display"].(string)
		e.set(id, &member{rec: rec, display: display})
	}
	return nil
}

func (e *memberEdit) remove(id string) {
	if e.has(id) {
		e.set(id, nil)
	}
}

// current gives the members after the changes so far.
func (e *memberEdit) current() []member {
	var list []member
	if e.group != nil && !e.cleared {
		for m := range e.group.members.all() {
			if _, changed := e.changed[m.rec.id]; !changed {
				list = append(list, m)
			}
		}
	}
	for i, id := range e.order {
		// An id changed twice stands where it was changed last.
		if m := e.changed[id]; m != nil && !slices.Contains(e.order[i+1:], id) {
			list = append(list, *m)
		}
	}
	return list
}

// commit carries the changes out and reports whether anything is different. The store is locked for writing.
func (e *memberEdit) commit(group *record) bool {
	changed := false
	if e.cleared {
		keep := map[string]bool{}
		for id, m := range e.changed {
			keep[id] = m != nil
		}
		for _, m := range slices.Collect(group.members.all()) {
			if !keep[m.rec.id] {
				group.members.remove(m.rec.id)
				m.rec.leaveGroup(group)
				changed = true
			}
		}
	}
	for _, id := range e.order {
		m, had := e.changed[id], group.members.has(id)
		switch {
		case m == nil && had:
			e.app.store.find(id).leaveGroup(group)
			group.members.remove(id)
			changed = true
		case m != nil && !had:
			group.members.add(*m)
			m.rec.groups = append(m.rec.groups, group)
			changed = true
		case m != nil && group.members.show(id, m.display):
			changed = true
		}
	}
	return changed
}

// membersAtMost refuses requests that change more members than a service takes at once.
func membersAtMost(most int) scimRule {
	refuse := func(n int) error {
		if n <= most {
			return nil
		}
		return scim.NewError(400, scim.TooMany, "%d members; a request takes %d", n, most)
	}
	return scimRule{
		patch: func(c *call, ops []scim.Operation) error { return refuse(memberChanges(c, ops)) },
		members: func(_ *call, edit *memberEdit) error {
			if edit.group != nil && !edit.cleared {
				return nil // a PATCH, which has been looked at
			}
			return refuse(len(edit.order))
		},
	}
}

// memberChanges counts the members that operations name.
func memberChanges(c *call, ops []scim.Operation) int {
	if c.kind.path != groupsPath {
		return 0
	}
	n := 0
	count := func(v any) {
		if list, ok := v.([]any); ok {
			n += len(list)
		} else {
			n++
		}
	}
	for _, op := range ops {
		if path, err := scim.ParsePath(op.Path, c.def.SchemaURIs()...); err == nil && op.Path != "" {
			if scim.FoldKey(path.Attribute) == "members" {
				count(op.Value)
			}
			continue
		}
		if object, ok := op.Value.(map[string]any); ok {
			if _, v, ok := scim.Lookup(object, "members"); ok {
				count(v)
			}
		}
	}
	return n
}
