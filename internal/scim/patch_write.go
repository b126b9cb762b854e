package scim

import (
	"strings"
)

// write is add (RFC 7644 section 3.5.2.1) or replace (section 3.5.2.3).
func (s *spot) write(add bool, value any) *Error {
	switch {
	case s.filter != nil:
		return s.writeSelected(add, value)
	case s.sub != "":
		return s.writeSub(value)
	}
	v, err := s.read.at(s.path, s.attr, value)
	if err != nil {
		return err
	}
	current := s.current()
	switch {
	case v == nil && add:
	case v == nil:
		s.assign(nil)
	case s.attr != nil && s.attr.MultiValued:
		list, _ := v.([]any)
		if s.d.strict && countPrimary(list) > 1 {
			return badRequest(InvalidValue, "%s: only one value can be primary", s.path)
		}
		if add {
			list = s.extend(current, list)
		}
		keepLastPrimary(list)
		s.assign(list)
	default:
		s.assign(s.merged(add, current, v))
	}
	return nil
}

// merged combines a single value with the one there: objects are merged, lists of unknown attributes grow with
// add, anything else is replaced.
func (s *spot) merged(add bool, current, v any) any {
	if have, ok := current.(map[string]any); ok {
		if with, ok := v.(map[string]any); ok {
			for k, e := range with {
				assign(have, k, e)
			}
			return have
		}
	}
	if have, ok := current.([]any); ok && add {
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		return s.extend(have, list)
	}
	return v
}

// extend adds elements that are not there yet; a new primary one takes the mark from the others.
func (s *spot) extend(current any, added []any) []any {
	var elements []any
	each(current, func(e any) bool { elements = append(elements, e); return true })
	var known map[string]bool
	if s.attr != nil && s.attr.byValue() {
		known = make(map[string]bool, len(elements)+len(added))
		for _, e := range elements {
			if key, ok := valueOf(e); ok {
				known[key] = true
			}
		}
	}
	for _, e := range added {
		if known != nil {
			key, ok := valueOf(e)
			if ok && known[key] {
				continue
			}
			known[key] = true
		} else if containsValue(elements, e) {
			continue
		}
		if isPrimary(e) {
			clearPrimary(elements)
		}
		elements = append(elements, e)
	}
	return elements
}

func containsValue(elements []any, v any) bool {
	for _, e := range elements {
		if EqualValues(e, v) {
			return true
		}
	}
	return false
}

// keepLastPrimary takes the mark from all elements but the last one that has it: a list has one primary value at most
// (RFC 7643 section 2.4).
func keepLastPrimary(elements []any) {
	for i := len(elements) - 1; i > 0; i-- {
		if isPrimary(elements[i]) {
			clearPrimary(elements[:i])
			return
		}
	}
}

// clearPrimary takes the mark from all elements but those to keep.
func clearPrimary(elements []any, keep ...int) {
	for i, e := range elements {
		if len(keep) > 0 && keep[0] == i || !isPrimary(e) {
			continue
		}
		assign(e.(map[string]any), "primary", false)
	}
}

// writeSub sets a sub-attribute: of the one value, or of all elements. Without any, one is made, as a path that
// names what is not there means add (RFC 7644 section 3.5.2.3).
func (s *spot) writeSub(value any) *Error {
	v, err := s.readSub(value)
	if err != nil {
		return err
	}
	multi := s.attr != nil && s.attr.MultiValued
	current := s.current()
	switch have := current.(type) {
	case []any:
		for i, e := range have {
			if m, ok := e.(map[string]any); ok {
				setOrUnset(m, s.sub, Clone(v))
			} else if strings.EqualFold(s.sub, "value") {
				have[i] = simpleElement(Clone(v))
			}
		}
		if s.d.strict && countPrimary(have) > 1 {
			return badRequest(InvalidValue, "%s: only one value can be primary; select it, as in %s[value eq \"…\"].%s", s.path, s.name, s.sub)
		}
		keepLastPrimary(have)
	case map[string]any:
		setOrUnset(have, s.sub, v)
	default:
		if v == nil {
			return nil
		}
		if current != nil {
			return badRequest(InvalidPath, "%s: %s has no sub-attributes", s.path, s.name)
		}
		current = map[string]any{s.sub: v}
		if multi {
			current = []any{current}
		}
	}
	s.assign(withoutNulls(current))
	return nil
}

// simpleElement gives the element whose "value" is v, in place of one that was a simple value: v itself, unless only an
// object can hold it.
func simpleElement(v any) any {
	switch v.(type) {
	case map[string]any, []any:
		return map[string]any{"value": v}
	}
	return v
}

func (s *spot) readSub(value any) (any, *Error) {
	return s.read.at(s.path, s.subAttr, value)
}

func setOrUnset(object map[string]any, name string, v any) {
	if v == nil {
		unassign(object, name)
		return
	}
	assign(object, name, v)
}

// writeSelected writes to the elements the filter selects.
func (s *spot) writeSelected(add bool, value any) *Error {
	current := s.current()
	var elements []any
	each(current, func(e any) bool { elements = append(elements, e); return true })
	var selected []int
	for i, e := range elements {
		if s.filter(e) {
			selected = append(selected, i)
		}
	}
	if len(selected) == 0 {
		if !add || s.d.strict {
			return badRequest(NoTarget, "%s matches no value; add the whole element to %s", s.path, s.name)
		}
		e, err := elementFor(s.path, s.attr)
		if err != nil {
			return err
		}
		selected = []int{len(elements)}
		elements = append(elements, e)
	}
	for _, i := range selected {
		e, err := s.writeElement(add, elements[i], value)
		if err != nil {
			return err
		}
		elements[i] = e
	}
	last := selected[len(selected)-1]
	if s.d.strict && len(selected) > 1 && countPrimary(elements) > 1 {
		return badRequest(InvalidValue, "%s: only one value can be primary", s.path)
	}
	if isPrimary(elements[last]) {
		clearPrimary(elements, last)
	}
	list, _ := withoutNulls(elements).([]any)
	switch {
	case list == nil:
		s.assign(nil)
	case s.attr != nil && !s.attr.MultiValued:
		s.assign(list[0])
	default:
		s.assign(list)
	}
	return nil
}

// writeElement gives the element after the operation.
func (s *spot) writeElement(add bool, element, value any) (any, *Error) {
	if s.sub != "" {
		v, err := s.readSub(value)
		if err != nil {
			return nil, err
		}
		m, ok := element.(map[string]any)
		if !ok {
			if strings.EqualFold(s.sub, "value") {
				return simpleElement(v), nil
			}
			return nil, badRequest(InvalidPath, "%s: %s has no sub-attributes", s.path, s.name)
		}
		setOrUnset(m, s.sub, v)
		return m, nil
	}
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	v := withoutNulls(value)
	if s.attr != nil {
		var err *Error
		if v, err = s.read.single(s.attr, value); err != nil {
			return nil, err.within(s.path.String)
		}
	}
	have, isObject := element.(map[string]any)
	with, ok := v.(map[string]any)
	if add && isObject && ok {
		for k, e := range with {
			assign(have, k, e)
		}
		return have, nil
	}
	return v, nil
}
