package sandbox

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// litmosUser is an account.
type litmosUser struct {
	id               string
	number           int               // OriginalId
	values           map[string]string // writable fields that are not empty
	custom           map[string]string // advanced custom fields by name
	manager          *litmosUser
	teams            []*litmosTeam // in the order of joining
	created, updated time.Time
	found            string // what search looks at, folded
}

func (u *litmosUser) flag(name string) bool { return u.values[name] != "" }

// set gives a user new values.
func (u *litmosUser) set(values map[string]string, store *litmosStore, now time.Time) {
	if u.values != nil {
		delete(store.byUserName, foldName(u.values["UserName"]))
	}
	u.values, u.updated = values, now
	u.manager = store.byID[values["ManagerId"]]
	store.byUserName[foldName(values["UserName"])] = u
	u.found = ""
	for _, name := range []string{"UserName", "FirstName", "LastName", "Email", "CompanyName"} {
		u.found += strings.ToLower(values[name]) + "\n"
	}
}

// litmosID makes the opaque id of an object: eight bytes in the alphabet of URLs and how many were missing to nine.
// Equal requests to equal sandboxes get equal ids.
func litmosID(kind string, serial int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, serial))
	return base64.RawURLEncoding.EncodeToString(sum[:8]) + "1"
}

// litmosFirstNumber is where OriginalId begins.
const litmosFirstNumber = 5_098_000

// show gives one field of the full form.
func (u *litmosUser) show(f litmosField) litmosValue {
	v := litmosValue{name: f.name, kind: f.kind, text: u.values[f.name]}
	switch f.name {
	case "Id":
		v.text = u.id
	case "FullName":
		v.text = u.values["FirstName"] + " " + u.values["LastName"]
	case "LoginKey":
		// A secret in the real application: whoever has it is signed in.
		v.text = "https://example.litmos.com/login.aspx?loginkey=" + uuid.NewSHA1(uuid.NameSpaceURL, []byte("loginkey/"+u.id)).String()
	case "OriginalId":
		v.text = strconv.Itoa(u.number)
	case "CreatedDate":
		v.text = u.created.Format(litmosDateFormat)
	case "Points":
		v.text = "0"
	case "ManagerId":
		v.text = "0"
		if u.manager != nil {
			v.text = u.manager.id
		}
	case "ManagerName":
		if u.manager != nil {
			v.text = u.manager.values["UserName"]
		}
	}
	return v
}

// full is the full form.
func (u *litmosUser) full() litmosItem {
	item := litmosItem{name: "User"}
	for _, f := range litmosUserFields() {
		item.fields = append(item.fields, u.show(f))
	}
	return item
}

// changed is the full form with who made the last change and when, as change windows have it.
func (u *litmosUser) changed() litmosItem {
	item := u.full()
	for i := range item.fields {
		if item.fields[i].name == "CreatedDate" {
			item.fields[i].text = u.created.Format(litmosOrgDateFormat)
		}
	}
	item.fields = append(item.fields, changeFields(u.created, u.updated)[1:]...)
	return item
}

// changeFields are the fields that objects have in change windows.
func changeFields(created, updated time.Time) []litmosValue {
	return []litmosValue{
		{name: "CreatedDate", text: created.Format(litmosOrgDateFormat)}, {name: "UpdatedDate", text: updated.Format(litmosOrgDateFormat)},
		{name: "CreatedBy", text: "API"}, {name: "UpdatedBy", text: "API"},
	}
}

// short is the short form, that of lists.
func (u *litmosUser) short() litmosItem {
	item := litmosItem{name: "User"}
	for _, f := range []litmosField{{name: "Id"}, {name: "UserName"}, {name: "FirstName"}, {name: "LastName"},
		{name: "Active", kind: litmosFlag}, {name: "Email"}, {name: "AccessLevel"}, {name: "Brand"}} {
		item.fields = append(item.fields, u.show(f))
	}
	return item
}

// user finds the user of the path by id.
func (c *litmosCall) user(id string) (*litmosUser, error) {
	if u := c.app.store.byID[id]; u != nil {
		return u, nil
	}
	return nil, litmosRefusal(http.StatusNotFound, "User not found")
}

