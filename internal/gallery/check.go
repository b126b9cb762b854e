package gallery

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// Check reads a template file and returns everything that is wrong with it, each with its line. Whether its settings
// exist and its app file makes a job is not known here: package appfile and the connectors say that.
func Check(file string, data []byte) (*Template, Problems) {
	t, problems := parse(file, data)
	if root := (yaml.Node{}); yaml.Unmarshal(data, &root) != nil || len(root.Content) == 0 {
		return t, problems // nothing could be read, and all else would follow from that
	}
	c := &checker{t: t, file: file, problems: problems}
	c.words()
	c.addresses()
	c.credential()
	c.capabilities()
	for i, o := range t.Objects {
		c.object(fmt.Sprintf("objects[%d]", i), o)
	}
	c.app()
	return t, c.problems.sorted()
}

// checker collects what is wrong with one template.
type checker struct {
	t        *Template
	file     string
	problems Problems
}

func (c *checker) bad(path, format string, args ...any) {
	c.problems = append(c.problems, &Problem{File: c.file, Line: c.t.Line(path), Message: fmt.Sprintf(format, args...)})
}

var idForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// words looks at what is written for people.
func (c *checker) words() {
	t := c.t
	if !idForm.MatchString(t.ID) {
		c.bad("id", "id: %q is not made of small letters and digits with hyphens between", t.ID)
	}
	for _, w := range []struct{ path, text string }{{"title", t.Title}, {"vendor", t.Vendor}, {"auth.label", t.Auth.Label}} {
		if strings.TrimSpace(w.text) == "" {
			c.bad(w.path, "%s is empty", w.path)
		}
	}
	c.sentence("summary", t.Summary)
	c.sentence("auth.help", t.Auth.Help)
	if t.URLHelp != "" {
		c.sentence("urlHelp", t.URLHelp)
	}
	for i, n := range t.Notes {
		c.sentence(fmt.Sprintf("notes[%d]", i), n)
	}
	for i, l := range t.Limits {
		path := fmt.Sprintf("limits[%d]", i)
		if strings.TrimSpace(l.Topic) == "" {
			c.bad(path, "%s has no topic", path)
		}
		c.sentence(path+".text", l.Text)
	}
}

// sentence wants text that ends as a sentence does: the texts are put one behind the other.
func (c *checker) sentence(path, text string) {
	switch text = strings.TrimSpace(text); {
	case text == "":
		c.bad(path, "%s is empty", path)
	case !strings.HasSuffix(text, "."):
		c.bad(path, "%s does not end with a full stop", path)
	}
}

func (c *checker) addresses() {
	for i, u := range c.t.TenantURLs {
		path := fmt.Sprintf("tenantUrl[%d]", i)
		if u.Name == "" || !isAddress(u) {
			c.bad(path, "%s %s needs a name and an https address", path, u.URL)
		}
	}
	if len(c.t.TenantURLs) == 0 && c.t.URLHelp == "" {
		c.bad("tenantUrl", "there is no tenantUrl, and no urlHelp that says where the address is found")
	}
}

func isAddress(u TenantURL) bool {
	sample, _ := u.Sample()
	parsed, err := url.Parse(sample)
	return err == nil && parsed.Scheme == "https" && parsed.Host != ""
}

// The kinds of credential.
const (
	Bearer = "bearer"
	Basic  = "basic"
	Header = "header"
	OAuth2 = "oauth2"
)

// The grants of OAuth 2.0 (RFC 6749), as app files name them.
const (
	ClientCredentials = "clientCredentials"
	AuthorizationCode = "authorizationCode"
)

