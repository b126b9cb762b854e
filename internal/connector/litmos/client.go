package litmos

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
)

// What Litmos does about too many calls: it answers 503 and wants a minute's silence (R2); five such answers in a row
// without anything else are an outage (R3).
const (
	pauseAfterRefusal = time.Minute
	outageAfter       = 5
)

// followPatience is how long the second call of an operation waits for its turn: one window of the rate and some more.
// Everything else is left to the engine. Giving up between the calls would mean making the first one again.
const followPatience = 75 * time.Second

// api is a connection to one site, which both ends stand on. Safe for concurrent use.
type api struct {
	cfg  Config
	conn *web.Conn
	log  *slog.Logger
	now  func() time.Time
}

func newAPI(cfg Config, env connector.Env, sites *httpx.Sites) (*api, error) {
	if env.Logger == nil {
		env.Logger = slog.New(slog.DiscardHandler)
	}
	if env.Now == nil {
		env.Now = time.Now
	}
	if cfg.Policy.Pause == 0 {
		cfg.Policy.Pause = pauseAfterRefusal
	}
	if cfg.Policy.OutageAfter == 0 {
		cfg.Policy.OutageAfter = outageAfter
	}
	cfg.Throttle503 = true
	conn, err := web.Open(cfg.Config, env, sites)
	if err != nil {
		return nil, err
	}
	return &api{cfg: cfg, conn: conn, log: env.Logger, now: env.Now}, nil
}

// exchange is one call.
type exchange struct {
	method string
	path   string // below the base address, escaped: /users/rnjx2WaQOEY1
	query  url.Values
	body   []byte
	safe   bool   // may be repeated when its answer was lost
	op     string // for errors and logs, where the path holds a value of a person; method and path when empty
	at     web.Place
}

// name is what an error says was being done. Ids may stand in it, values of people may not.
func (x *exchange) name() string {
	if x.op != "" {
		return x.op
	}
	return x.method + " " + x.path
}

func (x *exchange) call() web.Call {
	return web.Call{Op: x.name(), Method: x.method, Path: x.path, At: x.at}
}

// send makes a call. The answer may have any status; judging it is the caller's business, by fail.
func (a *api) send(ctx context.Context, x *exchange) (*httpx.Response, error) {
	q := url.Values{"source": {a.cfg.Source}, "format": {a.cfg.Format}} // A3, A4
	for name, values := range x.query {
		q[name] = values
	}
	media := "application/" + a.cfg.Format
	header := http.Header{"Accept": {media}}
	req := httpx.Request{Method: x.method, URL: a.conn.Address(x.path, q), Header: header, Safe: x.safe, Shown: x.op}
	if x.body != nil {
		req.Body = x.body
		header["Content-Type"] = []string{media}
	}
	resp, err := a.conn.Do(ctx, req)
	if err != nil {
		return nil, a.conn.Lost(ctx, x.call(), err)
	}
	if resp.Status/100 == 2 && isPage(resp) {
		// A sign-in page in front of the site: taking it for success would leave somebody's access in place unnoticed.
		return nil, a.broken(x, resp, "the answer is a web page", "check the setting url: it is the address of the API, not that of the site")
	}
	return resp, nil
}

// isPage tells whether an answer is a page for people. XML begins with < too.
func isPage(resp *httpx.Response) bool {
	if strings.Contains(resp.Header.Get("Content-Type"), "html") {
		return true
	}
	head := strings.ToLower(strings.TrimSpace(string(resp.Body[:min(len(resp.Body), 64)])))
	return strings.HasPrefix(head, "<!doctype html") || strings.HasPrefix(head, "<html")
}

// patient makes a call and waits where the site wants a pause, for no longer than most in all.
func (a *api) patient(ctx context.Context, x *exchange, most time.Duration) (*httpx.Response, error) {
	for {
		resp, err := a.send(ctx, x)
		wait := pause(resp, err)
		if wait <= 0 || wait > most {
			return resp, err
		}
		most -= wait
		t := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			t.Stop()
			return resp, err
		case <-t.C:
		}
	}
}

// pause is how long the site wants no calls, 0 for not at all.
func pause(resp *httpx.Response, err error) time.Duration {
	var e *connector.Error
	switch {
	case errors.As(err, &e) && e.Kind == connector.KindRateLimited:
		return e.RetryAfter
	case resp != nil && resp.Throttled:
		return resp.RetryAfter
	}
	return 0
}

// follow makes the second call of an operation whose first one has been made.
func (a *api) follow(ctx context.Context, x *exchange) (*httpx.Response, error) {
	return a.patient(ctx, x, followPatience)
}

// caller is how the calls of one end are made: send, or with patience.
type caller func(context.Context, *exchange) (*httpx.Response, error)

// one reads an answer that is one object.
func (a *api) one(x *exchange, resp *httpx.Response, name string) (*record, error) {
	list, isList, err := a.parse(resp.Body, name)
	if err != nil || isList || len(list) != 1 {
		return nil, a.unread(x, resp, name)
	}
	return list[0], nil
}

// many reads an answer that is a list of objects.
func (a *api) many(x *exchange, resp *httpx.Response, name string) ([]*record, error) {
	list, isList, err := a.parse(resp.Body, name)
	if err != nil || !isList {
		return nil, a.unread(x, resp, "list of "+name+"s")
	}
	return list, nil
}

// parse reads an answer in whichever form it came.
func (a *api) parse(body []byte, name string) ([]*record, bool, error) {
	if isXML(body) {
		root, err := parseXML(body)
		if err != nil {
			return nil, false, err
		}
		list, isList := root.records(name)
		return list, isList, nil
	}
	return newJSONReader(body, a.cfg.Entities == entitiesUnescape).records()
}

func isXML(body []byte) bool {
	return strings.HasPrefix(strings.TrimLeft(strings.TrimPrefix(string(body[:min(len(body), 64)]), "\ufeff"), " \t\r\n"), "<")
}

// write puts an object into the form of a request.
func (a *api) write(r *record, name string) ([]byte, error) {
	if a.cfg.Format == formatXML {
		return r.appendXML(nil, name), nil
	}
	return r.appendJSON(make([]byte, 0, 1024))
}

// writeAll puts a list of objects into the form of a request.
func (a *api) writeAll(list []*record, name string) ([]byte, error) {
	if a.cfg.Format == formatXML {
		return appendXMLList(nil, list, name+"s", name), nil
	}
	return appendJSONList(nil, list)
}

// idsOf are objects that have an id and nothing else.
func idsOf(ids []string) []*record {
	out := make([]*record, len(ids))
	for i, id := range ids {
		out[i] = &record{fields: []item{{fieldID, id}}}
	}
	return out
}

// Names of objects in XML.
const (
	nameUser = "User"
	nameTeam = "Team"
)

// userPath is the path of one user, teamPath that of one team.
func userPath(id string) string { return "/users/" + url.PathEscape(id) }
func teamPath(id string) string { return "/teams/" + url.PathEscape(id) }
