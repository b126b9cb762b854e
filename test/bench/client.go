package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// clientCommand runs the bare client: bench client URL SCRIPT.
const clientCommand = "client"

// connections is how many calls the bare client has under way, as Rollcall has by default (design D2).
const connections = 16

// clientReport is what the bare client prints.
type clientReport struct {
	Calls int           `json:"calls"`
	Took  time.Duration `json:"took"` // nanoseconds, from the first call to the last answer
}

func clientMain(ctx context.Context, out io.Writer, base, name string) error {
	calls, err := readScript(name)
	if err != nil {
		return err
	}
	c, err := newClient(base, calls)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := c.run(ctx); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(clientReport{Calls: len(calls), Took: time.Since(began)})
}

// client sends the calls of a script and does nothing else: no retries, no limits, no time-outs, and of an answer it
// looks at the status and at where the new resource is.
type client struct {
	base   *url.URL
	calls  []call
	header http.Header
	rt     http.RoundTripper

	made []made // by call
	next atomic.Int64
}

// made is a resource to come; done is closed when its id is known, or never will be.
type made struct {
	done chan struct{}
	id   string
}

func newClient(base string, calls []call) (*client, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	c := &client{base: u, calls: calls, made: make([]made, len(calls)),
		header: http.Header{"Authorization": {"Bearer " + token}, "Content-Type": {"application/scim+json"}, "Accept": {"application/scim+json"}},
		rt: &http.Transport{MaxConnsPerHost: connections, MaxIdleConns: connections, MaxIdleConnsPerHost: connections,
			DisableCompression: true, WriteBufferSize: 16 << 10, ReadBufferSize: 16 << 10},
	}
	for i, call := range calls {
		if call.Makes {
			c.made[i].done = make(chan struct{})
		}
	}
	return c, nil
}

// run sends all calls. The first that does not get the answer it should ends the run.
func (c *client) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range connections {
		workers.Go(func() {
			for ctx.Err() == nil {
				n := int(c.next.Add(1)) - 1
				if n >= len(c.calls) {
					return
				}
				if err := c.send(ctx, n); err != nil {
					cancel(fmt.Errorf("call %d: %w", n, err))
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// send sends one call, after the answers it needs ids of.
func (c *client) send(ctx context.Context, n int) error {
	call := &c.calls[n]
	for _, t := range []*template{&call.Path, &call.Body} {
		for _, needed := range t.Calls {
			select {
			case <-c.made[needed].done:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	id := func(n int) string { return c.made[n].id }
	u := *c.base
	u.Path += call.Path.fill(id)
	u.RawQuery = call.Query
	req := (&http.Request{Method: call.Method, URL: &u, Header: c.header, Host: u.Host}).WithContext(ctx)
	if body := call.Body.fill(id); body != "" {
		req.Body, req.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	resp, err := c.rt.RoundTrip(req)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	switch {
	case err != nil:
		return err
	case resp.StatusCode != call.Status:
		return fmt.Errorf("%s %s: status %d, recorded was %d", call.Method, u.Path, resp.StatusCode, call.Status)
	case !call.Makes:
		return nil
	}
	where := resp.Header.Get("Location") // RFC 7644 section 3.3
	made := &c.made[n]
	if made.id = where[strings.LastIndexByte(where, '/')+1:]; made.id == "" {
		return fmt.Errorf("%s %s: the answer does not say where the new resource is", call.Method, u.Path)
	}
	close(made.done)
	return nil
}
