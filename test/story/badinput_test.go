package story

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEveryMistakeOfAnAppFileIsReported gives an app file with eight mistakes: exit code 2, and one message for each with
// file, line and column (design 6.1).
func TestEveryMistakeOfAnAppFileIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, token)
	w.write("app.yaml", `name: Company
template: scim
source:
  connector: csv
  settings:
    path: people.csv
    kee: employee_id
target:
  settings:
    url: http://127.0.0.1:1/scim/v2
    rate: 25 per second
settings:
  scope: everybody
  interval: 3 fortnights
rules:
  - name: users
    actions: [create, update, erase]
    filter:
      - - {attribute: department, operator: SOUNDS LIKE, value: Sales}
    attributes:
      - {target: active, expression: 'Not([IsSoftDeleted])'}
      - {target: userName, expression: 'Lower([email])', match: 1}
      - {target: displayName, expression: 'Join(" ", [given_name]'}
`)
	w.write("people.csv", companyOf(t, "2008-12-31").csv())
	// Line and column of each mistake, and what its message must name.
	want := map[string]string{
		"7:5":   "kee",
		"11:11": "25 per second",
		"13:10": "everybody",
		"14:13": "3 fortnights",
		"17:31": `no action "erase"`,
		"19:45": "SOUNDS LIKE",
		"22:41": "Lower",
		"23:66": "parenthesis",
	}
	for _, command := range [][]string{{"run", "-f", "app.yaml"}, {"plan", "-f", "app.yaml"}, {"validate", "-f", "app.yaml"}} {
		o := w.rollcall(command...)
		wantCode(t, o, exitUsage)
		got := map[string]string{}
		for _, m := range regexp.MustCompile(`(?m)^app\.yaml:(\d+:\d+): error: (.*)$`).FindAllStringSubmatch(o.Err, -1) {
			if _, twice := got[m[1]]; twice {
				t.Errorf("%s: two messages at %s", command[0], m[1])
			}
			got[m[1]] = m[2]
		}
		if diff := cmp.Diff(keysOf(want), keysOf(got)); diff != "" {
			t.Fatalf("%s: positions of the messages (-want +got):\n%s\n%v", command[0], diff, o)
		}
		for at, name := range want {
			if !strings.Contains(got[at], name) {
				t.Errorf("%s: the message at %s does not name %q: %s", command[0], at, name, got[at])
			}
		}
	}
	if o := w.rollcall("status", "-o", "json"); strings.TrimSpace(o.Out) != "[]" {
		t.Errorf("a job was stored all the same\n%v", o)
	}
}

// TestAFileThatCannotBeTrustedIsRefusedWhole gives files that are half written or not what they should be, to a job that
// has run well: exit code 4, a message that says where and what, and nothing is written (design 6.2, csv source).
func TestAFileThatCannotBeTrustedIsRefusedWhole(t *testing.T) {
	t.Parallel()
	good := companyOf(t, "2008-12-31").csv()
	next := companyOf(t, "2009-12-31").csv() // has changes that must not be written
	lines := strings.SplitAfter(strings.TrimSuffix(next, "\n"), "\n")
	last := lines[len(lines)-1]
	tests := []struct {
		name  string
		file  string
		words []string // in the message
	}{
		{"a key occurs twice (engine.R1)", next + lines[7], []string{"AW0007", fmt.Sprintf("lines 8 and %d", len(lines)+1)}},
		{"the key column is missing", strings.Replace(next, "employee_id,", "number,", 1), []string{"people.csv", "employee_id"}},
		{"a mapped column is missing", strings.Replace(next, ",job_title,", ",occupation,", 1), []string{"people.csv", "job_title"}},
		{"a row has no key", strings.Replace(next, "\nAW0100,", "\n,", 1), []string{"line 101", "employee_id"}},
		{"the encoding is broken", strings.Replace(next, "Guy,R,Gilbert", "Guy,R,Gilb\xe9rt", 1), []string{"people.csv", "line 2", "encoding"}},
		{"the last row is half written", strings.Join(lines[:len(lines)-1], "") + last[:len(last)/2], []string{"people.csv", fmt.Sprintf("line %d", len(lines))}},
		{"the file is gone", "", []string{"people.csv"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			target := startSandbox(t, "scim", token)
			w := newWorld(t, token)
			w.write("app.yaml", appFile(settings{url: target.url, deletes: true, layout: everything}))
			w.write("people.csv", good)
			w.run("app.yaml", exitFine)
			before, seen := target.state(), len(target.exchanges())

			w.write("people.csv", tt.file)
			if tt.file == "" {
				w.remove("people.csv")
			}
			wantCode(t, w.rollcall("plan", "-f", "app.yaml", "-o", "json"), exitJob)
			o := w.rollcall("run", "-f", "app.yaml", "-o", "json")
			wantCode(t, o, exitJob)
			for _, word := range tt.words {
				if !strings.Contains(o.Err, word) {
					t.Errorf("the message does not say %q\n%v", word, o)
				}
			}
			if made := writesIn(target.exchanges()[seen:]); made != nil {
				t.Errorf("written to the target: %v", made)
			}
			if diff := cmp.Diff(before, target.state()); diff != "" {
				t.Errorf("the target was changed (-before +after):\n%s", diff)
			}
			// The whole file sets it right.
			w.write("people.csv", next)
			if rep := w.run("app.yaml", exitFine); rep.Counts.Created != 45 || rep.Counts.Updated != 1 || rep.Quarantine != nil {
				t.Errorf("after the file was mended: %+v, quarantine %+v", rep.Counts, rep.Quarantine)
			}
			wantAccounts(t, target, companyOf(t, "2009-12-31").accounts(everything, nil))
		})
	}
}

// TestAnotherRaggedRowFailsAlone gives a file with a broken row in the middle: that person keeps the earlier state and
// counts as failed, everybody else is served (design 6.2, I7).
func TestAnotherRaggedRowFailsAlone(t *testing.T) {
	t.Parallel()
	target := startSandbox(t, "scim", token)
	w := newWorld(t, token)
	w.write("app.yaml", appFile(settings{url: target.url, deletes: true, layout: everything}))
	w.write("people.csv", companyOf(t, "2008-12-31").csv())
	w.run("app.yaml", exitFine)

	next := companyOf(t, "2009-12-31")
	w.write("people.csv", strings.Replace(next.csv(), "\nAW0003,Roberto,,", "\nAW0003,Roberto,", 1))
	rep := w.run("app.yaml", exitObjects)
	if want := (counts{Imported: 262, InScope: rep.Counts.InScope, Created: 45, Updated: 1, Unchanged: 215, Failed: 1}); rep.Counts != want {
		t.Errorf("counts (-want +got):\n%s", cmp.Diff(want, rep.Counts))
	}
	wantAccounts(t, target, next.accounts(everything, nil)) // nothing about AW0003 had changed
	w.write("people.csv", next.csv())
	if rep := w.run("app.yaml", exitFine); rep.Requests.writes() != 0 || rep.Counts.Failed != 0 || rep.Counts.Unchanged != 262 {
		t.Errorf("after the row was mended: %+v %v", rep.Counts, rep.Requests.ByMethod)
	}
}
