package appfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// Export writes a job as a complete app file: every setting and every mapping stands in it, those of the template too,
// so that it goes on meaning the same when the template changes. Parse makes an equal job of it, but for Dir. The error
// names what cannot be written: a template that opts does not know, or a rule of the template that the job lacks.
func Export(j job.Job, opts Options) ([]byte, error) {
	j.Settings = j.Settings.WithDefaults(j.Source, j.Target)
	doc := &yaml.Node{Kind: yaml.MappingNode}
	put(doc, "name", textNode(j.Name), "")
	if j.Template != "" {
		put(doc, "template", textNode(j.Template), "The gallery template this job was made from. Everything below outranks it.")
	}
	for _, end := range []struct {
		key, comment string
		end          job.End
	}{
		{"source", "Where people and groups are read from.", j.Source},
		{"target", "Where accounts are written to.", j.Target},
	} {
		settings, err := settingsNode(end.end.Settings, opts.Connectors[end.end.Connector].Settings)
		if err != nil {
			return nil, fmt.Errorf("export job %s: %s.settings: %w", j.Name, end.key, err)
		}
		n := &yaml.Node{Kind: yaml.MappingNode}
		put(n, "connector", textNode(end.end.Connector), "")
		put(n, "settings", settings, "")
		put(doc, end.key, n, end.comment)
	}
	put(doc, "settings", jobSettingsNode(j.Settings), "When cycles run, who is looked at, and what protects against accidents.")
	if len(j.Assignments) > 0 {
		put(doc, "assignments", assignmentsNode(j.Assignments), "Who of the directory is assigned to the application.")
	}
	if len(j.Tests) > 0 {
		put(doc, "tests", textsNode(j.Tests), "Files with test vectors for the mappings; `rollcall test` runs them.")
	}
	rules := &yaml.Node{Kind: yaml.SequenceNode}
	for _, r := range j.Rules {
		rules.Content = append(rules.Content, ruleNode(r))
	}
	put(doc, "rules", rules, "How each type of object flows.")
	if err := overrule(doc, j, opts); err != nil {
		return nil, fmt.Errorf("export job %s: %w", j.Name, err)
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("export job %s: %w", j.Name, err)
	}
	if err := enc.Close(); err != nil {
		return nil, fmt.Errorf("export job %s: %w", j.Name, err)
	}
	return out.Bytes(), nil
}

// overrule writes an empty value for each key of the template that the job does not have.
func overrule(doc *yaml.Node, j job.Job, opts Options) error {
	if j.Template == "" || opts.Template == nil {
		return nil
	}
	t, err := opts.Template(j.Template)
	if err != nil {
		return err
	}
	b := &builder{report: func(int, int, string, string) {}}
	base := shortDrift(b.node(t.App()))
	for _, f := range base.fields {
		if f.name != "rules" {
			clearMissing(doc, f)
		}
	}
	for _, tr := range base.get("rules").list() {
		i := slices.IndexFunc(j.Rules, func(r job.Rule) bool { return r.Name == ruleName(tr) })
		if i < 0 {
			return fmt.Errorf("the rule %s of the template %s is missing; keep it with enabled: false", ruleName(tr), j.Template)
		}
		rule := child(doc, "rules").Content[i]
		for _, f := range tr.fields {
			clearMissing(rule, f)
		}
	}
	return nil
}

// clearMissing gives n an empty value for the template's key when it lacks it, and looks into maps.
func clearMissing(n *yaml.Node, template field) {
	own := child(n, template.name)
	if own == nil {
		put(n, template.name, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, "")
		return
	}
	if template.name == "drift" && own.Kind == yaml.ScalarNode && template.value.kind == kindMap { // its short form would keep the template's attributes
		word := *own
		*own = yaml.Node{Kind: yaml.MappingNode}
		put(own, "default", &word, "")
	}
	if own.Kind == yaml.MappingNode {
		for _, f := range template.value.fields {
			clearMissing(own, f)
		}
	}
}

func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

func put(n *yaml.Node, key string, value *yaml.Node, comment string) {
	k := textNode(key)
	k.HeadComment = comment
	n.Content = append(n.Content, k, value)
}

func textNode(s string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s}
	switch {
	case strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0:
	case isBlock(s):
		n.Style = yaml.LiteralStyle
	default:
		n.Style = yaml.DoubleQuotedStyle
	}
	return n
}

