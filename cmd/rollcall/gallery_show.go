package main

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/view"
)

// templateDocument is the document of `rollcall gallery show ID -o json`.
type templateDocument struct {
	templateSummary
	TenantURLs   []tenantURL       `json:"tenantUrls"`
	URLHelp      string            `json:"urlHelp"`
	Auth         templateAuth      `json:"auth"`
	Capabilities capabilities      `json:"capabilities"`
	Objects      []templateObject  `json:"objects"`
	Limits       []templateLimit   `json:"limits"`
	Notes        []string          `json:"notes"`
	Quirks       []templateQuirk   `json:"quirks"`
	Connector    string            `json:"connector"`
	Settings     []templateSetting `json:"settings"`
	JobSettings  []templateSetting `json:"jobSettings"`
	Rules        []templateRule    `json:"rules"`
}

type tenantURL struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type templateAuth struct {
	Kinds            []string `json:"kinds"`
	Label            string   `json:"label"`
	Help             string   `json:"help"`
	Header           string   `json:"header,omitempty"`
	Grant            string   `json:"grant,omitempty"`
	TokenURL         string   `json:"tokenURL,omitempty"`
	AuthorizationURL string   `json:"authorizationURL,omitempty"`
	Scopes           []string `json:"scopes,omitempty"`
	LifetimeDays     int      `json:"lifetimeDays"`
}

type capabilities struct {
	Users  []gallery.Capability `json:"users"`
	Groups []gallery.Capability `json:"groups"`
}

type templateObject struct {
	Name       string              `json:"name"`
	Open       bool                `json:"open"`
	Attributes []templateAttribute `json:"attributes"`
}

type templateAttribute struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	MultiValued bool   `json:"multiValued"`
	Required    bool   `json:"required"`
	ReadOnly    bool   `json:"readOnly"`
	Unique      bool   `json:"unique"`
	Filterable  bool   `json:"filterable"`
	FoldCase    bool   `json:"foldCase"`
	MaxLength   int    `json:"maxLength"`
	Note        string `json:"note"`
}

type templateLimit struct {
	Topic string `json:"topic"`
	Text  string `json:"text"`
}

type templateQuirk struct {
	Setting string `json:"setting"`
	Why     string `json:"why"`
}

type templateSetting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type templateRule struct {
	Name     string               `json:"name"`
	From     identity.Kind        `json:"from"`
	To       identity.Kind        `json:"to"`
	Actions  []gallery.Capability `json:"actions"`
	Mappings []templateMapping    `json:"attributes"`
}

type templateMapping struct {
	Target     string `json:"target"`
	Expression string `json:"expression,omitempty"`
	Reference  string `json:"reference,omitempty"`
	Match      int    `json:"match,omitempty"`
	Apply      string `json:"apply,omitempty"`
	Default    string `json:"default,omitempty"`
}

func templateDoc(t *gallery.Template) (templateDocument, error) {
	defaults, err := t.Defaults()
	if err != nil {
		return templateDocument{}, err
	}
	a := t.Auth
	d := templateDocument{
		templateSummary: summarize(t),
		TenantURLs:      converted(t.TenantURLs, func(u gallery.TenantURL) tenantURL { return tenantURL(u) }),
		URLHelp:         t.URLHelp,
		Auth: templateAuth{Kinds: list(a.Kinds), Label: a.Label, Help: a.Help, Header: a.Header, Grant: a.Grant, TokenURL: a.TokenURL,
			AuthorizationURL: a.AuthorizationURL, Scopes: a.Scopes, LifetimeDays: a.LifetimeDays},
		Capabilities: capabilities{Users: list(t.Capabilities.Users), Groups: list(t.Capabilities.Groups)},
		Objects:      converted(t.Objects, objectDoc),
		Limits:       converted(t.Limits, func(l gallery.Limit) templateLimit { return templateLimit(l) }),
		Notes:        list(t.Notes),
		Quirks:       converted(t.Quirks, func(q gallery.Quirk) templateQuirk { return templateQuirk(q) }),
		Connector:    defaults.Connector,
		Settings:     converted(defaults.Settings, settingDoc),
		JobSettings:  converted(defaults.JobSettings, settingDoc),
		Rules:        converted(defaults.Rules, ruleDoc),
	}
	return d, nil
}

func objectDoc(o gallery.Object) templateObject {
	return templateObject{Name: string(o.Name), Open: o.Open, Attributes: converted(o.Attributes, func(a gallery.Attribute) templateAttribute {
		return templateAttribute{Name: a.Name, Type: orDefault(string(a.Type), "String"), MultiValued: a.MultiValued, Required: a.Required,
			ReadOnly: a.ReadOnly, Unique: a.Unique, Filterable: a.Filterable, FoldCase: a.FoldCase, MaxLength: a.MaxLength, Note: a.Note}
	})}
}

func settingDoc(s gallery.Setting) templateSetting { return templateSetting{s.Name, s.Text} }

func ruleDoc(r gallery.Rule) templateRule {
	return templateRule{Name: r.Name, From: r.From, To: r.To, Actions: list(r.Actions), Mappings: converted(r.Mappings, func(m gallery.Mapping) templateMapping {
		return templateMapping{Target: m.Target, Expression: m.Expression, Reference: m.Reference, Match: m.Match, Apply: m.Apply, Default: m.Default}
	})}
}

