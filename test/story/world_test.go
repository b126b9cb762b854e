package story

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// counts are the numbers of objects that a cycle reports (design 6.1).
type counts struct {
	Imported  int `json:"imported"`
	InScope   int `json:"inScope"`
	Created   int `json:"created"`
	Updated   int `json:"updated"`
	Enabled   int `json:"enabled"`
	Disabled  int `json:"disabled"`
	Deleted   int `json:"deleted"`
	Staged    int `json:"staged"`
	Unchanged int `json:"unchanged"`
	Skipped   int `json:"skipped"`
	Failed    int `json:"failed"`
}

// outcomes is the number of objects that the cycle says something about, each once.
func (c counts) outcomes() int {
	return c.Created + c.Updated + c.Enabled + c.Disabled + c.Deleted + c.Staged + c.Unchanged + c.Skipped + c.Failed
}

// requests are the calls to the target that a cycle made.
type requests struct {
	Total     int            `json:"total"`
	ByMethod  map[string]int `json:"byMethod"`
	Throttled int            `json:"throttled"`
}

// writes is the number of calls that are no reads.
func (r requests) writes() int { return r.Total - r.ByMethod["GET"] }

// runReport is the document of `rollcall run -o json`.
type runReport struct {
	Job   string `json:"job"`
	Cycle struct {
		ID    string    `json:"id"`
		Type  string    `json:"type"`
		State string    `json:"state"`
		Began time.Time `json:"began"`
		Ended time.Time `json:"ended"`
	} `json:"cycle"`
	Counts     counts      `json:"counts"`
	Requests   requests    `json:"requests"`
	Quarantine *quarantine `json:"quarantine"`
}

type quarantine struct {
	Reason string `json:"reason"`
}

// planReport is the document of `rollcall plan -o json`.
type planReport struct {
	Changes []struct {
		Action string `json:"action"`
		Rule   string `json:"rule"`
		Source struct {
			ID          string `json:"id"`
			DisplayName string `json:"displayName"`
		} `json:"source"`
		Target struct {
			ID string `json:"id"`
		} `json:"target"`
		Reason     string `json:"reason"`
		Properties []struct {
			Name string `json:"name"`
			Old  any    `json:"old"`
			New  any    `json:"new"`
		} `json:"properties"`
	} `json:"changes"`
	Counts   counts `json:"counts"`
	Requests struct {
		Total    int            `json:"total"`
		ByMethod map[string]int `json:"byMethod"`
		Minutes  float64        `json:"minutes"`
		Guide    int            `json:"guide"` // users + 2 × groups, where there is a rate
		Forecast *struct {
			Minutes float64 `json:"minutes"`
			Rate    string  `json:"rate"`
			Used    int     `json:"used"`
			Others  []any   `json:"others"`
		} `json:"forecast"` // where there is a rate
	} `json:"requests"`
}

// held is one row of `rollcall deletes list -o json`.
type held struct {
	Key         string    `json:"key"`
	Rule        string    `json:"rule"`
	DisplayName string    `json:"displayName"`
	Target      string    `json:"target"`
	Action      string    `json:"action"`
	Reason      string    `json:"reason"`
	StagedAt    time.Time `json:"stagedAt"`
	CycleID     string    `json:"cycleId"`
	Allowed     bool      `json:"allowed"`
}

// long skips a test of many seconds where only short ones are wanted.
func long(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes many seconds: left out by -short")
	}
}

// world is what one test has: a folder with an app file, its source files and the state.
type world struct {
	t   *testing.T
	dir string
	env []string
	db  string // URL of a PostgreSQL database, "" for the file in the data directory
}

// newWorld makes a folder. Its jobs find the target's token in TARGET_TOKEN.
func newWorld(t *testing.T, token string) *world {
	return &world{t: t, dir: t.TempDir(), env: []string{"TARGET_TOKEN=" + token}}
}

// write puts a file into the folder.
func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// remove takes a file out of the folder.
func (w *world) remove(name string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.dir, name)); err != nil {
		w.t.Fatal(err)
	}
}

// args adds to a command line where the state is.
func (w *world) args(args []string) []string {
	if w.db != "" {
		return append(args, "--db", w.db)
	}
	return append(args, "--data", "data")
}

// start starts a command.
func (w *world) start(args ...string) *process {
	w.t.Helper()
	return start(w.t, w.dir, w.env, w.args(args)...)
}

// rollcall runs a command to its end.
func (w *world) rollcall(args ...string) outcome {
	w.t.Helper()
	return w.start(args...).wait()
}

