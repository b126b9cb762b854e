package gallery

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// TestTemplates holds every file of the gallery to the form: adding an application is adding a file.
func TestTemplates(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d templates", len(all))
	}
	for _, tmpl := range all {
		t.Run(tmpl.ID, func(t *testing.T) {
			_, problems := Check("apps/"+tmpl.ID+".yaml", tmpl.Data())
			for _, p := range problems {
				t.Error(p)
			}
		})
	}
}

// good is a template without a fault.
const good = `id: demo
title: Demo
vendor: Demo
summary: A demo.
tested: false
auth: {kinds: [bearer], label: Token, help: Ask.}
capabilities: {users: [create, update], groups: []}
tenantUrl: [{name: eu, url: 'https://eu.example.com/{tenantId}'}]
objects:
  - name: User
    attributes: [{name: userName, type: String, required: true, filterable: true, maxLength: 21}, {name: active, type: Boolean}, {name: manager, type: Reference, references: User}]
limits: [{topic: rate, text: Low.}]
notes: [A note.]
quirks: [{setting: dialect, why: Old.}]
app:
  target: {connector: scim, settings: {dialect: legacy, rate: 5/s}}
  rules:
    - {name: users, from: User, to: User, actions: [create], attributes: [{target: userName, expression: "[mail]", match: 1}, {target: active, expression: "Not([IsSoftDeleted])"}]}
`

