package scim

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// Topics of what is found out about a server. Those that are tried for each kind have it behind them.
const (
	topicConnection = "connection"
	topicCredential = "credential"
	topicService    = "SCIM service"
	topicDiscovery  = "self-description"
	topicAttributes = "attributes"
	topicEmpty      = "query without a result"
	topicPatch      = "PATCH"
	topicBulk       = "bulk"
	topicETag       = "ETag"
	topicRate       = "rate"
	topicDialect    = "dialect"
)

// endsSoon is how long before its end a certificate or credential is worth a word.
const endsSoon = 30 * 24 * time.Hour

// Examine implements connector.Examiner. What cannot be told by reading is not told.
func (c *Client) Examine(ctx context.Context) connector.Examination {
	e := &examiner{Client: c, out: connector.Examination{Address: c.cfg.URL.String(), Credential: c.conn.CredentialKind(),
		Findings: []connector.Finding{}, Suggested: []connector.Suggestion{}}}
	if len(c.order) == 0 || !e.reach(ctx) {
		return e.out
	}
	for _, k := range e.order {
		e.filters(ctx, k)
		e.listing(ctx, k)
	}
	e.announced()
	e.attributes()
	e.rate()
	e.dialect()
	return e.out
}

// examiner asks one server. Its Client becomes another one when the server turns out to be different from what is set.
type examiner struct {
	*Client
	out     connector.Examination
	found   connector.Discovery
	headers http.Header      // of the last answer
	sample  *identity.Object // an account that was listed
}

// as goes on with other settings, or with what the server has said of itself.
func (e *examiner) as(cfg Config, found connector.Discovery) {
	env := connector.Env{Logger: slog.New(slog.DiscardHandler), Now: e.now, Uses: e.uses}
	if other, err := newClient(cfg, e.conn, env, found); err == nil { // the same attributes were read before
		e.Client, e.found = other, found
	}
}

// reach tries the address and the credential. It tells whether there is any sense in going on.
func (e *examiner) reach(ctx context.Context) bool {
	k := e.order[0]
	resp, err := e.ask(ctx, k, k.joining[0])
	e.out.Encryption = web.Encryption(resp, err)
	if resp == nil {
		e.refusal(topicConnection, err)
		return false
	}
	e.headers = resp.Header
	e.connected()
	if err == nil {
		e.accepted()
		return e.describe(ctx)
	}
	var refused *connector.Error
	if errors.As(err, &refused) {
		switch refused.Kind {
		case connector.KindAuth:
			e.refusal(topicCredential, err)
			return false
		case connector.KindRateLimited, connector.KindTemporary:
			e.refusal(topicService, err)
			return false
		case connector.KindUnknown, connector.KindNotFound, connector.KindConflict, connector.KindInvalid, connector.KindUnsupported, connector.KindIncompatible:
		}
	}
	if refused != nil && refused.Code == connector.CodeProbeUnexpected || resp.Status == http.StatusOK && !e.unlike(resp) {
		e.accepted()
		return e.describe(ctx) // it is a SCIM service, and does not filter: filters says so
	}
	return e.elsewhere(ctx, k, resp, err)
}

// unlike tells whether an answer to a query is none that a SCIM service gives.
func (e *examiner) unlike(resp *httpx.Response) bool {
	_, isList := decodeList(resp.Body)
	return !isList
}

// connected tells of the encryption.
func (e *examiner) connected() {
	f := connector.Finding{Topic: topicConnection, State: connector.Works, Found: "answers, not encrypted"}
	if t := e.out.Encryption; t != nil {
		f.Found = fmt.Sprintf("answers, %s; certificate of %s from %s, valid until %s", t.Version, t.Subject, t.Issuer, t.Expires.Format(time.DateOnly))
		if left := t.Expires.Sub(e.now()); left < endsSoon {
			f.State, f.Meaning = connector.Limited, "the job fails once the certificate has ended"
			f.Cure = "have it renewed by whoever runs the target"
		}
	}
	e.out.Add(f)
}

// accepted tells of the credential.
func (e *examiner) accepted() {
	f := connector.Finding{Topic: topicCredential, State: connector.Works, Found: "accepted"}
	if e.out.Credential == "" {
		f.Found = "none is set, and none is asked for"
	}
	if ends := e.conn.CredentialEnds(); !ends.IsZero() {
		f.Found = "accepted; ends on " + ends.Format(time.DateOnly)
		if ends.Sub(e.now()) < endsSoon {
			f.State, f.Meaning = connector.Limited, "the job is quarantined once the credential has ended"
			f.Cure = "make a new one in the target before that, and renew the setting auth"
		}
	}
	e.out.Add(f)
}

