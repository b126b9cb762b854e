package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// Rule is a rule of an app file, as the cases in the app file's own tests run it.
type Rule struct {
	From          identity.Kind
	Filter        *scope.Program
	Mappings      *mapping.Set
	DefaultDomain string // where the case gives none
	// Account makes what the account is created with of the values of the mappings: defaults filled in, an error where a
	// required value is missing.
	Account func([]mapping.Value) (identity.Attrs, error)
}

type ruleCase struct {
	Rule       string
	Attributes map[string]json.RawMessage
	Context    surroundings
	Want       json.RawMessage
}

// expected is one target attribute that a case names.
type expected struct {
	raw   json.RawMessage
	check func(got any, err error) error
}

// parseRule reads a case that runs all of a rule: its filter, and its mappings as for an account that is created.
func parseRule(raw []byte) (func(World) error, error) {
	var c ruleCase
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, mistyped(err)
	}
	if c.Rule == "" {
		return nil, errors.New(`"rule" is empty; it is the name of a rule of the app file`)
	}
	o, soft, err := c.object()
	if err != nil {
		return nil, err
	}
	want, err := identity.ParseJSON(c.Want)
	if err != nil {
		return nil, err
	}
	run := func(w World, judge func(Rule) error) error {
		r, ok := w.Rules[c.Rule]
		if !ok {
			return failure(text(want), "there is no rule "+c.Rule+" to run")
		}
		object := *o
		object.Kind = r.From
		in, reason, err := r.inScope(&object)
		switch wanted, isBool := want.(bool); {
		case err != nil:
			return failure(text(want), err.Error())
		case isBool && in != wanted, !isBool && !in:
			return failure(text(want), fmt.Sprintf("%v (%s)", in, reason))
		case isBool:
			return nil
		}
		return judge(r)
	}
	if _, isBool := want.(bool); isBool {
		return func(w World) error { return run(w, nil) }, nil
	}
	if kind := wantedError(want); kind != "" {
		return func(w World) error {
			return run(w, func(r Rule) error { return checkRuleError(want, kind, r.evaluate(w, &c, o, soft)) })
		}, nil
	}
	if flow, ok := special(want, "flow"); ok {
		if flow != "ignoreObject" {
			return nil, errors.New(`the whole of a rule gives "flow": "ignoreObject", or values`)
		}
		return func(w World) error {
			return run(w, func(r Rule) error {
				if got := r.evaluate(w, &c, o, soft); got.err != nil || !got.ignored {
					return failure(text(want), got.show(nil))
				}
				return nil
			})
		}, nil
	}
	values, err := expectedValues(c.Want)
	if err != nil {
		return nil, err
	}
	return func(w World) error {
		return run(w, func(r Rule) error { return r.compare(values, r.evaluate(w, &c, o, soft)) })
	}, nil
}

// object is the source object of a case. IsSoftDeleted and accountEnabled say that it is to be disabled, objectId is its
// key.
func (c *ruleCase) object() (o *identity.Object, soft bool, err error) {
	attributes, err := object(c.Attributes)
	if err != nil {
		return nil, false, err
	}
	o = &identity.Object{}
	for _, name := range attributes.Names() {
		v, _ := attributes.Attr(name)
		flag, isFlag := v.(bool)
		switch {
		case strings.EqualFold(name, mapping.IsSoftDeleted):
			soft = isFlag && flag
			continue
		case strings.EqualFold(name, mapping.AccountEnabled):
			o.Disabled = isFlag && !flag
		case strings.EqualFold(name, mapping.ObjectID):
			o.Anchor = mapping.Text(v)
			continue
		}
		o.Attrs = append(o.Attrs, identity.Attr{Name: name, Value: identity.Normal(v)})
	}
	if c.Context.AppRoleAssignments == nil {
		return o, soft || o.Disabled, nil
	}
	var roles []struct{ ID, Value, DisplayName string }
	if err := json.Unmarshal(c.Context.AppRoleAssignments, &roles); err != nil {
		return nil, false, errors.New(`"appRoleAssignments" is a list of objects with "id", "value" and "displayName"`)
	}
	o.Assignment = &identity.Assignment{Assigned: true}
	for _, r := range roles {
		o.Assignment.Roles = append(o.Assignment.Roles, identity.Role(r))
	}
	return o, soft || o.Disabled, nil
}

