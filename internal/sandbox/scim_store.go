package sandbox

import (
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// scimStore holds users and groups. mu guards everything in it and in the records.
type scimStore struct {
	mu            sync.RWMutex
	users, groups scimKind
}

// scimKind is all resources of one type, in the order of their creation, with their indexes.
type scimKind struct {
	typeName string    // User, Group
	path     string    // Users, Groups
	nameAttr string    // the attribute that must be unique: userName, displayName
	serial   int       // resources made so far
	order    []*record // as they were made; nil where one was removed
	gaps     int       // of them
	byID     map[string]*record
	byName   map[string]*record // nameAttr, folded
	by       [indexes]map[string][]*record
}

// The further indexes. A key may have several resources.
const (
	byExternalID  = iota // exact
	byDisplayName        // folded
	byEmail              // folded; every value of emails
	indexes
)

// record is a resource. The attributes are kept as the JSON text that goes to clients; what depends on other
// resources or changes on its own (meta, members, groups) is put in when the text is written.
type record struct {
	kind              *scimKind
	id                string
	place             int    // in the order of its kind
	serial            int    // 1 for the first of its kind
	name              string // value of kind.nameAttr, folded
	label             string // the same as spelt, groups only
	keys              [indexes][]string
	active            bool
	body              []byte // JSON object with schemas, id and attributes, without the closing brace
	version           int
	created, modified time.Time
	members           *memberList // groups only
	groups            []*record   // groups that have this resource as a member, oldest membership first
	deleted           bool
}

func newSCIMStore() *scimStore {
	s := &scimStore{}
	s.users = scimKind{typeName: "User", path: usersPath, nameAttr: "userName"}
	s.groups = scimKind{typeName: "Group", path: groupsPath, nameAttr: "displayName"}
	s.users.clear()
	s.groups.clear()
	return s
}

func (s *scimStore) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users.clear()
	s.groups.clear()
}

func (k *scimKind) clear() {
	k.order, k.gaps, k.serial = nil, 0, 0
	k.byID = map[string]*record{}
	k.byName = map[string]*record{}
	for i := range k.by {
		k.by[i] = map[string][]*record{}
	}
}

// snapshot gives the records of a kind, to be read one by one without holding the lock throughout.
func (s *scimStore) snapshot(k *scimKind) []*record {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(k.live())
}

// find gives a resource of any kind, nil if there is none.
func (s *scimStore) find(id string) *record {
	if rec := s.users.byID[id]; rec != nil {
		return rec
	}
	return s.groups.byID[id]
}

// spelled gives an id as the resource has it; ids that clients fold are found, too.
func (s *scimStore) spelled(id string) string {
	if s.find(id) != nil {
		return id
	}
	return scim.FoldKey(id)
}

// live gives the records that there are, as they were made. The result is not to be changed.
func (k *scimKind) live() []*record {
	if k.gaps == 0 {
		return k.order
	}
	out := make([]*record, 0, len(k.order)-k.gaps)
	for _, r := range k.order {
		if r != nil {
			out = append(out, r)
		}
	}
	return out
}

// insert enters a new record.
func (k *scimKind) insert(rec *record) {
	k.serial++
	rec.serial = k.serial
	rec.place = len(k.order)
	k.order = append(k.order, rec)
	k.byID[rec.id] = rec
	k.enter(rec)
}

// remove takes a record out, out of the groups it is in, and its members out of it.
func (k *scimKind) remove(rec *record) {
	k.leave(rec)
	delete(k.byID, rec.id)
	k.order[rec.place] = nil // closing the gap each time would move all that come after
	if k.gaps++; k.gaps > 1+len(k.order)/8 {
		k.order, k.gaps = k.live(), 0
		for i, r := range k.order {
			r.place = i
		}
	}
	for _, g := range rec.groups {
		g.members.remove(rec.id)
	}
	rec.groups = nil
	if rec.members != nil {
		for m := range rec.members.all() {
			m.rec.leaveGroup(rec)
		}
	}
	rec.deleted = true
}

