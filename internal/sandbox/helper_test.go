package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const testToken = "s3cret-token"

// client talks to a sandbox with plain net/http.
type client struct {
	t      testing.TB
	server *Server
	origin string
	base   string
	token  string
	header http.Header // for every request
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	raw    string
}

func open(t testing.TB, name string, cfg Config) *client {
	t.Helper()
	if cfg.Token == "" {
		cfg.Token = testToken
	}
	s, err := New(name, cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return &client{t: t, server: s, origin: h.URL, base: h.URL + s.BasePath(), token: cfg.Token, header: http.Header{}}
}

// with gives a client that sends one header more, or none of that name when the value is empty.
func (c *client) with(name, value string) *client {
	d := *c
	d.header = c.header.Clone()
	d.header[name] = []string{value}
	return &d
}

func (c *client) request(method, path, body string) *http.Request {
	c.t.Helper()
	url := c.base + path
	if strings.HasPrefix(path, "/_sandbox/") {
		url = c.origin + path
	}
	r, err := http.NewRequestWithContext(c.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for k, v := range c.header {
		r.Header.Del(k)
		if v[0] != "" {
			r.Header[k] = v
		}
	}
	return r
}

func (c *client) do(method, path, body string) answer {
	c.t.Helper()
	resp, err := http.DefaultClient.Do(c.request(method, path, body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	a := answer{status: resp.StatusCode, header: resp.Header, raw: string(data)}
	if bytes.HasPrefix(data, []byte("{")) && !strings.Contains(resp.Header.Get("Content-Type"), "ndjson") {
		if err := json.Unmarshal(data, &a.body); err != nil {
			c.t.Fatalf("%s %s answers %q: %v", method, path, data, err)
		}
	}
	return a
}

// must does a request that has to be answered with the status.
func (c *client) must(status int, method, path, body string) answer {
	c.t.Helper()
	a := c.do(method, path, body)
	if a.status != status {
		c.t.Fatalf("%s %s %s: status %d, want %d: %s", method, path, body, a.status, status, a.raw)
	}
	return a
}

// refused does a request that has to be refused with status and scimType, in a SCIM error message.
func (c *client) refused(status int, scimType, method, path, body string) answer {
	c.t.Helper()
	a := c.must(status, method, path, body)
	want := map[string]any{"schemas": []any{"urn:ietf:params:scim:api:messages:2.0:Error"}, "status": statusText(status)}
	if scimType != "" {
		want["scimType"] = scimType
	}
	got := map[string]any{}
	for k, v := range a.body {
		if k != "detail" {
			got[k] = v
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.t.Fatalf("%s %s %s: error message (-want +got):\n%s%s", method, path, body, diff, a.raw)
	}
	if a.body["detail"] == "" || a.header.Get("Content-Type") != "application/scim+json" {
		c.t.Fatalf("%s %s: no detail or wrong type in %v %s", method, path, a.header, a.raw)
	}
	return a
}

func statusText(status int) string {
	return string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)})
}

// user creates a user and gives its id.
func (c *client) user(userName string) string {
	c.t.Helper()
	return c.must(201, "POST", "/Users", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"`+userName+
		`","active":true,"name":{"givenName":"G","familyName":"F"}}`).body["id"].(string)
}

// group creates a group with members and gives its id.
func (c *client) group(name string, members ...string) string {
	c.t.Helper()
	list := []string{}
	for _, m := range members {
		list = append(list, `{"value":"`+m+`"}`)
	}
	return c.must(201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"`+name+
		`","members":[`+strings.Join(list, ",")+`]}`).body["id"].(string)
}

// members gives the ids of a group's members in order.
func (c *client) members(group string) []string {
	c.t.Helper()
	ids := []string{}
	list, _ := c.must(200, "GET", "/Groups/"+group, "").body["members"].([]any)
	for _, m := range list {
		ids = append(ids, m.(map[string]any)["value"].(string))
	}
	return ids
}

func patchBody(operations string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":` + operations + `}`
}

// clock is a time that tests set.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }
