package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// fromTemplate is the origin of an end that is counted from the first use of a credential, by the template's lifetimeDays.
const fromTemplate = "template"

// facts returns what is known of the connection of one end of a job, without a call; false for an end that is none over
// HTTP, or whose secrets cannot be read.
func (s *state) facts(c *cli, j store.Job, f *appfile.File, end job.End) (web.Facts, bool) {
	describe := connectors()[end.Connector].Web
	if describe == nil {
		return web.Facts{}, false
	}
	cfg, err := describe(end.Settings)
	if err != nil {
		return web.Facts{}, false
	}
	facts, err := web.Inspect(cfg, connector.Env{Now: c.Now, Dir: f.Job.Dir, Job: j.ID, Name: j.Name})
	return facts, err == nil
}

// held is what is known of the credential of a job.
type held struct {
	view.Credential
	verdict health.Credential
	seen    store.Credential // as it is to be stored
	known   store.Credential // as it is stored, zero for not yet
	cure    string
}

// credential tells how long the credential of a job's target holds, as far as anybody has said (nil for a target without
// one). It stores nothing.
func (s *state) credential(ctx context.Context, c *cli, j store.Job, f *appfile.File) (*held, error) {
	facts, ok := s.facts(c, j, f, f.Job.Target)
	if !ok || facts.Fingerprint == "" && facts.Expires.IsZero() {
		return nil, nil
	}
	now := c.Now().UTC()
	known, err := s.Store.Credential(ctx, j.ID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	h := &held{known: known, seen: known}
	if known.Fingerprint != facts.Fingerprint || known.Since.IsZero() {
		h.seen = store.Credential{Fingerprint: facts.Fingerprint, Since: now.Truncate(time.Microsecond)}
	}
	expires, from := facts.Expires, string(facts.From)
	if days := lifetimeDays(f); expires.IsZero() && days > 0 {
		expires, from = h.seen.Since.AddDate(0, 0, days), fromTemplate
	}
	h.verdict = health.JudgeCredential(expires, now)
	h.Credential = view.NewCredential(h.verdict, expires, from, h.seen.Since)
	h.cure = cure(f, facts, from)
	h.Text = credentialText(h.Credential, h.cure)
	return h, nil
}

func lifetimeDays(f *appfile.File) int {
	if f.Template == nil {
		return 0
	}
	return f.Template.Auth.LifetimeDays
}

// cure says how a credential is renewed.
func cure(f *appfile.File, facts web.Facts, from string) string {
	what := "make a new one in the application"
	if from == string(web.FromCertificate) {
		what = "have a new certificate issued for clientCertificate and clientKey"
	} else if f.Template != nil && f.Template.Auth.Label != "" {
		what = "make a new one (" + f.Template.Auth.Label + ") in the application"
	}
	if facts.Kept != "" && from != string(web.FromCertificate) {
		what += " and put it where it is kept, " + facts.Kept
	}
	if from == string(web.FromSetting) {
		what += "; then set credentialExpires to its last day"
	}
	return what
}

// credentialText says in a sentence how long a credential holds; "" where there is nothing to do.
func credentialText(cr view.Credential, cure string) string {
	if cr.Expires == nil {
		return ""
	}
	day := cr.Expires.Format(time.DateOnly)
	switch cr.State {
	case health.CredentialExpired:
		return fmt.Sprintf("the credential expired on %s: %s", day, cure)
	case health.CredentialExpiring:
		return fmt.Sprintf("the credential expires on %s, in %s: %s", day, view.Plural(int64(*cr.DaysLeft), "day"), cure)
	case health.CredentialUnknown, health.CredentialValid:
	}
	return ""
}

// noteCredential stores since when a job's credential is in use, and returns the warning that its end calls for, "" for
// none: once at each stage, and always from the last day on.
func (s *state) noteCredential(ctx context.Context, c *cli, j store.Job, f *appfile.File) (string, error) {
	h, err := s.credential(ctx, c, j, f)
	if err != nil || h == nil {
		return "", err
	}
	warning := ""
	if h.verdict.WarnAgain(h.seen.Warned) {
		warning = strings.ToUpper(h.Text[:1]) + h.Text[1:] + "."
		h.seen.Warned = h.verdict.Stage
	}
	if h.seen == h.known {
		return warning, nil
	}
	return warning, s.Store.SetCredential(ctx, j.ID, h.seen)
}
