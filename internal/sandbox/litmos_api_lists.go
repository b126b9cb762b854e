package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Sizes of pages and of the text to search for.
const (
	litmosPage      = 100
	litmosMaxPage   = 1000
	litmosMaxSearch = 50
)

// page reads start and limit. More than the most that is given is no error, and gives the most.
func (c *litmosCall) page() (start, limit int, err error) {
	if start, err = c.number("start", 0); err != nil {
		return 0, 0, err
	}
	if limit, err = c.number("limit", litmosPage); err != nil {
		return 0, 0, err
	}
	return start, min(limit, litmosMaxPage), nil
}

func (c *litmosCall) number(name string, otherwise int) (int, error) {
	text := c.query.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, litmosRefusal(http.StatusBadRequest, "%s is %q; it must be a whole number", name, text)
	}
	return n, nil
}

// pageOf gives a page of a list; behind the end it is empty.
func pageOf[T any](list []T, start, limit int) []T {
	list = list[min(start, len(list)):]
	return list[:min(limit, len(list))]
}

// searchText reads the text to search for, folded.
func (c *litmosCall) searchText() (string, error) {
	text := c.query.Get("search")
	if utf8.RuneCountInString(text) > litmosMaxSearch {
		return "", litmosRefusal(http.StatusBadRequest, "search is longer than %d characters", litmosMaxSearch)
	}
	return strings.ToLower(text), nil
}

// found gives the people of a list that the query asks for: search looks for a part of user name, names, e-mail or
// company, whether active or not; showInactive=false leaves out who is inactive.
func (c *litmosCall) found(people []*litmosUser) ([]*litmosUser, error) {
	text, err := c.searchText()
	if err != nil {
		return nil, err
	}
	hidden := strings.EqualFold(c.query.Get("showInactive"), "false")
	if text != "" || hidden {
		people = slices.DeleteFunc(slices.Clone(people), func(u *litmosUser) bool {
			return hidden && !u.flag("Active") || !strings.Contains(u.found, text)
		})
	}
	return c.sorted(people)
}

// sorted sorts by a field of the short form, if the query says so.
func (c *litmosCall) sorted(people []*litmosUser) ([]*litmosUser, error) {
	by := c.query.Get("sort")
	switch by {
	case "":
		return people, nil
	case "UserName", "FirstName", "LastName", "Email", "AccessLevel", "Brand":
	default:
		return nil, litmosRefusal(http.StatusBadRequest, "lists cannot be sorted by %s", by)
	}
	people = slices.Clone(people)
	slices.SortStableFunc(people, func(a, b *litmosUser) int {
		order := strings.Compare(foldName(a.values[by]), foldName(b.values[by]))
		if strings.EqualFold(c.query.Get("dir"), "DESC") {
			return -order
		}
		return order
	})
	return people, nil
}

// answerPage answers with a page of people, in the form that show gives.
func (c *litmosCall) answerPage(people []*litmosUser, show func(*litmosUser) litmosItem) error {
	start, limit, err := c.page()
	if err != nil {
		return err
	}
	items := []litmosItem{}
	for _, u := range pageOf(people, start, limit) {
		items = append(items, show(u))
	}
	return c.answerAll("Users", items)
}

// listUsers is GET /users, in the short form.
func (c *litmosCall) listUsers() error {
	people, err := c.found(c.app.store.people)
	if err != nil {
		return err
	}
	return c.answerPage(people, (*litmosUser).short)
}

// paginatedUsers is GET /users/paginated: the same with the number of all hits. How it looks in XML is not documented:
// it is told to ask for JSON.
func (c *litmosCall) paginatedUsers() error {
	if !c.json {
		return litmosRefusal(http.StatusNotImplemented, "the sandbox has this list in JSON only; send format=json")
	}
	people, err := c.found(c.app.store.people)
	if err != nil {
		return err
	}
	start, limit, err := c.page()
	if err != nil {
		return err
	}
	items := []litmosItem{}
	for _, u := range pageOf(people, start, limit) {
		items = append(items, u.short())
	}
	pagination := litmosItem{fields: []litmosValue{{name: "BatchParam"},
		{name: "BatchSize", kind: litmosNumber, text: strconv.Itoa(limit)}, {name: "Start", kind: litmosNumber, text: strconv.Itoa(start)},
		{name: "TotalCount", kind: litmosNumber, text: strconv.Itoa(len(people))}}}
	return c.answer(http.StatusOK, litmosItem{fields: []litmosValue{
		{name: "Pagination", raw: pagination.appendJSON(nil, true)}, {name: "Items", raw: appendLitmosArray(nil, items)}}})
}

// moment reads a bound of a change window, in UTC.
func (c *litmosCall) moment(name string) (time.Time, error) {
	text := c.query.Get(name)
	for _, layout := range []string{time.DateOnly, "2006-01-02 15:04", time.DateTime} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, litmosRefusal(http.StatusNotAcceptable, "%s is required, as 2006-01-02 15:04:05", name)
}

// window reads since and to.
func (c *litmosCall) window() (since, to time.Time, err error) {
	if since, err = c.moment("since"); err != nil {
		return since, to, err
	}
	to, err = c.moment("to")
	return since, to, err
}

// within reports whether a time is in a window, bounds included.
func within(t, since, to time.Time) bool { return !t.Before(since) && !t.After(to) }

// usersCreatedSince is GET /users/details: the full form of who was created since a time.
func (c *litmosCall) usersCreatedSince() error {
	since, err := c.moment("since")
	if err != nil {
		return err
	}
	people := slices.DeleteFunc(slices.Clone(c.app.store.people), func(u *litmosUser) bool { return u.created.Before(since) })
	if people, err = c.found(people); err != nil {
		return err
	}
	return c.answerPage(people, (*litmosUser).full)
}

// usersChanged is GET /org/users/details: the full form of who was created or changed in a window, active or not.
func (c *litmosCall) usersChanged() error {
	since, to, err := c.window()
	if err != nil {
		return err
	}
	people := slices.DeleteFunc(slices.Clone(c.app.store.people), func(u *litmosUser) bool { return !within(u.updated, since, to) })
	return c.answerPage(people, (*litmosUser).changed)
}

// teamsChanged is GET /org/teams: teams created or changed in a window.
func (c *litmosCall) teamsChanged() error {
	since, to, err := c.window()
	if err != nil {
		return err
	}
	start, limit, err := c.page()
	if err != nil {
		return err
	}
	teams := slices.DeleteFunc(slices.Clone(c.app.store.teams), func(t *litmosTeam) bool { return !within(t.updated, since, to) })
	items := []litmosItem{}
	for _, t := range pageOf(teams, start, limit) {
		items = append(items, t.changed())
	}
	return c.answerAll("Teams", items)
}

// membershipsChanged is GET /org/teams/users: memberships created or changed in a window, those of inactive people
// among them.
func (c *litmosCall) membershipsChanged() error {
	since, to, err := c.window()
	if err != nil {
		return err
	}
	start, limit, err := c.page()
	if err != nil {
		return err
	}
	items := []litmosItem{}
	for _, t := range c.app.store.teams {
		for _, m := range t.members {
			if within(m.updated, since, to) {
				items = append(items, m.changed(t))
			}
		}
	}
	return c.answerAll("TeamUsers", pageOf(items, start, limit))
}
