package main

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/secret"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/view"
)

// loginOptions are the flags of `rollcall login`.
type loginOptions struct {
	Port      int
	Wait      time.Duration
	NoBrowser bool
}

func newLoginCommand(c *cli) *cobra.Command {
	var file string
	var opt loginOptions
	cmd := &cobra.Command{
		Use:   "login (-f FILE | JOB)",
		Short: "Give a job the consent to call its target (OAuth 2 authorisation code)",
		Long: `Give a job the consent to call its target: for credentials with oauth2 and grant: authorizationCode. The address that is
printed is opened in a browser on this machine; there you sign in and agree, and the browser comes back to rollcall, which
listens on 127.0.0.1 meanwhile. The tokens are kept sealed in the database and renewed from then on.

The key they are sealed with is in the environment variable ROLLCALL_KEY (32 random bytes in base64), or in rollcall.key in
the data directory, which is made when it is needed first.`,
		GroupID: groupJobs,
		Args:    arguments("[JOB]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withJob(cmd.Context(), "login", file, args, func(s *state, j store.Job, f *appfile.File) error {
				return s.login(cmd.Context(), c, j, f, opt)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "file", "f", "", "app `FILE` to apply first")
	cmd.Flags().IntVar(&opt.Port, "port", 0, "listen on this `PORT`, for servers that must know the address; 0 takes a free one")
	cmd.Flags().DurationVar(&opt.Wait, "wait", 5*time.Minute, "give up after this `TIME`")
	cmd.Flags().BoolVar(&opt.NoBrowser, "no-browser", false, "only print the address, open no browser")
	return cmd
}

// login gets somebody's consent and keeps the tokens that come of it.
func (s *state) login(ctx context.Context, c *cli, j store.Job, f *appfile.File, opt loginOptions) (err error) {
	cfg, err := consentConfig(f.Job)
	if err != nil {
		return err
	}
	cfg.UserAgent = "Rollcall/" + c.Version
	kept := s.vault(c)
	if err := kept.Ready(ctx); err != nil { // rather before somebody has agreed than after
		return &exitError{exitUsage, err}
	}
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(opt.Port)))
	if err != nil {
		return usagef("--port: %w; take another, or leave it out", err)
	}
	env := connector.Env{Logger: c.logger(), Now: c.Now, Dir: f.Job.Dir, Job: j.ID, Name: j.Name}
	way, err := web.NewLogin(cfg, env, "http://"+l.Addr().String()+"/callback")
	if err != nil {
		return &exitError{exitUsage, errors.Join(err, l.Close())}
	}
	shown := c.Out
	if c.json() { // one document is all that may stand there
		shown = c.Err
	}
	if _, err := fmt.Fprintln(shown, way.URL()); err != nil {
		return errors.Join(err, l.Close())
	}
	c.notef("Open this address in a browser on this machine, sign in, and agree. Waiting for %s.", view.Duration(opt.Wait))
	if c.Ask && !opt.NoBrowser {
		openBrowser(ctx, way.URL())
	}
	tokens, err := awaitConsent(ctx, l, way, opt.Wait)
	if err != nil {
		return &exitError{exitJob, err}
	}
	if err := kept.Keep(ctx, j.ID, web.SealedTokens, tokens); err != nil {
		return err
	}
	if c.json() {
		return view.JSON(c.Out, map[string]any{"job": j.Name, "loggedIn": true})
	}
	_, err = fmt.Fprintf(c.Out, "%s may call its target now. The tokens are kept sealed and renewed by themselves.\n", j.Name)
	return err
}

// consentConfig returns the connection of the end of a job that wants somebody's consent.
func consentConfig(j job.Job) (web.Config, error) {
	for _, end := range []job.End{j.Target, j.Source} {
		describe := connectors()[end.Connector].Web
		if describe == nil {
			continue
		}
		cfg, err := describe(end.Settings)
		if err != nil {
			return web.Config{}, &exitError{exitUsage, err}
		}
		if o := cfg.Auth.OAuth2; o != nil && o.Grant == web.AuthorizationCode {
			return cfg, nil
		}
	}
	return web.Config{}, usagef("job %s wants nobody's consent: `rollcall login` is for a credential of the form auth: {oauth2: {grant: authorizationCode, …}}", j.Name)
}

// missingConsent tells whether a job wants somebody's consent that nobody has given yet.
func (s *state) missingConsent(ctx context.Context, j store.Job, def job.Job) bool {
	if _, err := consentConfig(def); err != nil {
		return false
	}
	_, err := s.Store.Sealed(ctx, j.ID, web.SealedTokens)
	return errors.Is(err, store.ErrNotFound)
}

// awaitConsent listens until the browser of somebody who agreed, or did not, comes back.
func awaitConsent(ctx context.Context, l net.Listener, way *web.Login, wait time.Duration) (tokens secret.Value, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, wait, fmt.Errorf("nobody has agreed within %s", view.Duration(wait)))
	defer cancel()
	type outcome struct {
		tokens secret.Value
		err    error
	}
	came := make(chan outcome, 1)
	var once sync.Mutex // one answer at a time, and only the first that belongs to this login counts
	done := false
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		once.Lock()
		defer once.Unlock()
		if done {
			page(w, http.StatusConflict, "This login has ended.")
			return
		}
		tokens, err := way.Finish(ctx, r.URL.Query())
		if errors.Is(err, web.ErrStranger) {
			page(w, http.StatusBadRequest, "This answer belongs to no login that is under way. Open the address that rollcall printed.")
			return
		}
		done = true
		if err != nil {
			page(w, http.StatusBadGateway, "That did not work: "+err.Error())
		} else {
			page(w, http.StatusOK, "Done. Rollcall may call the application now. You can close this window.")
		}
		came <- outcome{tokens, err}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, MaxHeaderBytes: 64 << 10}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	var got outcome
	select {
	case got = <-came:
	case <-ctx.Done():
		got.err = context.Cause(ctx)
	case err := <-served:
		return secret.Value{}, err
	}
	// The page is sent before the server goes.
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if err := server.Shutdown(last); err != nil {
		got.err = errors.Join(got.err, server.Close())
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		got.err = errors.Join(got.err, err)
	}
	return got.tokens, got.err
}

// page answers a browser with a sentence.
func page(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer") // the address has the code in it
	w.Header().Set("Content-Security-Policy", "default-src 'none'")
	w.WriteHeader(status)
	// Where the browser has gone, nobody is left to be told.
	_, _ = io.WriteString(w, "<!doctype html><title>Rollcall</title><p>"+html.EscapeString(text)+"</p>\n")
}

// openBrowser tries to show an address; it is printed in any case.
func openBrowser(ctx context.Context, address string) {
	name, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		name = "open"
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), name, args...)
	if err := cmd.Start(); err == nil {
		go func() { _ = cmd.Wait() }() // how it ends says nothing about the consent
	}
}
