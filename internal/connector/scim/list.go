package scim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// spot is a place in a listing. By index it is the number of the first object wanted (RFC 7644 section 3.4.2.4), by cursor what the
// server gave with the page before (RFC 9865 section 2).
type spot struct {
	byCursor bool
	cursor   string // "" on the first page
	received int    // objects of all pages before
	first    string // id of the first object of the page before, "" on the first page
}

// String is a spot as the cursor of List: "i" or "c", what was received, the cursor, the first id; escaped.
func (s spot) String() string {
	mark := "i"
	if s.byCursor {
		mark = "c"
	}
	return mark + strconv.Itoa(s.received) + ":" + url.QueryEscape(s.cursor) + ":" + s.first
}

// parseSpot reads a cursor of List.
func parseSpot(text string, byCursor bool) (spot, error) {
	if text == "" {
		return spot{byCursor: byCursor}, nil
	}
	parts := strings.SplitN(text[1:], ":", 3)
	if len(parts) == 3 && (text[0] == 'i' || text[0] == 'c') {
		s := spot{byCursor: text[0] == 'c', first: parts[2]}
		n, err := strconv.Atoi(parts[0])
		cursor, escaped := url.QueryUnescape(parts[1])
		if s.received, s.cursor = n, cursor; err == nil && escaped == nil && n > 0 && s.byCursor == (cursor != "") {
			return s, nil
		}
	}
	return spot{}, fmt.Errorf("%q is no cursor of a listing", text)
}

// List implements connector.Lister (scim.R50, R51).
func (c *Client) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	k, err := c.kindOf(kind, "list")
	if err != nil {
		return connector.Page{}, err
	}
	at, err := parseSpot(cursor, c.byCursor)
	if err != nil {
		return connector.Page{}, invalid("list "+string(kind), err)
	}
	x := c.pageOf(k, at)
	resp, err := c.send(ctx, x)
	if err != nil {
		return connector.Page{}, err
	}
	list, ok := decodeList(resp.Body)
	if resp.Status != http.StatusOK || !ok {
		return connector.Page{}, c.judgePage(x, at, resp)
	}
	page := connector.Page{Total: -1, Objects: make([]*identity.Object, 0, len(list.Resources))}
	for _, r := range list.resources() {
		if idOf(r) == "" {
			return connector.Page{}, c.broken(x, resp, "a resource in the answer has no id", "")
		}
		page.Objects = append(page.Objects, c.object(k, r, false))
	}
	// A server without a total, or with one that its own page exceeds, is listed until it has no more.
	if n := len(page.Objects); list.TotalResults != nil && *list.TotalResults >= n {
		page.Total = *list.TotalResults
	}
	return page, c.turn(ctx, k, &page, at, x, resp, list.NextCursor)
}

// pageOf is the call for a page. The first one by cursor has an empty cursor and no index (RFC 9865 section 2.1).
func (c *Client) pageOf(k *kind, at spot) *exchange {
	q := url.Values{"count": {strconv.Itoa(c.pageSize)}}
	switch {
	case at.byCursor:
		q.Set("cursor", at.cursor)
	case !c.cfg.NoAttributesParam:
		q.Set("startIndex", strconv.Itoa(at.received+1))
	}
	c.exclude(k, q)
	return &exchange{method: http.MethodGet, path: k.endpoint, query: q, safe: true}
}

