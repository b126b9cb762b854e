package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
)

// Fault makes requests go wrong. Matching requests are counted from the moment it is set.
type Fault struct {
	// Method is compared without regard to case. Empty: any.
	Method string `json:"method"`
	// Path is a prefix of the path, or, with *, ? or [ in it, a pattern of path.Match for the whole path, where *
	// does not cross a slash. Both are tried on the full path and on the part below the base path, so that
	// /scim/v2/Users and /Users mean the same. Empty: any.
	Path string `json:"path"`
	// Nth is the first matching request that goes wrong: 1, or zero, is the next one.
	Nth int `json:"nth"`
	// Times is how many go wrong from there on. Zero: one. Negative: all.
	Times int `json:"times"`
	// Status answers with this error and does no work. Zero: the request is served.
	Status int `json:"status"`
	// RetryAfter is a header of that answer: seconds, or a date.
	RetryAfter RetryAfter `json:"retryAfter"`
	// DelayMS delays the answer, in milliseconds.
	DelayMS int `json:"delayMs"`
	// DropReply does the work, then closes the connection without an answer.
	DropReply bool `json:"dropReply"`
}

// RetryAfter is the value of the header of that name; it reads from a JSON number or text.
type RetryAfter string

// UnmarshalJSON takes a number of seconds or a text.
func (r *RetryAfter) UnmarshalJSON(data []byte) error {
	var n json.Number
	if json.Unmarshal(data, &n) == nil {
		*r = RetryAfter(n)
		return nil
	}
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("retryAfter is a number of seconds or a date: %w", err)
	}
	*r = RetryAfter(s)
	return nil
}

// parseFault reads a fault and refuses one that could do nothing.
func parseFault(data []byte) (Fault, error) {
	var f Fault
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Fault{}, fmt.Errorf("read fault: %w", err)
	}
	if f.Status == 0 && f.DelayMS <= 0 && !f.DropReply {
		return Fault{}, errors.New("the fault does nothing: give status, delayMs or dropReply")
	}
	if f.Status != 0 && (f.Status < 200 || f.Status > 599) {
		return Fault{}, fmt.Errorf("status %d is no HTTP status to answer with; use 200 to 599", f.Status)
	}
	if _, err := path.Match(f.Path, "/"); err != nil {
		return Fault{}, fmt.Errorf("path %q is not a pattern: %w", f.Path, err)
	}
	f.Nth = max(f.Nth, 1)
	if f.Times == 0 {
		f.Times = 1
	}
	return f, nil
}

// matches reports whether the fault is about a request.
func (f *Fault) matches(method string, paths ...string) bool {
	if f.Method != "" && !strings.EqualFold(f.Method, method) {
		return false
	}
	if f.Path == "" {
		return true
	}
	for _, p := range paths {
		if strings.ContainsAny(f.Path, "*?[") {
			if ok, _ := path.Match(f.Path, p); ok {
				return true
			}
		} else if p != "" && strings.HasPrefix(p, f.Path) {
			return true
		}
	}
	return false
}

// faults are the faults to come, oldest first.
type faults struct {
	mu   sync.Mutex
	list []*Fault
}

// SetFault makes matching requests go wrong from now on; it is POST /_sandbox/fault.
func (s *Server) SetFault(f Fault) error {
	data, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("write fault: %w", err)
	}
	if f, err = parseFault(data); err != nil {
		return err
	}
	s.faults.set(f)
	return nil
}

func (l *faults) set(f Fault) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, &f)
}

// take counts the request for every fault and gives the first that strikes, nil if none does.
func (l *faults) take(method string, paths ...string) *Fault {
	l.mu.Lock()
	defer l.mu.Unlock()
	var struck *Fault
	kept := l.list[:0]
	for _, f := range l.list {
		if f.matches(method, paths...) {
			switch {
			case f.Nth > 1:
				f.Nth--
			case struck == nil:
				c := *f
				struck = &c
				if f.Times > 0 {
					f.Times--
				}
			}
		}
		if f.Times != 0 {
			kept = append(kept, f)
		}
	}
	clear(l.list[len(kept):])
	l.list = kept
	return struck
}

func (l *faults) reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = nil
}

// postFault is POST /_sandbox/fault.
func (s *Server) postFault(w http.ResponseWriter, body []byte) {
	f, err := parseFault(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.faults.set(f)
	w.WriteHeader(http.StatusNoContent)
}
