package scim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// A cursor of List is either "i<start>:<first id of the page before>" for paging by index (RFC 7644 section 3.4.2.4),
// or "c<cursor>:<first id of the page before>" for a server that announced a cursor (RFC 9865). The cursor is escaped.

// List implements connector.Lister (scim.R50, R51).
func (c *Client) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	k, err := c.kindOf(kind, "list")
	if err != nil {
		return connector.Page{}, err
	}
	start, next, before, err := parseCursor(cursor)
	if err != nil {
		return connector.Page{}, invalid("list "+string(kind), err)
	}
	q := url.Values{"count": {strconv.Itoa(c.pageSize)}}
	switch {
	case next != "":
		q.Set("cursor", next)
	case !c.cfg.NoAttributesParam:
		q.Set("startIndex", strconv.Itoa(start))
	}
	c.exclude(k, q)
	x := &exchange{method: http.MethodGet, path: k.endpoint, query: q, safe: true}
	resp, err := c.send(ctx, x)
	if err != nil {
		return connector.Page{}, err
	}
	list, ok := decodeList(resp.Body)
	if resp.Status != http.StatusOK || !ok {
		return connector.Page{}, c.judge(x, collection, resp)
	}
	page := connector.Page{Total: -1, Objects: make([]*identity.Object, 0, len(list.Resources))}
	for _, r := range list.resources() {
		if idOf(r) == "" {
			return connector.Page{}, c.broken(x, resp, "a resource in the answer has no id", "")
		}
		page.Objects = append(page.Objects, c.object(k, r, false))
	}
	// A server without a total, or with one that its own page exceeds, is listed until it has no more.
	received := len(page.Objects)
	if list.TotalResults != nil && *list.TotalResults >= received {
		page.Total = *list.TotalResults
	}
	if received == 0 {
		return page, nil
	}
	first := page.Objects[0].Anchor
	if first == before {
		return connector.Page{}, c.broken(x, resp, fmt.Sprintf("page %d of the listing begins like the page before", start),
			"the target does not page as SCIM 2.0 has it: set list to false")
	}
	switch {
	case list.NextCursor != "":
		page.Next = "c" + url.QueryEscape(list.NextCursor) + ":" + first
	case next == "" && !c.cfg.NoAttributesParam && (page.Total < 0 || start+received <= page.Total):
		page.Next = "i" + strconv.Itoa(start+received) + ":" + first
	}
	return page, nil
}

// The size of a page where nothing is set: what the target announces, but no more than an answer should hold, and the
// default of scim.R51 where it announces nothing.
const (
	defaultPageSize = 100
	largestOffered  = 500
)

// paging says how a target is listed: the objects in a page (scim.R49), and whether by cursor.
func paging(cfg Config, found connector.Discovery) (size int, byCursor bool) {
	byCursor = cfg.Paging == pagingCursor || cfg.Paging != pagingIndex && found.Paging.Cursor
	most := found.MaxResults
	if byCursor && found.Paging.MaxPageSize > 0 {
		most = found.Paging.MaxPageSize
	}
	switch {
	case cfg.PageSize > 0:
		size = cfg.PageSize
	case most > 0:
		size = min(most, largestOffered)
	default:
		size = defaultPageSize
	}
	return size, byCursor
}

// parseCursor reads a cursor of List; before is the first id of the page before, "" on the first page.
func parseCursor(cursor string) (start int, next, before string, err error) {
	if cursor == "" {
		return 1, "", "", nil
	}
	mark, before, ok := strings.Cut(cursor[1:], ":")
	switch {
	case ok && cursor[0] == 'i':
		if start, err = strconv.Atoi(mark); err == nil && start > 0 {
			return start, "", before, nil
		}
	case ok && cursor[0] == 'c':
		if next, err = url.QueryUnescape(mark); err == nil && next != "" {
			return 1, next, before, nil
		}
	}
	return 0, "", "", fmt.Errorf("%q is no cursor of a listing", cursor)
}
