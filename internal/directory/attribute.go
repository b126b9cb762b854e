package directory

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Names of attributes that the directory itself treats in a special way.
const (
	UserPrincipalName = "userPrincipalName"
	DisplayName       = "displayName"
	AccountEnabled    = "accountEnabled"  // of users; default true
	SecurityEnabled   = "securityEnabled" // of groups; default true; without it an assignment counts for nobody (engine.R30)
	Manager           = "manager"         // of users; a Ref to a user
	Members           = "members"         // of groups; Refs to users and groups

	// TransitiveMembers are the users in a group and in the groups within it, at any depth; they can only be read.
	TransitiveMembers = "transitiveMembers"
)

// ExtensionPrefix starts the names of an organisation's own attributes. They need no definition: the first value that
// is written makes the attribute known (Graph: extension_{appId}_{name}).
const ExtensionPrefix = "extension_"

// described is an attribute that says something about a person but does not tell one person from another. Such
// attributes are not put into the index of values: looking one up reads all objects.
const described = true

// definition is one attribute with what the schema cannot say of it.
type definition struct {
	schema.Attribute
	described bool
}

func text(name string) definition {
	return definition{Attribute: schema.Attribute{Name: name, Filterable: true}}
}

func folded(name string) definition {
	d := text(name)
	d.FoldCase = true
	return d
}

func about(name string) definition {
	d := text(name)
	d.described = described
	return d
}

func date(name string) definition {
	d := about(name)
	d.Type = schema.DateTime
	return d
}

func list(d definition) definition {
	d.MultiValued = true
	return d
}

func required(d definition) definition {
	d.Required = true
	return d
}

func flag(name string) definition {
	return definition{Attribute: schema.Attribute{Name: name, Type: schema.Boolean, Default: "true"}, described: described}
}

// userAttributes are the names of the reference service's mapping editor (design 6.2, inbound.R70), in the order in
// which they are kept and shown.
func userAttributes() []definition {
	upn := required(folded(UserPrincipalName))
	upn.Unique = true
	defs := []definition{
		upn, required(folded(DisplayName)), flag(AccountEnabled),
		about("givenName"), about("middleName"), about("surname"),
		folded("mail"), folded("mailNickname"), list(folded("otherMails")), list(folded("proxyAddresses")),
		about("jobTitle"), about("department"), about("companyName"), about("division"), about("costCenter"),
		text("employeeId"), about("employeeType"), date("employeeHireDate"), date("employeeLeaveDateTime"),
		about("userType"), about("telephoneNumber"), about("mobile"), about("facsimileTelephoneNumber"),
		about("physicalDeliveryOfficeName"), about("streetAddress"), about("city"), about("state"),
		about("postalCode"), about("country"), about("preferredLanguage"), about("usageLocation"),
		folded("onPremisesSamAccountName"), text("onPremisesImmutableId"),
	}
	for i := 1; i <= 15; i++ {
		defs = append(defs, text("extensionAttribute"+strconv.Itoa(i)))
	}
	return append(defs, definition{Attribute: schema.Attribute{Name: Manager, Type: schema.Reference, References: identity.User}})
}

func groupAttributes() []definition {
	return []definition{
		required(folded(DisplayName)), about("description"), folded("mailNickname"), folded("mail"), flag(SecurityEnabled),
		{Attribute: schema.Attribute{Name: Members, Type: schema.Reference, MultiValued: true, References: identity.User}},
		{Attribute: schema.Attribute{Name: TransitiveMembers, Type: schema.Reference, MultiValued: true, References: identity.User, ReadOnly: true}},
	}
}

// catalogue is the attributes of one kind, by name and in order.
type catalogue struct {
	kind   identity.Kind
	active string // the attribute kept in the column active
	order  []definition
	byName map[string]int
}

func newCatalogue(kind identity.Kind, active string, defs []definition) *catalogue {
	c := &catalogue{kind: kind, active: active, order: defs, byName: make(map[string]int, len(defs))}
	for i, d := range defs {
		c.byName[d.Name] = i
	}
	return c
}

// definition returns what is known of an attribute; an own extension is text.
func (c *catalogue) definition(name string) (definition, bool) {
	if i, ok := c.byName[name]; ok {
		return c.order[i], true
	}
	if isExtension(name) {
		return text(name), true
	}
	return definition{}, false
}

