package sandbox

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// litmosKind is the type of a field.
type litmosKind int

const (
	litmosText litmosKind = iota
	litmosFlag
	litmosNumber
	litmosDate
	litmosNull // a text that is null as long as it is empty
)

// litmosField is a field of a user.
type litmosField struct {
	name     string
	kind     litmosKind
	max      int  // characters; zero: not documented
	readOnly bool // what a client sends is ignored
	unsorted bool // has no place in the documented order of elements
}

// litmosUserFields is the full form in the order of recorded answers. It is also the order that XML has to keep,
// with one exception: the documents put Culture behind CustomField10, the recordings behind CustomField3.
func litmosUserFields() []litmosField {
	text := func(name string, most int) litmosField { return litmosField{name: name, max: most} }
	return []litmosField{
		{name: "Id", max: 50, readOnly: true},
		text("UserName", 255), text("FirstName", 50), text("LastName", 50),
		{name: "FullName", max: 200, readOnly: true},
		text("Email", 255), text("AccessLevel", 50),
		{name: "DisableMessages", kind: litmosFlag}, {name: "Active", kind: litmosFlag},
		text("Skype", 100), text("PhoneWork", 50), text("PhoneMobile", 50),
		{name: "LastLogin", readOnly: true}, {name: "LoginKey", max: 512, readOnly: true},
		{name: "IsCustomUsername", kind: litmosFlag},
		text("Password", 0),
		{name: "SkipFirstLogin", kind: litmosFlag},
		text("TimeZone", 0),
		{name: "SalesforceId", kind: litmosNull},
		{name: "OriginalId", kind: litmosNumber, readOnly: true},
		text("Street1", 100), text("Street2", 100), text("City", 0), text("State", 0), text("PostalCode", 0),
		text("Country", 0), text("CompanyName", 0), text("JobTitle", 0),
		text("CustomField1", 0), text("CustomField2", 0), text("CustomField3", 0), text("Culture", 0),
		text("CustomField4", 0), text("CustomField5", 0), text("CustomField6", 0), text("CustomField7", 0),
		text("CustomField8", 0), text("CustomField9", 0), text("CustomField10", 0),
		{name: "SalesforceContactId", kind: litmosNull, unsorted: true}, {name: "SalesforceAccountId", kind: litmosNull, unsorted: true},
		{name: "CreatedDate", readOnly: true, unsorted: true}, {name: "Points", kind: litmosNumber, readOnly: true, unsorted: true},
		text("Brand", 0), text("ManagerId", 50),
		{name: "ManagerName", readOnly: true},
		{name: "EnableTextNotification", kind: litmosFlag},
		text("Website", 0), text("Twitter", 0),
		{name: "ExpirationDate", kind: litmosDate},
		text("JobRole", 0), text("ExternalEmployeeId", 0), text("ProfileType", 0),
	}
}

// litmosDateFormat is how dates are shown; those of the endpoints below /org have fractions and no zone.
const (
	litmosDateFormat    = "2006-01-02T15:04:05Z"
	litmosOrgDateFormat = "2006-01-02T15:04:05.000"
)

// litmosInput is what a client sends of an object: fields by name, all as text.
type litmosInput map[string]string

// flag reads a Boolean; recorded requests send Booleans, the documents show texts.
func (in litmosInput) flag(name string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(in[name])) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, litmosRefusal(400, "%s must be true or false", name)
}

// foldName gives the form in which names that differ in case only are the same.
func foldName(name string) string { return scim.FoldKey(name) }

var (
	litmosMobile  = regexp.MustCompile(`^\+[0-9]{7,15}$`)
	litmosCulture = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
	mailAddress   = regexp.MustCompile(`^[^@\s<>]+@[^@\s<>]+\.[^@\s<>.]+$`)
)

// litmosMinUserName is the length that a user name has to exceed.
const litmosMinUserName = 3

