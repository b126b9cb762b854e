package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/view"
)

func newVersionCommand(c *cli) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		GroupID: groupOther,
		Args:    arguments(),
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion(c.world)
			if c.json() {
				return view.JSON(c.Out, v)
			}
			t := view.NewTable("", "")
			t.Add("rollcall", v.Version)
			if v.Commit != "" {
				t.Add("commit", v.Commit)
			}
			if v.Date != "" {
				t.Add("built", v.Date)
			}
			t.Add("go", v.Go)
			t.Add("platform", v.Platform)
			return t.Write(c.Out)
		},
	}
}

// versionInfo is the document of `rollcall version -o json`.
type versionInfo struct {
	Version  string `json:"version"`
	Commit   string `json:"commit"`
	Date     string `json:"date"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// buildVersion is what the build said, completed by what the compiler recorded.
func buildVersion(w world) versionInfo {
	v := versionInfo{Version: w.Version, Commit: w.Commit, Date: w.Date, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && v.Commit == "":
			v.Commit = s.Value
		case s.Key == "vcs.time" && v.Date == "":
			v.Date = s.Value
		}
	}
	return v
}
