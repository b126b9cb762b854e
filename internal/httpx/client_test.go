package httpx

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const token = "geheimes-token"

func bearer(_ context.Context, h http.Header) error {
	h.Set("Authorization", "Bearer "+token)
	return nil
}

func client(t *testing.T, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdle)
	return c
}

func address(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// quick repeats without waiting.
var quick = Policy{Waits: []time.Duration{0, 0, 0}}

func TestParallelCallsReuseTheirConnections(t *testing.T) {
	var conns atomic.Int64
	var gate sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		gate.Done()
		gate.Wait() // all calls of a round are under way at once
		_, _ = io.WriteString(w, "ok")
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	var calls atomic.Int64
	c := client(t, Config{OnCall: func(string) { calls.Add(1) }})
	const rounds, parallel = 5, 16
	for range rounds {
		gate.Add(parallel)
		var all sync.WaitGroup
		for range parallel {
			all.Go(func() {
				resp, err := c.Do(t.Context(), Request{Method: "GET", URL: address(t, server.URL), Safe: true})
				if err != nil || string(resp.Body) != "ok" {
					t.Errorf("call: %v", err)
				}
			})
		}
		all.Wait()
	}
	if got := conns.Load(); got != parallel {
		t.Errorf("%d connections for %d parallel calls", got, parallel)
	}
	if got := calls.Load(); got != rounds*parallel {
		t.Errorf("%d calls counted, want %d", got, rounds*parallel)
	}
}

// TestLostAnswers: an answer that does not come in time is one (scim.R64).
func TestLostAnswers(t *testing.T) {
	tests := []struct {
		name   string
		method string
		safe   bool
		spoil  func(w http.ResponseWriter)
		calls  int64
		fault  Fault
	}{
		{"a create is sent once when the connection breaks (scim.R63)", "POST", false, hangUp, 1, FaultClosed},
		{"a create is sent once when its answer is cut off", "POST", false, cutOff, 1, FaultClosed},
		{"a read is sent four times when the connection breaks", "GET", true, hangUp, 4, FaultClosed},
		{"a deletion is sent four times when its answer is cut off", "DELETE", true, cutOff, 4, FaultClosed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var arrived, counted atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				arrived.Add(1)
				tt.spoil(w)
			}))
			defer server.Close()
			c := client(t, Config{Policy: quick, Authorize: bearer, OnCall: func(string) { counted.Add(1) }})
			_, err := c.Do(t.Context(), Request{Method: tt.method, URL: address(t, server.URL+"/Users?filter=secret-person"), Body: []byte("{}"), Safe: tt.safe})
			var call *CallError
			if !errors.As(err, &call) {
				t.Fatalf("error %v, want a *CallError", err)
			}
			if !call.Sent || call.Fault != tt.fault {
				t.Errorf("sent %v, fault %d; want sent and fault %d: %v", call.Sent, call.Fault, tt.fault, err)
			}
			if arrived.Load() != tt.calls || counted.Load() != tt.calls {
				t.Errorf("%d calls arrived and %d were counted, want %d", arrived.Load(), counted.Load(), tt.calls)
			}
			noSecrets(t, err)
		})
	}
}

func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

func cutOff(w http.ResponseWriter) {
	w.Header().Set("Content-Length", "100")
	_, _ = io.WriteString(w, "not a hundred")
}

func noSecrets(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, token) || strings.Contains(text, "secret-person") {
			t.Errorf("the error shows a secret: %s", text)
		}
	}
}

