package litmos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
)

// reply is what a scripted site says to one call.
type reply struct {
	status int
	reason string // behind the status
	body   string
	header http.Header
	err    error
}

// script is a site that gives the replies in order and writes down what it was asked. After the last it gives the last
// again.
type script struct {
	mu      sync.Mutex
	replies []reply
	calls   []string // "PUT /v1.svc/users/1", without the query
	queries []string
	bodies  []string
	headers []http.Header
	log     strings.Builder
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	re := s.replies[min(len(s.calls), len(s.replies)-1)]
	s.calls = append(s.calls, r.Method+" "+r.URL.EscapedPath())
	s.queries = append(s.queries, r.URL.RawQuery)
	s.bodies = append(s.bodies, string(body))
	s.headers = append(s.headers, r.Header.Clone())
	fmt.Fprintf(&s.log, "%s %s\n", r.Method, r.URL.RequestURI())
	s.note(r.Header.Get("Content-Type"), body)
	if re.err != nil {
		return nil, re.err
	}
	fmt.Fprintf(&s.log, "\n%d\n", re.status)
	s.note("", []byte(re.body))
	s.log.WriteString("\n")
	header := re.header
	if header == nil {
		header = http.Header{"Content-Type": {"application/json"}}
	}
	reason := re.reason
	if reason == "" {
		reason = http.StatusText(re.status)
	}
	return &http.Response{StatusCode: re.status, Status: fmt.Sprintf("%d %s", re.status, reason), Header: header,
		Body: io.NopCloser(strings.NewReader(re.body)), Request: r}, nil
}

// note writes a body into the record of the exchange.
func (s *script) note(media string, body []byte) {
	if len(body) == 0 {
		return
	}
	if media != "" {
		fmt.Fprintf(&s.log, "Content-Type: %s\n", media)
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, body, "", "  ") != nil {
		pretty.Reset()
		pretty.Write(body)
	}
	fmt.Fprintf(&s.log, "\n%s\n", pretty.String())
}

// scripted is a client of a scripted site.
func scripted(t testing.TB, more map[string]any, uses []connector.Use, replies ...reply) (*Client, *script, *bytes.Buffer) {
	t.Helper()
	cfg := settings(t, "https://api.litmos.com/v1.svc", more)
	s := &script{replies: replies}
	cfg.Transport = s
	cfg.Policy = httpx.Policy{Waits: []time.Duration{0, 0, 0}, Pause: time.Nanosecond, Attempts: 1}
	if uses == nil {
		uses = []connector.Use{userUse(), groupUse()}
	}
	logged, began := &bytes.Buffer{}, time.Now()
	c, err := New(cfg, connector.Env{Uses: uses, Now: func() time.Time { return time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC).Add(time.Since(began)) },
		Logger: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelDebug}))}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c, s, logged
}
