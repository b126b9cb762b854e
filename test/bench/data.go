package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// size is how large a company is. Members are spread evenly over the groups.
type size struct{ Users, Groups, Members int }

func (s size) String() string {
	text := thousands(s.Users) + " users"
	if s.Groups > 0 {
		text += ", " + thousands(s.Groups) + " groups, " + thousands(s.Members) + " members"
	}
	return text
}

// perGroup is the number of members of each group.
func (s size) perGroup() int {
	if s.Groups == 0 {
		return 0
	}
	return s.Members / s.Groups
}

// reports is how many people report to one manager.
const reports = 8

// The files of a company, beside its app file.
const (
	peopleFile  = "people.csv"
	groupsFile  = "groups.csv"
	membersFile = "members.csv"
	appFile     = "app.yaml"
)

// tokenVariable holds the target's credential, token, for Rollcall.
const (
	tokenVariable = "BENCH_TOKEN"
	token         = "bench-token"
)

// news is what a later file of a company says differently: people with a new title, the first of the file and then evenly
// spread, and people who have left, evenly spread over those who manage nobody.
type news struct {
	changed, left int
	title         string // of the changed
}

// writeCompany writes the files of a company into a folder, the same for the same size. People stand in the order of
// their keys, which says nothing of who manages whom, as in a real extract.
func writeCompany(dir string, s size) error { return writeLater(dir, s, news{}) }

// writeLater is writeCompany with news.
func writeLater(dir string, s size, n news) error {
	random := rand.New(rand.NewPCG(uint64(s.Users), uint64(s.Groups)))
	key := func(n int) string { return fmt.Sprintf("E%07d", n) }
	rank := random.Perm(s.Users) // place in the tree, by key
	at := make([]int, s.Users)   // key, by place in the tree
	for k, r := range rank {
		at[r] = k
	}
	err := writeLines(filepath.Join(dir, peopleFile), func(line func(...string)) {
		line("employee_id", "given_name", "surname", "job_title", "department", "manager_id", "email", "phone", "status")
		leaves, gone := s.Users-(s.Users-1+reports-1)/reports, 0
		for k := range s.Users {
			manager := ""
			r := rank[k]
			if r > 0 {
				manager = key(at[(r-1)/reports])
			}
			if gone < n.left && r*reports+1 >= s.Users && r%max(1, leaves/n.left) == 0 {
				gone++
				continue
			}
			title := "Title " + strconv.Itoa(k%40)
			if n.changed > 0 && k%(s.Users/n.changed) == 0 && k/(s.Users/n.changed) < n.changed {
				title = n.title
			}
			nth := strconv.Itoa(k)
			line(key(k), "Given"+nth, "Sur"+nth, title, "Dept "+strconv.Itoa(k%25), manager,
				"u"+nth+"@example.com", fmt.Sprintf("555-%07d", k), "active")
		}
	})
	if err != nil || s.Groups == 0 {
		return err
	}
	err = writeLines(filepath.Join(dir, groupsFile), func(line func(...string)) {
		line("id", "name")
		for g := range s.Groups {
			line("G"+strconv.Itoa(g), "Group "+strconv.Itoa(g))
		}
	})
	if err != nil {
		return err
	}
	return writeLines(filepath.Join(dir, membersFile), func(line func(...string)) {
		line("group", "member")
		for g := range s.Groups {
			for _, k := range random.Perm(s.Users)[:s.perGroup()] {
				line("G"+strconv.Itoa(g), key(k))
			}
		}
	})
}

// writeLines writes a file of comma-separated fields, none of which needs quotes.
func writeLines(name string, fill func(line func(fields ...string))) (err error) {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	w := bufio.NewWriter(f) // keeps its first error until Flush
	fill(func(fields ...string) {
		_, _ = w.WriteString(strings.Join(fields, ","))
		_ = w.WriteByte('\n')
	})
	return w.Flush()
}

const appHead = `name: Bench
source:
  connector: csv
  settings:
    files:
      - {objectType: User, path: people.csv, key: employee_id, references: {manager_id: User}, active: {attribute: status, inactive: [left]}}
`

const appGroupSource = `      - {objectType: Group, path: groups.csv, key: id, members: {path: members.csv, group: group, member: member}}
`

const appSettings = `settings:
  deletionGuard: {threshold: 1000000, percent: 100}
`

const appUsers = `target:
  connector: scim
  settings:
    url: %s
    auth: {bearer: {env: ` + tokenVariable + `}}
    rate: %s
rules:
  - name: users
    from: User
    to: User
    actions: [create, update, delete]
    attributes:
      - {target: userName, expression: '[email]', match: 1}
      - {target: active, expression: 'Not([IsSoftDeleted])'}
      - {target: displayName, expression: 'Join(" ", [given_name], [surname])'}
      - {target: name.givenName, expression: '[given_name]'}
      - {target: name.familyName, expression: '[surname]'}
      - {target: title, expression: '[job_title]'}
      - {target: 'emails[type eq "work"].value', expression: '[email]'}
      - {target: 'phoneNumbers[type eq "work"].value', expression: '[phone]'}
      - {target: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber', expression: '[employee_id]'}
      - {target: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department', expression: '[department]'}
      - {target: 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager', reference: '[manager_id]'}
`

const appGroups = `  - name: groups
    from: Group
    to: Group
    attributes:
      - {target: displayName, expression: '[name]', match: 1}
      - {target: members, reference: '[members]'}
`

// writeApp writes the app file that provisions a company to the target at url.
func writeApp(dir string, s size, url string) error { return writeAppAt(dir, s, url, "none") }

// writeAppAt is writeApp with a rate for the target.
func writeAppAt(dir string, s size, url, rate string) error {
	text := appHead
	if s.Groups > 0 {
		text += appGroupSource
	}
	text += appSettings + fmt.Sprintf(appUsers, url, rate)
	if s.Groups > 0 {
		text += appGroups
	}
	return os.WriteFile(filepath.Join(dir, appFile), []byte(text), 0o600)
}
