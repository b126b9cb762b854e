package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// Passes of the export, in order. Each rule has its own block of them, users before what refers to users; taking away
// comes after everything that gives (engine.R27), in the reverse order of rules.
const (
	passCreate     = 0 // within a rule's block
	passUpdate     = 1
	passReferences = 2 // references that could not go into the create
	passesPerRule  = 10
	passTakeAway   = 1000 // first block of deprovisioning
	passRecord     = 9000 // nothing is sent: skips, failures and bookkeeping
)

// rule is a rule compiled for a cycle.
type rule struct {
	index  int // in the order of work
	def    job.Rule
	set    *mapping.Set
	filter *scope.Program
	used   []string // source attributes that decide anything; the hash is taken over them
	seed   uint64

	managed int64 // active links when the cycle began
	linked  int64 // all links
	list    listing
}

func (r *rule) pass(kind int) int { return r.index*passesPerRule + kind }
func (r *rule) takeAway() int     { return passTakeAway + (99-r.index)*passesPerRule }

// key names one object of the rule. match is the list of joining attributes by priority.
func (r *rule) joining() []string {
	var out []string
	for _, m := range r.set.Matching() {
		out = append(out, m.Target)
	}
	return out
}

// folds tells whether the target is known to take "ab" and "AB" for the same value of an attribute (engine.R3).
func (r *rule) folds(attr string) bool {
	return slices.ContainsFunc(r.set.Mappings, func(m mapping.Mapping) bool { return m.Target == attr && m.Def.FoldCase })
}

// fold brings a joining value to the form under which two of them are the same for the target.
func (r *rule) fold(attr, value string) string {
	if r.folds(attr) {
		return identity.Fold(value)
	}
	return value
}

// compileRules compiles the enabled rules of a job, users first: what refers to them comes after.
func compileRules(s Subject) ([]*rule, error) {
	var rules []*rule
	var errs []error
	for _, def := range s.Def.Rules {
		if !def.Enabled {
			continue
		}
		to, _ := s.TargetSchema.Object(def.To)
		set, err := mapping.Compile(def.Mappings(), to)
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: %w", def.Name, err))
			continue
		}
		filter, err := scope.CompileWith(def.Filter, scope.Options{RegexAnywhere: s.Def.Settings.RegexMatch == job.RegexAnywhere})
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %s: filter: %w", def.Name, err))
			continue
		}
		r := &rule{def: def, set: set, filter: filter, seed: uint64(s.Job.Version)}
		r.used = slices.Clone(set.Sources())
		for _, a := range filter.Attributes() {
			if !slices.Contains(r.used, a) && !computedOnly(a) {
				r.used = append(r.used, a)
			}
		}
		rules = append(rules, r)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("job %s: %w", s.Def.Name, errors.Join(errs...))
	}
	slices.SortStableFunc(rules, func(a, b *rule) int { return usersFirst(a) - usersFirst(b) })
	for i, r := range rules {
		r.index = i
	}
	return rules, nil
}

func usersFirst(r *rule) int {
	if r.def.From == identity.User {
		return 0
	}
	return 1
}

func computedOnly(name string) bool {
	return strings.EqualFold(name, mapping.IsSoftDeleted) || strings.EqualFold(name, mapping.ObjectID) || strings.EqualFold(name, mapping.AppRoleAssignments)
}

// Uses tells which attributes of the target the enabled rules of a job read and write, for opening its connector.
func Uses(def job.Job, target schema.Schema) ([]connector.Use, error) {
	rules, err := compileRules(Subject{Def: def, TargetSchema: target})
	if err != nil {
		return nil, err
	}
	var out []connector.Use
	for _, r := range rules {
		i := slices.IndexFunc(out, func(u connector.Use) bool { return u.Kind == r.def.To })
		if i < 0 {
			out = append(out, connector.Use{Kind: r.def.To})
			i = len(out) - 1
		}
		for _, a := range r.set.Uses() {
			if !slices.ContainsFunc(out[i].Attributes, func(b schema.Attribute) bool { return a.Name == b.Name }) {
				out[i].Attributes = append(out[i].Attributes, a)
			}
		}
		for _, j := range r.joining() {
			if !slices.Contains(out[i].Joining, j) {
				out[i].Joining = append(out[i].Joining, j)
			}
		}
	}
	return out, nil
}

// SourceAttributes lists the source attributes that the enabled rules of a job use, per kind.
func SourceAttributes(def job.Job) (map[identity.Kind][]string, error) {
	rules, err := compileRules(Subject{Def: def})
	if err != nil {
		return nil, err
	}
	out := map[identity.Kind][]string{}
	for _, r := range rules {
		for _, a := range r.used {
			if !slices.Contains(out[r.def.From], a) {
				out[r.def.From] = append(out[r.def.From], a)
			}
		}
	}
	return out, nil
}