func TestCallsThatCannotBeMade(t *testing.T) {
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	quiet := slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	untrusted := httptest.NewUnstartedServer(http.NotFoundHandler())
	untrusted.Config.ErrorLog = quiet
	untrusted.StartTLS()
	defer untrusted.Close()
	old := httptest.NewUnstartedServer(http.NotFoundHandler())
	old.Config.ErrorLog = quiet
	old.TLS = &tls.Config{MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	old.StartTLS()
	defer old.Close()
	roots := x509.NewCertPool()
	roots.AddCert(old.Certificate())
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer slow.Close()
	big := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.Copy(z, io.LimitReader(zeros{}, 1<<20))
		_ = z.Close()
	}))
	defer big.Close()

	tests := []struct {
		name string
		cfg  Config
		url  string
		want Fault
		sent bool
		text string
	}{
		{"nothing listens", Config{}, closed.URL, FaultRefused, false, "refused"},
		{"a certificate of nobody's", Config{}, untrusted.URL, FaultTLS, false, "certificate"},
		{"TLS 1.1 is refused (scim.R72)", Config{RootCAs: roots}, old.URL, FaultTLS, false, "protocol version"},
		{"no answer in time", Config{Timeout: 30 * time.Millisecond}, slow.URL, FaultTimeout, true, "no answer within 30ms"},
		{"an answer that is too long after decompression", Config{MaxBody: 1 << 16}, big.URL, FaultTooLarge, true, "longer than allowed"},
		{"plain HTTP to another machine", Config{}, "http://scim.example.com", FaultForbidden, false, "not encrypted"},
		{"a metadata address", Config{AllowInsecure: true}, "http://169.254.169.254/latest", FaultForbidden, false, "link-local"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Policy.Waits = []time.Duration{}
			tt.cfg.Authorize = bearer
			_, err := client(t, tt.cfg).Do(t.Context(), Request{Method: "GET", URL: address(t, tt.url+"?filter=secret-person"), Safe: true})
			var call *CallError
			if !errors.As(err, &call) {
				t.Fatalf("error %v, want a *CallError", err)
			}
			if call.Fault != tt.want || call.Sent != tt.sent || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("fault %d, sent %v: %v; want fault %d, sent %v and %q", call.Fault, call.Sent, err, tt.want, tt.sent, tt.text)
			}
			noSecrets(t, err)
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestCompressedAnswersAreRead(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			t.Error("gzip is not asked for")
		}
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = io.WriteString(z, `{"id":"1"}`)
		_ = z.Close()
	}))
	defer server.Close()
	resp, err := client(t, Config{}).Do(t.Context(), Request{Method: "GET", URL: address(t, server.URL)})
	if err != nil || string(resp.Body) != `{"id":"1"}` {
		t.Errorf("answer %q, %v", resp.Body, err)
	}
}

func TestRedirects(t *testing.T) {
	var stolen atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { stolen.Add(1) }))
	defer other.Close()
	type seen struct{ Method, Path, Auth, Body string }
	var got []seen
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		got = append(got, seen{r.Method, r.URL.Path, r.Header.Get("Authorization"), string(body)})
		mu.Unlock()
		switch r.URL.Path {
		case "/moved":
			w.Header().Set("Location", "/here")
			w.WriteHeader(http.StatusPermanentRedirect)
		case "/loop":
			w.Header().Set("Location", "/loop")
			w.WriteHeader(http.StatusTemporaryRedirect)
		case "/away":
			w.Header().Set("Location", other.URL+"/take")
			w.WriteHeader(http.StatusTemporaryRedirect)
		case "/see":
			w.Header().Set("Location", "/here")
			w.WriteHeader(http.StatusFound)
		case "/here":
			w.WriteHeader(http.StatusCreated)
		}
	}))
	defer server.Close()
	c := client(t, Config{Authorize: bearer})
	auth := "Bearer " + token
	tests := []struct {
		name   string
		path   string
		status int
		want   []seen
	}{
		{"308 on the same host is followed with body and credential", "/moved", 201, []seen{{"POST", "/moved", auth, "{}"}, {"POST", "/here", auth, "{}"}}},
		{"a loop ends", "/loop", 307, []seen{{"POST", "/loop", auth, "{}"}, {"POST", "/loop", auth, "{}"}, {"POST", "/loop", auth, "{}"}, {"POST", "/loop", auth, "{}"}}},
		{"another host is not called (scim.R65)", "/away", 307, []seen{{"POST", "/away", auth, "{}"}}},
		{"302 is not followed", "/see", 302, []seen{{"POST", "/see", auth, "{}"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got = nil
			resp, err := c.Do(t.Context(), Request{Method: "POST", URL: address(t, server.URL+tt.path), Body: []byte("{}")})
			if err != nil {
				t.Fatal(err)
			}
			if resp.Status != tt.status {
				t.Errorf("status %d, want %d", resp.Status, tt.status)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	if stolen.Load() != 0 {
		t.Error("another host was called")
	}
}

func TestACancelledCallEndsAtOnceAndSaysWhetherItWasSent(t *testing.T) {
	arrived := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a server notices that its client is gone only when the body is read
		close(arrived)
		<-r.Context().Done()
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-arrived
		cancel()
	}()
	_, err := client(t, Config{}).Do(ctx, Request{Method: "POST", URL: address(t, server.URL), Body: []byte("{}")})
	var call *CallError
	if !errors.As(err, &call) || call.Fault != FaultCancelled || !call.Sent || !errors.Is(err, context.Canceled) {
		t.Errorf("error %#v, want a cancelled call that was sent", err)
	}
	_, err = client(t, Config{}).Do(ctx, Request{Method: "POST", URL: address(t, server.URL)})
	if !errors.As(err, &call) || call.Fault != FaultCancelled || call.Sent {
		t.Errorf("error %#v, want a cancelled call that was not sent", err)
	}
}

func TestTheCredentialIsAskedForEachAttempt(t *testing.T) {
	var seen []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization")+" "+r.Header.Get("User-Agent"))
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer server.Close()
	n := 0
	c := client(t, Config{UserAgent: "Rollcall/1", Policy: Policy{Waits: []time.Duration{0}}, Authorize: func(_ context.Context, h http.Header) error {
		n++
		h.Set("Authorization", fmt.Sprint("Bearer ", n))
		return nil
	}})
	header := http.Header{"Accept": {"x"}}
	resp, err := c.Do(t.Context(), Request{Method: "GET", URL: address(t, server.URL), Header: header, Safe: true})
	if err != nil || resp.Status != http.StatusBadGateway {
		t.Fatalf("%v, %v", resp, err)
	}
	if diff := cmp.Diff([]string{"Bearer 1 Rollcall/1", "Bearer 2 Rollcall/1"}, seen); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(http.Header{"Accept": {"x"}}, header); diff != "" {
		t.Errorf("the caller's header was changed: %s", diff)
	}
}

func BenchmarkDo(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 500)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(body)
	}))
	defer server.Close()
	c, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	u, err := url.Parse(server.URL)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Do(b.Context(), Request{Method: "POST", URL: u, Body: body}); err != nil {
			b.Fatal(err)
		}
	}
}

