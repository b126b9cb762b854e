package memory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Config says how a System behaves. The zero value of everything but Schema works.
type Config struct {
	Schema schema.Schema // object types; an attribute marked Unique is kept unique under its case rule

	Uses  []connector.Use  // attributes that Get, Find and List return, per kind; a kind that is not named returns all
	Meter *connector.Meter // calls of the target are counted here; may be nil
	Caps  connector.Caps   // what Probe returns; List and Calls are filled in

	// DropsReferences makes Create leave out references, as a target does that wants them in an update (design D1).
	DropsReferences bool

	// Before is asked before a call of the target takes effect, After when it has taken effect: an error is returned
	// in place of the result. Both may be called from several goroutines at once.
	Before func(Call) error
	After  func(Call) error
}

// Call is one call of the target, for hooks and for the journal.
type Call struct {
	Op     connector.Operation
	Kind   identity.Kind
	Anchor string             // of Get, Update and Delete; of Create in After only
	Attr   string             // of Find
	Value  string             // of Find; the cursor of List
	Object *identity.Object   // of Create, as given
	Change []connector.Change // of Update, as given
	Known  map[string]any     // of Update
}

// System is a source and a target in memory. Safe for concurrent use.
type System struct {
	cfg Config

	mu      sync.Mutex
	kinds   map[identity.Kind]*table
	seq     int64 // of the last change
	oldest  int64 // marks before it are too old
	made    int64 // objects made by Create
	journal []Call
}

var (
	_ connector.Source = (*System)(nil)
	_ connector.Feed   = (*System)(nil)
	_ connector.Lookup = (*System)(nil)
	_ connector.Target = (*System)(nil)
	_ connector.Lister = (*System)(nil)
)

// table holds the objects of one kind.
type table struct {
	def    *schema.Object
	rows   map[string]*row
	unique map[string]map[string]string // attribute → folded value → anchor
}

// row is an object or, when object is nil, what is left of one that is gone.
type row struct {
	object *identity.Object
	seq    int64
}

// New makes an empty system.
func New(cfg Config) *System {
	s := &System{cfg: cfg, kinds: map[identity.Kind]*table{}}
	for i := range cfg.Schema {
		def := &cfg.Schema[i]
		t := &table{def: def, rows: map[string]*row{}, unique: map[string]map[string]string{}}
		for _, a := range def.Attributes {
			if a.Unique {
				t.unique[a.Name] = map[string]string{}
			}
		}
		s.kinds[def.Kind] = t
	}
	return s
}

// Put stores objects as the system's own administrator would, replacing those with the same anchor. It is how tests
// fill a source. It panics when a kind is not in the schema or a unique value is taken: the test is wrong then.
func (s *System) Put(objects ...*identity.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range objects {
		t := s.kinds[o.Kind]
		if t == nil || o.Anchor == "" {
			panic(fmt.Sprintf("memory: put %s %q: unknown kind or no anchor", o.Kind, o.Anchor))
		}
		if attr, holder := t.taken(o); holder != "" {
			panic(fmt.Sprintf("memory: put %s %q: %s is the value of %q", o.Kind, o.Anchor, attr, holder))
		}
		s.store(t, clone(o))
	}
}

// Remove takes an object away for good, as the system's own administrator would.
func (s *System) Remove(kind identity.Kind, anchor string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.kinds[kind]; t != nil {
		s.drop(t, anchor)
	}
}

// Objects returns all objects of a kind as they are, in the order of their anchors.
func (s *System) Objects(kind identity.Kind) []*identity.Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*identity.Object
	if t := s.kinds[kind]; t != nil {
		for _, anchor := range t.anchors() {
			out = append(out, clone(t.rows[anchor].object))
		}
	}
	return out
}

// Journal returns the calls of the target so far, those that failed included, in the order in which they began.
func (s *System) Journal() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.journal)
}

// Forget makes all marks taken so far too old for Changes, and forgets what is gone.
func (s *System) Forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seq++
	s.oldest = s.seq
	for _, t := range s.kinds {
		for anchor, r := range t.rows {
			if r.object == nil {
				delete(t.rows, anchor)
			}
		}
	}
}

// anchors returns the anchors of the objects that exist, in order: numbers by size, then texts.
func (t *table) anchors() []string {
	out := make([]string, 0, len(t.rows))
	for anchor, r := range t.rows {
		if r.object != nil {
			out = append(out, anchor)
		}
	}
	slices.SortFunc(out, func(a, b string) int {
		x, errX := strconv.ParseInt(a, 10, 64)
		y, errY := strconv.ParseInt(b, 10, 64)
		if errX == nil && errY == nil {
			return cmp.Compare(x, y)
		}
		return cmp.Compare(a, b)
	})
	return out
}

// taken returns the first unique attribute of o whose value another object has, and that object's anchor.
func (t *table) taken(o *identity.Object) (attr, holder string) {
	for _, a := range t.def.Attributes {
		if !a.Unique {
			continue
		}
		if key := key(a, o); key != "" {
			if holder := t.unique[a.Name][key]; holder != "" && holder != o.Anchor {
				return a.Name, holder
			}
		}
	}
	return "", ""
}

// key is the value of a unique attribute under its case rule, "" for none.
func key(a schema.Attribute, o *identity.Object) string {
	v, ok := o.Get(a.Name)
	if !ok {
		return ""
	}
	text := fmt.Sprint(identity.Plain(v))
	if a.FoldCase {
		text = identity.Fold(text)
	}
	return text
}

// store keeps o, which nobody else may change afterwards.
func (s *System) store(t *table, o *identity.Object) {
	s.unindex(t, o.Anchor)
	for name, index := range t.unique {
		if a, _ := t.def.Attribute(name); key(a, o) != "" {
			index[key(a, o)] = o.Anchor
		}
	}
	s.seq++
	t.rows[o.Anchor] = &row{object: o, seq: s.seq}
}

func (s *System) drop(t *table, anchor string) {
	if t.object(anchor) == nil {
		return
	}
	s.unindex(t, anchor)
	s.seq++
	t.rows[anchor] = &row{seq: s.seq}
}

func (s *System) unindex(t *table, anchor string) {
	old := t.object(anchor)
	if old == nil {
		return
	}
	for name, index := range t.unique {
		if a, _ := t.def.Attribute(name); index[key(a, old)] == anchor {
			delete(index, key(a, old))
		}
	}
}

// object returns the object with this anchor, nil when there is none.
func (t *table) object(anchor string) *identity.Object {
	if r := t.rows[anchor]; r != nil {
		return r.object
	}
	return nil
}

func clone(o *identity.Object) *identity.Object {
	c := *o
	c.Attrs = make(identity.Attrs, 0, len(o.Attrs))
	for _, a := range o.Attrs {
		if a.Value != nil {
			c.Attrs = append(c.Attrs, identity.Attr{Name: a.Name, Value: cloneValue(a.Value)})
		}
	}
	if o.Assignment != nil {
		as := *o.Assignment
		as.Roles = slices.Clone(as.Roles)
		c.Assignment = &as
	}
	return &c
}

func cloneValue(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = cloneValue(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = cloneValue(e)
		}
		return out
	}
	return v
}
