package litmos

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// fieldType is the type of a field's values.
type fieldType int

const (
	textType fieldType = iota
	flagType
	numberType
	dateType
	managerType // the id of a user, "0" for none
)

// field is one field of a user or a team as the interface documents it (section 2.3).
type field struct {
	name      string
	kind      fieldType
	max       int  // characters as documented, 0 where nothing is said
	readOnly  bool // what is sent is ignored
	writeOnly bool // what is answered is not what was stored
	skeleton  bool // sent in every create, empty where it has no value
	required  bool
	unique    bool
	search    bool // a filter query can find it
	short     bool // the short form of lists shows it
	fold      bool // letter case does not matter
}

// Names that the code needs.
const (
	fieldID        = "Id"
	fieldLoginKey  = "LoginKey"
	fieldUserName  = "UserName"
	fieldEmail     = "Email"
	fieldActive    = "Active"
	fieldCustom    = "IsCustomUsername"
	fieldSkipLogin = "SkipFirstLogin"
	fieldMessages  = "DisableMessages"
	fieldLevel     = "AccessLevel"
	fieldManager   = "ManagerId"
	fieldName      = "Name"
	fieldText      = "Description"

	customPrefix = "custom." // of advanced custom fields (U11)
)

// The references of a team.
const (
	refMembers = "members"
	refLeaders = "leaders"
	refAdmins  = "admins"
)

// defaultLevel is the access level of a new user (section 2.5).
const defaultLevel = "Learner"

// userFields are the fields of a user in the order that XML wants (section 2.3). LoginKey has its place in the order and
// is never read.
func userFields() []field {
	plain := func(name string, most int) field { return field{name: name, max: most, skeleton: true} }
	out := []field{
		{name: fieldID, max: 50, readOnly: true, skeleton: true, short: true},
		{name: fieldUserName, max: 255, skeleton: true, required: true, unique: true, search: true, short: true, fold: true},
		{name: "FirstName", max: 50, skeleton: true, required: true, search: true, short: true},
		{name: "LastName", max: 50, skeleton: true, required: true, search: true, short: true},
		{name: "FullName", max: 200, readOnly: true, skeleton: true},
		{name: fieldEmail, max: 255, skeleton: true, search: true, short: true, fold: true},
		{name: fieldLevel, skeleton: true, short: true},
		{name: fieldMessages, kind: flagType, skeleton: true},
		{name: fieldActive, kind: flagType, skeleton: true, short: true},
		plain("Skype", 100), plain("PhoneWork", 50), plain("PhoneMobile", 50),
		{name: "LastLogin", kind: dateType, readOnly: true, skeleton: true},
		{name: fieldLoginKey, readOnly: true, skeleton: true},
		{name: fieldCustom, kind: flagType, readOnly: true, skeleton: true},
		{name: "Password", writeOnly: true, skeleton: true},
		{name: fieldSkipLogin, kind: flagType, writeOnly: true, skeleton: true},
		plain("TimeZone", 0),
		{name: "SalesforceId"},
		{name: "OriginalId", kind: numberType, readOnly: true},
		plain("Street1", 100), plain("Street2", 100), plain("City", 0), plain("State", 0), plain("PostalCode", 0), plain("Country", 0),
		plain("CompanyName", 0), plain("JobTitle", 0),
	}
	for i := 1; i <= 10; i++ {
		out = append(out, plain("CustomField"+strconv.Itoa(i), 0))
	}
	return append(out,
		plain("Culture", 0),
		field{name: "SalesforceContactId"}, field{name: "SalesforceAccountId"},
		field{name: "CreatedDate", kind: dateType, readOnly: true}, field{name: "Points", kind: numberType, readOnly: true},
		field{name: "Brand", short: true},
		field{name: fieldManager, kind: managerType}, field{name: "ManagerName", readOnly: true},
		field{name: "EnableTextNotification", kind: flagType}, field{name: "Website"}, field{name: "Twitter"},
		field{name: "ExpirationDate", kind: dateType}, field{name: "JobRole"}, field{name: "ExternalEmployeeId"}, field{name: "ProfileType"},
	)
}

