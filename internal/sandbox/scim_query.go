package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// Page sizes (RFC 7644 section 3.4.2.4).
const (
	defaultPage = 100
	maxPage     = 200
)

// get is GET of one resource (RFC 7644 section 3.4.1).
func (c *call) get(id string) error {
	c.app.store.mu.RLock()
	defer c.app.store.mu.RUnlock()
	rec, err := c.find(id)
	if err != nil {
		return err
	}
	if known := c.r.Header.Get("If-None-Match"); known != "" && !c.app.facts.noETags && matchesTag(known, rec.etag()) {
		c.w.Header().Set("ETag", rec.etag())
		c.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return c.answer(http.StatusOK, rec)
}

// find gives the resource that the path names. The store is locked.
func (c *call) find(id string) (*record, error) {
	if rec := c.kind.byID[id]; rec != nil {
		return rec, nil
	}
	if same := c.kind.by[byExternalID][id]; c.app.facts.externalInPath && len(same) > 0 {
		return same[0], nil
	}
	status := http.StatusNotFound
	if s := c.app.facts.groupStatus; s != 0 && c.kind.path == groupsPath {
		status = s
	}
	return nil, scim.NewError(status, "", "there is no %s %s", c.kind.typeName, id)
}

// answer writes one resource. The store is locked.
func (c *call) answer(status int, rec *record) error {
	data, err := c.view.append(nil, rec, c.origin)
	if err != nil {
		return err
	}
	h := c.w.Header()
	h.Set("Content-Type", scim.MediaType)
	c.tag(rec)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(data) // a reply in memory takes everything
	return nil
}

// tag puts the version of a resource into the answer.
func (c *call) tag(rec *record) {
	if !c.app.facts.noETags {
		c.w.Header().Set("ETag", rec.etag())
	}
}

// list is GET of many (RFC 7644 section 3.4.2).
func (c *call) list() error {
	start, err := c.number("startIndex", 1)
	if err != nil {
		return err
	}
	size := c.app.facts.page(c.kind)
	count, err := c.number("count", size.standard)
	if err != nil {
		return err
	}
	if start, count = max(start, 1), max(count, 0); c.query.Get("count") != "" {
		count = min(count, size.most)
	}
	var q *query
	if c.query.Has("filter") {
		if q, err = c.parseFilter(c.query.Get("filter")); err != nil {
			return err
		}
	}
	c.app.store.mu.RLock()
	defer c.app.store.mu.RUnlock()
	hits := c.kind.live()
	if q != nil {
		if hits, err = c.search(q); err != nil {
			return err
		}
	}
	if c.app.facts.cursors.wanted(c) {
		return c.listByCursor(hits)
	}
	total := len(hits)
	hits = hits[min(start-1, total):]
	hits = hits[:min(count, len(hits))]
	head := fmt.Appendf(nil, `"totalResults":%d,"startIndex":%d,`, total, start)
	return c.answerList(head, hits)
}

// answerList writes a page; head is what stands in the message before the number of its resources.
func (c *call) answerList(head []byte, hits []*record) error {
	b := make([]byte, 0, 256+1024*len(hits))
	b = append(b, `{"schemas":["`+scim.ListResponseURN+`"],`...)
	b = append(b, head...)
	b = append(b, `"itemsPerPage":`...)
	b = strconv.AppendInt(b, int64(len(hits)), 10)
	b = append(b, `,"Resources":[`...)
	var err error
	for i, rec := range hits {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = c.view.append(b, rec, c.origin); err != nil {
			return err
		}
	}
	b = append(b, `]}`...)
	c.w.Header().Set("Content-Type", scim.MediaType)
	_, _ = c.w.Write(b) // a reply in memory takes everything
	return nil
}

func (c *call) number(name string, otherwise int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s is %q; it must be a whole number", name, text)
	}
	return n, nil
}

// query is a filter ready to use.
type query struct {
	filter  scim.Filter
	matches scim.Predicate
	full    bool // looks at what is not kept with the attributes
}

func (c *call) parseFilter(text string) (*query, error) {
	f, err := scim.ParseFilter(text, c.def.SchemaURIs()...)
	if err != nil {
		return nil, err
	}
	if err := c.app.facts.each(func(rule scimRule) error {
		if rule.filter == nil {
			return nil
		}
		return rule.filter(c, f)
	}); err != nil {
		return nil, err
	}
	allowed := c.app.facts.userFilters
	if c.kind == &c.app.store.groups {
		allowed = c.app.facts.groupFilters
	}
	q := &query{filter: f}
	for _, path := range pathsOf(f) {
		name := scim.FoldKey(path.Attribute)
		if allowed != nil && (!slices.Contains(allowed, name) || path.SubAttribute != "" || path.Filter != nil) {
			return nil, scim.NewError(http.StatusBadRequest, scim.InvalidFilter, "%s cannot be used in filters; use %s", path,
				strings.Join(allowed, ", "))
		}
		switch name {
		case "members", "groups", "meta":
			q.full = true
		}
	}
	if q.matches, err = scim.Compile(f, c.def); err != nil {
		return nil, err
	}
	return q, nil
}

