package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// names lists the user names, or display names, of a list answer.
func names(a answer) []string {
	list := []string{}
	for _, r := range a.body["Resources"].([]any) {
		m := r.(map[string]any)
		if n, ok := m["userName"].(string); ok {
			list = append(list, n)
		} else {
			list = append(list, fmt.Sprint(m["displayName"]))
		}
	}
	return list
}

// TestPaging covers RFC 7644 section 3.4.2.4.
func TestPaging(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	var all []string
	for i := range 250 {
		name := fmt.Sprintf("u%03d", i)
		c.user(name)
		all = append(all, name)
	}
	tests := []struct {
		query      string
		start      int
		from, upTo int
	}{
		{"", 1, 0, 100},
		{"?startIndex=101", 101, 100, 200},
		{"?startIndex=101&count=1000", 101, 100, 250},
		{"?count=1000", 1, 0, 200},
		{"?startIndex=0&count=2", 1, 0, 2},
		{"?startIndex=-5&count=-1", 1, 0, 0},
		{"?count=0", 1, 0, 0},
		{"?startIndex=250&count=10", 250, 249, 250},
		{"?startIndex=251", 251, 250, 250},
		{"?startIndex=99999999999", 99999999999, 250, 250},
	}
	for _, tt := range tests {
		a := c.must(200, "GET", "/Users"+tt.query, "")
		if diff := cmp.Diff(all[tt.from:tt.upTo], names(a)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.query, diff)
		}
		got := []any{a.body["totalResults"], a.body["startIndex"], a.body["itemsPerPage"], a.body["schemas"]}
		want := []any{250.0, float64(tt.start), float64(tt.upTo - tt.from), []any{"urn:ietf:params:scim:api:messages:2.0:ListResponse"}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.query, diff)
		}
	}
	a := c.must(200, "GET", "/Users?startIndex=2&count=3&filter="+url.QueryEscape(`userName sw "u01"`), "")
	if diff := cmp.Diff([]string{"u011", "u012", "u013"}, names(a)); diff != "" || a.body["totalResults"] != 10.0 {
		t.Errorf("page of a filter: %s, total %v", diff, a.body["totalResults"])
	}
}

func TestPagesHaveNoGapsWhereResourcesWereRemoved(t *testing.T) {
	c := open(t, "scim", Config{})
	var ids []string
	for i := range 30 {
		a := c.do(http.MethodPost, "/Users", fmt.Sprintf(`{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"user%02d"}`, i))
		ids = append(ids, a.body["id"].(string))
	}
	var left []string
	for i, id := range ids {
		if i%3 == 0 {
			left = append(left, id)
			continue
		}
		c.do(http.MethodDelete, "/Users/"+id, "")
		var got []string
		for start := 1; ; start += 4 {
			page := c.do(http.MethodGet, fmt.Sprintf("/Users?startIndex=%d&count=4", start), "").body
			list, _ := page["Resources"].([]any)
			if len(list) == 0 {
				break
			}
			for _, r := range list {
				got = append(got, r.(map[string]any)["id"].(string))
			}
		}
		if diff := cmp.Diff(append(slices.Clone(left), ids[i+1:]...), got); diff != "" {
			t.Fatalf("after user%02d was removed (-want +got):\n%s", i, diff)
		}
	}
}

