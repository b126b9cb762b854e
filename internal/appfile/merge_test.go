package appfile

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/job"
)

// testTemplate has one of everything that can be merged.
const testTemplate = `
id: demo
auth: {kinds: [header]}
app:
  target:
    connector: scim
    settings:
      rate: 25/s
      auth: {header: {name: apikey}}
  settings:
    protected: [a@example.com, b@example.com]
    deletionGuard: {threshold: 50, percent: 10}
  rules:
    - name: users
      from: User
      to: User
      actions: [create, update]
      filter: [[{attribute: department, operator: IS NOT NULL}]]
      attributes:
        - {target: userName, expression: "[mail]", match: 1}
        - {target: active, expression: "Not([IsSoftDeleted])"}
    - name: groups
      from: Group
      to: Group
      attributes: [{target: displayName, expression: "[displayName]", match: 1}]
`

func withTemplate(t *testing.T, text string) Options {
	t.Helper()
	tmpl, err := gallery.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	opts := testOptions()
	opts.Template = func(string) (*gallery.Template, error) { return tmpl, nil }
	return opts
}

func TestMerge(t *testing.T) {
	const target = "{connector: scim, settings: {url: 'https://example.com', rate: 25/s, auth: {header: {name: apikey, value: {env: KEY}}}}}"
	const settings = "settings: {protected: [a@example.com, b@example.com], deletionGuard: {threshold: 50, percent: 10}}"
	const users = `
  - name: users
    from: User
    to: User
    actions: [create, update]
    filter: [[{attribute: department, operator: IS NOT NULL}]]
    attributes: [{target: userName, expression: "[mail]", match: 1}, {target: active, expression: "Not([IsSoftDeleted])"}]`
	const groups = `
  - {name: groups, from: Group, to: Group, attributes: [{target: displayName, expression: "[displayName]", match: 1}]}`
	const urlAndKey = "target: {settings: {url: 'https://example.com', auth: {header: {value: {env: KEY}}}}}\n"
	tests := []struct {
		name string
		file string // without name, source and template
		want string // an app file without a template that means the same, without name and source
	}{
		{"maps merge, deep down", urlAndKey,
			"target: " + target + "\n" + settings + "\nrules:" + users + groups},
		{"a key outranks the template", urlAndKey + "settings: {deletionGuard: {percent: 50}}",
			"target: " + target + "\n" + strings.Replace(settings, "percent: 10", "percent: 50", 1) + "\nrules:" + users + groups},
		{"a list replaces", urlAndKey + "settings: {protected: [c@example.com]}",
			"target: " + target + "\n" + strings.Replace(settings, "[a@example.com, b@example.com]", "[c@example.com]", 1) + "\nrules:" + users + groups},
		{"rules merge by name, in the template's order, and new ones follow",
			urlAndKey + `rules: [{name: more, from: Worker, to: User, attributes: [{target: userName, expression: "[id]", match: 1}, {target: active, expression: "Not([IsSoftDeleted])"}]}, {name: groups, enabled: false}]`,
			"target: " + target + "\n" + settings + "\nrules:" + users + strings.Replace(groups, "name: groups", "name: groups, enabled: false", 1) + `
  - {name: more, from: Worker, to: User, attributes: [{target: userName, expression: "[id]", match: 1}, {target: active, expression: "Not([IsSoftDeleted])"}]}`},
		{"the attributes of a rule replace", urlAndKey + `rules: [{name: groups, attributes: [{target: displayName, expression: "[id]", match: 1}]}]`,
			"target: " + target + "\n" + settings + "\nrules:" + users + strings.Replace(groups, "[displayName]", "[id]", 1)},
		{"an empty value takes the template's away",
			"target: {settings: {url: 'https://example.com', rate: , auth: {header: {value: {env: KEY}}}}}\nsettings:\nrules: [{name: users, filter: }]",
			"target: " + strings.Replace(target, "rate: 25/s, ", "", 1) + "\nrules:" + strings.Replace(users, "filter: [[{attribute: department, operator: IS NOT NULL}]]", "", 1) + groups},
		{"an empty list takes a filter away too", urlAndKey + "rules: [{name: users, filter: []}]",
			"target: " + target + "\n" + settings + "\nrules:" + strings.Replace(users, "filter: [[{attribute: department, operator: IS NOT NULL}]]", "", 1) + groups},
		{"another kind of credential replaces the template's", "target: {settings: {url: 'https://example.com', auth: {bearer: {env: TOKEN}}}}",
			"target: {connector: scim, settings: {url: 'https://example.com', rate: 25/s, auth: {bearer: {env: TOKEN}}}}\n" + settings + "\nrules:" + users + groups},
		{"aliases are resolved", "target: {settings: {url: 'https://example.com', auth: {header: {value: &key {env: KEY}}}}}\nsettings: {protected: &p [c@example.com], notify: *p}",
			"target: " + target + "\n" + strings.Replace(settings, "[a@example.com, b@example.com]", "[c@example.com], notify: [c@example.com]", 1) + "\nrules:" + users + groups},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			opts := withTemplate(t, testTemplate)
			got, err := Parse([]byte("name: A\ntemplate: demo\nsource: {connector: directory}\n"+tt.file), "", opts)
			if err != nil {
				t.Fatal(err)
			}
			want, err := Parse([]byte("name: A\nsource: {connector: directory}\n"+tt.want), "", opts)
			if err != nil {
				t.Fatalf("the wanted file: %v", err)
			}
			want.Job.Template = "demo"
			if diff := cmp.Diff(want.Job, got.Job); diff != "" {
				t.Errorf("job (-want +got):\n%s", diff)
			}
			if got.MappingHash != want.MappingHash {
				t.Errorf("the same mappings with another hash")
			}
		})
	}
}