// isBlock tells whether a text of several lines comes back unchanged from a literal block, and is readable there.
func isBlock(s string) bool {
	for line := range strings.SplitSeq(s, "\n") {
		if line != strings.TrimRight(line, " ") || strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) >= 0 {
			return false
		}
	}
	return !strings.HasPrefix(s, " ") && !strings.HasPrefix(s, "\n") && !strings.HasSuffix(s, "\n")
}

func boolNode(b bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(b)}
}

func intNode(i int) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.Itoa(i)}
}

func textsNode(list []string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
	for _, s := range list {
		n.Content = append(n.Content, textNode(s))
	}
	return n
}

// settingsNode writes the settings of a connector in the order of its table, and others after them.
func settingsNode(settings map[string]any, table []connector.Setting) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode}
	names := slices.Sorted(maps.Keys(settings))
	place := func(name string) int {
		if i := slices.IndexFunc(table, func(s connector.Setting) bool { return s.Name == name }); i >= 0 {
			return i
		}
		return len(table)
	}
	slices.SortStableFunc(names, func(a, b string) int { return place(a) - place(b) })
	for _, name := range names {
		var fields []connector.Setting
		if i := place(name); i < len(table) {
			fields = table[i].Fields
		}
		value, err := valueNode(settings[name], fields)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if i := place(name); i < len(table) && table[i].Type == connector.Auth && scalars(value) <= shortAuth {
			value.Style = yaml.FlowStyle
		}
		put(n, name, value, "")
	}
	return n, nil
}

// shortAuth is how many keys and values a credential has that stands in one line: user, password and where it is kept.
const shortAuth = 6

// scalars counts the keys and values below a node.
func scalars(n *yaml.Node) int {
	if n.Kind == yaml.ScalarNode {
		return 1
	}
	count := 0
	for _, c := range n.Content {
		count += scalars(c)
	}
	return count
}

func valueNode(v any, fields []connector.Setting) (*yaml.Node, error) {
	switch v := v.(type) {
	case string:
		return textNode(v), nil
	case bool:
		return boolNode(v), nil
	case int:
		return intNode(v), nil
	case map[string]any:
		n, err := settingsNode(v, fields)
		if err == nil && len(fields) == 0 {
			n.Style = yaml.FlowStyle
		}
		return n, err
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, e := range v {
			item, err := valueNode(e, fields)
			if err != nil {
				return nil, err
			}
			if item.Kind == yaml.ScalarNode {
				n.Style = yaml.FlowStyle
			}
			n.Content = append(n.Content, item)
		}
		return n, nil
	}
	return nil, fmt.Errorf("a value of type %T has no place in an app file", v)
}

func jobSettingsNode(s job.Settings) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	put(n, "scope", textNode(string(s.Scope)), "")
	put(n, "interval", textNode(text(s.Interval)), "")
	put(n, "trigger", textNode(s.Trigger), "")
	put(n, "reconcile", reconcileNode(s.Reconcile), "")
	put(n, "drift", driftNode(s), "")
	put(n, "deletionGuard", guardNode(s.DeletionGuard), "")
	put(n, "membershipGuard", guardNode(s.MembershipGuard), "")
	put(n, "quarantine", quarantineNode(s.Quarantine), "")
	put(n, "skipOutOfScopeDeletions", boolNode(s.SkipOutOfScopeDeletions), "")
	put(n, "deleteAfterOutOfScope", boolNode(s.DeleteAfterOutOfScope), "")
	put(n, "deprovision", textNode(s.Deprovision), "")
	put(n, "regexMatch", textNode(s.RegexMatch), "")
	put(n, "excludeDefaultAccessRole", boolNode(s.ExcludeDefaultAccess), "")
	put(n, "onMissingTarget", textNode(s.OnMissingTarget), "")
	if len(s.Protected) > 0 {
		put(n, "protected", textsNode(s.Protected), "")
	}
	if len(s.Notify) > 0 {
		put(n, "notify", textsNode(s.Notify), "")
	}
	if s.DefaultDomain != "" {
		put(n, "defaultDomain", textNode(s.DefaultDomain), "")
	}
	return n
}

func quarantineNode(q job.QuarantineLimits) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	put(n, "minFailures", intNode(q.MinFailures), "")
	put(n, "percent", intNode(q.Percent), "")
	put(n, "failures", intNode(q.Failures), "")
	put(n, "total", intNode(q.Total), "")
	return n
}

func reconcileNode(d time.Duration) *yaml.Node {
	if d == job.Never {
		return textNode(never)
	}
	return textNode(text(d))
}

