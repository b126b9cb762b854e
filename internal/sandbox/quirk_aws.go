package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// Limits of AWS IAM Identity Center.
const (
	awsPage    = 100
	awsMembers = 100 // changes in one request
)

// quirkAWS is a service like AWS IAM Identity Center, as its SCIM developer guide describes it.
//
// Where the guide is silent, or older and newer editions differ, it assumes: a list without the cursor parameter has at
// most 100 results and no way to the others; unsupported attributes are refused with 400; so are the refused characters
// in any text of a user or group but profileUrl; a request without User-Agent gets 403, which is reported for PATCH.
func quirkAWS(f *scimFacts, _ *traits) {
	f.membersAreUsers, f.noETags = true, true
	f.absent = append(f.absent, mePath, bulkPath, searchSegment)
	f.forbidden = append(f.forbidden, "PUT "+groupsPath)
	f.userPage, f.groupPage = pageSize{awsPage, awsPage}, pageSize{awsPage, awsPage}
	f.cursors = cursorFacts{supported: true, silent: true, uncounted: true}
	f.add(membersAtMost(awsMembers))
	f.add(scimRule{request: awsRequest, filter: awsFilter, body: awsBody, patch: awsPatch, resource: awsResource, show: awsShow, refusal: awsRefusal})
}

// awsRequest refuses what lists of users do not take.
func awsRequest(c *call, id string) error {
	if c.r.UserAgent() == "" {
		return scim.NewError(http.StatusForbidden, "", "a request needs a User-Agent")
	}
	if id != "" || c.r.Method != http.MethodGet || c.kind.path != usersPath {
		return nil
	}
	for _, name := range []string{"startIndex", "attributes", "excludedAttributes"} {
		if c.query.Has(name) {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s is not supported in lists of users", name)
		}
	}
	return nil
}

// awsFilters lists what filters may compare, with eq: one attribute, or two joined by and in that order.
func awsFilters(path string) [][]string {
	if path == usersPath {
		return [][]string{{"username"}, {"externalid"}, {"groups.value"}, {"id", "manager"}, {"manager", "id"}}
	}
	return [][]string{{"displayname"}, {"externalid"}, {"members.value"}, {"id", "members"}, {"members", "id"}}
}

func awsFilter(c *call, f scim.Filter) error {
	var names []string
	comparisons, ok := scim.Equalities(f)
	for _, compare := range comparisons {
		name := scim.FoldKey(compare.Path.Attribute)
		if compare.Path.SubAttribute != "" {
			name += "." + scim.FoldKey(compare.Path.SubAttribute)
		}
		if compare.Path.Filter != nil {
			ok = false
		}
		names = append(names, name)
	}
	listed := func(allowed []string) bool {
		return slices.EqualFunc(allowed, names, func(a, name string) bool {
			return a == name || len(names) == 2 && a+".value" == name
		})
	}
	if !ok || !slices.ContainsFunc(awsFilters(c.kind.path), listed) {
		return scim.NewError(http.StatusBadRequest, scim.InvalidFilter, "%s is not a filter that is supported", f)
	}
	c.app.store.mu.RLock()
	defer c.app.store.mu.RUnlock()
	for i, compare := range comparisons {
		id, _ := compare.Value.(string)
		if strings.HasPrefix(names[i], "members") && c.app.store.users.byID[c.app.store.spelled(id)] == nil {
			return scim.NewError(http.StatusNotFound, "", "there is no user %s to be a member", id)
		}
	}
	return nil
}

// awsUnsupported lists attributes of users that are not supported.
func awsUnsupported() []string {
	return []string{"password", "ims", "photos", "x509certificates", "entitlements"}
}

// awsBody refuses attributes that are not supported, and groups, which a user cannot be created with.
func awsBody(c *call, object map[string]any) error {
	if c.kind.path != usersPath {
		return nil
	}
	for name, v := range object {
		folded := scim.FoldKey(name)
		if slices.Contains(awsUnsupported(), folded) || folded == "groups" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s is not supported", name)
		}
		if err := awsValue(name, v); err != nil {
			return err
		}
	}
	return nil
}

