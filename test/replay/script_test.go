package replay

import (
	"fmt"
	"net/http"
	"strings"
)

// step is one request of the script. In texts, a name in braces stands for something else: {User}, {Group},
// {Enterprise} and {PatchOp} for the URNs, {alice}, {bob} and {crew} for the ids of what every step finds, {gone} for an
// id that nothing has, {base} for the base URL, and the name that an earlier step gave for the id of what it made.
type step struct {
	name   string
	before []step // sent first and not compared; all must succeed
	method string
	path   string   // below the base URL
	query  []string // names and values in turn
	body   string
	header map[string]string // sent besides the usual ones or instead of them; an empty value: not sent
	as     string            // the name for what the step makes
}

// section is a part of the script on one subject.
type section struct {
	title string
	steps []step
}

// script returns all sections in the order in which they are sent and documented. Each step is sent to servers that hold
// nothing but what present makes.
func script() []section {
	return []section{
		creatingUsers(), reading(), filters(), pages(), projections(), patchingUsers(), patchingValues(), replacing(),
		deleting(), groups(), members(), messages(), discovery(), deviations(),
	}
}

// present makes what every step finds: two users, and a group with one of them.
func present() []step {
	return []step{
		post("alice", "/Users", aliceBody).named("alice"),
		post("bob", "/Users", `{"schemas":["{User}"],"userName":"bob@example.com","active":false}`).named("bob"),
		post("crew", "/Groups", `{"schemas":["{Group}"],"displayName":"Crew","members":[{"value":"{alice}"}]}`).named("crew"),
	}
}

const aliceBody = `{"schemas":["{User}","{Enterprise}"],"userName":"alice@example.com","externalId":"E-1",` +
	`"name":{"givenName":"Alice","familyName":"Arden"},"displayName":"Alice Arden","title":"Engineer","active":true,` +
	`"emails":[{"value":"alice@example.com","type":"work","primary":true},{"value":"alice@home.example","type":"home"}],` +
	`"phoneNumbers":[{"value":"+49 30 5550100","type":"work"}],` +
	`"{Enterprise}":{"employeeNumber":"1001","department":"Line 12"}}`

func post(name, path, body string) step {
	return step{name: name, method: http.MethodPost, path: path, body: body}
}

func put(name, path, body string) step {
	return step{name: name, method: http.MethodPut, path: path, body: body}
}

func get(name, path string, query ...string) step {
	return step{name: name, method: http.MethodGet, path: path, query: query}
}

func remove(name, path string) step {
	return step{name: name, method: http.MethodDelete, path: path}
}

// patch sends operations, given as the inside of the list.
func patch(name, path, operations string) step {
	return step{name: name, method: http.MethodPatch, path: path, body: `{"schemas":["{PatchOp}"],"Operations":[` + operations + `]}`}
}

// filter asks for the users that match.
func filter(name, filter string) step { return get(name, "/Users", "filter", filter) }

func (s step) named(as string) step {
	s.as = as
	return s
}

func (s step) after(before ...step) step {
	s.before = before
	return s
}

// with sends a header; an empty value means that it is not sent.
func (s step) with(name, value string) step {
	s.header = map[string]string{name: value}
	return s
}

// crowd makes n more users, user1 to usern.
func crowd(n int) []step {
	var out []step
	for i := range n {
		name := fmt.Sprintf("user%d", i+1)
		out = append(out, post(name, "/Users", `{"schemas":["{User}"],"userName":"`+name+`@example.com"}`).named(name))
	}
	return out
}

// call is the method and the kind of thing it is sent to, such as "PATCH /Users/": what a habit of a server is about.
func (s step) call() string {
	path := s.path
	if i := strings.IndexByte(path[1:], '/'); i >= 0 {
		path = path[:i+2]
	}
	return s.method + " " + path
}

// String is the request line, as documents show it.
func (s step) String() string {
	var b strings.Builder
	b.WriteString(s.method + " " + s.path)
	for i := 0; i < len(s.query); i += 2 {
		separator := "?"
		if i > 0 {
			separator = "&"
		}
		b.WriteString(separator + s.query[i] + "=" + s.query[i+1])
	}
	return b.String()
}
