package litmos

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// sourcePatience is how long a source waits for its turn in one call. Nobody else does: an error would end the reading.
const sourcePatience = 15 * time.Minute

// accountEnabled is false for an inactive user; every source has it (design 6.2).
const accountEnabled = "accountEnabled"

// Source is a Litmos site as a source. Safe for concurrent use.
type Source struct {
	*api
}

var (
	_ connector.Source = (*Source)(nil)
	_ connector.Feed   = (*Source)(nil)
	_ connector.Lookup = (*Source)(nil)
)

// NewSource makes a source. It reads the secrets and does not call the site. sites holds the allowances of the process, so
// that reading and writing one site share what it allows; nil gives this source one of its own.
func NewSource(cfg Config, env connector.Env, sites *httpx.Sites) (*Source, error) {
	a, err := newAPI(cfg, env, sites)
	if err != nil {
		return nil, err
	}
	return &Source{api: a}, nil
}

// send makes a call, however long the site's allowance is used up.
func (s *Source) send(ctx context.Context, x *exchange) (*httpx.Response, error) {
	return s.patient(ctx, x, sourcePatience)
}

// Schema describes users and teams.
func (s *Source) Schema(context.Context) (schema.Schema, error) { return Schema(), nil }

// want is what a reading is to deliver: attributes under the names they were asked for by.
type want struct {
	*kind
	names []string
	uses  []use // of names; zero for accountEnabled
}

// wanted checks what is asked for. Names are found whatever their case.
func (s *Source) wanted(req connector.ReadRequest) (want, error) {
	w := want{names: req.Attrs, uses: make([]use, len(req.Attrs))}
	all, err := newKind(s.cfg, req.Kind, nil)
	if err != nil {
		return w, err
	}
	var attrs, unknown []string
	for i, name := range req.Attrs {
		if req.Kind == identity.User && strings.EqualFold(name, accountEnabled) {
			continue
		}
		u, ok := all.use(all.spelt(name))
		if !ok || u.field.writeOnly {
			unknown = append(unknown, name)
			continue
		}
		w.uses[i] = u
		attrs = append(attrs, u.name)
	}
	if unknown != nil {
		return w, invalid("read "+string(req.Kind), fmt.Errorf("litmos has no attribute %s of %s", strings.Join(unknown, ", "), req.Kind))
	}
	w.kind, err = newKind(s.cfg, req.Kind, attrs)
	return w, err
}

// spelt is the name of an attribute as the schema has it.
func (k *kind) spelt(name string) string {
	if f, ok := fieldNamed(k.fields, name); ok {
		return f.name
	}
	if k.name == identity.Group {
		for _, ref := range teamReferences() {
			if strings.EqualFold(ref, name) {
				return ref
			}
		}
	}
	return name
}

// uses tells whether one of the references of teams is asked for.
func (w want) asks(ref string) bool {
	for _, u := range w.uses {
		if u.ref == ref {
			return true
		}
	}
	return false
}

// Read delivers every user or team that exists now. Users come from one list of everybody (U4), with one call more for
// each of them where advanced custom fields are asked for; teams with one call more for each reference to users.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	w, err := s.wanted(req)
	if err != nil {
		return failed(err)
	}
	if req.Kind == identity.Group {
		return s.teams(ctx, w)
	}
	return s.users(ctx, w, s.allUsers(w.full))
}

func failed(err error) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) { yield(connector.Item{}, err) }
}

