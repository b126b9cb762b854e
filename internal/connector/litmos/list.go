package litmos

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// listing is something that is read page by page.
type listing struct {
	path  string
	name  string // of its objects
	query url.Values
	limit int
	key   func(*record) string // tells objects apart; nil means by their id
}

// keyOf tells one object from another.
func (l listing) keyOf(r *record) string {
	if l.key != nil {
		return l.key(r)
	}
	return r.id()
}

// beginning is before the first site, and what a window over everything begins with (U4).
const beginning = "2000-01-01 00:00:00"

// window is a query for what changed between two times (U9). It ends tomorrow by our clock, so that nothing is missed by
// a clock that is behind.
func (a *api) window(since string) url.Values {
	return url.Values{"since": {since}, "to": {a.now().UTC().Add(24 * time.Hour).Format(time.DateTime)}}
}

// allUsers is the list of all users, active and inactive: in the short form, or in the full form, which takes as many
// calls (U4).
func (a *api) allUsers(full bool) listing {
	if full {
		return listing{path: "/org/users/details", name: nameUser, query: a.window(beginning), limit: a.cfg.PageSize}
	}
	return listing{path: "/users", name: nameUser, limit: a.cfg.PageSize}
}

func (a *api) allTeams() listing {
	return listing{path: "/teams", name: nameTeam, limit: a.cfg.PageSize}
}

// answer is one page.
type answer struct {
	records  []*record
	exchange *exchange
	resp     *httpx.Response
}

// page reads one page. Every object in it has an id.
func (a *api) page(ctx context.Context, send caller, l listing, start int) (answer, error) {
	q := url.Values{"start": {strconv.Itoa(start)}, "limit": {strconv.Itoa(l.limit)}}
	for name, values := range l.query {
		q[name] = values
	}
	x := &exchange{method: http.MethodGet, path: l.path, query: q, safe: true, at: web.Collection}
	if strings.HasPrefix(l.path, "/teams/") { // below one team, which may be gone
		x.at = web.Item
	}
	resp, err := send(ctx, x)
	if err != nil {
		return answer{}, err
	}
	if resp.Status != http.StatusOK {
		return answer{}, a.fail(x, resp)
	}
	list, err := a.many(x, resp, l.name)
	if err != nil {
		return answer{}, err
	}
	for _, r := range list {
		if r.id() == "" {
			return answer{}, a.broken(x, resp, "an object in the answer has no Id", notLitmos)
		}
	}
	return answer{records: list, exchange: x, resp: resp}, nil
}

// remembered is how many ids of a page its successor is compared with.
const remembered = 64

// place is where a listing stands.
type place struct {
	start  int
	before []string // the last ids of the page before, and its first one behind them
	lap    int      // how many objects of the page before the next one repeats
}

// A cursor of List is "<start>:<ids>", the ids of place.before with blanks between them.

func (p place) cursor() string { return strconv.Itoa(p.start) + ":" + strings.Join(p.before, " ") }

func parseCursor(cursor string) (place, error) {
	if cursor == "" {
		return place{}, nil
	}
	number, ids, ok := strings.Cut(cursor, ":")
	start, err := strconv.Atoi(number)
	if !ok || err != nil || start <= 0 {
		return place{}, fmt.Errorf("%q is no cursor of a listing", cursor)
	}
	return place{start: start, before: strings.Fields(ids)}, nil
}

// errStill says that a page begins like the page before.
var errStill = errors.New("a page of the listing begins like the page before")

// next is the place behind a page. A full page is overlapped a little: when somebody is deleted between two pages, all
// who come later move up, and the first of them would be missed. The page is read from where the number of objects that
// were received says, not from where the number asked for does: a server may give fewer, or more (U1).
func (p place) next(ids []string, limit int) (place, error) {
	if n := len(p.before); n > 0 && len(ids) > 0 && ids[0] == p.before[n-1] {
		return place{}, errStill
	}
	lap := 0
	if len(ids) >= limit {
		lap = min(10, limit/10)
	}
	tail := slices.Clone(ids[max(0, len(ids)-remembered):])
	return place{start: p.start + len(ids) - lap, before: append(tail, ids[0]), lap: lap}, nil
}

// List implements connector.Lister. It ends with an empty page (U1).
func (c *Client) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	k, err := c.kindOf(kind, "list")
	if err != nil {
		return connector.Page{}, err
	}
	at, err := parseCursor(cursor)
	if err != nil {
		return connector.Page{}, invalid("list "+string(kind), err)
	}
	l := c.allTeams()
	if k.name == identity.User {
		l = c.allUsers(k.full)
	}
	got, err := c.page(ctx, c.send, l, at.start)
	if err != nil {
		return connector.Page{}, err
	}
	page := connector.Page{Total: -1, Hidden: k.hidden()}
	if len(got.records) == 0 {
		return page, nil
	}
	seen := make(map[string]bool, len(got.records)+len(at.before))
	for _, id := range at.before {
		seen[id] = true
	}
	ids := make([]string, len(got.records))
	for i, r := range got.records {
		ids[i] = r.id()
		if seen[ids[i]] {
			continue
		}
		seen[ids[i]] = true
		o, err := c.shown(got.exchange, got.resp, k, r, nil)
		if err != nil {
			return connector.Page{}, err
		}
		page.Objects = append(page.Objects, o)
	}
	to, err := at.next(ids, l.limit)
	if err != nil {
		return connector.Page{}, c.broken(got.exchange, got.resp, err.Error(), "the site does not page as documented")
	}
	page.Next = to.cursor()
	return page, nil
}

// tries is how often a reading begins again because objects moved up while it went on.
const tries = 3

// everything reads a listing from its first page to an empty one (U1) and yields each object once. When a page does not
// begin with the end of the page before, objects have moved up between the two, nobody knows how far, and the reading
// begins again.
func (a *api) everything(ctx context.Context, send caller, l listing) iter.Seq2[*record, error] {
	return func(yield func(*record, error) bool) {
		seen := map[string]bool{}
		var at place
		back := 0
		for {
			got, err := a.page(ctx, send, l, at.start)
			if err != nil {
				yield(nil, err)
				return
			}
			ids := make([]string, len(got.records))
			for i, r := range got.records {
				ids[i] = l.keyOf(r)
			}
			if at.lap > 0 && (len(ids) == 0 || !slices.Contains(at.before, ids[0])) {
				if back++; back > tries {
					yield(nil, &connector.Error{Kind: connector.KindTemporary, Op: got.exchange.name(), Code: connector.CodeBadResponse,
						Detail: "the list changes faster than it can be read", Hint: "read it when fewer objects are being deleted"})
					return
				}
				at = place{}
				continue
			}
			if len(ids) == 0 {
				return
			}
			for i, r := range got.records {
				if seen[ids[i]] {
					continue
				}
				seen[ids[i]] = true
				if !yield(r, nil) {
					return
				}
			}
			if at, err = at.next(ids, l.limit); err != nil {
				yield(nil, a.broken(got.exchange, got.resp, err.Error(), "the site does not page as documented"))
				return
			}
		}
	}
}