// pathsOf lists the attributes a filter looks at, those within brackets not counted.
func pathsOf(f scim.Filter) []scim.Path {
	switch f := f.(type) {
	case *scim.Logical:
		return append(pathsOf(f.Left), pathsOf(f.Right)...)
	case *scim.Not:
		return pathsOf(f.Filter)
	case *scim.Compare:
		return []scim.Path{f.Path}
	case *scim.Has:
		return []scim.Path{f.Path}
	}
	return nil
}

// search gives the resources that match. The store is locked.
func (c *call) search(q *query) ([]*record, error) {
	candidates, exact, indexed := c.lookup(q.filter)
	if indexed && exact {
		return candidates, nil
	}
	if !indexed {
		candidates = c.kind.live()
	}
	var hits []*record
	for _, rec := range candidates {
		resource, err := rec.resource(q.full, c.origin)
		if err != nil {
			return nil, err
		}
		if q.matches(resource) {
			hits = append(hits, rec)
		}
	}
	return hits, nil
}

// resource decodes a record, on demand with members, groups and meta.
func (r *record) resource(full bool, origin string) (map[string]any, error) {
	if !full {
		return r.decode()
	}
	return decodeObject(r.append(nil, origin, true))
}

// lookup uses an index. indexed says there is one for the filter, exact that all candidates match.
func (c *call) lookup(f scim.Filter) (candidates []*record, exact, indexed bool) {
	switch f := f.(type) {
	case *scim.Logical:
		if f.Or {
			return nil, false, false
		}
		if candidates, _, indexed = c.lookup(f.Left); indexed {
			return candidates, false, true
		}
		candidates, _, indexed = c.lookup(f.Right)
		return candidates, false, indexed
	case *scim.Compare:
		value, ok := f.Value.(string)
		if !ok || f.Operator != scim.Equal || f.Path.Schema != "" && !strings.EqualFold(f.Path.Schema, c.def.Core().ID) {
			return nil, false, false
		}
		return c.lookupEqual(f.Path, value)
	}
	return nil, false, false
}

func (c *call) lookupEqual(path scim.Path, value string) (candidates []*record, exact, indexed bool) {
	one := func(rec *record) ([]*record, bool, bool) {
		if rec == nil {
			return nil, true, true
		}
		return []*record{rec}, true, true
	}
	name, sub := scim.FoldKey(path.Attribute), scim.FoldKey(path.SubAttribute)
	switch {
	case name == "emails" && (sub == "" || sub == "value"):
		return c.kind.by[byEmail][scim.FoldKey(value)], false, true
	case name == "members" && c.kind == &c.app.store.groups && path.Filter == nil && (sub == "" || sub == "value"):
		if rec := c.app.store.find(c.app.store.spelled(value)); rec != nil {
			return rec.groups, false, true
		}
		return nil, true, true
	case sub != "" || path.Filter != nil:
		return nil, false, false
	case name == scim.FoldKey(c.kind.nameAttr):
		return one(c.kind.byName[scim.FoldKey(value)])
	case name == "id":
		return one(c.kind.byID[value])
	case name == "externalid":
		return c.kind.by[byExternalID][value], true, true
	case name == "displayname":
		return c.kind.by[byDisplayName][scim.FoldKey(value)], true, true
	}
	return nil, false, false
}

// projection is what a client wants to see of a resource (RFC 7644 section 3.9).
type projection struct {
	def      *scim.Definition
	only     []scim.Path // attributes; nil: the default ones
	without  []scim.Path // excludedAttributes
	noMember bool        // nothing but the members is excluded
	show     func(rec *record, resource map[string]any)
}

func (c *call) projection() (projection, error) {
	p := projection{def: c.def, show: c.shown()}
	if !c.query.Has("attributes") && !c.query.Has("excludedAttributes") {
		return p, nil
	}
	var err error
	if p.only, err = c.paths("attributes"); err != nil {
		return p, err
	}
	if p.without, err = c.paths("excludedAttributes"); err != nil {
		return p, err
	}
	if p.only != nil && p.without != nil && c.def.Strict() {
		return p, scim.NewError(http.StatusBadRequest, scim.InvalidValue, "send attributes or excludedAttributes, not both")
	}
	p.noMember = p.only == nil && len(p.without) == 1 && strings.EqualFold(p.without[0].String(), "members")
	return p, nil
}

