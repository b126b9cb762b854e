package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// TestStateOnPostgres runs commands over PostgreSQL instead of the file in the data directory.
func TestStateOnPostgres(t *testing.T) {
	url := testbed.Postgres(t)
	data := filepath.Join(t.TempDir(), "data")
	rollcall := func(args ...string) string {
		var out, errs bytes.Buffer
		if code := run(t.Context(), testWorld(&out, &errs), append(args, "--db", url, "--data", data)); code != exitOK {
			t.Fatalf("rollcall %v: exit code %d: %s", args, code, errs.String())
		}
		return out.String()
	}
	rollcall("users", "create", "userPrincipalName=mira@example.com", "displayName=Mira")
	var users []struct {
		UserPrincipalName string `json:"userPrincipalName"`
	}
	if err := json.Unmarshal([]byte(rollcall("users", "list", "-o", "json")), &users); err != nil {
		t.Fatal(err)
	}
	if len(users) != 1 || users[0].UserPrincipalName != "mira@example.com" {
		t.Errorf("users %v, want Mira alone", users)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data directory was made although the state lies in PostgreSQL (%v)", err)
	}
}