// awsValue refuses sub-attributes that are not supported.
func awsValue(name string, v any) error {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				if _, _, ok := scim.Lookup(m, "display"); ok {
					return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s.display is not supported", name)
				}
			}
		}
	case map[string]any:
		if _, manager, ok := scim.Lookup(v, "manager"); ok {
			return awsValue("manager", manager)
		}
		if _, _, ok := scim.Lookup(v, "displayName"); ok && scim.FoldKey(name) == "manager" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "manager.displayName is not supported")
		}
	}
	return nil
}

// awsPatch refuses what a PATCH of users or groups cannot change.
func awsPatch(c *call, ops []scim.Operation) error {
	for _, op := range ops {
		path, err := scim.ParsePath(op.Path, c.def.SchemaURIs()...)
		if op.Path == "" || err != nil {
			object, _ := op.Value.(map[string]any)
			if err := awsBody(c, object); err != nil {
				return err
			}
			for name := range object {
				if err := awsGroupChange(c, op, name, true); err != nil {
					return err
				}
			}
			continue
		}
		if scim.FoldKey(path.SubAttribute) == "display" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidPath, "%s is not supported", path)
		}
		if err := awsBody(c, map[string]any{path.Attribute: op.Value}); err != nil {
			return err
		}
		if err := awsGroupChange(c, op, path.Attribute, path.Filter == nil); err != nil {
			return err
		}
	}
	return nil
}

// awsGroupChange refuses a change of a group that is not one of its name, its externalId or single members.
func awsGroupChange(c *call, op scim.Operation, attribute string, whole bool) error {
	if c.kind.path != groupsPath {
		return nil
	}
	switch scim.FoldKey(attribute) {
	case "displayname", "externalid", "schemas":
	case "members":
		kind := scim.FoldKey(op.Op)
		if kind == scim.OpReplace || kind == scim.OpRemove && whole && op.Value == nil {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "members can be added and removed one by one, not %sd as a whole", kind)
		}
	default:
		return scim.NewError(http.StatusBadRequest, scim.InvalidPath, "%s of a group cannot be changed", attribute)
	}
	return nil
}

// awsCharacters are refused in values.
const awsCharacters = "\t\n\r<>;:%"

func awsResource(c *call, was *record, resource map[string]any) error {
	for name, v := range resource {
		if name == "schemas" || name == "profileUrl" {
			continue
		}
		bad := false
		mapTexts(v, func(s string) string {
			bad = bad || strings.ContainsAny(s, awsCharacters)
			return s
		})
		if bad {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s has a character that is refused: one of %q", name, awsCharacters)
		}
	}
	if c.kind.path != usersPath {
		return nil
	}
	for _, path := range [][]string{{"userName"}, {"name", "givenName"}, {"name", "familyName"}, {"displayName"}} {
		if strings.TrimSpace(text(resource, path...)) == "" {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s is required", strings.Join(path, "."))
		}
	}
	for _, name := range []string{"emails", "phoneNumbers", "addresses", "roles"} {
		if n := len(elements(resource, name)); n > 1 {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "%s has %d values; it takes one", name, n)
		}
	}
	for _, mail := range elements(resource, "emails") {
		if primary, _ := mail["primary"].(bool); !primary {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "the e-mail must be the primary one")
		}
		value, _ := mail["value"].(string)
		if owners := c.kind.by[byEmail][scim.FoldKey(value)]; len(owners) > 0 && owners[0] != was {
			return scim.NewError(http.StatusConflict, scim.Uniqueness, "the primary e-mail %s is taken", value)
		}
	}
	return nil
}

// awsShow hides the members of groups, which are never shown.
func awsShow(c *call, _ *record, resource map[string]any) {
	if c.kind.path == groupsPath {
		resource["members"] = []any{}
	}
}

// awsRefusal puts the name of the exception into the text.
func awsRefusal(_ *call, e *scim.Error) {
	names := map[int]string{http.StatusBadRequest: "ValidationException", http.StatusUnauthorized: "UnauthorizedException",
		http.StatusForbidden: "AccessDeniedException", http.StatusNotFound: "ResourceNotFoundException",
		http.StatusConflict: "ConflictException", http.StatusTooManyRequests: "ThrottlingException",
		http.StatusInternalServerError: "InternalServerException"}
	if name := names[e.Status]; name != "" {
		e.Detail = fmt.Sprintf("%s: %s", name, e.Detail)
	}
}
