package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Lengths of a team's texts.
const (
	litmosMaxTeamName    = 100
	litmosMaxDescription = 1000
)

// litmosTeam is a team.
type litmosTeam struct {
	id                string
	number            int
	name, description string
	parent            *litmosTeam
	members           []*litmosMembership // in the order of joining, inactive people too
	byUser            map[*litmosUser]*litmosMembership
	created, updated  time.Time
}

// litmosMembership is a person in a team.
type litmosMembership struct {
	user             *litmosUser
	leader, admin    bool
	created, updated time.Time
}

func (t *litmosTeam) add(u *litmosUser, now time.Time) {
	if t.byUser[u] != nil {
		return
	}
	m := &litmosMembership{user: u, created: now, updated: now}
	t.byUser[u] = m
	t.members = append(t.members, m)
	u.teams = append(u.teams, t)
}

func (t *litmosTeam) remove(u *litmosUser) {
	delete(t.byUser, u)
	t.members = slices.DeleteFunc(t.members, func(m *litmosMembership) bool { return m.user == u })
	u.teams = slices.DeleteFunc(u.teams, func(other *litmosTeam) bool { return other == t })
}

// code is TeamCodeForBulkImport.
func (t *litmosTeam) code() string { return "T" + strconv.Itoa(t.number) }

func (t *litmosTeam) parentID() string {
	if t.parent == nil {
		return ""
	}
	return t.parent.id
}

// short is the form of lists, without the description.
func (t *litmosTeam) short() litmosItem {
	return litmosItem{name: "Team", fields: []litmosValue{{name: "Id", text: t.id}, {name: "Name", text: t.name},
		{name: "TeamCodeForBulkImport", text: t.code()}, {name: "ParentTeamId", text: t.parentID()}}}
}

func (t *litmosTeam) full() litmosItem {
	item := t.short()
	item.fields = slices.Insert(item.fields, 2, litmosValue{name: "Description", text: t.description})
	return item
}

// changed is the form of change windows.
func (t *litmosTeam) changed() litmosItem {
	return litmosItem{name: "Team", fields: slices.Concat([]litmosValue{{name: "Id", text: t.id}, {name: "Name", text: t.name},
		{name: "OriginalTeamId", kind: litmosNumber, text: strconv.Itoa(t.number)}, {name: "Active", kind: litmosFlag, text: "true"}},
		changeFields(t.created, t.updated),
		[]litmosValue{{name: "ParentTeamId", text: t.parentID()}, {name: "TeamCodeForBulkImport", text: t.code()}})}
}

func (m *litmosMembership) changed(t *litmosTeam) litmosItem {
	flag := func(name string, on bool) litmosValue {
		v := litmosValue{name: name, kind: litmosFlag}
		if on {
			v.text = "true"
		}
		return v
	}
	return litmosItem{name: "TeamUser", fields: append([]litmosValue{{name: "TeamId", text: t.id}, {name: "Id", text: m.user.id},
		{name: "OriginalTeamId", kind: litmosNumber, text: strconv.Itoa(t.number)},
		{name: "OriginalUserId", kind: litmosNumber, text: strconv.Itoa(m.user.number)},
		flag("Active", m.user.flag("Active")), flag("IsTeamLeader", m.leader), flag("IsTeamAdmin", m.admin)},
		changeFields(m.created, m.updated)...)}
}

// team finds the team of the path.
func (c *litmosCall) team() (*litmosTeam, error) {
	if t := c.app.store.teamByID[c.args[0]]; t != nil {
		return t, nil
	}
	return nil, litmosRefusal(http.StatusNotFound, "Team not found")
}

func (c *litmosCall) answerTeams(teams []*litmosTeam) error {
	items := []litmosItem{}
	for _, t := range teams {
		items = append(items, t.short())
	}
	return c.answerAll("Teams", items)
}

// teamPage answers with a page of those teams whose name has the text searched for in it.
func (c *litmosCall) teamPage(teams []*litmosTeam) error {
	start, limit, err := c.page()
	if err != nil {
		return err
	}
	text, err := c.searchText()
	if err != nil {
		return err
	}
	teams = slices.DeleteFunc(slices.Clone(teams), func(t *litmosTeam) bool { return !strings.Contains(strings.ToLower(t.name), text) })
	return c.answerTeams(pageOf(teams, start, limit))
}

