package job

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Types of what expressions give.
const (
	typeNumber   = "Number"
	typeBoolean  = "Boolean"
	typeDateTime = "DateTime"
	typeList     = "List"
)

// expression checks what an expression gives against the attribute that it is for.
func (c *ruleCheck) expression(path string, a *mapping.Attribute, p *expr.Program, attr schema.Attribute, isKnown bool) {
	c.sourceNames(path, p.Attributes())
	c.disabling(path, a, p)
	for _, w := range p.Warnings() {
		c.problemAt(path, w.Line, w.Column, Warning, w.Message, "")
	}
	if isKnown && attr.Type == schema.Reference {
		c.errorf(path, "reference: "+quoted(a.Expression),
			"%s refers to another object and takes a reference, not an expression", a.Target)
		return
	}
	if p.Calls(uniqueFunction) {
		c.uniqueValue(path, a, attr, isKnown)
	}
	c.roles(path, a, p)
	c.random(path, a, p)
	if v, same := p.Constant(); same && a.Match > 0 {
		c.errorf(path, "match on what tells one person from another, for instance userName",
			"the joining attribute %s is %s for everybody", a.Target, quoted(mapping.Text(v))) // engine.R49
	}
	if !isKnown {
		return
	}
	for _, o := range p.Outcomes() {
		if message, hint := c.misfit(o, a, attr); message != "" {
			c.problemAt(path, o.Line, o.Column, Error, message, hint)
		}
	}
}

// problemAt reports something about a place within an expression.
func (c *ruleCheck) problemAt(path string, line, column int, s Severity, message, hint string) {
	c.problems = append(c.problems, Problem{Path: path, Line: line, Column: column, Severity: s, Message: message, Hint: hint})
}

// disabling notes where a disable shows (engine.R79).
func (c *ruleCheck) disabling(path string, a *mapping.Attribute, p *expr.Program) {
	if !slices.ContainsFunc(p.Attributes(), func(n string) bool { return strings.EqualFold(n, softDeleted) }) {
		return
	}
	c.disables = true
	if a.Apply == mapping.OnCreate {
		c.warnf(strings.TrimSuffix(path, ".expression")+".apply", "leave apply out",
			"%s is written on create only, so nobody would be disabled by it", a.Target) // engine.R79
	}
}

// misfit says why a value that an expression can have does not fit its attribute, "" when it may.
func (c *ruleCheck) misfit(o expr.Outcome, a *mapping.Attribute, attr schema.Attribute) (message, hint string) {
	kind, what := o.Type, "this gives"
	if o.Attribute != "" {
		kind, what = c.typeOf(o.Attribute), o.Attribute+" is"
	}
	switch {
	case kind == typeList && attr.MultiValued:
		return "", ""
	case kind == typeList && o.Attribute != "":
		return fmt.Sprintf("%s can only accept one value, and %s has several", a.Target, o.Attribute),
			fmt.Sprintf("take one of them: Item([%s], 1)", o.Attribute) // engine.R67
	case kind == typeList:
		return fmt.Sprintf("%s can only accept one value, and this gives a list", a.Target),
			"take one of its values with Item, or make one of them with Join" // engine.R67
	case o.Constant != nil:
		if err := mapping.Fits(o.Constant, attr); err != nil {
			return fmt.Sprintf("%s takes %s: %v", a.Target, wanted(attr.Type), err), ""
		}
		return "", ""
	}
	unfit := map[schema.Type][]string{ // a text may hold a value of any type
		schema.Boolean:  {typeNumber, typeDateTime},
		schema.Integer:  {typeBoolean, typeDateTime},
		schema.DateTime: {typeBoolean, typeNumber},
	}
	if slices.Contains(unfit[attr.Type], kind) {
		return fmt.Sprintf("%s takes %s, and %s a %s", a.Target, wanted(attr.Type), what, kind), ""
	}
	return "", ""
}

// wanted names what an attribute of a type takes.
func wanted(t schema.Type) string {
	switch t {
	case schema.Boolean:
		return "True or False"
	case schema.Integer:
		return "a whole number"
	case schema.DateTime:
		return "a date"
	case schema.String, schema.Reference, schema.Binary:
	}
	return "text"
}

// typeOf is the type of a source attribute in the words of expressions, "" where it is text or not known.
func (c *ruleCheck) typeOf(name string) string {
	if strings.EqualFold(name, softDeleted) || strings.EqualFold(name, mapping.AccountEnabled) {
		return typeBoolean
	}
	if c.source == nil {
		return ""
	}
	from, ok := c.source.Attribute(name)
	switch {
	case !ok:
		return ""
	case from.MultiValued:
		return typeList
	}
	return map[schema.Type]string{schema.Integer: typeNumber, schema.Boolean: typeBoolean, schema.DateTime: typeDateTime}[from.Type]
}

