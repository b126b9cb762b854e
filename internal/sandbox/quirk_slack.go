package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// Lengths and sizes of Slack.
const (
	slackUserName    = 21
	slackNickName    = 21
	slackDisplayName = 80
	slackName        = 35
	slackMembers     = 15_000
)

// quirkSlack is a service like version 2 of Slack's SCIM API: names are cut and changed, so that what is read back is
// not what was sent; a DELETE of a user deactivates, and the e-mail stays taken; errors have a code for a text.
//
// Where the documents are silent it assumes: of an e-mail address as userName the part before the @ is kept; names of
// people may have 35 characters, none of <>{}[]|@#$%^*=+~"; who is deactivated leaves all groups; the code for an inactive
// member is no_such_user; lists can be filtered by userName, e-mail and displayName; no limits of requests by kind.
func quirkSlack(f *scimFacts, _ *traits) {
	f.deleteDisables, f.membersAreUsers, f.noETags, f.bareErrors = true, true, true, true
	f.userPage, f.groupPage = pageSize{10, 1000}, pageSize{10, 1000}
	f.newID = func(kind *scimKind, n int) string {
		letter := "U"
		if kind.path == groupsPath {
			letter = "S"
		}
		return fmt.Sprintf("%s%07d", letter, n)
	}
	f.add(scimRule{filter: slackFilter, members: slackMember, resource: slackResource, kept: slackKept, refusal: slackRefusal})
}

func slackError(status int, code string) error { return scim.NewError(status, "", "%s", code) }

// slackFilter allows filters by what people and groups are matched by.
func slackFilter(c *call, f scim.Filter) error {
	for _, path := range pathsOf(f) {
		name := scim.FoldKey(path.Attribute)
		if c.kind.path == usersPath && name != "username" && name != "emails" || c.kind.path == groupsPath && name != "displayname" {
			return scim.NewError(http.StatusBadRequest, "", "%s cannot be used in filters", path)
		}
	}
	return nil
}

// slackHandle makes of a text what a user name can be.
func slackHandle(name string) string {
	name, _, _ = strings.Cut(strings.ToLower(name), "@")
	name = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '_'
	}, name)
	return name[:min(len(name), slackUserName)]
}

func slackResource(c *call, was *record, resource map[string]any) error {
	if c.kind.path != usersPath {
		return nil
	}
	handle := slackHandle(text(resource, "userName"))
	if handle == "" {
		return slackError(http.StatusBadRequest, "username_not_allowed")
	}
	if owner := c.kind.byName[handle]; owner != nil && owner != was {
		return slackError(http.StatusConflict, "username_taken")
	}
	resource["userName"] = handle
	if text(resource, "displayName") == "" {
		resource["displayName"] = handle
	}
	if name := text(resource, "displayName"); utf8.RuneCountInString(name) > slackDisplayName || strings.Contains(name, "@") {
		return scim.NewError(http.StatusBadRequest, "", "displayName has at most %d characters, and no @", slackDisplayName)
	}
	if utf8.RuneCountInString(text(resource, "nickName")) > slackNickName {
		return slackError(http.StatusBadRequest, "long_nickname")
	}
	for _, part := range []string{"givenName", "familyName"} {
		switch name := text(resource, "name", part); {
		case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`<>{}[]|@#$%^*=+~"`, r) }):
			return slackError(http.StatusBadRequest, "invalid_name_specials")
		case utf8.RuneCountInString(name) > slackName:
			return slackError(http.StatusBadRequest, "invalid_name_maxlength")
		}
	}
	return slackEmails(c, was, resource)
}

// slackEmails wants an e-mail that nobody else has, active or not.
func slackEmails(c *call, was *record, resource map[string]any) error {
	mails := elements(resource, "emails")
	if len(mails) == 0 {
		return slackError(http.StatusBadRequest, "missing_schema_element")
	}
	for _, mail := range mails {
		value, _ := mail["value"].(string)
		if slices.ContainsFunc(c.kind.by[byEmail][scim.FoldKey(value)], func(r *record) bool { return r != was }) {
			return slackError(http.StatusConflict, "email_taken")
		}
	}
	return nil
}

// slackMember refuses too many members, and who is deactivated.
func slackMember(_ *call, edit *memberEdit) error {
	if len(edit.order) > slackMembers {
		return slackError(http.StatusBadRequest, "too_many_users")
	}
	for _, m := range edit.changed {
		if m != nil && !m.rec.active {
			return slackError(http.StatusBadRequest, "no_such_user")
		}
	}
	return nil
}

// slackKept takes who is deactivated out of all groups.
func slackKept(c *call, rec *record) {
	if rec.members != nil || rec.active {
		return
	}
	for _, g := range slices.Clone(rec.groups) {
		g.members.remove(rec.id)
		rec.leaveGroup(g)
		g.touch(c)
	}
}

// slackRefusal gives an error its code.
func slackRefusal(c *call, e *scim.Error) {
	switch {
	case e.Status == http.StatusUnauthorized:
		e.Detail = "invalid_authentication"
	case e.Status == http.StatusTooManyRequests:
		e.Detail = "too_many_requests"
	case e.Status == http.StatusNotFound && c != nil && c.kind != nil:
		e.Detail = "no_such_" + strings.ToLower(c.kind.typeName)
	case e.Status == http.StatusBadRequest && strings.HasSuffix(e.Detail, "is required"):
		e.Detail = "missing_schema_element"
	}
}
