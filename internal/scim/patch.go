package scim

import (
	"fmt"
	"slices"
	"strings"
)

// Apply carries out PATCH operations in order on a copy of the resource and returns the copy (RFC 7644 section
// 3.5.2). It is all or nothing: with an error, always an *Error with status 400, nothing is returned, and the
// resource is never changed. Definition nil means the built-in ones.
//
// Unless the definition is strict, known deviations are taken: keys of a value without path may be attribute paths,
// texts stand for Booleans (vectors P-05), a remove with a list of values removes those only (vectors P-06), an
// add to an element that is not there makes it. Operation names may be in any case always (scim.R33).
//
// Required attributes cannot be removed; that others are missing is for Validate to say.
func Apply(resource map[string]any, ops []Operation, def *Definition) (map[string]any, error) {
	p := patcher{d: def.orBuiltin(), out: cloneObject(resource)}
	p.read = reader{strict: p.d.strict, wrap: true}
	for i, op := range ops {
		if err := p.operation(op); err != nil {
			if len(ops) > 1 {
				err = &Error{Status: err.Status, ScimType: err.ScimType, Detail: fmt.Sprintf("operation %d: %s", i+1, err.Detail)}
			}
			return nil, err
		}
	}
	return p.out, nil
}

// patcher changes out; it is thrown away when an operation is refused.
type patcher struct {
	d    *Definition
	read reader
	out  map[string]any
}

func (p *patcher) operation(op Operation) *Error {
	kind := FoldKey(op.Op)
	switch kind {
	case OpAdd, OpReplace, OpRemove:
	default:
		return badRequest(InvalidSyntax, "op is %s; it must be add, replace or remove", Quote(op.Op))
	}
	if op.Path != "" {
		path, err := ParsePath(op.Path, p.d.SchemaURIs()...)
		if err != nil {
			return asError(err)
		}
		return p.at(kind, path, op.Value)
	}
	if kind == OpRemove {
		return badRequest(NoTarget, "remove needs a path")
	}
	return p.object(kind, op.Value)
}

// object handles an operation without path: each key is an attribute.
func (p *patcher) object(kind string, value any) *Error {
	object, ok := value.(map[string]any)
	if !ok {
		return badRequest(InvalidSyntax, "without path the value must be an object of attributes")
	}
	for _, k := range sortedKeys(object) {
		if err := p.key(kind, k, object[k]); err != nil {
			return err
		}
	}
	return nil
}

func (p *patcher) key(kind, key string, value any) *Error {
	if p.d.attribute("", key) != nil {
		return p.at(kind, Path{Attribute: key}, value)
	}
	if urn, ok := p.d.extension(key); ok {
		return p.at(kind, Path{Schema: urn}, value)
	}
	if p.d.strict {
		return badRequest(InvalidPath, "%s has no attribute %s; within a value, names are nested, not paths", p.d.name, key)
	}
	if _, isObject := value.(map[string]any); isObject && strings.Contains(key, ":") {
		if _, _, known, _ := splitSchema(key, p.d.SchemaURIs()); !known && validSchema(key) {
			return p.at(kind, Path{Schema: key}, value)
		}
	}
	path, err := ParsePath(key, p.d.SchemaURIs()...)
	if err != nil {
		return asError(err)
	}
	return p.at(kind, path, value)
}

// at handles an operation on a path.
func (p *patcher) at(kind string, path Path, value any) *Error {
	if path.Attribute == "" {
		return p.schema(kind, path.Schema, value)
	}
	t, err := p.d.target(path, InvalidPath)
	if err != nil {
		return asError(err)
	}
	s := spot{patcher: p, target: t, path: path}
	if done, err := s.mutable(kind, value); done || err != nil {
		return err
	}
	if kind == OpRemove {
		return s.remove(value)
	}
	return s.write(kind == OpAdd, value)
}

// schema handles a path that is a schema URI: the whole extension, or the resource itself (vectors P-01).
func (p *patcher) schema(kind, urn string, value any) *Error {
	ext, known := p.d.extension(urn)
	if !known {
		if IsCoreURN(urn) {
			if kind == OpRemove {
				return badRequest(NoTarget, "%s is the resource itself; delete the resource instead", urn)
			}
			return p.object(kind, value)
		}
		if p.d.strict {
			return badRequest(InvalidPath, "%s does not know the schema %s", p.d.name, urn)
		}
		ext = urn
	}
	_, current, exists := Lookup(p.out, ext)
	if kind == OpRemove {
		if !exists {
			return nil
		}
		object, _ := current.(map[string]any)
		for _, k := range sortedKeys(object) {
			if err := p.at(OpRemove, Path{Schema: ext, Attribute: k}, nil); err != nil {
				return err
			}
		}
		unassign(p.out, ext)
		return nil
	}
	object, ok := value.(map[string]any)
	if !ok {
		return badRequest(InvalidValue, "the value of %s must be an object of attributes", ext)
	}
	for _, k := range sortedKeys(object) {
		if err := p.at(kind, Path{Schema: ext, Attribute: k}, object[k]); err != nil {
			return err
		}
	}
	return nil
}

