// Package demo holds what `rollcall demo` works with: the HR files of a sample company as they stood on six dates, and
// two app files, one from HR to the built-in directory and one from there to SAP Litmos. It is data; cmd/rollcall
// plays it. files/README.md tells where the company comes from.
package demo

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

//go:embed files
var files embed.FS

// Dates are those of the HR files, oldest first.
func Dates() []string {
	return []string{"2008-12-31", "2009-12-31", "2010-12-31", "2012-12-31", "2013-12-31", "2014-01-31"}
}

// Names of files in a demo's directory.
const (
	PeopleFile    = "people.csv" // the HR file of the day; the next one replaces it
	DirectoryFile = "hr-to-directory.yaml"
	LitmosFile    = "litmos.yaml"
	ScimFile      = "hr-to-scim.yaml" // straight from HR to any SCIM application, for playing on
)

// Write puts the app files and all HR files into a directory that exists. url and tokenFile are those of the sandbox
// that the app files are to write to.
func Write(dir, url, tokenFile string) error {
	names, err := fs.Glob(files, "files/*")
	if err != nil {
		return fmt.Errorf("list the demo's files: %w", err)
	}
	fill := strings.NewReplacer("{{url}}", url, "{{tokenFile}}", tokenFile)
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return fmt.Errorf("read the demo's files: %w", err)
		}
		if strings.HasSuffix(name, ".yaml") {
			data = []byte(fill.Replace(string(data)))
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(name)), data, 0o600); err != nil {
			return fmt.Errorf("write the demo's files: %w", err)
		}
	}
	return nil
}

// SetDate makes the HR file of a date the one that the app files read.
func SetDate(dir, date string) error {
	data, err := files.ReadFile("files/hr-" + date + ".csv")
	if err != nil {
		return fmt.Errorf("the demo has no HR file of %s: %w", date, err)
	}
	tmp := filepath.Join(dir, PeopleFile+".new")
	if err := os.WriteFile(tmp, data, 0o600); err != nil {
		return fmt.Errorf("write the HR file of %s: %w", date, err)
	}
	return os.Rename(tmp, filepath.Join(dir, PeopleFile))
}