// list is never nil, so that JSON has [] and not null.
func list[T any](in []T) []T { return append([]T{}, in...) }

// converted is the list of what each element becomes, never nil.
func converted[T, U any](in []T, f func(T) U) []U {
	out := make([]U, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

func showTemplate(c *cli, id string) error {
	t, err := template(id)
	if err != nil {
		return err
	}
	d, err := templateDoc(t)
	if err != nil {
		return err
	}
	if c.json() {
		return view.JSON(c.Out, d)
	}
	var b bytes.Buffer
	writeTemplate(&b, t, d)
	_, err = c.Out.Write(b.Bytes())
	return err
}

// showWidth is the width of a terminal that `gallery show` is laid out for.
const showWidth = 80

// writeTemplate writes all facts of a template for a terminal of 80 columns.
func writeTemplate(w *bytes.Buffer, t *gallery.Template, d templateDocument) {
	fmt.Fprintf(w, "%s (%s)\n", d.Title, d.ID)
	paragraph(w, "", "", d.Summary)
	w.WriteByte('\n')
	fact := func(name, text string) { paragraph(w, name, strings.Repeat(" ", 12), text) }
	fact("tested", testedText(t))
	for _, u := range d.TenantURLs {
		fact("address", u.URL+" ("+u.Name+")")
	}
	if d.URLHelp != "" {
		fact("address", d.URLHelp)
	}
	fact("credential", d.Auth.Label+" ("+strings.Join(d.Auth.Kinds, ", ")+").")
	fact("", d.Auth.Help)
	if text := lifetimeText(t); text != "" {
		fact("", text)
	}
	fact("users", capabilityWords(d.Capabilities.Users))
	fact("groups", capabilityWords(d.Capabilities.Groups))
	for _, l := range d.Limits {
		fact("limit", l.Topic+": "+l.Text)
	}
	for _, n := range d.Notes {
		fact("note", n)
	}
	for _, s := range d.Settings {
		fact("setting", s.Name+": "+s.Value+reason(d.Quirks, s.Name))
	}
	for _, s := range d.JobSettings {
		fact("setting", "of the job, "+s.Name+": "+s.Value)
	}
	for _, o := range d.Objects {
		fmt.Fprintf(w, "\n%s", o.Name)
		if o.Open {
			w.WriteString(" (other attributes may exist)")
		}
		w.WriteByte('\n')
		for _, a := range o.Attributes {
			paragraph(w, "  "+a.Name, strings.Repeat(" ", 30), attributeText(a, d.Rules, o.Name))
		}
	}
	fmt.Fprintf(w, "\n`rollcall new %s` writes an app file for it.\n", d.ID)
}

// paragraph writes text behind a name: beside it where the name is shorter than the indent, else below it.
func paragraph(w *bytes.Buffer, name, indent, text string) {
	lead := name
	if len(lead) >= len(indent) && lead != "" {
		w.WriteString(lead + "\n")
		lead = ""
	}
	for line := range wrapped(text, showWidth-len(indent)) {
		lead += strings.Repeat(" ", max(0, len(indent)-len(lead)))
		w.WriteString(lead + line + "\n")
		lead = ""
	}
}

// testedText says what a template was tested with, or that it was not.
func testedText(t *gallery.Template) string {
	if !t.Tested.Done() {
		return "No. Nobody has tried it on the application or on an emulation of it; begin with one person."
	}
	return "With three people and one group through their whole life against `rollcall sandbox " + strings.Join(t.Tested.Arguments(), " ") +
		"`, which refuses what the application is known to refuse. Not on the application itself; begin with few people."
}

// lifetimeText says how long a credential is valid, "" where that is not known.
func lifetimeText(t *gallery.Template) string {
	if t.Auth.LifetimeDays == 0 {
		return ""
	}
	return fmt.Sprintf("It is valid for %d days and has to be renewed by hand.", t.Auth.LifetimeDays)
}

func capabilityWords(list []gallery.Capability) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(converted(list, func(c gallery.Capability) string { return string(c) }), ", ")
}

// reason is why the template has a setting, behind it; nothing where it needs no reason.
func reason(quirks []templateQuirk, setting string) string {
	for _, q := range quirks {
		if q.Setting == setting {
			return ". " + q.Why
		}
	}
	return ""
}

// attributeText is what is known of an attribute and what is written to it by default.
func attributeText(a templateAttribute, rules []templateRule, kind string) string {
	words := []string{a.Type}
	for _, t := range []struct {
		has  bool
		word string
	}{{a.Required, "required"}, {a.Filterable, "for matching"}, {a.Unique, "unique"}, {a.MultiValued, "several values"}, {a.ReadOnly, "read-only"},
		{a.MaxLength > 0, fmt.Sprintf("at most %d characters", a.MaxLength)}} {
		if t.has {
			words = append(words, t.word)
		}
	}
	text := strings.Join(words, ", ")
	for _, r := range rules {
		for _, m := range r.Mappings {
			if string(r.To) == kind && m.Target == a.Name {
				text += "; from " + mappingText(m)
			}
		}
	}
	if a.Note != "" {
		text += ". " + a.Note
	}
	return text
}

// mappingText is where a value comes from, in few words.
func mappingText(m templateMapping) string {
	text := m.Expression + m.Reference
	if m.Default != "" {
		text += ", else " + m.Default
	}
	if m.Apply == "create" {
		text += ", on create only"
	}
	return text
}