// teamFields are the fields of a team.
func teamFields() []field {
	return []field{
		{name: fieldID, max: 50, readOnly: true, skeleton: true, short: true},
		{name: fieldName, max: 100, skeleton: true, required: true, unique: true, search: true, short: true, fold: true},
		{name: fieldText, max: 1000, skeleton: true},
		{name: "TeamCodeForBulkImport", readOnly: true, short: true},
		{name: "ParentTeamId", readOnly: true, short: true},
	}
}

// teamReferences are the lists of users that a team has.
func teamReferences() []string { return []string{refMembers, refLeaders, refAdmins} }

// Schema describes users and teams as both ends know them. Advanced custom fields are an organisation's own.
func Schema() schema.Schema {
	users := schema.Object{Kind: identity.User, OwnPrefix: customPrefix, Attributes: attributes(userFields())}
	teams := schema.Object{Kind: identity.Group, Attributes: attributes(teamFields())}
	for _, name := range teamReferences() {
		teams.Attributes = append(teams.Attributes, schema.Attribute{Name: name, Type: schema.Reference, MultiValued: true, References: identity.User})
	}
	return schema.Schema{users, teams}
}

func attributes(fields []field) []schema.Attribute {
	var out []schema.Attribute
	for _, f := range fields {
		if f.name == fieldID || f.name == fieldLoginKey {
			continue
		}
		a := schema.Attribute{Name: f.name, Required: f.required, ReadOnly: f.readOnly, Unique: f.unique, FoldCase: f.fold,
			Filterable: f.search || f.name == "ExternalEmployeeId"}
		switch f.kind {
		case flagType:
			a.Type = schema.Boolean
		case numberType:
			a.Type = schema.Integer
		case dateType:
			a.Type = schema.DateTime
		case managerType:
			a.Type, a.References = schema.Reference, identity.User
		case textType:
		}
		out = append(out, a)
	}
	return out
}

// fieldNamed finds a field, whatever the case of its name.
func fieldNamed(fields []field, name string) (field, bool) {
	i := slices.IndexFunc(fields, func(f field) bool { return strings.EqualFold(f.name, name) })
	if i < 0 {
		return field{}, false
	}
	return fields[i], true
}

// value brings what an answer has in a field into the form of package identity; nil for none.
func (f field) value(v any) (any, error) {
	s, isText := v.(string)
	if v == nil || isText && s == "" {
		return nil, nil
	}
	switch f.kind {
	case flagType:
		on, err := asFlag(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		return on, nil
	case dateType:
		at, err := parseDate(s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		if at.IsZero() {
			return nil, nil
		}
		return at, nil
	case numberType:
		if n, err := strconv.ParseInt(asText(v), 10, 64); err == nil {
			return n, nil
		}
		return asText(v), nil
	case managerType:
		if id := asText(v); id != "" && id != "0" {
			return identity.Ref{Kind: identity.User, Anchor: id}, nil
		}
		return nil, nil
	case textType:
	}
	return asText(v), nil
}

// wire brings a value of package identity into the form of a request. nil empties the field.
func (f field) wire(v any) (any, error) {
	switch f.kind {
	case flagType:
		if v == nil {
			return false, nil
		}
		on, err := asFlag(v)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
		return on, nil
	case managerType:
		if v == nil || asText(v) == "" {
			return "0", nil
		}
	case textType, numberType, dateType:
	}
	switch v.(type) {
	case []any, map[string]any:
		return nil, fmt.Errorf("%s takes one text, not several values", f.name)
	}
	return asText(v), nil
}

// asFlag reads a Boolean in either form (U8).
func asFlag(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case string:
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "1":
			return true, nil
		case "false", "0", "":
			return false, nil
		}
	}
	return false, fmt.Errorf("%T is neither true nor false", v)
}

// asText is a value as text; dates are ISO 8601 in UTC (U9).
func asText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case digits:
		return string(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05Z")
	case identity.Ref:
		return v.Anchor
	}
	return fmt.Sprint(v)
}

// parseDate reads the forms in which the interface writes dates (U9); without a zone they are UTC. "" is the zero time.
func parseDate(s string) (time.Time, error) {
	if s = strings.TrimSpace(s); s == "" {
		return time.Time{}, nil
	}
	if inner, ok := strings.CutPrefix(s, "/Date("); ok {
		digits, _, _ := strings.Cut(strings.TrimSuffix(inner, ")/"), "+")
		ms, err := strconv.ParseInt(digits, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q is no date", s)
		}
		return time.UnixMilli(ms).UTC(), nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no date", s)
}
