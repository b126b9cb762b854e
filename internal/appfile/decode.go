package appfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/job"
)

// topKeys are the keys of an app file, in the order in which they are written.
var topKeys = []string{"name", "template", "source", "target", "settings", "assignments", "tests", "rules"}

// decoder makes a job of the merged document.
type decoder struct {
	reader
	opts     Options
	gallery  *gallery.Template // nil for none
	document *node
}

func (d *decoder) job() job.Job {
	n := d.document
	var j job.Job
	if !d.keys(n, "", topKeys...) {
		return j
	}
	j.Name = d.text(n, "", "name", "SAP Litmos")
	j.Template = d.text(n, "", "template", "scim")
	j.Source = d.end(n, "source", connectors(d.opts.Connectors, func(c ConnectorInfo) bool { return c.Source }))
	j.Target = d.end(n, "target", connectors(d.opts.Connectors, func(c ConnectorInfo) bool { return c.Target }))
	j.Settings = d.jobSettings(n.get("settings")).WithDefaults(j.Source, j.Target)
	j.Assignments = d.assignments(n)
	j.Tests = d.texts(n, "", "tests", "[mappings_test.json]")
	j.Rules = d.rules(n)
	return j
}

func connectors(all map[string]ConnectorInfo, can func(ConnectorInfo) bool) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if can(all[name]) {
			out = append(out, name)
		}
	}
	return out
}

// end reads the source or the target. names are the connectors that can be this end.
func (d *decoder) end(doc *node, path string, names []string) job.End {
	n := doc.get(path)
	if n == nil || !d.keys(n, path, "connector", "settings") {
		return job.End{}
	}
	e := job.End{Connector: d.text(n, path, "connector", strings.Join(names, ", ")), Settings: map[string]any{}}
	if e.Connector == "" {
		if n.get("connector") == nil {
			d.missing(n, join(path, "connector"), "connector: "+strings.Join(names, ", or "), "the "+path+" names no connector")
		}
		return e
	}
	at := n.get("connector")
	info, ok := d.opts.Connectors[e.Connector]
	switch {
	case !ok:
		hint := "there are " + strings.Join(names, ", ")
		if near := job.Nearest(e.Connector, names); near != "" {
			hint = "did you mean " + near + "?"
		}
		d.errorf(at, join(path, "connector"), hint, "there is no connector %q", e.Connector)
		return e
	case !slices.Contains(names, e.Connector):
		d.errorf(at, join(path, "connector"), "there are "+strings.Join(names, ", "), "the connector %s cannot be a %s", e.Connector, path)
		return e
	}
	settings, at, path := n.get("settings"), at, join(path, "settings")
	if settings == nil {
		settings = &node{kind: kindMap, line: at.line, column: at.column, template: at.template}
	}
	before := len(d.problems)
	if values := d.settings(settings, path, info.Settings); values != nil {
		e.Settings = values
	}
	d.tenantHint(before)
	if info.Check != nil && len(d.problems) == before {
		for _, err := range split(info.Check(e.Settings)) {
			d.errorf(settings, path, "", "%v", err)
		}
	}
	return e
}

// tenantHint tells the addresses that the template knows where the target's address is missing.
func (d *decoder) tenantHint(from int) {
	if d.gallery == nil || len(d.gallery.TenantURLs) == 0 {
		return
	}
	for i := from; i < len(d.problems); i++ {
		if p := &d.problems[i]; p.Path == "target.settings.url" && strings.Contains(p.Message, "is missing") {
			var urls []string
			for _, t := range d.gallery.TenantURLs {
				urls = append(urls, fmt.Sprintf("%s (%s)", t.URL, t.Name))
			}
			p.Hint = "url: " + strings.Join(urls, ", or ")
		}
	}
}

// split takes an error made by errors.Join apart.
func split(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		var out []error
		for _, e := range many.Unwrap() {
			out = append(out, split(e)...)
		}
		return out
	}
	return []error{err}
}