// TestCheckFindsFaults proves that the check above can fail, and that it names the line.
func TestCheckFindsFaults(t *testing.T) {
	group := func(attributes, capabilities, rule string) []string {
		return []string{"limits:", "  - {name: Group, attributes: [" + attributes + "]}\nlimits:",
			"groups: []", "groups: [" + capabilities + "]",
			"  rules:\n", "  rules:\n" + rule}
	}
	oauth := "auth: {kinds: [oauth2], label: Token, help: Ask., "
	const plain = "auth: {kinds: [bearer], label: Token, help: Ask."
	tests := []struct {
		name    string
		replace []string // pairs
		want    string   // beginning of one problem, "" for none at all
	}{
		{"a good template has no fault", nil, ""},
		{"a group that is written", group("{name: displayName, filterable: true}", "update", `    - {name: groups, from: Group, to: Group, actions: [update], attributes: [{target: displayName, expression: "[displayName]", match: 1}]}`+"\n"), ""},
		{"an unknown key", []string{"title: Demo", "titel: Demo"}, "demo.yaml:2: field titel not found"},
		{"a value of another type", []string{"maxLength: 21", "maxLength: long"}, "demo.yaml:11: cannot unmarshal"},
		{"broken YAML", []string{"notes: [A note.]", "notes: [A note."}, "demo.yaml:12: did not find expected"},
		{"nothing at all", []string{good, ""}, "demo.yaml:1: the file is empty"},
		{"another document behind it", []string{"id: demo", "id: demo\n---\nid: demo"}, "demo.yaml:1: a template is one YAML document"},
		{"an id that is no id", []string{"id: demo", "id: De_mo"}, `demo.yaml:1: id: "De_mo" is not made of small letters`},
		{"no title", []string{"title: Demo", "title: ''"}, "demo.yaml:2: title is empty"},
		{"no vendor", []string{"vendor: Demo", "vendor: ''"}, "demo.yaml:3: vendor is empty"},
		{"no summary", []string{"summary: A demo.", "summary: ' '"}, "demo.yaml:4: summary is empty"},
		{"a summary that is no sentence", []string{"A demo.", "A demo"}, "demo.yaml:4: summary does not end with a full stop"},
		{"a note that is no sentence", []string{"A note.", "A note"}, "demo.yaml:13: notes[0] does not end with a full stop"},
		{"tested without a record", []string{"tested: false", "tested: true"}, "demo.yaml:5: tested is false, or {sandbox: NAME}"},
		{"tested against nothing", []string{"tested: false", "tested: {quirks: aws}"}, "demo.yaml:5: tested is false, or {sandbox: NAME}"},
		{"tested with an unknown key", []string{"tested: false", "tested: {sandbox: scim, on: 2026}"}, "demo.yaml:5: tested is false, or {sandbox: NAME}"},
		{"plain http", []string{"https://eu", "http://eu"}, "demo.yaml:8: tenantUrl[0] http://eu.example.com/{tenantId} needs a name and an https address"},
		{"a brace that is never closed", []string{"{tenantId}'", "{tenant'", "eu.example", "{eu.example"}, "demo.yaml:8: tenantUrl[0] https://{eu.example.com/{tenant needs"},
		{"no address and no help to find it", []string{"tenantUrl: [{name: eu, url: 'https://eu.example.com/{tenantId}'}]", "tenantUrl: []"}, "demo.yaml:8: there is no tenantUrl, and no urlHelp"},
		{"no label", []string{"label: Token", "label: ''"}, "demo.yaml:6: auth.label is empty"},
		{"no help", []string{"help: Ask.", "help: ''"}, "demo.yaml:6: auth.help is empty"},
		{"unknown credential", []string{"[bearer]", "[card]"}, `demo.yaml:6: auth.kinds: there is no kind of credential "card"`},
		{"no credential", []string{"[bearer]", "[]"}, "demo.yaml:6: auth.kinds is empty"},
		{"a life that is negative", []string{plain, plain + ", lifetimeDays: -1"}, "demo.yaml:6: auth.lifetimeDays: -1 days are less than none"},
		{"a header for another kind", []string{plain, plain + ", header: apikey"}, "demo.yaml:6: auth.header is for the kind header"},
		{"a grant for another kind", []string{plain, plain + ", grant: clientCredentials"}, "demo.yaml:6: auth: grant, tokenURL, authorizationURL and scopes are for the kind oauth2"},
		{"OAuth with all that it needs", []string{plain, oauth + "grant: clientCredentials, tokenURL: 'https://{tenantId}.example.com/token'"}, ""},
		{"OAuth without a grant", []string{plain, oauth + "tokenURL: https://a.example.com/token"}, `demo.yaml:6: auth.grant: "" is neither`},
		{"OAuth without an address of tokens", []string{plain, oauth + "grant: clientCredentials"}, `demo.yaml:6: auth.tokenURL: "" is no https address`},
		{"a login without an address", []string{plain, oauth + "grant: authorizationCode, tokenURL: https://a.example.com/token"}, "demo.yaml:6: auth.authorizationURL: an https address goes with authorizationCode"},
		{"an address for a login that there is not", []string{plain, oauth + "grant: clientCredentials, tokenURL: https://a.example.com/token, authorizationURL: https://a.example.com/login"}, "demo.yaml:6: auth.authorizationURL: an https address goes with authorizationCode"},
		{"unknown capability", []string{"[create, update]", "[create, fly]"}, `demo.yaml:7: there is no capability "fly"`},
		{"capabilities without a catalogue", []string{"groups: []", "groups: [create]"}, "demo.yaml:7: capabilities.groups: capabilities and a catalogue of Group go together"},
		{"a catalogue without capabilities", group("{name: displayName}", "", ""), "demo.yaml:7: capabilities.groups: capabilities and a catalogue of Group go together"},
		{"members that cannot be written", group("{name: members, type: Reference, references: User, multiValued: true}", "update", ""), "demo.yaml:7: capabilities.groups: the capability members and the attribute members go together"},
		{"a catalogue that no rule writes", group("{name: displayName}", "update", ""), "demo.yaml:12: no rule writes Group"},
		{"a limit without a topic", []string{"topic: rate", "topic: ''"}, "demo.yaml:12: limits[0] has no topic"},
		{"a limit without a text", []string{"text: Low.", "text: ''"}, "demo.yaml:12: limits[0].text is empty"},
		{"quirk without a setting", []string{"setting: dialect", "setting: speed"}, "demo.yaml:14: quirk speed: app.target has no such setting"},
		{"quirk without a reason", []string{"why: Old.", "why: ''"}, "demo.yaml:14: quirks[0].why is empty"},
		{"a setting without a reason", []string{"rate: 5/s", "rate: 5/s, list: false"}, "demo.yaml:16: the setting list has no quirk that says why"},
		{"the rate and the standard need no reason", []string{"dialect: legacy", "dialect: rfc", "quirks: [{setting: dialect, why: Old.}]", "quirks: []"}, ""},
		{"a text is cut to another length than the catalogue says", []string{"rate: 5/s", "rate: 5/s, maxLength: {userName: 20}", "quirks: [", "quirks: [{setting: maxLength, why: None.}, "}, "demo.yaml:16: maxLength cuts userName to 20 characters, and the catalogue says 21"},
		{"unknown type", []string{"type: String", "type: Number"}, "demo.yaml:11: User userName has the unknown type Number"},
		{"reference to nothing", []string{", references: User", ""}, "demo.yaml:11: User manager a reference says what it references, and nothing else does"},
		{"twice in the catalogue", []string{"{name: manager,", "{name: username},{name: manager,"}, "demo.yaml:11: User username is in the catalogue twice"},
		{"a length of what is no text", []string{"type: Boolean", "type: Boolean, maxLength: 5"}, "demo.yaml:11: User active foldCase and maxLength are for texts"},
		{"a length below nothing", []string{"maxLength: 21", "maxLength: -21"}, "demo.yaml:11: User userName has the maxLength -21"},
		{"no path", []string{"{name: manager,", "{name: 'a[b'},{name: manager,"}, "demo.yaml:11: User a[b is no SCIM path"},
		{"no rules", []string{"  rules:\n    - {name: users, from: User, to: User, actions: [create], attributes: [{target: userName, expression: \"[mail]\", match: 1}, {target: active, expression: \"Not([IsSoftDeleted])\"}]}\n", ""}, "demo.yaml:15: app has no rules"},
		{"an app file of another shape", []string{"settings: {dialect: legacy, rate: 5/s}", "settings: fast"}, "demo.yaml:16: app.target.settings is no map of keys"},
		{"action beyond the capabilities", []string{"actions: [create]", "actions: [delete]"}, "demo.yaml:18: rule users has the action delete, which is not among the capabilities"},
		{"a group that is emptied instead of deleted", append(group("{name: displayName, filterable: true}", "update", `    - {name: groups, from: Group, to: Group, actions: [delete], attributes: [{target: displayName, expression: "[displayName]", match: 1}]}`+"\n"),
			"rate: 5/s", "rate: 5/s, noGroupDelete: true", "quirks: [", "quirks: [{setting: noGroupDelete, why: None.}, "), ""},
		{"no action", []string{"actions: [create]", "actions: []"}, "demo.yaml:18: rule users does not say its actions"},
		{"not in the catalogue", []string{"target: userName", "target: userNam"}, "demo.yaml:18: rule users maps userNam, which is not in the catalogue"},
		{"required and not mapped", []string{"target: userName", "target: manager"}, "demo.yaml:18: rule users does not map userName, which is required"},
		{"an expression for a reference", []string{"target: userName", "target: manager"}, "demo.yaml:18: rule users: manager: a reference attribute takes a reference, and nothing else does"},
		{"no joining attribute", []string{", match: 1", ""}, "demo.yaml:18: rule users has no joining attribute"},
		{"not filterable", []string{", filterable: true", ""}, "demo.yaml:18: rule users matches on userName, which is not filterable"},
		{"nobody is ever disabled", []string{"Not([IsSoftDeleted])", "[accountEnabled]"}, "demo.yaml:18: rule users: no mapping says who is disabled"},
		{"who leaves is deleted", []string{"Not([IsSoftDeleted])", "[accountEnabled]", "  rules:\n", "  settings: {deprovision: delete}\n  rules:\n"}, ""},
		{"broken expression", []string{`"[mail]"`, `"Nope("`}, "demo.yaml:18: rule users: userName: "},
		{"unknown object", []string{"to: User,", "to: Person,"}, "demo.yaml:18: rule users writes Person, which is not in the catalogue"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := good
			for i := 0; i+1 < len(tt.replace); i += 2 {
				if !strings.Contains(text, tt.replace[i]) {
					t.Fatalf("the good template does not contain %q", tt.replace[i])
				}
				text = strings.Replace(text, tt.replace[i], tt.replace[i+1], 1)
			}
			_, problems := Check("demo.yaml", []byte(text))
			if tt.want == "" {
				if len(problems) > 0 {
					t.Errorf("faults in a good template:\n%v", problems)
				}
				return
			}
			if !slices.ContainsFunc(problems, func(p *Problem) bool { return strings.HasPrefix(p.Error(), tt.want) }) {
				t.Errorf("want %q among\n%v", tt.want, problems)
			}
		})
	}
}

