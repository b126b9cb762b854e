package scim

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

const dialectsPage = "../../../docs/scim-dialects.md"

// shown is one exchange of the page. Its requests are what the client sends while the answers come.
type shown struct {
	settings map[string]any
	uses     []connector.Use
	answers  []answer
	run      func(c *Client) error
}

// requests makes the exchange and returns what was sent.
func (s shown) requests(t *testing.T) string {
	t.Helper()
	answers := s.answers
	if answers == nil {
		answers = []answer{{status: 204}}
	}
	uses := s.uses
	if uses == nil {
		uses = []connector.Use{userUse(pageAttributes()...), groupUse()}
	}
	c, script, meter := scripted(t, s.settings, uses, answers...)
	if err := s.run(c); err != nil {
		t.Errorf("%v: %v", s.settings, err)
	}
	if got := meter.Read().Total(); got != int64(len(script.calls)) {
		t.Errorf("%v: %d calls are counted, %d were made", s.settings, got, len(script.calls))
	}
	text := strings.ReplaceAll(script.log.String(), "Content-Type: application/scim+json\n\n", "")
	text = strings.ReplaceAll(text, " /scim/v2/", " /")
	return "```text\n" + strings.TrimRight(randomID.ReplaceAllString(text, "b7c1d9de-…"), "\n") + "\n```\n"
}

const (
	workMail = `emails[type eq "work"].value`
	manager  = enterprise + "manager"
	badge    = "urn:ietf:params:scim:schemas:extension:Depot:2.0:User:badge"
)

func pageAttributes() []schema.Attribute {
	return []schema.Attribute{{Name: badge}, {Name: "externalId"}, {Name: `roles[primary eq "True"].value`}, {Name: "roles", MultiValued: true}}
}

func user(id string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: id} }

// people are n references to members.
func people(n int) []any {
	out := make([]any, n)
	for i := range out {
		out[i] = user(fmt.Sprintf("77%04d", i))
	}
	return out
}

func set(attr string, old, to any) connector.Change {
	return connector.Change{Attr: attr, Op: connector.Set, Old: old, New: to}
}

// mira is who the page is about, as far as Rollcall knows her.
func mira() map[string]any {
	return map[string]any{"userName": "mira@example.net", "name.givenName": "Mira", "name.familyName": "Okafor", "active": true}
}

// updating makes an update of an object of which something is known.
func updating(t *testing.T, kind identity.Kind, id string, known map[string]any, changes ...connector.Change) func(c *Client) error {
	return func(c *Client) error {
		_, err := c.Update(t.Context(), connector.Update{Kind: kind, Anchor: id, Changes: changes, Known: known})
		return err
	}
}

func creating(t *testing.T, kind identity.Kind, attrs ...identity.Attr) func(c *Client) error {
	return func(c *Client) error {
		_, err := c.Create(t.Context(), &identity.Object{Kind: kind, Attrs: attrs})
		return err
	}
}

