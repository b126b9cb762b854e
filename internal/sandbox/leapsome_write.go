package sandbox

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// leapsomeWrite is POST, PUT and PATCH of Leapsome's own endpoint.
func leapsomeWrite(c *call, id string) error {
	object, err := c.object()
	if err != nil {
		return err
	}
	if _, _, ok := scim.Lookup(object, "Operations"); ok {
		return scim.NewError(http.StatusBadRequest, scim.InvalidSyntax, "PATCH takes the attributes to change, not a PatchOp message")
	}
	c.app.store.mu.Lock()
	defer c.app.store.mu.Unlock()
	var rec *record
	resource := map[string]any{}
	if id != "" {
		if rec, err = c.current(id); err != nil {
			return err
		}
	}
	if c.r.Method == http.MethodPatch {
		if resource, err = rec.decode(); err != nil {
			return err
		}
	}
	if c.kind.path == groupsPath {
		return c.leapsomeGroup(rec, resource, object)
	}
	return c.leapsomePerson(rec, resource, object)
}

// required refuses a body without a text that every write must have.
func (c *call) required(object map[string]any, name string) error {
	_, v, _ := scim.Lookup(object, name)
	if text, ok := v.(string); !ok || text == "" {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s is required in %s", name, c.r.Method)
	}
	return nil
}

// leapsomePerson puts attributes into a user; rec is nil for a new one.
func (c *call) leapsomePerson(rec *record, resource, object map[string]any) error {
	if err := c.required(object, "userName"); err != nil {
		return err
	}
	taken := []string{"userName", "name", "displayName", "title", "photos", "externalId"}
	if rec != nil {
		taken = append(taken, "active")
	}
	for _, name := range taken {
		if _, v, sent := scim.Lookup(object, name); sent {
			resource[name] = v
		}
	}
	if name, ok := resource["name"].(map[string]any); ok && rec == nil {
		maps.DeleteFunc(name, func(key string, _ any) bool { return scim.FoldKey(key) == "formatted" })
	}
	if rec != nil {
		extension, _ := resource[scim.EnterpriseUserURN].(map[string]any)
		resource[scim.EnterpriseUserURN] = leapsomeMerge(extension, object)
	}
	resource, _, err := c.canonical(resource)
	if err != nil {
		return err
	}
	return c.keep(rec, resource, nil)
}

// leapsomeMerge gives the extension with what a request changes in it. Manager and location may stand in the resource
// itself, too.
func leapsomeMerge(extension, object map[string]any) map[string]any {
	merged := map[string]any{}
	maps.Copy(merged, extension)
	put := func(from map[string]any, names ...string) {
		for key, v := range from {
			at := slices.IndexFunc(names, func(n string) bool { return scim.FoldKey(n) == scim.FoldKey(key) })
			if at >= 0 {
				key = names[at]
			} else if names != nil {
				continue
			}
			if known, _, ok := scim.Lookup(merged, key); ok {
				delete(merged, known)
			}
			if v != nil && v != "" {
				merged[key] = v
			}
		}
	}
	put(object, "manager", "location")
	if _, v, ok := scim.Lookup(object, scim.EnterpriseUserURN); ok {
		sent, _ := v.(map[string]any)
		put(sent)
	}
	return merged
}

// leapsomeGroup puts attributes and members into a team; rec is nil for a new one, which starts empty.
func (c *call) leapsomeGroup(rec *record, resource, object map[string]any) error {
	if err := c.required(object, "displayName"); err != nil {
		return err
	}
	for _, name := range []string{"displayName", "externalId"} {
		if _, v, sent := scim.Lookup(object, name); sent {
			resource[name] = v
		}
	}
	resource, _, err := c.canonical(resource)
	if err != nil {
		return err
	}
	if rec == nil {
		return c.keep(nil, resource, nil)
	}
	edit := c.app.editMembers(rec, c.origin)
	_, flag, _ := scim.Lookup(object, "replaceMembers")
	replace, isFlag := flag.(bool)
	if flag != nil && !isFlag {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "replaceMembers must be true or false")
	}
	if _, v, sent := scim.Lookup(object, "members"); sent && v != nil {
		members, ok := v.([]any)
		if !ok {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "members must be a list")
		}
		if len(members) > leapsomeMembers {
			return scim.NewError(http.StatusBadRequest, scim.TooMany, "%d members; a request takes %d", len(members), leapsomeMembers)
		}
		if replace {
			edit.clear()
		}
		if err := edit.add(members); err != nil {
			return err
		}
	}
	return c.keep(rec, resource, edit)
}

// keep stores a resource and answers with it; rec is nil for a new one.
func (c *call) keep(rec *record, resource map[string]any, edit *memberEdit) error {
	if rec == nil {
		rec, err := c.insert(resource, nil)
		if err != nil {
			return err
		}
		c.w.Header().Set("Location", c.origin+"/"+c.kind.path+"/"+rec.id)
		return c.answer(http.StatusCreated, rec)
	}
	if err := c.update(rec, resource, edit); err != nil {
		return err
	}
	return c.answer(http.StatusOK, rec)
}

// leapsomeShow gives a user the form in which Leapsome's own endpoint shows managers: in the resource itself by id
// only, in the extension with another name for the id.
func leapsomeShow(c *call, _ *record, resource map[string]any) {
	extension, _ := resource[scim.EnterpriseUserURN].(map[string]any)
	shown := func(v any) map[string]any {
		m, _ := v.(map[string]any)
		id, _ := m["value"].(string)
		out := map[string]any{"managerId": id}
		if rec := c.app.store.users.byID[id]; rec != nil {
			if manager, err := rec.decode(); err == nil && manager["displayName"] != nil {
				out["displayName"] = manager["displayName"]
			}
		}
		return out
	}
	if m, ok := extension["manager"].(map[string]any); ok {
		resource["manager"] = map[string]any{"value": m["value"]}
		extension["manager"] = shown(m)
	}
	others, _ := extension["additionalManagers"].([]any)
	for i, o := range others {
		others[i] = shown(o)
	}
}

// answerOldSchemas answers /Schemas in the form of SCIM 1, where an attribute says readOnly.
func answerOldSchemas(c *call, id string, schemas []scim.Schema) error {
	old := make([]map[string]any, len(schemas))
	for i, s := range schemas {
		data, err := json.Marshal(s)
		if err != nil {
			return err
		}
		if old[i], err = decodeObject(data); err != nil {
			return err
		}
		oldAttributes(old[i]["attributes"])
	}
	return answerOneOrAll(c, id, old, func(s map[string]any) string { return s["id"].(string) })
}

func oldAttributes(list any) {
	attributes, _ := list.([]any)
	for _, a := range attributes {
		m, _ := a.(map[string]any)
		m["readOnly"] = m["mutability"] == scim.ReadOnly
		delete(m, "mutability")
		oldAttributes(m["subAttributes"])
	}
}
