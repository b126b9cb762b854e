package scim

import (
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
)

// Settings is the table of the connector's settings (design 6.2, target settings).
func Settings() []connector.Setting {
	return append(web.Settings("Base address of the SCIM service; /Users and /Groups are appended. Behaviour flags of the reference service in it (aadOptscim062020, AzureAdScimPatch2017) choose a dialect and are not sent."), []connector.Setting{
		{Name: "dialect", Type: connector.Choice, Default: string(RFC), Values: []string{string(RFC), string(Entra2020), string(Legacy)}, Help: "How requests are written: rfc is RFC 7644 to the letter, entra2020 the reference service with its flag, legacy the reference service without it."},
		{Name: "memberBatch", Type: connector.Number, Default: "100", Help: "Members in one create or update of a group, 1 to 500."},
		{Name: "referencesInCreate", Type: connector.Flag, Default: "true", Help: "Send manager and members with the create; false sends them as updates afterwards."},
		{Name: "readBeforeWrite", Type: connector.Choice, Default: string(connector.ReadStale), Values: []string{string(connector.ReadAlways), string(connector.ReadNever), string(connector.ReadStale)}, Help: "Read an account before it is updated: always, never, or only when its values were not confirmed within the reconciliation interval."},
		{Name: "list", Type: connector.Flag, Default: "true", Help: "Listing all accounts is allowed; false where a server cannot page."},
		{Name: "pageSize", Type: connector.Number, Default: "100", Help: "Accounts asked for in one page of a listing, 1 to 1000."},
		{Name: "booleanAsString", Type: connector.Flag, Help: `Write Booleans in updates as "True" and "False"; by default true in the dialect legacy and false in the others.`},
		{Name: "mergedKeys", Type: connector.Choice, Default: keysFlat, Values: []string{keysFlat, keysNested}, Help: "Dialect entra2020 only: names in an operation without path are dotted and full (flat) or nested objects (nested)."},
		{Name: "managerShape", Type: connector.Choice, Values: []string{shapeText, shapeObject, shapeList}, Help: `How a manager is written in updates: text ("7702fe"), object ({"value": "7702fe"}) or list ([{"$ref": …, "value": …}] at path manager); by default text in the dialect legacy and object in the others.`},
		{Name: "extensionNesting", Type: connector.Choice, Default: nestLastColon, Values: []string{nestLastColon, nestAfterUser}, Help: "Where the schema ends in the name of an extension attribute with further colons: at the last colon, or after User, with an attribute in an attribute behind it."},
		{Name: "contentType", Type: connector.Choice, Default: "application/scim+json", Values: []string{"application/scim+json", "application/json"}, Help: "Content-Type of requests."},
		{Name: "emptyQuery404", Type: connector.Flag, Default: "false", Help: "The server answers 404 to a query without results."},
	}...)
}
