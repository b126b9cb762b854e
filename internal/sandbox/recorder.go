package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"
)

// Bounds of the record of requests. Beyond maxExchanges the oldest go; beyond maxBodies bytes the oldest lose
// their bodies; a body above maxOneBody is not kept at all.
const (
	maxExchanges = 200_000
	maxBodies    = 128 << 20
	maxOneBody   = 256 << 10
)

// exchange is one request and its answer.
type exchange struct {
	at                time.Time
	method            string
	path, query       string
	status            int
	request, response []byte
	dropped           bool // bodies were there and are not kept
}

// recorder keeps the last exchanges in a ring.
type recorder struct {
	noBodies bool

	mu      sync.Mutex
	ring    []exchange
	next    int // place of the oldest once the ring is full
	bodies  int // bytes in bodies
	bodyEnd int // how many of the oldest have lost their bodies already
}

func newRecorder(noBodies bool) *recorder {
	return &recorder{noBodies: noBodies}
}

// add keeps an exchange; the response is copied, the request is taken over.
func (r *recorder) add(e exchange) {
	switch {
	case r.noBodies:
		e.request, e.response = nil, nil
	default:
		if len(e.request) > maxOneBody {
			e.request, e.dropped = nil, true
		}
		if len(e.response) > maxOneBody {
			e.response, e.dropped = nil, true
		}
		e.response = bytes.Clone(e.response)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies += len(e.request) + len(e.response)
	if len(r.ring) < maxExchanges {
		r.ring = append(r.ring, e)
	} else {
		old := &r.ring[r.next]
		r.bodies -= len(old.request) + len(old.response)
		*old = e
		r.next = (r.next + 1) % len(r.ring)
		r.bodyEnd = max(r.bodyEnd-1, 0)
	}
	for r.bodies > maxBodies && r.bodyEnd < len(r.ring) {
		old := &r.ring[(r.next+r.bodyEnd)%len(r.ring)]
		r.bodies -= len(old.request) + len(old.response)
		old.request, old.response, old.dropped = nil, nil, true
		r.bodyEnd++
	}
}

func (r *recorder) reset() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ring, r.next, r.bodies, r.bodyEnd = nil, 0, 0, 0
}

// snapshot gives the exchanges, oldest first. Bodies are shared and never changed.
func (r *recorder) snapshot() []exchange {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]exchange, 0, len(r.ring))
	list = append(list, r.ring[r.next:]...)
	return append(list, r.ring[:r.next]...)
}

// exchangeLine is the JSON form of an exchange. A body that is no JSON is shown as text, none as null.
type exchangeLine struct {
	Time     time.Time       `json:"time"`
	Method   string          `json:"method"`
	Path     string          `json:"path"`
	Query    string          `json:"query"`
	Status   int             `json:"status"`
	Request  json.RawMessage `json:"request"`
	Response json.RawMessage `json:"response"`
	Dropped  bool            `json:"bodiesDropped,omitempty"`
}

// minSecret is the length from which on a token is looked for in texts; shorter ones would hit ordinary words.
const minSecret = 6

// write writes the exchanges as JSON lines, with the token blanked wherever a client may have put it.
func (r *recorder) write(w io.Writer, token string) error {
	for _, e := range r.snapshot() {
		line, err := json.Marshal(exchangeLine{Time: e.at.UTC(), Method: e.method, Path: e.path, Query: e.query,
			Status: e.status, Request: bodyJSON(e.request), Response: bodyJSON(e.response), Dropped: e.dropped})
		if err != nil {
			return fmt.Errorf("write record of requests: %w", err)
		}
		if len(token) >= minSecret {
			quoted, _ := json.Marshal(token)
			line = bytes.ReplaceAll(line, quoted[1:len(quoted)-1], []byte("***"))
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write record of requests: %w", err)
		}
	}
	return nil
}

func bodyJSON(body []byte) json.RawMessage {
	switch {
	case len(body) == 0:
		return json.RawMessage("null")
	case json.Valid(body):
		return body
	}
	text, err := json.Marshal(string(body))
	if err != nil {
		return json.RawMessage("null")
	}
	return text
}
