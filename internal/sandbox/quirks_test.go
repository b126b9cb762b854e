package sandbox

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// quirky opens the generic sandbox with quirks.
func quirky(t testing.TB, quirks ...string) *client {
	t.Helper()
	return open(t, "scim", Config{Rate: NoRate, Quirks: quirks})
}

// on gives a client whose failures are those of t.
func (c *client) on(t testing.TB) *client {
	d := *c
	d.t = t
	return &d
}

// named are the userNames, or displayNames, of a list.
func (c *client) named(path string) []string {
	c.t.Helper()
	names := []string{}
	list, _ := c.must(200, "GET", path, "").body["Resources"].([]any)
	for _, r := range list {
		name, ok := r.(map[string]any)["userName"].(string)
		if !ok {
			name, _ = r.(map[string]any)["displayName"].(string)
		}
		names = append(names, name)
	}
	return names
}

func filtered(path, filter string) string { return path + "?filter=" + url.QueryEscape(filter) }

func TestNewRefusesUnknownQuirks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		quirks []string
		want   string
	}{
		{"scim", []string{"aws", "nope"}, `no quirk named "nope"; there are aws, bulk, cursor, etag, put-only, salesforce, slack, zscaler`},
		{"litmos-scim", []string{"aws"}, "scim does"},
	} {
		if _, err := New(tt.name, Config{Quirks: tt.quirks}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %v: %v", tt.name, tt.quirks, err)
		}
	}
}

func TestPutOnlyHasNoPatch(t *testing.T) {
	c := quirky(t, "put-only")
	if got := c.must(200, "GET", "/ServiceProviderConfig", "").body["patch"]; !cmp.Equal(got, map[string]any{"supported": false}) {
		t.Errorf("patch %v", got)
	}
	mira := c.user("mira")
	team := c.group("Depot")
	c.refused(501, "", "PATCH", "/Users/"+mira, patchBody(`[{"op":"replace","path":"active","value":false}]`))
	c.refused(501, "", "PATCH", "/Groups/"+team, patchBody(`[{"op":"add","path":"members","value":[{"value":"`+mira+`"}]}]`))
	c.must(200, "PUT", "/Groups/"+team, `{"displayName":"Depot","members":[{"value":"`+mira+`"}]}`)
	if got := c.members(team); !cmp.Equal(got, []string{mira}) {
		t.Errorf("members %v", got)
	}
}

// TestETagMustBeSent: RFC 6585 section 3, RFC 7644 section 3.14.
func TestETagMustBeSent(t *testing.T) {
	c := quirky(t, "etag")
	a := c.must(201, "POST", "/Users", `{"userName":"mira"}`)
	tag, user := a.header.Get("ETag"), "/Users/"+a.body["id"].(string)
	if tag == "" || a.body["meta"].(map[string]any)["version"] != tag {
		t.Fatalf("version %q in %v", tag, a.body["meta"])
	}
	patch := patchBody(`[{"op":"replace","path":"active","value":false}]`)
	c.refused(428, "", "PATCH", user, patch)
	c.refused(428, "", "PUT", user, `{"userName":"mira"}`)
	c.refused(428, "", "DELETE", user, "")
	c.with("If-Match", `W/"99"`).refused(412, "", "PATCH", user, patch)
	c.with("If-None-Match", tag).must(304, "GET", user, "")
	b := c.with("If-Match", tag).must(200, "PATCH", user, patch)
	if b.header.Get("ETag") == tag {
		t.Error("a change keeps the version")
	}
	c.with("If-Match", tag).refused(412, "", "DELETE", user, "")
	c.with("If-None-Match", tag).must(200, "GET", user, "")
	c.with("If-Match", b.header.Get("ETag")).must(204, "DELETE", user, "")
}