func TestProblemsOfTheTemplateStandAtItsLine(t *testing.T) {
	opts := withTemplate(t, strings.Replace(testTemplate, "Not([IsSoftDeleted])", "Nope([IsSoftDeleted])", 1))
	_, err := Parse([]byte("name: A\n\ntemplate: demo\nsource: {connector: directory}\ntarget: {settings: {url: 'https://example.com', auth: {bearer: {env: T}}}}"), "", opts)
	want := "3:1: error: there is no function Nope (comes from the template demo)"
	if err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}

func TestChoicesComeInTheirOneSpelling(t *testing.T) {
	const file = "name: A\ntemplate: scim\nsource: {connector: directory}\nsettings: {drift: Report}\ntarget: {settings: {url: 'https://example.com', dialect: RFC}}"
	f, err := Parse([]byte(file), "", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Job.Target.Settings["dialect"]; got != "rfc" || f.Job.Settings.Drift != "report" {
		t.Errorf("dialect %q, drift %q; want rfc, report", got, f.Job.Settings.Drift)
	}
}

func TestDefaultsOfARule(t *testing.T) {
	const text = `
name: A
source: {connector: directory}
target: {connector: directory}
rules:
  - name: people
    from: User
    to: User
    attributes:
      - {target: employeeId, expression: "[employeeId]", match: 1, apply: always}
      - {target: accountEnabled, expression: "Not([IsSoftDeleted])"}
`
	f, err := Parse([]byte(text), "/etc/rollcall", testOptions())
	if err != nil {
		t.Fatal(err)
	}
	r := f.Job.Rules[0]
	if !r.Enabled || !r.Actions.Create || !r.Actions.Update || !r.Actions.Delete { // engine section 1, flowTypes
		t.Errorf("rule %+v: want it enabled with all actions", r)
	}
	if r.Attributes[0].Apply != "" {
		t.Errorf("apply %q, want the one form of always", r.Attributes[0].Apply)
	}
	if f.Job.Dir != "/etc/rollcall" || string(f.Raw) != text {
		t.Errorf("dir %q, raw %q", f.Job.Dir, f.Raw)
	}
}

// TestDrift is setting `drift` (design D3): a word is the default of all attributes, and maps merge key by key.
func TestDrift(t *testing.T) {
	demo := strings.Replace(testTemplate, "    protected:", "    drift: {attributes: {userName: ignore}}\n    protected:", 1)
	if demo == testTemplate {
		t.Fatal("the template has changed")
	}
	for _, c := range []struct {
		name, settings string
		word           string
		attributes     map[string]string
	}{
		{"nothing said", "", "report", map[string]string{"userName": "ignore"}},
		{"a word", "settings: {drift: correct}", "correct", map[string]string{"userName": "ignore"}},
		{"a map adds to the template's", "settings: {drift: {attributes: {active: correct}}}", "report", map[string]string{"userName": "ignore", "active": "correct"}},
		{"a map takes the template's away", "settings: {drift: {default: ignore, attributes: {userName: null}}}", "ignore", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := "name: A\ntemplate: demo\nsource: {connector: directory}\n" + c.settings + "\ntarget: {settings: {url: 'https://example.com', auth: {bearer: {env: T}}}}"
			f, err := Parse([]byte(file), "", withTemplate(t, demo))
			if err != nil {
				t.Fatal(err)
			}
			if f.Job.Settings.Drift != c.word {
				t.Errorf("default %q, want %q", f.Job.Settings.Drift, c.word)
			}
			if diff := cmp.Diff(c.attributes, f.Job.Settings.DriftAttributes); diff != "" {
				t.Errorf("attributes (- want, + got):\n%s", diff)
			}
			out, err := Export(f.Job, withTemplate(t, demo))
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse(out, "", withTemplate(t, demo))
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if diff := cmp.Diff(f.Job, again.Job); diff != "" {
				t.Errorf("exported and read again:\n%s", diff)
			}
		})
	}
}

func TestReconcileIsADurationOrNever(t *testing.T) { // design D3
	for text, want := range map[string]time.Duration{"12h": 12 * time.Hour, "never": job.Never, "0": job.Never, "0s": job.Never} {
		file := "name: A\ntemplate: scim\nsource: {connector: directory}\nsettings: {reconcile: " + text + "}\ntarget: {settings: {url: 'https://example.com'}}"
		f, err := Parse([]byte(file), "", testOptions())
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Job.Settings.Reconcile; got != want {
			t.Errorf("reconcile: %s is %s, want %s", text, got, want)
		}
	}
}
