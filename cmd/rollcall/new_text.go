package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-id/rollcall/internal/gallery"
)

// newWidth is how long a line of comment in a new app file may be.
const newWidth = 100

// appFileText is an app file that is complete but for the credential, with what is known of the application and what
// will be written in comments.
func appFileText(t *gallery.Template, o newAppFile) ([]byte, error) {
	defaults, err := t.Defaults()
	if err != nil {
		return nil, err
	}
	w := &appFileWriter{template: t, defaults: defaults}
	w.head()
	if err := w.ends(o); err != nil {
		return nil, err
	}
	w.job()
	w.mappings()
	return w.Bytes(), nil
}

// appFileWriter writes the parts of a new app file, from top to bottom.
type appFileWriter struct {
	bytes.Buffer
	template *gallery.Template
	defaults gallery.Defaults
}

func (w *appFileWriter) line(format string, args ...any) {
	fmt.Fprintf(&w.Buffer, format+"\n", args...)
}

// comment writes text in lines of comment that begin at an indent.
func (w *appFileWriter) comment(indent, text string) {
	for line := range wrapped(text, newWidth-len(indent)-2) {
		w.line("%s# %s", indent, line)
	}
}

// item is comment for one of several.
func (w *appFileWriter) item(indent, text string) {
	first := "- "
	for line := range wrapped(text, newWidth-len(indent)-4) {
		w.line("%s# %s%s", indent, first, line)
		first = "  "
	}
}

// head says what the file is, what to do with it, and what to know beforehand.
func (w *appFileWriter) head() {
	t := w.template
	w.comment("", t.Summary)
	w.line("#")
	w.comment("", "Tested: "+testedText(t))
	w.line("#")
	w.comment("", "Fill in 1 to 3 below. Then, with FILE for the name of this file:")
	w.line("#   export %s=…", secretVariable(t))
	w.line("#   rollcall validate FILE")
	w.line("#   rollcall plan -f FILE")
	w.line("#   rollcall run -f FILE")
	if len(t.Limits) > 0 {
		w.line("#")
		w.line("# Limits:")
		for _, l := range t.Limits {
			w.item("", l.Topic+": "+l.Text)
		}
	}
	if len(t.Notes) > 0 {
		w.line("#")
		w.line("# What to know:")
		for _, n := range t.Notes {
			w.item("", n)
		}
	}
}

// ends writes name, source and target.
func (w *appFileWriter) ends(o newAppFile) error {
	t := w.template
	name, err := scalar(orDefault(o.Name, t.Title))
	if err != nil {
		return err
	}
	w.line("\nname: %s", name)
	w.line("template: %s # what is written here goes before what the template says", t.ID)
	w.line("source:\n  connector: directory # or csv, with its settings: docs/csv.md")
	w.line("target:\n  settings:")
	if err := w.address(o.URL); err != nil {
		return err
	}
	if err := w.credential(); err != nil {
		return err
	}
	w.required()
	w.settings()
	return nil
}

// required writes the other settings that the connector cannot do without and the template cannot know.
func (w *appFileWriter) required() {
	const indent = "    "
	for _, s := range appFileOptions().Connectors[w.defaults.Connector].Settings {
		if s.Required && s.Name != "url" && s.Name != "auth" && w.defaults.Setting(s.Name) == "" {
			w.comment(indent, "To fill in, too. "+s.Help)
			w.line("%s%s: %s", indent, s.Name, strings.ToUpper(s.Name))
		}
	}
}

// address writes the setting url. A part that the administrator has to put in place stands there in capitals.
func (w *appFileWriter) address(given string) error {
	const indent = "    "
	address := given
	if address == "" {
		urls := w.template.TenantURLs
		if len(urls) == 0 {
			urls = []gallery.TenantURL{{URL: "https://app.example.com/scim/v2"}}
		}
		var parts []string
		address, parts = urls[0].Sample()
		text := "1 The address."
		if len(w.template.TenantURLs) == 0 {
			text = "1 The address in place of this one."
		}
		if len(parts) > 0 {
			text = "1 The address, with your own in place of " + strings.Join(parts, " and ") + "."
		}
		w.comment(indent, strings.TrimSpace(text+" "+w.template.URLHelp))
		if len(urls) > 1 {
			w.comment(indent, "This one is called "+urls[0].Name+". The others:")
		}
		for _, u := range urls[1:] {
			w.item(indent, u.Name+": "+u.URL)
		}
	}
	text, err := scalar(address)
	if err != nil {
		return err
	}
	w.line("%surl: %s", indent, text)
	return nil
}

// credential writes the setting auth for the usual kind of credential, read from the environment.
func (w *appFileWriter) credential() error {
	const indent = "    "
	a := w.template.Auth
	w.comment(indent, "2 The credential, "+a.Label+". "+a.Help)
	if len(a.Kinds) > 1 {
		w.comment(indent, "The application takes other kinds too: "+strings.Join(a.Kinds[1:], ", ")+" (`rollcall help settings "+w.defaults.Connector+"`).")
	}
	env := "{env: " + secretVariable(w.template) + "}"
	switch kindOf(a) {
	case gallery.Basic:
		w.line("%sauth: {basic: {username: rollcall, password: %s}}", indent, env)
	case gallery.Header:
		w.line("%sauth: {header: {name: %s, value: %s}}", indent, orDefault(a.Header, "apikey"), env)
	case gallery.OAuth2:
		if err := w.oauth(indent, env); err != nil {
			return err
		}
	default:
		w.line("%sauth: {bearer: %s}", indent, env)
	}
	if text := lifetimeText(w.template); text != "" {
		w.comment(indent, text+" Rollcall warns in time when it knows the day:")
		w.line("%s# credentialExpires: 2027-03-31", indent)
	}
	return nil
}

