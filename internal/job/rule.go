package job

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// computed are the attributes that every source has beside its own (design 6.2, csv source).
var computed = []string{softDeleted, "objectId", "accountEnabled", "appRoleAssignments"}

// softDeleted is the computed attribute that says whether an account is to be disabled (engine.R77).
const softDeleted = "IsSoftDeleted"

// roleFunctions need assignments, so they mean nothing with scope all (engine.R73, design D17).
var roleFunctions = []string{"SingleAppRoleAssignment", "AppRoleAssignmentsComplex", "AssertiveAppRoleAssignmentsComplex"}

// ruleCheck checks one rule.
type ruleCheck struct {
	*validator
	rule   *Rule
	label  string // the rule in messages
	path   string
	source *schema.Object              // nil where the source is not known
	target *schema.Object              // nil where the target is not known
	known  map[string]schema.Attribute // attributes of target by canonical name

	mapped   map[string]string // canonical target attribute → as written
	priority map[int]string    // matching priority → target attribute
	disables bool              // a mapping names IsSoftDeleted
	broken   bool              // an expression does not compile, so what it names is not known
}

func (v *validator) rule(path string, r *Rule) {
	label := "rule " + r.Name
	if r.Name == "" {
		label = "the rule"
	}
	c := &ruleCheck{validator: v, rule: r, label: label, path: path, mapped: make(map[string]string), priority: make(map[int]string)}
	if r.Name == "" {
		c.errorf(path+".name", "name: users", "the rule has no name")
	}
	if r.From == "" {
		c.errorf(path+".from", "from: User", "%s does not say which objects of the source it is for", c.label)
	}
	if r.To == "" {
		c.errorf(path+".to", "to: User", "%s does not say which objects of the target it writes", c.label)
	}
	if !r.Enabled && c.isUsers() {
		c.errorf(path+".enabled", "enabled: true; pause the job, or take actions away, to stop it",
			"%s cannot be switched off: users are what a job is about", c.label) // engine.R5
	}
	c.source = c.kind(path+".from", "source", v.source, r.From)
	c.target = c.kind(path+".to", "target", v.target, r.To)
	if c.target != nil {
		c.known = make(map[string]schema.Attribute, len(c.target.Attributes))
		for _, a := range c.target.Attributes {
			c.known[canonicalTarget(a.Name)] = a
		}
	}
	c.filter()
	c.nested()
	if len(r.Attributes) == 0 {
		c.errorf(path+".attributes", `{target: userName, expression: "[userPrincipalName]", match: 1}`,
			"%s maps no attribute", c.label)
		return
	}
	for i := range r.Attributes {
		c.attribute(fmt.Sprintf("%s.attributes[%d]", path, i), &r.Attributes[i])
	}
	c.whole()
}

// nested checks what the rule says about groups within groups (engine.R99).
func (c *ruleCheck) nested() {
	path := c.path + ".nested"
	switch c.rule.Nested {
	case "", NestedIgnore:
		return
	case NestedFlatten:
	default:
		c.errorf(path, "ignore or flatten", "unknown value %q", c.rule.Nested)
		return
	}
	switch {
	case c.job.Source.Connector != Directory:
		c.errorf(path, "nested: ignore", "only the directory knows groups within groups; the source is %s", c.job.Source.Connector)
	case slices.EqualFunc(c.rule.Mappings(), c.rule.Attributes, func(a, b mapping.Attribute) bool { return a.Reference == b.Reference }):
		c.errorf(path, `{target: members, reference: "[members]"}`, "%s maps no members that could be flattened", c.label)
	}
}

func (c *ruleCheck) isUsers() bool {
	return strings.EqualFold(string(c.rule.To), string(identity.User))
}

// kind finds the object type in what is known of a system.
func (c *ruleCheck) kind(path, end string, known schema.Schema, kind identity.Kind) *schema.Object {
	if len(known) == 0 || kind == "" {
		return nil
	}
	if o, ok := known.Object(kind); ok {
		return o
	}
	names := make([]string, len(known))
	for i, o := range known {
		names[i] = string(o.Kind)
	}
	c.errorf(path, didYouMean(string(kind), names), "the %s has no objects of type %s", end, kind)
	return nil
}

