package sandbox

import (
	"encoding/json"
	"iter"
	"math"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// The two base paths of Leapsome. How they relate is not documented; here they show the same people and teams.
const (
	leapsomeOwnBase    = "/scim/v1"
	leapsomeLegacyBase = "/api/scim"
)

// Limits that Leapsome documents.
const (
	leapsomeRate      = 30 // requests a second
	leapsomeUsers     = 5000
	leapsomeGroups    = 1000
	leapsomeMembers   = 100 // in one request
	leapsomeTeamName  = 128
	leapsomeBaseTitle = "Colleague"
)

// leapsome is Leapsome with both of its endpoints: the documented one, whose PATCH takes a part of a resource and no
// PatchOp message, and the older one that the guides of identity providers name, which reads PATCH as RFC 7644 has it.
// Neither deletes anything.
//
// Where the documents are silent it assumes: an attribute that a create does not take is passed over in silence; so is
// an e-mail address, for the one that is kept follows userName; an unknown member, a manager nobody knows and a group as
// a member are refused with 400; the older endpoint takes all attributes in a create; an empty list empties a team.
type leapsome struct{ own, legacy *scimApp }

func newLeapsome(cfg Config) (application, traits) {
	facts := leapsomeFacts()
	legacy := newSCIMApp(cfg, leapsomeLegacyBase, facts)
	facts.absent = []string{typesPath, mePath, bulkPath, searchSegment}
	facts.write = leapsomeWrite
	facts.oldSchemas = true
	facts.rules = append(facts.rules[:len(facts.rules):len(facts.rules)], scimRule{show: leapsomeShow})
	own := newSCIMApp(cfg, leapsomeOwnBase, facts)
	legacy.store = own.store
	return &leapsome{own: own, legacy: legacy}, traits{basePath: leapsomeOwnBase, secondPath: leapsomeLegacyBase, rate: leapsomeRate,
		window: time.Second, rateStatus: http.StatusTooManyRequests}
}

// leapsomeFacts are those of both endpoints.
func leapsomeFacts() scimFacts {
	return scimFacts{
		user: leapsomeUser(), group: scim.GroupDefinition(),
		userFilters: []string{"username"}, groupFilters: []string{"displayname"},
		known: true, keeps: isLeapsomeField,
		membersAreUsers: true,
		documentation:   "https://api.leapsome.com/scim/v1/api-docs",
		forbidden:       []string{"DELETE " + usersPath, "DELETE " + groupsPath, "PUT " + groupsPath},
		tokenStatus:     http.StatusForbidden, groupStatus: http.StatusUnauthorized,
		externalInPath: true,
		userPage:       pageSize{leapsomeUsers, leapsomeUsers}, groupPage: pageSize{math.MaxInt, leapsomeGroups},
		rules: []scimRule{membersAtMost(leapsomeMembers), {filter: equalOnly, resource: leapsomeKeep}},
	}
}

// leapsomeUser has the documented attributes. The extension carries more than RFC 7643 section 4.3 gives it.
func leapsomeUser() *scim.Definition {
	core := scim.UserSchema()
	core.Attributes = pickAttributes(core.Attributes, "userName", "name", "displayName", "title", "photos", "active", "emails", "groups")
	for i := range core.Attributes {
		if a := &core.Attributes[i]; a.Name == "name" {
			a.SubAttributes = pickAttributes(a.SubAttributes, "formatted", "givenName", "familyName")
		}
	}
	enterprise := scim.EnterpriseUserSchema()
	enterprise.Attributes = pickAttributes(enterprise.Attributes, "department", "costCenter", "division", "manager")
	for _, name := range []string{"level", "startDate", "endDate", "birthday", "gender", "location"} {
		enterprise.Attributes = append(enterprise.Attributes, scim.Attribute{Name: name, Type: scim.String})
	}
	enterprise.Attributes = append(enterprise.Attributes, scim.Attribute{Name: "additionalManagers", Type: scim.Complex, MultiValued: true,
		SubAttributes: []scim.Attribute{{Name: "value", Type: scim.String}}})
	return scim.NewDefinition("User", "/Users", core, scim.Extension{Schema: enterprise})
}

var leapsomeField = regexp.MustCompile(`^[0-9a-fA-F]{24}$`)

// isLeapsomeField reports whether a path is a custom attribute, which is named by 24 hexadecimal digits.
func isLeapsomeField(path scim.Path) bool {
	return strings.EqualFold(path.Schema, scim.EnterpriseUserURN) && leapsomeField.MatchString(path.Attribute)
}

// equalOnly refuses every filter but one comparison with eq.
func equalOnly(_ *call, f scim.Filter) error {
	if compare, ok := f.(*scim.Compare); !ok || compare.Operator != scim.Equal {
		return scim.NewError(http.StatusBadRequest, scim.InvalidFilter, "filters take one comparison with eq")
	}
	return nil
}

// leapsomeKeep checks what both endpoints are about to keep, and fills in what Leapsome fills in.
func leapsomeKeep(c *call, was *record, resource map[string]any) error {
	if c.kind.path == groupsPath {
		name, _ := resource["displayName"].(string)
		if utf8.RuneCountInString(name) > leapsomeTeamName {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "displayName is longer than %d characters", leapsomeTeamName)
		}
		return nil
	}
	userName, _ := resource["userName"].(string)
	if !mailAddress.MatchString(userName) {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "userName must be an e-mail address")
	}
	if name, ok := resource["name"].(map[string]any); ok && (name["givenName"] == nil || name["familyName"] == nil) {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "name needs givenName and familyName")
	}
	photos, _ := resource["photos"].([]any)
	for _, p := range photos {
		m, _ := p.(map[string]any)
		text, _ := m["value"].(string)
		if u, err := url.Parse(text); err != nil || u.Scheme == "" || u.Host == "" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "photos must be full URLs")
		}
	}
	if resource["title"] == nil {
		resource["title"] = leapsomeBaseTitle
	}
	if _, sent := resource["active"]; !sent {
		resource["active"] = was.body == nil || was.active
	}
	resource["emails"] = []any{map[string]any{"value": userName, "type": "work", "primary": true}}
	extension, _ := resource[scim.EnterpriseUserURN].(map[string]any)
	return leapsomeExtension(c, extension)
}

