package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func raw(text string) json.RawMessage { return json.RawMessage(text) }

func TestScriptTurnsIDsIntoPlaces(t *testing.T) {
	record := []exchange{
		{Method: "GET", Path: "/scim/v2/Users", Query: "count=1", Status: 200, Request: raw("null"), Response: raw(`{"id":"none"}`)},
		{Method: "POST", Path: "/scim/v2/Users", Status: 201, Request: raw(`{"userName":"mira"}`), Response: raw(`{"id":"id-1"}`)},
		{Method: "POST", Path: "/scim/v2/Users", Status: 201, Request: raw(`{"userName":"ola","manager":{"value":"id-1"}}`), Response: raw(`{"id":"id-2"}`)},
		{Method: "PATCH", Path: "/scim/v2/Users/id-1", Status: 204, Request: raw(`["id-2","id-1 is no id","id-1"]`), Response: raw("null")},
	}
	got, err := script(record)
	if err != nil {
		t.Fatal(err)
	}
	users := template{Text: []string{"/Users"}}
	want := []call{
		{Method: "GET", Path: users, Query: "count=1", Status: 200},
		{Method: "POST", Path: users, Body: template{Text: []string{`{"userName":"mira"}`}}, Status: 201, Makes: true},
		{Method: "POST", Path: users, Body: template{Text: []string{`{"userName":"ola","manager":{"value":"`, `"}}`}, Calls: []int{1}}, Status: 201, Makes: true},
		{Method: "PATCH", Path: template{Text: []string{"/Users/", ""}, Calls: []int{1}}, Status: 204,
			Body: template{Text: []string{`["`, `","id-1 is no id","`, `"]`}, Calls: []int{2, 1}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("script (-want +got):\n%s", diff)
	}
	name := filepath.Join(t.TempDir(), "script")
	if err := writeScript(name, want); err != nil {
		t.Fatal(err)
	}
	back, err := readScript(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, back); diff != "" {
		t.Errorf("script after writing and reading (-want +got):\n%s", diff)
	}
	fill := back[3].Body.fill(func(n int) string { return map[int]string{1: "new-1", 2: "new-2"}[n] })
	if fill != `["new-2","id-1 is no id","new-1"]` {
		t.Errorf("filled body %s", fill)
	}
}

func TestScriptRefusesARecordThatCannotBeReplayed(t *testing.T) {
	tests := []struct {
		name   string
		record exchange
		want   string
	}{
		{"a body that was not kept", exchange{Method: "POST", Path: "/scim/v2/Users", Status: 201, BodiesDropped: true}, "too long"},
		{"a call to elsewhere", exchange{Method: "GET", Path: "/other", Status: 404}, "/other"},
		{"a create without an id", exchange{Method: "POST", Path: "/scim/v2/Users", Status: 201, Response: raw(`{}`)}, "an id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := script([]exchange{tt.record}); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func TestReadScriptRefusesIDsThatNobodyMakesBefore(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"an id of a later call", `{"method":"GET","path":{"text":["/",""],"calls":[1]},"status":200}`, "needs the id of call 1"},
		{"an id of a call that makes none", `{"method":"GET","path":{"text":["/"]},"status":200}` + "\n" +
			`{"method":"GET","path":{"text":["/",""],"calls":[0]},"status":200}`, "call 1 needs the id of call 0"},
		{"a template out of step", `{"method":"GET","path":{"text":["/"],"calls":[0,1]},"status":200}`, "1 texts around 2 ids"},
		{"no JSON", `nothing`, "call 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "script")
			if err := os.WriteFile(name, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := readScript(name); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}