// expectedValues takes the values apart that a case expects, one for each target attribute.
func expectedValues(raw json.RawMessage) (map[string]expected, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil || len(all) == 0 {
		return nil, errors.New(`"want" of a rule is true or false (in scope or not), or an object of target attributes with their values`)
	}
	out := make(map[string]expected, len(all))
	for name, value := range all {
		check, _, err := expectation(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = expected{raw: value, check: check}
	}
	return out, nil
}

// inScope evaluates the rule's filters.
func (r Rule) inScope(o *identity.Object) (in bool, reason string, err error) {
	view := mapping.View(o)
	if read, err := r.Filter.Reads(view); err != nil || !read {
		return false, "passed over by an input filter", err
	}
	d, err := r.Filter.Evaluate(view)
	return d.In, d.Reason(), err
}

// outcome is what a rule makes of an object: values by target attribute.
type outcome struct {
	values  map[string]any
	ignored bool // the whole object
	err     error
}

// show writes the values of some attributes, all for nil.
func (o outcome) show(names []string) string {
	switch {
	case o.err != nil:
		return showRuleError(o.err)
	case o.ignored:
		return `{"flow": "ignoreObject"}`
	case names == nil:
		names = slices.Sorted(maps.Keys(o.values))
	}
	parts := make([]string, len(names))
	for i, n := range names {
		parts[i] = text(n) + ": " + show(o.values[n])
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// evaluate runs the mappings as for an account that is created.
func (r Rule) evaluate(w World, c *ruleCase, o *identity.Object, soft bool) outcome {
	ctx := mapping.Context{Now: w.Now, Rand: w.Rand, DefaultDomain: r.DefaultDomain}
	if c.Context.Now != nil {
		ctx.Now = func() time.Time { return *c.Context.Now }
	}
	if c.Context.DefaultDomain != "" {
		ctx.DefaultDomain = c.Context.DefaultDomain
	}
	object := *o
	object.Kind = r.From
	res, err := r.Mappings.Eval(&object, soft, false, ctx)
	if err != nil {
		return outcome{err: err}
	}
	if res.IgnoreObject {
		return outcome{ignored: true}
	}
	for _, choice := range res.Choices {
		i := slices.IndexFunc(choice.Values, func(v any) bool { return !taken(c.Context.Existing, mapping.Text(v)) })
		if i < 0 {
			return outcome{err: choice.Err}
		}
		mapping.Settle(res.Values, choice.Index, choice.Values[i])
	}
	account, err := r.Account(res.Values)
	if err != nil {
		return outcome{err: requiredError{err}}
	}
	out := outcome{values: map[string]any{}}
	for _, a := range account {
		out.values[a.Name] = a.Value
	}
	for _, v := range res.Values {
		m := &r.Mappings.Mappings[v.Index]
		switch {
		case v.Ignored:
			out.values[m.Target] = expr.IgnoreAttribute
		case m.IsReference():
			out.values[m.Target] = keys(v.Refs, m.Def.MultiValued)
		}
	}
	return out
}

// keys are references as a case writes them: the keys of the source objects.
func keys(refs []identity.Ref, several bool) any {
	if len(refs) == 0 {
		return nil
	}
	if !several {
		return refs[0].Anchor
	}
	out := make([]any, len(refs))
	for i, ref := range refs {
		out[i] = ref.Anchor
	}
	return out
}

// compare tells about every attribute that has another value than the case wants. Attributes that it does not name may
// have any.
func (r Rule) compare(want map[string]expected, got outcome) error {
	var different, parts []string
	for _, name := range slices.Sorted(maps.Keys(want)) {
		known := slices.ContainsFunc(r.Mappings.Mappings, func(m mapping.Mapping) bool { return m.Target == name })
		switch {
		case !known:
			return failure(text(name)+": "+string(want[name].raw), "the rule maps no attribute "+name)
		case got.err == nil && !got.ignored && want[name].check(got.values[name], nil) == nil:
			continue
		}
		different = append(different, name)
		parts = append(parts, text(name)+": "+string(want[name].raw))
	}
	if different == nil {
		return nil
	}
	return failure("{"+strings.Join(parts, ", ")+"}", got.show(different))
}

// checkRuleError looks for an error of a kind among those of the mappings.
func checkRuleError(want any, kind string, got outcome) error {
	if got.err == nil {
		return failure(text(want), got.show(nil))
	}
	if !slices.Contains(ruleErrors(got.err), kind) {
		return failure(text(want), showRuleError(got.err))
	}
	return nil
}

// ruleErrors are the kinds of the errors of all mappings that failed.
func ruleErrors(err error) []string {
	var kinds []string
	for _, e := range flat(err) {
		kind := exprKind(e)
		switch {
		case errors.Is(e, mapping.ErrManyValues):
			kind = string(expr.KindType)
		case errors.As(e, new(requiredError)):
			kind = "required"
		}
		kinds = append(kinds, kind)
	}
	return kinds
}

// requiredError is that of an account without a value that the target requires.
type requiredError struct{ error }

func showRuleError(err error) string {
	return showError(strings.Join(ruleErrors(err), ", "), errors.New(strings.ReplaceAll(err.Error(), "\n", "; ")))
}