func TestARefusedCredentialIsRenewedOnceForACall(t *testing.T) {
	var calls atomic.Int64
	var good atomic.Value
	good.Store("second")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		if r.Header.Get("Authorization") != good.Load() {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer server.Close()
	broken := errors.New("no credential to be had")
	tests := []struct {
		name   string
		renew  func(refused string) (string, bool, error)
		status int
		calls  int64
		err    error
	}{
		{"another credential is used at once, for a create too", func(string) (string, bool, error) { return "second", true, nil }, http.StatusOK, 2, nil},
		{"without another the answer stands", func(string) (string, bool, error) { return "first", false, nil }, http.StatusUnauthorized, 1, nil},
		{"another that is refused as well is not renewed again", func(string) (string, bool, error) { return "third", true, nil }, http.StatusUnauthorized, 2, nil},
		{"what prevents a renewal is told", func(string) (string, bool, error) { return "", false, broken }, 0, 1, broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			calls.Store(0)
			current := "first"
			c := client(t, Config{
				Authorize: func(_ context.Context, h http.Header) error { h.Set("Authorization", current); return nil },
				Renew: func(_ context.Context, refused http.Header) (bool, error) {
					if refused.Get("Authorization") != current {
						t.Errorf("asked about %q", refused.Get("Authorization"))
					}
					next, ok, err := tt.renew(current)
					current = next
					return ok, err
				},
			})
			u, err := url.Parse(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := c.Do(t.Context(), Request{Method: http.MethodPost, URL: u})
			if !errors.Is(err, tt.err) {
				t.Fatalf("%v, want %v", err, tt.err)
			}
			var told *CallError
			if tt.err != nil && (!errors.As(err, &told) || told.Fault != FaultCredential || told.Sent) {
				t.Errorf("%+v, want FaultCredential, and not sent", told)
			}
			if tt.err == nil && resp.Status != tt.status || calls.Load() != tt.calls {
				t.Errorf("%+v after %d calls, want %d after %d", resp, calls.Load(), tt.status, tt.calls)
			}
		})
	}
}

func TestAnAttemptThatMayHaveTakenEffectIsNotForgottenForWantOfACredential(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer server.Close()
	asked := 0
	c := client(t, Config{Policy: Policy{Waits: []time.Duration{0}}, Authorize: func(context.Context, http.Header) error {
		if asked++; asked > 1 {
			return errors.New("no credential to be had")
		}
		return nil
	}})
	u, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Do(t.Context(), Request{Method: http.MethodPatch, URL: u, Safe: true})
	var told *CallError
	if !errors.As(err, &told) || !told.Sent || told.Fault != FaultClosed || asked != 2 {
		t.Errorf("%+v after %d attempts, want that the first one was sent", told, asked)
	}
}