// driftNode writes a word where one says everything.
func driftNode(s job.Settings) *yaml.Node {
	if len(s.DriftAttributes) == 0 {
		return textNode(s.Drift)
	}
	attributes := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, name := range slices.Sorted(maps.Keys(s.DriftAttributes)) {
		put(attributes, name, textNode(s.DriftAttributes[name]), "")
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	put(n, "default", textNode(s.Drift), "")
	put(n, "attributes", attributes, "")
	return n
}

func guardNode(g job.Guard) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	put(n, "enabled", boolNode(g.Enabled), "")
	put(n, "threshold", intNode(g.Threshold), "")
	put(n, "percent", intNode(g.Percent), "")
	put(n, "floor", intNode(g.Floor), "")
	return n
}

func assignmentsNode(list []job.Assignment) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, a := range list {
		item := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		putText(item, "group", a.Group)
		putText(item, "user", a.User)
		putText(item, "role", a.Role)
		n.Content = append(n.Content, item)
	}
	return n
}

func putText(n *yaml.Node, key, value string) {
	if value != "" {
		put(n, key, textNode(value), "")
	}
}

func ruleNode(r job.Rule) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	put(n, "name", textNode(r.Name), "")
	put(n, "from", textNode(string(r.From)), "")
	put(n, "to", textNode(string(r.To)), "")
	put(n, "enabled", boolNode(r.Enabled), "")
	var actions []string
	for _, a := range []struct {
		name string
		on   bool
	}{{"create", r.Actions.Create}, {"update", r.Actions.Update}, {"delete", r.Actions.Delete}} {
		if a.on {
			actions = append(actions, a.name)
		}
	}
	put(n, "actions", textsNode(actions), "")
	if f := filterNode(r.Filter); f != nil {
		put(n, "filter", f, "")
	}
	putText(n, "nested", r.Nested)
	attributes := &yaml.Node{Kind: yaml.SequenceNode}
	for _, a := range r.Attributes {
		attributes.Content = append(attributes.Content, attributeNode(a))
	}
	put(n, "attributes", attributes, "")
	return n
}

// filterNode writes a filter in its short form where that says everything.
func filterNode(f scope.Filter) *yaml.Node {
	if len(f.InputFilterGroups) == 0 && len(f.CategoryFilterGroups) == 0 {
		if len(f.Groups) == 0 {
			return nil
		}
		return groupsNode(f.Groups)
	}
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, l := range []struct {
		name   string
		groups []scope.Group
	}{{"groups", f.Groups}, {"inputFilterGroups", f.InputFilterGroups}, {"categoryFilterGroups", f.CategoryFilterGroups}} {
		if len(l.groups) > 0 {
			put(n, l.name, groupsNode(l.groups), "")
		}
	}
	return n
}

func groupsNode(groups []scope.Group) *yaml.Node {
	n := &yaml.Node{Kind: yaml.SequenceNode}
	for _, g := range groups {
		clauses := &yaml.Node{Kind: yaml.SequenceNode}
		for _, c := range g.Clauses {
			item := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
			put(item, "attribute", textNode(c.Attribute), "")
			put(item, "operator", textNode(c.Operator), "")
			switch len(c.Values) {
			case 0:
			case 1:
				put(item, "value", textNode(c.Values[0]), "")
			default:
				put(item, "values", textsNode(c.Values), "")
			}
			clauses.Content = append(clauses.Content, item)
		}
		if g.Name == "" {
			n.Content = append(n.Content, clauses)
			continue
		}
		item := &yaml.Node{Kind: yaml.MappingNode}
		put(item, "name", textNode(g.Name), "")
		put(item, "clauses", clauses, "")
		n.Content = append(n.Content, item)
	}
	return n
}

func attributeNode(a mapping.Attribute) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	if strings.ContainsRune(a.Expression+a.Reference, '\n') {
		n.Style = 0 // an expression of several lines reads better as a block
	}
	put(n, "target", textNode(a.Target), "")
	putText(n, "expression", a.Expression)
	putText(n, "reference", a.Reference)
	putText(n, "default", a.Default)
	if a.Apply != "" && a.Apply != mapping.Always {
		put(n, "apply", textNode(string(a.Apply)), "")
	}
	putText(n, "flowBehavior", string(a.FlowBehavior))
	if a.FlowNull {
		put(n, "flowNull", boolNode(true), "")
	}
	if a.Sensitive {
		put(n, "sensitive", boolNode(true), "")
	}
	if a.Match != 0 {
		put(n, "match", intNode(a.Match), "")
	}
	return n
}