// run runs one cycle of an app file, which must end with the exit code, and returns its report. The report must hold
// together: each object that the source delivered is counted once (design 6.1).
func (w *world) run(app string, code int, flags ...string) runReport {
	w.t.Helper()
	o := w.rollcall(append([]string{"run", "-f", app, "-o", "json"}, flags...)...)
	wantCode(w.t, o, code)
	rep := decode[runReport](w.t, o)
	total := 0
	for _, n := range rep.Requests.ByMethod {
		total += n
	}
	if total != rep.Requests.Total {
		w.t.Errorf("the calls by method add up to %d, the report says %d", total, rep.Requests.Total)
	}
	if rep.Cycle.Began.IsZero() || rep.Cycle.Ended.Before(rep.Cycle.Began) {
		w.t.Errorf("the cycle began at %v and ended at %v", rep.Cycle.Began, rep.Cycle.Ended)
	}
	return rep
}

// plan plans the next cycle of an app file.
func (w *world) plan(app string, code int) planReport {
	w.t.Helper()
	o := w.rollcall("plan", "-f", app, "-o", "json")
	wantCode(w.t, o, code)
	return decode[planReport](w.t, o)
}

// planned runs a plan and then the cycle, and demands that the plan has predicted it: every count, and every call by
// method (design D1, D5). A plan leaves no trace in the target.
func (w *world) planned(app string, target system, code int) runReport {
	w.t.Helper()
	before := target.state()
	planCode := exitFine // a plan has no failures of objects, but says what would be held
	if code == exitHeld {
		planCode = exitHeld
	}
	plan := w.plan(app, planCode)
	if diff := gocmp.Diff(before, target.state()); diff != "" {
		w.t.Errorf("the plan changed the target (-before +after):\n%s", diff)
	}
	seen := len(target.exchanges())
	rep := w.run(app, code)
	if diff := gocmp.Diff(plan.Counts, rep.Counts); diff != "" {
		w.t.Errorf("the plan predicted other counts (-plan +run):\n%s", diff)
	}
	if diff := gocmp.Diff(plan.Requests.ByMethod, rep.Requests.ByMethod); diff != "" {
		w.t.Errorf("the plan predicted other calls (-plan +run):\n%s", diff)
	}
	actions := map[string]int{}
	for _, ch := range plan.Changes {
		if ch.Reason == "" {
			w.t.Errorf("the plan gives no reason for %s %s", ch.Action, ch.Source.ID)
		}
		actions[ch.Action]++
	}
	wanted := map[string]int{}
	for action, n := range map[string]int{"create": rep.Counts.Created, "update": rep.Counts.Updated + rep.Counts.Enabled,
		"disable": rep.Counts.Disabled, "delete": rep.Counts.Deleted, "stagedDelete": rep.Counts.Staged} {
		if n > 0 {
			wanted[action] = n
		}
	}
	delete(actions, "none")
	delete(actions, "other")
	if diff := gocmp.Diff(wanted, actions); diff != "" {
		w.t.Errorf("the plan lists other changes than the run made (-run +plan):\n%s", diff)
	}
	if diff := gocmp.Diff(wanted, w.logged(app, rep.Cycle.ID), cmpopts.IgnoreMapEntries(func(action string, _ int) bool { return action == "stagedDelete" })); diff != "" {
		w.t.Errorf("the log has other records of success than the run counts (I6; -run +log):\n%s", diff)
	}
	made := map[string]int{}
	for _, e := range target.exchanges()[seen:] {
		made[e.Method]++
	}
	if diff := gocmp.Diff(made, rep.Requests.ByMethod); diff != "" {
		w.t.Errorf("the report counts other calls than the target got (-target +report):\n%s", diff)
	}
	return rep
}

// logged counts the objects of which the log says that a cycle has written them, by action (engine.R145). References that
// could not go into a create leave a record of their own (engine.R149); the object was created all the same.
func (w *world) logged(app, cycle string) map[string]int {
	w.t.Helper()
	o := w.rollcall("logs", "-f", app, "--cycle", cycle, "-o", "json")
	wantCode(w.t, o, exitFine)
	var records []struct {
		ProvisioningAction     string
		ProvisioningStatusInfo struct{ Status string }
		SourceIdentity         struct{ ID, IdentityType string }
	}
	if err := json.Unmarshal([]byte(o.Out), &records); err != nil {
		w.t.Fatalf("%v\n%v", err, o)
	}
	actions := map[any]string{} // by object
	for _, r := range records {
		if s := r.ProvisioningStatusInfo.Status; (s == "success" || s == "warning") && actions[r.SourceIdentity] != "create" {
			actions[r.SourceIdentity] = r.ProvisioningAction
		}
	}
	out := map[string]int{}
	for _, action := range actions {
		out[action]++
	}
	return out
}

