package sandbox

import "github.com/rollcall-id/rollcall/internal/scim"

// scimFacts is what one SCIM service has different from another.
type scimFacts struct {
	user, group *scim.Definition
	// filterable lists the attributes filters may use, in lower case, for users and groups. Nil: all.
	userFilters, groupFilters []string
	// known drops attributes outside the definitions without a word; false keeps them. Strict refuses them first.
	known bool
	// ignored lists attributes that are dropped though every definition has them.
	ignored []string
	// membersAreUsers refuses groups as members.
	membersAreUsers bool
	// foldPath takes resource names in the path in any case.
	foldPath bool
	// documentation is shown in ServiceProviderConfig.
	documentation string
	// absent lists endpoints that are not there, such as Groups.
	absent []string
	// forbidden lists what is not allowed, as "METHOD Path", such as "PUT Groups". It is answered with 405.
	forbidden []string
	// tokenStatus and groupStatus answer a wrong token and the id of no group. Zero: 401 and 404.
	tokenStatus, groupStatus int
	// externalInPath takes an externalId in the path where an id is expected.
	externalInPath bool
	// userPage and groupPage are sizes of pages. Zero: those of the package.
	userPage, groupPage pageSize
	// deleteDisables makes a DELETE of a user set active to false.
	deleteDisables bool
	// write serves POST, PUT and PATCH where they are not those of the RFCs; id is empty for POST.
	write func(c *call, id string) error
	// keeps names attributes that are kept though the definitions do not have them.
	keeps func(scim.Path) bool
	// oldSchemas shows /Schemas with readOnly in place of mutability.
	oldSchemas bool
	// noETags leaves out versions, and does not look at those that clients send.
	noETags bool
	// bareErrors gives errors with the status as a number and without a scimType.
	bareErrors bool
	// openDiscovery shows the endpoints of discovery to anybody.
	openDiscovery bool
	// configName is the endpoint of the service provider's configuration. Empty: that of RFC 7644.
	configName string
	// newID makes the id of the nth resource of a kind. Nil: a UUID.
	newID func(kind *scimKind, n int) string
	// cursors gives lists page by page with cursors (RFC 9865).
	cursors cursorFacts
	// bulk serves /Bulk.
	bulk bool
	// pages are further endpoints, by name.
	pages map[string]func(*call) error
	// groups are there from the beginning, by name.
	groups []string
	// patchless answers PATCH with 501 and says so in ServiceProviderConfig.
	patchless bool
	// rules are further ways in which the service departs from the RFCs.
	rules []scimRule
}

// pageSize is how many resources a page has when the client does not say, and at the most.
type pageSize struct{ standard, most int }

// scimRule is one way in which a service departs from the RFCs. Functions that are nil change nothing.
type scimRule struct {
	// request looks at a request for users or groups before anything is done; id is empty for all of them.
	request func(c *call, id string) error
	// filter refuses filters.
	filter func(c *call, f scim.Filter) error
	// body refuses what POST and PUT carry, before it is made canonical.
	body func(c *call, object map[string]any) error
	// patch refuses operations.
	patch func(c *call, ops []scim.Operation) error
	// resource checks a resource that is about to be kept and may change it; was is the record that gets it, without
	// a body when it is new. The store is locked.
	resource func(c *call, was *record, resource map[string]any) error
	// members refuses changes of the members of a group. The store is locked.
	members func(c *call, edit *memberEdit) error
	// show changes a resource on its way to the client. The store is locked.
	show func(c *call, rec *record, resource map[string]any)
	// kept follows when a resource has been kept. The store is locked for writing.
	kept func(c *call, rec *record)
	// refusal changes an error on its way to the client; c is nil for requests that never came to the service.
	refusal func(c *call, e *scim.Error)
	// config changes ServiceProviderConfig.
	config func(config map[string]any)
}

// page gives the sizes of pages of a kind.
func (f *scimFacts) page(kind *scimKind) pageSize {
	size := f.userPage
	if kind.path == groupsPath {
		size = f.groupPage
	}
	if size.most == 0 {
		size = pageSize{defaultPage, maxPage}
	}
	return size
}

// each calls f for every rule until one refuses.
func (f *scimFacts) each(check func(scimRule) error) error {
	for _, rule := range f.rules {
		if err := check(rule); err != nil {
			return err
		}
	}
	return nil
}
