package story

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
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
	Level                                        string // access level, where the application has one
}

// namesToNormalise are the joiners of 2014 whose names the mapping must turn into addresses.
var namesToNormalise = map[string]string{
	"AW0291": "zoe.angstrom@adventure-works.com",
	"AW0292": "jose.garciaynunez@adventure-works.com",
}

// layout says which attributes the accounts of a target have, beside names, user name, mail address and active.
type layout struct {
	displayName, title, phone, department, manager bool
	level                                          bool
	mailOfAll                                      bool // whoever has no mail address has the user name as one
}

// everything is a target with all the attributes of account that SCIM has.
var everything = layout{displayName: true, title: true, phone: true, department: true, manager: true}

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
		a := account{UserName: p["email"], GivenName: p["given_name"], FamilyName: p["surname"], Email: p["email"],
			Number: number, Active: p["status"] == "active"}
		if a.UserName == "" {
			a.UserName = namesToNormalise[number]
		}
		if l.mailOfAll {
			a.Email = a.UserName
		}
		for _, has := range []struct {
			has  bool
			at   *string
			text string
		}{
			{l.displayName, &a.DisplayName, p["given_name"] + " " + p["surname"]},
			{l.title, &a.Title, p["job_title"]},
			{l.phone, &a.Phone, p["phone"]},
			{l.department, &a.Department, p["department"]},
			{l.manager && listed[p["manager_id"]], &a.Manager, p["manager_id"]},
			{l.level, &a.Level, level(p)},
		} {
			if has.has {
				*has.at = has.text
			}
		}
		out[number] = a
	}
	return out
}

const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"

// level is the access level that the app files of these tests ask for.
func level(p person) string {
	if p["job_title"] == "Chief Executive Officer" {
		return "Administrator"
	}
	return "Learner"
}

// shown is an account as an application shows it, with its own id and that of the manager's account.
type shown struct {
	account
	ID, ManagerID string
}

// accountsIn reads the accounts that a SCIM target holds, by employee number.
func accountsIn(t *testing.T, h holdings) map[string]account {
	t.Helper()
	return accountsBy(t, h, scimAccount)
}

// accountsBy reads the accounts that a target holds, by employee number. Two with one number or one name fail the test.
func accountsBy(t *testing.T, h holdings, read func(resource) shown) map[string]account {
	t.Helper()
	numbers := map[string]string{} // by id
	for _, u := range h.Users {
		a := read(u)
		numbers[a.ID] = a.Number
	}
	out, names := map[string]account{}, map[string]bool{}
	for _, u := range h.Users {
		a := read(u)
		if a.ManagerID != "" {
			known := false
			if a.Manager, known = numbers[a.ManagerID]; !known {
				t.Errorf("%s has a manager %s who does not exist", a.UserName, a.ManagerID)
			}
		}
		if _, twice := out[a.Number]; twice || names[strings.ToLower(a.UserName)] {
			t.Errorf("%s (%s) has two accounts", a.UserName, a.Number)
		}
		out[a.Number], names[strings.ToLower(a.UserName)] = a.account, true
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

// ids returns the ids of the accounts of a SCIM target, by employee number.
func ids(h holdings) map[string]string { return idsBy(h, scimAccount) }

func idsBy(h holdings, read func(resource) shown) map[string]string {
	out := map[string]string{}
	for _, u := range h.Users {
		a := read(u)
		out[a.Number] = a.ID
	}
	return out
}

// wantAccounts demands that a SCIM target holds exactly these accounts.
func wantAccounts(t *testing.T, target system, want map[string]account) {
	t.Helper()
	wantAccountsBy(t, target, scimAccount, want)
}

func wantAccountsBy(t *testing.T, target system, read func(resource) shown, want map[string]account) {
	t.Helper()
	if diff := gocmp.Diff(want, accountsBy(t, target.state(), read)); diff != "" {
		t.Errorf("accounts (-want +got), %d wanted:\n%s", len(want), diff)
	}
}

// settings are what a test changes in the app file of the company.
type settings struct {
	template   string // default scim
	url        string
	auth       string   // default a bearer token
	rate       string   // default none
	deletes    bool     // delete is among the rule's actions
	layout     layout   // which attributes scimAttributes maps
	attributes []string // instead of those
	timeout    string   // of a call; default 30s
	target     string   // further settings of the target, each on a line indented by four blanks
	more       string   // further lines under settings, each indented by two blanks
}

// addressOf is the mail address, or one made of the name for those who have none.
const addressOf = `expression: 'Coalesce([email], Join("@", ToLower(NormalizeDiacritics(StripSpaces(Join(".", [given_name], [surname])))), "adventure-works.com"))'`

// scimAttributes are the mappings to a SCIM target with the attributes of a layout.
func scimAttributes(l layout) []string {
	attributes := []string{
		`{target: userName, ` + addressOf + `, match: 1}`,
		`{target: active, expression: 'Not([IsSoftDeleted])'}`,
		`{target: name.givenName, expression: '[given_name]'}`,
		`{target: name.familyName, expression: '[surname]'}`,
	}
	for _, m := range []struct {
		has  bool
		line string
	}{
		{l.title, `{target: title, expression: '[job_title]'}`},
		{l.phone, `{target: 'phoneNumbers[type eq "work"].value', expression: '[phone]'}`},
		{l.displayName, `{target: displayName, expression: 'Join(" ", [given_name], [surname])'}`},
		{l.department, `{target: '` + enterprise + `:department', expression: '[department]'}`},
		{l.manager, `{target: '` + enterprise + `:manager', reference: '[manager_id]'}`},
	} {
		if m.has {
			attributes = append(attributes, m.line)
		}
	}
	return attributes
}

// workMail and employeeNumber are what a SCIM target has of everybody unless it says otherwise.
const (
	workMail       = `{target: 'emails[type eq "work"].value', expression: '[email]'}`
	employeeNumber = `{target: '` + enterprise + `:employeeNumber', expression: '[employee_id]'}`
)

// appFile writes the app file for people.csv.
func appFile(s settings) string {
	actions := "create, update"
	if s.deletes {
		actions += ", delete"
	}
	if s.attributes == nil {
		s.attributes = append(scimAttributes(s.layout), workMail, employeeNumber)
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
    auth: %s
    rate: %s
    timeout: %s
%s
settings:
  scope: all
%s
rules:
  - name: users
    actions: [%s]
    attributes:
      - %s
`, cmp.Or(s.template, "scim"), s.url, cmp.Or(s.auth, "{bearer: {env: TARGET_TOKEN}}"), cmp.Or(s.rate, "none"), cmp.Or(s.timeout, "30s"),
		s.target, s.more, actions, strings.Join(s.attributes, "\n      - "))
}

// keysOf returns the sorted keys of a map.
func keysOf[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