// resource is a SCIM resource as the target holds it.
type resource = map[string]any

// holdings is what a target holds.
type holdings struct {
	Users  []resource `json:"users"`
	Groups []resource `json:"groups"`
}

// exchange is one request that a target got, with its answer.
type exchange struct {
	Method, Path string
	Query        url.Values
	Status       int
	Request      resource // nil when it had no JSON object
}

// system is a target under test.
type system interface {
	state() holdings
	exchanges() []exchange
}

// sandbox is a target that the program itself emulates, in a process of its own.
type sandbox struct {
	t      *testing.T
	url    string // base address, as an app file takes it
	origin string
}

// startSandbox starts an emulated target on a free port.
func startSandbox(t *testing.T, name, token string, flags ...string) *sandbox {
	t.Helper()
	url := startServer(t, t.TempDir(), append([]string{"sandbox", name, "--addr", "127.0.0.1:0", "--token", token}, flags...)...)
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		t.Fatalf("the sandbox printed %q and no address", url)
	}
	host, _, _ := strings.Cut(rest, "/")
	return &sandbox{t: t, url: url, origin: scheme + "://" + host}
}

// call calls a page of the sandbox's own.
func (s *sandbox) call(method, page string, body any) []byte {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.t.Context()), patience)
	defer cancel()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, s.origin+"/_sandbox/"+page, in)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= 300 {
		s.t.Fatalf("%s /_sandbox/%s: %s %v\n%s", method, page, resp.Status, err, answer)
	}
	return answer
}

func (s *sandbox) state() holdings {
	s.t.Helper()
	var h holdings
	if err := json.Unmarshal(s.call(http.MethodGet, "state", nil), &h); err != nil {
		s.t.Fatal(err)
	}
	return h
}

func (s *sandbox) exchanges() []exchange {
	s.t.Helper()
	var out []exchange
	d := json.NewDecoder(bytes.NewReader(s.call(http.MethodGet, "requests", nil)))
	for d.More() {
		var line struct {
			Method, Path, Query string
			Status              int
			Request             json.RawMessage
		}
		if err := d.Decode(&line); err != nil {
			s.t.Fatal(err)
		}
		query, err := url.ParseQuery(line.Query)
		if err != nil {
			s.t.Fatal(err)
		}
		e := exchange{Method: line.Method, Path: line.Path, Query: query, Status: line.Status}
		_ = json.Unmarshal(line.Request, &e.Request) // what is no object stays nil
		out = append(out, e)
	}
	return out
}

// fault makes coming requests go wrong; the fields are those of design 6.1.
func (s *sandbox) fault(fields map[string]any) {
	s.t.Helper()
	s.call(http.MethodPost, "fault", fields)
}

// foreign is a target that is not ours.
type foreign struct{ *testbed.ScimmyServer }

func (f foreign) state() holdings {
	s := f.State()
	return holdings{Users: s.Users, Groups: s.Groups}
}

func (f foreign) exchanges() []exchange {
	var out []exchange
	for _, e := range f.Requests() {
		body, _ := e.Body.(map[string]any)
		query := url.Values{}
		for name, value := range e.Query {
			query.Set(name, fmt.Sprint(value))
		}
		out = append(out, exchange{Method: e.Method, Path: e.Path, Query: query, Status: e.Status, Request: body})
	}
	return out
}

// creates counts, for each name of a user or group, the POST requests that the target took.
func creates(list []exchange) map[string]int {
	out := map[string]int{}
	for _, e := range list {
		if e.Method == http.MethodPost && e.Status == http.StatusCreated && e.Request != nil { // members come as a list
			out[cmp.Or(text(e.Request, "userName"), text(e.Request, "UserName"), text(e.Request, "displayName"), "(no name)")]++
		}
	}
	return out
}

// wantCreatedOnce demands that the target took no create twice.
func wantCreatedOnce(t *testing.T, list []exchange) {
	t.Helper()
	for name, n := range creates(list) {
		if n > 1 {
			t.Errorf("%s was created %d times", name, n)
		}
	}
}

// wantNeverSent demands that a text was in no request.
func wantNeverSent(t *testing.T, list []exchange, words string) {
	t.Helper()
	for _, e := range list {
		body, err := json.Marshal(e.Request)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(body, []byte(words)) {
			t.Errorf("%s %s sends %s: %s", e.Method, e.Path, words, body)
		}
	}
}

// writesIn lists the requests that are no reads.
func writesIn(list []exchange) []string {
	var out []string
	for _, e := range list {
		if e.Method != http.MethodGet {
			out = append(out, fmt.Sprintf("%s %s %d", e.Method, e.Path, e.Status))
		}
	}
	return out
}
