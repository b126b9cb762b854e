package job

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scope"
)

var sourceSchema = schema.Schema{
	{Kind: "User", Attributes: []schema.Attribute{
		{Name: "userPrincipalName"}, {Name: "mail"}, {Name: "jobTitle"}, {Name: "department"},
		{Name: "proxyAddresses", MultiValued: true}, {Name: "manager", Type: schema.Reference},
	}},
	{Kind: "Group", Attributes: []schema.Attribute{
		{Name: "displayName"}, {Name: "members", Type: schema.Reference, MultiValued: true},
	}},
}

var targetSchema = schema.Schema{
	{Kind: "User", Attributes: []schema.Attribute{
		{Name: "userName", Required: true, Filterable: true},
		{Name: "active", Type: schema.Boolean, Required: true},
		{Name: `emails[type eq "work"].value`}, {Name: "title"}, {Name: "roles", MultiValued: true},
		{Name: "meta.created", ReadOnly: true},
		{Name: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", Type: schema.Reference},
	}},
	{Kind: "Group", Attributes: []schema.Attribute{
		{Name: "displayName", Required: true, Filterable: true},
		{Name: "members", Type: schema.Reference, MultiValued: true},
	}},
}

// goodJob has nothing wrong with it.
func goodJob() Job {
	j := Job{
		Name:   "SAP Litmos",
		Source: End{Connector: Directory},
		Target: End{Connector: "scim"},
		Rules: []Rule{
			{
				Name: "users", From: identity.User, To: identity.User, Enabled: true, Actions: Actions{Create: true, Update: true},
				Filter: scope.Filter{Groups: []scope.Group{{Clauses: []scope.Clause{
					{Attribute: "department", Operator: "EQUALS", Values: []string{"Sales"}},
				}}}},
				Attributes: []mapping.Attribute{
					{Target: "userName", Expression: "[userPrincipalName]", Match: 1},
					{Target: "active", Expression: "Not([IsSoftDeleted])"},
					{Target: `emails[type eq "work"].value`, Expression: "[mail]"},
					{Target: "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", Reference: "[manager]"},
				},
			},
			{
				Name: "groups", From: identity.Group, To: identity.Group, Enabled: true, Actions: Actions{Create: true},
				Attributes: []mapping.Attribute{
					{Target: "displayName", Expression: "[displayName]", Match: 1},
					{Target: "members", Reference: "[members]"},
				},
			},
		},
	}
	j.Settings = Settings{}.WithDefaults(j.Source, j.Target)
	return j
}

func TestValidate(t *testing.T) {
	user := func(j *Job) *Rule { return &j.Rules[0] }
	add := func(a mapping.Attribute) func(*Job) {
		return func(j *Job) { user(j).Attributes = append(user(j).Attributes, a) }
	}
	tests := []struct {
		name   string
		change func(*Job)
		want   []string // path, severity and message of each problem
	}{
		{"a good job has no problem", func(*Job) {}, nil},
		{"a job needs a name", func(j *Job) { j.Name = " " }, []string{"name: error: the job has no name"}},
		{"a job needs both ends", func(j *Job) { j.Source, j.Target = End{}, End{} }, []string{
			"source: error: the job has no source", "target: error: the job has no target"}},
		{"a job needs rules", func(j *Job) { j.Rules = nil }, []string{"rules: error: the job has no rules"}},
		{"a job needs a rule that is enabled (and engine.R5)", func(j *Job) { j.Rules = j.Rules[:1]; user(j).Enabled = false }, []string{
			"rules[0].enabled: error: rule users cannot be switched off: users are what a job is about",
			"rules: error: no rule is enabled, so the job would do nothing"}},
		{"the groups rule may be disabled (engine.R5)", func(j *Job) { j.Rules[1].Enabled = false }, nil},
		{"scope assigned needs the directory (design 6.2, engine.R33)", func(j *Job) { j.Source.Connector = "csv"; j.Settings.Trigger = TriggerInterval }, []string{
			"settings.scope: error: scope assigned needs the directory as source; the source csv knows no assignments"}},
		{"assignments need the directory", func(j *Job) {
			j.Source.Connector = "csv"
			j.Settings.Scope, j.Settings.Trigger = ScopeAll, TriggerInterval
			j.Assignments = []Assignment{{Group: "Sales"}}
		}, []string{"assignments: error: assignments need the directory as source; the source is csv"}},
		{"an assignment names one principal", func(j *Job) {
			j.Assignments = []Assignment{{Group: "Sales"}, {Role: "Learner"}, {Group: "Sales", User: "mira@example.com"}}
		}, []string{
			"assignments[1]: error: an assignment names either a group or a user",
			"assignments[2]: error: an assignment names either a group or a user"}},
		{"only the directory wakes a job (design D7)", func(j *Job) { j.Source.Connector = "csv"; j.Settings.Scope = ScopeAll }, []string{
			"settings.trigger: warning: only the directory tells of its changes; with the source csv the job runs at its interval"}},
		{"the interval has bounds (design D7)", func(j *Job) { j.Settings.Interval = 30 * time.Second }, []string{
			"settings.interval: error: interval 30s is out of range"}},
		{"a day is the longest interval (design D7)", func(j *Job) { j.Settings.Interval = 24*time.Hour + 1 }, []string{
			"settings.interval: error: interval 24h0m0.000000001s is out of range"}},
		{"choices are checked", func(j *Job) {
			j.Settings.Drift, j.Settings.Trigger, j.Settings.OnMissingTarget, j.Settings.Scope = "a", "b", "c", "d"
			j.Settings.Reconcile = -2
		}, []string{
			`settings.scope: error: unknown scope "d"`,
			"settings.reconcile: error: reconcile -2ns is out of range",
			`settings.trigger: error: unknown value "b"`,
			`settings.drift.default: error: unknown value "a"`,
			`settings.onMissingTarget: error: unknown value "c"`}},
		{"a reconciliation may be switched off (design D3)", func(j *Job) { j.Settings.Reconcile = Never }, nil},
		{"drift of single attributes is checked (design D3)", func(j *Job) {
			j.Settings.DriftAttributes = map[string]string{"userNam": DriftCorrect, "userName": "mend"}
		}, []string{
			"settings.drift.attributes: error: no rule maps the attribute userNam",
			`settings.drift.attributes: error: unknown value "mend"`}},
		{"a guard has bounds and should be on (design D6)", func(j *Job) {
			j.Settings.DeletionGuard = Guard{Threshold: -1, Percent: 101, Floor: -1}
		}, []string{
			"settings.deletionGuard.percent: error: percent 101 is out of range",
			"settings.deletionGuard.threshold: error: threshold -1 is negative",
			"settings.deletionGuard.floor: error: floor -1 is negative",
			"settings.deletionGuard.enabled: warning: the guard is off: a mistake in the source can take away every account at once"}},
		{"thresholds of quarantine fit together (engine.R110)", func(j *Job) {
			j.Settings.Quarantine = QuarantineLimits{MinFailures: 0, Percent: 101, Failures: -1, Total: -2}
		}, []string{
			"settings.quarantine.percent: error: percent 101 is out of range",
			"settings.quarantine.minFailures: error: minFailures 0 would put a job without failures in quarantine",
			"settings.quarantine.failures: error: failures -1 is less than minFailures 0, below which nothing counts",
			"settings.quarantine.total: error: total -2 is less than failures -1, which it includes"}},
		{"notification addresses are plausible", func(j *Job) {
			j.Settings.Notify = []string{"it@example.com", "it", "IT <it@example.com>"}
			j.Settings.Protected = []string{"breakglass@example.com", ""}
		}, []string{
			`settings.notify[1]: error: "it" is no mail address`,
			`settings.notify[2]: error: "IT <it@example.com>" is no mail address`,
			"settings.protected[1]: error: an empty value protects nobody"}},
		{"rule names differ", func(j *Job) { j.Rules[1].Name = "Users" }, []string{
			"rules[1].name: error: there are two rules with the name Users"}},
		{"a rule needs name, from, to and attributes", func(j *Job) { j.Rules[1] = Rule{Enabled: true} }, []string{
			"rules[1].name: error: the rule has no name",
			"rules[1].from: error: the rule does not say which objects of the source it is for",
			"rules[1].to: error: the rule does not say which objects of the target it writes",
			"rules[1].attributes: error: the rule maps no attribute"}},
		{"the source has the rule's objects", func(j *Job) { user(j).From = "Users" }, []string{
			"rules[0].from: error: the source has no objects of type Users"}},
		{"the target has the rule's objects", func(j *Job) { j.Rules[1].To = "Team" }, []string{
			"rules[1].to: error: the target has no objects of type Team"}},
		{"a filter names attributes of the source", func(j *Job) { user(j).Filter.Groups[0].Clauses[0].Attribute = "departement" }, []string{
			"rules[0].filter[0][0].attribute: error: the source has no attribute departement"}},
		{"a filter compiles", func(j *Job) { user(j).Filter.Groups[0].Clauses[0].Operator = "LESS" }, []string{
			"rules[0].filter[0][0].operator: error: "}},
		{"an input filter is checked alike", func(j *Job) {
			user(j).Filter.InputFilterGroups = []scope.Group{{}, {Clauses: []scope.Clause{{Attribute: "nope", Operator: "IS NULL"}}}}
		}, []string{
			"rules[0].filter.inputFilterGroups[0]: error: ",
			"rules[0].filter.inputFilterGroups[1][0].attribute: error: the source has no attribute nope"}},
		{"a filter takes no attribute with several values (scoping section 2)", func(j *Job) {
			user(j).Filter.Groups[0].Clauses[0].Attribute = "proxyAddresses"
		}, []string{"rules[0].filter[0][0].attribute: error: "}},
		{"a filter that does not carry over warns (scoping section 4)", func(j *Job) {
			user(j).Filter.Groups[0].Clauses[0].Attribute = "manager"
		}, []string{"rules[0].filter[0][0]: warning: "}},
		{"a target attribute is mapped once, whatever its spelling", add(mapping.Attribute{
			Target: "urn:ietf:params:scim:schemas:core:2.0:User:USERNAME", Expression: "[mail]"}), []string{
			"rules[0].attributes[4].target: error: rule users maps userName twice"}},
		{"the anchor cannot be written (engine.R4)", add(mapping.Attribute{Target: "id", Expression: "[mail]"}), []string{
			"rules[0].attributes[4].target: error: id is the target's own key and cannot be written",
			"rules[0].attributes[4].target: error: the target has no attribute id"}},
		{"a mapping names its target", add(mapping.Attribute{Expression: "[mail]"}), []string{
			"rules[0].attributes[4].target: error: the mapping names no target attribute"}},
		{"unknown target attribute (engine.R68)", add(mapping.Attribute{Target: "titel", Expression: "[mail]"}), []string{
			"rules[0].attributes[4].target: error: the target has no attribute titel"}},
		{"read-only target attribute (engine.R2)", add(mapping.Attribute{Target: "meta.created", Expression: "[mail]"}), []string{
			"rules[0].attributes[4].target: error: meta.created can only be read"}},
		{"a mapping has one value", add(mapping.Attribute{Target: "title", Expression: "[jobTitle]", Reference: "[manager]"}), []string{
			"rules[0].attributes[4]: error: the mapping of title has both an expression and a reference",
			"rules[0].attributes[4].reference: error: title takes no reference to another object"}},
		{"a mapping has a value", add(mapping.Attribute{Target: "title"}), []string{
			"rules[0].attributes[4]: error: the mapping of title says no value"}},
		{"a default alone is a mapping (engine.R59)", add(mapping.Attribute{Target: "title", Default: "Employee"}), nil},
		{"apply is checked", add(mapping.Attribute{Target: "title", Expression: "[jobTitle]", Apply: "never"}), []string{
			`rules[0].attributes[4].apply: error: unknown value "never"`}},
		{"a rule needs a joining attribute (engine.R47)", func(j *Job) { user(j).Attributes[0].Match = 0 }, []string{
			"rules[0].attributes: error: rule users has no joining attribute, so it could find no account"}},
		{"priorities differ (engine.R53)", func(j *Job) { user(j).Attributes[2].Match = 1 }, []string{
			`rules[0].attributes[2].match: error: userName and emails[type eq "work"].value have the same matching priority 1`,
			`rules[0].attributes[2].match: error: the target cannot search for emails[type eq "work"].value`}},
		{"a priority is positive", func(j *Job) { user(j).Attributes[2].Match = -1 }, []string{
			"rules[0].attributes[2].match: error: matching priority -1 is negative"}},
		{"a reference is no joining attribute (engine.R58)", func(j *Job) { user(j).Attributes[3].Match = 2 }, []string{
			"rules[0].attributes[3].match: error: urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager is a reference and cannot be a joining attribute"}},
		{"a joining attribute has a value of the source", func(j *Job) { user(j).Attributes[0] = mapping.Attribute{Target: "userName", Default: "x", Match: 1} }, []string{
			"rules[0].attributes[0].match: error: userName cannot be a joining attribute: it has no value of the source"}},
		{"SelectUniqueValue is not for joining (engine.R58)", func(j *Job) {
			user(j).Attributes[0].Expression = `SelectUniqueValue([mail], [userPrincipalName])`
			user(j).Attributes[0].Apply = mapping.OnCreate
		}, []string{"rules[0].attributes[0].expression: error: SelectUniqueValue cannot stand on the joining attribute userName"}},
		{"SelectUniqueValue is for creation", add(mapping.Attribute{Target: "title", Expression: `SelectUniqueValue([mail], [jobTitle])`}), []string{
			"rules[0].attributes[4].expression: error: SelectUniqueValue would look for a new value in every cycle",
			"rules[0].attributes[4].expression: error: the target cannot search for title, by which SelectUniqueValue finds out what is taken"}},
		{"a broken expression has its place", add(mapping.Attribute{Target: "title", Expression: "Lower([jobTitle])"}), []string{
			"rules[0].attributes[4].expression: error: "}},
		{"unknown source attribute", add(mapping.Attribute{Target: "title", Expression: "Join(\"\", [jobTitel], [mail])"}), []string{
			"rules[0].attributes[4].expression: error: the source has no attribute jobTitel"}},
		{"unknown attribute in a reference", func(j *Job) { user(j).Attributes[3].Reference = "[boss]" }, []string{
			"rules[0].attributes[3].reference: error: the source has no attribute boss"}},
		{"computed attributes and paths are known", add(mapping.Attribute{Target: "title", Expression: `Join("", [objectId], [accountEnabled], [MAIL], [manager.displayName])`}), nil},
		{"a reference attribute takes a reference", func(j *Job) {
			user(j).Attributes[3] = mapping.Attribute{Target: user(j).Attributes[3].Target, Expression: "[mail]"}
		}, []string{"rules[0].attributes[3].expression: error: urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager refers to another object and takes a reference, not an expression"}},
		{"several values into one (engine.R67)", add(mapping.Attribute{Target: "title", Expression: "[proxyAddresses]"}), []string{
			"rules[0].attributes[4].expression: error: title can only accept one value, and proxyAddresses has several"}},
		{"several values made one", add(mapping.Attribute{Target: "title", Expression: "Item([proxyAddresses], 1)"}), nil},
		{"several values into several", add(mapping.Attribute{Target: "roles", Expression: "[proxyAddresses]"}), nil},
		{"required target attributes are mapped (engine.R6)", func(j *Job) { user(j).Attributes = user(j).Attributes[:1] }, []string{
			"rules[0].attributes: warning: no attribute of rule users names IsSoftDeleted: the accounts of leavers cannot be disabled",
			"rules[0].attributes: error: rule users does not map active, which the target requires"}},
		{"without create nothing is required", func(j *Job) {
			user(j).Attributes = user(j).Attributes[:1]
			user(j).Actions = Actions{Delete: true}
		}, nil},
		{"groups within groups are flattened from the directory (engine.R99)", func(j *Job) { j.Rules[1].Nested = NestedFlatten }, nil},
		{"what is nested is checked (engine.R99)", func(j *Job) { user(j).Nested, j.Rules[1].Nested = NestedFlatten, "deep" }, []string{
			"rules[0].nested: error: rule users maps no members that could be flattened",
			`rules[1].nested: error: unknown value "deep"`}},
		{"only the directory knows groups within groups (engine.R99)", func(j *Job) {
			j.Source.Connector = "csv"
			j.Settings.Scope, j.Settings.Trigger = ScopeAll, TriggerInterval
			j.Rules[1].Nested = NestedFlatten
		}, []string{"rules[1].nested: error: only the directory knows groups within groups; the source is csv"}},
		{"a flow type is for what it can be for (engine.R59)", func(j *Job) {
			add(mapping.Attribute{Target: "title", Expression: "[jobTitle]", Apply: mapping.MultiValueAddOnly})(j)
			add(mapping.Attribute{Target: "roles", Expression: "[jobTitle]", Apply: mapping.MultiValueAddOnly})(j)
		}, []string{
			"rules[0].attributes[4].apply: error: title takes one value, and MultiValueAddOnly is for attributes with several"}},
		{"flowBehavior is checked (engine.R60)", func(j *Job) {
			add(mapping.Attribute{Target: "title", Expression: "[jobTitle]", FlowBehavior: "Always"})(j)
			user(j).Attributes[2].FlowBehavior, user(j).Attributes[3].FlowBehavior = mapping.FlowAlways, mapping.FlowAlways
		}, []string{
			"rules[0].attributes[3].flowBehavior: error: urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager refers to other objects; references are sent when they change",
			`rules[0].attributes[4].flowBehavior: error: unknown value "Always"`}},
		{"flowNull does nothing where values are only added (engine.R59)", func(j *Job) {
			user(j).Attributes[2].FlowNull, user(j).Attributes[2].Apply = true, mapping.ValueAddOnly
		}, []string{
			`rules[0].attributes[2].flowNull: warning: emails[type eq "work"].value flows with apply: ValueAddOnly, which never clears it, so flowNull does nothing`}},
		{"a target that cannot disable needs no attribute for it (engine.R82)", func(j *Job) {
			user(j).Attributes[1].Expression = `"True"`
			j.Settings.Deprovision = DeprovisionDelete
		}, nil},
		{"patterns may match anywhere (scoping Q-03), and how accounts are taken away has two values (engine.R82)", func(j *Job) {
			j.Settings.RegexMatch, j.Settings.Deprovision = "some", "suspend"
		}, []string{
			`settings.deprovision: error: unknown value "suspend"`, `settings.regexMatch: error: unknown value "some"`}},
		{"flowNull on what is needed (engine.R65)", func(j *Job) {
			user(j).Attributes[0].FlowNull, user(j).Attributes[1].FlowNull, user(j).Attributes[2].FlowNull = true, true, true
		}, []string{
			"rules[0].attributes[0].flowNull: warning: userName is needed, and flowNull would clear it when the source has no value",
			"rules[0].attributes[1].flowNull: warning: active is needed, and flowNull would clear it when the source has no value"}},
		{"role functions need scope assigned (design D17)", func(j *Job) {
			j.Settings.Scope = ScopeAll
			add(mapping.Attribute{Target: "title", Expression: "singleAppRoleAssignment([appRoleAssignments])"})(j)
		}, []string{"rules[0].attributes[4].expression: warning: SingleAppRoleAssignment yields nothing with scope all"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := goodJob()
			tt.change(&j)
			var got []string
			for i, p := range Validate(j, sourceSchema, targetSchema) {
				line := p.Path + ": " + string(p.Severity) + ": "
				if i < len(tt.want) && strings.HasSuffix(tt.want[i], ": ") && p.Message != "" {
					got = append(got, line) // the text is another package's
				} else {
					got = append(got, line+p.Message)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidateKnowsNothingOfUnknownSystems(t *testing.T) {
	j := goodJob()
	j.Rules[0].From, j.Rules[0].To = "Worker", "Person"
	j.Rules[0].Attributes = []mapping.Attribute{{Target: "anything", Expression: "[whatever]", Match: 1}}
	if got := Validate(j, nil, nil); len(got) != 0 {
		t.Errorf("problems without schemas: %v", got)
	}
}

func TestOpenSchemasWarn(t *testing.T) {
	source, target := slices.Clone(sourceSchema), slices.Clone(targetSchema)
	source[0].Open, target[0].Open = true, true
	j := goodJob()
	j.Rules[0].Attributes = append(j.Rules[0].Attributes,
		mapping.Attribute{Target: "badge", Expression: "[ownExtension]"},
		mapping.Attribute{Target: "titel", Expression: "[jobTitel]"},
		mapping.Attribute{Target: "title", Expression: "[jobTitle]", Match: 2},
	)
	want := []Problem{
		{Path: "rules[0].attributes[4].target", Severity: Warning, Message: "badge is not in the catalogue of the target",
			Hint: "there are active, emails[type eq \"work\"].value, meta.created, roles, title, urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager, userName"},
		{Path: "rules[0].attributes[5].target", Severity: Warning, Message: "titel is not in the catalogue of the target", Hint: "did you mean title?"},
		{Path: "rules[0].attributes[5].expression", Severity: Warning, Message: "jobTitel is not among the known attributes of the source", Hint: "did you mean jobTitle?"},
		{Path: "rules[0].attributes[6].match", Severity: Warning, Message: "the target may not be able to search for title", Hint: "match on userName"},
	}
	if diff := cmp.Diff(want, Validate(j, source, target)); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestExpressionProblemsHaveTheirPlaceInTheText(t *testing.T) {
	j := goodJob()
	j.Rules[0].Attributes[2].Expression = "ToLower(\n  Nope([mail]))"
	got := Validate(j, nil, nil)
	if len(got) != 1 || got[0].Line != 2 || got[0].Column != 3 || !strings.Contains(got[0].String(), "at line 2, column 3") {
		t.Errorf("got %v, want one problem at line 2, column 3", got)
	}
}

func TestWithDefaults(t *testing.T) {
	tests := []struct {
		name           string
		source, target string
		in             Settings
		scope          ScopeMode
		trigger        string
	}{
		{"directory to an application", Directory, "scim", Settings{}, ScopeAssigned, TriggerChange},
		{"file to an application", "csv", "scim", Settings{}, ScopeAll, TriggerInterval},
		{"file to the directory", "csv", Directory, Settings{}, ScopeAll, TriggerInterval},
		{"directory to itself", Directory, Directory, Settings{}, ScopeAll, TriggerInterval},
		{"what is set stays", Directory, "scim", Settings{Scope: ScopeAll, Trigger: TriggerInterval}, ScopeAll, TriggerInterval},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := Defaults()
			want.Scope, want.Trigger = tt.scope, tt.trigger
			got := tt.in.WithDefaults(End{Connector: tt.source}, End{Connector: tt.target})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
		})
	}
	custom := Settings{
		Interval: time.Hour, Reconcile: time.Hour, Drift: DriftIgnore, OnMissingTarget: MissingRematch, Deprovision: DeprovisionDelete, RegexMatch: RegexAnywhere,
		DeletionGuard: Guard{Percent: 1}, MembershipGuard: Guard{Floor: 3}, Quarantine: QuarantineLimits{MinFailures: 1}, Scope: ScopeAll, Trigger: TriggerInterval,
	}
	if diff := cmp.Diff(custom, custom.WithDefaults(End{}, End{})); diff != "" {
		t.Errorf("settings that are all given changed (-want +got):\n%s", diff)
	}
}

func TestGuardLimit(t *testing.T) { // design D6
	tests := []struct {
		name    string
		guard   Guard
		managed int64
		want    int64
	}{
		{"none managed", DefaultDeletionGuard, 0, 5},
		{"a small company loses at most five", DefaultDeletionGuard, 10, 5},
		{"a fifth is not more than five yet", DefaultDeletionGuard, 29, 5},
		{"a fifth is six from thirty on", DefaultDeletionGuard, 30, 6},
		{"a fifth, rounded down", DefaultDeletionGuard, 99, 19},
		{"a fifth of a middling company", DefaultDeletionGuard, 290, 58},
		{"a fifth reaches the threshold", DefaultDeletionGuard, 2499, 499},
		{"the threshold", DefaultDeletionGuard, 2500, 500},
		{"never more than the threshold", DefaultDeletionGuard, 1_000_000, 500},
		{"at least fifty memberships", DefaultMembershipGuard, 100, 50},
		{"a fifth of the memberships", DefaultMembershipGuard, 1000, 200},
		{"never more memberships than the threshold", DefaultMembershipGuard, 1_000_000, 5000},
		{"a threshold below the floor is kept", Guard{Threshold: 3, Percent: 20, Floor: 5}, 100, 3},
		{"a threshold of nought lets nothing through", Guard{Percent: 20, Floor: 5}, 100, 0},
		{"all of them", Guard{Threshold: 1000, Percent: 100, Floor: 5}, 290, 290},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.guard.Limit(tt.managed); got != tt.want {
				t.Errorf("Limit(%d) = %d, want %d", tt.managed, got, tt.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	known := []string{"userName", "displayName", "name.givenName", "id", "title"}
	tests := []struct{ name, in, want string }{
		{"a missing letter", "userNam", "userName"},
		{"a swap", "dsiplayName", "displayName"},
		{"another case", "USERNAME", "userName"},
		{"nothing like it", "costCenter", ""},
		{"too short to tell", "ix", ""},
		{"short, other case", "ID", "id"},
		{"the name itself is no correction", "title", ""},
		{"empty", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Nearest(tt.in, known); got != tt.want {
				t.Errorf("Nearest(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}
