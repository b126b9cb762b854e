package memory

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// defaultPage is the number of objects in a page of List when Caps does not say.
const defaultPage = 100

// methods are the calls of each operation, so that a plan's prediction can be held against the meter.
func (s *System) methods() map[connector.Operation][]string {
	probe := make([]string, max(1, len(s.cfg.Uses)))
	for i := range probe {
		probe[i] = http.MethodGet
	}
	return map[connector.Operation][]string{
		connector.OpProbe: probe, connector.OpList: {http.MethodGet}, connector.OpFind: {http.MethodGet},
		connector.OpGet: {http.MethodGet}, connector.OpCreate: {http.MethodPost},
		connector.OpUpdate: {http.MethodPatch}, connector.OpDelete: {http.MethodDelete},
	}
}

// begin writes a call down, counts it and asks the hook.
func (s *System) begin(ctx context.Context, c Call) error {
	if err := ctx.Err(); err != nil {
		return &connector.Error{Kind: connector.KindTemporary, Op: string(c.Op), NotSent: true, Err: err}
	}
	s.mu.Lock()
	s.journal = append(s.journal, c)
	s.mu.Unlock()
	if s.cfg.Meter != nil {
		for _, m := range s.methods()[c.Op] {
			s.cfg.Meter.Add(m)
		}
	}
	if s.cfg.Before != nil {
		return s.cfg.Before(c)
	}
	return nil
}

func (s *System) end(c Call) error {
	if s.cfg.After != nil {
		return s.cfg.After(c)
	}
	return nil
}

// Probe implements connector.Target.
func (s *System) Probe(ctx context.Context) (connector.Caps, error) {
	c := Call{Op: connector.OpProbe}
	if err := s.begin(ctx, c); err != nil {
		return connector.Caps{}, err
	}
	caps := s.cfg.Caps
	caps.List = true
	if caps.PageSize == 0 {
		caps.PageSize = defaultPage
	}
	caps.Calls = maps.Clone(s.methods())
	return caps, s.end(c)
}

// Find implements connector.Target.
func (s *System) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
	c := Call{Op: connector.OpFind, Kind: kind, Attr: attr, Value: value}
	t, err := s.table(kind, "find")
	if err != nil {
		return nil, err
	}
	def, ok := t.def.Attribute(attr)
	if !ok && !t.def.Open {
		return nil, &connector.Error{Kind: connector.KindInvalid, Op: "find " + string(kind), Detail: fmt.Sprintf("there is no attribute %q", attr)}
	}
	if err := s.begin(ctx, c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	out := []*identity.Object{}
	for _, anchor := range t.anchors() {
		o := t.rows[anchor].object
		v, ok := o.Get(attr)
		if ok && len(out) < limit && holds(v, value, def.FoldCase) {
			out = append(out, s.shown(o))
		}
	}
	s.mu.Unlock()
	return out, s.end(c)
}

// holds tells whether a value is, or among several has, the text asked for.
func holds(v any, want string, fold bool) bool {
	if list, ok := v.([]any); ok {
		return slices.ContainsFunc(list, func(e any) bool { return holds(e, want, fold) })
	}
	return identity.Equal(fmt.Sprint(identity.Plain(v)), want, fold)
}

// Get implements connector.Target.
func (s *System) Get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error) {
	c := Call{Op: connector.OpGet, Kind: kind, Anchor: anchor}
	t, err := s.table(kind, "get")
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	o := t.object(anchor)
	if o != nil {
		o = s.shown(o)
	}
	s.mu.Unlock()
	if o == nil {
		return nil, gone("get", kind, anchor)
	}
	return o, s.end(c)
}

// Create implements connector.Target.
func (s *System) Create(ctx context.Context, obj *identity.Object) (*identity.Object, error) {
	c := Call{Op: connector.OpCreate, Kind: obj.Kind, Object: clone(obj)}
	t, err := s.table(obj.Kind, "create")
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	made, err := s.create(t, obj)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	c.Anchor = made.Anchor
	return made, s.end(c)
}

func (s *System) create(t *table, obj *identity.Object) (*identity.Object, error) {
	o := clone(obj)
	if s.cfg.DropsReferences {
		o.Attrs = slices.DeleteFunc(o.Attrs, func(a identity.Attr) bool { return isReference(a.Value) })
	}
	o.Anchor = strconv.FormatInt(s.made+1, 10)
	for t.rows[o.Anchor] != nil {
		s.made++
		o.Anchor = strconv.FormatInt(s.made+1, 10)
	}
	if err := s.check("create", t, o, o.Attrs); err != nil {
		return nil, err
	}
	s.made++
	s.store(t, o)
	// The answer shows references that were kept, members too (design D1).
	return only(o, append(s.names(t), s.lists(t)...)), nil
}

