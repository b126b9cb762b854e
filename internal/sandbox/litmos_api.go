package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// litmosAPIName is the name of the emulation.
const litmosAPIName = "litmos-api"

// The paths of Litmos' own interface begin with this.
const litmosAPIBase = "/v1.svc"

// litmosMaxSource is the length of the source parameter.
const litmosMaxSource = 50

// litmosAPI is SAP Litmos' own REST interface, version 1, as lifecycle products use it where SCIM is not enabled.
//
// Where the public documents are silent or disagree it takes the answer that is harder on a client: a flag left out of
// a POST or PUT is false; XML elements that are known and out of order are refused; a + in a user name does not survive
// the path; the text of an error is in the reason phrase, and in the body in JSON only; inactive people keep their
// memberships; memberships that ended are in no change window; sub-teams of a deleted team move to the top.
type litmosAPI struct {
	cfg     Config
	key     [sha256.Size]byte
	domains []string
	fields  []litmosCustomField

	mu    sync.RWMutex
	store litmosStore
}

func newLitmosAPI(cfg Config) (application, traits) {
	app := &litmosAPI{cfg: cfg, key: sha256.Sum256([]byte(cfg.Token)), domains: cfg.domains(),
		fields: litmosCustomFields(cfg.CustomFields)}
	app.reset()
	return app, traits{basePath: litmosAPIBase, rate: litmosRate, rateStatus: http.StatusServiceUnavailable}
}

// litmosStore holds people and teams in the order of their creation.
type litmosStore struct {
	serial     int // objects made so far
	people     []*litmosUser
	byID       map[string]*litmosUser
	byUserName map[string]*litmosUser // folded
	teams      []*litmosTeam
	teamByID   map[string]*litmosTeam
	teamByName map[string]*litmosTeam // folded
}

func (a *litmosAPI) reset() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.store = litmosStore{byID: map[string]*litmosUser{}, byUserName: map[string]*litmosUser{},
		teamByID: map[string]*litmosTeam{}, teamByName: map[string]*litmosTeam{}}
}

// litmosError is a refusal.
type litmosError struct {
	status int
	detail string
}

func (e *litmosError) Error() string { return e.detail }

func litmosRefusal(status int, format string, args ...any) error {
	return &litmosError{status: status, detail: fmt.Sprintf(format, args...)}
}

// refuse answers in JSON: the exchange refuses what the application never looks at.
func (a *litmosAPI) refuse(w http.ResponseWriter, status int, detail string) {
	writeLitmosDetail(w, status, detail)
}

