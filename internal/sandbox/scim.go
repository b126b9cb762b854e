package sandbox

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// scimApp is an emulated SCIM 2.0 service (RFC 7643, RFC 7644).
type scimApp struct {
	cfg     Config
	facts   scimFacts
	base    string // base path
	token   [sha256.Size]byte
	domains []string
	store   *scimStore
}

func newSCIMApp(cfg Config, base string, facts scimFacts) *scimApp {
	if cfg.Strict {
		facts.user, facts.group = facts.user.AsStrict(), facts.group.AsStrict()
	}
	a := &scimApp{cfg: cfg, facts: facts, base: base, token: sha256.Sum256([]byte(cfg.Token)), domains: cfg.domains(),
		store: newSCIMStore()}
	a.seed()
	return a
}

// seed makes the groups that are there from the beginning.
func (a *scimApp) seed() {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	c := &call{app: a, kind: &a.store.groups, def: a.facts.group}
	for _, name := range a.facts.groups {
		if _, err := c.insert(map[string]any{"schemas": []any{scim.GroupURN}, "displayName": name}, nil); err != nil {
			a.cfg.Logger.Error("group not made", "group", name, "error", err)
		}
	}
}

// newGenericSCIM is a SCIM service as the RFCs describe it; unless strict it takes what the reference service
// sends besides.
func newGenericSCIM(cfg Config) (application, traits) {
	facts := scimFacts{
		user: scim.UserDefinition(), group: scim.GroupDefinition(),
		documentation: "https://www.rfc-editor.org/rfc/rfc7644",
	}
	t := traits{basePath: "/scim/v2", rateStatus: http.StatusTooManyRequests, retryAfter: true}
	for _, name := range cfg.Quirks {
		quirks()[name](&facts, &t)
	}
	return newSCIMApp(cfg, t.basePath, facts), t
}

func (a *scimApp) reset() {
	a.store.reset()
	a.seed()
}

func (a *scimApp) refuse(w http.ResponseWriter, status int, detail string) {
	a.answerError(nil, w, &scim.Error{Status: status, Detail: detail})
}

// answerError answers with an error as the service puts it; c is nil for requests that never came to it.
func (a *scimApp) answerError(c *call, w http.ResponseWriter, err error) {
	var e *scim.Error
	if !errors.As(err, &e) {
		e = scim.NewError(http.StatusInternalServerError, "", "the sandbox cannot answer: %v", err)
	}
	for _, rule := range a.facts.rules {
		if rule.refusal != nil {
			rule.refusal(c, e)
		}
	}
	if a.facts.bareErrors {
		answerJSON(w, e.Status, map[string]any{"schemas": []string{scim.ErrorURN}, "detail": e.Detail, "status": e.Status})
		return
	}
	answerJSON(w, e.Status, e)
}

func answerJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, nil
	}
	w.Header().Set("Content-Type", scim.MediaType)
	w.WriteHeader(status)
	_, _ = w.Write(data) // a reply in memory takes everything
}

// call is one request to the service.
type call struct {
	app    *scimApp
	w      http.ResponseWriter
	r      *http.Request
	body   []byte
	query  url.Values
	origin string // base URL as the client wrote it
	kind   *scimKind
	def    *scim.Definition
	view   projection
}

func (a *scimApp) serve(w http.ResponseWriter, r *http.Request, below string, body []byte) {
	c := &call{app: a, w: w, r: r, body: body}
	if err := c.route(below); err != nil {
		a.answerError(c, w, err)
	}
}

// resource names below the base path.
const (
	usersPath     = "Users"
	groupsPath    = "Groups"
	configPath    = "ServiceProviderConfig"
	typesPath     = "ResourceTypes"
	schemasPath   = "Schemas"
	mePath        = "Me"
	bulkPath      = "Bulk"
	searchSegment = ".search"
)