// check refuses what the schema does not allow in o, of which written are the attributes that a caller gave.
func (s *System) check(op string, t *table, o *identity.Object, written identity.Attrs) error {
	refuse := func(code, format string, args ...any) error {
		return &connector.Error{Kind: connector.KindInvalid, Op: op + " " + string(o.Kind), Code: code, Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
	}
	for _, a := range written {
		def, ok := t.def.Attribute(a.Name)
		switch {
		case !ok && !t.def.Open:
			return refuse(connector.CodeUnprocessable, "there is no attribute %q", a.Name)
		case ok && def.ReadOnly:
			return refuse(connector.CodeUnprocessable, "%s cannot be written", a.Name)
		}
		for ref := range references(a.Value) {
			if r := s.kinds[ref.Kind]; r == nil || r.object(ref.Anchor) == nil {
				return refuse(connector.CodeUnprocessable, "%s refers to %s %q, which does not exist", a.Name, ref.Kind, ref.Anchor)
			}
		}
	}
	for _, def := range t.def.Attributes {
		if v, _ := o.Get(def.Name); def.Required && identity.Empty(v) {
			return refuse(connector.CodeMandatoryMissing, "%s has no value", def.Name)
		}
	}
	if attr, holder := t.taken(o); holder != "" {
		return &connector.Error{Kind: connector.KindConflict, Op: op + " " + string(o.Kind), Code: connector.CodeConflict, Status: http.StatusConflict, Detail: fmt.Sprintf("another object has this %s", attr)}
	}
	return nil
}

// Update implements connector.Target. It changes everything or nothing.
func (s *System) Update(ctx context.Context, u connector.Update) (*identity.Object, error) {
	c := Call{Op: connector.OpUpdate, Kind: u.Kind, Anchor: u.Anchor, Change: slices.Clone(u.Changes), Known: maps.Clone(u.Known)}
	t, err := s.table(u.Kind, "update")
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx, c); err != nil {
		return nil, err
	}
	s.mu.Lock()
	o, err := s.update(t, u)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return o, s.end(c)
}

func (s *System) update(t *table, u connector.Update) (*identity.Object, error) {
	old := t.object(u.Anchor)
	if old == nil {
		return nil, gone("update", u.Kind, u.Anchor)
	}
	o := clone(old)
	written := make(identity.Attrs, 0, len(u.Changes))
	for _, ch := range u.Changes {
		v, _ := o.Get(ch.Attr)
		if s.cfg.Caps.WholeMembers && ch.Op == connector.Remove {
			return nil, &connector.Error{Kind: connector.KindUnsupported, Op: "update " + string(u.Kind), Detail: "single members cannot be taken away"}
		}
		written = append(written, identity.Attr{Name: ch.Attr, Value: ch.New})
		switch ch.Op {
		case connector.Set:
			o.Attrs.Set(ch.Attr, cloneValue(ch.New))
		case connector.Clear:
			o.Attrs.Set(ch.Attr, nil)
		case connector.Add:
			o.Attrs.Set(ch.Attr, added(v, ch.New))
		case connector.Remove:
			o.Attrs.Set(ch.Attr, removed(v, ch.New))
			written[len(written)-1].Value = nil // what is taken away need not exist
		default:
			return nil, &connector.Error{Kind: connector.KindInvalid, Op: "update " + string(u.Kind), Detail: fmt.Sprintf("there is no operation %q", ch.Op)}
		}
	}
	o = clone(o) // without the attributes that are nil now
	if err := s.check("update", t, o, written); err != nil {
		return nil, err
	}
	s.store(t, o)
	return s.shown(o), nil
}

// Delete implements connector.Target. References to the object go with it.
func (s *System) Delete(ctx context.Context, kind identity.Kind, anchor string) error {
	c := Call{Op: connector.OpDelete, Kind: kind, Anchor: anchor}
	t, err := s.table(kind, "delete")
	if err != nil {
		return err
	}
	if err := s.begin(ctx, c); err != nil {
		return err
	}
	s.mu.Lock()
	if t.object(anchor) != nil {
		s.drop(t, anchor)
		s.unlink(identity.Ref{Kind: kind, Anchor: anchor})
	}
	s.mu.Unlock()
	return s.end(c)
}

