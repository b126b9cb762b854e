package story

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// gateway stands between Rollcall and a target, as a reverse proxy does in many companies, and makes things go wrong
// that a target alone cannot: it loses the connection for a while, it limits the rate, it changes answers.
type gateway struct {
	*httptest.Server
	seen    atomic.Int64 // requests that came
	refused atomic.Int64 // of them answered by the gateway itself
	changed atomic.Int64 // answers that edit has changed

	mu      sync.Mutex
	refuse  func(w http.ResponseWriter, nth int64) bool // answers itself and returns true, or lets the request through
	rewrite func(*http.Response) (bool, error)          // changes an answer of the target
}

// newGateway starts a gateway in front of a sandbox.
func newGateway(t *testing.T, target *sandbox) *gateway {
	t.Helper()
	to, err := url.Parse(target.origin)
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			g.mu.Lock()
			rewrite := g.rewrite
			g.mu.Unlock()
			if rewrite == nil {
				return nil
			}
			changed, err := rewrite(r)
			if changed {
				g.changed.Add(1)
			}
			return err
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }, // a lost answer stays lost
	}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nth := g.seen.Add(1)
		g.mu.Lock()
		refuse := g.refuse
		g.mu.Unlock()
		if refuse != nil && refuse(w, nth) {
			g.refused.Add(1)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(g.Close)
	return g
}

// base is the address that an app file takes.
func (g *gateway) base(target *sandbox) string { return g.URL + target.url[len(target.origin):] }

// outage closes every connection without an answer for a time that begins with the nth request.
func (g *gateway) outage(nth int64, lasts time.Duration) {
	var once sync.Once
	var until atomic.Int64
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = func(_ http.ResponseWriter, n int64) bool {
		if n < nth {
			return false
		}
		once.Do(func() { until.Store(time.Now().Add(lasts).UnixNano()) })
		if time.Now().UnixNano() > until.Load() {
			return false
		}
		panic(http.ErrAbortHandler)
	}
}

// limit lets so many requests through in any second and answers the others with 429 and Retry-After (RFC 6585 4).
func (g *gateway) limit(perSecond int) {
	var mu sync.Mutex
	var passed []time.Time
	g.mu.Lock()
	defer g.mu.Unlock()
	g.refuse = func(w http.ResponseWriter, _ int64) bool {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		for len(passed) > 0 && now.Sub(passed[0]) >= time.Second {
			passed = passed[1:]
		}
		if len(passed) < perSecond {
			passed = append(passed, now)
			return false
		}
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
		return true
	}
}
