package scim

// PathValue is a value and where it belongs.
type PathValue struct {
	Path  Path
	Value any // nil assigns nothing
}

// Build makes the resource a POST carries of single values: schemas has core, then each extension in the order of
// its first use. Paths with the same filter fill one element (scim.R22). The error is an *Error of type InvalidPath
// and names the path.
func Build(core string, values []PathValue) (map[string]any, error) {
	resource := map[string]any{}
	schemas := []any{core}
	for _, pv := range values {
		if pv.Value == nil {
			continue
		}
		if err := pv.Path.Set(resource, pv.Value); err != nil {
			return nil, err
		}
		urn := pv.Path.Schema
		if urn == "" || IsCoreURN(urn) {
			continue
		}
		if known, ok := builtin().extension(urn); ok {
			urn = known
		}
		if !listed(schemas, urn) {
			schemas = append(schemas, urn)
		}
	}
	resource["schemas"] = schemas
	return resource, nil
}

func listed(schemas []any, urn string) bool {
	for _, s := range schemas {
		if FoldKey(s.(string)) == FoldKey(urn) {
			return true
		}
	}
	return false
}

// Set puts a value where the path leads, as a client does when it builds a resource: objects and lists on the way
// are made, and an element that the filter in brackets asks for is made from the filter, whose comparisons must
// all be eq, joined by and (scim.R22). Values are taken as they are, except that texts for Booleans become
// Booleans (scim.R27, vectors P-03, P-05), one value becomes a list where a list is due, and a bare value becomes
// {"value": …} where an object is due. Nil sets nothing. The resource is changed; the error is an *Error of type
// InvalidPath, and nothing is changed then.
func (p Path) Set(resource map[string]any, value any) error {
	return builtin().Set(resource, p, value)
}

// Set is Path.Set with the attribute types of d.
func (d *Definition) Set(resource map[string]any, p Path, value any) error {
	d = d.orBuiltin()
	if value == nil {
		return nil
	}
	if p.Attribute == "" {
		object, ok := value.(map[string]any)
		if !ok || IsCoreURN(p.Schema) {
			return badRequest(InvalidPath, "%s is a schema; name an attribute of it", p)
		}
		for _, k := range sortedKeys(object) {
			if err := d.Set(resource, Path{Schema: p.Schema, Attribute: k}, object[k]); err != nil {
				return err
			}
		}
		return nil
	}
	t, err := d.target(p, InvalidPath)
	if err != nil {
		return err
	}
	w := builder{spot{patcher: &patcher{d: d, out: resource}, target: t, path: p}}
	if err := w.set(value); err != nil {
		return err
	}
	return nil
}

type builder struct{ spot }

// fit shapes a value for an attribute where that is possible, else leaves it as it is: the server is to judge.
func (w *builder) fit(a *Attribute, value any) any {
	r := reader{keepReadOnly: true, wrap: true}
	if v, err := r.value(a, value); err == nil {
		return v
	}
	return withoutNulls(value)
}

func (w *builder) set(value any) *Error {
	if w.filter == nil && w.sub == "" {
		if v := w.fit(w.attr, value); v != nil {
			w.assign(v)
		}
		return nil
	}
	v := withoutNulls(value)
	if w.sub != "" {
		v = w.fit(w.subAttr, value)
	}
	if v == nil {
		return nil
	}
	var elements []any
	each(w.current(), func(e any) bool { elements = append(elements, e); return true })
	element, at := w.find(elements)
	if at < 0 {
		element = map[string]any{}
		if w.filter != nil {
			var err *Error
			if element, err = elementFor(w.path, w.attr); err != nil {
				return err
			}
		}
		at = len(elements)
		elements = append(elements, element)
	}
	switch with, ok := v.(map[string]any); {
	case w.sub != "":
		assign(element, w.sub, v)
	case ok:
		for k, e := range with {
			assign(element, k, e)
		}
	default:
		assign(element, "value", v)
	}
	elements[at] = element
	if w.filter != nil || w.attr != nil && w.attr.MultiValued {
		w.assign(elements)
	} else {
		w.assign(element)
	}
	return nil
}

// find gives the first element that the value belongs to, -1 if there is none.
func (w *builder) find(elements []any) (map[string]any, int) {
	for i, e := range elements {
		if m, ok := e.(map[string]any); ok && (w.filter == nil || w.filter(e)) {
			return m, i
		}
	}
	return nil, -1
}

// elementFor makes the element that satisfies the filter of a path.
func elementFor(p Path, attr *Attribute) (map[string]any, *Error) {
	element := map[string]any{}
	comparisons, ok := Equalities(p.Filter)
	for _, c := range comparisons {
		name, kind := c.Path.Attribute, usualSub(c.Path.Attribute)
		if attr != nil && attr.Sub(name) != nil {
			kind = attr.Sub(name)
			name = kind.Name
		}
		v, err := reader{keepReadOnly: true, wrap: true}.value(kind, c.Value)
		if err != nil || v == nil || c.Path.Schema != "" || c.Path.SubAttribute != "" {
			ok = false
			break
		}
		assign(element, name, v)
	}
	if !ok {
		return nil, badRequest(InvalidPath,
			"%s: no element can be made from this filter; use comparisons with eq, joined by and", p)
	}
	return element, nil
}

// Equalities takes a filter apart that consists of eq comparisons joined by and. ok is false for any other.
func Equalities(f Filter) (comparisons []*Compare, ok bool) {
	switch f := f.(type) {
	case *Compare:
		return []*Compare{f}, f.Operator == Equal && f.Path.Filter == nil
	case *Logical:
		left, okLeft := Equalities(f.Left)
		right, okRight := Equalities(f.Right)
		return append(left, right...), !f.Or && okLeft && okRight
	}
	return nil, false
}
