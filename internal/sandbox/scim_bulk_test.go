package sandbox

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func bulkBody(operations, more string) string {
	return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],` + more + `"Operations":[` + operations + `]}`
}

// statuses are those of the operations of an answer, by bulkId or path.
func statuses(t testing.TB, a answer) map[string]string {
	t.Helper()
	got := map[string]string{}
	for _, o := range a.body["Operations"].([]any) {
		m := o.(map[string]any)
		key, ok := m["bulkId"].(string)
		if !ok {
			key, _ = m["location"].(string)
			key = key[strings.LastIndexByte(key, '/')+1:]
		}
		got[key] = m["status"].(string)
	}
	return got
}

// TestBulk: RFC 7644 section 3.7, operations in one request, with references to what it makes in any order.
func TestBulk(t *testing.T) {
	c := quirky(t, "bulk")
	config := c.must(200, "GET", "/ServiceProviderConfig", "").body["bulk"]
	if diff := cmp.Diff(map[string]any{"supported": true, "maxOperations": 1000.0, "maxPayloadSize": 1048576.0}, config); diff != "" {
		t.Errorf("announced (-want +got):\n%s", diff)
	}
	sam := c.user("sam")
	a := c.must(200, "POST", "/Bulk", bulkBody(`
		{"method":"POST","path":"/Groups","bulkId":"team","data":{"displayName":"Depot","members":[{"value":"bulkId:mira"},{"value":"`+sam+`"}]}},
		{"method":"POST","path":"/Users","bulkId":"mira","data":{"userName":"mira"}},
		{"method":"PATCH","path":"/Groups/bulkId:team","data":{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
			"Operations":[{"op":"remove","path":"members[value eq \"bulkId:mira\"]"}]}},
		{"method":"PUT","path":"/Users/`+sam+`","data":{"userName":"samuel"}}`, ""))
	if diff := cmp.Diff([]any{"urn:ietf:params:scim:api:messages:2.0:BulkResponse"}, a.body["schemas"]); diff != "" {
		t.Errorf("schemas (-want +got):\n%s", diff)
	}
	if got := c.named("/Users"); !cmp.Equal(got, []string{"samuel", "mira"}) {
		t.Errorf("users %v", got)
	}
	ops := a.body["Operations"].([]any)
	team, mira := ops[0].(map[string]any), ops[1].(map[string]any)
	id := strings.TrimPrefix(mira["location"].(string), c.base+"/Users/")
	want := map[string]any{"method": "POST", "bulkId": "mira", "status": "201", "version": `W/"1"`, "location": c.base + "/Users/" + id}
	if diff := cmp.Diff(want, mira); diff != "" || c.must(200, "GET", "/Users/"+id, "").body["userName"] != "mira" {
		t.Errorf("result of a create (-want +got):\n%s", diff)
	}
	group := strings.TrimPrefix(team["location"].(string), c.base+"/Groups/")
	if got := c.members(group); !cmp.Equal(got, []string{sam}) {
		t.Errorf("members %v", got)
	}
	if diff := cmp.Diff(map[string]string{"team": "201", "mira": "201", group: "204", sam: "200"}, statuses(t, a)); diff != "" {
		t.Errorf("statuses (-want +got):\n%s", diff)
	}
	if got := ops[2].(map[string]any)["location"]; got != c.base+"/Groups/"+group {
		t.Errorf("location %v", got)
	}
	a = c.must(200, "POST", "/Bulk", bulkBody(`{"method":"DELETE","path":"/Users/`+sam+`","version":"W/\"1\""},
		{"method":"DELETE","path":"/Users/`+id+`","version":"W/\"1\""}`, ""))
	if diff := cmp.Diff(map[string]string{sam: "412", id: "204"}, statuses(t, a)); diff != "" {
		t.Errorf("versions (-want +got):\n%s", diff)
	}
}

// TestBulkErrors: sections 3.7.1 to 3.7.4.
func TestBulkErrors(t *testing.T) {
	c := quirky(t, "bulk")
	const taken = `{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"mira"}},
		{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"mira"}},
		{"method":"POST","path":"/Users","bulkId":"c","data":{}},
		{"method":"POST","path":"/Users","bulkId":"d","data":{"userName":"sam"}}`
	for _, tt := range []struct {
		name, more string
		want       map[string]string
	}{
		{"one error is enough", `"failOnErrors":1,`, map[string]string{"a": "201", "b": "409"}},
		{"two errors are enough", `"failOnErrors":2,`, map[string]string{"a": "201", "b": "409", "c": "400"}},
		{"errors do not matter", ``, map[string]string{"a": "201", "b": "409", "c": "400", "d": "201"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := c.on(t)
			c.must(204, "POST", "/_sandbox/reset", "")
			a := c.must(200, "POST", "/Bulk", bulkBody(taken, tt.more))
			if diff := cmp.Diff(tt.want, statuses(t, a)); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
			refused := a.body["Operations"].([]any)[1].(map[string]any)["response"].(map[string]any)
			if refused["scimType"] != "uniqueness" || refused["status"] != "409" {
				t.Errorf("response %v", refused)
			}
		})
	}
	for _, tt := range []struct {
		name, operations string
		want             map[string]string
	}{
		{"who refers to what failed fails", `{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"G","members":[{"value":"bulkId:u"}]}},
			{"method":"POST","path":"/Users","bulkId":"u","data":{}}`, map[string]string{"g": "409", "u": "400"}},
		{"those that wait for each other fail", `{"method":"POST","path":"/Groups","bulkId":"x","data":{"displayName":"X","members":[{"value":"bulkId:y"}]}},
			{"method":"POST","path":"/Groups","bulkId":"y","data":{"displayName":"Y","members":[{"value":"bulkId:x"}]}}`, map[string]string{"x": "409", "y": "409"}},
		{"a bulkId of nothing", `{"method":"PATCH","path":"/Users/bulkId:z","data":{}}`, map[string]string{"": "409"}},
		{"a create without bulkId", `{"method":"POST","path":"/Users","data":{"userName":"x"}}`, map[string]string{"": "400"}},
		{"another method", `{"method":"GET","bulkId":"q","path":"/Users"}`, map[string]string{"q": "400"}},
		{"another path", `{"method":"POST","bulkId":"q","path":"/Bulk","data":{}}`, map[string]string{"q": "400"}},
		{"nobody", `{"method":"DELETE","bulkId":"q","path":"/Users/nobody"}`, map[string]string{"q": "404"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, statuses(t, c.on(t).must(200, "POST", "/Bulk", bulkBody(tt.operations, "")))); diff != "" {
				t.Errorf("statuses (-want +got):\n%s", diff)
			}
		})
	}
	c.refused(400, "invalidSyntax", "POST", "/Bulk", `{"Operations":[]}`)
	c.refused(400, "invalidSyntax", "POST", "/Bulk", `[]`)
	c.refused(400, "invalidValue", "POST", "/Bulk", bulkBody("", `"failOnErrors":0,`))
	twice := `{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"new"}}`
	c.refused(400, "invalidValue", "POST", "/Bulk", bulkBody(twice+","+twice, ""))
	many := strings.TrimSuffix(strings.Repeat(`{"method":"DELETE","path":"/Users/x"},`, 1001), ",")
	c.refused(413, "", "POST", "/Bulk", bulkBody(many, ""))
	c.refused(413, "", "POST", "/Bulk", bulkBody(`{"method":"POST","bulkId":"`+strings.Repeat("x", 1<<20)+`"}`, ""))
	c.refused(405, "", "GET", "/Bulk", "")
	c.with("Authorization", "").refused(401, "", "POST", "/Bulk", bulkBody("", ""))
	quirky(t).refused(501, "", "POST", "/Bulk", bulkBody("", ""))
}