func (c *checker) credential() {
	a := c.t.Auth
	if len(a.Kinds) == 0 {
		c.bad("auth", "auth.kinds is empty")
	}
	for i, k := range a.Kinds {
		if !slices.Contains([]string{Bearer, Basic, Header, OAuth2}, k) {
			c.bad(fmt.Sprintf("auth.kinds[%d]", i), "auth.kinds: there is no kind of credential %q", k)
		}
	}
	if a.LifetimeDays < 0 {
		c.bad("auth.lifetimeDays", "auth.lifetimeDays: %d days are less than none", a.LifetimeDays)
	}
	if a.Header != "" && !slices.Contains(a.Kinds, Header) {
		c.bad("auth.header", "auth.header is for the kind header")
	}
	oauth := slices.Contains(a.Kinds, OAuth2)
	if !oauth && (a.Grant != "" || a.TokenURL != "" || a.AuthorizationURL != "" || len(a.Scopes) > 0) {
		c.bad("auth", "auth: grant, tokenURL, authorizationURL and scopes are for the kind oauth2")
	}
	if !oauth {
		return
	}
	if a.Grant != ClientCredentials && a.Grant != AuthorizationCode {
		c.bad("auth.grant", "auth.grant: %q is neither %s nor %s", a.Grant, ClientCredentials, AuthorizationCode)
	}
	if !isAddress(TenantURL{URL: a.TokenURL}) {
		c.bad("auth.tokenURL", "auth.tokenURL: %q is no https address", a.TokenURL)
	}
	if (a.Grant == AuthorizationCode) != (a.AuthorizationURL != "") || a.AuthorizationURL != "" && !isAddress(TenantURL{URL: a.AuthorizationURL}) {
		c.bad("auth.authorizationURL", "auth.authorizationURL: an https address goes with %s, and with nothing else", AuthorizationCode)
	}
}

func (c *checker) capabilities() {
	all := []Capability{CanImport, CanCreate, CanRead, CanUpdate, CanDisable, CanDelete, CanMembers}
	for _, k := range []struct {
		name string
		kind identity.Kind
		can  []Capability
	}{{"users", identity.User, c.t.Capabilities.Users}, {"groups", identity.Group, c.t.Capabilities.Groups}} {
		path := "capabilities." + k.name
		for i, can := range k.can {
			if !slices.Contains(all, can) {
				c.bad(fmt.Sprintf("%s[%d]", path, i), "there is no capability %q", can)
			}
		}
		object, ok := c.t.Schema().Object(k.kind)
		if ok != (len(k.can) > 0) {
			c.bad(path, "%s: capabilities and a catalogue of %s go together", path, k.kind)
		}
		if !ok {
			continue
		}
		_, lists := object.Attribute("members")
		if k.kind == identity.Group && lists != slices.Contains(k.can, CanMembers) {
			c.bad(path, "%s: the capability members and the attribute members go together", path)
		}
	}
}

func (c *checker) object(path string, o Object) {
	types := []schema.Type{schema.String, schema.Integer, schema.Boolean, schema.DateTime, schema.Reference, schema.Binary}
	seen := make(map[string]bool)
	for i, a := range o.Attributes {
		path := fmt.Sprintf("%s.attributes[%d]", path, i)
		bad := func(format string, args ...any) {
			c.bad(path, "%s %s "+format, append([]any{o.Name, a.Name}, args...)...)
		}
		if seen[strings.ToLower(a.Name)] {
			bad("is in the catalogue twice")
		}
		seen[strings.ToLower(a.Name)] = true
		if !slices.Contains(types, a.Type) {
			bad("has the unknown type %s", a.Type)
		}
		if (a.Type == schema.Reference) != (a.References != "") {
			bad("a reference says what it references, and nothing else does")
		}
		if a.Type != schema.String && (a.FoldCase || a.MaxLength != 0) {
			bad("foldCase and maxLength are for texts")
		}
		if a.MaxLength < 0 {
			bad("has the maxLength %d", a.MaxLength)
		}
		if a.Note != "" {
			c.sentence(path+".note", a.Note)
		}
	}
}

func (c *checker) app() {
	app, err := c.t.Defaults()
	if err != nil {
		c.problems = append(c.problems, yamlProblems(c.file, err)...)
		return
	}
	if app.Connector == "scim" {
		for i, o := range c.t.Objects {
			for k, a := range o.Attributes {
				if _, err := scim.ParsePath(a.Name); err != nil {
					c.bad(fmt.Sprintf("objects[%d].attributes[%d]", i, k), "%s %s is no SCIM path: %v", o.Name, a.Name, err)
				}
			}
		}
	}
	c.reasons(app)
	c.lengths(app)
	if len(app.Rules) == 0 {
		c.bad("app", "app has no rules")
	}
	written := make(map[identity.Kind]bool)
	for i, r := range app.Rules {
		written[r.To] = true
		c.rule(fmt.Sprintf("app.rules[%d]", i), r, app)
	}
	for i, o := range c.t.Objects {
		if !written[o.Name] {
			c.bad(fmt.Sprintf("objects[%d]", i), "no rule writes %s", o.Name)
		}
	}
}

