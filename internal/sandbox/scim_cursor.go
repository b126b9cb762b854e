package sandbox

import (
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"net/http"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// The error types of RFC 9865 section 2.5.
const (
	invalidCursor scim.ErrorType = "invalidCursor"
	invalidCount  scim.ErrorType = "invalidCount"
)

// cursorFacts is how a service pages with cursors (RFC 9865).
type cursorFacts struct {
	supported bool
	standard  bool // lists use cursors unless startIndex is given
	silent    bool // not in ServiceProviderConfig
	uncounted bool // pages do not say how many results there are
}

// config is what ServiceProviderConfig says (RFC 9865 section 4), nil for nothing.
func (f cursorFacts) config() map[string]any {
	if !f.supported || f.silent {
		return nil
	}
	method := "index"
	if f.standard {
		method = "cursor"
	}
	return map[string]any{"cursor": true, "index": true, "defaultPaginationMethod": method,
		"defaultPageSize": defaultPage, "maxPageSize": maxPage}
}

// wanted reports whether a list is to be given with cursors.
func (f cursorFacts) wanted(c *call) bool {
	return f.supported && (c.query.Has("cursor") || f.standard && !c.query.Has("startIndex"))
}

// cursor is a place in a list: behind the resource with that serial number. It is good for the same query only.
type cursor struct {
	after, count int
	query        uint32
}

// String gives the cursor in characters that need no escape in an address.
func (k cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %d", k.after, k.count, k.query))
}

func parseCursor(text string) (cursor, bool) {
	var k cursor
	data, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return k, false
	}
	_, err = fmt.Sscanf(string(data), "%d %d %d", &k.after, &k.count, &k.query)
	return k, err == nil && k.String() == text
}

// listByCursor answers with a page of hits. The store is locked.
func (c *call) listByCursor(hits []*record) error {
	if c.query.Has("startIndex") {
		return scim.NewError(http.StatusBadRequest, invalidCursor, "send cursor or startIndex, not both")
	}
	size := c.app.facts.page(c.kind)
	count, err := c.number("count", size.standard)
	if err != nil {
		return err
	}
	if count < 1 {
		return scim.NewError(http.StatusBadRequest, invalidCount, "count is %d; it must be at least 1", count)
	}
	here := cursor{count: min(count, size.most), query: c.queryHash()}
	if given := c.query.Get("cursor"); given != "" {
		before, ok := parseCursor(given)
		switch {
		case !ok || before.query != here.query:
			return scim.NewError(http.StatusBadRequest, invalidCursor, "the cursor does not belong to this query")
		case c.query.Has("count") && before.count != here.count:
			return scim.NewError(http.StatusBadRequest, invalidCount, "count was %d where the cursor comes from", before.count)
		}
		here = before
	}
	hits = slices.SortedFunc(slices.Values(hits), func(a, b *record) int { return a.serial - b.serial })
	from := slices.IndexFunc(hits, func(r *record) bool { return r.serial > here.after })
	if from < 0 {
		from = len(hits)
	}
	to := min(from+here.count, len(hits))
	var head []byte
	if !c.app.facts.cursors.uncounted {
		head = fmt.Appendf(head, `"totalResults":%d,`, len(hits))
	}
	at := func(i int) cursor {
		k := cursor{count: here.count, query: here.query}
		if i > 0 {
			k.after = hits[i-1].serial
		}
		return k
	}
	if to < len(hits) {
		head = fmt.Appendf(head, `"nextCursor":"%s",`, at(to))
	}
	if from > 0 {
		head = fmt.Appendf(head, `"previousCursor":"%s",`, at(max(from-here.count, 0)))
	}
	return c.answerList(head, hits[from:to])
}

// queryHash tells queries apart: a client repeats everything but the cursor.
func (c *call) queryHash() uint32 {
	text := c.kind.path
	for _, name := range []string{"filter", "attributes", "excludedAttributes", "sortBy", "sortOrder"} {
		text += fmt.Sprintf("&%s=%q", name, strings.Join(c.query[name], ","))
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(text)) // a hash takes everything
	return h.Sum32()
}
