package sandbox

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// litmosFieldsURN is the schema of the custom fields. By the usual reading everything before the last colon of
// …:User:CustomField:CustomField1 is the schema.
const litmosFieldsURN = "urn:ietf:params:scim:schemas:extension:Litmos:2.0:User:CustomField"

// litmosRate is the limit of requests a minute documented for the vendor's interface.
const litmosRate = 100

// newLitmosSCIM is SAP Litmos as its SCIM endpoint is documented: teams are groups, four attributes are required,
// one is filterable, there is no externalId, and requests beyond the limit get 503 without a word of when to come
// again. The path may be in any case, since the documentation itself writes it in two ways.
func newLitmosSCIM(cfg Config) (application, traits) {
	const base = "/v2/SCIM"
	app := newSCIMApp(cfg, base, scimFacts{
		user:            litmosUserDefinition(),
		group:           scim.GroupDefinition(),
		userFilters:     []string{"username"},
		groupFilters:    []string{"displayname"},
		known:           true,
		ignored:         []string{"externalId"},
		membersAreUsers: true,
		foldPath:        true,
		documentation:   "https://support.litmos.com",
	})
	return app, traits{basePath: base, foldPath: true, rate: litmosRate, rateStatus: http.StatusServiceUnavailable}
}

// litmosUserDefinition has the documented attributes only.
func litmosUserDefinition() *scim.Definition {
	core := scim.UserSchema()
	core.Attributes = pickAttributes(core.Attributes, "userName", "name", "title", "active", "emails",
		"preferredLanguage", "addresses", "phoneNumbers", "timezone", "groups")
	for i := range core.Attributes {
		a := &core.Attributes[i]
		switch a.Name {
		case "active":
			a.Required = true
		case "name":
			a.Required = true
			a.SubAttributes = pickAttributes(a.SubAttributes, "givenName", "familyName")
			for j := range a.SubAttributes {
				a.SubAttributes[j].Required = true
			}
		}
	}
	enterprise := scim.EnterpriseUserSchema()
	enterprise.Attributes = pickAttributes(enterprise.Attributes, "employeeNumber", "organization", "manager")
	fields := scim.Schema{ID: litmosFieldsURN, Name: "CustomField", Description: "Custom fields"}
	for i := 1; i <= 10; i++ {
		fields.Attributes = append(fields.Attributes, scim.Attribute{Name: "CustomField" + strconv.Itoa(i), Type: scim.String})
	}
	return scim.NewDefinition("User", "/Users", core, scim.Extension{Schema: enterprise}, scim.Extension{Schema: fields})
}

func pickAttributes(attributes []scim.Attribute, names ...string) []scim.Attribute {
	return slices.DeleteFunc(slices.Clone(attributes), func(a scim.Attribute) bool { return !slices.Contains(names, a.Name) })
}
