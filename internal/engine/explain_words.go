package engine

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/plan"
	"github.com/rollcall-id/rollcall/internal/store"
)

// answer puts what was gathered into sentences, the answer to "why" first.
func (x *explaining) answer(ctx context.Context) error {
	first, err := x.firstSentence(ctx)
	if err != nil {
		return err
	}
	x.say("%s", first)
	x.sayHeld()
	x.sayFailure()
	x.sayWaiting()
	return x.sayJob(ctx)
}

func (x *explaining) say(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); text != "" {
		x.out.Answer = append(x.out.Answer, text)
	}
}

// who names the person.
func (x *explaining) who() string {
	id, name := x.out.Source.ID, x.out.Source.DisplayName
	if name == "" || name == id {
		return id
	}
	return name + " (" + id + ")"
}

// on writes a point in time for a sentence.
func on(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

// newest returns the newest record that fits, nil for none.
func (x *explaining) newest(fits func(*Happening) bool) *Happening {
	for i := range x.out.Records {
		if h := &x.out.Records[i]; fits(h) {
			return h
		}
	}
	return nil
}

func wrote(actions ...string) func(*Happening) bool {
	return func(h *Happening) bool {
		if h.Status != statusSuccess && h.Status != statusWarning {
			return false
		}
		for _, a := range actions {
			if h.Action == a {
				return true
			}
		}
		return false
	}
}

// firstSentence says whether there is an account, and why.
func (x *explaining) firstSentence(ctx context.Context) (string, error) {
	account := x.out.Target.ID
	switch {
	case !x.out.HasAccount:
		return x.without(ctx)
	case x.object.State == store.Disabled:
		return fmt.Sprintf("%s has the account %s in %s, and it is disabled%s.", x.who(), account, x.subject.TargetName, x.done("since", wrote("disable"), "disabled in the source")), nil
	case x.object.State == store.Released:
		what := "was disabled"
		if x.newest(wrote("disable")) == nil {
			what = "was left as it is"
		}
		why := x.done("on", func(h *Happening) bool { return h.Action == string(plan.Disable) || h.Action == string(plan.Other) }, "out of scope, or no longer in the source")
		return fmt.Sprintf("%s is not managed in %s any more: the account %s %s%s.", x.who(), x.subject.TargetName, account, what, why), nil
	}
	return fmt.Sprintf("%s has the account %s in %s%s.", x.who(), account, x.subject.TargetName, x.origin()), nil
}

// done tells when, after a word such as "since", and why something was done, as far as the log still knows.
func (x *explaining) done(word string, fits func(*Happening) bool, otherwise string) string {
	h := x.newest(fits)
	if h == nil {
		return ": " + otherwise
	}
	return fmt.Sprintf(" %s %s: %s", word, on(h.At), cmp.Or(h.Reason, otherwise))
}

// origin tells how the account came to be theirs.
func (x *explaining) origin() string {
	if h := x.newest(wrote("create")); h != nil {
		return ", created on " + on(h.At)
	}
	for i := len(x.out.Records) - 1; i >= 0; i-- { // the oldest match
		for _, s := range x.out.Records[i].doc.Steps {
			if by := s.Details["JoiningProperty"]; s.Type == "matching" && s.Name == "EntryImport" && by != "" {
				return fmt.Sprintf(", found by %s on %s", by, on(x.out.Records[i].At))
			}
		}
	}
	return ""
}

// without says why there is no account.
func (x *explaining) without(ctx context.Context) (string, error) {
	if x.out.Failure != nil {
		return fmt.Sprintf("%s has no account in %s, because making one fails.", x.who(), x.subject.TargetName), nil
	}
	var last *Happening
	if len(x.out.Records) > 0 {
		last = &x.out.Records[0]
	}
	switch {
	case last != nil && wrote("delete")(last):
		return fmt.Sprintf("%s has no account in %s any more: the account %s was deleted on %s: %s.", x.who(), x.subject.TargetName, last.Target, on(last.At), last.Reason), nil
	case last != nil && last.Status == statusSuccess && last.Action == string(plan.Other):
		return fmt.Sprintf("%s is not linked to an account in %s: on %s %s (account %s).", x.who(), x.subject.TargetName, on(last.At), last.Reason, last.Target), nil
	case last != nil && last.Status == statusSkipped && x.known && x.object.State == store.Unlinked:
		return fmt.Sprintf("%s has no account in %s: %s (as of %s).", x.who(), x.subject.TargetName, last.Reason, on(last.At)), nil
	}
	if x.subject.Source == nil {
		x.out.Incomplete = true
		return fmt.Sprintf("%s has no account in %s, and the log does not say why; the source could, and was not read.", x.who(), x.subject.TargetName), nil
	}
	now, err := x.evaluateNow(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s has no account in %s: %s. (The log does not say; the source was read for this answer.)", x.who(), x.subject.TargetName, strings.TrimSuffix(now, ".")), nil
}

// sayHeld tells of what the guard holds.
func (x *explaining) sayHeld() {
	h := x.out.Held
	if h == nil {
		return
	}
	what := map[string]string{string(plan.Delete): "The account would be deleted", string(plan.Disable): "The account would be disabled",
		stagedMembers: "Members would be taken from it"}[h.Action]
	x.say("%s, and the deletion guard has held that since %s. The cause: %s.", what, on(h.Since), h.Reason)
	if h.Allowed {
		x.say("It has been allowed, so the next cycle does it.")
		return
	}
	x.say("It is done once it is allowed: rollcall deletes allow '%s' %s", x.subject.Job.Name, h.Key)
}

// sayFailure tells of a failure that is tried again.
func (x *explaining) sayFailure() {
	f := x.out.Failure
	if f == nil {
		return
	}
	tries := "once"
	if f.Attempts > 1 {
		tries = fmt.Sprintf("%d times since %s", f.Attempts, on(f.FirstFailed))
	}
	next := "by the next cycle"
	if f.NextAttempt.After(x.Now()) {
		next = "on " + on(f.NextAttempt) + ", or by `rollcall run`"
	}
	x.say("It failed %s, the last time on %s, with %s: %s.", tries, on(f.LastFailed), f.Code, strings.TrimSuffix(f.Reason, "."))
	x.say("It is tried again %s, and at once when the person changes in the source.", next)
}

// sayWaiting tells of references that have nothing to point to.
func (x *explaining) sayWaiting() {
	const most = 5
	for i, u := range x.out.Unresolved {
		if i == most {
			x.say("%d more references wait likewise.", len(x.out.Unresolved)-most)
			return
		}
		x.say("%s is not complete: %s %s has no account yet; it is written as soon as there is one.", u.Attribute, strings.ToLower(string(u.Type)), u.ID)
	}
}

// sayJob tells what about the job stands in the way.
func (x *explaining) sayJob(ctx context.Context) error {
	j := x.subject.Job
	switch {
	case j.Disabled:
		x.say("The job is disabled, because it was in quarantine for four weeks; nothing changes until it is started.")
	case j.Paused:
		x.say("The job is paused, so nothing changes until it is started.")
	}
	if q := j.Quarantine; q != nil {
		x.say("The job is in quarantine since %s (%s): %s.", on(q.SeriesBegan), q.Reason, strings.TrimSuffix(q.Message, "."))
	}
	cycles, err := x.Store.CyclesOf(ctx, j.ID, 1)
	if err != nil {
		return fmt.Errorf("job %s: read its last cycle: %w", j.Name, err)
	}
	switch {
	case len(cycles) == 0:
		x.say("The job has not run yet.")
	case cycles[0].State == store.Running:
		x.say("A cycle that began on %s has not ended yet.", on(cycles[0].Began))
	}
	return nil
}
