package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-id/rollcall/internal/sandbox"
)

// describedTarget is a SCIM sandbox that announces an attribute of its own and requires another one. It notes the paths
// that it was asked for.
type describedTarget struct {
	box     *sandbox.Server
	schemas string

	mu    sync.Mutex
	paths []string
}

func (d *describedTarget) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, d.box.BasePath())
	d.mu.Lock()
	d.paths = append(d.paths, r.Method+" "+path)
	d.mu.Unlock()
	if path == "/Schemas" {
		_, _ = w.Write([]byte(d.schemas))
		return
	}
	d.box.Handler().ServeHTTP(w, r)
}

// took returns the paths since it was asked last.
func (d *describedTarget) took() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := d.paths
	d.paths = nil
	return out
}

const depotSchemas = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:ListResponse"],"totalResults":1,"Resources":[
	{"id":"urn:ietf:params:scim:schemas:core:2.0:User","attributes":[{"name":"userName","required":true},{"name":"badge","required":true},
	{"name":"line","type":"integer"}]}]}`

const depotFile = `name: Depot
template: scim
source:
  connector: csv
  settings: {path: people.csv, key: id}
target:
  settings:
    url: URL
    auth: {bearer: {env: DEPOT_TOKEN}}
rules:
  - name: users
    attributes:
      - {target: userName, expression: "[email]", match: 1}
      - {target: active, expression: "Not([IsSoftDeleted])"}
      - {target: line, expression: "[line]"}
  - {name: groups, enabled: false}
`

// TestWhatATargetSaysOfItselfIsAskedWhenAFileIsSaved follows discovery through the commands (scim.R45-R49, design 6.1).
func TestWhatATargetSaysOfItselfIsAskedWhenAFileIsSaved(t *testing.T) {
	box, err := sandbox.New("scim", sandbox.Config{Token: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	target := &describedTarget{box: box, schemas: depotSchemas}
	server := httptest.NewServer(target)
	defer server.Close()
	t.Setenv("DEPOT_TOKEN", "secret")
	dir := t.TempDir()
	file := filepath.Join(dir, "app.yaml")
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("app.yaml", strings.Replace(depotFile, "URL", server.URL+box.BasePath(), 1))
	write("people.csv", "id,email,line\n1,mira@example.com,12\n2,jo@example.com,14\n")
	command := func(want int, args ...string) (out, errs string) {
		t.Helper()
		var o, e bytes.Buffer
		if code := run(t.Context(), testWorld(&o, &e), append(args, "--data", filepath.Join(dir, "data"))); code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, o.String(), e.String())
		}
		return o.String(), e.String()
	}
	calls := func(out string) int {
		t.Helper()
		var r struct{ Requests struct{ Total int } }
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatal(err)
		}
		return r.Requests.Total
	}
	discovery := []string{"GET /ResourceTypes", "GET /Schemas", "GET /ServiceProviderConfig"}

	const unknown, demanded = "line is not in the catalogue of the target", "does not map badge, which the target says that it requires"
	if out, _ := command(0, "validate", file); !strings.Contains(out, "valid, 1 warning") {
		t.Errorf("before anything is known: %s", out)
	}
	if got := target.took(); len(got) > 0 {
		t.Errorf("validate called %v", got)
	}

	planned, errs := command(0, "plan", "-f", file, "-o", "json")
	if strings.Contains(errs, unknown) || !strings.Contains(errs, demanded) {
		t.Errorf("plan knows what the target says: %s", errs)
	}
	target.took()
	ran, errs := command(0, "run", "-f", file, "-o", "json")
	if strings.Contains(errs, unknown) || !strings.Contains(errs, demanded) {
		t.Errorf("run knows what the target says: %s", errs)
	}
	got := target.took()
	if calls(ran) != len(got) || calls(planned) != calls(ran) {
		t.Errorf("%d calls were made, run tells of %d, plan foretold %d: %v", len(got), calls(ran), calls(planned), got)
	}
	first := got[:3]
	slices.Sort(first)
	if !slices.Equal(first, discovery) {
		t.Errorf("calls %v, want discovery first", got)
	}

	if ran, _ = command(0, "run", "-f", file, "-o", "json"); calls(ran) != 1 {
		t.Errorf("a file that has not changed is no save: %d calls", calls(ran))
	}
	if got := target.took(); len(got) != 1 || got[0] != "GET /Users" {
		t.Errorf("calls %v, want the probe alone", got)
	}
	if _, errs := command(0, "validate", file); strings.Contains(errs, unknown) || !strings.Contains(errs, demanded) {
		t.Errorf("validate knows what is kept: %s", errs)
	}

	// What it says later is kept by a probe of the stored job.
	target.schemas = strings.Replace(depotSchemas, `"badge","required":true`, `"badge"`, 1)
	command(0, "probe", "Depot")
	if out, _ := command(0, "validate", file); strings.Contains(out, "warning") {
		t.Errorf("after the probe: %s", out)
	}
	target.took()

	// A changed file is saved although its target does not answer, and what was known stays known.
	server.Close()
	write("app.yaml", strings.Replace(depotFile, "URL", server.URL+box.BasePath(), 1)+"settings: {interval: 1h}\n")
	if out, errs := command(0, "apply", "-f", file); !strings.Contains(out, "changed; the next cycle goes on as before") || !strings.Contains(errs, "was not asked what it can do") {
		t.Errorf("%s%s", out, errs)
	}
	if _, errs := command(0, "validate", file); strings.Contains(errs, unknown) {
		t.Errorf("what was known is forgotten: %s", errs)
	}
}
