package sandbox

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPatchMembers(t *testing.T) {
	// Names stand for ids; the group starts with a, b, c.
	tests := []struct {
		name, ops string
		want      string
		lenient   bool // refused if strict
	}{
		{"add one", `[{"op":"add","path":"members","value":[{"value":"d"}]}]`, "a b c d", false},
		{"add what is there", `[{"op":"add","path":"members","value":[{"value":"b"},{"value":"d"},{"value":"d"}]}]`, "a b c d", false},
		{"add without path", `[{"op":"add","value":{"members":[{"value":"d"}],"displayName":"New"}}]`, "a b c d", false},
		{"remove one", `[{"op":"remove","path":"members[value eq \"b\"]"}]`, "a c", false},
		{"remove two in two operations", `[{"op":"remove","path":"members[value eq \"b\"]"},{"op":"Remove","path":"members[value eq \"a\"]"}]`, "c", false},
		{"remove by another filter", `[{"op":"remove","path":"members[value eq \"a\" or value eq \"c\"]"}]`, "b", false},
		{"remove all", `[{"op":"remove","path":"members"}]`, "", false},
		{"replace", `[{"op":"replace","path":"members","value":[{"value":"d"},{"value":"b"}]}]`, "b d", false},
		{"replace without path", `[{"op":"replace","value":{"members":[{"value":"d"}]}}]`, "d", false},
		{"replace with nothing", `[{"op":"replace","path":"members","value":[]}]`, "", false},
		{"remove and add again", `[{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"members","value":[{"value":"a"}]}]`, "a b c", false},
		{"add and remove again", `[{"op":"add","path":"members","value":[{"value":"d"}]},{"op":"remove","path":"members[value eq \"d\"]"}]`, "a b c", false},
		{"remove all and add one", `[{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"b"}]}]`, "b", false},
		{"remove, add, filter", `[{"op":"remove","path":"members[value eq \"a\"]"},{"op":"add","path":"members","value":[{"value":"d"}]},{"op":"remove","path":"members[type eq \"User\" and not (value eq \"d\")]"}]`, "d", false},
		{"members and attributes", `[{"op":"replace","path":"displayName","value":"New"},{"op":"add","path":"members","value":[{"value":"d"}]}]`, "a b c d", false},
		{"the core URN", `[{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group:members","value":[{"value":"d"}]}]`, "a b c d", false},
		{"remove a list", `[{"op":"Remove","path":"members","value":[{"value":"a"},{"value":"c"},{"value":"z"}]}]`, "b", true},
		{"remove a list of texts", `[{"op":"Remove","path":"members","value":["a","c"]}]`, "b", true},
		{"add texts", `[{"op":"Add","path":"members","value":["d"]}]`, "a b c d", true},
	}
	for _, tt := range tests {
		for _, strict := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, strict %v", tt.name, strict), func(t *testing.T) {
				c := open(t, "scim", Config{Strict: strict})
				var fill, read []string
				var members []string
				for _, n := range []string{"a", "b", "c", "d"} {
					id := c.user(n)
					fill = append(fill, `"`+n+`"`, `"`+id+`"`, `\"`+n+`\"`, `\"`+id+`\"`)
					read = append(read, id, n)
					if n != "d" {
						members = append(members, id)
					}
				}
				group := c.group("Line 12", members...)
				ops := patchBody(strings.NewReplacer(fill...).Replace(tt.ops))
				if strict && tt.lenient {
					c.must(400, "PATCH", "/Groups/"+group, ops)
					tt.want = "a b c"
				} else {
					c.must(204, "PATCH", "/Groups/"+group, ops)
				}
				got := strings.NewReplacer(read...).Replace(strings.Join(c.members(group), " "))
				if got != tt.want {
					t.Errorf("members %q, want %q", got, tt.want)
				}
				// The users' side says the same.
				for _, n := range []string{"a", "b", "c", "d"} {
					user := c.must(200, "GET", `/Users?filter=userName%20eq%20%22`+n+`%22`, "").body["Resources"].([]any)[0].(map[string]any)
					if in := user["groups"] != nil; in != strings.Contains(tt.want, n) {
						t.Errorf("user %s has groups %v, members are %q", n, user["groups"], tt.want)
					}
				}
			})
		}
	}
}