func TestFilters(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	const core = `"schemas":["urn:ietf:params:scim:schemas:core:2.0:User","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"]`
	create := func(body string) string {
		return c.must(201, "POST", "/Users", `{`+core+`,`+body+`}`).body["id"].(string)
	}
	mira := create(`"userName":"Mira","externalId":"E1","displayName":"Twin","active":true,"emails":[{"type":"work","value":"M@example.net"},{"type":"home","value":"m@example.net"}]`)
	ola := create(`"userName":"ola","externalId":"e1","displayName":"TWIN","active":false,"emails":[{"type":"home","value":"o@example.net"}],"` +
		enterpriseURN + `":{"manager":{"value":"` + mira + `"},"department":"Line 12"}`)
	line := c.group("Line 12", mira, ola)
	c.group("Depot", mira)
	tests := []struct {
		path, filter string
		want         []string
	}{
		{"/Users", `userName eq "MIRA"`, []string{"Mira"}},
		{"/Users", `urn:ietf:params:scim:schemas:core:2.0:User:userName eq "mira"`, []string{"Mira"}},
		{"/Users", `userName eq "nobody"`, []string{}},
		{"/Users", `userName ne "mira"`, []string{"ola"}},
		{"/Users", `externalId eq "E1"`, []string{"Mira"}},
		{"/Users", `externalId eq "E1" or externalId eq "e1"`, []string{"Mira", "ola"}},
		{"/Users", `displayName eq "twin"`, []string{"Mira", "ola"}},
		{"/Users", `displayName eq "twin" and active eq false`, []string{"ola"}},
		{"/Users", `active eq false and displayName eq "twin"`, []string{"ola"}},
		{"/Users", `emails[type eq "work"].value eq "m@EXAMPLE.net"`, []string{"Mira"}},
		{"/Users", `emails[type eq "work"].value eq "o@example.net"`, []string{}},
		{"/Users", `emails.value eq "o@example.net"`, []string{"ola"}},
		{"/Users", `emails eq "m@example.net"`, []string{"Mira"}},
		{"/Users", `emails[type eq "home" and value sw "o"]`, []string{"ola"}},
		{"/Users", `id eq "` + mira + `"`, []string{"Mira"}},
		{"/Users", `not (id eq "` + mira + `")`, []string{"ola"}},
		{"/Users", enterpriseURN + `:department eq "line 12"`, []string{"ola"}},
		{"/Users", enterpriseURN + `:manager eq "` + mira + `" and id eq "` + ola + `"`, []string{"ola"}},
		{"/Users", `groups.display eq "Depot"`, []string{"Mira"}},
		{"/Users", `meta.resourceType eq "User"`, []string{"Mira", "ola"}},
		{"/Users", `meta.created gt "2000-01-01T00:00:00Z" and userName pr`, []string{"Mira", "ola"}},
		{"/Groups", `displayName eq "LINE 12"`, []string{"Line 12"}},
		{"/Groups", `id eq "` + line + `" and members eq "` + ola + `"`, []string{"Line 12"}},
		{"/Groups", `members.value eq "` + mira + `"`, []string{"Line 12", "Depot"}},
		{"/Groups", `members[value eq "` + ola + `"]`, []string{"Line 12"}},
		{"/Groups", `members eq "nobody"`, []string{}},
		{"/Groups", `not (members pr)`, []string{}},
	}
	for _, tt := range tests {
		a := c.must(200, "GET", tt.path+"?filter="+url.QueryEscape(tt.filter), "")
		if diff := cmp.Diff(tt.want, names(a)); diff != "" {
			t.Errorf("%s %s (-want +got):\n%s", tt.path, tt.filter, diff)
		}
	}
}

// TestIndexesFollowChanges asks the same with an index and without, after each kind of change.
func TestIndexesFollowChanges(t *testing.T) {
	c := open(t, "scim", Config{})
	check := func(when string, want ...string) {
		t.Helper()
		for _, attribute := range []string{"userName", "externalId", "displayName", "emails.value"} {
			var indexed, scanned []string
			for _, v := range []string{"a", "b", "c"} {
				indexed = append(indexed, names(c.must(200, "GET", "/Users?filter="+url.QueryEscape(attribute+` eq "`+v+`"`), ""))...)
				scanned = append(scanned, names(c.must(200, "GET", "/Users?filter="+url.QueryEscape(`not (not (`+attribute+` eq "`+v+`"))`), ""))...)
			}
			if !slices.Equal(indexed, want) || !slices.Equal(scanned, want) {
				t.Errorf("%s, %s: by index %v, by scan %v, want %v", when, attribute, indexed, scanned, want)
			}
		}
	}
	body := func(v string) string {
		return strings.ReplaceAll(`{"userName":"V","externalId":"V","displayName":"V","emails":[{"value":"V"},{"value":"V","type":"home"}]}`, "V", v)
	}
	id := c.must(201, "POST", "/Users", body("a")).body["id"].(string)
	check("created", "a")
	c.must(200, "PUT", "/Users/"+id, body("b"))
	check("replaced", "b")
	c.must(200, "PATCH", "/Users/"+id, patchBody(`[{"op":"replace","value":{"userName":"c","externalId":"c","displayName":"c"}},{"op":"replace","path":"emails.value","value":"c"}]`))
	check("patched", "c")
	c.must(409, "POST", "/Users", body("c"))
	check("refused", "c")
	c.must(204, "DELETE", "/Users/"+id, "")
	check("deleted")
}

