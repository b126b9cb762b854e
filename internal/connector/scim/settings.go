package scim

import (
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
)

// Settings is the table of the connector's settings (design 6.2, target settings).
func Settings() []connector.Setting {
	return append(web.Settings("Base address of the SCIM service; /Users and /Groups are appended. Behaviour flags of the reference service in it (aadOptscim062020, AzureAdScimPatch2017) choose a dialect and are not sent."), []connector.Setting{
		{Name: "dialect", Type: connector.Choice, Default: string(RFC), Values: []string{string(RFC), string(Entra2020), string(Legacy), string(Leapsome)}, Help: "How requests are written: rfc is RFC 7644 to the letter, entra2020 the reference service with its flag, legacy the reference service without it, leapsome the interface of Leapsome."},
		{Name: "memberBatch", Type: connector.Number, Default: "100", Help: "Members in one create or update of a group, 1 to 500."},
		{Name: "referencesInCreate", Type: connector.Flag, Help: "Send manager and members with the create; false sends them as updates afterwards. By default false in the dialect leapsome and true in the others."},
		{Name: "readBeforeWrite", Type: connector.Choice, Default: string(connector.ReadStale), Values: []string{string(connector.ReadAlways), string(connector.ReadNever), string(connector.ReadStale)}, Help: "Read an account before it is updated: always, never, or only when its values were not confirmed within the reconciliation interval."},
		{Name: "list", Type: connector.Flag, Default: "true", Help: "Listing all accounts is allowed; false where a server cannot page."},
		{Name: "pageSize", Type: connector.Number, Help: "Accounts asked for in one page of a listing, 1 to 1000; by default as many as the target announces, up to 500, or 100 when it announces nothing."},
		{Name: "paging", Type: connector.Choice, Default: pagingAuto, Values: []string{pagingAuto, pagingCursor, pagingIndex}, Help: "How listings are paged: by index (RFC 7644), by cursor (RFC 9865), or auto: by cursor where the target announces that, else by index."},
		{Name: "etag", Type: connector.Choice, Default: etagAuto, Values: []string{etagAuto, etagNever}, Help: "What is done with versions of resources: auto sends If-Match with a PUT where the target tells the version that was read, so that what somebody else wrote in between is not lost; never leaves it out, for a server whose versions cannot be relied on."},
		{Name: "booleanAsString", Type: connector.Flag, Help: `Write Booleans in updates as "True" and "False"; by default true in the dialect legacy and false in the others.`},
		{Name: "mergedKeys", Type: connector.Choice, Default: keysFlat, Values: []string{keysFlat, keysNested}, Help: "Dialect entra2020 only: names in an operation without path are dotted and full (flat) or nested objects (nested)."},
		{Name: "managerShape", Type: connector.Choice, Values: []string{shapeText, shapeObject, shapeList}, Help: `How a manager is written in updates: text ("7702fe"), object ({"value": "7702fe"}) or list ([{"$ref": …, "value": …}] at path manager); by default text in the dialects legacy and leapsome and object in the others.`},
		{Name: "extensionNesting", Type: connector.Choice, Default: nestLastColon, Values: []string{nestLastColon, nestAfterUser}, Help: "Where the schema ends in the name of an extension attribute with further colons: at the last colon, or after User, with an attribute in an attribute behind it."},
		{Name: "contentType", Type: connector.Choice, Default: "application/scim+json", Values: []string{"application/scim+json", "application/json"}, Help: "Content-Type of requests."},
		{Name: "emptyQuery404", Type: connector.Flag, Default: "false", Help: "The server answers 404 to a query without results."},
		{Name: "updateMethod", Type: connector.Choice, Default: byPatch, Values: []string{byPatch, byPut}, Help: "How a user is updated: patch sends what changes; put reads the user and sends it whole, which takes two calls, for servers without PATCH."},
		{Name: "groupUpdateMethod", Type: connector.Choice, Values: []string{byPatch, byPut}, Help: "How a group is updated; by default as updateMethod says. put needs a server that shows the members of a group."},
		{Name: "noGroupPut", Type: connector.Flag, Help: "The target takes no PUT of groups, so updateMethod is about users alone; by default true in the dialect leapsome and false in the others."},
		{Name: "noGroupDelete", Type: connector.Flag, Help: "The target cannot delete groups: a group that ought to be deleted is emptied and stays. By default true in the dialect leapsome and false in the others."},
		{Name: "disableByDelete", Type: connector.Flag, Default: "false", Help: "The target cannot disable users: a user who ought to be disabled is deleted."},
		{Name: "deleteMeansDisable", Type: connector.Flag, Help: "The target does not delete users but disables them at most: a user who ought to be deleted is disabled, and the link is kept. By default true in the dialect leapsome and false in the others."},
		{Name: "probe", Type: connector.Choice, Default: probeFilter, Values: []string{probeFilter, probeList}, Help: "What shows that the target answers: filter is a query for a random value of the joining attribute, list a listing of two objects, for targets that answer no query for nobody."},
		{Name: "noAttributesParam", Type: connector.Flag, Default: "false", Help: "The target takes no attributes, excludedAttributes or startIndex in queries."},
		{Name: "reference401", Type: connector.Flag, Help: "The target answers 401 for a group that does not exist, so a 401 there is followed by a probe that tells whether the credential is accepted. By default true in the dialect leapsome and false in the others."},
		{Name: "referenceCheck", Type: connector.Choice, Default: checkNone, Values: []string{checkNone, checkQuery}, Help: "Before a manager or a member is written: none relies on what was written last, query asks the target whether it is set already, with one call for each reference."},
		{Name: "compareWith", Type: connector.Choice, Default: compareAnswer, Values: []string{compareAnswer, compareSent}, Help: "What a text is compared with to see whether it changed: answer is what the target shows, sent what was sent last, for targets that reformat texts. With sent, only a text that the target lost is noticed there."},
		{Name: "primaryEmailRequired", Type: connector.Flag, Help: "Mark the work address as the primary one when no address is; by default true in the dialect legacy and false in the others."},
		{Name: "singleMultiValue", Type: connector.Flag, Default: "false", Help: "The target takes one element in each attribute with several (emails, phoneNumbers, addresses, roles): mappings to a second one, and several values of one mapping, are refused."},
		{Name: "extensionInSchemas", Type: connector.Flag, Help: "Name the schemas of extension attributes in the list schemas of a create; by default false in the dialect legacy and true in the others."},
		{Name: "extensionSeparator", Type: connector.Choice, Default: separatorColon, Values: []string{separatorColon, separatorDot}, Help: "What stands between the schema and the attribute of an extension, in mappings and requests."},
		{Name: "rolesShape", Type: connector.Choice, Values: []string{shapeText, shapeObject}, Help: `How roles are written in updates: text (added to roles, each a JSON text in a string) or object (as in a create); by default text in the dialect legacy and object in the others.`},
		{Name: "stripChars", Type: connector.Text, Help: `Characters that the target refuses; they are taken out of texts before anything else is done with them, for instance "<>;:%\t\r\n".`},
		{Name: "maxLength", Type: connector.Map, Help: "Most characters of an attribute, by its name in the mappings; a longer text is cut, for instance {userName: 21, displayName: 80}."},
	}...)
}
