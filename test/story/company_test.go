package story

import (
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The sample company, a file per date (testdata/adventureworks/README.md).
var dates = []string{"2008-12-31", "2009-12-31", "2010-12-31", "2012-12-31", "2013-12-31", "2014-01-31"}

// person is one row of a company's file, by column.
type person map[string]string

// company is a file of people: its columns, and its rows in order.
type company struct {
	columns []string
	people  []person
}

// companyOf reads the file of a date.
func companyOf(t *testing.T, date string) company {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "adventureworks", "hr-"+date+".csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // reading only
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	c := company{columns: rows[0]}
	for _, row := range rows[1:] {
		p := person{}
		for i, name := range c.columns {
			p[name] = row[i]
		}
		c.people = append(c.people, p)
	}
	return c
}

// csv writes the company as a file.
func (c company) csv() string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	rows := [][]string{c.columns}
	for _, p := range c.people {
		row := make([]string, len(c.columns))
		for i, name := range c.columns {
			row[i] = p[name]
		}
		rows = append(rows, row)
	}
	_ = w.WriteAll(rows) // into memory
	return b.String()
}

// without returns the company without n people who manage nobody, so that nobody else's record changes.
func (c company) without(n int) company {
	manages := map[string]bool{}
	for _, p := range c.people {
		manages[p["manager_id"]] = true
	}
	out := company{columns: c.columns}
	for _, p := range c.people {
		if n > 0 && !manages[p["employee_id"]] {
			n--
			continue
		}
		out.people = append(out.people, p)
	}
	return out
}

// first returns the first n people, whoever they manage.
func (c company) first(n int) company {
	return company{columns: c.columns, people: slices.Clone(c.people[:n])}
}

// account is what a person's account must show; Manager is the manager's employee id, "" for none.
type account struct {
	UserName, DisplayName, GivenName, FamilyName string
	Title, Email, Phone, Number, Department      string
	Active                                       bool
	Manager                                      string
}

// namesToNormalise are the joiners of 2014 whose names the mapping must turn into addresses.
var namesToNormalise = map[string]string{
	"AW0291": "zoe.angstrom@adventure-works.com",
	"AW0292": "jose.garciaynunez@adventure-works.com",
}

// layout says which attributes the accounts of a target have.
type layout struct {
	department  bool
	displayName bool
}

// everything is a target with all the attributes of account.
var everything = layout{department: true, displayName: true}

