package appfile

import (
	"fmt"
	"strings"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// rules reads the rules. The result has an element for each one in the document, so that a path of package job is a
// path of the document.
func (d *decoder) rules(doc *node) []job.Rule {
	var out []job.Rule
	for i, n := range d.items(doc, "", "rules", "[{name: users, …}]") {
		out = append(out, d.rule(n, fmt.Sprintf("rules[%d]", i)))
	}
	return out
}

func (d *decoder) rule(n *node, path string) job.Rule {
	var r job.Rule
	if !d.keys(n, path, "name", "from", "to", "enabled", "actions", "filter", "nested", "attributes") {
		return r
	}
	r.Name = d.text(n, path, "name", "users")
	r.From = identity.Kind(d.text(n, path, "from", "User"))
	r.To = identity.Kind(d.text(n, path, "to", "User"))
	r.Enabled = d.flag(n, path, "enabled", true)
	r.Actions = d.actions(n, path)
	if f := n.get("filter"); f != nil {
		r.Filter = d.filter(f, join(path, "filter"))
	}
	if r.Nested = d.text(n, path, "nested", job.NestedFlatten); r.Nested == job.NestedIgnore {
		r.Nested = "" // the same thing, in one form
	}
	for i, a := range d.items(n, path, "attributes", `[{target: userName, expression: "[mail]", match: 1}]`) {
		r.Attributes = append(r.Attributes, d.attribute(a, fmt.Sprintf("%s.attributes[%d]", path, i)))
	}
	return r
}

// actions reads the actions of a rule; all three where the document says nothing (engine section 1, flowTypes).
func (d *decoder) actions(n *node, path string) job.Actions {
	if n.get("actions") == nil {
		return job.Actions{Create: true, Update: true, Delete: true}
	}
	var a job.Actions
	known := map[string]*bool{"create": &a.Create, "update": &a.Update, "delete": &a.Delete}
	names := []string{"create", "update", "delete"}
	for i, item := range d.items(n, path, "actions", "[create, update, delete]") {
		at := fmt.Sprintf("%s.actions[%d]", path, i)
		field := known[item.text]
		if item.kind != kindScalar || field == nil {
			hint := "the actions are create, update, delete"
			if item.text == "disable" || item.text == "enable" {
				hint = "disabling and enabling are updates: update"
			} else if near := job.Nearest(item.text, names); near != "" {
				hint = "did you mean " + near + "?"
			}
			d.errorf(item, at, hint, "there is no action %q", item.text)
			continue
		}
		*field = true
	}
	return a
}

// filter reads a scoping filter: a list of groups, or a map with the three lists that the reference service keeps
// (scoping section 5).
func (d *decoder) filter(n *node, path string) scope.Filter {
	if n.kind != kindMap {
		return scope.Filter{Groups: d.groups(n, path)}
	}
	var f scope.Filter
	if !d.keys(n, path, "groups", "inputFilterGroups", "categoryFilterGroups") {
		return f
	}
	lists := map[string]*[]scope.Group{
		"groups": &f.Groups, "inputFilterGroups": &f.InputFilterGroups, "categoryFilterGroups": &f.CategoryFilterGroups,
	}
	for _, field := range n.fields {
		if to := lists[field.name]; to != nil && field.value.kind != kindNull {
			*to = d.groups(field.value, join(path, field.name))
		}
	}
	return f
}

const filterExample = "[[{attribute: department, operator: EQUALS, value: Sales}]]"

func (d *decoder) groups(n *node, path string) []scope.Group {
	if n.kind != kindList {
		d.errorf(n, path, "filter: "+filterExample, "%s must be a list of groups, not %s", last(path), n.describe())
		return nil
	}
	var out []scope.Group
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		var g scope.Group
		clauses := item
		if item.get("attribute") != nil || item.get("operator") != nil {
			d.errorf(item, at, "filter: "+filterExample, "a filter is a list of groups, and each group a list of clauses; here a clause stands in place of a group")
			out = append(out, g)
			continue
		}
		if item.kind == kindMap {
			if !d.keys(item, at, "name", "clauses") {
				continue
			}
			g.Name = d.text(item, at, "name", "Active sales")
			clauses, at = item.get("clauses"), join(at, "clauses")
		}
		switch {
		case clauses == nil:
		case clauses.kind != kindList:
			d.errorf(clauses, at, "filter: "+filterExample, "a group must be a list of clauses, not %s", clauses.describe())
		default:
			for k, c := range clauses.items {
				g.Clauses = append(g.Clauses, d.clause(c, fmt.Sprintf("%s[%d]", at, k)))
			}
		}
		out = append(out, g)
	}
	return out
}

func (d *decoder) clause(n *node, path string) scope.Clause {
	var c scope.Clause
	if !d.keys(n, path, "attribute", "operator", "value", "values") {
		return c
	}
	c.Attribute = d.text(n, path, "attribute", "department")
	c.Operator = d.text(n, path, "operator", "EQUALS")
	if n.get("value") != nil && n.get("values") != nil {
		d.errorf(n, path, "values: [A, B]", "a clause has either value or values")
	}
	if n.get("value") != nil {
		c.Values = []string{d.text(n, path, "value", "Sales")}
	} else {
		c.Values = d.texts(n, path, "values", "[Sales, Service]")
	}
	return c
}

func (d *decoder) attribute(n *node, path string) mapping.Attribute {
	var a mapping.Attribute
	before := len(d.problems)
	defer func() {
		if len(d.problems) > before {
			d.expected = append(d.expected, path) // half a mapping tells nothing about the rest of it
		}
	}()
	if !d.keys(n, path, "target", "expression", "reference", "default", "apply", "flowBehavior", "flowNull", "sensitive", "match") {
		return a
	}
	a.Target = d.text(n, path, "target", "userName")
	a.Expression = d.text(n, path, "expression", `"[mail]"`)
	a.Reference = d.text(n, path, "reference", `"[manager]"`)
	a.Default = d.text(n, path, "default", "Employee")
	a.Apply, _ = mapping.ParseApply(strings.TrimSpace(d.text(n, path, "apply", "create")))
	if a.FlowBehavior = mapping.Behavior(d.text(n, path, "flowBehavior", "FlowAlways")); a.FlowBehavior == mapping.FlowWhenChanged {
		a.FlowBehavior = "" // the same thing, in one form
	}
	a.FlowNull = d.flag(n, path, "flowNull", false)
	a.Sensitive = d.flag(n, path, "sensitive", false)
	if m := n.get("match"); m != nil {
		a.Match, _ = d.number(m, join(path, "match"))
		if m.text == "0" {
			d.errorf(m, join(path, "match"), "1 for the attribute that is tried first", "matching priorities begin with 1")
		}
	}
	return a
}
