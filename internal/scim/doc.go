// Package scim is the language of SCIM 2.0 (RFC 7643, RFC 7644) as values: attribute paths, filters, PATCH
// operations, resource type definitions, errors and list messages.
//
// It does no input or output and knows no client and no server. The SCIM connector builds request bodies and
// paths with it, the sandbox and the inbound endpoint answer with it.
//
// A resource is a map[string]any as encoding/json decodes it. Attribute names, schema URIs and operators are
// compared without regard to case everywhere (RFC 7643 section 2.1). Every refusal is an *Error that carries the
// scimType of RFC 7644 section 3.12.
//
// Where the RFCs are narrower than the clients in the field, a Definition decides: with Strict it reads as the
// RFCs are written, without it takes the known deviations too (texts for Booleans, dotted keys, value lists in
// remove operations, extension attributes without their URN). A nil *Definition means the built-in User, its
// enterprise extension and Group together, not strict.
//
// Read in this order: path.go, filter.go (tree), parse.go, match.go, definition.go, value.go, patch.go.
package scim
