package story

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// onceReport is what the story looks at in `rollcall provision -o json`.
type onceReport struct {
	DryRun  bool   `json:"dryRun"`
	Result  string `json:"result"`
	Action  string `json:"action"`
	Details struct {
		ErrorCode string `json:"errorCode"`
	} `json:"details"`
	Steps          []onceStep `json:"provisioningSteps"`
	TargetIdentity struct {
		ID string `json:"id"`
	} `json:"targetIdentity"`
}

type onceStep struct {
	Step    int               `json:"step"`
	Details map[string]string `json:"details"`
}

// whyReport is what it looks at in `rollcall why -o json`.
type whyReport struct {
	Jobs []struct {
		Job        string   `json:"job"`
		State      string   `json:"state"`
		HasAccount bool     `json:"hasAccount"`
		Answer     []string `json:"answer"`
	} `json:"jobs"`
}

// part reads of a document what the story looks at.
func part[T any](t *testing.T, o outcome) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.Out), &v); err != nil {
		t.Fatalf("the output is no document: %v\n%v", err, o)
	}
	return v
}

// TestOnePersonIsProvisionedAndExplained follows one person through the directory and an application that is not ours:
// not assigned, assigned, unassigned; each time provisioned on demand and explained (engine section 13).
func TestOnePersonIsProvisionedAndExplained(t *testing.T) {
	t.Parallel()
	w, c := employed(t)
	server := testbed.Scimmy(t)
	target := foreign{server}
	w.env = []string{"TARGET_TOKEN=" + server.Token}
	w.write("app.yaml", outboundFile("App", server.BaseURL, "assigned"))
	mail := c.people[10]["email"]

	provision := func(flags ...string) onceReport {
		t.Helper()
		o := w.rollcall(append([]string{"provision", "-f", "app.yaml", mail, "-o", "json"}, flags...)...)
		wantCode(t, o, exitFine)
		return part[onceReport](t, o)
	}
	why := func(state string, account bool, words string) {
		t.Helper()
		rep := part[whyReport](t, w.rollcall("why", mail, "--app", "App", "-o", "json"))
		if len(rep.Jobs) != 1 || rep.Jobs[0].State != state || rep.Jobs[0].HasAccount != account || !strings.Contains(rep.Jobs[0].Answer[0], words) {
			t.Errorf("why: %+v, want the state %s and an answer with %q", rep.Jobs, state, words)
		}
	}
	accounts := func(n int) account {
		t.Helper()
		all := accountsIn(t, target.state())
		if len(all) != n {
			t.Fatalf("the application has %d accounts, want %d", len(all), n)
		}
		for _, a := range all {
			return a
		}
		return account{}
	}

	wantCode(t, w.rollcall("apply", "app.yaml"), exitFine)
	rep := provision()
	i := slices.IndexFunc(rep.Steps, func(s onceStep) bool { return s.Step == 3 })
	if rep.Result != "Skipped" || i < 0 || rep.Steps[i].Details["Assigned to the application"] != "False" {
		t.Errorf("not assigned: %+v", rep)
	}
	accounts(0)
	why("unlinked", false, "not assigned to the application")

	wantCode(t, w.rollcall("assign", "App", "--user", mail), exitFine)
	// The manager has no account, which is a warning.
	if rep = provision("--dry-run"); rep.Result != "Warning" || rep.Action != "Create" || !rep.DryRun {
		t.Errorf("dry run: %+v", rep)
	}
	accounts(0)
	rep = provision()
	if a := accounts(1); a.UserName != mail || !a.Active || rep.Action != "Create" || rep.TargetIdentity.ID == "" {
		t.Errorf("provisioned: %+v, account %+v", rep, a)
	}
	why("active", true, "created on ")

	wantCode(t, w.rollcall("assign", "App", "--user", mail, "--remove"), exitFine)
	if rep = provision(); rep.Action != "Disable" || rep.Result != "Success" {
		t.Errorf("unassigned: %+v", rep)
	}
	if a := accounts(1); a.Active {
		t.Errorf("the account is still active: %+v", a)
	}
	why("released", true, "not assigned to the application")

	// The cycle has nothing to do about anybody else.
	if rep := w.run("app.yaml", exitFine); rep.Counts.Created+rep.Counts.Updated+rep.Counts.Disabled+rep.Counts.Enabled+rep.Counts.Deleted != 0 {
		t.Errorf("the cycle that follows: %+v", rep.Counts)
	}
	accounts(1)
}