// TestProjection covers RFC 7644 section 3.9.
func TestProjection(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	id := c.must(201, "POST", "/Users", whole).body["id"].(string)
	g := c.group("Line 12", id)
	keys := func(m map[string]any) string {
		list := []string{}
		for k, v := range m {
			if sub, ok := v.(map[string]any); ok && k != "meta" {
				for s := range sub {
					list = append(list, k+"."+s)
				}
				continue
			}
			list = append(list, k)
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	tests := []struct{ path, want string }{
		{"/Users/" + id + "?attributes=userName", "id schemas userName"},
		{"/Users/" + id + "?attributes=id", "id schemas"},
		{"/Users/" + id + "?attributes=NAME.givenname,title", "id name.givenName schemas title"},
		{"/Users/" + id + "?attributes=name.givenName&attributes=name.familyName", "id name.familyName name.givenName schemas"},
		{"/Users/" + id + "?attributes=nickName,password,name.middleName", "id schemas"},
		{"/Users/" + id + "?attributes=" + enterpriseURN + ":department", "id schemas " + enterpriseURN + ".department"},
		{"/Users/" + id + "?attributes=" + enterpriseURN, "id schemas " + enterpriseURN + ".department " + enterpriseURN + ".manager"},
		{"/Users/" + id + "?excludedAttributes=name.givenName,groups,emails,meta,title," + enterpriseURN,
			"active externalId id name.familyName schemas userName"},
		{"/Users/" + id + "?excludedAttributes=id,schemas,externalId,active,emails,name,groups,meta,title," + enterpriseURN, "id schemas userName"},
		{"/Groups/" + g + "?excludedAttributes=members", "displayName id meta schemas"},
		{"/Groups/" + g + "?excludedAttributes=MEMBERS,meta", "displayName id schemas"},
		{"/Groups/" + g + "?attributes=members.value", "id members schemas"},
	}
	for _, tt := range tests {
		if got := keys(c.must(200, "GET", tt.path, "").body); got != tt.want {
			t.Errorf("%s gives %s, want %s", tt.path, got, tt.want)
		}
	}
	list := c.must(200, "GET", "/Groups?excludedAttributes=members&filter="+url.QueryEscape(`displayName eq "Line 12"`), "")
	if got := keys(list.body["Resources"].([]any)[0].(map[string]any)); got != "displayName id meta schemas" {
		t.Errorf("list gives %s", got)
	}
	element := c.must(200, "GET", "/Groups/"+g+"?attributes=members.value", "").body["members"].([]any)[0]
	if diff := cmp.Diff(map[string]any{"value": id}, element); diff != "" {
		t.Errorf("member (-want +got):\n%s", diff)
	}
	if got := keys(c.must(200, "PATCH", "/Users/"+id+"?attributes=title", patchBody(`[{"op":"replace","path":"title","value":"T"}]`)).body); got != "id schemas title" {
		t.Errorf("PATCH with attributes gives %s", got)
	}
}

// TestVersions covers RFC 7644 section 3.14.
func TestVersions(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	id := c.user("mira")
	tag := c.must(200, "GET", "/Users/"+id, "").header.Get("ETag")
	if tag != `W/"1"` {
		t.Fatalf("ETag %q", tag)
	}
	c.with("If-None-Match", tag).must(304, "GET", "/Users/"+id, "")
	title := patchBody(`[{"op":"replace","path":"title","value":"T"}]`)
	if got := c.with("If-Match", tag).must(200, "PATCH", "/Users/"+id, title).header.Get("ETag"); got != `W/"2"` {
		t.Errorf("ETag after a change %q", got)
	}
	if got := c.must(200, "PATCH", "/Users/"+id, title).header.Get("ETag"); got != `W/"2"` {
		t.Errorf("ETag after no change %q", got)
	}
	c.with("If-None-Match", tag).must(200, "GET", "/Users/"+id, "")
	c.with("If-Match", `W/"1", "2"`).must(200, "PATCH", "/Users/"+id, title)
	c.with("If-Match", `*`).must(204, "DELETE", "/Users/"+id, "")
}

func TestDiscovery(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	config := c.must(200, "GET", "/ServiceProviderConfig", "").body
	for _, feature := range []string{"patch", "filter", "etag"} {
		if yes, _ := config[feature].(map[string]any)["supported"].(bool); !yes {
			t.Errorf("%s is not announced", feature)
		}
	}
	if config["filter"].(map[string]any)["maxResults"] != 200.0 {
		t.Errorf("filter: %v", config["filter"])
	}
	ids := func(a answer) []string {
		var list []string
		for _, r := range a.body["Resources"].([]any) {
			list = append(list, r.(map[string]any)["id"].(string))
		}
		return list
	}
	if diff := cmp.Diff([]string{"User", "Group"}, ids(c.must(200, "GET", "/ResourceTypes", ""))); diff != "" {
		t.Error(diff)
	}
	schemas := c.must(200, "GET", "/Schemas", "")
	want := []string{"urn:ietf:params:scim:schemas:core:2.0:User", enterpriseURN, "urn:ietf:params:scim:schemas:core:2.0:Group"}
	if diff := cmp.Diff(want, ids(schemas)); diff != "" || strings.Contains(schemas.raw, "null") {
		t.Errorf("schemas: %s %s", diff, schemas.raw)
	}
	for _, s := range want {
		one := c.must(200, "GET", "/Schemas/"+s, "").body
		// RFC 7643 section 3.1: meta.location is the address of the resource.
		if got, want := one["meta"].(map[string]any)["location"], c.base+"/Schemas/"+s; got != want {
			t.Errorf("location of schema %s is %v, want %s", s, got, want)
		}
		if got := one["id"]; got != s {
			t.Errorf("schema %v, want %s", got, s)
		}
	}
	if got := c.must(200, "GET", "/ResourceTypes/Group", "").body["endpoint"]; got != "/Groups" {
		t.Errorf("endpoint %v", got)
	}
	c.refused(404, "", "GET", "/Schemas/urn:x:y", "")
	c.refused(404, "", "GET", "/ServiceProviderConfig/x", "")
	c.with("Authorization", "").refused(401, "", "GET", "/Schemas", "")
}
