package gallery

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// partial is the part of a template's app file that these tests look at; package appfile's tests read the rest.
type partial struct {
	Target struct {
		Connector string
		Settings  map[string]any
	}
	Rules []struct {
		Name, From, To string
		Actions        []string
		Attributes     []struct {
			Target, Expression, Reference, Default, Apply string
			Match                                         int
		}
	}
}

// TestTemplates holds every file of the gallery to the form: adding an application is adding a file.
func TestTemplates(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatal("no templates")
	}
	for _, tmpl := range all {
		t.Run(tmpl.ID, func(t *testing.T) {
			for _, p := range check(tmpl) {
				t.Error(p)
			}
		})
	}
}

// check returns what is wrong with a template.
func check(tmpl *Template) (problems []string) {
	bad := func(parts ...string) { problems = append(problems, strings.Join(parts, " ")) }
	for name, text := range map[string]string{
		"title": tmpl.Title, "vendor": tmpl.Vendor, "summary": tmpl.Summary, "auth.label": tmpl.Auth.Label, "auth.help": tmpl.Auth.Help,
	} {
		if strings.TrimSpace(text) == "" {
			bad(name, "is empty")
		}
	}
	for _, u := range tmpl.TenantURLs {
		if parsed, err := url.Parse(u.URL); err != nil || parsed.Scheme != "https" || u.Name == "" {
			bad("tenantUrl", u.Name, u.URL, "needs a name and an https address")
		}
	}
	if len(tmpl.Auth.Kinds) == 0 {
		bad("auth.kinds is empty")
	}
	for _, k := range tmpl.Auth.Kinds {
		if !slices.Contains([]string{"bearer", "basic", "header", "oauth2"}, k) {
			bad("auth.kinds:", k)
		}
	}
	capabilities := []Capability{CanImport, CanCreate, CanRead, CanUpdate, CanDisable, CanDelete, CanMembers}
	for _, c := range slices.Concat(tmpl.Capabilities.Users, tmpl.Capabilities.Groups) {
		if !slices.Contains(capabilities, c) {
			bad("capability", string(c))
		}
	}
	for _, l := range tmpl.Limits {
		if l.Topic == "" || l.Text == "" {
			bad("a limit needs topic and text")
		}
	}
	var app partial
	if err := tmpl.App().Decode(&app); err != nil {
		bad("app:", err.Error())
		return problems
	}
	for _, q := range tmpl.Quirks {
		if _, ok := app.Target.Settings[q.Setting]; !ok || q.Why == "" {
			bad("quirk", q.Setting, "names no setting of app.target, or has no reason")
		}
	}
	types := []schema.Type{schema.String, schema.Integer, schema.Boolean, schema.DateTime, schema.Reference, schema.Binary}
	catalogue := tmpl.Schema()
	for _, o := range catalogue {
		seen := make(map[string]bool)
		for _, a := range o.Attributes {
			if seen[strings.ToLower(a.Name)] {
				bad(string(o.Kind), a.Name, "is in the catalogue twice")
			}
			seen[strings.ToLower(a.Name)] = true
			if !slices.Contains(types, a.Type) {
				bad(string(o.Kind), a.Name, "has the unknown type", string(a.Type))
			}
			if (a.Type == schema.Reference) != (a.References != "") {
				bad(string(o.Kind), a.Name, "a reference says what it references, and nothing else does")
			}
			if _, err := scim.ParsePath(a.Name); app.Target.Connector == "scim" && err != nil {
				bad(string(o.Kind), a.Name, err.Error())
			}
		}
	}
	if len(app.Rules) == 0 {
		bad("app has no rules")
	}
	for _, r := range app.Rules {
		object, ok := catalogue.Object(identity.Kind(r.To))
		if !ok {
			bad("rule", r.Name, "writes", r.To, "which is not in the catalogue")
			continue
		}
		if len(r.Actions) == 0 {
			bad("rule", r.Name, "does not say its actions")
		}
		can := tmpl.Capabilities.Users
		if r.To == string(identity.Group) {
			can = tmpl.Capabilities.Groups
		}
		for _, a := range r.Actions {
			if !slices.Contains(can, Capability(a)) {
				bad("rule", r.Name, "has the action", a, "which is not among the capabilities")
			}
		}
		mapped, joins := make(map[string]bool), 0
		for _, a := range r.Attributes {
			mapped[a.Target] = true
			attr, ok := object.Attribute(a.Target)
			if !ok {
				bad("rule", r.Name, "maps", a.Target, "which is not in the catalogue")
			}
			if (attr.Type == schema.Reference) != (a.Reference != "") {
				bad("rule", r.Name, a.Target, "a reference attribute takes a reference, and nothing else does")
			}
			if a.Match > 0 {
				joins++
				if !attr.Filterable {
					bad("rule", r.Name, "matches on", a.Target, "which is not filterable")
				}
			}
			if _, err := expr.Compile(a.Expression + a.Reference); err != nil {
				bad("rule", r.Name, a.Target, err.Error())
			}
		}
		if joins == 0 {
			bad("rule", r.Name, "has no joining attribute")
		}
		for _, a := range object.Attributes {
			if a.Required && !mapped[a.Name] {
				bad("rule", r.Name, "does not map", a.Name, "which is required")
			}
		}
	}
	return problems
}

