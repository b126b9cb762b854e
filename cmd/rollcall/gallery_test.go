package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/gallery"
)

// templates are all templates of the gallery.
func templates(t *testing.T) []*gallery.Template {
	t.Helper()
	all, err := gallery.List()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d templates", len(all))
	}
	return all
}

// TestTemplatesMakeJobs holds every template to the connectors' own tables of settings: its app file makes a job without
// a problem and without a warning.
func TestTemplatesMakeJobs(t *testing.T) {
	for _, tmpl := range templates(t) {
		t.Run(tmpl.ID, func(t *testing.T) {
			for _, p := range checkTemplate(tmpl.ID+".yaml", tmpl.Data()) {
				t.Error(p)
			}
		})
	}
}

// TestCheckTemplateFindsFaults proves that the check above can fail, and that it names the line of the template.
func TestCheckTemplateFindsFaults(t *testing.T) {
	good, err := gallery.Get("insite-lms")
	if err != nil {
		t.Fatal(err)
	}
	const settings = "      rate: 5/s\n"
	with := func(setting string) []string {
		name, _, _ := strings.Cut(setting, ":")
		return []string{settings, settings + "      " + setting + "\n", "quirks:\n", "quirks:\n  - {setting: " + name + ", why: A test.}\n"}
	}
	for _, tt := range []struct {
		name    string
		replace []string // pairs
		at      string   // text in the line that the problem names
		want    string   // in the problem
	}{
		{"a setting that the connector does not have", with("speed: 5"), "speed: 5", "speed"},
		{"a value that the setting does not take", []string{"dialect: legacy", "dialect: modern"}, "dialect: modern", "modern"},
		{"a number out of range", with("memberBatch: 5000"), "settings:\n", "memberBatch"},
		{"settings that exclude each other", append(with("disableByDelete: true"), settings, settings+"      deleteMeansDisable: true\n", "quirks:\n", "quirks:\n  - {setting: deleteMeansDisable, why: A test.}\n"), "settings:\n", "exclude each other"},
		{"a connector that does not exist", []string{"connector: scim", "connector: scmi"}, "connector: scmi", "scmi"},
		{"a setting of the job that does not exist", []string{"  rules:\n", "  settings:\n    excludeDefault: true\n  rules:\n"}, "excludeDefault", "excludeDefault"},
		{"an attribute that the source does not have", []string{`"[givenName]"`, `"[givnName]"`}, "[givnName]", "givnName"},
		{"a mistake of form", []string{"title: Insite LMS", "title: ''"}, "title: ''", "title is empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := string(good.Data())
			for i := 0; i+1 < len(tt.replace); i += 2 {
				if !strings.Contains(text, tt.replace[i]) {
					t.Fatalf("the template does not contain %q", tt.replace[i])
				}
				text = strings.Replace(text, tt.replace[i], tt.replace[i+1], 1)
			}
			before, _, _ := strings.Cut(text, tt.at)
			line := 1 + strings.Count(before, "\n")
			problems := checkTemplate("demo.yaml", []byte(text))
			if !slices.ContainsFunc(problems, func(p *gallery.Problem) bool {
				return p.File == "demo.yaml" && p.Line == line && strings.Contains(p.Message, tt.want)
			}) {
				t.Errorf("want a problem in line %d with %q among\n%v", line, tt.want, problems)
			}
		})
	}
}

// TestNewAppFilesLoad writes an app file for every template. It must load as it is, and with its rules uncommented mean
// the same.
func TestNewAppFilesLoad(t *testing.T) {
	for _, tmpl := range templates(t) {
		t.Run(tmpl.ID, func(t *testing.T) {
			text, err := appFileText(tmpl, newAppFile{})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "app.yaml")
			load := func(text []byte) *appfile.File {
				t.Helper()
				if err := os.WriteFile(file, text, 0o600); err != nil {
					t.Fatal(err)
				}
				f, err := appfile.Load(file, appFileOptions())
				if err != nil {
					t.Fatalf("%v\n%s", err, text)
				}
				if len(f.Warnings) > 0 {
					t.Errorf("warnings: %v", f.Warnings)
				}
				return f
			}
			head, rules, found := bytes.Cut(text, []byte("# rules:\n"))
			if !found {
				t.Fatalf("there are no rules to uncomment:\n%s", text)
			}
			asItIs := load(text)
			opened := load(append(append(slices.Clone(head), "rules:\n"...), uncommented(rules)...))
			if asItIs.MappingHash != opened.MappingHash {
				t.Errorf("the rules in comments are others than those of the template:\n%s", rules)
			}
			for what, want := range map[string]string{"where the credential is found": tmpl.Auth.Label, "the variable to set": "export " + secretVariable(tmpl),
				"whether it was tested": "Tested: " + strings.Fields(testedText(tmpl))[0]} {
				if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
					t.Errorf("the file does not say %s (%s):\n%s", what, want, text)
				}
			}
			for _, l := range tmpl.Limits {
				if !bytes.Contains(text, []byte("# - "+l.Topic+": ")) {
					t.Errorf("the file does not say the limit %s", l.Topic)
				}
			}
			for line := range strings.Lines(string(head)) {
				if len([]rune(line)) > newWidth+1 && strings.HasPrefix(strings.TrimSpace(line), "# ") {
					t.Errorf("a comment of more than %d characters: %s", newWidth, line)
				}
			}
		})
	}
}

// uncommented takes "# " from the beginning of every line.
func uncommented(text []byte) []byte {
	var out []byte
	for line := range bytes.Lines(text) {
		out = append(out, bytes.TrimPrefix(line, []byte("# "))...)
	}
	return out
}

// TestShownTemplatesFitTheTerminal holds `gallery show` to 80 columns: only a single word may be longer.
func TestShownTemplatesFitTheTerminal(t *testing.T) {
	for _, tmpl := range templates(t) {
		t.Run(tmpl.ID, func(t *testing.T) {
			d, err := templateDoc(tmpl)
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			writeTemplate(&b, tmpl, d)
			for line := range strings.Lines(b.String()) {
				line = strings.TrimSuffix(line, "\n")
				if len([]rune(line)) > showWidth && len(strings.Fields(line)) > 1 {
					t.Errorf("%d columns: %s", len([]rune(line)), line)
				}
			}
			for _, o := range tmpl.Objects {
				for _, a := range o.Attributes {
					if !strings.Contains(b.String(), "\n  "+a.Name) {
						t.Errorf("%s %s is not shown", o.Name, a.Name)
					}
				}
			}
		})
	}
}
