package sandbox

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// create is POST (RFC 7644 section 3.3).
func (c *call) create() error {
	object, err := c.object()
	if err != nil {
		return err
	}
	resource, members, err := c.canonical(object)
	if err != nil {
		return err
	}
	c.app.store.mu.Lock()
	defer c.app.store.mu.Unlock()
	rec, err := c.insert(resource, members)
	if err != nil {
		return err
	}
	c.w.Header().Set("Location", c.origin+"/"+c.kind.path+"/"+rec.id)
	return c.answer(http.StatusCreated, rec)
}

// insert makes a record of a canonical resource. The store is locked for writing.
func (c *call) insert(resource map[string]any, members any) (*record, error) {
	now := c.app.cfg.Now()
	rec := &record{kind: c.kind, id: uuid.NewString(), version: 1, created: now, modified: now}
	if newID := c.app.facts.newID; newID != nil {
		rec.id = newID(c.kind, c.kind.serial+1)
	}
	if c.kind == &c.app.store.groups {
		rec.members = newMemberList()
	}
	edit := c.app.editMembers(nil, c.origin)
	if err := edit.add(members); err != nil {
		return nil, err
	}
	if err := c.obey(rec, resource, edit); err != nil {
		return nil, err
	}
	if err := c.nameFree(rec, resource); err != nil {
		return nil, err
	}
	var err error
	if rec.body, err = encodeBody(rec.id, resource); err != nil {
		return nil, err
	}
	rec.index(resource)
	c.kind.insert(rec)
	edit.commit(rec)
	c.kept(rec)
	return rec, nil
}

// kept tells the rules of the service that a resource has been kept.
func (c *call) kept(rec *record) {
	for _, rule := range c.app.facts.rules {
		if rule.kept != nil {
			rule.kept(c, rec)
		}
	}
}

// obey applies the rules of the service to a resource that is about to be kept. The store is locked for writing.
func (c *call) obey(rec *record, resource map[string]any, edit *memberEdit) error {
	return c.app.facts.each(func(rule scimRule) error {
		if rule.members != nil && c.kind == &c.app.store.groups {
			if err := rule.members(c, edit); err != nil {
				return err
			}
		}
		if rule.resource == nil {
			return nil
		}
		return rule.resource(c, rec, resource)
	})
}

// replace is PUT (RFC 7644 section 3.5.1).
func (c *call) replace(id string) error {
	object, err := c.object()
	if err != nil {
		return err
	}
	resource, members, err := c.canonical(object)
	if err != nil {
		return err
	}
	c.app.store.mu.Lock()
	defer c.app.store.mu.Unlock()
	rec, err := c.current(id)
	if err != nil {
		return err
	}
	edit := c.app.editMembers(rec, c.origin)
	edit.clear()
	if err := edit.add(members); err != nil {
		return err
	}
	if err := c.update(rec, resource, edit); err != nil {
		return err
	}
	return c.answer(http.StatusOK, rec)
}