// dialectSteps are what the dialects are compared by.
func dialectSteps(t *testing.T) []struct {
	title   string
	dialect map[string]shown // an exchange of its own
	all     shown
} {
	made := []answer{{status: 201, body: `{"id":"7710ab"}`}, {status: 200, body: `{"id":"7710ab"}`}}
	crew := map[string]any{"displayName": "Line 12 crew"}
	type step = struct {
		title   string
		dialect map[string]shown
		all     shown
	}
	return []step{
		{title: "A user is created", all: shown{answers: made, run: creating(t, identity.User,
			identity.Attr{Name: "userName", Value: "mira@example.net"}, identity.Attr{Name: "active", Value: "True"},
			identity.Attr{Name: "name.givenName", Value: "Mira"}, identity.Attr{Name: "name.familyName", Value: "Okafor"},
			identity.Attr{Name: workMail, Value: "mira@example.net"}, identity.Attr{Name: enterprise + "department", Value: "Line 12"},
			identity.Attr{Name: badge, Value: "B-117"})}},
		{title: "A user is disabled", all: shown{run: updating(t, identity.User, "7710ab", mira(), set("active", true, false))}},
		{title: "Several values change, and one is new", all: shown{run: updating(t, identity.User, "7710ab", mira(),
			set("title", "Tram driver", "Dispatcher"), set(workMail, "mira@example.net", "mira.o@example.net"),
			set("name.familyName", "Okafor", "Okafor-Lind"), set(enterprise+"department", nil, "Control room"))}},
		{title: "A value is cleared", all: shown{run: updating(t, identity.User, "7710ab", mira(), connector.Change{Attr: "title", Op: connector.Clear, Old: "Dispatcher"})}},
		{title: "A manager is set", all: shown{run: updating(t, identity.User, "7710ab", mira(), set(manager, nil, user("7702fe")))}},
		{title: "Members are added", all: shown{run: updating(t, identity.Group, "g31", crew, connector.Change{Attr: "members", Op: connector.Add, New: people(2)})}},
		{title: "Members are taken away",
			all: shown{run: updating(t, identity.Group, "g31", crew, connector.Change{Attr: "members", Op: connector.Remove, New: people(2)})},
			dialect: map[string]shown{"leapsome": {settings: map[string]any{"memberBatch": 2},
				run: updating(t, identity.Group, "g31", crew, connector.Change{Attr: "members", Op: connector.Set, New: people(3)})}}},
		{title: "A group is deleted",
			all: shown{answers: []answer{{status: 200, body: `{"id":"g31","displayName":"Line 12 crew"}`}, {status: 204}},
				run: func(c *Client) error { return c.Delete(t.Context(), identity.Group, "g31") }}},
	}
}

// quirk is one switch, or a value of one, with an exchange that shows what it does.
type quirk struct {
	setting, title string
	shown
}