// refusal is a finding made of an error.
func (e *examiner) refusal(topic string, err error) {
	failed := connector.AsError(err)
	f := connector.Finding{Topic: topic, State: connector.Fails, Found: failed.Detail, Cure: failed.Hint}
	if f.Found == "" && failed.Err != nil {
		f.Found = e.conn.Clean(failed.Err.Error(), 0)
	}
	if failed.Status != 0 {
		f.Found = fmt.Sprintf("%s: %d %s", failed.Op, failed.Status, f.Found)
	}
	if failed.RetryAfter > 0 {
		f.Meaning = fmt.Sprintf("the target wants no call for %s", failed.RetryAfter.Round(time.Second))
	}
	e.out.Add(f)
}

// elsewhere looks for the service when the address does not answer as one: 404 may be how it says that a query has no
// result, its resources may have other paths, and the address may be too short or too long.
func (e *examiner) elsewhere(ctx context.Context, k *kind, resp *httpx.Response, refused error) bool {
	if resp.Status == http.StatusNotFound {
		if page, err := e.List(ctx, k.name, ""); err == nil {
			e.accepted()
			e.out.Add(connector.Finding{Topic: topicEmpty, State: connector.Fails,
				Found:   fmt.Sprintf("404 instead of an empty list, and a listing of %s is answered (%d in the first page)", k.endpoint, len(page.Objects)),
				Meaning: "the job would take the target for one that does not exist", Cure: "set emptyQuery404: true"})
			e.out.Suggest("emptyQuery404", true, "the target answers 404 to a query without a result")
			cfg := e.cfg
			cfg.EmptyQuery404 = true
			e.as(cfg, e.found)
			return e.describe(ctx)
		}
		if found, err := e.Discover(ctx); err == nil && len(found.Endpoints) > 0 {
			before := e.Client
			e.as(e.cfg, found)
			if _, err := e.ask(ctx, e.order[0], e.order[0].joining[0]); err == nil {
				e.accepted()
				e.describeFound()
				return true
			}
			e.Client, e.found = before, connector.Discovery{}
		}
	}
	e.refusal(topicService, refused)
	if path, ok := e.otherBase(ctx); ok {
		other := *e.cfg.URL
		other.Path, other.RawPath = path, ""
		f := &e.out.Findings[len(e.out.Findings)-1]
		f.Cure = fmt.Sprintf("a SCIM service answers at %s: set url to that", other.String())
		e.out.Suggest("url", other.String(), "a SCIM service answers there")
	}
	return false
}

// otherBase tries other paths of the same host, where the service may be instead.
func (e *examiner) otherBase(ctx context.Context) (string, bool) {
	for _, path := range otherPaths(e.cfg.URL.Path) {
		cfg := e.cfg
		u := *cfg.URL
		u.Path, u.RawPath = path, ""
		cfg.URL = &u
		env := connector.Env{Logger: slog.New(slog.DiscardHandler), Now: e.now, Uses: e.uses}
		other, err := newClient(cfg, e.conn.Below(path), env, connector.Discovery{})
		if err != nil {
			return "", false
		}
		resp, err := other.ask(ctx, other.order[0], other.order[0].joining[0])
		switch {
		case err == nil:
			return path, true
		case resp == nil || resp.Throttled:
			return "", false
		}
	}
	return "", false
}