// patch is PATCH (RFC 7644 section 3.5.2). Users are answered with the resource, groups, which may be large, with
// 204 unless attributes are asked for.
func (c *call) patch(id string) error {
	if err := c.checkType(); err != nil {
		return err
	}
	op, err := scim.ParsePatchOp(c.body)
	if err != nil {
		return err
	}
	if err := c.emptyPath(); err != nil {
		return err
	}
	if err := c.app.facts.each(func(rule scimRule) error {
		if rule.patch == nil {
			return nil
		}
		return rule.patch(c, op.Operations)
	}); err != nil {
		return err
	}
	c.app.store.mu.Lock()
	defer c.app.store.mu.Unlock()
	rec, err := c.current(id)
	if err != nil {
		return err
	}
	resource, err := rec.decode()
	if err != nil {
		return err
	}
	edit := c.app.editMembers(rec, c.origin)
	if rec.members == nil {
		resource, err = scim.Apply(resource, op.Operations, c.def)
	} else {
		resource, err = c.patchGroup(resource, op.Operations, edit)
	}
	if err != nil {
		return err
	}
	resource["schemas"] = c.def.SchemasOf(resource)
	if resource, _, err = c.canonical(resource); err != nil {
		return err
	}
	if err := c.update(rec, resource, edit); err != nil {
		return err
	}
	if rec.members != nil && !c.query.Has("attributes") && !c.query.Has("excludedAttributes") {
		c.tag(rec)
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	return c.answer(http.StatusOK, rec)
}

// emptyPath refuses, if strict, an operation whose path is an empty text: the grammar of RFC 7644 section 3.5.2 has no
// such path, and one that is left out means something else.
func (c *call) emptyPath() error {
	if !c.def.Strict() {
		return nil
	}
	var op struct {
		Operations []struct {
			Path *string `json:"path"`
		}
	}
	if err := json.Unmarshal(c.body, &op); err != nil {
		return scim.NewError(http.StatusBadRequest, scim.InvalidSyntax, "the body is not a PatchOp message: %v", err)
	}
	for _, o := range op.Operations {
		if o.Path != nil && *o.Path == "" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidPath, "path is empty; leave it out to change several attributes")
		}
	}
	return nil
}