func writeLitmosDetail(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(map[string]string{"Detail": detail})
	if err != nil {
		body = nil // a text can always be written
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a reply in memory takes everything
}

// litmosCall is one request.
type litmosCall struct {
	app   *litmosAPI
	w     http.ResponseWriter
	r     *http.Request
	body  []byte
	query url.Values
	args  []string // what stands for the stars of the route
	json  bool     // the answer is JSON, else XML
	now   time.Time
}

func (a *litmosAPI) serve(w http.ResponseWriter, r *http.Request, below string, body []byte) {
	c := &litmosCall{app: a, w: w, r: r, body: body, now: a.cfg.Now().UTC()}
	if err := c.route(below); err != nil {
		c.refuse(err)
	}
}

// refuse answers with an error. Its text is in the reason phrase too, except where a client only asked for something
// that is not there.
func (c *litmosCall) refuse(err error) {
	var e *litmosError
	if !errors.As(err, &e) {
		e = &litmosError{http.StatusInternalServerError, err.Error()}
	}
	if w, ok := c.w.(interface{ setReason(string) }); ok && (c.r.Method != http.MethodGet || e.status != http.StatusNotFound) {
		w.setReason(e.detail)
	}
	if c.json {
		writeLitmosDetail(c.w, e.status, e.detail)
		return
	}
	c.w.WriteHeader(e.status)
}

// litmosRoute is an endpoint; a star stands for one segment of the path.
type litmosRoute struct {
	method, pattern string
	serve           func(*litmosCall) error
}

// litmosRoutes lists the endpoints, exact ones before those with a star in the same place.
func litmosRoutes() []litmosRoute {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	return []litmosRoute{
		{get, "users", (*litmosCall).listUsers},
		{post, "users", (*litmosCall).createUser},
		{get, "users/paginated", (*litmosCall).paginatedUsers},
		{get, "users/details", (*litmosCall).usersCreatedSince},
		{get, "users/*", (*litmosCall).getUser},
		{put, "users/*", (*litmosCall).putUser},
		{del, "users/*", (*litmosCall).deleteUser},
		{get, "users/*/usercustomfields", (*litmosCall).getCustomFields},
		{post, "users/*/usercustomfields", (*litmosCall).setCustomFields},
		{get, "users/*/teams", (*litmosCall).teamsOfUser},
		{post, "users/*/teams", (*litmosCall).joinTeams},
		{del, "users/*/teams", (*litmosCall).leaveTeams},
		{get, "org/users/details", (*litmosCall).usersChanged},
		{get, "org/teams", (*litmosCall).teamsChanged},
		{get, "org/teams/users", (*litmosCall).membershipsChanged},
		{get, "teams", (*litmosCall).listTeams},
		{post, "teams", (*litmosCall).createTeam},
		{get, "teams/*", (*litmosCall).getTeam},
		{put, "teams/*", (*litmosCall).putTeam},
		{del, "teams/*", (*litmosCall).deleteTeam},
		{get, "teams/*/teams", (*litmosCall).listSubTeams},
		{post, "teams/*/teams", (*litmosCall).createSubTeam},
		{get, "teams/*/users", (*litmosCall).listMembers},
		{post, "teams/*/users", (*litmosCall).addMembers},
		{del, "teams/*/users/*", (*litmosCall).removeMember},
		{get, "teams/*/leaders", (*litmosCall).listLeaders},
		{put, "teams/*/leaders/*", (*litmosCall).addLeader},
		{del, "teams/*/leaders/*", (*litmosCall).removeLeader},
		{get, "teams/*/admins", (*litmosCall).listAdmins},
		{put, "teams/*/admins/*", (*litmosCall).addAdmin},
		{del, "teams/*/admins/*", (*litmosCall).removeAdmin},
		{get, "bulkimports", (*litmosCall).bulkImports},
		{post, "bulkimports", (*litmosCall).bulkImports},
		{get, "bulkimports/*", (*litmosCall).bulkImports},
		{get, "bulkimports/*/usererrors", (*litmosCall).bulkImports},
	}
}

// bulkImports is the asynchronous import, whose pace and codes are not documented.
func (c *litmosCall) bulkImports() error {
	return litmosRefusal(http.StatusNotImplemented, "the sandbox has no bulk import")
}

func (c *litmosCall) route(below string) error {
	var err error
	if c.query, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return litmosRefusal(http.StatusBadRequest, "the query cannot be read")
	}
	c.json = c.wantsJSON()
	if err := c.authorize(); err != nil {
		return err
	}
	segments := strings.Split(strings.Trim(below, "/"), "/")
	var allowed []string
	for _, route := range litmosRoutes() {
		args, ok := matchSegments(route.pattern, segments)
		switch {
		case !ok:
			continue
		case route.method != c.r.Method:
			allowed = append(allowed, route.method)
			continue
		}
		c.args = args
		if route.method == http.MethodGet {
			c.app.mu.RLock()
			defer c.app.mu.RUnlock()
		} else {
			c.app.mu.Lock()
			defer c.app.mu.Unlock()
		}
		return route.serve(c)
	}
	if len(allowed) > 0 {
		c.w.Header().Set("Allow", strings.Join(allowed, ", "))
		return litmosRefusal(http.StatusMethodNotAllowed, "%s is not allowed here", c.r.Method)
	}
	return litmosRefusal(http.StatusNotFound, "Endpoint not found")
}

// matchSegments compares a path with a pattern and gives what stands for the stars.
func matchSegments(pattern string, segments []string) (args []string, ok bool) {
	want := strings.Split(pattern, "/")
	if len(want) != len(segments) {
		return nil, false
	}
	for i, w := range want {
		switch {
		case w == "*" && segments[i] != "":
			args = append(args, segments[i])
		case w != segments[i]:
			return nil, false
		}
	}
	return args, true
}

// authorize checks the key, which counts in its header only, and the name of the caller.
func (c *litmosCall) authorize() error {
	if c.app.cfg.Token != "" {
		digest := sha256.Sum256([]byte(c.r.Header.Get("apikey")))
		if subtle.ConstantTimeCompare(digest[:], c.app.key[:]) != 1 {
			return litmosRefusal(http.StatusUnauthorized, "the apikey header holds no valid key")
		}
	}
	if source := c.query.Get("source"); source == "" || len(source) > litmosMaxSource {
		return litmosRefusal(http.StatusForbidden, "the query parameter source, at most %d characters, is required", litmosMaxSource)
	}
	return nil
}

