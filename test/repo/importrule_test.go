package repo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const module = "github.com/rollcall-id/rollcall"

// layers is the import rule, as CONTRIBUTING.md has it: a package may import packages of earlier layers only. Every
// package that is planned is here, so that the rule is in force when it comes.
var layers = [][]string{
	{"internal/identity", "internal/httpx", "internal/secret", "internal/config", "client"},
	{"internal/schema", "internal/expr", "internal/scim", "internal/spool", "internal/packed"},
	{"internal/scope", "internal/mapping", "internal/match", "internal/connector"},
	{"internal/plan", "internal/job", "internal/vectors"},
	{"internal/database", "internal/connector/web"},
	{
		"internal/store", "internal/gallery", "internal/directory", "internal/sandbox", "internal/notify",
		"internal/connector/conntest", "internal/connector/memory", "internal/connector/scim",
		"internal/connector/litmos", "internal/connector/directory", "internal/connector/csvfile",
	},
	{
		"internal/engine", "internal/appfile", "internal/store/sqlstore", "internal/store/storetest", "internal/store/vault",
		"internal/database/sqlite", "internal/database/postgres",
	},
	{"internal/schedule"},
	{"internal/api", "internal/console", "internal/inbound", "internal/view"},
	{"cmd/rollcall"},
}

// narrower says what a package may not import although it is in an earlier layer.
var narrower = map[string][]string{
	"internal/connector/conntest":  {"internal/job", "internal/database"},
	"internal/connector/memory":    {"internal/job", "internal/database"},
	"internal/connector/scim":      {"internal/job", "internal/database"},
	"internal/connector/litmos":    {"internal/job", "internal/database"},
	"internal/connector/web":       {"internal/job"},
	"internal/connector/directory": {"internal/job", "internal/database"},
	"internal/connector/csvfile":   {"internal/job", "internal/database"},
	"internal/engine":              {"internal/database", "internal/gallery", "internal/directory", "internal/sandbox", "internal/notify"},
	"internal/appfile":             {"internal/sandbox", "internal/notify"},
	"internal/store/sqlstore":      {"internal/sandbox", "internal/notify"},
	"internal/store/storetest":     {"internal/sandbox", "internal/notify"},
	"internal/store/vault":         {"internal/sandbox", "internal/notify"},
	"internal/database/sqlite":     {"internal/sandbox", "internal/notify"},
	"internal/database/postgres":   {"internal/sandbox", "internal/notify"},
	"internal/schedule":            {"internal/database", "internal/gallery", "internal/directory", "internal/sandbox"},
	"internal/api":                 {"internal/database", "internal/sandbox"},
	"internal/console":             {"internal/database", "internal/sandbox"},
	"internal/inbound":             {"internal/database", "internal/sandbox"},
	"internal/view":                {"internal/database", "internal/sandbox"},
}

// sharedByConnectors is no connector; beside cmd/rollcall only connectors use it.
const sharedByConnectors = "internal/connector/web"

// allowed says whether the import rule lets a package of layer i import one of layer j.
func allowed(importer string, i int, imported string, j int) bool {
	switch {
	case j >= i:
		return false
	case importer == "internal/expr" || importer == "internal/scim":
		return false // they stand alone
	case imported == sharedByConnectors:
		return importer == "cmd/rollcall" || strings.HasPrefix(importer, "internal/connector/") && !slices.Contains(narrower[importer], imported)
	case isConcrete(imported):
		return importer == "cmd/rollcall"
	default:
		return !slices.Contains(narrower[importer], imported)
	}
}

