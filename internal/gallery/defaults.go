package gallery

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-id/rollcall/internal/identity"
)

// Defaults is what a template's app file says, for people who want to see what will be written. What a job is made of is
// App; the two are the same text.
type Defaults struct {
	Connector   string
	Settings    []Setting // of the target
	JobSettings []Setting
	Rules       []Rule
}

// Setting is one setting as it stands in the template.
type Setting struct {
	Name string
	Text string // YAML on one line
}

// Rule is one rule of the template.
type Rule struct {
	Name     string
	From, To identity.Kind
	Actions  []Capability // create, update, delete
	Mappings []Mapping
}

// Mapping is one attribute of a rule with what is written to it.
type Mapping struct {
	Target     string
	Expression string // or a reference
	Reference  string
	Match      int
	Apply      string
	Default    string
	Text       string // YAML on one line
}

// Setting is the text of a setting of the target, "" where the template does not have it.
func (d Defaults) Setting(name string) string { return find(d.Settings, name) }

// JobSetting is the same of a setting of the job.
func (d Defaults) JobSetting(name string) string { return find(d.JobSettings, name) }

func find(settings []Setting, name string) string {
	for _, s := range settings {
		if s.Name == name {
			return s.Text
		}
	}
	return ""
}

// NeedsRole tells whether who is assigned without an app role gets no account: the role decides about the scope, or a
// required attribute comes from it.
func (d Defaults) NeedsRole(t *Template) bool {
	if d.JobSetting("excludeDefaultAccessRole") == "true" {
		return true
	}
	for _, r := range d.Rules {
		object, ok := t.Schema().Object(r.To)
		if !ok {
			continue
		}
		for _, m := range r.Mappings {
			if a, _ := object.Attribute(m.Target); a.Required && strings.Contains(m.Expression, "appRoleAssignments") {
				return true
			}
		}
	}
	return false
}

// Defaults reads the template's app file.
func (t *Template) Defaults() (Defaults, error) {
	var app struct {
		Target struct {
			Connector string
			Settings  yaml.Node
		}
		Settings yaml.Node
		Rules    []struct {
			Name       string
			From, To   identity.Kind
			Actions    []Capability
			Attributes []yaml.Node
		}
	}
	if err := t.app.Decode(&app); err != nil {
		return Defaults{}, err
	}
	d := Defaults{Connector: app.Target.Connector}
	var err error
	if d.Settings, err = settingTexts(app.Target.Settings, "app.target.settings"); err != nil {
		return Defaults{}, err
	}
	if d.JobSettings, err = settingTexts(app.Settings, "app.settings"); err != nil {
		return Defaults{}, err
	}
	for _, r := range app.Rules {
		rule := Rule{Name: r.Name, From: r.From, To: r.To, Actions: r.Actions}
		for i := range r.Attributes {
			var m Mapping
			if err := r.Attributes[i].Decode(&m); err != nil {
				return Defaults{}, err
			}
			if m.Text, err = line(&r.Attributes[i]); err != nil {
				return Defaults{}, err
			}
			rule.Mappings = append(rule.Mappings, m)
		}
		d.Rules = append(d.Rules, rule)
	}
	return d, nil
}

// settingTexts reads a map of settings in the order in which they stand.
func settingTexts(n yaml.Node, path string) (out []Setting, err error) {
	if n.Kind == 0 {
		return nil, nil
	}
	if n.Kind != yaml.MappingNode {
		return nil, &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %s is no map of keys", n.Line, path)}}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		s := Setting{Name: n.Content[i].Value}
		if s.Text, err = line(n.Content[i+1]); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// line writes a node on one line, without its comments.
func line(n *yaml.Node) (string, error) {
	out, err := yaml.Marshal(flow(n))
	return strings.TrimSuffix(string(out), "\n"), err
}

func flow(n *yaml.Node) *yaml.Node {
	out := *n
	out.HeadComment, out.LineComment, out.FootComment, out.Content = "", "", "", nil
	if out.Kind == yaml.MappingNode || out.Kind == yaml.SequenceNode {
		out.Style = yaml.FlowStyle
	}
	for _, c := range n.Content {
		out.Content = append(out.Content, flow(c))
	}
	return &out
}