func sortedKeys(object map[string]any) []string {
	keys := make([]string, 0, len(object))
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// spot is the place in the resource a path leads to.
type spot struct {
	*patcher
	target
	path Path
}

// object gives the object that holds the attribute, nil if it is an extension that is not there.
func (s *spot) object() map[string]any {
	if s.urn == "" {
		return s.out
	}
	_, v, _ := Lookup(s.out, s.urn)
	object, _ := v.(map[string]any)
	return object
}

func (s *spot) current() any {
	_, v, _ := Lookup(s.object(), s.name)
	return v
}

// assign stores the attribute; nil takes it away, and the extension's object with its last attribute.
func (s *spot) assign(v any) {
	object := s.object()
	if v == nil {
		unassign(object, s.name)
		if s.urn != "" && len(object) == 0 {
			unassign(s.out, s.urn)
		}
		return
	}
	if object == nil {
		object = map[string]any{}
		assign(s.out, s.urn, object)
	}
	assign(object, s.name, v)
}

// mutable checks that the definition lets the operation happen. done means there is nothing to do: outside strict
// reading a read-only attribute may be sent along with the value it has.
func (s *spot) mutable(kind string, value any) (done bool, err *Error) {
	if s.attr == nil {
		return false, nil
	}
	refuse := func(what, why string) (bool, *Error) {
		return false, badRequest(Mutability, "%s is %s", what, why)
	}
	switch s.attr.Mutability {
	case ReadOnly:
		if !s.d.strict && kind != OpRemove && s.filter == nil && s.sub == "" && EqualValues(s.current(), value) {
			return true, nil
		}
		return refuse(s.path.String(), "read-only")
	case Immutable:
		if current := s.current(); current != nil && (kind == OpRemove || !EqualValues(current, value)) {
			return refuse(s.path.String(), "immutable and has a value")
		}
	}
	if s.attr.Required && s.filter == nil && s.sub == "" && (kind == OpRemove || kind == OpReplace && isEmpty(value)) {
		return refuse(s.path.String(), "required and cannot be removed")
	}
	if s.subAttr == nil {
		return false, nil
	}
	if s.subAttr.Mutability == ReadOnly {
		return refuse(s.path.String(), "read-only")
	}
	if s.subAttr.Required && (kind == OpRemove || kind == OpReplace && isEmpty(value)) {
		return refuse(s.path.String(), "required and cannot be removed")
	}
	if s.subAttr.Mutability == Immutable {
		differs := false
		s.visit(s.out, func(v any) bool { differs = kind == OpRemove || !EqualValues(v, value); return !differs })
		if differs {
			return refuse(s.path.String(), "immutable and has a value")
		}
	}
	return false, nil
}

// remove is RFC 7644 section 3.5.2.2.
func (s *spot) remove(value any) *Error {
	current := s.current()
	elements, isList := current.([]any)
	switch {
	case s.filter == nil && s.sub == "":
		if value != nil && (isList || s.attr != nil && s.attr.MultiValued) {
			if s.d.strict {
				return badRequest(InvalidSyntax, "remove takes no value; select the elements in the path, as in %s[value eq \"…\"]", s.path)
			}
			return s.removeListed(elements, value)
		}
		s.assign(nil)
		return nil
	case s.filter == nil:
		each(current, func(e any) bool { s.strip(e); return true })
	default:
		matched := false
		kept := make([]any, 0, len(elements))
		if !isList && current != nil {
			elements = []any{current}
		}
		for _, e := range elements {
			if !s.filter(e) {
				kept = append(kept, e)
				continue
			}
			matched = true
			if s.sub != "" {
				s.strip(e)
				kept = append(kept, e)
			}
		}
		if !matched && s.d.strict {
			return badRequest(NoTarget, "%s matches no value", s.path)
		}
		if isList {
			current = kept
		} else if len(kept) == 0 {
			current = nil
		}
	}
	s.assign(withoutNulls(current))
	return nil
}

// strip takes the sub-attribute out of an element.
func (s *spot) strip(element any) {
	if m, ok := element.(map[string]any); ok {
		unassign(m, s.sub)
	}
}

// removeListed takes away the elements a value names: those with the same "value", else those that are equal.
func (s *spot) removeListed(elements []any, value any) *Error {
	gone := map[string]bool{}
	var others []any
	each(value, func(e any) bool {
		if key, ok := valueOf(e); ok {
			gone[FoldKey(key)] = true
		} else {
			others = append(others, withoutNulls(e))
		}
		return true
	})
	kept := make([]any, 0, len(elements))
	for _, e := range elements {
		key, ok := valueOf(e)
		if ok && gone[FoldKey(key)] || slices.ContainsFunc(others, func(o any) bool { return EqualValues(o, e) }) {
			continue
		}
		kept = append(kept, e)
	}
	if len(kept) == 0 {
		if s.attr != nil && s.attr.Required {
			return badRequest(Mutability, "%s is required and cannot be removed", s.path)
		}
		s.assign(nil)
		return nil
	}
	s.assign(kept)
	return nil
}

// valueOf gives the text that identifies an element: itself, or its "value".
func valueOf(element any) (string, bool) {
	if m, ok := element.(map[string]any); ok {
		_, element, _ = Lookup(m, "value")
	}
	s, ok := element.(string)
	return s, ok
}