// otherPaths are the base paths that administrators and documents mix up with path, likely ones first: the address of
// /Users itself, with and without /v2, /scim, /scim/v2 and /api before it.
func otherPaths(path string) []string {
	path = strings.TrimRight(path, "/")
	lower := strings.ToLower(path)
	var out []string
	add := func(p string) {
		p = strings.TrimRight(p, "/")
		if p != path && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	for _, end := range []string{"/users", "/groups", "/serviceproviderconfig", "/schemas"} {
		if strings.HasSuffix(lower, end) {
			path = path[:len(path)-len(end)]
			lower = strings.ToLower(path)
			out = append(out, path)
			break
		}
	}
	switch {
	case strings.HasSuffix(lower, "/scim/v2"):
		add(path[:len(path)-len("/v2")])
		add(path[:len(path)-len("/scim/v2")])
	case strings.HasSuffix(lower, "/v2"):
		add(path + "/scim")
		add(path + "/SCIM")
		add(path[:len(path)-len("/v2")] + "/scim/v2")
		add(path[:len(path)-len("/v2")])
	case strings.HasSuffix(lower, "/scim"):
		add(path + "/v2")
		add(path[:len(path)-len("/scim")])
	default:
		add(path + "/scim/v2")
		add(path + "/scim")
		add(path + "/v2")
	}
	for _, p := range []string{"/scim/v2", "/scim", "/api/scim/v2", "/api/scim"} {
		add(p)
	}
	return out
}

// describe reads what the server says of itself and goes on with that.
func (e *examiner) describe(ctx context.Context) bool {
	found, err := e.Discover(ctx)
	if err != nil {
		e.out.Add(connector.Finding{Topic: topicDiscovery, State: connector.Limited, Found: connector.AsError(err).Error(),
			Meaning: "only what the template and the standard say is known of the target"})
		return true
	}
	e.as(e.cfg, found)
	e.describeFound()
	return true
}

func (e *examiner) describeFound() {
	f := connector.Finding{Topic: topicDiscovery, State: connector.Works}
	e.out.Discovery = &e.found
	var told []string
	if e.found.Patch != nil || e.found.Filter != nil || e.found.MaxResults > 0 {
		told = append(told, "what it can do")
	}
	for _, o := range e.found.Schema {
		told = append(told, fmt.Sprintf("%d attributes of %s", len(o.Attributes), o.Kind))
	}
	for _, k := range e.order {
		if path := e.found.Endpoints[k.name]; path != "" {
			told = append(told, fmt.Sprintf("%s is at %s", k.name, path))
		}
	}
	f.Found = strings.Join(told, ", ")
	if len(told) == 0 {
		f.State, f.Found = connector.Limited, "the target says nothing of itself"
		f.Meaning = "only what the template and the standard say is known of the target"
	}
	if len(e.found.Notices) > 0 {
		f.State = connector.Limited
		f.Found += "; " + strings.Join(e.found.Notices, "; ")
	}
	e.out.Add(f)
}

// filters tries each joining attribute with a value that nobody has.
func (e *examiner) filters(ctx context.Context, k *kind) {
	for _, a := range k.joining {
		topic := fmt.Sprintf("filter %s on %s", k.name, a.name)
		resp, err := e.ask(ctx, k, a)
		if resp != nil {
			e.headers = resp.Header
		}
		if err == nil {
			e.out.Add(connector.Finding{Topic: topic, State: connector.Works, Found: "answers with an empty list for a value that nobody has"})
			continue
		}
		e.refusal(topic, err)
		last := &e.out.Findings[len(e.out.Findings)-1]
		last.Meaning = "accounts that exist cannot be found, so the job does not run"
		if can := e.filterable(ctx, k); can != "" {
			last.Cure = fmt.Sprintf("match on %s, which the target does filter on", can)
		}
	}
}

// filterable is a usual joining attribute that the server filters on, "" for none of them.
func (e *examiner) filterable(ctx context.Context, k *kind) string {
	candidates := []string{"userName", "externalId", `emails[type eq "work"].value`}
	if k.name == identity.Group {
		candidates = []string{"displayName", "externalId"}
	}
	for _, name := range candidates {
		if slices.ContainsFunc(k.joining, func(a *attribute) bool { return strings.EqualFold(a.name, name) }) {
			continue
		}
		a, err := k.attribute(name, e.cfg)
		if err != nil {
			continue
		}
		if _, err := e.ask(ctx, k, a); err == nil {
			return name
		}
	}
	return ""
}

// listing reads the first two pages of all accounts.
func (e *examiner) listing(ctx context.Context, k *kind) {
	topic := fmt.Sprintf("list %s", k.name)
	if !e.cfg.List {
		e.out.Add(connector.Finding{Topic: topic, State: connector.Unknown, Found: "not tried, since list is false"})
		return
	}
	first, err := e.List(ctx, k.name, "")
	second := connector.Page{}
	if err == nil && first.Next != "" {
		second, err = e.List(ctx, k.name, first.Next)
	}
	if err != nil {
		e.refusal(topic, err)
		last := &e.out.Findings[len(e.out.Findings)-1]
		last.State, last.Meaning = connector.Limited, "each account is looked for with a query of its own, and there is no reconciliation"
		last.Cure = "set list: false"
		e.out.Suggest("list", false, fmt.Sprintf("a listing of %s fails", k.name))
		return
	}
	n := len(first.Objects)
	f := connector.Finding{Topic: topic, State: connector.Works, Found: fmt.Sprintf("%d asked for in a page, %d came", e.pageSize, n)}
	if first.Total >= 0 {
		f.Found += fmt.Sprintf("; %d in all", first.Total)
	}
	if e.byCursor {
		f.Found += "; paged by cursor"
	}
	if n > 0 && n < e.pageSize && len(second.Objects) > 0 {
		f.State, f.Meaning = connector.Limited, fmt.Sprintf("a listing takes more calls than planned: the target gives %d in a page", n)
		f.Cure = fmt.Sprintf("set pageSize: %d", n)
		e.out.Suggest("pageSize", n, "the target gives no more in a page")
	}
	e.out.Add(f)
	if k.name == identity.Group && e.membersShown.Load() {
		e.out.Add(connector.Finding{Topic: "excludedAttributes", State: connector.Limited, Found: "the target shows members although they are excluded",
			Meaning: "they are ignored, and make the answers longer"})
	}
	if n > 0 && e.sample == nil {
		e.sample = first.Objects[0]
		e.known(ctx, k, first.Objects[0])
		e.versions(ctx, k)
	}
}

// known looks for an account that exists by its joining value.
func (e *examiner) known(ctx context.Context, k *kind, o *identity.Object) {
	a := k.joining[0]
	v, _ := o.Get(a.name)
	value, _ := v.(string)
	if value == "" {
		return
	}
	found, err := e.Find(ctx, k.name, a.name, value, 2)
	topic := fmt.Sprintf("find a %s by %s", k.name, a.name)
	switch {
	case err != nil:
		e.refusal(topic, err)
	case slices.ContainsFunc(found, func(f *identity.Object) bool { return f.Anchor == o.Anchor }):
		e.out.Add(connector.Finding{Topic: topic, State: connector.Works, Found: "an account that is listed is found"})
	default:
		e.out.Add(connector.Finding{Topic: topic, State: connector.Fails, Found: "an account that is listed is not found",
			Meaning: "existing accounts would be created a second time", Cure: "match on another attribute, or ask the vendor"})
	}
}

// versions looks whether an account has a version.
func (e *examiner) versions(ctx context.Context, k *kind) {
	x := &exchange{method: http.MethodGet, path: k.itemPath(e.sample.Anchor)}
	f := connector.Finding{Topic: topicETag, State: connector.Works}
	resp, err := e.send(ctx, x)
	switch {
	case err != nil || resp.Status != http.StatusOK:
		f.Topic, f.State, f.Found = fmt.Sprintf("read a %s", k.name), connector.Fails, "an account that is listed cannot be read by its id"
		f.Meaning = "accounts cannot be compared before they are changed"
		if err == nil {
			f.Found += fmt.Sprintf(" (%d)", resp.Status)
		}
	case versionOf(resp) != "":
		f.Found = "accounts have versions"
		if e.puts(k) && e.cfg.ETag == etagAuto {
			f.Meaning = "what somebody else changes between reading and writing an account is not overwritten"
		}
	default:
		f.Found = "accounts have no versions"
		if e.puts(k) {
			f.Meaning = "what somebody else changes between reading and writing an account is overwritten"
		}
	}
	e.out.Add(f)
}

// versionOf is the version of a resource in an answer, "" for none (RFC 7644 section 3.14).
func versionOf(resp *httpx.Response) string {
	if tag := resp.Header.Get("ETag"); tag != "" {
		return tag
	}
	resource, _ := decodeResource(resp.Body)
	_, meta, _ := scim.Lookup(resource, "meta")
	m, _ := meta.(map[string]any)
	_, v, _ := scim.Lookup(m, "version")
	text, _ := v.(string)
	return text
}

// announced tells of what the server says and reading cannot try.
func (e *examiner) announced() {
	switch {
	case e.cfg.UpdateMethod == byPut:
		e.out.Add(connector.Finding{Topic: topicPatch, State: connector.Works, Found: "not needed, since updateMethod is put"})
	case connector.No(e.found.Patch):
		e.out.Add(connector.Finding{Topic: topicPatch, State: connector.Fails, Found: "the target says that it does not support PATCH",
			Meaning: "updates, disables and memberships would be refused", Cure: "set updateMethod: put"})
		e.out.Suggest("updateMethod", "put", "the target says that it does not support PATCH")
	case e.found.Patch != nil:
		e.out.Add(connector.Finding{Topic: topicPatch, State: connector.Works, Found: "announced"})
	default:
		e.out.Add(connector.Finding{Topic: topicPatch, State: connector.Unknown, Found: "the target does not say; reading cannot try it"})
	}
	if b := e.found.Bulk; b != nil {
		e.out.Add(connector.Finding{Topic: topicBulk, State: connector.Works, Found: fmt.Sprintf("announced: %d operations, %d bytes", b.MaxOperations, b.MaxPayloadSize)})
	}
}

// attributes compares what the job maps with what the server says that it has and needs.
func (e *examiner) attributes() {
	for _, o := range e.found.Schema {
		k := e.kinds[o.Kind]
		if k == nil {
			continue
		}
		var missing, odd []string
		for _, name := range o.Demands {
			if !slices.ContainsFunc(k.attrs, func(a *attribute) bool { return schema.Meets(a.name, name) }) {
				missing = append(missing, name)
			}
		}
		for _, a := range k.attrs {
			if !e.has(o.Kind, a) {
				odd = append(odd, a.name)
			}
		}
		topic := fmt.Sprintf("%s of %s", topicAttributes, o.Kind)
		if len(missing) > 0 {
			e.out.Add(connector.Finding{Topic: topic, State: connector.Limited, Found: "required, and not mapped: " + strings.Join(missing, ", "),
				Meaning: "the target will refuse creates", Cure: "map them in the rule"})
		}
		if len(odd) > 0 {
			e.out.Add(connector.Finding{Topic: topic, State: connector.Limited, Found: "mapped, and not announced by the target: " + strings.Join(odd, ", "),
				Meaning: "the target may ignore or refuse them", Cure: "take them out of the rule if it does"})
		}
		if len(missing)+len(odd) == 0 {
			e.out.Add(connector.Finding{Topic: topic, State: connector.Works, Found: "the target has all that is mapped, and all that it requires is mapped"})
		}
	}
}

// has tells whether the server announced an attribute, whatever part of it is mapped.
func (e *examiner) has(kind identity.Kind, a *attribute) bool {
	o, ok := e.found.Schema.Object(kind)
	if !ok {
		return true
	}
	whole := scim.Path{Schema: a.path.Schema, Attribute: a.path.Attribute}
	if scim.IsCoreURN(whole.Schema) {
		whole.Schema = ""
	}
	text := whole.String()
	return strings.EqualFold(text, "externalId") || // a common attribute, in no schema (RFC 7643 section 3.1)
		slices.ContainsFunc(o.Attributes, func(s schema.Attribute) bool { return schema.Meets(s.Name, text) })
}

// rate looks for what the server says of its allowance.
func (e *examiner) rate() {
	for _, name := range []string{"RateLimit-Policy", "RateLimit", "RateLimit-Limit", "X-RateLimit-Limit", "X-Rate-Limit-Limit"} {
		text := e.headers.Get(name)
		if text == "" {
			continue
		}
		f := connector.Finding{Topic: topicRate, State: connector.Works, Found: fmt.Sprintf("the target announces an allowance: %s: %s", name, e.conn.Clean(text, 0))}
		if rate := announcedRate(name, text); rate != "" && !e.cfg.Rate.Limited() {
			f.State, f.Meaning, f.Cure = connector.Limited, "without a rate the job runs into the limit and has to wait", "set rate: "+rate
			e.out.Suggest("rate", rate, "the target announces it")
		}
		e.out.Add(f)
		return
	}
}

// announcedRate reads a policy as draft-ietf-httpapi-ratelimit-headers writes it: 100;w=60, or "default";q=100;w=60. ""
// when its window is none that the setting rate can be.
func announcedRate(name, text string) string {
	quota, window := 0, 0
	for i, part := range strings.Split(strings.Split(text, ",")[0], ";") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok {
			key, value = "", key
		}
		n := 0
		if _, err := fmt.Sscanf(value, "%d", &n); err != nil {
			continue
		}
		switch {
		case key == "w":
			window = n
		case key == "q" || key == "limit", key == "" && i == 0:
			quota = n
		}
	}
	switch {
	case quota <= 0 || name == "RateLimit":
		return ""
	case window == 60:
		return fmt.Sprintf("%d/min", quota)
	case window == 1:
		return fmt.Sprintf("%d/s", quota)
	}
	return ""
}

// dialect guesses which dialect the server was built against (design D16).
func (e *examiner) dialect() {
	f := connector.Finding{Topic: topicDialect, State: connector.Works, Found: string(e.cfg.Dialect)}
	if e.cfg.Dialect == RFC && e.microsoft() {
		f.State, f.Found = connector.Limited, "rfc; the target knows schemas of the reference service, so it was likely built against that"
		f.Meaning = "it may not understand updates as the standard writes them"
		f.Cure = "try dialect: legacy if updates are refused"
		e.out.Suggest("dialect", string(Legacy), "the target knows schemas of the reference service")
	}
	e.out.Add(f)
}

// microsoft tells whether the server names any schema of the reference service.
func (e *examiner) microsoft() bool {
	return slices.ContainsFunc(e.found.Schemas, func(uri string) bool {
		return strings.HasPrefix(strings.ToLower(uri), "http://schemas.microsoft.com/")
	})
}