// enter puts a record into the indexes, leave takes it out; around any change of its attributes.
func (k *scimKind) enter(rec *record) {
	k.byName[rec.name] = rec
	for i, keys := range rec.keys {
		for _, key := range keys {
			k.by[i][key] = append(k.by[i][key], rec)
		}
	}
}

func (k *scimKind) leave(rec *record) {
	delete(k.byName, rec.name)
	for i, keys := range rec.keys {
		for _, key := range keys {
			list := slices.DeleteFunc(k.by[i][key], func(r *record) bool { return r == rec })
			if len(list) == 0 {
				delete(k.by[i], key)
			} else {
				k.by[i][key] = list
			}
		}
	}
}

func (r *record) leaveGroup(group *record) {
	r.groups = slices.DeleteFunc(r.groups, func(g *record) bool { return g == group })
}

// index fills the keys of a record from its attributes.
func (r *record) index(resource map[string]any) {
	name, _ := resource[r.kind.nameAttr].(string)
	r.name = scim.FoldKey(name)
	if r.kind.nameAttr == "displayName" {
		r.label = name
	}
	r.keys = [indexes][]string{}
	if id, ok := resource["externalId"].(string); ok {
		r.keys[byExternalID] = []string{id}
	}
	if r.kind.nameAttr != "displayName" {
		if name, ok := resource["displayName"].(string); ok {
			r.keys[byDisplayName] = []string{scim.FoldKey(name)}
		}
	}
	emails, _ := resource["emails"].([]any)
	for _, e := range emails {
		m, _ := e.(map[string]any)
		if v, ok := m["value"].(string); ok && !slices.Contains(r.keys[byEmail], scim.FoldKey(v)) {
			r.keys[byEmail] = append(r.keys[byEmail], scim.FoldKey(v))
		}
	}
	active, known := resource["active"].(bool)
	r.active = active || !known
}

// etag is the weak entity tag of the version (RFC 7644 section 3.14).
func (r *record) etag() string {
	return `W/"` + strconv.Itoa(r.version) + `"`
}

// append writes the resource as a client sees it. origin is what locations begin with.
func (r *record) append(b []byte, origin string, withMembers bool) []byte {
	b = append(b, r.body...)
	if withMembers && r.members != nil && r.members.len() > 0 {
		separator := `,"members":[`
		for m := range r.members.all() {
			b = append(b, separator...)
			b = m.append(b, origin)
			separator = ","
		}
		b = append(b, ']')
	}
	if r.kind.typeName == "User" && len(r.groups) > 0 {
		separator := `,"groups":[`
		for _, g := range r.groups {
			b = append(b, separator...)
			b = append(b, `{"value":"`...)
			b = append(b, g.id...)
			b = append(b, `","$ref":"`...)
			b = appendText(b, origin)
			b = append(b, "/Groups/"...)
			b = append(b, g.id...)
			b = append(b, `","display":"`...)
			b = appendText(b, g.label)
			b = append(b, `","type":"direct"}`...)
			separator = ","
		}
		b = append(b, ']')
	}
	b = append(b, `,"meta":{"resourceType":"`...)
	b = append(b, r.kind.typeName...)
	b = append(b, `","created":"`...)
	b = r.created.UTC().AppendFormat(b, timeFormat)
	b = append(b, `","lastModified":"`...)
	b = r.modified.UTC().AppendFormat(b, timeFormat)
	b = append(b, `","location":"`...)
	b = appendText(b, origin)
	b = append(b, '/')
	b = append(b, r.kind.path...)
	b = append(b, '/')
	b = append(b, r.id...)
	b = append(b, `","version":"W/\"`...)
	b = strconv.AppendInt(b, int64(r.version), 10)
	return append(b, `\""}}`...)
}

// timeFormat is an XML Schema dateTime with milliseconds.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"
