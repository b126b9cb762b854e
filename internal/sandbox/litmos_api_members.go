package sandbox

import "net/http"

// memberPage answers with a page of the members of the team of the path that pass a test; inactive people are never
// shown.
func (c *litmosCall) memberPage(in func(*litmosMembership) bool) error {
	t, err := c.team()
	if err != nil {
		return err
	}
	var people []*litmosUser
	for _, m := range t.members {
		if in(m) && m.user.flag("Active") {
			people = append(people, m.user)
		}
	}
	if people, err = c.found(people); err != nil {
		return err
	}
	return c.answerPage(people, (*litmosUser).short)
}

// listMembers is GET /teams/{id}/users.
func (c *litmosCall) listMembers() error {
	return c.memberPage(func(*litmosMembership) bool { return true })
}

// listLeaders is GET /teams/{id}/leaders.
func (c *litmosCall) listLeaders() error {
	return c.memberPage(func(m *litmosMembership) bool { return m.leader })
}

// listAdmins is GET /teams/{id}/admins.
func (c *litmosCall) listAdmins() error {
	return c.memberPage(func(m *litmosMembership) bool { return m.admin })
}

// addMembers is POST /teams/{id}/users. Who is in the team already, and ids of nobody, are passed over in silence.
func (c *litmosCall) addMembers() error {
	t, err := c.team()
	if err != nil {
		return err
	}
	list, err := c.many("Users", "User")
	if err != nil {
		return err
	}
	for _, in := range list {
		if u := c.app.store.byID[in["Id"]]; u != nil {
			t.add(u, c.now)
		}
	}
	return c.done(http.StatusCreated)
}

// member finds the membership that the path names.
func (c *litmosCall) member() (*litmosTeam, *litmosMembership, error) {
	t, err := c.team()
	if err != nil {
		return nil, nil, err
	}
	u, err := c.user(c.args[1])
	if err != nil {
		return nil, nil, err
	}
	m := t.byUser[u]
	if m == nil {
		return nil, nil, litmosRefusal(http.StatusNotFound, "the user is not a member of the team")
	}
	return t, m, nil
}

// removeMember is DELETE /teams/{id}/users/{userId}.
func (c *litmosCall) removeMember() error {
	t, m, err := c.member()
	if err != nil {
		return err
	}
	t.remove(m.user)
	return c.done(http.StatusOK)
}

func (c *litmosCall) addLeader() error {
	return c.setRole(func(m *litmosMembership) *bool { return &m.leader }, true)
}

func (c *litmosCall) removeLeader() error {
	return c.setRole(func(m *litmosMembership) *bool { return &m.leader }, false)
}

func (c *litmosCall) addAdmin() error {
	return c.setRole(func(m *litmosMembership) *bool { return &m.admin }, true)
}

func (c *litmosCall) removeAdmin() error {
	return c.setRole(func(m *litmosMembership) *bool { return &m.admin }, false)
}

// setRole makes a member leader or administrator, or takes it back.
func (c *litmosCall) setRole(role func(*litmosMembership) *bool, on bool) error {
	_, m, err := c.member()
	if err != nil {
		return err
	}
	if r := role(m); *r != on {
		*r, m.updated = on, c.now
	}
	return c.done(http.StatusOK)
}
