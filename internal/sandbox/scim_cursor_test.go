package sandbox

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestCursorPages: RFC 9865 section 2, a list is read to the end, and back, and loses nobody when others are deleted.
func TestCursorPages(t *testing.T) {
	c := quirky(t, "cursor")
	want := map[string]any{"cursor": true, "index": true, "defaultPaginationMethod": "cursor", "defaultPageSize": 100.0, "maxPageSize": 200.0}
	if diff := cmp.Diff(want, c.must(200, "GET", "/ServiceProviderConfig", "").body["pagination"]); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	var ids []string
	for i := range 7 {
		ids = append(ids, c.user(fmt.Sprint("user", i)))
	}
	page := func(cursor string) (names []string, next, previous string, body map[string]any) {
		t.Helper()
		path := "/Users?count=3&cursor=" + cursor
		body = c.must(200, "GET", path, "").body
		next, _ = body["nextCursor"].(string)
		previous, _ = body["previousCursor"].(string)
		for _, text := range []string{next, previous} {
			if !regexp.MustCompile(`^[A-Za-z0-9._~-]*$`).MatchString(text) {
				t.Errorf("the cursor %q needs an escape in an address", text)
			}
		}
		return c.named(path), next, previous, body
	}
	names, second, previous, body := page("")
	if !cmp.Equal(names, []string{"user0", "user1", "user2"}) || second == "" || previous != "" || body["totalResults"] != 7.0 || body["startIndex"] != nil {
		t.Errorf("first page %v", body)
	}
	c.must(204, "DELETE", "/Users/"+ids[1], "") // a page counted by number would now pass over user3
	names, third, first, _ := page(second)
	if !cmp.Equal(names, []string{"user3", "user4", "user5"}) {
		t.Errorf("second page %v", names)
	}
	names, end, _, body := page(third)
	if !cmp.Equal(names, []string{"user6"}) || end != "" || body["itemsPerPage"] != 1.0 {
		t.Errorf("last page %v", body)
	}
	if names, _, _, _ := page(first); !cmp.Equal(names, []string{"user0", "user2", "user3"}) {
		t.Errorf("back %v", names)
	}
	if got := c.named("/Users?cursor=" + second); len(got) != 3 {
		t.Errorf("the cursor keeps the count, but the page has %d", len(got))
	}
	if got := c.must(200, "GET", "/Users?count=3", "").body["nextCursor"]; got == nil {
		t.Error("without parameters of paging the list is given with cursors")
	}
	if got := c.must(200, "GET", "/Users?count=3&startIndex=1", "").body; got["nextCursor"] != nil || got["startIndex"] != 1.0 {
		t.Errorf("counted by number: %v", got)
	}
	for _, tt := range []struct{ kind, path string }{
		{"invalidCursor", "/Users?cursor=nonsense"},
		{"invalidCursor", "/Users?cursor=" + second + "x"},
		{"invalidCursor", "/Groups?cursor=" + second},
		{"invalidCursor", filtered("/Users", `active eq true`) + "&cursor=" + second},
		{"invalidCursor", "/Users?cursor=&startIndex=1"},
		{"invalidCount", "/Users?count=4&cursor=" + second},
		{"invalidCount", "/Users?count=0&cursor="},
		{"invalidValue", "/Users?count=some&cursor="},
	} {
		c.refused(400, tt.kind, "GET", tt.path, "")
	}
	generic := quirky(t)
	if got := generic.must(200, "GET", "/ServiceProviderConfig", "").body["pagination"]; got != nil {
		t.Errorf("without the quirk cursors are announced: %v", got)
	}
}
