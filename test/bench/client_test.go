package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/sandbox"
)

// emulation is a running target in this process.
func emulation(t *testing.T) *target {
	t.Helper()
	s, err := sandbox.New("scim", sandbox.Config{Token: token})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.Handler())
	t.Cleanup(server.Close)
	return &target{URL: server.URL + s.BasePath(), root: server.URL}
}

func play(t *testing.T, url string, calls []call) error {
	t.Helper()
	c, err := newClient(url, calls)
	if err != nil {
		t.Fatal(err)
	}
	return c.run(t.Context())
}

func text(s string) template { return template{Text: []string{s}} }

// company is a script by hand: 30 users, each managed by the one before, and a group of them all.
func company() []call {
	const core, group = "urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:core:2.0:Group"
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	calls := []call{{Method: "GET", Path: text("/Users"), Query: "count=1", Status: 200}}
	members := template{Text: []string{`{"schemas":["` + group + `"],"displayName":"All","members":[{"value":"`}}
	for i := range 30 {
		body := text(`{"schemas":["` + core + `","` + enterprise + `"],"userName":"u` + string(rune('a'+i)) + `"}`)
		if i > 0 {
			open := strings.TrimSuffix(body.Text[0], "}") + `,"` + enterprise + `":{"manager":{"value":"`
			body = template{Text: []string{open, `"}}}`}, Calls: []int{len(calls) - 1}}
			members.Text = append(members.Text, `"},{"value":"`)
		}
		members.Calls = append(members.Calls, len(calls))
		calls = append(calls, call{Method: "POST", Path: text("/Users"), Body: body, Status: 201, Makes: true})
	}
	members.Text = append(members.Text, `"}]}`)
	return append(calls, call{Method: "POST", Path: text("/Groups"), Body: members, Status: 201, Makes: true})
}

func TestRecordOfTheBareClientPlaysAgain(t *testing.T) {
	calls := company()
	want := population{Users: 30, Managers: 29, Groups: 1, Members: 30}
	for round := range 2 { // the second round plays what was recorded in the first
		target := emulation(t)
		if err := play(t, target.URL, calls); err != nil {
			t.Fatal(err)
		}
		got, err := target.population(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("round %d (-want +got):\n%s", round, diff)
		}
		record, err := target.requests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(record) != len(calls) {
			t.Fatalf("round %d: %d calls arrived of %d", round, len(record), len(calls))
		}
		if calls, err = script(record); err != nil {
			t.Fatal(err)
		}
	}
}

func TestBareClientStopsAtAnUnexpectedAnswer(t *testing.T) {
	create := call{Method: "POST", Path: text("/Users"), Body: text(`{}`), Status: 201, Makes: true}
	waiting := call{Method: "PATCH", Path: template{Text: []string{"/Users/", ""}, Calls: []int{0}}, Status: 204}
	tests := []struct {
		name   string
		status int
		header string
		want   string
	}{
		{"another status", 500, "/Users/1", "call 0: POST /Users: status 500, recorded was 201"},
		{"a create that does not say where", 201, "", "call 0: POST /Users: the answer does not say where"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", tt.header)
				w.WriteHeader(tt.status)
			}))
			defer server.Close()
			// The second call waits for the first, which never gives an id: the run must end all the same.
			if err := play(t, server.URL, []call{create, waiting}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