// delete is DELETE (RFC 7644 section 3.6).
func (c *call) delete(id string) error {
	c.app.store.mu.Lock()
	defer c.app.store.mu.Unlock()
	rec, err := c.current(id)
	if err != nil {
		return err
	}
	if c.app.facts.deleteDisables && rec.members == nil {
		if err := c.disable(rec); err != nil {
			return err
		}
		c.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	for _, g := range rec.groups {
		g.touch(c)
	}
	c.kind.remove(rec)
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

// disable is what a DELETE does where users cannot be deleted.
func (c *call) disable(rec *record) error {
	resource, err := rec.decode()
	if err != nil {
		return err
	}
	resource["active"] = false
	return c.update(rec, resource, c.app.editMembers(rec, c.origin))
}

// current finds the resource to change and checks the version the client expects (RFC 7644 section 3.14).
func (c *call) current(id string) (*record, error) {
	rec, err := c.find(id)
	if err != nil {
		return nil, err
	}
	if expected := c.r.Header.Get("If-Match"); expected != "" && !c.app.facts.noETags && !matchesTag(expected, rec.etag()) {
		return nil, scim.NewError(http.StatusPreconditionFailed, "", "the version is %s, not %s", rec.etag(), expected)
	}
	return rec, nil
}

// matchesTag reports whether a list of entity tags holds one that is weakly the same as tag.
func matchesTag(list, tag string) bool {
	for t := range strings.SplitSeq(list, ",") {
		if t = strings.TrimSpace(t); t == "*" || strings.TrimPrefix(t, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

// canonical checks a resource and brings it into the form to be kept; members are given apart.
func (c *call) canonical(object map[string]any) (resource map[string]any, members any, err error) {
	resource, problems := c.def.Canonical(object)
	if len(problems) > 0 {
		e := problems[0].Err()
		for _, p := range problems[1:] {
			e.Detail += "; " + p.Detail
		}
		return nil, nil, e
	}
	for _, name := range c.app.facts.ignored {
		delete(resource, name)
	}
	if c.app.facts.known {
		c.dropUnknown(resource)
	}
	delete(resource, "password") // never given back, and nobody signs in here
	if c.kind == &c.app.store.groups {
		members = resource["members"]
		delete(resource, "members")
	}
	return resource, members, c.app.checkDomain(resource)
}

// dropUnknown takes out what the definition does not have.
func (c *call) dropUnknown(resource map[string]any) {
	extensions := map[string]bool{}
	for _, e := range c.def.Extensions() {
		extensions[e.Schema.ID] = true
	}
	drop := func(schema string, object map[string]any) {
		for name, v := range object {
			path := scim.Path{Schema: schema, Attribute: name}
			if schema == "" {
				path.Schema = c.def.Core().ID
			}
			attribute := c.def.Find(path)
			if attribute == nil {
				if keeps := c.app.facts.keeps; keeps == nil || !keeps(path) {
					delete(object, name)
				}
				continue
			}
			if attribute.Type != scim.Complex {
				continue
			}
			elements, isList := v.([]any)
			if !isList {
				elements = []any{v}
			}
			for _, e := range elements {
				if m, ok := e.(map[string]any); ok {
					maps.DeleteFunc(m, func(name string, _ any) bool { return attribute.Sub(name) == nil })
				}
			}
		}
	}
	for name, v := range resource {
		if m, ok := v.(map[string]any); ok && extensions[name] {
			if drop(name, m); len(m) == 0 {
				delete(resource, name)
			}
		}
	}
	core := maps.Clone(resource)
	maps.DeleteFunc(core, func(name string, _ any) bool { return extensions[name] })
	kept := maps.Clone(core)
	drop("", kept)
	for name := range core {
		if _, ok := kept[name]; !ok {
			delete(resource, name)
		}
	}
	resource["schemas"] = c.def.SchemasOf(resource)
}

// checkDomain refuses mail addresses outside the configured domains.
func (a *scimApp) checkDomain(resource map[string]any) error {
	if len(a.domains) == 0 {
		return nil
	}
	var addresses []string
	if name, ok := resource["userName"].(string); ok && strings.Contains(name, "@") {
		addresses = append(addresses, name)
	}
	emails, _ := resource["emails"].([]any)
	for _, e := range emails {
		m, _ := e.(map[string]any)
		if v, ok := m["value"].(string); ok {
			addresses = append(addresses, v)
		}
	}
	for _, address := range addresses {
		domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
		if !slices.Contains(a.domains, domain) {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s is not in the domain %s", address,
				strings.Join(a.domains, ", "))
		}
	}
	return nil
}

// nameFree refuses a name that another resource has.
func (c *call) nameFree(rec *record, resource map[string]any) error {
	name, _ := resource[c.kind.nameAttr].(string)
	if owner := c.kind.byName[scim.FoldKey(name)]; owner != nil && owner != rec {
		return scim.NewError(http.StatusConflict, scim.Uniqueness, "%s %q is taken", c.kind.nameAttr, name)
	}
	return nil
}

// update gives a record new attributes and members; nothing changes when it is refused. The version counts
// changes only.
func (c *call) update(rec *record, resource map[string]any, edit *memberEdit) error {
	if err := c.obey(rec, resource, edit); err != nil {
		return err
	}
	if err := c.nameFree(rec, resource); err != nil {
		return err
	}
	body, err := encodeBody(rec.id, resource)
	if err != nil {
		return err
	}
	changed := !bytes.Equal(body, rec.body)
	if changed {
		c.kind.leave(rec)
		rec.body = body
		rec.index(resource)
		c.kind.enter(rec)
	}
	if rec.members != nil && edit.commit(rec) {
		changed = true
	}
	if changed {
		rec.touch(c)
	}
	c.kept(rec)
	return nil
}

// touch counts a change.
func (r *record) touch(c *call) {
	r.version++
	r.modified = c.app.cfg.Now()
}

// encodeBody makes the text a record keeps: schemas and id first, no closing brace.
func encodeBody(id string, resource map[string]any) ([]byte, error) {
	b := make([]byte, 0, 1024)
	b = append(b, `{"schemas":`...)
	b, err := appendJSON(b, resource["schemas"])
	if err != nil {
		return nil, err
	}
	b = append(b, `,"id":"`...)
	b = append(b, id...)
	b = append(b, '"')
	rest := maps.Clone(resource)
	delete(rest, "schemas")
	delete(rest, "id")
	if len(rest) > 0 {
		b = append(b, ',')
		if b, err = appendMembers(b, rest); err != nil {
			return nil, err
		}
	}
	return slices.Clone(b), nil
}

// decode gives the attributes of a record without meta, members and groups.
func (r *record) decode() (map[string]any, error) {
	return decodeObject(append(slices.Clip(r.body), '}'))
}

// patchGroup carries out operations on a group: those on members go to edit, which does not look at all members
// for the usual forms, the others to the attributes.
func (c *call) patchGroup(resource map[string]any, ops []scim.Operation, edit *memberEdit) (map[string]any, error) {
	for _, op := range ops {
		var err error
		if op.Path == "" {
			if op, err = c.splitMembers(op, edit); err != nil {
				return nil, err
			}
			if object, ok := op.Value.(map[string]any); ok && len(object) == 0 {
				continue
			}
		} else {
			path, err := scim.ParsePath(op.Path, c.def.SchemaURIs()...)
			if err != nil {
				return nil, err
			}
			if strings.EqualFold(path.Attribute, "members") && (path.Schema == "" || scim.IsCoreURN(path.Schema)) {
				if err := c.patchMembers(path, op, edit); err != nil {
					return nil, err
				}
				continue
			}
		}
		if resource, err = scim.Apply(resource, []scim.Operation{op}, c.def); err != nil {
			return nil, err
		}
	}
	return resource, nil
}

// splitMembers carries out the part of an operation without path that is about members and gives the rest.
func (c *call) splitMembers(op scim.Operation, edit *memberEdit) (scim.Operation, error) {
	object, ok := op.Value.(map[string]any)
	if !ok {
		return op, nil
	}
	key, members, ok := scim.Lookup(object, "members")
	if !ok {
		return op, nil
	}
	rest := maps.Clone(object)
	delete(rest, key)
	err := c.patchMembers(scim.Path{Attribute: "members"}, scim.Operation{Op: op.Op, Path: "members", Value: members}, edit)
	op.Value = rest
	return op, err
}

// patchMembers carries out one operation on members.
func (c *call) patchMembers(path scim.Path, op scim.Operation, edit *memberEdit) error {
	whole := path.Filter == nil && path.SubAttribute == ""
	kind := scim.FoldKey(op.Op)
	id, selectsOne := selectedMember(path)
	switch {
	case whole && kind == scim.OpRemove && op.Value != nil && !c.def.Strict():
		eachID(op.Value, func(id string) { edit.remove(c.app.store.spelled(id)) })
		return nil
	case whole:
		// Carried out on a group without members, the operation is checked and its elements made canonical.
		result, err := scim.Apply(map[string]any{}, []scim.Operation{op}, c.def)
		if err != nil {
			return err
		}
		if kind != scim.OpAdd {
			edit.clear()
		}
		return edit.add(result["members"])
	case kind == scim.OpRemove && selectsOne:
		id = c.app.store.spelled(id)
		if !edit.has(id) && c.def.Strict() {
			return scim.NewError(http.StatusBadRequest, scim.NoTarget, "%s matches no value", path)
		}
		edit.remove(id)
		return nil
	}
	var members []any
	for _, m := range edit.current() {
		members = append(members, m.object(c.origin))
	}
	before := map[string]any{}
	if members != nil {
		before["members"] = members
	}
	result, err := scim.Apply(before, []scim.Operation{op}, c.def)
	if err != nil {
		return err
	}
	edit.clear()
	return edit.add(result["members"])
}

// selectedMember gives the id in members[value eq "…"].
func selectedMember(path scim.Path) (id string, ok bool) {
	compare, ok := path.Filter.(*scim.Compare)
	if !ok || path.SubAttribute != "" || compare.Operator != scim.Equal || compare.Path.Schema != "" ||
		!strings.EqualFold(compare.Path.Attribute, "value") || compare.Path.SubAttribute != "" {
		return "", false
	}
	id, ok = compare.Value.(string)
	return id, ok
}

// eachID calls f for the ids in a list of members, as objects or texts.
func eachID(value any, f func(string)) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			_, e, _ = scim.Lookup(m, "value")
		}
		if id, ok := e.(string); ok {
			f(id)
		}
	}
}