// fallback checks the default of a mapping (engine.R61).
func (c *ruleCheck) fallback(path string, a *mapping.Attribute, attr schema.Attribute, isKnown bool) {
	switch {
	case a.Default == "":
	case a.Reference != "":
		c.errorf(path+".default", "leave it out", "a reference takes no default")
	case isKnown:
		attr.MultiValued = false
		if err := mapping.Fits(a.Default, attr); err != nil {
			c.errorf(path+".default", "", "%s takes %s: %v", a.Target, wanted(attr.Type), err)
		}
	}
}

const uniqueFunction = "SelectUniqueValue"

// uniqueValue checks the use of SelectUniqueValue (expressions section 7, engine.R58).
func (c *ruleCheck) uniqueValue(path string, a *mapping.Attribute, attr schema.Attribute, isKnown bool) {
	if a.Match > 0 {
		c.errorf(path, "match on another attribute", "SelectUniqueValue cannot stand on the joining attribute %s", a.Target)
	}
	if a.Apply != mapping.OnCreate {
		c.errorf(path, "apply: create", "SelectUniqueValue would look for a new value in every cycle")
	}
	if !isKnown || attr.Filterable {
		return
	}
	hint := c.searchable("choose the value of ")
	if c.target.Open {
		c.warnf(path, hint, "the target may not be able to search for %s, by which SelectUniqueValue finds out what is taken", a.Target)
	} else {
		c.errorf(path, hint, "the target cannot search for %s, by which SelectUniqueValue finds out what is taken", a.Target)
	}
}

// searchable is a hint that names the attributes that the target can search for.
func (c *ruleCheck) searchable(advice string) string {
	var can []string
	for _, t := range c.target.Attributes {
		if t.Filterable {
			can = append(can, t.Name)
		}
	}
	const few = 6
	if len(can) == 0 || len(can) > few {
		return ""
	}
	return advice + strings.Join(can, " or ")
}

// roles checks the use of app roles (engine.R58, R73).
func (c *ruleCheck) roles(path string, a *mapping.Attribute, p *expr.Program) {
	for _, f := range roleFunctions {
		if !p.Calls(f) {
			continue
		}
		if c.job.Settings.Scope == ScopeAll {
			c.warnf(path, "scope: assigned", "%s yields nothing with scope all", f) // design D17
		}
		if a.Match > 0 {
			c.errorf(path, "match on an attribute of the person, for instance userName",
				"%s gives a role, and a role cannot be a joining attribute", f)
		}
	}
	for _, o := range p.Outcomes() {
		if strings.EqualFold(o.Attribute, mapping.AppRoleAssignments) {
			c.problemAt(path, o.Line, o.Column, Error, fmt.Sprintf("%s cannot take app roles as they are", a.Target),
				"give them to one of "+strings.Join(roleFunctions, ", "))
		}
	}
}

// random warns of values that differ each time they are computed.
func (c *ruleCheck) random(path string, a *mapping.Attribute, p *expr.Program) {
	for _, f := range []string{"Guid", "RandomString"} {
		if p.Calls(f) && a.Apply != mapping.OnCreate && !p.Calls(uniqueFunction) {
			c.warnf(path, "apply: create", "%s gives another value each time, so %s would be written over and over", f, a.Target)
		}
	}
}

// password checks the mapping of a password, which is never synchronised (engine.R70).
func (c *ruleCheck) password(path string, a *mapping.Attribute) {
	if canonicalTarget(a.Target) != "password" {
		return
	}
	if a.Apply != mapping.OnCreate {
		c.errorf(path, "apply: create, for a first password such as RandomString gives",
			"a password is never synchronised; it can be set once, when the account is created")
	}
	if p, err := expr.Compile(a.Expression); err == nil && !p.Calls("Redact") {
		c.warnf(path, "Redact(…) around the expression", "the provisioning log would show the password")
	}
}

// references checks a mapping that refers to other objects.
func (c *ruleCheck) references(path string, a *mapping.Attribute, p *expr.Program, attr schema.Attribute, isKnown bool) {
	c.sourceNames(path, p.Attributes())
	if p.Calls(uniqueFunction) {
		c.errorf(path, "reference: \"[manager]\"", "SelectUniqueValue gives a text, and no reference")
	}
	if isKnown && attr.Type != schema.Reference {
		c.errorf(path, "expression: "+quoted(a.Reference),
			"%s takes no reference to another object", a.Target)
		return
	}
	if !isKnown || attr.MultiValued {
		return
	}
	for _, o := range p.Outcomes() {
		if o.Attribute != "" && c.typeOf(o.Attribute) == typeList || o.Type == typeList {
			c.problemAt(path, o.Line, o.Column, Error, fmt.Sprintf("%s can only refer to one object, and this gives several", a.Target),
				"take one of them with Item") // engine.R67
		}
	}
}