// JobSettings is the table of the settings of a job (design 6.2), in the form of the connectors' tables.
func JobSettings() []connector.Setting {
	guard := func(g job.Guard) []connector.Setting {
		return []connector.Setting{
			{Name: "enabled", Type: connector.Flag, Default: "true", Help: "Whether the guard holds anything."},
			{Name: "threshold", Type: connector.Number, Default: fmt.Sprint(g.Threshold), Help: "The most that one cycle may take away, however many there are."},
			{Name: "percent", Type: connector.Number, Default: fmt.Sprint(g.Percent), Help: "The most that one cycle may take away, in percent of what is managed; the smaller of the two holds."},
			{Name: "floor", Type: connector.Number, Default: fmt.Sprint(g.Floor), Help: "What one cycle may always take away, however small the percentage."},
		}
	}
	def := job.Defaults()
	return []connector.Setting{
		{Name: "scope", Type: connector.Choice, Values: []string{string(job.ScopeAssigned), string(job.ScopeAll)},
			Help: "Who is looked at: those assigned to the application, or everybody. The default is assigned from the directory to an application, else all."},
		{Name: "interval", Type: connector.Duration, Default: text(def.Interval), Help: "Time from one cycle to the next, 1m to 24h."},
		{Name: "trigger", Type: connector.Choice, Values: []string{job.TriggerChange, job.TriggerInterval},
			Help: "What starts a cycle: a change in the directory, or the interval alone. The default is change from the directory to an application, else interval."},
		{Name: "reconcile", Type: connector.Duration, Default: text(def.Reconcile), Values: []string{never},
			Help: "Time from one comparison with the accounts in the target to the next, 1m to 2160h, or never."},
		{Name: "drift", Type: connector.Map, Help: "What a comparison does with an account that was changed in the target; a word alone is the default.", Fields: []connector.Setting{
			{Name: "default", Type: connector.Choice, Default: def.Drift, Values: []string{job.DriftReport, job.DriftCorrect, job.DriftIgnore},
				Help: "Report the change, write the old value back, or do nothing."},
			{Name: "attributes", Type: connector.Map, Help: "The same for single target attributes: {title: correct}."},
		}},
		{Name: "deletionGuard", Type: connector.Map, Fields: guard(def.DeletionGuard), Help: "Holds the deletes and disables of a cycle when there are too many of them."},
		{Name: "membershipGuard", Type: connector.Map, Fields: guard(def.MembershipGuard), Help: "The same for memberships taken away."},
		{Name: "quarantine", Type: connector.Map, Help: "How many failures put the job in quarantine.", Fields: []connector.Setting{
			{Name: "minFailures", Type: connector.Number, Default: fmt.Sprint(def.Quarantine.MinFailures), Help: "Fewer never do, whatever their share."},
			{Name: "percent", Type: connector.Number, Default: fmt.Sprint(def.Quarantine.Percent), Help: "From minFailures on, failures of more than so many percent of the objects written or failed do."},
			{Name: "failures", Type: connector.Number, Default: fmt.Sprint(def.Quarantine.Failures), Help: "More do, whatever their share; failures of managers and members do not count."},
			{Name: "total", Type: connector.Number, Default: fmt.Sprint(def.Quarantine.Total), Help: "More do, those of managers and members counted too."},
		}},
		{Name: "skipOutOfScopeDeletions", Type: connector.Flag, Default: "false", Help: "Leave the accounts of those who left scope as they are."},
		{Name: "deleteAfterOutOfScope", Type: connector.Flag, Default: "false",
			Help: "Delete the account of somebody who left scope, and was disabled then, once the source deletes the object; otherwise it stays disabled for ever."},
		{Name: "deprovision", Type: connector.Choice, Default: def.Deprovision, Values: []string{job.DeprovisionDisable, job.DeprovisionDelete},
			Help: "How access is taken away from who is blocked, in the recycle bin or out of scope: by a disable, or by a delete where the application cannot disable."},
		{Name: "regexMatch", Type: connector.Choice, Default: def.RegexMatch, Values: []string{job.RegexWhole, job.RegexAnywhere},
			Help: "What the patterns of filters must match: the whole value, or a part of it."},
		{Name: "excludeDefaultAccessRole", Type: connector.Flag, Default: "false", Help: "Leave out users assigned with the default access role only."},
		{Name: "onMissingTarget", Type: connector.Choice, Default: def.OnMissingTarget, Values: []string{job.MissingError, job.MissingRematch},
			Help: "What happens when a linked account is gone from the target: report it, or match the user again."},
		{Name: "protected", Type: connector.List, Help: "Joining values of accounts that are never touched."},
		{Name: "notify", Type: connector.List, Help: "Mail addresses that hear of a quarantine or held deletions."},
		{Name: "defaultDomain", Type: connector.Text, Help: "The result of DefaultDomain() in expressions."},
	}
}

