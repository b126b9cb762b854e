package sandbox

import (
	"maps"
	"net/http"
	"slices"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// genericName is the name of the emulation that takes quirks.
const genericName = "scim"

// quirk changes the generic SCIM service to be like another one in some respect.
type quirk func(*scimFacts, *traits)

// quirks is the table of what Config.Quirks may name. Several of them add up, in the order given.
func quirks() map[string]quirk {
	return map[string]quirk{
		"aws":        quirkAWS,
		"bulk":       quirkBulk,
		"cursor":     quirkCursor,
		"etag":       quirkETag,
		"put-only":   quirkPutOnly,
		"salesforce": quirkSalesforce,
		"slack":      quirkSlack,
		"zscaler":    quirkZscaler,
	}
}

// QuirkNames lists the quirks that New knows, sorted.
func QuirkNames() []string { return slices.Sorted(maps.Keys(quirks())) }

// add gives the facts one more rule.
func (f *scimFacts) add(rule scimRule) { f.rules = append(f.rules, rule) }

// quirkPutOnly is a service without PATCH (RFC 7644 section 3.5.2 makes it optional): 501, and announced.
func quirkPutOnly(f *scimFacts, _ *traits) { f.patchless = true }

// quirkETag is a service that takes no change from a client that does not say which version it changes: 428 (RFC 6585
// section 3) without If-Match, 412 with another version (RFC 7644 section 3.14). The versions themselves, and 304 for
// If-None-Match, are there without it.
func quirkETag(f *scimFacts, _ *traits) {
	f.add(scimRule{request: func(c *call, id string) error {
		if id == "" || c.r.Method == http.MethodGet || c.r.Header.Get("If-Match") != "" {
			return nil
		}
		return scim.NewError(http.StatusPreconditionRequired, "", "%s needs If-Match with the version that is changed", c.r.Method)
	}})
}

// quirkCursor is a service whose lists are read with cursors unless a client counts by startIndex (RFC 9865).
func quirkCursor(f *scimFacts, _ *traits) {
	f.cursors = cursorFacts{supported: true, standard: true}
}

// quirkBulk is a service with /Bulk (RFC 7644 section 3.7).
func quirkBulk(f *scimFacts, _ *traits) { f.bulk = true }

// text gives a text of a resource, empty if there is none: by attribute, or by attribute and sub-attribute.
func text(resource map[string]any, path ...string) string {
	var v any = resource
	for _, name := range path {
		object, _ := v.(map[string]any)
		v = object[name]
	}
	s, _ := v.(string)
	return s
}

// elements gives the values of a multi-valued attribute that are objects.
func elements(resource map[string]any, name string) []map[string]any {
	list, _ := resource[name].([]any)
	var objects []map[string]any
	for _, e := range list {
		if m, ok := e.(map[string]any); ok {
			objects = append(objects, m)
		}
	}
	return objects
}