// accounts computes, from the file alone and not by the program, what accounts a target must have: those of people in
// the file, managers only if they are in it too. Accounts of people in before who have left are as they were, but not
// active; nil where leavers are deleted.
func (c company) accounts(l layout, before map[string]account) map[string]account {
	out := map[string]account{}
	for number, a := range before {
		a.Active = false
		out[number] = a
	}
	listed := map[string]bool{}
	for _, p := range c.people {
		listed[p["employee_id"]] = true
	}
	for _, p := range c.people {
		number := p["employee_id"]
		a := account{UserName: p["email"], GivenName: p["given_name"], FamilyName: p["surname"], Title: p["job_title"],
			Email: p["email"], Phone: p["phone"], Number: number, Active: p["status"] == "active"}
		if a.UserName == "" {
			a.UserName = namesToNormalise[number]
		}
		if l.department {
			a.Department = p["department"]
		}
		if l.displayName {
			a.DisplayName = p["given_name"] + " " + p["surname"]
		}
		if listed[p["manager_id"]] {
			a.Manager = p["manager_id"]
		}
		out[number] = a
	}
	return out
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// accountsIn reads the accounts that a target holds, by employee number. Two with one number or one name fail the test.
func accountsIn(t *testing.T, h holdings) map[string]account {
	t.Helper()
	numbers := map[string]string{} // by id
	for _, u := range h.Users {
		numbers[text(u, "id")] = text(u, enterprise, "employeeNumber")
	}
	out, names := map[string]account{}, map[string]bool{}
	for _, u := range h.Users {
		a := account{UserName: text(u, "userName"), DisplayName: text(u, "displayName"), GivenName: text(u, "name", "givenName"),
			FamilyName: text(u, "name", "familyName"), Title: text(u, "title"), Email: work(u, "emails"), Phone: work(u, "phoneNumbers"),
			Number: text(u, enterprise, "employeeNumber"), Department: text(u, enterprise, "department")}
		a.Active, _ = u["active"].(bool)
		if id := text(u, enterprise, "manager", "value"); id != "" {
			known := false
			if a.Manager, known = numbers[id]; !known {
				t.Errorf("%s has a manager %s who does not exist", a.UserName, id)
			}
		}
		if _, twice := out[a.Number]; twice || names[strings.ToLower(a.UserName)] {
			t.Errorf("%s (%s) has two accounts", a.UserName, a.Number)
		}
		out[a.Number], names[strings.ToLower(a.UserName)] = a, true
	}
	return out
}

// text follows keys into a resource to a text, "" when there is none.
func text(r any, keys ...string) string {
	for _, k := range keys {
		m, _ := r.(map[string]any)
		r = m[k]
	}
	s, _ := r.(string)
	return s
}

// work is the value of type work in a list of addresses.
func work(r resource, key string) string {
	list, _ := r[key].([]any)
	for _, e := range list {
		if text(e, "type") == "work" {
			return text(e, "value")
		}
	}
	return ""
}

// ids returns the ids of the accounts, by employee number.
func ids(h holdings) map[string]string {
	out := map[string]string{}
	for _, u := range h.Users {
		out[text(u, enterprise, "employeeNumber")] = text(u, "id")
	}
	return out
}

// wantAccounts demands that a target holds exactly these accounts.
func wantAccounts(t *testing.T, target system, want map[string]account) {
	t.Helper()
	if diff := cmp.Diff(want, accountsIn(t, target.state())); diff != "" {
		t.Errorf("accounts (-want +got), %d wanted:\n%s", len(want), diff)
	}
}

// settings are what a test changes in the app file of the company.
type settings struct {
	template string // default scim
	url      string
	rate     string // default none
	deletes  bool   // delete is among the rule's actions
	layout   layout
	timeout  string // of a call; default 30s
	more     string // further lines under settings, each indented by two blanks
}

// appFile writes the app file for people.csv.
func appFile(s settings) string {
	if s.template == "" {
		s.template = "scim"
	}
	if s.rate == "" {
		s.rate = "none"
	}
	if s.timeout == "" {
		s.timeout = "30s"
	}
	actions := "create, update"
	if s.deletes {
		actions += ", delete"
	}
	attributes := []string{
		`{target: userName, expression: 'Coalesce([email], Join("@", ToLower(NormalizeDiacritics(StripSpaces(Join(".", [given_name], [surname])))), "adventure-works.com"))', match: 1}`,
		`{target: active, expression: 'Not([IsSoftDeleted])'}`,
		`{target: name.givenName, expression: '[given_name]'}`,
		`{target: name.familyName, expression: '[surname]'}`,
		`{target: title, expression: '[job_title]'}`,
		`{target: 'emails[type eq "work"].value', expression: '[email]'}`,
		`{target: 'phoneNumbers[type eq "work"].value', expression: '[phone]'}`,
		`{target: '` + enterprise + `:employeeNumber', expression: '[employee_id]'}`,
		`{target: '` + enterprise + `:manager', reference: '[manager_id]'}`,
	}
	if s.layout.displayName {
		attributes = append(attributes, `{target: displayName, expression: 'Join(" ", [given_name], [surname])'}`)
	}
	if s.layout.department {
		attributes = append(attributes, `{target: '`+enterprise+`:department', expression: '[department]'}`)
	}
	return fmt.Sprintf(`name: Company
template: %s
source:
  connector: csv
  settings:
    path: people.csv
    key: employee_id
    references: {manager_id: User}
    active: {attribute: status, inactive: [terminated, leave]}
target:
  settings:
    url: %s
    auth: {bearer: {env: TARGET_TOKEN}}
    rate: %s
    timeout: %s
settings:
  scope: all
%s
rules:
  - name: users
    actions: [%s]
    attributes:
      - %s
`, s.template, s.url, s.rate, s.timeout, s.more, actions, strings.Join(attributes, "\n      - "))
}

// keysOf returns the sorted keys of a map.
func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