// lengths holds the setting maxLength, by which texts are cut, to what the catalogue says of the attributes.
func (c *checker) lengths(app Defaults) {
	var cut map[string]int
	if err := yaml.Unmarshal([]byte(app.Setting("maxLength")), &cut); err != nil {
		return // the connector's table says what is wrong with it
	}
	known := make(map[string]int)
	for _, o := range c.t.Objects {
		for _, a := range o.Attributes {
			known[a.Name] = max(known[a.Name], a.MaxLength)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(cut)) {
		if known[name] != cut[name] {
			c.bad("app.target.settings.maxLength", "maxLength cuts %s to %d characters, and the catalogue says %d", name, cut[name], known[name])
		}
	}
}

// reasons holds that every setting that departs from plain SCIM says why: the rate is among the limits, and the dialect
// rfc is the standard.
func (c *checker) reasons(app Defaults) {
	told := make(map[string]bool)
	for i, q := range c.t.Quirks {
		told[q.Setting] = true
		path := fmt.Sprintf("quirks[%d]", i)
		if app.Setting(q.Setting) == "" {
			c.bad(path, "quirk %s: app.target has no such setting", q.Setting)
		}
		c.sentence(path+".why", q.Why)
	}
	for _, s := range app.Settings {
		if !told[s.Name] && s.Name != "rate" && s.Text != "rfc" {
			c.bad("app.target.settings."+s.Name, "the setting %s has no quirk that says why", s.Name)
		}
	}
}

func (c *checker) rule(path string, r Rule, app Defaults) {
	object, ok := c.t.Schema().Object(r.To)
	if !ok {
		c.bad(path, "rule %s writes %s, which is not in the catalogue", r.Name, r.To)
		return
	}
	can := c.t.Capabilities.Users
	if r.To == identity.Group {
		can = c.t.Capabilities.Groups
		if app.Setting("noGroupDelete") == "true" {
			can = append(slices.Clip(can), CanDelete) // which empties the group
		}
	}
	if len(r.Actions) == 0 {
		c.bad(path, "rule %s does not say its actions", r.Name)
	}
	for _, a := range r.Actions {
		if !slices.Contains(can, a) {
			c.bad(path+".actions", "rule %s has the action %s, which is not among the capabilities", r.Name, a)
		}
	}
	mapped, joins, disables := make(map[string]bool), false, false
	for i, a := range r.Mappings {
		mapped[a.Target] = true
		joins = joins || a.Match > 0
		disables = disables || strings.Contains(a.Expression, "IsSoftDeleted")
		c.mapping(fmt.Sprintf("%s.attributes[%d]", path, i), r, a, object)
	}
	if !joins {
		c.bad(path, "rule %s has no joining attribute", r.Name)
	}
	if r.To == identity.User && !disables && app.JobSetting("deprovision") != "delete" {
		c.bad(path, "rule %s: no mapping says who is disabled ([IsSoftDeleted]), and settings.deprovision is not delete", r.Name)
	}
	for _, a := range object.Attributes {
		if a.Required && !mapped[a.Name] {
			c.bad(path, "rule %s does not map %s, which is required", r.Name, a.Name)
		}
	}
}

func (c *checker) mapping(path string, r Rule, a Mapping, object *schema.Object) {
	attr, ok := object.Attribute(a.Target)
	if !ok {
		c.bad(path, "rule %s maps %s, which is not in the catalogue", r.Name, a.Target)
	}
	if (attr.Type == schema.Reference) != (a.Reference != "") {
		c.bad(path, "rule %s: %s: a reference attribute takes a reference, and nothing else does", r.Name, a.Target)
	}
	if a.Match > 0 && !attr.Filterable {
		c.bad(path, "rule %s matches on %s, which is not filterable", r.Name, a.Target)
	}
	if _, err := expr.Compile(a.Expression + a.Reference); err != nil {
		c.bad(path, "rule %s: %s: %v", r.Name, a.Target, err)
	}
}
