package sandbox

import (
	"net/http"
	"slices"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// newInsiteLMS is Insite LMS as its provisioning guide describes it: people only, six attributes, of which userName
// and the work e-mail are required and the only ones that can be filtered by.
//
// Where the documents are silent it assumes: people cannot be deleted (405), for only "remove users when they no longer
// need access" is listed; other attributes, and addresses and telephone numbers that are not those of work, are passed
// over, and refused when strict; no limit of requests; error messages as in RFC 7644.
func newInsiteLMS(cfg Config) (application, traits) {
	const base = "/scim"
	app := newSCIMApp(cfg, base, scimFacts{
		user: insiteUser(), group: scim.GroupDefinition(), known: true,
		absent:        []string{groupsPath, mePath, bulkPath, searchSegment},
		forbidden:     []string{"DELETE " + usersPath},
		documentation: "https://learn.microsoft.com/entra/identity/saas-apps/insite-lms-provisioning-tutorial",
		rules:         []scimRule{{filter: insiteFilter, resource: insiteKeep}},
	})
	return app, traits{basePath: base, rateStatus: http.StatusTooManyRequests}
}

// insiteUser has the documented attributes only.
func insiteUser() *scim.Definition {
	core := scim.UserSchema()
	core.Attributes = pickAttributes(core.Attributes, "userName", "emails", "active", "name", "phoneNumbers")
	for i := range core.Attributes {
		switch a := &core.Attributes[i]; a.Name {
		case "name":
			a.SubAttributes = pickAttributes(a.SubAttributes, "givenName", "familyName")
		case "emails":
			a.Required = true
		}
	}
	return scim.NewDefinition("User", "/Users", core)
}

// isWorkEmail reports whether a path is the value of the work e-mail.
func isWorkEmail(path scim.Path) bool {
	return scim.FoldKey(path.Attribute) == "emails" && scim.FoldKey(path.SubAttribute) == "value" && path.Filter != nil &&
		scim.FoldKey(path.Filter.String()) == `type eq "work"`
}

func insiteFilter(_ *call, f scim.Filter) error {
	for _, path := range pathsOf(f) {
		if !isWorkEmail(path) && scim.FoldKey(path.Attribute) != "username" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidFilter,
				`%s cannot be used in filters; use userName or emails[type eq "work"].value`, path)
		}
	}
	return nil
}

// insiteKeep wants a work e-mail, and keeps addresses and telephone numbers of work only.
func insiteKeep(c *call, _ *record, resource map[string]any) error {
	if resource["externalId"] != nil && c.def.Strict() {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "externalId is not an attribute of a user")
	}
	delete(resource, "externalId")
	for _, name := range []string{"emails", "phoneNumbers"} {
		all, _ := resource[name].([]any)
		work := slices.DeleteFunc(slices.Clone(all), func(e any) bool {
			m, _ := e.(map[string]any)
			kind, _ := m["type"].(string)
			value, _ := m["value"].(string)
			return scim.FoldKey(kind) != "work" || value == ""
		})
		if len(work) < len(all) && c.def.Strict() {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s of work only are taken", name)
		}
		switch {
		case len(work) > 0:
			resource[name] = work
		case name == "emails":
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, `emails[type eq "work"].value is required`)
		default:
			delete(resource, name)
		}
	}
	return nil
}
