package scim

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MediaType is the content type of SCIM messages (RFC 7644 section 3.1).
const MediaType = "application/scim+json"

// Schema URIs of RFC 7643 section 8.7 and message URIs of RFC 7644 section 8.2.
const (
	UserURN           = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN          = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseUserURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

	ServiceProviderConfigURN = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
	ResourceTypeURN          = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	SchemaURN                = "urn:ietf:params:scim:schemas:core:2.0:Schema"

	ListResponseURN  = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
	SearchRequestURN = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
	PatchOpURN       = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	BulkRequestURN   = "urn:ietf:params:scim:api:messages:2.0:BulkRequest"
	BulkResponseURN  = "urn:ietf:params:scim:api:messages:2.0:BulkResponse"
	ErrorURN         = "urn:ietf:params:scim:api:messages:2.0:Error"
)

const coreURNPrefix = "urn:ietf:params:scim:schemas:core:2.0:"

// IsCoreURN reports whether urn is a core schema: its attributes stand in the resource itself, those of any other
// schema in an object under its URN (RFC 7643 section 3.3).
func IsCoreURN(urn string) bool {
	return len(urn) > len(coreURNPrefix) && strings.EqualFold(urn[:len(coreURNPrefix)], coreURNPrefix)
}

// FoldKey gives the form in which texts that differ only in case are the same key; it agrees with
// strings.EqualFold. Texts that are lower-case ASCII already are returned as they are.
func FoldKey(s string) string {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return strings.Map(foldRune, s)
		}
	}
	return s
}

// foldRune picks one representative of all runes that differ only in case: the smallest, in lower case if ASCII.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}
	least := r
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		least = min(least, next)
	}
	if least < utf8.RuneSelf {
		return foldRune(least)
	}
	return least
}

// Lookup finds the value of a name in a JSON object without regard to case and returns the name as the object
// spells it. An exact match is preferred.
func Lookup(object map[string]any, name string) (key string, value any, ok bool) {
	if v, found := object[name]; found {
		return name, v, true
	}
	for k, v := range object {
		if len(k) == len(name) && strings.EqualFold(k, name) {
			// Of several spellings take the least, so that the answer does not depend on map order.
			if !ok || k < key {
				key, value, ok = k, v, true
			}
		}
	}
	return key, value, ok
}

// assign stores value under name, replacing every other spelling of the name.
func assign(object map[string]any, name string, value any) {
	unassign(object, name)
	object[name] = value
}

// unassign removes every spelling of name.
func unassign(object map[string]any, name string) {
	delete(object, name)
	for k := range object {
		if len(k) == len(name) && strings.EqualFold(k, name) {
			delete(object, k)
		}
	}
}