// TestCheckFindsFaults proves that the check above can fail.
func TestCheckFindsFaults(t *testing.T) {
	const good = `
id: demo
title: Demo
vendor: Demo
summary: A demo.
auth: {kinds: [bearer], label: Token, help: Ask.}
capabilities: {users: [create, update]}
tenantUrl: [{name: eu, url: https://eu.example.com}]
objects:
  - name: User
    attributes: [{name: userName, type: String, required: true, filterable: true}, {name: manager, type: Reference, references: User}]
quirks: [{setting: dialect, why: Old.}]
app:
  target: {connector: scim, settings: {dialect: legacy}}
  rules:
    - {name: users, from: User, to: User, actions: [create], attributes: [{target: userName, expression: "[mail]", match: 1}]}
`
	tests := []struct{ name, old, new, want string }{
		{"a good template has no fault", "", "", ""},
		{"no title", "title: Demo", "title: ''", "title is empty"},
		{"plain http", "https://eu", "http://eu", "tenantUrl eu http://eu.example.com needs a name and an https address"},
		{"unknown credential", "[bearer]", "[card]", "auth.kinds: card"},
		{"no credential", "[bearer]", "[]", "auth.kinds is empty"},
		{"unknown capability", "[create, update]", "[create, fly]", "capability fly"},
		{"quirk without a setting", "setting: dialect", "setting: speed", "quirk speed names no setting of app.target, or has no reason"},
		{"unknown type", "type: String", "type: Number", "User userName has the unknown type Number"},
		{"reference to nothing", ", references: User", "", "User manager a reference says what it references, and nothing else does"},
		{"twice in the catalogue", "{name: manager,", "{name: username},{name: manager,", "User username is in the catalogue twice"},
		{"no path", "{name: manager,", "{name: 'a[b'},{name: manager,", "User a[b "},
		{"action beyond the capabilities", "actions: [create]", "actions: [delete]", "rule users has the action delete which is not among the capabilities"},
		{"no action", "actions: [create]", "actions: []", "rule users does not say its actions"},
		{"not in the catalogue", "target: userName", "target: userNam", "rule users maps userNam which is not in the catalogue"},
		{"required and not mapped", "target: userName", "target: manager", "rule users does not map userName which is required"},
		{"an expression for a reference", "target: userName", "target: manager", "rule users manager a reference attribute takes a reference, and nothing else does"},
		{"no joining attribute", ", match: 1", "", "rule users has no joining attribute"},
		{"not filterable", ", filterable: true", "", "rule users matches on userName which is not filterable"},
		{"broken expression", `"[mail]"`, `"Nope("`, "rule users userName "},
		{"unknown object", "to: User,", "to: Person,", "rule users writes Person which is not in the catalogue"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.old != "" && !strings.Contains(good, tt.old) {
				t.Fatalf("the good template does not contain %q", tt.old)
			}
			tmpl, err := Parse([]byte(strings.Replace(good, tt.old, tt.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			got := check(tmpl)
			if tt.want == "" {
				if len(got) > 0 {
					t.Errorf("faults in the good template: %q", got)
				}
				return
			}
			if !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, tt.want) }) {
				t.Errorf("faults %q do not contain %q", got, tt.want)
			}
		})
	}
}