// text writes a duration without the zero units that Go adds: 40m and not 40m0s.
func text(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func (d *decoder) jobSettings(n *node) job.Settings {
	var s job.Settings
	if n == nil {
		return s
	}
	v := d.settings(n, "settings", JobSettings())
	s.Scope = job.ScopeMode(str(v["scope"]))
	s.Interval = d.period(n, v, "interval", job.MinInterval)
	s.Trigger = str(v["trigger"])
	if s.Reconcile = d.period(n, v, "reconcile", 0); off(v["reconcile"]) {
		s.Reconcile = job.Never
	}
	if drift, ok := v["drift"].(map[string]any); ok {
		s.Drift = str(drift["default"])
		s.DriftAttributes = words(drift["attributes"])
	}
	s.DeletionGuard = guard(v["deletionGuard"], job.DefaultDeletionGuard)
	s.MembershipGuard = guard(v["membershipGuard"], job.DefaultMembershipGuard)
	s.Quarantine = quarantine(v["quarantine"], job.DefaultQuarantine)
	s.SkipOutOfScopeDeletions, _ = v["skipOutOfScopeDeletions"].(bool)
	s.DeleteAfterOutOfScope, _ = v["deleteAfterOutOfScope"].(bool)
	s.Deprovision = str(v["deprovision"])
	s.RegexMatch = str(v["regexMatch"])
	s.ExcludeDefaultAccess, _ = v["excludeDefaultAccessRole"].(bool)
	s.OnMissingTarget = str(v["onMissingTarget"])
	s.Protected = strs(v["protected"])
	s.Notify = strs(v["notify"])
	s.DefaultDomain = str(v["defaultDomain"])
	return s
}

// never is the word for a reconciliation that does not take place.
const never = "never"

// off tells whether a duration is one that switches something off.
func off(v any) bool {
	d, err := time.ParseDuration(str(v))
	return v == never || err == nil && d == 0
}

// words reads a map of texts, nil for an empty one.
func words(v any) map[string]string {
	m, ok := v.(map[string]any)
	if !ok || len(m) == 0 {
		return nil
	}
	out := make(map[string]string, len(m))
	for name, value := range m {
		out[name] = str(value)
	}
	return out
}

// shortDrift writes `drift: correct` out, so that it merges with a map (design 6.2). Nodes are never changed.
func shortDrift(doc *node) *node {
	drift := doc.get("settings").get("drift")
	if drift == nil || drift.kind != kindScalar {
		return doc
	}
	long := &node{kind: kindMap, line: drift.line, column: drift.column, template: drift.template,
		fields: []field{{"default", drift.line, drift.column, drift}}}
	return doc.with("settings", doc.get("settings").with("drift", long))
}

// with returns a copy of a map with another value for a key that it has.
func (n *node) with(name string, value *node) *node {
	out := *n
	out.fields = slices.Clone(n.fields)
	for i := range out.fields {
		if out.fields[i].name == name {
			out.fields[i].value = value
		}
	}
	return &out
}

// period reads a duration. least is what it must be at least where its zero would be taken for its default, 0 where it
// has a meaning of its own.
func (d *decoder) period(n *node, v map[string]any, name string, least time.Duration) time.Duration {
	written, ok := v[name].(string)
	if !ok {
		return 0
	}
	out, err := time.ParseDuration(written)
	if err == nil && out == 0 && least > 0 {
		d.errorf(n.get(name), "settings."+name, "at least "+text(least), "%s 0 is out of range", name)
	}
	return out
}

func guard(v any, g job.Guard) job.Guard {
	m, ok := v.(map[string]any)
	if !ok {
		return g
	}
	if on, ok := m["enabled"].(bool); ok {
		g.Enabled = on
	}
	for name, field := range map[string]*int{"threshold": &g.Threshold, "percent": &g.Percent, "floor": &g.Floor} {
		if i, ok := m[name].(int); ok {
			*field = i
		}
	}
	return g
}

func quarantine(v any, q job.QuarantineLimits) job.QuarantineLimits {
	m, _ := v.(map[string]any)
	for name, field := range map[string]*int{"minFailures": &q.MinFailures, "percent": &q.Percent, "failures": &q.Failures, "total": &q.Total} {
		if i, ok := m[name].(int); ok {
			*field = i
		}
	}
	return q
}

func str(v any) string {
	s, _ := v.(string)
	return s
}

func strs(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, e := range list {
		out = append(out, str(e))
	}
	return out
}

func (d *decoder) assignments(doc *node) []job.Assignment {
	var out []job.Assignment
	for i, n := range d.items(doc, "", "assignments", "[{group: Sales}]") {
		path := fmt.Sprintf("assignments[%d]", i)
		var a job.Assignment
		if d.keys(n, path, "group", "user", "role") {
			a = job.Assignment{
				Group: d.text(n, path, "group", "Sales"),
				User:  d.text(n, path, "user", "mira@example.com"),
				Role:  d.text(n, path, "role", "Learner"),
			}
		}
		out = append(out, a)
	}
	return out
}