var (
	leapsomeDate    = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)
	leapsomeGenders = map[string]bool{"male": true, "female": true, "diverse": true}
)

func leapsomeExtension(c *call, extension map[string]any) error {
	for _, name := range []string{"startDate", "endDate", "birthday"} {
		text, sent := extension[name].(string)
		if _, err := time.Parse(time.DateOnly, text); sent && (err != nil || !leapsomeDate.MatchString(text)) {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s must have the form YYYY-MM-DD", name)
		}
	}
	if gender, sent := extension["gender"].(string); sent && !leapsomeGenders[gender] {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "gender is male, female or diverse")
	}
	if manager, ok := extension["manager"].(map[string]any); ok {
		if err := leapsomeManager(c, manager); err != nil {
			return err
		}
	}
	others, _ := extension["additionalManagers"].([]any)
	for _, o := range others {
		manager, _ := o.(map[string]any)
		if err := leapsomeManager(c, manager); err != nil {
			return err
		}
	}
	return nil
}

// leapsomeManager finds the account that is named by its id, e-mail or externalId, and puts in its id.
func leapsomeManager(c *call, manager map[string]any) error {
	text, _ := manager["value"].(string)
	users := &c.app.store.users
	rec := users.byID[text]
	if rec == nil {
		rec = users.byName[scim.FoldKey(text)]
	}
	if same := users.by[byExternalID][text]; rec == nil && len(same) > 0 {
		rec = same[0]
	}
	if rec == nil {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "there is no user %q to be a manager", text)
	}
	clear(manager)
	manager["value"] = rec.id
	return nil
}

// serve takes requests for both endpoints; below is the same for them.
func (a *leapsome) serve(w http.ResponseWriter, r *http.Request, below string, body []byte) {
	if strings.HasPrefix(r.URL.Path, leapsomeLegacyBase) {
		a.legacy.serve(w, r, below, body)
		return
	}
	a.own.serve(w, r, below, body)
}

func (a *leapsome) refuse(w http.ResponseWriter, status int, detail string) {
	a.own.refuse(w, status, detail)
}
func (a *leapsome) users() iter.Seq[json.RawMessage]  { return a.own.users() }
func (a *leapsome) groups() iter.Seq[json.RawMessage] { return a.own.groups() }
func (a *leapsome) canSignIn(userName string) bool    { return a.own.canSignIn(userName) }
func (a *leapsome) reset()                            { a.own.reset() }
