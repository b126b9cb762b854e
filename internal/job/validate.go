package job

import (
	"fmt"
	"maps"
	"net/mail"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/schema"
)

// Validate checks a job and reports every problem at once. Its settings have their defaults (WithDefaults). source and
// target say what is known of the two systems without asking them; nil where nothing is known, and then nothing that
// hangs on it is checked.
func Validate(j Job, source, target schema.Schema) []Problem {
	v := validator{job: j, source: source, target: target}
	v.check()
	return v.problems
}

type validator struct {
	job            Job
	source, target schema.Schema
	problems       []Problem
}

func (v *validator) errorf(path, hint, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Severity: Error, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (v *validator) warnf(path, hint, format string, args ...any) {
	v.problems = append(v.problems, Problem{Path: path, Severity: Warning, Message: fmt.Sprintf(format, args...), Hint: hint})
}

func (v *validator) check() {
	if strings.TrimSpace(v.job.Name) == "" {
		v.errorf("name", "name: SAP Litmos", "the job has no name")
	}
	if v.job.Source.Connector == "" {
		v.errorf("source", "source: {connector: directory}", "the job has no source")
	}
	if v.job.Target.Connector == "" {
		v.errorf("target", "target: {connector: scim, settings: {…}}", "the job has no target")
	}
	v.settings()
	v.assignments()
	v.rules()
}

func (v *validator) settings() {
	s := v.job.Settings
	source := v.job.Source.Connector
	switch s.Scope {
	case ScopeAll:
	case ScopeAssigned:
		if source != Directory && source != "" {
			v.errorf("settings.scope", "scope: all, and filters in the rules",
				"scope assigned needs the directory as source; the source %s knows no assignments", source)
		}
	default:
		v.errorf("settings.scope", "assigned or all", "unknown scope %q", string(s.Scope))
	}
	if s.Interval < MinInterval || s.Interval > MaxInterval {
		v.errorf("settings.interval", "from 1m to 24h; the default is 40m", "interval %s is out of range", s.Interval)
	}
	if s.Reconcile != Never && (s.Reconcile < MinReconcile || s.Reconcile > MaxReconcile) {
		v.errorf("settings.reconcile", "from 1m to 2160h, or never; the default is 24h", "reconcile %s is out of range", s.Reconcile)
	}
	v.choice("settings.trigger", s.Trigger, TriggerChange, TriggerInterval)
	if s.Trigger == TriggerChange && source != Directory && source != "" {
		v.warnf("settings.trigger", "trigger: interval",
			"only the directory tells of its changes; with the source %s the job runs at its interval", source)
	}
	v.drift(s)
	v.choice("settings.onMissingTarget", s.OnMissingTarget, MissingError, MissingRematch)
	v.choice("settings.deprovision", s.Deprovision, DeprovisionDisable, DeprovisionDelete)
	v.choice("settings.regexMatch", s.RegexMatch, RegexWhole, RegexAnywhere)
	v.guard("settings.deletionGuard", s.DeletionGuard)
	v.guard("settings.membershipGuard", s.MembershipGuard)
	v.quarantine("settings.quarantine", s.Quarantine)
	for i, a := range s.Notify {
		if addr, err := mail.ParseAddress(a); err != nil || addr.Address != a {
			v.errorf(fmt.Sprintf("settings.notify[%d]", i), "an address as it@example.com", "%q is no mail address", a)
		}
	}
	for i, p := range s.Protected {
		if strings.TrimSpace(p) == "" {
			v.errorf(fmt.Sprintf("settings.protected[%d]", i), "a joining value as breakglass@example.com",
				"an empty value protects nobody")
		}
	}
}

// drift checks what a reconciliation does. Attributes may stand in any of the rules.
func (v *validator) drift(s Settings) {
	v.choice("settings.drift.default", s.Drift, DriftReport, DriftCorrect, DriftIgnore)
	var mapped []string
	for _, r := range v.job.Rules {
		for _, a := range r.Attributes {
			mapped = append(mapped, a.Target)
		}
	}
	for _, attr := range slices.Sorted(maps.Keys(s.DriftAttributes)) {
		v.choice("settings.drift.attributes", s.DriftAttributes[attr], DriftReport, DriftCorrect, DriftIgnore)
		if !slices.Contains(mapped, attr) {
			v.errorf("settings.drift.attributes", didYouMean(attr, mapped), "no rule maps the attribute %s", attr)
		}
	}
}

func (v *validator) choice(path, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		v.errorf(path, strings.Join(allowed, " or "), "unknown value %q", value)
	}
}

func (v *validator) quarantine(path string, q QuarantineLimits) {
	if q.Percent < 0 || q.Percent > 100 {
		v.errorf(path+".percent", "from 0 to 100; 100 leaves the numbers alone to decide", "percent %d is out of range", q.Percent)
	}
	if q.MinFailures < 1 {
		v.errorf(path+".minFailures", "a number from 1 up", "minFailures %d would put a job without failures in quarantine", q.MinFailures)
	}
	if q.Failures < q.MinFailures {
		v.errorf(path+".failures", "at least minFailures", "failures %d is less than minFailures %d, below which nothing counts", q.Failures, q.MinFailures)
	}
	if q.Total < q.Failures {
		v.errorf(path+".total", "at least failures", "total %d is less than failures %d, which it includes", q.Total, q.Failures)
	}
}

func (v *validator) guard(path string, g Guard) {
	if g.Percent < 0 || g.Percent > 100 {
		v.errorf(path+".percent", "from 0 to 100", "percent %d is out of range", g.Percent)
	}
	if g.Threshold < 0 {
		v.errorf(path+".threshold", "0 holds everything", "threshold %d is negative", g.Threshold)
	}
	if g.Floor < 0 {
		v.errorf(path+".floor", "0 leaves the percentage alone to decide", "floor %d is negative", g.Floor)
	}
	if !g.Enabled {
		v.warnf(path+".enabled", "enabled: true, with a higher threshold or percent where the defaults are too tight",
			"the guard is off: a mistake in the source can take away every account at once")
	}
}

func (v *validator) assignments() {
	if source := v.job.Source.Connector; len(v.job.Assignments) > 0 && source != Directory && source != "" {
		v.errorf("assignments", "leave them out; filters in the rules decide who is in scope",
			"assignments need the directory as source; the source is %s", source)
	}
	for i, a := range v.job.Assignments {
		if (a.Group == "") == (a.User == "") {
			v.errorf(fmt.Sprintf("assignments[%d]", i), "{group: Sales} or {user: mira@example.com}",
				"an assignment names either a group or a user")
		}
	}
}

func (v *validator) rules() {
	if len(v.job.Rules) == 0 {
		v.errorf("rules", "name a template, or write a rule with name, from, to and attributes", "the job has no rules")
		return
	}
	enabled := false
	seen := make(map[string]bool)
	for i := range v.job.Rules {
		r := &v.job.Rules[i]
		path := fmt.Sprintf("rules[%d]", i)
		enabled = enabled || r.Enabled
		if key := strings.ToLower(r.Name); key != "" && seen[key] {
			v.errorf(path+".name", "give each rule a name of its own", "there are two rules with the name %s", r.Name)
		} else {
			seen[key] = true
		}
		v.rule(path, r)
	}
	if !enabled {
		v.errorf("rules", "enabled: true in one of them", "no rule is enabled, so the job would do nothing")
	}
}