// whole checks what only the sum of the mappings can tell.
func (c *ruleCheck) whole() {
	path, r := c.path+".attributes", c.rule
	if len(c.priority) == 0 {
		c.errorf(path, "match: 1 on the attribute that tells whose account it is, for instance userName",
			"%s has no joining attribute, so it could find no account", c.label) // engine.R47
	}
	if c.isUsers() && r.Actions.Update && !c.disables && !c.broken && c.job.Settings.Deprovision != DeprovisionDelete {
		c.warnf(path, `for instance {target: active, expression: "Not([IsSoftDeleted])"}`,
			"no attribute of %s names IsSoftDeleted: the accounts of leavers cannot be disabled", c.label) // engine.R80
	}
	if c.target == nil || !r.Actions.Create {
		return
	}
	for _, a := range c.target.Attributes {
		if _, ok := c.mapped[canonicalTarget(a.Name)]; a.Required && !ok && a.Default == "" && !a.ReadOnly {
			c.errorf(path, fmt.Sprintf("add {target: %s, …}, or take create from the actions", quoted(a.Name)),
				"%s does not map %s, which the target requires", c.label, a.Name) // engine.R6, R62
		}
	}
	c.demanded(path)
}

// demanded warns of what the target itself says that a create needs, beyond what is known to be required (scim.R49).
func (c *ruleCheck) demanded(path string) {
	for _, name := range c.target.Demands {
		if a, ok := c.known[canonicalTarget(name)]; ok && a.Required {
			continue
		}
		met := false
		for _, written := range c.mapped {
			met = met || schema.Meets(written, name)
		}
		if !met {
			c.warnf(path, fmt.Sprintf("add {target: %s, …} if creates are refused", quoted(name)),
				"%s does not map %s, which the target says that it requires", c.label, name)
		}
	}
}

func (c *ruleCheck) attribute(path string, a *mapping.Attribute) {
	if strings.TrimSpace(a.Target) == "" {
		c.errorf(path+".target", `target: userName`, "the mapping names no target attribute")
		return
	}
	canonical := canonicalTarget(a.Target)
	if first, ok := c.mapped[canonical]; ok {
		c.errorf(path+".target", "keep one of the two", "%s maps %s twice", c.label, first)
	} else {
		c.mapped[canonical] = a.Target
	}
	if canonical == "id" || c.job.Target.Connector == Directory && canonical == "objectid" {
		c.errorf(path+".target", "leave it out; the link keeps it",
			"%s is the target's own key and cannot be written", a.Target) // engine.R4
	}
	attr, isKnown := c.targetAttribute(path, a)
	switch {
	case a.Expression != "" && a.Reference != "":
		c.errorf(path, "keep the one that is meant", "the mapping of %s has both an expression and a reference", a.Target)
	case a.Expression == "" && a.Reference == "" && a.Default == "":
		c.errorf(path, `expression: "[mail]", reference: "[manager]", or default: text`,
			"the mapping of %s says no value", a.Target) // engine.R59: kind None writes its default
	}
	c.flow(path, a, attr, isKnown)
	c.joining(path, a, attr, isKnown)
	if p := c.compile(path+".expression", a.Expression); p != nil {
		c.expression(path+".expression", a, p, attr, isKnown)
	}
	if p := c.compile(path+".reference", a.Reference); p != nil {
		c.references(path+".reference", a, p, attr, isKnown)
	}
	c.fallback(path, a, attr, isKnown)
	c.password(path, a)
}

// flow checks when a mapping flows, and what becomes of empty values (engine.R59, R60, R65).
func (c *ruleCheck) flow(path string, a *mapping.Attribute, attr schema.Attribute, isKnown bool) {
	apply, ok := mapping.ParseApply(string(a.Apply))
	switch {
	case !ok:
		c.errorf(path+".apply", didYouMean(string(a.Apply), append(mapping.Applies(), "ObjectAddOnly")), "unknown value %q", string(a.Apply))
	case apply == mapping.MultiValueAddOnly && isKnown && !attr.MultiValued:
		c.errorf(path+".apply", "apply: ValueAddOnly, or AttributeAddOnly",
			"%s takes one value, and MultiValueAddOnly is for attributes with several", a.Target)
	}
	switch a.FlowBehavior {
	case "", mapping.FlowWhenChanged:
	case mapping.FlowAlways:
		if a.Reference != "" {
			c.errorf(path+".flowBehavior", "leave flowBehavior out", "%s refers to other objects; references are sent when they change", a.Target)
		}
	default:
		c.errorf(path+".flowBehavior", "FlowWhenChanged or FlowAlways", "unknown value %q", string(a.FlowBehavior))
	}
	switch {
	case !a.FlowNull:
	case a.Match > 0 || isKnown && attr.Required:
		c.warnf(path+".flowNull", "leave flowNull out",
			"%s is needed, and flowNull would clear it when the source has no value", a.Target)
	case ok && apply != "":
		c.warnf(path+".flowNull", "leave flowNull out, or apply",
			"%s flows with apply: %s, which never clears it, so flowNull does nothing", a.Target, apply)
	}
}

