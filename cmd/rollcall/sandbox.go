package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rollcall-id/rollcall/internal/sandbox"
)

// sandboxOptions are the flags of `rollcall sandbox`.
type sandboxOptions struct {
	Addr     string
	Token    string
	Rate     string
	Latency  time.Duration
	Strict   bool
	Domain   string
	NoBodies bool
	Quirks   []string
	Fields   []string
	JobRoles []string
}

func newSandboxCommand(c *cli) *cobra.Command {
	var o sandboxOptions
	cmd := &cobra.Command{
		Use:   "sandbox NAME",
		Short: "Run an emulated application to provision to",
		Long: `Run an emulated application to provision to: ` + strings.Join(sandbox.Names(), ", ") + `.

The first line on standard output is its base URL, as a job's target takes it; nothing follows. It starts empty, keeps
everything in memory, and ends on SIGINT or SIGTERM. From the same machine and without a token, the root of its host
answers to GET /_sandbox/requests, GET /_sandbox/state, GET /_sandbox/signin?userName=, POST /_sandbox/fault and
POST /_sandbox/reset. leapsome answers at /api/scim, too, where PATCH is that of RFC 7644.

scim takes --quirks, which add up: ` + strings.Join(sandbox.QuirkNames(), ", ") + `. etag wants
If-Match with every change, put-only has no PATCH, bulk and cursor offer what they say, and the others behave like the
application of that name. docs/sandboxes.md says what each sandbox refuses, and what it assumes.`,
		Example: `  rollcall sandbox scim --addr 127.0.0.1:8410 --token secret
  rollcall sandbox scim --token secret --quirks slack,bulk
  rollcall sandbox litmos-scim --rate none --latency 20ms
  rollcall sandbox litmos-api --token KEY --custom-field 'Cost centre' --custom-field Department:required`,
		GroupID: groupTry,
		Args:    arguments("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runSandbox(cmd.Context(), c, args[0], o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Addr, "addr", "127.0.0.1:0", "`HOST:PORT` to listen on; port 0 picks a free one")
	f.StringVar(&o.Token, "token", "", "`TOKEN` that clients must send in the form the application takes it; none is asked for when left out")
	f.StringVar(&o.Rate, "rate", "", "`RATE` that is taken, as N/min, or none; that of the application when left out")
	f.DurationVar(&o.Latency, "latency", 0, "`TIME` added to every answer, for instance 20ms")
	f.BoolVar(&o.Strict, "strict", false, "refuse what the standard does not allow although well-known clients send it")
	f.StringVar(&o.Domain, "domain", "", "mail `DOMAIN` that addresses must have, or several with commas; any when left out")
	f.StringSliceVar(&o.Quirks, "quirks", nil,
		"`NAMES`, with commas, of ways in which well-known applications depart from the standard, scim only")
	f.StringArrayVar(&o.Fields, "custom-field", nil,
		"`NAME` of an advanced custom field of the site, litmos-api only, mandatory with :required behind it; may be repeated")
	f.StringArrayVar(&o.JobRoles, "job-role", nil, "`NAME` of a job role of the site, litmos-api only; may be repeated")
	f.BoolVar(&o.NoBodies, "no-bodies", false, "leave bodies out of the record of requests, for long load tests")
	return cmd
}

func runSandbox(ctx context.Context, c *cli, name string, o sandboxOptions) error {
	rate, err := sandboxRate(o.Rate)
	if err != nil {
		return err
	}
	if o.Latency < 0 {
		return usagef("--latency: %v is less than nothing", o.Latency)
	}
	s, err := sandbox.New(name, sandbox.Config{Token: o.Token, Rate: rate, Latency: o.Latency, Strict: o.Strict, Domain: o.Domain,
		NoBodies: o.NoBodies, Quirks: o.Quirks, CustomFields: o.Fields, JobRoles: o.JobRoles,
		Now: time.Now, Logger: c.logger()}) // its window of 60 s needs a clock that moves
	if err != nil {
		return &exitError{exitUsage, err}
	}
	url, stop, err := s.Start(ctx, o.Addr)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	defer stop()
	if _, err := fmt.Fprintln(c.Out, url); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

var sandboxRates = regexp.MustCompile(`^([1-9][0-9]{0,8})/min$`)

// sandboxRate reads --rate: N/min, none, or "" for the rate of the emulated application.
func sandboxRate(text string) (int, error) {
	switch text {
	case "":
		return 0, nil
	case "none":
		return sandbox.NoRate, nil
	}
	m := sandboxRates.FindStringSubmatch(text)
	if m == nil {
		return 0, usagef("--rate %s: write it as 100/min, or none", text)
	}
	return strconv.Atoi(m[1])
}