func quirks(t *testing.T) []quirk {
	none := []answer{{status: 200, body: noneFound}}
	made := []answer{{status: 201, body: `{"id":"7710ab"}`}}
	one := func(name string, value any) map[string]any { return map[string]any{name: value} }
	probe := func(c *Client) error { _, err := c.Probe(t.Context()); return err }
	users := []connector.Use{userUse(pageAttributes()...)}
	groups := []connector.Use{groupUse()}
	nameAlone := identity.Attr{Name: "userName", Value: "mira@example.net"}
	gone := answer{status: 401, body: `{"detail":"Unauthorized"}`}
	legacy := func(name string, value any) map[string]any {
		m := map[string]any{"dialect": "legacy"}
		if name != "" {
			m[name] = value
		}
		return m
	}
	read := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"id":"7710ab","meta":{"version":"3"},"groups":[{"value":"g31"}],
		"userName":"mira@example.net","shoeSize":39,"emails":[{"type":"work","value":"mira@example.net","primary":true}],
		"` + strings.TrimSuffix(enterprise, ":") + `":{"manager":{"value":"7702fe","displayName":"Sam Lind"}}}`
	crew := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"id":"g31","displayName":"Line 12 crew","members":[{"value":"770000","display":"Sam"},{"value":"770001"}]}`
	return []quirk{
		{"updateMethod", "`updateMethod: put` reads a user, overwrites what changes, and sends everything back but what is the server's own (`id`, `meta`, `groups` and other read-only values). Attributes that Rollcall does not know stay.",
			shown{one("updateMethod", "put"), users, []answer{{status: 200, body: read}, {status: 200, body: read}}, updating(t, identity.User, "7710ab", nil,
				set("title", nil, "Dispatcher"), set(workMail, "mira@example.net", "mira.o@example.net"), set("active", nil, true))}},
		{"groupUpdateMethod", "`groupUpdateMethod: put` does the same with groups. Their members are read and sent back, too.",
			shown{one("groupUpdateMethod", "put"), groups, []answer{{status: 200, body: crew}, {status: 200, body: crew}}, updating(t, identity.Group, "g31", nil,
				connector.Change{Attr: "members", Op: connector.Remove, New: people(1)})}},
		{"noGroupPut", "With `updateMethod: put`, `noGroupPut: true` keeps groups on PATCH.",
			shown{map[string]any{"updateMethod": "put", "noGroupPut": true}, groups, nil, updating(t, identity.Group, "g31", nil, set("displayName", "Line 12 crew", "Line 14 crew"))}},
		{"noGroupDelete", "`noGroupDelete: true` empties a group that ought to be deleted. It stays, and a warning in the process log says so.",
			shown{one("noGroupDelete", true), groups, nil, func(c *Client) error { return c.Delete(t.Context(), identity.Group, "g31") }}},
		{"disableByDelete", "`disableByDelete: true` makes `delete` the default of the job's setting `deprovision`: who is blocked, deleted or out of scope loses the account, and gets a new one when they come back. The plan shows deletes, and the deletion guard counts them.",
			shown{one("disableByDelete", true), users, nil, func(c *Client) error { return c.Delete(t.Context(), identity.User, "7710ab") }}},
		{"deleteMeansDisable", "`deleteMeansDisable: true` takes `delete` from the actions of rules for users: who ought to be deleted is disabled, the link is kept, and the account is enabled when they come back.",
			shown{one("deleteMeansDisable", true), users, nil, updating(t, identity.User, "7710ab", nil, set("active", true, false))}},
		{"probe", "`probe: list` asks for two objects in place of a query that finds nobody. Whether the joining attribute can be filtered on is then not known before it is used.",
			shown{one("probe", "list"), users, none, probe}},
		{"noAttributesParam", "`noAttributesParam: true` leaves `excludedAttributes` and `attributes` out of every query, and `startIndex` out of listings.",
			shown{one("noAttributesParam", true), groups, none, probe}},
		{"noAttributesParam", "",
			shown{one("noAttributesParam", true), users, none, func(c *Client) error { _, err := c.List(t.Context(), identity.User, ""); return err }}},
		{"reference401", "`reference401: true`: a 401 for a group may mean that there is no such group. A query tells; here the credential is good, and the group counts as gone.",
			shown{one("reference401", true), groups, []answer{gone, none[0]}, func(c *Client) error {
				if _, err := c.Get(t.Context(), identity.Group, "g31"); connector.KindOf(err) != connector.KindNotFound {
					return fmt.Errorf("want an error that says not found: %w", err)
				}
				return nil
			}}},
		{"referenceCheck", "`referenceCheck: query` asks whether a manager or a member is set already, and writes it only when it is not.",
			shown{one("referenceCheck", "query"), users, []answer{none[0], {status: 204}}, updating(t, identity.User, "7710ab", nil, set(manager, nil, user("7702fe")))}},
		{"compareWith", "`compareWith: sent` changes no request. What the target shows of a text is not compared with what was sent, so that a target that reformats texts does not get the same update again and again; only a text that it lost is noticed.",
			shown{one("compareWith", "sent"), users, nil, updating(t, identity.User, "7710ab", nil, set("displayName", "Mira O.", "Mira Okafor"))}},
		{"primaryEmailRequired", "`primaryEmailRequired: true` marks the work address, or the only one, as the primary one, when it is written first and when no mapping does.",
			shown{one("primaryEmailRequired", true), users, nil, updating(t, identity.User, "7710ab", nil, set(workMail, nil, "mira@example.net"))}},
		{"singleMultiValue", "`singleMultiValue: true` changes no request. A job that maps a second element of `emails`, `phoneNumbers`, `addresses` or `roles` is refused before anything is sent, and so is an object with several values for one.",
			shown{one("singleMultiValue", true), []connector.Use{userUse()}, made, creating(t, identity.User, nameAlone, identity.Attr{Name: workMail, Value: "mira@example.net"})}},
		{"extensionInSchemas", "`extensionInSchemas: false` keeps the schemas of extensions out of the list `schemas` of a create.",
			shown{one("extensionInSchemas", false), users, made, creating(t, identity.User, nameAlone, identity.Attr{Name: badge, Value: "B-117"})}},
		{"extensionSeparator", "`extensionSeparator: \".\"` takes the last dot for the end of the schema, as SCIM 1.1 has it, in mappings and in requests.",
			shown{one("extensionSeparator", "."), []connector.Use{userUse(schema.Attribute{Name: "urn:scim:schemas:extension:enterprise:1.0.department"})}, nil,
				updating(t, identity.User, "7710ab", nil, set("urn:scim:schemas:extension:enterprise:1.0.department", "Line 12", "Control room"))}},
		{"rolesShape", "`rolesShape: text`, the default of `legacy`: a role is added as a JSON text within a text.",
			shown{one("rolesShape", "text"), users, nil, updating(t, identity.User, "7710ab", nil, set(`roles[primary eq "True"].value`, "Viewer", "Admin"))}},
		{"rolesShape", "Roles that are added beside those of others (AppRoleAssignmentsComplex) take the same form in `legacy`.",
			shown{legacy("", nil), users, nil, updating(t, identity.User, "7710ab", nil, connector.Change{Attr: "roles", Op: connector.Add,
				New: []any{map[string]any{"value": "admin", "display": "Admin", "primary": false, "type": "Role"}}})}},
		{"rolesShape", "Roles that replace all others (AssertiveAppRoleAssignmentsComplex) are plain objects there, too.",
			shown{legacy("", nil), users, nil, updating(t, identity.User, "7710ab", nil, connector.Change{Attr: "roles", Op: connector.Set,
				New: []any{map[string]any{"value": "admin", "display": "Admin", "primary": false}}})}},
		{"stripChars", "`stripChars: \"<>;:%\"` takes these characters out of every text.",
			shown{one("stripChars", "<>;:%"), users, nil, updating(t, identity.User, "7710ab", nil, set("title", nil, "Head; <50% line:12>"))}},
		{"maxLength", "`maxLength: {userName: 8}` cuts a text, also where an account is looked for by it.",
			shown{map[string]any{"maxLength": map[string]any{"userName": 8}}, users, none, func(c *Client) error {
				_, err := c.Find(t.Context(), identity.User, "userName", "mira.okafor", 2)
				return err
			}}},
		{"booleanAsString", "`booleanAsString: true`, the default of `legacy`.",
			shown{one("booleanAsString", true), users, nil, updating(t, identity.User, "7710ab", nil, set("active", true, false))}},
		{"managerShape", "`managerShape: list`.",
			shown{one("managerShape", "list"), users, nil, updating(t, identity.User, "7710ab", nil, set(manager, nil, user("7702fe")))}},
		{"mergedKeys", "`mergedKeys: nested`, in the dialect `entra2020`.",
			shown{map[string]any{"dialect": "entra2020", "mergedKeys": "nested"}, users, nil, updating(t, identity.User, "7710ab", nil,
				set("title", "Tram driver", "Dispatcher"), set("name.familyName", "Okafor", "Okafor-Lind"))}},
		{"extensionNesting", "`extensionNesting: afterUser`.",
			shown{one("extensionNesting", "afterUser"), []connector.Use{userUse(schema.Attribute{Name: litmosField})}, made,
				creating(t, identity.User, nameAlone, identity.Attr{Name: litmosField, Value: "Depot North"})}},
		{"extensionNesting", "`extensionNesting: lastColon`, the default.",
			shown{nil, []connector.Use{userUse(schema.Attribute{Name: litmosField})}, made,
				creating(t, identity.User, nameAlone, identity.Attr{Name: litmosField, Value: "Depot North"})}},
		{"contentType", "`contentType: application/json`.",
			shown{one("contentType", "application/json"), users, nil, updating(t, identity.User, "7710ab", nil, set("active", true, false))}},
		{"emptyQuery404", "`emptyQuery404: true` takes 404 for an answer without results. It changes no request.",
			shown{one("emptyQuery404", true), users, []answer{{status: 404}}, probe}},
		{"memberBatch", "`memberBatch: 4`: no request has more members. A server that refuses them gets fewer: here it refused four, and took two and two.",
			shown{one("memberBatch", 4), groups, []answer{{status: 400}, {status: 204}}, updating(t, identity.Group, "g31", nil,
				connector.Change{Attr: "members", Op: connector.Add, New: people(4)})}},
		{"referencesInCreate", "`referencesInCreate: true`, the default: a manager who has an account goes into the create. With false it follows as an update.",
			shown{nil, users, made, creating(t, identity.User, nameAlone, identity.Attr{Name: manager, Value: user("7702fe")})}},
	}
}