// isConcrete says whether a package is one of several implementations of an interface.
func isConcrete(name string) bool {
	return slices.ContainsFunc([]string{"internal/connector/", "internal/store/", "internal/database/"},
		func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// TestLinterHoldsTheImportRule lints a throw-away module in which every package imports every other, and compares the
// imports that the linter refuses with those that the rule forbids.
func TestLinterHoldsTheImportRule(t *testing.T) {
	linter := linterOrSkip(t)
	type edge struct {
		importer, imported string
		allowed            bool
	}
	var edges []edge
	for i, importers := range layers {
		for j, importeds := range layers {
			for _, importer := range importers {
				for _, imported := range importeds {
					// Everybody may import the client, which is meant for other people's programs.
					if importer != imported && imported != "client" && imported != "cmd/rollcall" {
						edges = append(edges, edge{importer, imported, allowed(importer, i, imported, j)})
					}
				}
			}
		}
	}
	order := slices.Concat(layers...)
	// Go refuses import cycles, so imports up the list and imports down the list are linted apart.
	for _, upwards := range []bool{true, false} {
		t.Run(map[bool]string{true: "imports of later packages", false: "imports of earlier packages"}[upwards], func(t *testing.T) {
			want := map[string][]string{}
			files := map[string][]string{}
			for _, e := range edges {
				if slices.Index(order, e.importer) < slices.Index(order, e.imported) != upwards {
					continue
				}
				files[e.importer+"/file.go"] = append(files[e.importer+"/file.go"], module+"/"+e.imported)
				files[e.imported+"/empty.go"] = nil
				if !e.allowed {
					want[e.importer+"/file.go"] = append(want[e.importer+"/file.go"], module+"/"+e.imported)
				}
			}
			got := refusedImports(t, linter, files)
			if diff := cmp.Diff(want, got, anyOrder); diff != "" {
				t.Errorf("refused imports by file (-rule +linter):\n%s", diff)
			}
		})
	}
}

// TestLinterHoldsOffOutsidePackages does the same for packages that are not ours.
func TestLinterHoldsOffOutsidePackages(t *testing.T) {
	linter := linterOrSkip(t)
	const (
		sqlite = "modernc.org/sqlite"
		pgx    = "github.com/jackc/pgx/v5"
		goose  = "github.com/pressly/goose/v3"
		gocmp  = "github.com/google/go-cmp"
		rapid  = "pgregory.net/rapid"
	)
	testbed := module + "/internal/testbed"
	outside := []string{"database/sql", gocmp, goose, "log", "net/http", "net/url", "os", pgx, rapid, sqlite, "testing", testbed}
	want := map[string][]string{
		"internal/identity/file.go":          {"database/sql", gocmp, goose, "log", "net/http", "os", pgx, rapid, sqlite, "testing", testbed},
		"internal/plan/file.go":              {"database/sql", gocmp, goose, "log", "net/http", "os", pgx, rapid, sqlite, "testing", testbed},
		"internal/scim/file.go":              {"database/sql", gocmp, goose, "log", "os", pgx, rapid, sqlite, "testing", testbed},
		"internal/connector/file.go":         {"database/sql", gocmp, goose, "log", "net/http", "os", pgx, rapid, sqlite, "testing", testbed},
		"internal/connector/scim/file.go":    {"database/sql", gocmp, goose, "log", pgx, rapid, sqlite, "testing", testbed},
		"internal/engine/file.go":            {"database/sql", gocmp, goose, "log", pgx, rapid, sqlite, "testing", testbed},
		"internal/store/sqlstore/file.go":    {gocmp, "log", pgx, rapid, sqlite, "testing", testbed},
		"internal/store/storetest/file.go":   {"log", pgx, sqlite},
		"internal/database/sqlite/file.go":   {gocmp, "log", rapid, "testing", testbed},
		"internal/database/postgres/file.go": {gocmp, "log", rapid, "testing", testbed},
		"cmd/rollcall/file.go":               {"database/sql", gocmp, goose, "log", pgx, rapid, sqlite, "testing", testbed},
		"internal/engine/file_test.go":       {"log"},
	}
	files := map[string][]string{
		"internal/testbed/file.go": nil,
		"internal/engine/empty.go": nil,
	}
	for file := range want {
		files[file] = outside
	}
	got := refusedImports(t, linter, files, sqlite, pgx, goose, gocmp, rapid)
	if diff := cmp.Diff(want, got, anyOrder); diff != "" {
		t.Errorf("refused imports by file (-rule +linter):\n%s", diff)
	}
}

// TestLinterKeepsTheClockOutOfTheCore proves that time is a value in the core and in the engine.
func TestLinterKeepsTheClockOutOfTheCore(t *testing.T) {
	linter := linterOrSkip(t)
	dir := newModule(t)
	reads := map[string]bool{
		"internal/expr/file.go":        true,
		"internal/scope/file.go":       true,
		"internal/mapping/file.go":     true,
		"internal/match/file.go":       true,
		"internal/plan/file.go":        true,
		"internal/job/file.go":         true,
		"internal/engine/file.go":      true,
		"internal/engine/file_test.go": false,
		"internal/schedule/file.go":    false,
		"cmd/rollcall/file.go":         false,
	}
	for file := range reads {
		// One a line: of several findings in a line the linter shows the first.
		write(t, dir, file, `package p

import "time"

var _ = time.Now
var _ = time.Since
var _ = time.Until
`)
	}
	want, got := map[string]int{}, map[string]int{}
	for file, caught := range reads {
		if caught {
			want[file] = 3
		}
	}
	for _, issue := range lint(t, linter, dir, "forbidigo") {
		got[issue.Pos.Filename]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("clock reads caught by file (-want +got):\n%s", diff)
	}
}

// anyOrder compares lists of imports as sets.
var anyOrder = cmpopts.SortSlices(strings.Compare)

// linterOrSkip returns the path of golangci-lint. `make lint` sets it; building the linter takes minutes on a new
// machine, which is why `make test` does without.
func linterOrSkip(t *testing.T) string {
	t.Helper()
	linter := os.Getenv("ROLLCALL_TEST_GOLANGCI_LINT")
	if linter == "" {
		t.Skip("ROLLCALL_TEST_GOLANGCI_LINT is not set: make lint runs this test")
	}
	return linter
}

// newModule makes an empty module with our name and our linter configuration. The outside modules are empty ones, too.
func newModule(t *testing.T, outside ...string) string {
	t.Helper()
	dir := t.TempDir()
	gomod := "module " + module + "\n\ngo 1.26\n"
	for _, name := range outside {
		version := "v0.0.0"
		if m := regexp.MustCompile(`/v(\d+)$`).FindStringSubmatch(name); m != nil {
			version = "v" + m[1] + ".0.0"
		}
		gomod += fmt.Sprintf("\nrequire %s %s\nreplace %s => ./outside/%s\n", name, version, name, name)
		write(t, dir, "outside/"+name+"/go.mod", "module "+name+"\n\ngo 1.26\n")
		write(t, dir, "outside/"+name+"/empty.go", "package p\n")
	}
	write(t, dir, "go.mod", gomod)
	write(t, dir, ".golangci.yml", readFile(t, ".golangci.yml"))
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// refusedImports lints a module with these files, given with what each imports, and returns the imports refused in
// each.
func refusedImports(t *testing.T, linter string, files map[string][]string, outside ...string) map[string][]string {
	t.Helper()
	dir := newModule(t, outside...)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		var text strings.Builder
		text.WriteString("package p\n")
		for _, name := range files[file] {
			fmt.Fprintf(&text, "\nimport _ %q\n", name)
		}
		write(t, dir, file, text.String())
	}
	refused := map[string][]string{}
	quoted := regexp.MustCompile(`^import '([^']+)' is not allowed from list '[^']+'`)
	for _, issue := range lint(t, linter, dir, "depguard") {
		m := quoted.FindStringSubmatch(issue.Text)
		if m == nil {
			t.Fatalf("%s: what is this: %s", issue.Pos.Filename, issue.Text)
		}
		refused[issue.Pos.Filename] = append(refused[issue.Pos.Filename], m[1])
	}
	for file, names := range refused {
		// Two rules may refuse one import.
		slices.Sort(names)
		refused[file] = slices.Compact(names)
	}
	return refused
}

// finding is what golangci-lint reports about one place.
type finding struct {
	FromLinter, Text string
	Pos              struct{ Filename string }
}

// lint runs one linter over the module in dir.
func lint(t *testing.T, linter, dir, name string) []finding {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), linter, "run", "--enable-only", name, "--issues-exit-code=0",
		"--output.json.path=stdout", "--show-stats=false", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, out, messages.Bytes())
	}
	var report struct{ Issues []finding }
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("the linter's report: %v\n%s", err, out)
	}
	for _, issue := range report.Issues {
		if issue.FromLinter != name {
			t.Fatalf("%s finds fault with the test's own module: %s: %s", issue.FromLinter, issue.Pos.Filename, issue.Text)
		}
	}
	return report.Issues
}