func TestMembership(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	mira, ola := c.user("mira"), c.user("ola")
	group := c.must(201, "POST", "/Groups", `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Line \"12\"",
		"members":[{"value":"`+mira+`","display":"Mira & Co"},{"value":"`+ola+`"},{"value":"`+ola+`"}]}`)
	id := group.body["id"].(string)
	want := []any{
		map[string]any{"value": mira, "display": "Mira & Co", "type": "User", "$ref": c.base + "/Users/" + mira},
		map[string]any{"value": ola, "type": "User", "$ref": c.base + "/Users/" + ola},
	}
	if diff := cmp.Diff(any(want), group.body["members"]); diff != "" {
		t.Errorf("members (-want +got):\n%s", diff)
	}
	outer := c.group("All lines", id)
	groups := []any{map[string]any{"value": id, "display": `Line "12"`, "type": "direct", "$ref": c.base + "/Groups/" + id}}
	if diff := cmp.Diff(any(groups), c.must(200, "GET", "/Users/"+mira, "").body["groups"]); diff != "" {
		t.Errorf("groups of a member (-want +got):\n%s", diff)
	}
	c.must(204, "PATCH", "/Groups/"+id, patchBody(`[{"op":"replace","path":"displayName","value":"Line 14"}]`))
	if got := c.must(200, "GET", "/Users/"+mira, "").raw; !strings.Contains(got, `"display":"Line 14"`) {
		t.Errorf("the new name of the group is not in %s", got)
	}

	before := c.must(200, "GET", "/Groups/"+id, "").header.Get("ETag")
	c.must(204, "DELETE", "/Users/"+mira, "")
	after := c.must(200, "GET", "/Groups/"+id, "")
	if diff := cmp.Diff([]string{ola}, c.members(id)); diff != "" || after.header.Get("ETag") == before {
		t.Errorf("members after a user is deleted: %s, ETag %s then %s", diff, before, after.header.Get("ETag"))
	}
	c.must(204, "DELETE", "/Groups/"+id, "")
	if got := c.members(outer); len(got) != 0 {
		t.Errorf("members after the group is deleted: %v", got)
	}
	if got := c.must(200, "GET", "/Users/"+ola, "").body["groups"]; got != nil {
		t.Errorf("groups after the group is deleted: %v", got)
	}
}

// TestDisplayOfMembers: a member's display is kept, also when it comes later. One that is there is immutable (RFC 7643
// section 4.2), until the members are written as a whole.
func TestDisplayOfMembers(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	mira := c.user("mira")
	group := c.group("Line 12", mira)
	set := func(display string) string {
		return patchBody(`[{"op":"replace","path":"members[value eq \"` + mira + `\"].display","value":"` + display + `"}]`)
	}
	whole := func(more string) string {
		return `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Line 12","members":[{"value":"` + mira + `"` + more + `}]}`
	}
	tests := []struct {
		name, method, body string
		status             int
		want               any
	}{
		{"without display", "PATCH", patchBody(`[{"op":"add","path":"members","value":[{"value":"` + mira + `"}]}]`), 204, nil},
		{"display given later", "PATCH", set("Mira"), 204, "Mira"},
		{"the same display", "PATCH", set("Mira"), 204, "Mira"},
		{"another display", "PATCH", set("Mi"), 400, "Mira"},
		{"added again with another display", "PATCH", patchBody(`[{"op":"add","path":"members","value":[{"value":"` + mira + `","display":"Mi"}]}]`), 204, "Mira"},
		{"written as a whole", "PUT", whole(`,"display":"Mi"`), 200, "Mi"},
		{"written as a whole without display", "PUT", whole(``), 200, nil},
	}
	version := c.must(200, "GET", "/Groups/"+group, "").header.Get("ETag")
	var before any
	for _, tt := range tests {
		c.must(tt.status, tt.method, "/Groups/"+group, tt.body)
		a := c.must(200, "GET", "/Groups/"+group, "")
		got := a.body["members"].([]any)[0].(map[string]any)["display"]
		if got != tt.want {
			t.Errorf("%s: display is %v, want %v", tt.name, got, tt.want)
		}
		// The version counts changes only.
		if changed := a.header.Get("ETag") != version; changed != (got != before) {
			t.Errorf("%s: display %v then %v, version %s then %s", tt.name, before, got, version, a.header.Get("ETag"))
		}
		version, before = a.header.Get("ETag"), got
	}
}

func TestManyMembersAddedAndRemoved(t *testing.T) {
	c := open(t, "scim", Config{Strict: true})
	var ids, add, remove []string
	for i := range 120 {
		id := c.user(fmt.Sprintf("u%d", i))
		ids = append(ids, id)
		add = append(add, `{"value":"`+id+`"}`)
		if i%3 != 0 {
			remove = append(remove, `{"op":"remove","path":"members[value eq \"`+id+`\"]"}`)
		}
	}
	g := c.group("All")
	c.must(204, "PATCH", "/Groups/"+g, patchBody(`[{"op":"add","path":"members","value":[`+strings.Join(add, ",")+`]}]`))
	if diff := cmp.Diff(ids, c.members(g)); diff != "" {
		t.Fatalf("added (-want +got):\n%s", diff)
	}
	c.must(204, "PATCH", "/Groups/"+g, patchBody(`[`+strings.Join(remove, ",")+`]`))
	var want []string
	for i := 0; i < len(ids); i += 3 {
		want = append(want, ids[i])
	}
	if diff := cmp.Diff(want, c.members(g)); diff != "" {
		t.Fatalf("removed (-want +got):\n%s", diff)
	}
	c.must(204, "PATCH", "/Groups/"+g, patchBody(`[{"op":"add","path":"members","value":[`+add[1]+`]},{"op":"remove","path":"members[value eq \"`+ids[0]+`\"]"}]`))
	if diff := cmp.Diff(append(want[1:], ids[1]), c.members(g)); diff != "" {
		t.Fatalf("changed again (-want +got):\n%s", diff)
	}
}