const litmosField = "urn:ietf:params:scim:schemas:extension:Litmos:2.0:User:CustomField:CustomField1"

// unseen are settings that show in no single request, and where they are tested.
var unseen = map[string]string{
	"dialect":         "the first part of the page",
	"readBeforeWrite": "the engine",
	"list":            "the engine",
	"pageSize":        "the listing",
	"paging":          "the listing",
	"etag":            "headers; put_test.go",
}

// TestDialectsPage holds the requests of docs/scim-dialects.md to the code: what each dialect and each switch sends
// (scim.R13, R16, R17, R22-R24, R29, R31-R35, R37, R40, R54, R56, R75).
func TestDialectsPage(t *testing.T) {
	var b strings.Builder
	b.WriteString(`<!-- Made by ` + "`make generate`" + ` from internal/connector/scim/dialects_test.go; do not edit. -->

# What is sent to a SCIM server

SCIM servers differ. A *dialect* says how requests are written, a *switch* what one server wants otherwise; both are settings of
the connector ` + "`scim`" + ` ([all of them](reference/settings.md)), and a template of the gallery presets them. This page shows
the exact requests: the calls in order, each with the body that goes with it. Paths begin behind the base address; every request
also has the headers ` + "`Authorization`, `User-Agent` and `X-Request-Id`" + `, and one with a body has ` + "`Content-Type: application/scim+json`" + `.

| Dialect | What it is |
|---|---|
| ` + "`rfc`" + ` | the default: RFC 7644 to the letter, one operation for each attribute |
| ` + "`entra2020`" + ` | the reference service with its flag ` + "`aadOptscim062020`" + `: replacements are merged into one operation without path |
| ` + "`legacy`" + ` | the reference service without it: capital letters, Booleans as texts, lists of members to be removed |
| ` + "`leapsome`" + ` | Leapsome's own: an update is a part of the resource, with the user name always in it |
`)
	for _, step := range dialectSteps(t) {
		fmt.Fprintf(&b, "\n## %s\n", step.title)
		for _, dialect := range []Dialect{RFC, Entra2020, Legacy, Leapsome} {
			ex := step.all
			if own, ok := step.dialect[string(dialect)]; ok {
				ex = own
			}
			ex.settings = maps.Clone(ex.settings)
			if ex.settings == nil {
				ex.settings = map[string]any{}
			}
			ex.settings["dialect"] = string(dialect)
			fmt.Fprintf(&b, "\n`%s`\n\n%s", dialect, ex.requests(t))
		}
		if step.title == "Members are taken away" {
			b.WriteString("\nLeapsome takes nobody away singly. The list is of all who remain, as Rollcall has written them, here three in batches of two;\nwho was added to the team by hand goes. When a call after the first is lost, the whole list is sent again.\n")
		}
	}
	b.WriteString("\n# Switches\n")
	seen := map[string]bool{}
	for _, q := range quirks(t) {
		if !seen[q.setting] {
			fmt.Fprintf(&b, "\n## %s\n", q.setting)
		}
		seen[q.setting] = true
		if q.title != "" {
			fmt.Fprintf(&b, "\n%s\n", q.title)
		}
		fmt.Fprintf(&b, "\n%s", q.requests(t))
	}
	for _, s := range Settings() {
		shared := slices.ContainsFunc(web.Settings(""), func(w connector.Setting) bool { return w.Name == s.Name })
		if !shared && !seen[s.Name] && unseen[s.Name] == "" {
			t.Errorf("the setting %s has no exchange on the page", s.Name)
		}
	}
	b.WriteString(`
## Always

` + "`User-Agent`" + ` is sent with every request, since some servers block those without. A Boolean that a server answers as the text
"true" is read as one. A slash at the end of the base address is dropped before ` + "`/Users`" + ` is put behind it. Attributes that a
target demands are marked ` + "`required`" + ` in its template, so that an object without one fails before anything is sent.
`)
	if *update {
		if err := os.WriteFile(dialectsPage, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page, err := os.ReadFile(dialectsPage)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(page)); diff != "" {
		t.Errorf("run `make generate` and read the difference (- from the code, + as it is):\n%s", diff)
	}
}
