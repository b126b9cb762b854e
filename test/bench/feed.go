package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// mostFeed is the aim of P6: time of an incremental cycle among many people to the same among few.
const mostFeed = 2.0

// The jobs of the change feed's measure, beside the people's file.
const (
	hrApp   = "hr.yaml"
	feedApp = "feed.yaml"
)

const hrJob = `name: HR
source:
  connector: csv
  settings:
    files:
      - {objectType: User, path: people.csv, key: employee_id, references: {manager_id: User}, active: {attribute: status, inactive: [left]}}
target: {connector: directory}
settings: {scope: all}
rules:
  - name: people
    from: User
    to: User
    attributes:
      - {target: employeeId, expression: '[employee_id]', match: 1}
      - {target: userPrincipalName, expression: '[email]'}
      - {target: accountEnabled, expression: 'Not([IsSoftDeleted])'}
      - {target: displayName, expression: 'Join(" ", [given_name], [surname])'}
      - {target: givenName, expression: '[given_name]'}
      - {target: surname, expression: '[surname]'}
      - {target: jobTitle, expression: '[job_title]'}
      - {target: department, expression: '[department]'}
      - {target: mail, expression: '[email]'}
      - {target: manager, reference: '[manager_id]'}
`

const feedJob = `name: Feed
template: scim
source: {connector: directory}
target:
  settings:
    url: %s
    auth: {bearer: {env: ` + tokenVariable + `}}
    rate: none
settings: {scope: all}
`

// feed times an incremental cycle of a hundred changes with the built-in directory as source, among few people and among
// many (P6).
func (b *bench) feed(ctx context.Context, p programme) error {
	const changes = 100
	sizes := p.feed
	var took []usage
	for _, users := range sizes {
		u, err := b.feedOf(ctx, size{Users: users}, changes)
		if err != nil {
			return fmt.Errorf("change feed among %s users: %w", thousands(users), err)
		}
		took = append(took, u)
	}
	for i := 1; i < len(sizes); i++ {
		r := row{measure: "P6 time, 100 changes", of: thousands(sizes[i]) + " users in the directory", rollcall: fmt.Sprintf("%.3f s", took[i].Wall.Seconds()),
			bare: fmt.Sprintf("%.3f s, %s users", took[0].Wall.Seconds(), thousands(sizes[0])), ratio: took[i].Wall.Seconds() / took[0].Wall.Seconds(), aim: fmt.Sprintf("≤ %.2f", mostFeed)}
		r.met = r.ratio <= mostFeed
		b.table.add(r)
		b.table.add(row{measure: "   CPU and memory", of: r.of, rollcall: fmt.Sprintf("%.3f s, %s", took[i].CPU.Seconds(), mebi(took[i].Peak)),
			bare: fmt.Sprintf("%.3f s, %s", took[0].CPU.Seconds(), mebi(took[0].Peak)), ratio: took[i].CPU.Seconds() / took[0].CPU.Seconds()})
	}
	return nil
}

// feedOf fills the directory and the target, then returns the least that a cycle of so many changes took.
func (b *bench) feedOf(ctx context.Context, s size, changes int) (least usage, err error) {
	t, err := b.openTarget(ctx, 0, false)
	if err != nil {
		return least, err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	dir, err := b.folder()
	if err != nil {
		return least, err
	}
	if err := errors.Join(writeCompany(dir, s), os.WriteFile(filepath.Join(dir, hrApp), []byte(hrJob), 0o600),
		os.WriteFile(filepath.Join(dir, feedApp), fmt.Appendf(nil, feedJob, t.URL), 0o600)); err != nil {
		return least, err
	}
	for _, app := range []string{hrApp, feedApp} {
		b.notef("%s: first cycle of %s", s, app)
		r, _, err := b.cycleOf(ctx, dir, app)
		if err != nil {
			return least, err
		}
		if r.Counts.Created != s.Users {
			return least, fmt.Errorf("first cycle of %s: %+v", app, r.Counts)
		}
	}
	for round := range b.rounds {
		b.notef("%s: round %d of %d", s, round+1, b.rounds)
		if err := writeLater(dir, s, news{changed: changes, title: fmt.Sprintf("Foreman %d", round)}); err != nil {
			return least, err
		}
		if r, _, err := b.cycleOf(ctx, dir, hrApp); err != nil || r.Counts.Updated != changes {
			return least, errors.Join(fmt.Errorf("changes to the directory: %+v", r.Counts), err)
		}
		r, u, err := b.cycleOf(ctx, dir, feedApp)
		if err != nil {
			return least, err
		}
		if r.Cycle.Type != "incremental" || r.Counts.Updated != changes || r.Requests.ByMethod["PATCH"] != changes {
			return least, fmt.Errorf("the cycle of %d changes is %s with %+v and the calls %v", changes, r.Cycle.Type, r.Counts, r.Requests.ByMethod)
		}
		if round == 0 || u.Wall < least.Wall {
			least = u
		}
	}
	return least, os.RemoveAll(dir)
}

// leastAllowance is the aim of P7: the part of the target's limit that is used while there is work.
const leastAllowance = 0.98

// allowance loads people into a target that takes 100 calls in a rolling minute, in real time (P7). With a limit of n
// calls in a window, the fastest that anybody may be is to send n at once and n again whenever the window is over.
func (b *bench) allowance(ctx context.Context, p programme) (err error) {
	const limit = 100
	users := p.allowance
	if users == 0 {
		return nil
	}
	b.notef("%d people to a target that takes %d calls a minute", users, limit)
	t, err := b.openTarget(ctx, 0, true, "--rate", fmt.Sprintf("%d/min", limit))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	dir, err := b.folder()
	if err != nil {
		return err
	}
	s := size{Users: users}
	if err := errors.Join(writeCompany(dir, s), writeAppAt(dir, s, t.URL, fmt.Sprintf("%d/min", limit))); err != nil {
		return err
	}
	r, u, err := b.cycle(ctx, dir)
	if err != nil {
		return err
	}
	if r.Counts.Created != users {
		return fmt.Errorf("the cycle is %s with %+v", r.Cycle.State, r.Counts)
	}
	best := time.Duration((r.Requests.Total-1)/limit) * time.Minute
	used := best.Seconds() / u.Wall.Seconds()
	b.table.add(row{measure: "P7 allowance used", of: fmt.Sprintf("%d users at %d calls a minute", users, limit),
		rollcall: fmt.Sprintf("%.1f s, %d calls, %d refused", u.Wall.Seconds(), r.Requests.Total, r.Requests.Throttled), bare: fmt.Sprintf("%.1f s", best.Seconds()),
		ratio: used, aim: fmt.Sprintf("≥ %.2f", leastAllowance), met: used >= leastAllowance && r.Requests.Throttled == 0})
	return os.RemoveAll(dir)
}