// wantsJSON reports how to answer: XML unless JSON is asked for, in the query or in a header.
func (c *litmosCall) wantsJSON() bool {
	if format := c.query.Get("format"); format != "" {
		return strings.EqualFold(format, "json")
	}
	for accepted := range strings.SplitSeq(c.r.Header.Get("Accept"), ",") {
		switch mediaType, _, _ := mime.ParseMediaType(accepted); mediaType {
		case "application/json":
			return true
		case "application/xml", "text/xml":
			return false
		}
	}
	return c.sendsJSON()
}

func (c *litmosCall) sendsJSON() bool {
	mediaType, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	return mediaType == "application/json"
}

// sendsXML reports the form of the body: what its type says, else that of the answer.
func (c *litmosCall) sendsXML() bool {
	mediaType, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/json":
		return false
	case "application/xml", "text/xml":
		return true
	}
	return !c.json
}

// answer writes one object.
func (c *litmosCall) answer(status int, item litmosItem) error {
	if c.json {
		return c.write(status, "application/json; charset=utf-8", item.appendJSON(nil, true))
	}
	return c.write(status, "application/xml; charset=utf-8", item.appendXML(nil))
}

// answerAll writes a list: a bare array in JSON, the plural as root in XML.
func (c *litmosCall) answerAll(name string, items []litmosItem) error {
	if c.json {
		return c.write(http.StatusOK, "application/json; charset=utf-8", appendLitmosArray(nil, items))
	}
	return c.write(http.StatusOK, "application/xml; charset=utf-8", appendLitmosList(nil, name, items))
}

// done answers without a body.
func (c *litmosCall) done(status int) error {
	c.w.WriteHeader(status)
	return nil
}

func (c *litmosCall) write(status int, contentType string, body []byte) error {
	c.w.Header().Set("Content-Type", contentType)
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // a reply in memory takes everything
	return nil
}

// users yields everybody in the full form with their teams, texts as they are, for GET /_sandbox/state.
func (a *litmosAPI) users() iter.Seq[json.RawMessage] {
	return litmosState(a, func() []*litmosUser { return a.store.people }, func(u *litmosUser) []byte {
		item := u.full()
		item.fields = append(item.fields, litmosValue{name: "CustomFields", raw: u.customJSON()})
		teams := make([]litmosItem, 0, len(u.teams))
		for _, t := range u.teams {
			teams = append(teams, litmosItem{fields: []litmosValue{{name: "Id", text: t.id}, {name: "Name", text: t.name}}})
		}
		item.fields = append(item.fields, litmosValue{name: "Teams", raw: appendPlainArray(nil, teams)})
		return item.appendJSON(nil, false)
	})
}

// groups yields all teams with members, leaders and administrators, for GET /_sandbox/state.
func (a *litmosAPI) groups() iter.Seq[json.RawMessage] {
	return litmosState(a, func() []*litmosTeam { return a.store.teams }, func(t *litmosTeam) []byte {
		item := t.full()
		for _, list := range []struct {
			name string
			in   func(*litmosMembership) bool
		}{
			{"Members", func(*litmosMembership) bool { return true }},
			{"Leaders", func(m *litmosMembership) bool { return m.leader }},
			{"Admins", func(m *litmosMembership) bool { return m.admin }},
		} {
			people := []litmosItem{}
			for _, m := range t.members {
				if list.in(m) {
					people = append(people, litmosItem{fields: []litmosValue{{name: "Id", text: m.user.id},
						{name: "UserName", text: m.user.values["UserName"]}}})
				}
			}
			item.fields = append(item.fields, litmosValue{name: list.name, raw: appendPlainArray(nil, people)})
		}
		return item.appendJSON(nil, false)
	})
}

// litmosState yields objects one by one, without holding the lock throughout.
func litmosState[T any](a *litmosAPI, all func() []T, show func(T) []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		a.mu.RLock()
		list := slices.Clone(all())
		a.mu.RUnlock()
		for _, v := range list {
			a.mu.RLock()
			data := show(v)
			a.mu.RUnlock()
			if !yield(data) {
				return
			}
		}
	}
}

func (a *litmosAPI) canSignIn(userName string) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	u := a.store.byUserName[foldName(userName)]
	return u != nil && u.flag("Active")
}
