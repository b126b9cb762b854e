package job

import (
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// Job is one provisioning job as an app file and its template describe it (design 6.2): a source, a target, rules and
// settings. It is a value; state is kept in package store.
type Job struct {
	Name        string
	Template    string // gallery id, "" for none
	Source      End
	Target      End
	Settings    Settings
	Assignments []Assignment
	Tests       []string // files with test vectors, relative to Dir
	Rules       []Rule
	Dir         string // directory that relative paths start from
}

// TestFile is where a file of Tests is.
func (j Job) TestFile(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(j.Dir, name)
}

// End is one end of a job: a connector with its settings as the app file gives them, secrets still references.
type End struct {
	Connector string
	Settings  map[string]any
}

// Settings are the settings of the job itself. The zero value of a field means its default, see Defaults.
type Settings struct {
	Scope                   ScopeMode
	Interval                time.Duration     // default 40m, 1m to 24h (D7)
	Trigger                 string            // "change" or "interval"
	Reconcile               time.Duration     // default 24h (D3); Never switches it off
	Drift                   string            // "report", "correct" or "ignore"
	DriftAttributes         map[string]string // the same for target attributes that differ from Drift
	DeletionGuard           Guard
	MembershipGuard         Guard
	Quarantine              QuarantineLimits
	SkipOutOfScopeDeletions bool     // engine.R81
	DeleteAfterOutOfScope   bool     // engine.R84: accounts of those who left scope are deleted when the source deletes the object
	Deprovision             string   // "disable", or "delete" for a target that cannot disable (engine.R82)
	RegexMatch              string   // "whole" or "anywhere": what a pattern of a filter must match (scoping Q-03)
	ExcludeDefaultAccess    bool     // engine.R35 excludeDefaultAccessRole
	OnMissingTarget         string   // "error" or "rematch" (engine.R56)
	Protected               []string // joining values that are never touched
	Notify                  []string // mail addresses (engine.R144)
	DefaultDomain           string   // result of DefaultDomain()
}

// ScopeMode says who is looked at (engine.R28).
type ScopeMode string

// The scope modes.
const (
	ScopeAssigned ScopeMode = "assigned"
	ScopeAll      ScopeMode = "all"
)

// Guard limits what one cycle may take away (design D6): min(Threshold, max(Floor, Percent of what is managed)).
type Guard struct {
	Enabled   bool
	Threshold int
	Percent   int
	Floor     int
}

// Limit is the number of operations that a cycle may carry out when managed objects stand under the guard.
func (g Guard) Limit(managed int64) int64 {
	return min(int64(g.Threshold), max(int64(g.Floor), managed*int64(g.Percent)/100))
}

// The guards' defaults (design D6).
var (
	DefaultDeletionGuard   = Guard{Enabled: true, Threshold: 500, Percent: 20, Floor: 5}
	DefaultMembershipGuard = Guard{Enabled: true, Threshold: 5000, Percent: 20, Floor: 50}
)

// QuarantineLimits are the thresholds of failures that put a job in quarantine (engine.R110).
type QuarantineLimits struct {
	MinFailures int // fewer never do, whatever their share
	Percent     int // of the objects that were written or failed; more do, from MinFailures on
	Failures    int // more do, whatever their share; failures of references do not count
	Total       int // the same, with failures of references
}

// DefaultQuarantine are the thresholds of the reference service (engine.R110).
var DefaultQuarantine = QuarantineLimits{MinFailures: 5000, Percent: 40, Failures: 40000, Total: 60000}

// Assignment assigns a user or a group of the directory to the application, with an app role or without.
type Assignment struct {
	Group string // display name or id
	User  string // user principal name or id
	Role  string
}

// Rule says how one object type flows.
type Rule struct {
	Name       string
	From       identity.Kind // as the source's connector names it
	To         identity.Kind
	Enabled    bool
	Actions    Actions
	Filter     scope.Filter
	Nested     string // what becomes of groups within groups: "" or "ignore", or "flatten" (engine.R99)
	Attributes []mapping.Attribute
}

// What a rule makes of groups that are members of groups (engine.R99).
const (
	NestedIgnore  = "ignore"  // they are left out, with their members
	NestedFlatten = "flatten" // the users in them, at any depth, are members
)

// The source attributes that list the members of a group: direct ones, and with those of the groups within.
const (
	membersAttribute = "members"
	withinAttribute  = "transitiveMembers"
)

// Mappings are the rule's attribute mappings as they are carried out: with groups within groups flattened where the
// rule says so.
func (r *Rule) Mappings() []mapping.Attribute {
	if r.Nested != NestedFlatten {
		return r.Attributes
	}
	out := slices.Clone(r.Attributes)
	for i := range out {
		if out[i].Reference != "" && isDirect(out[i].Reference, membersAttribute) {
			out[i].Reference = "[" + withinAttribute + "]"
		}
	}
	return out
}

// isDirect tells whether the expression is nothing but the attribute.
func isDirect(text, name string) bool {
	inner, ok := strings.CutPrefix(strings.TrimSpace(text), "[")
	if !ok {
		return false
	}
	inner, ok = strings.CutSuffix(inner, "]")
	return ok && strings.TrimSpace(inner) == name
}

// Actions are the actions a rule may take (engine.R76). Disable and enable are updates.
type Actions struct {
	Create, Update, Delete bool
}
