package sandbox

import (
	"net/http"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// entitlementsPath is an endpoint of Salesforce.
const entitlementsPath = "Entitlements"

// salesforceEntitlement is a profile or a permission set.
type salesforceEntitlement struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
	Type        string `json:"type"`
}

// salesforceEntitlements are those of the emulated organisation.
func salesforceEntitlements() []salesforceEntitlement {
	return []salesforceEntitlement{
		{"00e000000000001AAA", "Standard User", salesforceProfile},
		{"00e000000000002AAA", "Read Only", salesforceProfile},
		{"0PS000000000001AAA", "Reports", "PermissionSet"},
	}
}

const salesforceProfile = "Profile"

// quirkSalesforce is a service like the SCIM 2.0 interface of Salesforce: people are deactivated, never deleted; public
// groups are read and changed, neither created nor deleted; everybody has exactly one profile, which is an entitlement.
//
// Where the documents are silent it assumes: the organisation has the public groups "All Employees" and "Field Staff",
// two profiles and a permission set; userName has the form of an e-mail address; an e-mail and a last name are
// required. That AND and OR have no precedence in filters is not emulated: use a single condition.
func quirkSalesforce(f *scimFacts, _ *traits) {
	f.deleteDisables, f.noETags = true, true
	f.configName = "ServiceProviderConfigs"
	f.absent = append(f.absent, bulkPath)
	f.forbidden = append(f.forbidden, "POST "+groupsPath, "DELETE "+groupsPath)
	f.groups = append(f.groups, "All Employees", "Field Staff")
	f.pages = map[string]func(*call) error{entitlementsPath: listEntitlements}
	f.add(scimRule{resource: salesforceResource, config: func(config map[string]any) {
		config["changePassword"] = map[string]any{"supported": true}
	}})
}

// listEntitlements is GET of /Entitlements.
func listEntitlements(c *call) error {
	if c.r.Method != http.MethodGet {
		return c.notAllowed(http.MethodGet)
	}
	all := salesforceEntitlements()
	answerJSON(c.w, http.StatusOK, scim.NewListResponse(len(all), 1, all))
	return nil
}

func salesforceResource(c *call, _ *record, resource map[string]any) error {
	if c.kind.path != usersPath {
		return nil
	}
	switch {
	case !mailAddress.MatchString(text(resource, "userName")):
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "userName must have the form of an e-mail address")
	case text(resource, "name", "familyName") == "":
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "name.familyName is required")
	case len(elements(resource, "emails")) == 0:
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "emails is required")
	}
	types := map[string]string{}
	for _, e := range salesforceEntitlements() {
		types[e.ID] = e.Type
	}
	profiles := 0
	for _, e := range elements(resource, "entitlements") {
		value, _ := e["value"].(string)
		switch types[value] {
		case "":
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "there is no profile or permission set %q", value)
		case salesforceProfile:
			profiles++
		}
	}
	if profiles != 1 {
		return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "a user has exactly one profile among the entitlements, not %d", profiles)
	}
	return nil
}
