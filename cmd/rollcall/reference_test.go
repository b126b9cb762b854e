package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/scope"
)

const referenceDir = "../../docs/reference"

// TestReferenceIsUpToDate compares docs/reference with the tables in the code. With -update it writes the documents,
// which is what `make generate` does.
func TestReferenceIsUpToDate(t *testing.T) {
	docs := makeReference(t)
	if *update {
		for name, text := range docs {
			if err := os.WriteFile(filepath.Join(referenceDir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, problem := range staleReference(os.DirFS(referenceDir), docs) {
		t.Errorf("docs/reference: %s; run `make generate`", problem)
	}
}

// makeReference makes the documents of docs/reference by name.
func makeReference(t *testing.T) map[string][]byte {
	t.Helper()
	docs := map[string][]byte{}
	for _, d := range referenceDocuments(testRoot()) {
		var b bytes.Buffer
		if err := d.Write(&b); err != nil {
			t.Fatal(err)
		}
		docs[d.Name] = b.Bytes()
	}
	return docs
}

// testRoot is the tree of commands in an empty environment.
func testRoot() *cobra.Command {
	var out, errs bytes.Buffer
	return newRootCommand(&cli{world: testWorld(&out, &errs)})
}

// staleReference says how the files of a directory differ from the documents that they should be.
func staleReference(dir fs.FS, docs map[string][]byte) []string {
	var problems []string
	for name, want := range docs {
		got, err := fs.ReadFile(dir, name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			problems = append(problems, name+" is missing")
		case err != nil:
			problems = append(problems, err.Error())
		case !bytes.Equal(got, want):
			problems = append(problems, fmt.Sprintf("%s is not what the code says (-file +code):\n%s", name, cmp.Diff(strings.Split(string(got), "\n"), strings.Split(string(want), "\n"))))
		}
	}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return append(problems, err.Error())
	}
	for _, e := range entries {
		if docs[e.Name()] == nil {
			problems = append(problems, e.Name()+" is made by nothing")
		}
	}
	slices.Sort(problems)
	return problems
}

func TestStaleReferenceIsFound(t *testing.T) {
	docs := map[string][]byte{"a.md": []byte("one\ntwo\n"), "b.md": []byte("three\n")}
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("a.md", "one\ntwo\n")
	write("b.md", "three\n")
	if got := staleReference(os.DirFS(dir), docs); got != nil {
		t.Fatalf("documents as they should be: %q", got)
	}
	write("a.md", "one\n2\n")
	write("c.md", "")
	if err := os.Remove(filepath.Join(dir, "b.md")); err != nil {
		t.Fatal(err)
	}
	got := staleReference(os.DirFS(dir), docs)
	if len(got) != 3 || !strings.HasPrefix(got[0], "a.md is not what the code says") || got[1] != "b.md is missing" || got[2] != "c.md is made by nothing" {
		t.Errorf("changed, missing and left-over documents: %q", got)
	}
}

// TestReferenceHasEverything looks for each command, flag, setting and function in the document made for it.
func TestReferenceHasEverything(t *testing.T) {
	docs := makeReference(t)
	need := func(file, text string) {
		t.Helper()
		if !bytes.Contains(docs[file], []byte(text)) {
			t.Errorf("%s does not have %q", file, text)
		}
	}
	seen := 0
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if documented(cmd) && cmd.HasParent() {
			need("commands.md", "\n## "+cmd.CommandPath()+"\n")
			seen++
		}
		for _, ch := range cmd.Commands() {
			walk(ch)
		}
	}
	walk(testRoot())
	if seen < 20 {
		t.Errorf("only %d commands were looked for", seen)
	}
	for _, flag := range []string{"| `--initial` |", "| `-o, --output FORMAT` | `table` |", "| `--addr HOST:PORT` | `127.0.0.1:0` |"} {
		need("commands.md", flag)
	}
	for _, f := range expr.Functions() {
		need("functions.md", "\n## "+f.Name+"\n\n`"+f.Signature()+"`")
	}
	for _, o := range scope.Operators() {
		need("operators.md", "\n| `"+o.Name+"` |")
	}
	for name, c := range connectors() {
		need("settings.md", "\n## Connector `"+name+"`\n")
		for _, s := range c.Settings {
			need("settings.md", "\n| `"+s.Name+"` |")
		}
	}
	need("settings.md", "| `deletionGuard.percent` |")
	for _, tmpl := range templates(t) {
		need("gallery.md", "\n## "+tmpl.ID+"\n\n"+tmpl.Title+": ")
		need("gallery.md", "\n- **Tested**: "+testedText(tmpl)+"\n")
	}
	need("gallery.md", "| ServiceNow |")
}

// TestSettingsTopic holds `rollcall help settings` to the same tables.
func TestSettingsTopic(t *testing.T) {
	help := func(args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), testWorld(&out, &errs), append([]string{"help", "settings"}, args...)); code != exitOK {
			t.Fatalf("exit code %d: %s", code, errs.String())
		}
		return out.String()
	}
	need := func(text string, lines ...string) {
		t.Helper()
		for _, l := range lines {
			if !strings.Contains(text, l) {
				t.Errorf("the help does not have %q:\n%s", l, text)
			}
		}
	}
	need(help(), "\nscope  (assigned or all)\n", "\ndeletionGuard.percent  (number; default 20)\n", "rollcall help settings csv")
	for name, c := range connectors() {
		text := help(name)
		need(text, c.Summary)
		for _, s := range c.Settings {
			need(text, "\n"+s.Name+"  (")
		}
	}
	need(help("csv"), "\nfiles[].members.group  (text; required)\n", "\nencoding  (utf-8 or utf-16 ")
	need(help("scim"), "\nurl  (url; required)\n")
	var out, errs bytes.Buffer
	if run(t.Context(), testWorld(&out, &errs), []string{"--help"}); !strings.Contains(out.String(), "rollcall settings") {
		t.Errorf("`rollcall --help` does not name the topic:\n%s", out.String())
	}
}