// isExtension tells whether name can be that of an organisation's own attribute.
func isExtension(name string) bool {
	rest, ok := strings.CutPrefix(name, ExtensionPrefix)
	if !ok || rest == "" || len(name) > 256 {
		return false
	}
	return strings.IndexFunc(rest, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

// check refuses names that objects of the kind do not have, all at once.
func (c *catalogue) check(op string, names []string) error {
	var unknown []string
	for _, n := range names {
		if _, ok := c.definition(n); !ok && !slices.Contains(unknown, strconv.Quote(n)) {
			unknown = append(unknown, strconv.Quote(n))
		}
	}
	if unknown == nil {
		return nil
	}
	return invalid(op, codeUnknownAttr, fmt.Sprintf("a %s has no attribute %s", noun(c.kind), strings.Join(unknown, ", ")),
		"use a name of the directory's schema, or one that starts with "+ExtensionPrefix+" for an attribute of your own")
}

// accept brings a value into the form it is kept in: text, a Boolean, a Ref, or a list of text or Refs; nil when the
// value is empty. A value of the wrong type is refused.
func (c *catalogue) accept(op string, d definition, v any) (any, error) {
	v = identity.Normal(v)
	if identity.Empty(v) {
		return nil, nil
	}
	values, isList := v.([]any)
	if d.MultiValued || isList && isExtension(d.Name) {
		if !isList {
			values = []any{v}
		}
		out := make([]any, 0, len(values))
		for _, e := range values {
			one, err := c.acceptOne(op, d, e)
			if err != nil {
				return nil, err
			}
			if one != nil && !slices.Contains(out, one) {
				out = append(out, one)
			}
		}
		if len(out) == 0 {
			return nil, nil
		}
		return out, nil
	}
	if isList {
		if len(values) > 1 {
			return nil, invalid(op, codeSingleValue, fmt.Sprintf("%s takes one value, not %d", d.Name, len(values)),
				"map a single value to it, for instance with Item or Join")
		}
		v = values[0]
	}
	return c.acceptOne(op, d, v)
}

func (c *catalogue) acceptOne(op string, d definition, v any) (any, error) {
	if identity.Empty(v) {
		return nil, nil
	}
	if d.Type == schema.Boolean {
		return acceptFlag(op, d.Name, v)
	}
	if d.Type == schema.Reference {
		return acceptRef(op, d, v)
	}
	var s string
	switch v := v.(type) {
	case string:
		s = v
	case bool:
		s = strconv.FormatBool(v)
	case int64:
		s = strconv.FormatInt(v, 10)
	case float64:
		s = strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		s = v.UTC().Format(time.RFC3339Nano)
	case identity.Ref:
		s = v.Anchor
	default:
		return nil, invalid(op, codeInvalidSyntax, d.Name+" takes text, not a complex value", "map one of its parts")
	}
	if !database.ValidText(s) {
		return nil, invalid(op, codeInvalidSyntax, d.Name+" holds characters that are no text (NUL or broken UTF-8)",
			"clean the value in the source or in the mapping")
	}
	if d.Type == schema.DateTime && !isDate(s) {
		return nil, invalid(op, codeInvalidSyntax, d.Name+" takes a date, which the value is not",
			"write it as 2006-01-02 or 2006-01-02T15:04:05Z, for instance with FormatDateTime")
	}
	return s, nil
}

// isDate accepts ISO 8601 as HR feeds have it: a date, or a date and time with or without a zone. The text is kept as
// it came: a value that reads back different from what was written would be corrected in every cycle.
func isDate(s string) bool {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02T15:04:05", time.DateTime} {
		if _, err := time.Parse(layout, s); err == nil {
			return true
		}
	}
	return false
}

func acceptFlag(op, name string, v any) (any, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		switch {
		case strings.EqualFold(v, "true") || v == "1":
			return true, nil
		case strings.EqualFold(v, "false") || v == "0":
			return false, nil
		}
	case int64:
		if v == 0 || v == 1 {
			return v == 1, nil
		}
	}
	return nil, invalid(op, codeInvalidSyntax, name+" takes true or false, which the value is not", "")
}

func acceptRef(op string, d definition, v any) (any, error) {
	switch v := v.(type) {
	case identity.Ref:
		if database.ValidText(v.Anchor) && v.Anchor != "" && (v.Kind == identity.User || v.Kind == identity.Group && d.Name == Members) {
			return v, nil
		}
	case string:
		if database.ValidText(v) {
			return identity.Ref{Kind: identity.User, Anchor: v}, nil
		}
	}
	return nil, invalid(op, codeUnresolved, d.Name+" takes the id of an object of the directory", "")
}

// Schema describes users and groups with the attributes every directory has and the own extensions that have been
// written so far.
func schemaOf(c *catalogue, extensions []string) schema.Object {
	o := schema.Object{Kind: c.kind, OwnPrefix: ExtensionPrefix}
	for _, d := range c.order {
		o.Attributes = append(o.Attributes, d.Attribute)
	}
	for _, name := range extensions {
		o.Attributes = append(o.Attributes, text(name).Attribute)
	}
	return o
}

// BuiltinSchema describes users and groups with the attributes that every directory has, whatever is in it.
func BuiltinSchema() schema.Schema {
	return schema.Schema{
		schemaOf(newCatalogue(identity.User, AccountEnabled, userAttributes()), nil),
		schemaOf(newCatalogue(identity.Group, SecurityEnabled, groupAttributes()), nil),
	}
}

// maxKey bounds what is kept of a value in an index, in bytes: PostgreSQL refuses index rows above some 2,700.
const maxKey = 256

// key is the form of a value under which it is looked up: folded where the attribute says so, and for a long value its
// beginning and its hash.
func (d definition) key(value string) string {
	if d.FoldCase {
		value = identity.Fold(value)
	}
	if len(value) <= maxKey {
		return value
	}
	sum := sha256.Sum256([]byte(value))
	n := maxKey - 2*sha256.Size
	for n > 0 && !utf8.RuneStart(value[n]) {
		n--
	}
	return value[:n] + hex.EncodeToString(sum[:])
}

// matches tells whether a stored value is the one asked for, under the attribute's case rule; one hit in a list is
// enough.
func (d definition) matches(stored any, value string) bool {
	if l, ok := stored.([]any); ok {
		return slices.ContainsFunc(l, func(e any) bool { return d.matches(e, value) })
	}
	switch s := stored.(type) {
	case string:
		return s == value || d.FoldCase && identity.Fold(s) == identity.Fold(value)
	case bool:
		return strings.EqualFold(strconv.FormatBool(s), value)
	case identity.Ref:
		return s.Anchor == value
	}
	return false
}