// targetAttribute finds the target attribute in what is known of the target.
func (c *ruleCheck) targetAttribute(path string, a *mapping.Attribute) (schema.Attribute, bool) {
	if c.target == nil {
		return schema.Attribute{}, false
	}
	attr, ok := c.known[canonicalTarget(a.Target)]
	if ok {
		if attr.ReadOnly {
			c.errorf(path+".target", "leave it out", "%s can only be read", a.Target) // engine.R2
		}
		return attr, true
	}
	if c.target.Own(a.Target) {
		return schema.Attribute{}, false
	}
	names := make([]string, len(c.target.Attributes))
	for i, t := range c.target.Attributes {
		names[i] = t.Name
	}
	if hint := didYouMean(a.Target, names); c.target.Open {
		c.warnf(path+".target", hint, "%s is not in the catalogue of the target", a.Target)
	} else {
		c.errorf(path+".target", hint, "the target has no attribute %s", a.Target) // engine.R68
	}
	return schema.Attribute{}, false
}

// joining checks a joining property (engine.R47, R53, R58).
func (c *ruleCheck) joining(path string, a *mapping.Attribute, attr schema.Attribute, isKnown bool) {
	if a.Match == 0 {
		return
	}
	path += ".match"
	if a.Match < 0 {
		c.errorf(path, "1 is tried first, then 2, and so on", "matching priority %d is negative", a.Match)
		return
	}
	if first, ok := c.priority[a.Match]; ok {
		c.errorf(path, "number them 1, 2, 3 in the order they are to be tried",
			"%s and %s have the same matching priority %d", first, a.Target, a.Match)
	} else {
		c.priority[a.Match] = a.Target
	}
	if a.Reference != "" || isKnown && attr.Type == schema.Reference {
		c.errorf(path, "match on an attribute with a value of its own, for instance userName",
			"%s is a reference and cannot be a joining attribute", a.Target) // engine.R58
		return
	}
	if a.Expression == "" && a.Reference == "" {
		c.errorf(path, "add an expression", "%s cannot be a joining attribute: it has no value of the source", a.Target)
	}
	if !isKnown || attr.Filterable {
		return
	}
	hint := c.searchable("match on ")
	if c.target.Open {
		c.warnf(path, hint, "the target may not be able to search for %s", a.Target)
	} else {
		c.errorf(path, hint, "the target cannot search for %s", a.Target) // engine.R53
	}
}

// compile compiles an expression and reports each mistake with its place in the text.
func (c *ruleCheck) compile(path, text string) *expr.Program {
	if text == "" {
		return nil
	}
	p, err := expr.Compile(text)
	if err == nil {
		return p
	}
	c.broken = true
	var list expr.Errors
	var one *expr.Error
	switch {
	case errors.As(err, &list):
	case errors.As(err, &one):
		list = expr.Errors{one}
	default:
		c.errorf(path, "", "%v", err)
		return nil
	}
	for _, e := range list {
		message := e.Message
		if e.Function != "" {
			message = e.Function + ": " + message
		}
		c.problems = append(c.problems, Problem{
			Path: path, Severity: Error, Message: message, Hint: e.Hint, Line: e.Line, Column: e.Column,
		})
	}
	return nil
}

