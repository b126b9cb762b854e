package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"

	"github.com/rollcall-id/rollcall/internal/demo"
	"github.com/rollcall-id/rollcall/internal/scim"
	"github.com/rollcall-id/rollcall/internal/view"
)

// demoAccounts asks the sandbox itself what it holds now, so that the demo shows what is there and not what it meant
// to do.
func demoAccounts(ctx context.Context, base string) (accounts, managers int, err error) {
	u, err := url.Parse(base)
	if err != nil {
		return 0, 0, fmt.Errorf("the sandbox's address: %w", err)
	}
	u.Path = "/_sandbox/state"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return 0, 0, fmt.Errorf("ask the sandbox: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, 0, fmt.Errorf("ask the sandbox: %w", err)
	}
	defer resp.Body.Close()
	var state struct {
		Users []map[string]any `json:"users"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		return 0, 0, fmt.Errorf("read what the sandbox holds: %w", err)
	}
	for _, user := range state.Users {
		if ext, ok := user[scim.EnterpriseUserURN].(map[string]any); ok && ext["manager"] != nil {
			managers++
		}
	}
	return len(state.Users), managers, nil
}

// writeDemo ends the demo: the table of what happened, what is there now, and what to try next.
func writeDemo(w io.Writer, rep demoReport, dir string, keep bool) error {
	var b bytes.Buffer
	b.WriteString("\n")
	t := view.NewTable("HR FILE", "JOB", "CYCLE", ">READ", ">CREATED", ">UPDATED", ">UNCHANGED", ">CALLS", ">TIME")
	for _, s := range rep.Steps {
		n := s.Report.Counts
		t.Add(s.Date, s.Report.Job, string(s.Report.Cycle.Type), view.Count(n.Imported), view.Count(n.Created), view.Count(n.Updated), view.Count(n.Unchanged),
			view.Count(s.Report.Requests.Total), view.Duration(s.Report.Cycle.Ended.Sub(s.Report.Cycle.Began)))
	}
	if err := t.Write(&b); err != nil {
		return err
	}
	fmt.Fprintf(&b, "\nThe sandbox now has %s, %d of them linked to their manager. An incremental cycle reads only what changed in\n"+
		"the directory; an account that is as it should be costs no call.\n", view.Plural(int64(rep.Accounts), "account"), rep.Managers)
	if keep {
		fmt.Fprintf(&b, `
Play on, in another terminal:

  cd %s
  cp hr-%s.csv people.csv
  rollcall plan -f %s
  rollcall run -f %[3]s && rollcall run -f %s
  rollcall status
  rollcall logs %q --limit 20
  curl %s/_sandbox/state

The sandbox runs until you press Ctrl-C.
`, shellPath(dir), demo.Dates()[2], demo.DirectoryFile, demo.LitmosFile, "SAP Litmos", origin(rep.Sandbox))
	} else {
		b.WriteString(`
What to try next:

  rollcall demo --keep         the same, and then play on with its files and its sandbox
  rollcall new litmos-scim     an app file for your own SAP Litmos, to fill in
  rollcall gallery             all applications there are templates for
  rollcall --help              all commands
`)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func shellPath(dir string) string { return filepath.Base(dir) }

func origin(base string) string {
	u, err := url.Parse(base)
	if err != nil {
		return base
	}
	return u.Scheme + "://" + u.Host
}