// checkUser checks what a client sends of a user and gives the values to keep: all writable ones, for a field that
// is left out is emptied or reset. u is the user that is replaced, nil for a new one.
func (a *litmosAPI) checkUser(in litmosInput, u *litmosUser) (map[string]string, error) {
	values := map[string]string{}
	for _, f := range litmosUserFields() {
		if f.readOnly {
			continue
		}
		value := in[f.name]
		switch f.kind {
		case litmosFlag:
			on, err := in.flag(f.name)
			if err != nil {
				return nil, err
			}
			if value = ""; on {
				value = "true"
			}
		case litmosDate:
			at, err := litmosMoment(value)
			if err != nil {
				return nil, litmosRefusal(400, "%s is not a date", f.name)
			}
			if value = ""; !at.IsZero() {
				value = at.Format(litmosDateFormat)
			}
		case litmosText, litmosNumber, litmosNull:
		}
		if f.max > 0 && utf8.RuneCountInString(value) > f.max {
			return nil, litmosRefusal(400, "%s is longer than %d characters", f.name, f.max)
		}
		if value != "" {
			values[f.name] = value
		}
	}
	delete(values, "Password")       // never given back, and nobody signs in here
	delete(values, "SkipFirstLogin") // given back as false even after true was sent
	if values["AccessLevel"] == "" {
		values["AccessLevel"] = "Learner"
	}
	if values["Culture"] == "" {
		values["Culture"] = "en-US"
	}
	if values["ManagerId"] == "" {
		values["ManagerId"] = "0"
	}
	if err := a.checkNames(values, u); err != nil {
		return nil, err
	}
	return values, a.checkValues(values)
}

// checkNames checks what everybody must have.
func (a *litmosAPI) checkNames(values map[string]string, u *litmosUser) error {
	for _, name := range []string{"UserName", "FirstName", "LastName"} {
		if strings.TrimSpace(values[name]) == "" {
			return litmosRefusal(400, "%s is required", name)
		}
	}
	name := values["UserName"]
	switch owner := a.store.byUserName[foldName(name)]; {
	case utf8.RuneCountInString(name) <= litmosMinUserName:
		return litmosRefusal(409, "UserName is too short, it must be longer than %d characters", litmosMinUserName)
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || r == '<' || r == '>' }):
		return litmosRefusal(409, "UserName contains invalid characters")
	case owner != nil && owner != u:
		return litmosRefusal(409, "UserName already exists")
	}
	return nil
}

func (a *litmosAPI) checkValues(values map[string]string) error {
	switch email := values["Email"]; {
	case email != "" && !mailAddress.MatchString(email), !a.inDomain(email), !a.inDomain(values["UserName"]):
		return litmosRefusal(409, "invalid email")
	case !litmosCulture.MatchString(values["Culture"]):
		return litmosRefusal(409, "Culture invalid")
	case values["JobRole"] != "" && !containsFold(a.cfg.JobRoles, values["JobRole"]):
		return litmosRefusal(409, "Job Role invalid")
	case values["EnableTextNotification"] != "" && !litmosMobile.MatchString(values["PhoneMobile"]):
		return litmosRefusal(400, "PhoneMobile must have the form +15554443333 for text notifications")
	case values["ManagerId"] != "0" && a.store.byID[values["ManagerId"]] == nil:
		return litmosRefusal(404, "there is no user with the ManagerId")
	}
	return nil
}

// inDomain reports whether an address, or a name that looks like one, is in the configured domains.
func (a *litmosAPI) inDomain(address string) bool {
	at := strings.LastIndexByte(address, '@')
	return len(a.domains) == 0 || at < 0 || containsFold(a.domains, address[at+1:])
}

func containsFold(list []string, text string) bool {
	for _, s := range list {
		if strings.EqualFold(s, text) {
			return true
		}
	}
	return false
}

// litmosMoment reads a date of a field; without a zone it is UTC. Empty is the zero time.
func litmosMoment(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	var err error
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateOnly, time.DateTime} {
		var t time.Time
		if t, err = time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, err
}