// unlink takes an object that is gone out of all references.
func (s *System) unlink(gone identity.Ref) {
	for _, t := range s.kinds {
		for anchor, r := range t.rows {
			if r.object == nil {
				continue
			}
			for _, a := range r.object.Attrs {
				if !slices.Contains(slices.Collect(references(a.Value)), gone) {
					continue
				}
				o := clone(t.rows[anchor].object)
				o.Attrs.Set(a.Name, removed(a.Value, []any{gone}))
				s.store(t, clone(o))
			}
		}
	}
}

// List implements connector.Lister. Cursors are the number of objects delivered.
func (s *System) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	c := Call{Op: connector.OpList, Kind: kind, Value: cursor}
	t, err := s.table(kind, "list")
	if err != nil {
		return connector.Page{}, err
	}
	start := 0
	if cursor != "" {
		if start, err = strconv.Atoi(cursor); err != nil || start < 0 {
			return connector.Page{}, &connector.Error{Kind: connector.KindInvalid, Op: "list " + string(kind), Detail: fmt.Sprintf("%q is no cursor of a listing", cursor)}
		}
	}
	if err := s.begin(ctx, c); err != nil {
		return connector.Page{}, err
	}
	size := s.cfg.Caps.PageSize
	if size <= 0 {
		size = defaultPage
	}
	s.mu.Lock()
	anchors := t.anchors()
	page := connector.Page{Total: len(anchors)}
	for _, anchor := range anchors[min(start, len(anchors)):min(start+size, len(anchors))] {
		page.Objects = append(page.Objects, s.shown(t.rows[anchor].object))
	}
	s.mu.Unlock()
	if end := start + len(page.Objects); end < page.Total {
		page.Next = strconv.Itoa(end)
	}
	return page, s.end(c)
}

func (s *System) table(kind identity.Kind, op string) (*table, error) {
	if t := s.kinds[kind]; t != nil {
		return t, nil
	}
	return nil, &connector.Error{Kind: connector.KindInvalid, Op: op + " " + string(kind), Detail: fmt.Sprintf("there is no object type %q", kind)}
}

// shown is an object as the target's answers show it: the attributes in use, never references with several values.
func (s *System) shown(o *identity.Object) *identity.Object {
	return only(o, s.names(s.kinds[o.Kind]))
}

// names are the attributes that answers show.
func (s *System) names(t *table) []string {
	var names []string
	for _, a := range s.used(t) {
		if !listOfReferences(a) {
			names = append(names, a.Name)
		}
	}
	return names
}

// lists are the references with several values in use.
func (s *System) lists(t *table) []string {
	var names []string
	for _, a := range s.used(t) {
		if listOfReferences(a) {
			names = append(names, a.Name)
		}
	}
	return names
}

func (s *System) used(t *table) []schema.Attribute {
	for _, u := range s.cfg.Uses {
		if u.Kind == t.def.Kind {
			return u.Attributes
		}
	}
	return t.def.Attributes
}

func listOfReferences(a schema.Attribute) bool { return a.Type == schema.Reference && a.MultiValued }

func gone(op string, kind identity.Kind, anchor string) error {
	return &connector.Error{Kind: connector.KindNotFound, Op: op + " " + string(kind), Code: connector.CodeInvalidAnchor, Status: http.StatusNotFound, Detail: fmt.Sprintf("there is no %s %q", kind, anchor)}
}

func isReference(v any) bool {
	for range references(v) {
		return true
	}
	return false
}

// references are the references in a value.
func references(v any) func(yield func(identity.Ref) bool) {
	return func(yield func(identity.Ref) bool) {
		switch v := v.(type) {
		case identity.Ref:
			yield(v)
		case []any:
			for _, e := range v {
				if r, ok := e.(identity.Ref); ok && !yield(r) {
					return
				}
			}
		}
	}
}

func list(v any) []any {
	switch v := v.(type) {
	case nil:
		return nil
	case []any:
		return v
	}
	return []any{v}
}

func added(old, more any) any {
	out := slices.Clone(list(old))
	for _, e := range list(more) {
		if !slices.ContainsFunc(out, func(x any) bool { return identity.Equal(x, e, false) }) {
			out = append(out, e)
		}
	}
	return identity.Normal(out)
}

func removed(old, less any) any {
	var out []any
	for _, e := range list(old) {
		if !slices.ContainsFunc(list(less), func(x any) bool { return identity.Equal(x, e, false) }) {
			out = append(out, e)
		}
	}
	if _, single := old.([]any); !single {
		if len(out) == 1 {
			return out[0]
		}
		return nil
	}
	return identity.Normal(out)
}
