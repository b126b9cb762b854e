package sandbox

import (
	"net/http"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// zscalerGroups is how many groups a user may be in.
const zscalerGroups = 128

// quirkZscaler is a service like Zscaler Internet Access: more is required, filters are few, discovery asks for no token.
// Its domains are those of Config.Domain.
//
// Where the documents are silent it assumes: five requests a second and no Retry-After; groups can be filtered by
// displayName only.
func quirkZscaler(f *scimFacts, t *traits) {
	t.rate, t.window, t.retryAfter = 5, time.Second, false
	f.openDiscovery, f.membersAreUsers = true, true
	f.userPage, f.groupPage = pageSize{defaultPage, 1000}, pageSize{defaultPage, 1000}
	f.add(scimRule{filter: zscalerFilter, resource: zscalerResource, members: zscalerMembers})
}

func zscalerFilter(c *call, f scim.Filter) error {
	if compare, ok := f.(*scim.Compare); ok && compare.Path.Filter == nil {
		path := strings.TrimSuffix(scim.FoldKey(compare.Path.Attribute+"."+compare.Path.SubAttribute), ".")
		switch {
		case c.kind.path == groupsPath && path == "displayname" && compare.Operator == scim.Equal,
			c.kind.path == usersPath && path == "meta.lastmodified" && compare.Operator == scim.Greater:
			return nil
		case c.kind.path == usersPath && compare.Operator == scim.Equal && (path == "username" || path == "externalid" || path == "id"):
			return nil
		}
	}
	return scim.NewError(http.StatusBadRequest, scim.InvalidFilter, "%s is not a filter that is supported", f)
}

func zscalerResource(c *call, _ *record, resource map[string]any) error {
	required := [][]string{{"externalId"}}
	if c.kind.path == usersPath {
		if _, sent := resource["active"]; !sent {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "active is required")
		}
		required = append(required, []string{"displayName"}, []string{scim.EnterpriseUserURN, "department"})
	}
	for _, path := range required {
		if strings.TrimSpace(text(resource, path...)) == "" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s is required", path[len(path)-1])
		}
	}
	return nil
}

func zscalerMembers(_ *call, edit *memberEdit) error {
	for id, m := range edit.changed {
		if m != nil && (edit.group == nil || !edit.group.members.has(id)) && len(m.rec.groups) >= zscalerGroups {
			return scim.NewError(http.StatusBadRequest, scim.TooMany, "user %s is in %d groups already", id, zscalerGroups)
		}
	}
	return nil
}