// listTeams is GET /teams.
func (c *litmosCall) listTeams() error { return c.teamPage(c.app.store.teams) }

// getTeam is GET /teams/{id}.
func (c *litmosCall) getTeam() error {
	t, err := c.team()
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, t.full())
}

// createTeam is POST /teams.
func (c *litmosCall) createTeam() error { return c.newTeam(nil) }

// createSubTeam is POST /teams/{id}/teams.
func (c *litmosCall) createSubTeam() error {
	parent, err := c.team()
	if err != nil {
		return err
	}
	return c.newTeam(parent)
}

func (c *litmosCall) newTeam(parent *litmosTeam) error {
	in, err := c.teamInput(nil)
	if err != nil {
		return err
	}
	store := &c.app.store
	store.serial++
	t := &litmosTeam{id: litmosID("team", store.serial), number: store.serial, name: in["Name"], description: in["Description"],
		parent: parent, byUser: map[*litmosUser]*litmosMembership{}, created: c.now, updated: c.now}
	store.teams = append(store.teams, t)
	store.teamByID[t.id] = t
	store.teamByName[foldName(t.name)] = t
	return c.answer(http.StatusCreated, t.full())
}

// teamInput reads a team; t is the one that is replaced, nil for a new one.
func (c *litmosCall) teamInput(t *litmosTeam) (litmosInput, error) {
	in, err := c.one("Team", []string{"Id", "Name", "Description", "TeamCodeForBulkImport", "ParentTeamId"})
	if err != nil {
		return nil, err
	}
	switch owner := c.app.store.teamByName[foldName(in["Name"])]; {
	case t != nil && in["Id"] != t.id:
		return nil, litmosRefusal(http.StatusNotFound, "the Id of the body is not that of the address")
	case strings.TrimSpace(in["Name"]) == "":
		return nil, litmosRefusal(http.StatusBadRequest, "Name is required")
	case utf8.RuneCountInString(in["Name"]) > litmosMaxTeamName:
		return nil, litmosRefusal(http.StatusBadRequest, "Name is longer than %d characters", litmosMaxTeamName)
	case utf8.RuneCountInString(in["Description"]) > litmosMaxDescription:
		return nil, litmosRefusal(http.StatusBadRequest, "Description is longer than %d characters", litmosMaxDescription)
	case owner != nil && owner != t:
		return nil, litmosRefusal(http.StatusConflict, "Team name already exists")
	}
	return in, nil
}

// putTeam is PUT /teams/{id}: name and description are replaced, the place among the teams stays.
func (c *litmosCall) putTeam() error {
	t, err := c.team()
	if err != nil {
		return err
	}
	in, err := c.teamInput(t)
	if err != nil {
		return err
	}
	delete(c.app.store.teamByName, foldName(t.name))
	t.name, t.description, t.updated = in["Name"], in["Description"], c.now
	c.app.store.teamByName[foldName(t.name)] = t
	return c.done(http.StatusOK)
}

// deleteTeam is DELETE /teams/{id}.
func (c *litmosCall) deleteTeam() error {
	t, err := c.team()
	if err != nil {
		return err
	}
	for _, m := range slices.Clone(t.members) {
		t.remove(m.user)
	}
	store := &c.app.store
	delete(store.teamByID, t.id)
	delete(store.teamByName, foldName(t.name))
	store.teams = slices.DeleteFunc(store.teams, func(other *litmosTeam) bool { return other == t })
	for _, other := range store.teams {
		if other.parent == t {
			other.parent, other.updated = nil, c.now
		}
	}
	return c.done(http.StatusOK)
}

// listSubTeams is GET /teams/{id}/teams.
func (c *litmosCall) listSubTeams() error {
	t, err := c.team()
	if err != nil {
		return err
	}
	return c.teamPage(slices.DeleteFunc(slices.Clone(c.app.store.teams), func(other *litmosTeam) bool { return other.parent != t }))
}
