package scim

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// pagingServer is a server with so many users, paged by cursor (RFC 9865). Its faults are switched on by fields.
type pagingServer struct {
	users     int
	most      int    // in a page
	noCursor  bool   // gives no cursors at all, and no index either
	byIndex   bool   // knows startIndex
	pageTotal bool   // counts the page alone as the total
	total     bool   // tells the total
	refuse    string // scimType of the answer to the second page
	loop      bool   // gives the same cursor again and again
	seen      []string
}

func (p *pagingServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p.seen = append(p.seen, r.URL.RawQuery)
	from := 0
	switch cursor := q.Get("cursor"); {
	case cursor != "" && p.refuse != "":
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"scimType":%q}`, p.refuse)
		return
	case cursor != "":
		from, _ = strconv.Atoi(strings.TrimPrefix(cursor, "after:"))
	case q.Has("startIndex") && p.byIndex:
		from, _ = strconv.Atoi(q.Get("startIndex"))
		from--
	}
	count, _ := strconv.Atoi(q.Get("count"))
	n := max(0, min(count, p.most, p.users-from))
	var users []string
	for i := range n {
		users = append(users, fmt.Sprintf(`{"id":"%d","userName":"u%[1]d"}`, from+i+1))
	}
	extra := ""
	if p.total {
		extra = fmt.Sprintf(`"totalResults":%d,`, p.users)
	}
	if p.pageTotal {
		extra = fmt.Sprintf(`"totalResults":%d,`, n)
	}
	switch {
	case p.loop:
		extra += `"nextCursor":"after:1",`
	case from+n < p.users && !p.noCursor:
		extra += fmt.Sprintf(`"nextCursor":"after:%d",`, from+n)
	}
	_, _ = fmt.Fprintf(w, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],%s"Resources":[%s]}`, extra, strings.Join(users, ","))
}

// TestListingsByCursorAreWholeOrFail reads whole listings (RFC 9865): all accounts, or an error, never some of them.
func TestListingsByCursorAreWholeOrFail(t *testing.T) {
	const incompatible = "incompatible"
	tests := []struct {
		name   string
		server pagingServer
		calls  []string // queries, unescaped; nil for any
		fails  string   // kind of the error, "" for none
		hint   string
	}{
		{"three pages, of which the first has an empty cursor and no index", pagingServer{users: 5, most: 2}, []string{"count=2&cursor=", "count=2&cursor=after:2", "count=2&cursor=after:4"}, "", ""},
		{"a last page that is full", pagingServer{users: 4, most: 2, total: true}, []string{"count=2&cursor=", "count=2&cursor=after:2"}, "", ""},
		{"a total that is not told", pagingServer{users: 3, most: 2}, nil, "", ""},
		{"nobody", pagingServer{most: 2}, []string{"count=2&cursor="}, "", ""},
		{"one page that is not full", pagingServer{users: 1, most: 2, total: true}, []string{"count=2&cursor="}, "", ""},
		{"a full page is all there is, as paging by index shows", pagingServer{users: 2, most: 2, total: true, byIndex: true},
			[]string{"count=2&cursor=", "count=1&startIndex=3"}, "", ""},
		{"a full page without a cursor, and a total that says more", pagingServer{users: 5, most: 2, noCursor: true, total: true}, nil, incompatible, "paging"},
		{"a full page without a cursor, counted as all", pagingServer{users: 5, most: 2, noCursor: true, pageTotal: true}, nil, incompatible, "paging"},
		{"a full page without a cursor or a total", pagingServer{users: 5, most: 2, noCursor: true}, []string{"count=2&cursor="}, incompatible, "paging"},
		{"a cursor that leads nowhere", pagingServer{users: 5, most: 2, loop: true}, nil, incompatible, "list to false"},
		{"a cursor that has expired", pagingServer{users: 5, most: 2, refuse: "expiredCursor"}, nil, "not found", "begins anew"},
		{"a cursor that is not known any more", pagingServer{users: 5, most: 2, refuse: "invalidCursor"}, nil, "not found", "begins anew"},
		{"a page that is too large", pagingServer{users: 5, most: 2, refuse: "invalidCount"}, nil, incompatible, "pageSize to a smaller number"},
		{"a server that does not know cursors", pagingServer{users: 5, most: 2, refuse: "invalidValue"}, nil, incompatible, "paging"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := tt.server
			c := open(t, plainServer(t, &server), map[string]any{"paging": "cursor", "pageSize": 2}, &connector.Meter{})
			var got, want []string
			var err error
			for cursor := ""; ; {
				var page connector.Page
				if page, err = c.List(t.Context(), identity.User, cursor); err != nil {
					break
				}
				for _, o := range page.Objects {
					got = append(got, o.Anchor)
				}
				if cursor = page.Next; cursor == "" || len(got) > 10 {
					break
				}
			}
			if tt.fails != "" {
				e := asError(t, err)
				if e == nil || e.Kind.String() != tt.fails || !strings.Contains(e.Hint, tt.hint) {
					t.Errorf("%+v after %v, want %s and a hint with %q", e, got, tt.fails, tt.hint)
				}
			} else {
				for i := range server.users {
					want = append(want, strconv.Itoa(i+1))
				}
				if err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			}
			var calls []string
			for _, q := range server.seen {
				plain, _ := url.QueryUnescape(q)
				calls = append(calls, plain)
			}
			if diff := cmp.Diff(tt.calls, calls); tt.calls != nil && diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestASpotOfAListingIsReadBack(t *testing.T) {
	for _, s := range []spot{{received: 100, first: "7710ab"}, {byCursor: true, cursor: "a:b c=", received: 3, first: "x:y"}} {
		got, err := parseSpot(s.String(), false)
		if err != nil || got != s {
			t.Errorf("%+v comes back as %+v, %v", s, got, err)
		}
	}
	for _, text := range []string{"x", "i:", "i0::a", "c1::a", "i1:c:a", "cx:y:z", "i1:%zz:a"} {
		if s, err := parseSpot(text, false); err == nil {
			t.Errorf("%q is taken for %+v", text, s)
		}
	}
}