// oauth writes a credential of the kind oauth2.
func (w *appFileWriter) oauth(indent, secret string) error {
	a := w.template.Auth
	w.line("%sauth:\n%s  oauth2:", indent, indent)
	if a.Grant != gallery.ClientCredentials {
		w.line("%s    grant: %s # then `rollcall login`, which asks for consent in a browser", indent, a.Grant)
	}
	for _, u := range []struct{ key, address string }{{"tokenURL", a.TokenURL}, {"authorizationURL", a.AuthorizationURL}} {
		if u.address == "" {
			continue
		}
		filled, _ := gallery.Fill(u.address)
		text, err := scalar(filled)
		if err != nil {
			return err
		}
		w.line("%s    %s: %s", indent, u.key, text)
	}
	w.line("%s    clientID: CLIENT-ID # your own", indent)
	w.line("%s    clientSecret: %s", indent, secret)
	if len(a.Scopes) > 0 {
		w.line("%s    scopes: [%s]", indent, strings.Join(a.Scopes, ", "))
	}
	return nil
}

// settings lists what the template sets and why, so that it can be seen and overridden.
func (w *appFileWriter) settings() {
	const indent = "    "
	if len(w.defaults.Settings) == 0 {
		return
	}
	w.comment(indent, "Set by the template, with its reasons; take the # before a key away to set another value.")
	quirks := converted(w.template.Quirks, func(q gallery.Quirk) templateQuirk { return templateQuirk(q) })
	for _, s := range w.defaults.Settings {
		if why := strings.TrimPrefix(reason(quirks, s.Name), ". "); why != "" {
			w.comment(indent, why)
		}
		w.line("%s# %s: %s", indent, s.Name, s.Text)
	}
}

// job writes the settings of the job and the assignments.
func (w *appFileWriter) job() {
	w.line("settings:")
	w.line("  scope: assigned # or all: everybody in the source, assigned or not")
	w.line("  # notify: [it@example.com]")
	for _, s := range w.defaults.JobSettings {
		w.line("  # %s: %s # set by the template", s.Name, s.Text)
	}
	who := "3 Who gets an account: members of groups, and single people. `rollcall assign` does the same by hand."
	role := ""
	if w.defaults.NeedsRole(w.template) {
		who += " An assignment without a role gives nobody an account here."
		role = ", role: User"
	}
	w.comment("", who+" For instance, in place of []:")
	w.line("# assignments: [{group: Sales%s}, {user: mira@example.com%s}]", role, role)
	w.line("assignments: []")
}

// mappings lists what will be written, as rules that can be uncommented.
func (w *appFileWriter) mappings() {
	w.line("")
	w.comment("", "What will be written, as the template has it. Values in brackets are attributes of the source; `match` says by "+
		"which attribute an account that exists already is found. To change something, take the # away from all lines of the rule, "+
		"since its list replaces the template's, and from the line with rules.")
	w.line("#")
	w.line("# rules:")
	for _, r := range w.defaults.Rules {
		w.line("#   - name: %s", r.Name)
		w.line("#     actions: [%s]%s", strings.Join(converted(r.Actions, func(c gallery.Capability) string { return string(c) }), ", "), withoutDelete(r, w.defaults))
		w.line("#     attributes:")
		object, _ := w.template.Schema().Object(r.To)
		for _, m := range r.Mappings {
			required := ""
			if a, _ := object.Attribute(m.Target); a.Required {
				required = " # required"
			}
			w.line("#       - %s%s", m.Text, required)
		}
	}
}

// withoutDelete says what becomes of a leaver where the template does not delete.
func withoutDelete(r gallery.Rule, d gallery.Defaults) string {
	switch {
	case r.To != "User":
		return ""
	case !slices.Contains(r.Actions, gallery.CanDelete):
		return " # no delete: who leaves is disabled"
	case d.JobSetting("deprovision") == "delete":
		return " # who leaves is deleted"
	}
	return " # who is gone from the source is deleted, who is no longer assigned is disabled"
}

// kindOf is the usual kind of credential.
func kindOf(a gallery.Auth) string {
	if len(a.Kinds) == 0 {
		return gallery.Bearer
	}
	return a.Kinds[0]
}

// secretVariable names the environment variable that the app file takes the secret from, after the template: litmos-scim
// becomes LITMOS_SCIM_TOKEN.
func secretVariable(t *gallery.Template) string {
	kind := "_TOKEN"
	switch kindOf(t.Auth) {
	case gallery.Basic:
		kind = "_PASSWORD"
	case gallery.OAuth2:
		kind = "_SECRET"
	}
	return strings.ToUpper(strings.ReplaceAll(t.ID, "-", "_")) + kind
}

// scalar writes text as one YAML scalar, quoted where it has to be.
func scalar(s string) (string, error) {
	out, err := yaml.Marshal(s)
	return strings.TrimSuffix(string(out), "\n"), err
}
