package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// reply holds an answer until the exchange is over: a fault may still suppress it, and the record wants a copy.
type reply struct {
	header http.Header
	status int
	reason string // reason phrase; empty: that of the status
	body   bytes.Buffer
}

func (w *reply) reset() {
	w.header = http.Header{}
	w.status = 0
	w.reason = ""
	w.body.Reset()
}

func (w *reply) Header() http.Header { return w.header }

func (w *reply) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}

// setReason gives the answer a reason phrase of its own.
func (w *reply) setReason(text string) { w.reason = text }

// maxPooled keeps buffers of rare huge answers from staying in memory.
const maxPooled = 1 << 20

// serveHTTP takes every request: rate, fault, the application, the record, in this order.
func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	if rest, ok := strings.CutPrefix(r.URL.Path, "/_sandbox/"); ok {
		s.admin(w, r, rest)
		return
	}
	arrived := s.cfg.Now()
	answer := s.buffers.Get().(*reply)
	answer.reset()
	defer func() {
		if answer.body.Cap() <= maxPooled {
			s.buffers.Put(answer)
		}
	}()
	body, readErr := readBody(r, s.cfg.MaxBody)
	below, found := s.below(r.URL.Path)
	f := s.faults.take(r.Method, r.URL.Path, below)
	var tooLarge *http.MaxBytesError
	wait, taken := s.limiter.take(arrived)
	switch {
	case !taken:
		if s.traits.retryAfter {
			answer.header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		}
		s.app.refuse(answer, s.traits.rateStatus, "the limit of "+strconv.Itoa(s.traits.rate)+" requests in "+
			s.traits.window.String()+" is reached")
	case f != nil && f.Status != 0:
		if f.RetryAfter != "" {
			answer.header.Set("Retry-After", string(f.RetryAfter))
		}
		s.app.refuse(answer, f.Status, "fault injected by the sandbox")
	case errors.As(readErr, &tooLarge):
		s.app.refuse(answer, http.StatusRequestEntityTooLarge,
			"the body is larger than "+strconv.FormatInt(s.cfg.MaxBody, 10)+" bytes")
	case readErr != nil:
		s.app.refuse(answer, http.StatusBadRequest, "the body ends early")
	case !found:
		s.app.refuse(answer, http.StatusNotFound, "there is nothing here; the base path is "+s.traits.basePath)
	default:
		s.app.serve(answer, r, below, body)
	}
	if answer.status == 0 {
		answer.status = http.StatusOK
	}
	s.recorder.add(exchange{at: arrived, method: r.Method, path: r.URL.Path, query: r.URL.RawQuery, status: answer.status,
		request: body, response: answer.body.Bytes()})
	delay := s.cfg.Latency
	if f != nil {
		delay += time.Duration(f.DelayMS) * time.Millisecond
	}
	if !pause(r, delay) || f != nil && f.DropReply {
		// The work is done and the answer lost: the connection is closed without one.
		panic(http.ErrAbortHandler)
	}
	answer.send(w, r)
}

func (w *reply) send(to http.ResponseWriter, r *http.Request) {
	if w.reason != "" && r.Method != http.MethodHead && w.sendRaw(to) {
		return
	}
	h := to.Header()
	for k, v := range w.header {
		h[k] = v
	}
	if w.status != http.StatusNoContent && w.status != http.StatusNotModified {
		h.Set("Content-Length", strconv.Itoa(w.body.Len()))
	}
	to.WriteHeader(w.status)
	// A client that hangs up before reading has no claim to the rest.
	_, _ = to.Write(w.body.Bytes())
}

// sendRaw writes the answer to the connection, which ends with it: the HTTP server has no other way to give a reason
// phrase of one's own. It reports false, with nothing written, where there is no connection to take over.
func (w *reply) sendRaw(to http.ResponseWriter) bool {
	conn, _, err := http.NewResponseController(to).Hijack()
	if err != nil {
		return false
	}
	defer func() { _ = conn.Close() }() // nothing is left to lose on it
	var b bytes.Buffer
	reason := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, w.reason)
	w.header.Set("Content-Length", strconv.Itoa(w.body.Len()))
	w.header.Set("Connection", "close")
	fmt.Fprintf(&b, "HTTP/1.1 %03d %s\r\n", w.status, reason)
	_ = w.header.Write(&b) // a buffer takes everything
	b.WriteString("\r\n")
	b.Write(w.body.Bytes())
	// A client that hangs up before reading has no claim to the rest.
	_, _ = conn.Write(b.Bytes())
	return true
}

// below gives the path below a base path: "/Users" for "/scim/v2/Users".
func (s *Server) below(path string) (string, bool) {
	if rest, ok := s.belowBase(path, s.traits.basePath); ok || s.traits.secondPath == "" {
		return rest, ok
	}
	return s.belowBase(path, s.traits.secondPath)
}

func (s *Server) belowBase(path, base string) (string, bool) {
	if len(path) < len(base) {
		return "", false
	}
	head, rest := path[:len(base)], path[len(base):]
	same := head == base || s.traits.foldPath && strings.EqualFold(head, base)
	return rest, same && (rest == "" || rest[0] == '/')
}

// readBody reads up to limit bytes; more is an *http.MaxBytesError, with what was read so far.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := b.ReadFrom(io.LimitReader(r.Body, limit+1))
	if int64(b.Len()) > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	return b.Bytes(), err
}

// pause waits and reports whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-r.Context().Done():
		return false
	}
}