func TestListIsSortedAndGetFindsEach(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, tmpl := range all {
		ids = append(ids, tmpl.ID)
		got, err := Get(tmpl.ID)
		if err != nil || got != tmpl {
			t.Errorf("Get(%s) = %p, %v; want %p", tmpl.ID, got, err, tmpl)
		}
	}
	if !slices.IsSorted(ids) || !slices.Contains(ids, "scim") || !slices.Contains(ids, "litmos-scim") {
		t.Errorf("ids %v: want them sorted, scim and litmos-scim among them", ids)
	}
}

func TestGetNamesTheTemplatesThereAre(t *testing.T) {
	_, err := Get("litmos")
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "litmos-scim") {
		t.Errorf("Get(litmos): %v; want ErrUnknown with the ids", err)
	}
}

func TestListCannotBeChangedByItsCaller(t *testing.T) {
	first, err := List()
	if err != nil {
		t.Fatal(err)
	}
	first[0] = nil
	second, err := List()
	if err != nil || second[0] == nil {
		t.Errorf("a caller changed the list: %v, %v", second, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		name, file, text, want string
	}{
		{"an unknown key", "apps/a.yaml", "id: a\ntitel: A\n", "template apps/a.yaml: yaml: unmarshal errors:\n  line 2: field titel not found"},
		{"another id than the file", "apps/a.yaml", "id: b\n", `template apps/a.yaml: its id is "b"`},
		{"two documents", "apps/a.yaml", "id: a\n---\nid: a\n", "more"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(fstest.MapFS{tt.file: {Data: []byte(tt.text)}})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
		})
	}
}

func TestLitmosCatalogue(t *testing.T) {
	tmpl, err := Get("litmos-scim")
	if err != nil {
		t.Fatal(err)
	}
	var required, filterable, fold, custom []string
	user, ok := tmpl.Schema().Object(identity.User)
	if !ok || user.Open {
		t.Fatalf("users: %v; want a closed catalogue", user)
	}
	for _, a := range user.Attributes {
		if a.Required {
			required = append(required, a.Name)
		}
		if a.Filterable {
			filterable = append(filterable, a.Name)
		}
		if a.FoldCase {
			fold = append(fold, a.Name)
		}
		if strings.Contains(a.Name, ":CustomField:") {
			custom = append(custom, a.Name)
		}
	}
	// targets/litmos-scim.md, attributes and behaviour
	for _, tt := range []struct {
		name      string
		got, want []string
	}{
		{"required", required, []string{"userName", "active", "name.givenName", "name.familyName"}},
		{"filterable", filterable, []string{"userName"}},
		{"case folded", fold, []string{"userName", `emails[type eq "work"].value`}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s attributes (-want +got):\n%s", tt.name, diff)
		}
	}
	if len(custom) != 10 || len(user.Attributes) != 28 {
		t.Errorf("%d custom fields and %d attributes, want 10 and 28", len(custom), len(user.Attributes))
	}
	active, _ := user.Attribute("active")
	manager, _ := user.Attribute("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager")
	if active.Type != schema.Boolean || manager.Type != schema.Reference || manager.References != identity.User {
		t.Errorf("active %v, manager %v", active, manager)
	}
}