// getUser is GET /users/{id}, where the user name may stand for the id. A + in it comes as a space, so that clients
// need their search for such names.
func (c *litmosCall) getUser() error {
	u := c.app.store.byID[c.args[0]]
	if u == nil {
		u = c.app.store.byUserName[foldName(strings.ReplaceAll(c.args[0], "+", " "))]
	}
	if u == nil {
		return litmosRefusal(http.StatusNotFound, "User not found")
	}
	return c.answer(http.StatusOK, u.full())
}

// createUser is POST /users.
func (c *litmosCall) createUser() error {
	in, err := c.one("User", litmosUserOrder())
	if err != nil {
		return err
	}
	for _, name := range []string{"UserName", "FirstName", "LastName", "Email", "DisableMessages"} {
		if _, sent := in[name]; !sent {
			return litmosRefusal(http.StatusBadRequest, "%s is required", name)
		}
	}
	values, err := c.app.checkUser(in, nil)
	if err != nil {
		return err
	}
	store := &c.app.store
	store.serial++
	u := &litmosUser{id: litmosID("user", store.serial), number: litmosFirstNumber + store.serial, created: c.now, custom: map[string]string{}}
	u.set(values, store, c.now)
	store.people = append(store.people, u)
	store.byID[u.id] = u
	return c.answer(http.StatusCreated, u.full())
}

// putUser is PUT /users/{id}: everything is replaced.
func (c *litmosCall) putUser() error {
	u, err := c.user(c.args[0])
	if err != nil {
		return err
	}
	in, err := c.one("User", litmosUserOrder())
	if err != nil {
		return err
	}
	if in["Id"] != u.id {
		return litmosRefusal(http.StatusNotFound, "the Id of the body is not that of the address")
	}
	values, err := c.app.checkUser(in, u)
	if err != nil {
		return err
	}
	u.set(values, &c.app.store, c.now)
	return c.done(http.StatusOK)
}

// deleteUser is DELETE /users/{id}. The account is gone, and with it its memberships.
func (c *litmosCall) deleteUser() error {
	u, err := c.user(c.args[0])
	if err != nil {
		return err
	}
	store := &c.app.store
	for _, t := range slices.Clone(u.teams) {
		t.remove(u)
	}
	delete(store.byID, u.id)
	delete(store.byUserName, foldName(u.values["UserName"]))
	store.people = slices.DeleteFunc(store.people, func(p *litmosUser) bool { return p == u })
	for _, p := range store.people {
		if p.manager == u {
			p.manager = nil
		}
	}
	return c.done(http.StatusOK)
}

// maxTeamsOfUser is how many teams POST /users/{id}/teams takes.
const maxTeamsOfUser = 25

// teamsOfUser is GET /users/{id}/teams.
func (c *litmosCall) teamsOfUser() error {
	u, err := c.user(c.args[0])
	if err != nil {
		return err
	}
	return c.answerTeams(u.teams)
}

// joinTeams is POST /users/{id}/teams: all of them or none.
func (c *litmosCall) joinTeams() error {
	u, err := c.user(c.args[0])
	if err != nil {
		return err
	}
	list, err := c.many("Teams", "Team")
	if err != nil {
		return err
	}
	if len(list) > maxTeamsOfUser {
		return litmosRefusal(http.StatusBadRequest, "%d teams; a call takes %d", len(list), maxTeamsOfUser)
	}
	var teams []*litmosTeam
	for _, in := range list {
		t := c.app.store.teamByID[in["Id"]]
		switch {
		case t == nil:
			return litmosRefusal(http.StatusNotFound, "Team not found")
		case t.byUser[u] != nil || slices.Contains(teams, t):
			return litmosRefusal(http.StatusConflict, "the user is a member of the team already")
		}
		teams = append(teams, t)
	}
	for _, t := range teams {
		t.add(u, c.now)
	}
	return c.done(http.StatusCreated)
}

// leaveTeams is DELETE /users/{id}/teams: out of all of them.
func (c *litmosCall) leaveTeams() error {
	u, err := c.user(c.args[0])
	if err != nil {
		return err
	}
	for _, t := range slices.Clone(u.teams) {
		t.remove(u)
	}
	return c.done(http.StatusOK)
}
