package story

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/testbed"
)

// namesFile is a job that gives new people a userName that nobody has (expressions O-19).
func namesFile(url, list string) string {
	return fmt.Sprintf(`name: Names
template: scim
source: {connector: csv, settings: {path: people.csv, key: id}}
target:
  settings:
    url: %s
    auth: {bearer: {env: TARGET_TOKEN}}
    rate: none
    list: %s
settings: {defaultDomain: example.com}
rules:
  - name: users
    attributes:
      - {target: externalId, expression: "[id]", match: 1}
      - target: userName
        apply: create
        expression: |
          SelectUniqueValue(
            Join("@", ToLower(Join(".", [given], [surname])), DefaultDomain()),
            Join("@", ToLower(Join(".", Left([given], 1), [surname])), DefaultDomain()),
            Join("@", ToLower(Join(".", [given], Join("", [surname], "2"))), DefaultDomain()))
      - {target: active, expression: "Not([IsSoftDeleted])"}
      - {target: displayName, expression: 'Join(" ", [given], [surname])'}
      - {target: name.familyName, expression: "[surname]"}
  - {name: groups, enabled: false}
`, url, list)
}

// namesIn are the userNames in a target by externalId.
func namesIn(target system) map[string]string {
	out := map[string]string{}
	for _, u := range target.state().Users {
		id, _ := u["externalId"].(string)
		out[id], _ = u["userName"].(string)
	}
	return out
}

// byHand makes an account as the target's own administrator would.
func byHand(t *testing.T, url, token, userName string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"schemas": []string{"urn:ietf:params:scim:schemas:core:2.0:User"}, "userName": userName, "externalId": "by hand", "active": true})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/Users", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/scim+json")
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Fatalf("POST %s/Users: %s", url, resp.Status)
	}
}

const namesakes = "id,given,surname\n1,Ann,Lee\n2,Ann,Lee\n3,Bo,Ek\n"

// namesOnly is what namesakes get beside an account by hand with their first candidate.
var namesOnly = map[string]string{"by hand": "Ann.Lee@example.com", "1": "a.lee@example.com", "2": "ann.lee2@example.com", "3": "bo.ek@example.com"}

// playNames gives people of one name accounts beside one made by hand; every plan predicts the run that follows.
func playNames(t *testing.T, w *world, target system, url, token string, lists bool) {
	byHand(t, url, token, namesOnly["by hand"])
	w.write("app.yaml", namesFile(url, fmt.Sprint(lists)))
	w.write("people.csv", namesakes)

	told := map[string]string{"by hand": namesOnly["by hand"]}
	for _, ch := range w.plan("app.yaml", exitFine).Changes {
		for _, p := range ch.Properties {
			if p.Name == "userName" {
				told[ch.Source.ID], _ = p.New.(string)
			}
		}
	}
	rep := w.planned("app.yaml", target, exitFine)
	if want := (counts{Imported: 3, InScope: 3, Created: 3}); rep.Counts != want {
		t.Errorf("counts %+v, want %+v", rep.Counts, want)
	}
	if diff := cmp.Diff(namesOnly, namesIn(target)); diff != "" {
		t.Errorf("userNames (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(namesOnly, told); diff != "" {
		t.Errorf("userNames in the plan (-want +got):\n%s", diff)
	}
	// The three calls of the save, in which the target says what it can do; the probe; then one page, or a query for each
	// joining value and for each candidate, asked once for all: ann.lee, bo.ek, a.lee and ann.lee2.
	reads := 3 + 1 + 1
	if !lists {
		reads = 3 + 1 + 3 + 4
	}
	if got := rep.Requests.ByMethod["GET"]; got != reads {
		t.Errorf("%d reads, want %d", got, reads)
	}

	if rep = w.planned("app.yaml", target, exitFine); rep.Requests.writes() != 0 || rep.Requests.Total > 1 {
		t.Errorf("nothing changed: %v", rep.Requests.ByMethod)
	}

	// Ann 2 marries: the account follows, the value that was chosen stays, and nothing is asked for it.
	w.write("people.csv", strings.Replace(namesakes, "2,Ann,Lee", "2,Ann,Ek", 1))
	if rep = w.planned("app.yaml", target, exitFine); rep.Counts.Updated != 1 || rep.Requests.Total != 2 {
		t.Errorf("a changed name: %+v %v", rep.Counts, rep.Requests.ByMethod)
	}
	if diff := cmp.Diff(namesOnly, namesIn(target)); diff != "" {
		t.Errorf("userNames after a change of name (-want +got):\n%s", diff)
	}

	// A third Ann Lee finds every candidate taken and fails alone.
	w.write("people.csv", namesakes+"4,Ann,Lee\n5,Cy,Oh\n")
	rep = w.planned("app.yaml", target, exitObjects)
	if rep.Counts.Failed != 1 || rep.Counts.Created != 1 || rep.Counts.Updated != 1 || rep.Requests.ByMethod["POST"] != 1 {
		t.Errorf("every candidate taken: %+v %v", rep.Counts, rep.Requests.ByMethod)
	}
	o := w.rollcall("logs", "-f", "app.yaml", "--cycle", rep.Cycle.ID, "--status", "failure", "-o", "json")
	wantCode(t, o, exitFine)
	if !strings.Contains(o.Out, `"errorCode": "notUnique"`) || strings.Count(o.Out, `"errorCode"`) != 1 {
		t.Errorf("the log of failures: %v", o)
	}
}

// TestNamesNobodyHas plays over the sandbox, listed and queried, and over a SCIM server that is not ours.
func TestNamesNobodyHas(t *testing.T) {
	t.Parallel()
	for _, lists := range []bool{true, false} {
		t.Run(fmt.Sprintf("the sandbox, accounts listed %t", lists), func(t *testing.T) {
			t.Parallel()
			target := startSandbox(t, "scim", token)
			playNames(t, newWorld(t, token), target, target.url, token, lists)
		})
	}
	t.Run("a server that is not ours", func(t *testing.T) {
		long(t)
		t.Parallel()
		server := testbed.Scimmy(t)
		playNames(t, newWorld(t, server.Token), foreign{server}, server.BaseURL, server.Token, false)
	})
}

// TestNamesNobodyHasAcrossKills kills the run at each of its requests: the next one gives everybody the value they would
// have had, and nobody two accounts (design D13).
func TestNamesNobodyHasAcrossKills(t *testing.T) {
	long(t)
	t.Parallel()
	for _, when := range []moment{requestLost, answerLost} {
		for nth, struck := 1, true; struck; nth++ {
			target := startSandbox(t, "scim", token)
			byHand(t, target.url, token, namesOnly["by hand"])
			x := newExecutioner(t, target.url)
			w := newWorld(t, token)
			w.write("app.yaml", namesFile(x.url, "false"))
			w.write("people.csv", namesakes)
			p := w.start("run", "-f", "app.yaml", "-o", "json")
			x.sentence(p, when, nth)
			p.wait()
			struck = x.struck.Load()
			x.sentence(nil, 0, 0)
			rep := w.run("app.yaml", exitFine)
			if struck && rep.Counts.Created != 3 {
				t.Errorf("killed "+when.String()+": counts %+v", nth, rep.Counts)
			}
			if diff := cmp.Diff(namesOnly, namesIn(target)); diff != "" {
				t.Errorf("killed "+when.String()+": userNames (-want +got):\n%s", nth, diff)
			}
			wantCreatedOnce(t, target.exchanges())
			if nth > 20 {
				t.Fatal("the run does not end")
			}
		}
	}
}
