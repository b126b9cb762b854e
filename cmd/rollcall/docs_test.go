package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/rollcall-id/rollcall/internal/appfile"
)

// The documents are held to the program. What is checked is said by the words behind the language of a code block:
//
//	```sh test             runs; every command must succeed
//	```console test        runs the lines behind "$ "; what they print must be the lines in between, where "…" stands for
//	                       any text and a line that is "…" for any lines
//	```sh service          runs beside the other blocks until the document ends, once its first line is printed
//	```yaml app            is a whole app file without a problem
//	```… file=NAME         is written to NAME for the blocks that follow
//
// The blocks of one document share a directory and the environment. Ports 8400 to 8499 on 127.0.0.1 stand for free ones.

const docsRoot = "../.."

// fence is a code block of a document.
type fence struct {
	Line  int // of its first line of text, from 1
	Lang  string
	Words []string // behind the language
	Text  string
}

// has tells whether a word stands behind the language.
func (f fence) has(word string) bool { return slices.Contains(f.Words, word) }

// file is the name that the block is written to, "" for none.
func (f fence) file() string {
	for _, w := range f.Words {
		if name, ok := strings.CutPrefix(w, "file="); ok {
			return name
		}
	}
	return ""
}

var fenceStart = regexp.MustCompile("^(```+)([a-z]*)((?: +[^` ]+)*) *$")

// fences finds the code blocks of a document, and those that are never closed or bear a word that nobody knows.
func fences(text string) (out []fence, err error) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		m := fenceStart.FindStringSubmatch(lines[i])
		if m == nil {
			continue
		}
		f := fence{Line: i + 2, Lang: m[2], Words: strings.Fields(m[3])}
		for _, w := range f.Words {
			if !slices.Contains([]string{"test", "service", "app"}, w) && !strings.HasPrefix(w, "file=") {
				return nil, fmt.Errorf("line %d: a code block bears the word %q, which means nothing", i+1, w)
			}
		}
		end := slices.Index(lines[i+1:], m[1])
		if end < 0 {
			return nil, fmt.Errorf("line %d: a code block is never closed", i+1)
		}
		f.Text = strings.Join(lines[i+1:i+1+end], "\n") + "\n"
		out = append(out, f)
		i += end + 1
	}
	return out, nil
}

// documents returns the text of the documents by their path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	docs := map[string]string{}
	read := func(name string) {
		text, err := os.ReadFile(filepath.Join(docsRoot, name))
		if err != nil {
			t.Fatal(err)
		}
		docs[name] = string(text)
	}
	for _, name := range []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md"} {
		read(name)
	}
	err := fs.WalkDir(os.DirFS(docsRoot), "docs", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && path.Ext(name) == ".md" {
			read(name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// appBlock says what is wrong with an app file in a document, nil for nothing.
func appBlock(f fence) error {
	_, err := appfile.Parse([]byte(f.Text), ".", appFileOptions())
	return err
}

func TestAppFilesInDocumentsAreValid(t *testing.T) {
	seen := 0
	for name, text := range documents(t) {
		blocks, err := fences(text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, f := range blocks {
			if !f.has("app") {
				continue
			}
			seen++
			if err := appBlock(f); err != nil {
				t.Errorf("%s, app file in line %d:\n%v", name, f.Line, err)
			}
		}
	}
	if seen < 3 {
		t.Errorf("only %d app files were found", seen)
	}
	if err := appBlock(fence{Text: "name: X\ntemplate: scim\nsource: {connector: csv, settings: {paht: people.csv}}\n"}); err == nil || !strings.Contains(err.Error(), "paht") {
		t.Errorf("an app file with a mistake was taken for good: %v", err)
	}
}

// deadLinks returns the links of the documents that lead nowhere, and the documents under docs that nothing leads to.
// exists tells whether there is a file of this path.
func deadLinks(docs map[string]string, exists func(string) bool) []string {
	var dead []string
	reached := map[string]bool{"docs/README.md": true}
	for name, text := range docs {
		for _, m := range markdownLinks.FindAllStringSubmatch(withoutCode(text), -1) {
			target := m[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(target, "#")
			to := name
			if file != "" {
				to = path.Join(path.Dir(name), file)
			}
			if to != name {
				reached[to] = true
			}
			switch {
			case !exists(to):
				dead = append(dead, fmt.Sprintf("%s: %s: there is no such file", name, target))
			case anchor != "" && !slices.Contains(anchors(docs[to]), anchor):
				dead = append(dead, fmt.Sprintf("%s: %s: there is no such heading", name, target))
			}
		}
	}
	for name := range docs {
		if strings.HasPrefix(name, "docs/") && !reached[name] {
			dead = append(dead, name+": no document leads to it")
		}
	}
	slices.Sort(dead)
	return dead
}

var (
	markdownLinks = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	inlineCode    = regexp.MustCompile("`[^`\n]*`")
	headings      = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
)

// withoutCode takes code out of a document, where brackets are no links and a number sign starts no heading.
func withoutCode(text string) string {
	var out []string
	end := ""
	for line := range strings.SplitSeq(text, "\n") {
		m := fenceStart.FindStringSubmatch(line)
		switch {
		case end == "" && m != nil:
			end = m[1]
		case end == "":
			out = append(out, inlineCode.ReplaceAllStringFunc(line, func(c string) string { return strings.Trim(strings.NewReplacer("[", "", "(", "").Replace(c), "`") }))
		case line == end:
			end = ""
		}
	}
	return strings.Join(out, "\n")
}

// anchors are the names that headings can be linked to by.
func anchors(text string) []string {
	var out []string
	for _, m := range headings.FindAllStringSubmatch(withoutCode(text), -1) {
		var b strings.Builder
		for _, r := range strings.ToLower(m[1]) {
			switch {
			case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
				b.WriteRune(r)
			case r == ' ':
				b.WriteByte('-')
			}
		}
		name := b.String()
		for n := 1; slices.Contains(out, name); n++ {
			name = fmt.Sprintf("%s-%d", b.String(), n)
		}
		out = append(out, name)
	}
	return out
}

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(docsRoot, name))
		return err == nil
	}
	for _, problem := range deadLinks(documents(t), exists) {
		t.Error(problem)
	}
}

func TestDeadLinksAreFound(t *testing.T) {
	docs := map[string]string{
		"README.md":      "[docs](docs/README.md) [gone](docs/gone.md) [out](https://example.com/x) `[a](b)`\n```sh\n# [no](heading)\n```\n",
		"docs/README.md": "# A `b` c\n## Two words\n[up](../README.md) [here](#a-b-c) [there](#nowhere) [cycle](cycle.md#why-not)\n",
		"docs/cycle.md":  "# Why, not?\n",
		"docs/alone.md":  "# Alone\n[self](#alone)\n",
	}
	got := deadLinks(docs, func(name string) bool { _, ok := docs[name]; return ok })
	want := []string{
		"README.md: docs/gone.md: there is no such file",
		"docs/README.md: #nowhere: there is no such heading",
		"docs/alone.md: no document leads to it",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestFences(t *testing.T) {
	got, err := fences("a\n```sh test\nls\n```\n```csv file=a.csv\nk\n1\n```\n````md\n```\n````\n")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Text != "ls\n" || !got[0].has("test") || got[0].Line != 3 || got[1].file() != "a.csv" || got[2].Text != "```\n" {
		t.Errorf("got %+v", got)
	}
	for _, bad := range []string{"```sh tset\nls\n```\n", "```sh test\nls\n"} {
		if _, err := fences(bad); err == nil {
			t.Errorf("%q was taken for good", bad)
		}
	}
}
