package repo

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// root is the top folder of the repository, as seen from this package's.
const root = "../.."

// TestEveryPackageHasItsPlace fails when a package is added without a row in CONTRIBUTING.md or without a layer in
// .golangci.yml. A package in no layer may import, and be imported by, anything: the import rule would not hold for it.
func TestEveryPackageHasItsPlace(t *testing.T) {
	guide := readFile(t, "CONTRIBUTING.md")
	layers := layerPatterns(t)
	packages := goPackages(t, "internal")
	if len(packages) == 0 {
		t.Fatal("found no package under internal/")
	}
	for _, dir := range packages {
		if !strings.Contains(guide, "\n| `"+dir+"` |") {
			t.Errorf("%s: CONTRIBUTING.md has no row for it in the table of its layout", dir)
		}
		if dir == "internal/testbed" {
			continue // in no layer: the rule what-ships-holds-no-test-code keeps it out of all of them
		}
		file := "/" + dir + "/file.go"
		if !slices.ContainsFunc(layers, func(p *regexp.Regexp) bool { return p.MatchString(file) }) {
			t.Errorf("%s: no layer of the import rule in .golangci.yml has it (linters.settings.depguard)", dir)
		}
	}
}

// TestGuideNamesNoPackageThatIsGone keeps the table in CONTRIBUTING.md true in the other direction.
func TestGuideNamesNoPackageThatIsGone(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `((?:internal|cmd|test)/[a-z0-9/]+)` \\|").FindAllStringSubmatch(readFile(t, "CONTRIBUTING.md"), -1)
	if len(rows) == 0 {
		t.Fatal("CONTRIBUTING.md has no table of the layout")
	}
	for _, row := range rows {
		if files, err := filepath.Glob(filepath.Join(root, row[1], "*.go")); err != nil || len(files) == 0 {
			t.Errorf("%s: CONTRIBUTING.md has a row for it, but there is no such package", row[1])
		}
	}
}

// readFile returns the text of a file of the repository.
func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// goPackages returns the folders under dir that hold Go files, test data left out, with slashes and without the root.
func goPackages(t *testing.T, dir string) []string {
	t.Helper()
	var dirs []string
	err := fs.WalkDir(os.DirFS(root), dir, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "testdata":
			return fs.SkipDir
		case strings.HasSuffix(name, ".go") && !slices.Contains(dirs, path.Dir(name)):
			dirs = append(dirs, path.Dir(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

// layerPatterns returns the file patterns of those depguard rules that make up the layers.
func layerPatterns(t *testing.T) []*regexp.Regexp {
	t.Helper()
	var config struct {
		Linters struct {
			Settings struct {
				Depguard struct {
					Rules map[string]struct{ Files []string }
				}
			}
		}
	}
	if err := yaml.Unmarshal([]byte(readFile(t, ".golangci.yml")), &config); err != nil {
		t.Fatal(err)
	}
	// The other rules are about some packages from all layers.
	isLayer := regexp.MustCompile(`^(layer-\d+|ground-floor.*|expr-and-scim.*|connectors)$`)
	var patterns []*regexp.Regexp
	for name, rule := range config.Linters.Settings.Depguard.Rules {
		if !isLayer.MatchString(name) {
			continue
		}
		for _, glob := range rule.Files {
			if strings.HasPrefix(glob, "!") {
				continue
			}
			p := regexp.QuoteMeta(glob)
			p = strings.ReplaceAll(p, `\*\*`, `.+`)
			p = strings.ReplaceAll(p, `\*`, `[^/]+`)
			// A leading "**/" also stands for no folder at all.
			p = "^" + strings.Replace(p, `.+/`, `(.+)?/`, 1) + "$"
			patterns = append(patterns, regexp.MustCompile(p))
		}
	}
	return patterns
}