// TestMistakesAreToldAllAtOnce has mistakes of every stage in one file, and wants them in the order of the file.
func TestMistakesAreToldAllAtOnce(t *testing.T) {
	text := strings.NewReplacer("title: Demo", "titel: Demo", "A demo.", "A demo", "maxLength: 21", "maxLength: long", "[mail]", "[mail").Replace(good)
	_, problems := Check("demo.yaml", []byte(text))
	var lines []int
	for _, p := range problems {
		lines = append(lines, p.Line)
	}
	if diff := cmp.Diff([]int{1, 2, 4, 11, 18}, lines); diff != "" { // an absent title stands at the beginning
		t.Errorf("lines (-want +got):\n%s\n%v", diff, problems)
	}
}

// TestDefaults reads a template's app file for people: in its order, each thing on one line.
func TestDefaults(t *testing.T) {
	text := strings.NewReplacer("rate: 5/s}", "rate: 5/s, maxLength: {userName: 21}}", "  rules:\n", "  settings:\n    excludeDefaultAccessRole: true # why\n  rules:\n").Replace(good)
	tmpl, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := tmpl.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults{
		Connector:   "scim",
		Settings:    []Setting{{"dialect", "legacy"}, {"rate", "5/s"}, {"maxLength", "{userName: 21}"}},
		JobSettings: []Setting{{"excludeDefaultAccessRole", "true"}},
		Rules: []Rule{{Name: "users", From: identity.User, To: identity.User, Actions: []Capability{CanCreate}, Mappings: []Mapping{
			{Target: "userName", Expression: "[mail]", Match: 1, Text: `{target: userName, expression: "[mail]", match: 1}`},
			{Target: "active", Expression: "Not([IsSoftDeleted])", Text: `{target: active, expression: "Not([IsSoftDeleted])"}`},
		}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("defaults (-want +got):\n%s", diff)
	}
	if !got.NeedsRole(tmpl) {
		t.Error("default access is left out, and no role is needed")
	}
}

// TestNeedsRole tells when an assignment without an app role gives nobody an account.
func TestNeedsRole(t *testing.T) {
	for id, want := range map[string]bool{"scim": false, "litmos-scim": false, "leapsome": true, "salesforce": true} {
		tmpl, err := Get(id)
		if err != nil {
			t.Fatal(err)
		}
		d, err := tmpl.Defaults()
		if err != nil {
			t.Fatal(err)
		}
		if got := d.NeedsRole(tmpl); got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
}

func TestFill(t *testing.T) {
	for _, tt := range []struct {
		name, in, want string
		parts          []string
	}{
		{"an address without parts to fill in", "https://api.example.com/scim", "https://api.example.com/scim", nil},
		{"a part in the host and one in the path", "https://{region}.example.com/{tenantId}/v2/", "https://REGION.example.com/TENANT-ID/v2/", []string{"REGION", "TENANT-ID"}},
		{"a part that comes twice", "https://{sub}.example.com/{sub}", "https://SUB.example.com/SUB", []string{"SUB"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, parts := Fill(tt.in)
			if got != tt.want || !slices.Equal(parts, tt.parts) {
				t.Errorf("got %s with %q, want %s with %q", got, parts, tt.want, tt.parts)
			}
		})
	}
}

func TestLineOfAPath(t *testing.T) {
	tmpl, problems := Check("demo.yaml", []byte(good))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for path, want := range map[string]int{
		"id": 1, "auth.help": 6, "objects[0].attributes[2].name": 11, "app.target.settings.rate": 16, "app.rules[0].attributes[1]": 18,
		"nothing": 1, "objects[7]": 9, "app.rules[0].filter": 18, "title.more": 2, "": 1,
	} {
		if got := tmpl.Line(path); got != want {
			t.Errorf("%s is in line %d, want %d", path, got, want)
		}
	}
}

// TestUnsupportedApplications holds the list of applications without a template to its form.
func TestUnsupportedApplications(t *testing.T) {
	list, err := ListUnsupported()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, u := range list {
		ids = append(ids, u.ID)
		if !idForm.MatchString(u.ID) || u.Title == "" || !strings.HasSuffix(u.Why, ".") {
			t.Errorf("%+v: want an id, a title, and sentences that say why", u)
		}
		if _, err := Get(u.ID); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), u.Why) {
			t.Errorf("Get(%s): %v; want ErrUnknown and why", u.ID, err)
		}
	}
	if !slices.IsSorted(ids) || len(slices.Compact(slices.Clone(ids))) != len(ids) || len(ids) == 0 {
		t.Errorf("ids %v: want some, sorted, each once", ids)
	}
	if _, err := loadUnsupported(fstest.MapFS{"unsupported.yaml": {Data: []byte("- id: a\n  titel: A\n")}}); err == nil || !strings.Contains(err.Error(), "unsupported.yaml:2: field titel not found") {
		t.Errorf("a misspelt key: %v", err)
	}
}

// TestTestedTemplatesHaveTheirExchanges holds what a template says of being tested to what is kept: a tested one has its
// exchanges, made with the sandbox that it names, and there are no others. test/story makes them and compares them.
func TestTestedTemplatesHaveTheirExchanges(t *testing.T) {
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range recordings(all, os.DirFS("testdata/wire")) {
		t.Error(problem)
	}
	tested, untested := &Template{ID: "a", Tested: Tested{Sandbox: "scim", Quirks: "aws"}}, &Template{ID: "b"}
	const kept = "with the template a and\n`rollcall sandbox scim --quirks aws` say"
	for _, tt := range []struct {
		name  string
		files fstest.MapFS
		want  []string
	}{
		{"a tested template with its exchanges", fstest.MapFS{"a.txt": {Data: []byte(kept)}}, nil},
		{"a tested template without exchanges", fstest.MapFS{}, []string{"a says that it was tested, and testdata/wire/a.txt is not there"}},
		{"exchanges with another sandbox", fstest.MapFS{"a.txt": {Data: []byte("`rollcall sandbox scim` say")}}, []string{"testdata/wire/a.txt was not made with `rollcall sandbox scim --quirks aws`"}},
		{"exchanges of an untested template", fstest.MapFS{"a.txt": {Data: []byte(kept)}, "b.txt": {}}, []string{"testdata/wire/b.txt is there, and no template b says that it was tested"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, recordings([]*Template{tested, untested}, tt.files)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// recordings says where the templates and the kept exchanges do not agree.
func recordings(all []*Template, dir fs.FS) (problems []string) {
	files := map[string]bool{}
	for _, tmpl := range all {
		if !tmpl.Tested.Done() {
			continue
		}
		name := tmpl.ID + ".txt"
		files[name] = true
		text, err := fs.ReadFile(dir, name)
		command := "`rollcall sandbox " + strings.Join(tmpl.Tested.Arguments(), " ") + "`"
		switch {
		case err != nil:
			problems = append(problems, tmpl.ID+" says that it was tested, and testdata/wire/"+name+" is not there")
		case !strings.Contains(string(text), command):
			problems = append(problems, "testdata/wire/"+name+" was not made with "+command)
		}
	}
	names, err := fs.Glob(dir, "*")
	if err != nil {
		return append(problems, err.Error())
	}
	for _, name := range names {
		if !files[name] {
			problems = append(problems, "testdata/wire/"+name+" is there, and no template "+strings.TrimSuffix(name, ".txt")+" says that it was tested")
		}
	}
	return problems
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

func TestGetNamesTheTemplatesThatAreAlike(t *testing.T) {
	for id, want := range map[string]string{
		"insite":      `template "insite": no such template; perhaps insite-lms`,
		"Zscaler ZPA": `template "Zscaler ZPA": no such template; perhaps zscaler-zia or zscaler-zpa`,
		"leapsom":     `template "leapsom": no such template; perhaps leapsome`,
		"xxxxxxxxxxx": `template "xxxxxxxxxxx": no such template`,
	} {
		if _, err := Get(id); !errors.Is(err, ErrUnknown) || err.Error() != want {
			t.Errorf("Get(%s): %v\nwant %s", id, err, want)
		}
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
		{"an unknown key", "apps/a.yaml", "id: a\ntitel: A\n", "apps/a.yaml:2: field titel not found"},
		{"another id than the file", "apps/a.yaml", "vendor: B\nid: b\n", `apps/a.yaml:2: its id is "b"; call the file b.yaml or the template a`},
		{"two documents", "apps/a.yaml", "id: a\n---\nid: a\n", "apps/a.yaml:1: a template is one YAML document"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := load(fstest.MapFS{tt.file: {Data: []byte(tt.text)}, "apps/z.yaml": {Data: []byte("id: z\nvendr: Z\n")}})
			for _, want := range []string{tt.want, "apps/z.yaml:2: field vendr not found"} { // of all files at once
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want %q in it", err, want)
				}
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