func (c *call) route(below string) error {
	name, id, _ := strings.Cut(strings.Trim(below, "/"), "/")
	if open := []string{configPath, typesPath, schemasPath}; !c.app.facts.openDiscovery || !slices.Contains(open, name) {
		if err := c.authorize(); err != nil {
			return err
		}
	}
	var err error
	if c.query, err = url.ParseQuery(c.r.URL.RawQuery); err != nil {
		return scim.NewError(http.StatusBadRequest, scim.InvalidSyntax, "the query cannot be read: %v", err)
	}
	scheme := "http"
	if c.r.TLS != nil {
		scheme = "https"
	}
	c.origin = scheme + "://" + c.r.Host + c.app.base
	if c.app.facts.foldPath {
		for _, known := range []string{usersPath, groupsPath, configPath, typesPath, schemasPath} {
			if strings.EqualFold(name, known) {
				name = known
			}
		}
	}
	if slices.Contains(c.app.facts.absent, name) {
		return scim.NewError(http.StatusNotFound, "", "there is no endpoint %s", c.r.URL.Path)
	}
	if other := c.app.facts.configName; other != "" {
		switch name {
		case configPath:
			return scim.NewError(http.StatusNotFound, "", "there is no endpoint %s", c.r.URL.Path)
		case other:
			name = configPath
		}
	}
	switch name {
	case usersPath:
		c.kind, c.def = &c.app.store.users, c.app.facts.user
		return c.resource(id)
	case groupsPath:
		c.kind, c.def = &c.app.store.groups, c.app.facts.group
		return c.resource(id)
	case configPath, typesPath, schemasPath:
		return c.discovery(name, id)
	case bulkPath:
		if c.app.facts.bulk {
			return c.bulk()
		}
		return scim.NewError(http.StatusNotImplemented, "", "%s is not supported", name)
	case mePath, searchSegment:
		return scim.NewError(http.StatusNotImplemented, "", "%s is not supported", name)
	}
	if page := c.app.facts.pages[name]; page != nil && id == "" {
		return page(c)
	}
	return scim.NewError(http.StatusNotFound, "", "there is no endpoint %s", c.r.URL.Path)
}

// authorize checks the bearer token (RFC 7644 section 2). Digests are compared, so that time tells nothing.
func (c *call) authorize() error {
	if c.app.cfg.Token == "" {
		return nil
	}
	scheme, token, _ := strings.Cut(c.r.Header.Get("Authorization"), " ")
	digest := sha256.Sum256([]byte(strings.TrimSpace(token)))
	if strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(digest[:], c.app.token[:]) == 1 {
		return nil
	}
	if status := c.app.facts.tokenStatus; status != 0 {
		return scim.NewError(status, "", "the token is not valid")
	}
	c.w.Header().Set("WWW-Authenticate", `Bearer realm="sandbox"`)
	return scim.NewError(http.StatusUnauthorized, "", "a valid bearer token is required")
}

// resource serves /Users, /Groups and what is below them.
func (c *call) resource(id string) error {
	if err := c.app.facts.each(func(rule scimRule) error {
		if rule.request == nil {
			return nil
		}
		return rule.request(c, id)
	}); err != nil {
		return err
	}
	var err error
	if c.view, err = c.projection(); err != nil {
		return err
	}
	if id == searchSegment {
		return scim.NewError(http.StatusNotImplemented, "", "queries by POST are not supported, use GET")
	}
	methods := []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete}
	if id == "" {
		methods = []string{http.MethodGet, http.MethodPost}
	}
	methods = slices.DeleteFunc(methods, func(m string) bool {
		return slices.Contains(c.app.facts.forbidden, m+" "+c.kind.path)
	})
	switch {
	case !slices.Contains(methods, c.r.Method):
		return c.notAllowed(methods...)
	case c.r.Method == http.MethodPatch && c.app.facts.patchless:
		return scim.NewError(http.StatusNotImplemented, "", "PATCH is not supported, use PUT")
	case id == "" && c.r.Method == http.MethodGet:
		return c.list()
	}
	if write := c.app.facts.write; write != nil && c.r.Method != http.MethodGet && c.r.Method != http.MethodDelete {
		return write(c, id)
	}
	switch c.r.Method {
	case http.MethodPost:
		return c.create()
	case http.MethodPut:
		return c.replace(id)
	case http.MethodPatch:
		return c.patch(id)
	case http.MethodDelete:
		return c.delete(id)
	}
	return c.get(id)
}

func (c *call) notAllowed(methods ...string) error {
	c.w.Header().Set("Allow", strings.Join(methods, ", "))
	return scim.NewError(http.StatusMethodNotAllowed, "", "%s is not allowed here; use %s", c.r.Method, strings.Join(methods, ", "))
}

