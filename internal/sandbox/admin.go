package sandbox

import (
	"bufio"
	"encoding/json"
	"iter"
	"net"
	"net/http"
)

// maxAdminBody bounds the bodies of the sandbox's own pages.
const maxAdminBody = 64 << 10

// admin answers below /_sandbox/, to callers on the same machine only.
func (s *Server) admin(w http.ResponseWriter, r *http.Request, page string) {
	if !fromLoopback(r) {
		http.Error(w, "the sandbox's own pages answer on the same machine only", http.StatusForbidden)
		return
	}
	pages := map[string]struct {
		method string
		serve  func(http.ResponseWriter, *http.Request)
	}{
		"requests": {http.MethodGet, s.getRequests},
		"state":    {http.MethodGet, s.getState},
		"signin":   {http.MethodGet, s.getSignIn},
		"fault": {http.MethodPost, func(w http.ResponseWriter, r *http.Request) {
			body, err := readBody(r, maxAdminBody)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			s.postFault(w, body)
		}},
		"reset": {http.MethodPost, func(w http.ResponseWriter, _ *http.Request) {
			s.Reset()
			w.WriteHeader(http.StatusNoContent)
		}},
	}
	p, ok := pages[page]
	switch {
	case !ok:
		http.Error(w, "no such page; there are requests, state, signin, fault and reset", http.StatusNotFound)
	case r.Method != p.method:
		w.Header().Set("Allow", p.method)
		http.Error(w, "use "+p.method, http.StatusMethodNotAllowed)
	default:
		p.serve(w, r)
	}
}

func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	ip := net.ParseIP(host)
	return err == nil && ip != nil && ip.IsLoopback()
}

// getRequests is GET /_sandbox/requests: the record of requests as JSON lines, oldest first.
func (s *Server) getRequests(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	b := bufio.NewWriter(w)
	if s.recorder.write(b, s.cfg.Token) == nil {
		_ = b.Flush() // the client hung up
	}
}

// getState is GET /_sandbox/state: everything the application holds.
func (s *Server) getState(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	b := bufio.NewWriter(w)
	writeList := func(name string, resources iter.Seq[json.RawMessage]) {
		_, _ = b.WriteString(name)
		separator := byte('[')
		for r := range resources {
			_ = b.WriteByte(separator)
			_, _ = b.Write(r)
			separator = ','
		}
		if separator == '[' {
			_ = b.WriteByte('[')
		}
		_ = b.WriteByte(']')
	}
	// Errors of a bufio.Writer stay until Flush, which fails only when the client hung up.
	writeList(`{"users":`, s.app.users())
	writeList(`,"groups":`, s.app.groups())
	_, _ = b.WriteString("}\n")
	_ = b.Flush()
}

// getSignIn is GET /_sandbox/signin?userName=: 200 if that account could sign in, else 403. Single sign-on lets
// nobody in whose account is missing or inactive.
func (s *Server) getSignIn(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("userName")
	if !s.app.canSignIn(name) {
		http.Error(w, "no active account of that name", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"userName": name})
}