// turn finds the page after the one that came, and makes sure that a page without a next one is the last.
func (c *Client) turn(ctx context.Context, k *kind, page *connector.Page, at spot, x *exchange, resp *httpx.Response, next string) error {
	n := len(page.Objects)
	so := at.received + n
	if n > 0 && page.Objects[0].Anchor == at.first || next != "" && next == at.cursor {
		return c.broken(x, resp, "a page of the listing begins like the page before", "the target does not page as SCIM 2.0 has it: set list to false")
	}
	byCursor := next != "" && c.cfg.Paging != pagingIndex
	switch {
	case byCursor:
		page.Next = spot{byCursor: true, cursor: next, received: max(so, 1), first: firstOf(page, at)}.String()
	case n == 0 && !at.byCursor: // nothing is left
	case !at.byCursor && c.cfg.NoAttributesParam: // the target knows no index, so there is one page
		if so < page.Total {
			return c.cut(x, resp, fmt.Sprintf("the target has %d objects, gave %d, and takes no index for the others", page.Total, so))
		}
	case !at.byCursor:
		if page.Total < 0 || so < page.Total {
			page.Next = spot{received: so, first: page.Objects[0].Anchor}.String()
		}
	case so < page.Total && (at.cursor == "" || n >= c.fullPage()): // else some were deleted while they were listed
		return c.cut(x, resp, fmt.Sprintf("the target has %d objects, gave %d, and no cursor for the others", page.Total, so))
	case at.cursor == "" && n > 0 && n >= c.fullPage():
		return c.complete(ctx, k, so, page.Total, x, resp)
	}
	return nil
}

// firstOf is the id that the next page must not begin with.
func firstOf(page *connector.Page, at spot) string {
	if len(page.Objects) == 0 {
		return at.first
	}
	return page.Objects[0].Anchor
}

// fullPage is how many objects a page has when there may be more.
func (c *Client) fullPage() int {
	if most := c.mostInPage; most > 0 {
		return min(c.pageSize, most)
	}
	return c.pageSize
}

// complete makes sure that a first page that is full and has no cursor is all there is. Some servers give a page and no
// cursor to those who do not page as they want it, and count the page alone as the total: taking that for the whole would
// take everybody else for gone. A server that can page by index, too, shows that nothing comes behind.
func (c *Client) complete(ctx context.Context, k *kind, received, total int, x *exchange, resp *httpx.Response) error {
	if total == received && !c.cfg.NoAttributesParam {
		behind := c.pageOf(k, spot{received: received})
		behind.query.Set("count", "1")
		behind.query.Set("startIndex", strconv.Itoa(received+1))
		more, err := c.send(ctx, behind)
		if err != nil {
			return err
		}
		if list, ok := decodeList(more.Body); ok && more.Status == http.StatusOK && len(list.Resources) == 0 {
			return nil
		}
	}
	return c.cut(x, resp, fmt.Sprintf("the first page is full, with %d objects, and has no cursor, so whether there are more cannot be told", received))
}

// cut is a listing that ended before its end.
func (c *Client) cut(x *exchange, resp *httpx.Response, detail string) *connector.Error {
	return c.broken(x, resp, "the listing is not whole: "+detail, "set paging to index, or list to false where the target cannot page by index")
}

// judgePage classifies an answer that is no page (RFC 9865 section 2.2).
func (c *Client) judgePage(x *exchange, at spot, resp *httpx.Response) *connector.Error {
	e := c.judge(x, collection, resp)
	if resp.Status != http.StatusBadRequest {
		return e
	}
	scimType, _ := c.said(resp)
	switch {
	case at.cursor != "" && (strings.EqualFold(scimType, "expiredCursor") || strings.EqualFold(scimType, "invalidCursor")):
		e.Kind, e.Code, e.Hint = connector.KindNotFound, connector.CodeServiceIncompatible, "the target has forgotten where the listing was: it begins anew"
	case strings.EqualFold(scimType, "invalidCount"):
		e.Kind, e.Code, e.Hint = connector.KindIncompatible, connector.CodeServiceIncompatible, "the target gives no pages of this size: set pageSize to a smaller number"
	case at.byCursor:
		e.Kind, e.Code, e.Hint = connector.KindIncompatible, connector.CodeServiceIncompatible, "the target does not page by cursor: set paging: index"
	}
	return e
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
	switch most := announcedPage(found, byCursor); {
	case cfg.PageSize > 0:
		size = cfg.PageSize
	case most > 0:
		size = min(most, largestOffered)
	default:
		size = defaultPageSize
	}
	return size, byCursor
}

// announcedPage is the largest page that a target announces, 0 for none.
func announcedPage(found connector.Discovery, byCursor bool) int {
	if byCursor && found.Paging.MaxPageSize > 0 {
		return found.Paging.MaxPageSize
	}
	return found.MaxResults
}