// sourceNames checks that the source has the attributes.
func (c *ruleCheck) sourceNames(path string, names []string) {
	if c.source == nil {
		return
	}
	has := slices.Clone(computed)
	for _, a := range c.source.Attributes {
		has = append(has, a.Name)
	}
	for _, name := range names {
		if c.hasSource(name, has) || c.source.Own(name) {
			continue
		}
		if near := Nearest(name, has); !c.source.Open {
			c.errorf(path, didYouMean(name, has), "the source has no attribute %s", name)
		} else if near != "" {
			c.warnf(path, "did you mean "+near+"?", "%s is not among the known attributes of the source", name)
		}
	}
}

// hasSource finds a name as expressions do (expressions O-02): as it is, without regard to case, and last as a SCIM
// path into an attribute.
func (c *ruleCheck) hasSource(name string, has []string) bool {
	same := func(h string) bool { return strings.EqualFold(h, name) }
	if slices.ContainsFunc(has, same) {
		return true
	}
	p, err := scim.ParsePath(name)
	if err != nil || p.Attribute == name {
		return false
	}
	return slices.ContainsFunc(has, func(h string) bool { return strings.EqualFold(h, p.Attribute) })
}

// filter checks the rule's scoping filter.
func (c *ruleCheck) filter() {
	path, f := c.path+".filter", c.rule.Filter
	if len(f.CategoryFilterGroups) > 0 {
		c.warnf(path+".categoryFilterGroups", "", "categoryFilterGroups is kept for export and filters nothing") // scoping Q-11
	}
	p, err := scope.CompileWith(f, scope.Options{MultiValued: c.multiValued, RegexAnywhere: c.job.Settings.RegexMatch == RegexAnywhere})
	var refused scope.Errors
	switch {
	case err == nil:
		for _, w := range p.Warnings() {
			c.warnf(clausePath(path, false, w.Group, w.Clause), "", "%s", w.Message)
		}
	case errors.As(err, &refused):
		for _, e := range refused {
			at := clausePath(path, e.Input, e.Group, e.Clause)
			if e.Clause >= 0 && e.Kind != scope.KindEmpty {
				at += "." + string(e.Kind) // attribute, operator or value: the keys of a clause
			}
			c.errorf(at, "", "%s", e.Message)
		}
	default:
		c.errorf(path, "", "%v", err)
	}
	for input, groups := range map[bool][]scope.Group{false: f.Groups, true: f.InputFilterGroups} {
		for g := range groups {
			for k, clause := range groups[g].Clauses {
				if clause.Attribute != "" {
					c.sourceNames(clausePath(path, input, g, k)+".attribute", []string{clause.Attribute})
				}
			}
		}
	}
}

// multiValued tells whether the source is known to have several values for an attribute.
func (c *ruleCheck) multiValued(name string) bool {
	if c.source == nil {
		return false
	}
	a, ok := c.source.Attribute(name)
	return ok && a.MultiValued
}

// clausePath is the path of a clause, or of its group when clause is negative.
func clausePath(path string, input bool, group, clause int) string {
	if input {
		path += ".inputFilterGroups"
	}
	path = fmt.Sprintf("%s[%d]", path, group)
	if clause >= 0 {
		path = fmt.Sprintf("%s[%d]", path, clause)
	}
	return path
}

// canonicalTarget brings the spellings of a target attribute to one form: a SCIM path without regard to case and
// without the URN of the core schema, any other name without regard to case.
func canonicalTarget(name string) string {
	name = strings.TrimSpace(name)
	p, err := scim.ParsePath(name)
	if err != nil {
		return strings.ToLower(name)
	}
	if strings.EqualFold(p.Schema, scim.UserURN) || strings.EqualFold(p.Schema, scim.GroupURN) {
		p.Schema = ""
	}
	return strings.ToLower(p.String())
}

func quoted(text string) string {
	if strings.ContainsAny(text, `"`) {
		return "'" + text + "'"
	}
	return `"` + text + `"`
}

// didYouMean is the hint for an unknown name: the nearest known one, else the known ones when they are few.
func didYouMean(name string, known []string) string {
	if near := Nearest(name, known); near != "" {
		return "did you mean " + near + "?"
	}
	if len(known) > 0 && len(known) <= 12 {
		return "there are " + strings.Join(slices.Sorted(maps.Keys(set(known))), ", ")
	}
	return ""
}

func set(names []string) map[string]bool {
	out := make(map[string]bool, len(names))
	for _, n := range names {
		out[n] = true
	}
	return out
}