// shown gives what the rules change on resources that go out, nil for nothing.
func (c *call) shown() func(*record, map[string]any) {
	var all []scimRule
	for _, rule := range c.app.facts.rules {
		if rule.show != nil {
			all = append(all, rule)
		}
	}
	if all == nil && !c.app.facts.noETags {
		return nil
	}
	return func(rec *record, resource map[string]any) {
		if meta, ok := resource["meta"].(map[string]any); ok && c.app.facts.noETags {
			delete(meta, "version")
		}
		for _, rule := range all {
			rule.show(c, rec, resource)
		}
	}
}

func (c *call) paths(parameter string) ([]scim.Path, error) {
	var list []scim.Path
	for name := range strings.SplitSeq(strings.Join(c.query[parameter], ","), ",") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		path, err := scim.ParsePath(name, c.def.SchemaURIs()...)
		if err != nil || path.Filter != nil {
			return nil, scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s: %s is not an attribute name", parameter, name)
		}
		list = append(list, path)
	}
	return list, nil
}

// append writes a resource with what the client wants of it.
func (p projection) append(b []byte, rec *record, origin string) ([]byte, error) {
	if p.show == nil && (p.noMember || p.only == nil && p.without == nil) {
		return rec.append(b, origin, !p.noMember), nil
	}
	resource, err := rec.resource(true, origin)
	if err != nil {
		return nil, err
	}
	if p.show != nil {
		p.show(rec, resource)
	}
	if p.only != nil {
		resource = p.pick(resource)
	} else {
		p.strip(resource)
	}
	return appendJSON(b, resource)
}

// object gives the object that holds a path's attribute, and the key of it.
func (p projection) object(resource map[string]any, path scim.Path) map[string]any {
	if path.Schema == "" || scim.IsCoreURN(path.Schema) {
		return resource
	}
	_, v, _ := scim.Lookup(resource, path.Schema)
	object, _ := v.(map[string]any)
	return object
}

// pick makes a resource of the attributes asked for and those that are always returned.
func (p projection) pick(resource map[string]any) map[string]any {
	out := map[string]any{"schemas": resource["schemas"], "id": resource["id"]}
	for _, path := range p.only {
		from := p.object(resource, path)
		to := out
		if path.Schema != "" && !scim.IsCoreURN(path.Schema) {
			key, _, ok := scim.Lookup(resource, path.Schema)
			if !ok {
				continue
			}
			if path.Attribute == "" {
				out[key] = from
				continue
			}
			if _, ok := out[key].(map[string]any); !ok {
				out[key] = map[string]any{}
			}
			to = out[key].(map[string]any)
		}
		key, v, ok := scim.Lookup(from, path.Attribute)
		if !ok {
			continue
		}
		if path.SubAttribute != "" {
			v = pickSub(to[key], v, path.SubAttribute)
		}
		to[key] = v
	}
	for name, v := range out {
		if m, ok := v.(map[string]any); ok && len(m) == 0 {
			delete(out, name)
		}
	}
	return out
}

// pickSub adds one sub-attribute to what has been picked of an attribute already.
func pickSub(picked, v any, sub string) any {
	switch v := v.(type) {
	case []any:
		have, _ := picked.([]any)
		list := make([]any, len(v))
		for i, e := range v {
			var before any
			if len(have) == len(v) {
				before = have[i]
			}
			list[i] = pickSub(before, e, sub)
		}
		return list
	case map[string]any:
		out, ok := picked.(map[string]any)
		if !ok {
			out = map[string]any{}
		}
		if key, e, ok := scim.Lookup(v, sub); ok {
			out[key] = e
		}
		return out
	}
	return v
}

// strip takes out what is excluded, except what is always returned.
func (p projection) strip(resource map[string]any) {
	for _, path := range p.without {
		if a := p.def.Find(path); a != nil && a.Returned == scim.ReturnedAlways {
			continue
		}
		object := p.object(resource, path)
		name := path.Attribute
		if name == "" {
			object, name = resource, path.Schema
		}
		key, v, ok := scim.Lookup(object, name)
		switch {
		case !ok:
		case path.SubAttribute == "":
			delete(object, key)
		default:
			stripSub(v, path.SubAttribute)
		}
	}
}

func stripSub(v any, sub string) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			stripSub(e, sub)
		}
	case map[string]any:
		if key, _, ok := scim.Lookup(v, sub); ok {
			delete(v, key)
		}
	}
}