// users delivers the users of a listing.
func (s *Source) users(ctx context.Context, w want, l listing) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		for r, err := range s.everything(ctx, s.send, l) {
			if err != nil {
				yield(connector.Item{}, err)
				return
			}
			item, err := s.user(ctx, w, r)
			switch {
			case connector.KindOf(err) == connector.KindNotFound: // deleted since the page was read
				continue
			case err != nil:
				yield(connector.Item{}, err)
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// user makes an item of a record.
func (s *Source) user(ctx context.Context, w want, r *record) (connector.Item, error) {
	var custom *record
	if len(w.custom) > 0 {
		var err error
		if custom, err = s.customOf(ctx, s.send, r.id()); err != nil {
			return connector.Item{}, err
		}
	}
	return w.item(r, custom, nil), nil
}

// item makes an item of a record. One that cannot be read fails alone. refs are the references of a team.
func (w want) item(r, custom *record, refs map[string][]string) connector.Item {
	o := &identity.Object{Kind: w.name, Anchor: r.id(), Attrs: make(identity.Attrs, len(w.names))}
	if w.name == identity.User {
		shown, has := r.get(fieldActive)
		on, err := asFlag(shown)
		if !has || err != nil {
			return connector.Item{Object: &identity.Object{Kind: w.name, Anchor: r.id()}, Err: fmt.Errorf("the answer does not say whether the user is active")}
		}
		o.Disabled = !on
	}
	for i, name := range w.names {
		u := w.uses[i]
		var v any
		var err error
		switch {
		case u.name == "":
			v = !o.Disabled
		case u.ref != "":
			v = references(refs[u.ref])
		case u.custom != "":
			if text := custom.text(u.custom); text != "" {
				v = text
			}
		default:
			shown, _ := r.get(u.field.name)
			if v, err = u.field.value(shown); err != nil {
				return connector.Item{Object: &identity.Object{Kind: w.name, Anchor: r.id()}, Err: err}
			}
		}
		o.Attrs[i] = identity.Attr{Name: name, Value: v}
	}
	return connector.Item{Object: o}
}

func references(ids []string) any {
	if len(ids) == 0 {
		return nil
	}
	out := make([]any, len(ids))
	for i, id := range ids {
		out[i] = identity.Ref{Kind: identity.User, Anchor: id}
	}
	return out
}

// teams delivers all teams.
func (s *Source) teams(ctx context.Context, w want) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		var rows map[string]map[string][]string
		if s.cfg.ReadMembers == membersByRange && (w.asks(refMembers) || w.asks(refLeaders) || w.asks(refAdmins)) {
			var err error
			if rows, err = s.memberships(ctx); err != nil {
				yield(connector.Item{}, err)
				return
			}
		}
		for r, err := range s.everything(ctx, s.send, s.allTeams()) {
			if err != nil {
				yield(connector.Item{}, err)
				return
			}
			item, err := s.team(ctx, w, r, rows)
			switch {
			case connector.KindOf(err) == connector.KindNotFound: // deleted since the page was read
				continue
			case err != nil:
				yield(connector.Item{}, err)
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// team makes an item of a record of a list. rows are the memberships of all teams, nil when each team is to be asked.
func (s *Source) team(ctx context.Context, w want, r *record, rows map[string]map[string][]string) (connector.Item, error) {
	id := r.id()
	if _, shown := r.get(fieldText); w.full && !shown { // lists do not show the description
		var err error
		if r, _, _, err = s.fetch(ctx, s.send, teamPath(id), id, nameTeam); err != nil {
			return connector.Item{}, err
		}
	}
	refs := rows[id]
	if rows == nil {
		refs = map[string][]string{}
		for _, ref := range teamReferences() {
			if !w.asks(ref) {
				continue
			}
			var err error
			if refs[ref], err = s.people(ctx, teamPath(id)+"/"+refPath(ref)); err != nil {
				return connector.Item{}, err
			}
		}
	}
	return w.item(r, nil, refs), nil
}

// people reads the active members, leaders or administrators of a team. A page that is far from full is all there are,
// which spares every small team its second call.
func (s *Source) people(ctx context.Context, path string) ([]string, error) {
	l := listing{path: path, name: nameUser, limit: s.cfg.PageSize}
	first, err := s.page(ctx, s.send, l, 0)
	if err != nil {
		return nil, err
	}
	var out []string
	if n := len(first.records); n < certainlyAll && n < l.limit {
		seen := map[string]bool{}
		for _, r := range first.records {
			if id := r.id(); !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
		return out, nil
	}
	for r, err := range s.everything(ctx, s.send, l) {
		if err != nil {
			return nil, err
		}
		out = append(out, r.id())
	}
	return out, nil
}

// memberships reads the memberships of all teams from one list: team, reference, users. Rows that are not active are left
// out: whether a person is inactive or the membership has ended is not documented, and the lists of single teams show
// neither.
func (s *Source) memberships(ctx context.Context) (map[string]map[string][]string, error) {
	l := listing{path: "/org/teams/users", name: "TeamUser", query: s.window(beginning), limit: s.cfg.PageSize,
		key: func(r *record) string { return r.text("TeamId") + " " + r.id() }}
	out := map[string]map[string][]string{}
	for r, err := range s.everything(ctx, s.send, l) {
		if err != nil {
			return nil, err
		}
		team := r.text("TeamId")
		if team == "" {
			return nil, &connector.Error{Kind: connector.KindIncompatible, Op: "GET " + l.path, Code: connector.CodeServiceIncompatible,
				Detail: "a membership in the answer has no TeamId", Hint: "set readMembers to team"}
		}
		on := func(name string) bool {
			v, _ := r.get(name)
			is, err := asFlag(v)
			return err == nil && is
		}
		if !on("Active") {
			continue
		}
		if out[team] == nil {
			out[team] = map[string][]string{}
		}
		for ref, in := range map[string]bool{refMembers: true, refLeaders: on("IsTeamLeader"), refAdmins: on("IsTeamAdmin")} {
			if in {
				out[team][ref] = append(out[team][ref], r.id())
			}
		}
	}
	return out, nil
}

// Lookup implements connector.Lookup with a call for each object.
func (s *Source) Lookup(ctx context.Context, req connector.ReadRequest, anchors []string) iter.Seq2[connector.Item, error] {
	w, err := s.wanted(req)
	if err != nil {
		return failed(err)
	}
	return func(yield func(connector.Item, error) bool) {
		for _, id := range anchors {
			item, err := s.lookUp(ctx, w, id)
			if connector.KindOf(err) == connector.KindNotFound {
				item, err = connector.Item{Object: &identity.Object{Kind: w.name, Anchor: id}, Gone: true}, nil
			}
			if err != nil {
				yield(connector.Item{}, err)
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

func (s *Source) lookUp(ctx context.Context, w want, id string) (connector.Item, error) {
	if !isID(id) {
		return connector.Item{}, &connector.Error{Kind: connector.KindNotFound, Op: "look up " + string(w.name), Code: connector.CodeInvalidAnchor, NotSent: true,
			Detail: fmt.Sprintf("%q is no id of Litmos", id)}
	}
	path, name := userPath(id), nameUser
	if w.name == identity.Group {
		path, name = teamPath(id), nameTeam
	}
	r, _, _, err := s.fetch(ctx, s.send, path, id, name)
	if err != nil {
		return connector.Item{}, err
	}
	if w.name == identity.Group {
		return s.team(ctx, w, r, nil)
	}
	return s.user(ctx, w, r)
}

// clock asks the site what time it is, so that our clock need not be right.
func (s *Source) clock(ctx context.Context) (time.Time, error) {
	x := &exchange{method: http.MethodGet, path: "/users", query: url.Values{"limit": {"1"}}, safe: true, at: web.Probe}
	resp, err := s.send(ctx, x)
	if err != nil {
		return time.Time{}, err
	}
	if resp.Status != http.StatusOK {
		return time.Time{}, s.fail(x, resp)
	}
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return at.UTC(), nil
	}
	return s.now().UTC(), nil
}