// checkType refuses bodies that are not announced as SCIM or JSON (RFC 7644 section 3.8).
func (c *call) checkType() error {
	header := c.r.Header.Get("Content-Type")
	if header == "" && !c.def.Strict() {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(header)
	if err != nil || mediaType != scim.MediaType && mediaType != "application/json" {
		return scim.NewError(http.StatusUnsupportedMediaType, "", "content type %q; send %s", header, scim.MediaType)
	}
	return nil
}

// object reads the body of POST and PUT.
func (c *call) object() (map[string]any, error) {
	if err := c.checkType(); err != nil {
		return nil, err
	}
	object, err := decodeObject(c.body)
	if err != nil {
		return nil, scim.NewError(http.StatusBadRequest, scim.InvalidSyntax, "the body is not a JSON object: %v", err)
	}
	if object == nil {
		return nil, scim.NewError(http.StatusBadRequest, scim.InvalidSyntax, "the body is null; send a resource")
	}
	return object, c.app.facts.each(func(rule scimRule) error {
		if rule.body == nil {
			return nil
		}
		return rule.body(c, object)
	})
}

// discovery serves the three endpoints of RFC 7644 section 4. All are read-only.
func (c *call) discovery(name, id string) error {
	if c.r.Method != http.MethodGet {
		return c.notAllowed(http.MethodGet)
	}
	if c.query.Has("filter") {
		return scim.NewError(http.StatusForbidden, "", "%s cannot be filtered", name)
	}
	defs := []*scim.Definition{c.app.facts.user, c.app.facts.group}
	if slices.Contains(c.app.facts.absent, groupsPath) {
		defs = defs[:1]
	}
	switch name {
	case configPath:
		if id != "" {
			break
		}
		answerJSON(c.w, http.StatusOK, c.app.providerConfig(c.origin))
		return nil
	case typesPath:
		var types []scim.ResourceType
		for _, d := range defs {
			t := d.ResourceType()
			t.Meta["location"] = c.origin + "/" + t.Meta["location"]
			types = append(types, t)
		}
		return answerOneOrAll(c, id, types, func(t scim.ResourceType) string { return t.ID })
	case schemasPath:
		var schemas []scim.Schema
		for _, d := range defs {
			schemas = append(schemas, d.Core())
			for _, e := range d.Extensions() {
				schemas = append(schemas, e.Schema)
			}
		}
		for i := range schemas {
			schemas[i].Location = c.origin + "/" + schemasPath + "/" + schemas[i].ID
		}
		if c.app.facts.oldSchemas {
			return answerOldSchemas(c, id, schemas)
		}
		return answerOneOrAll(c, id, schemas, func(s scim.Schema) string { return s.ID })
	}
	return scim.NewError(http.StatusNotFound, "", "there is no %s %s", name, id)
}

func answerOneOrAll[T any](c *call, id string, all []T, idOf func(T) string) error {
	if id == "" {
		answerJSON(c.w, http.StatusOK, scim.NewListResponse(len(all), 1, all))
		return nil
	}
	i := slices.IndexFunc(all, func(e T) bool { return strings.EqualFold(idOf(e), id) })
	if i < 0 {
		return scim.NewError(http.StatusNotFound, "", "there is no %s", id)
	}
	answerJSON(c.w, http.StatusOK, all[i])
	return nil
}

// providerConfig is RFC 7643 section 5.
func (a *scimApp) providerConfig(origin string) map[string]any {
	supported := func(yes bool) map[string]any { return map[string]any{"supported": yes} }
	config := map[string]any{
		"schemas":          []string{scim.ServiceProviderConfigURN},
		"documentationUri": a.facts.documentation,
		"patch":            supported(!a.facts.patchless),
		"bulk":             a.bulkConfig(),
		"filter":           map[string]any{"supported": true, "maxResults": a.facts.page(&a.store.users).most},
		"changePassword":   supported(false),
		"sort":             supported(false),
		"etag":             supported(!a.facts.noETags),
		"authenticationSchemes": []map[string]any{{
			"type": "oauthbearertoken", "name": "Bearer token", "primary": true,
			"description": "Long-lived token in the Authorization header",
		}},
		"meta": map[string]any{"resourceType": configPath, "location": origin + "/" + configPath},
	}
	if pagination := a.facts.cursors.config(); pagination != nil {
		config["pagination"] = pagination
	}
	for _, rule := range a.facts.rules {
		if rule.config != nil {
			rule.config(config)
		}
	}
	return config
}

// users yields all users as a client sees them.
func (a *scimApp) users() iter.Seq[json.RawMessage] { return a.all(&a.store.users) }

// groups yields all groups as a client sees them, with members.
func (a *scimApp) groups() iter.Seq[json.RawMessage] { return a.all(&a.store.groups) }

func (a *scimApp) all(k *scimKind) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		for _, rec := range a.store.snapshot(k) {
			a.store.mu.RLock()
			gone := rec.deleted
			data := rec.append(nil, a.base, true)
			a.store.mu.RUnlock()
			if !gone && !yield(data) {
				return
			}
		}
	}
}

func (a *scimApp) canSignIn(userName string) bool {
	a.store.mu.RLock()
	defer a.store.mu.RUnlock()
	rec := a.store.users.byName[scim.FoldKey(userName)]
	return rec != nil && userName != "" && rec.active
}
