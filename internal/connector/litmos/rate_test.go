package litmos

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/sandbox"
)

// direct calls a handler without a network, so that time can be the bubble's.
type direct struct {
	handler http.Handler
	refused *atomic.Int64
}

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	time.Sleep(50 * time.Millisecond) // of the bubble
	w := httptest.NewRecorder()
	in := httptest.NewRequestWithContext(r.Context(), r.Method, r.URL.RequestURI(), r.Body)
	in.Header = r.Header
	d.handler.ServeHTTP(w, in)
	if w.Code == http.StatusServiceUnavailable {
		d.refused.Add(1)
	}
	return w.Result(), nil
}

// TestTheAllowanceIsUsedAndNoReadIsWasted: at 100 calls a minute the window often closes between the read and the write of
// an update. The write waits for its turn, or the read would have to be made again (R1, U6).
func TestTheAllowanceIsUsedAndNoReadIsWasted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box, err := sandbox.New("litmos-api", sandbox.Config{Token: key, Now: time.Now}) // 100 a minute, as the real one
		if err != nil {
			t.Fatal(err)
		}
		var refused atomic.Int64
		cfg := settings(t, "https://api.litmos.com/v1.svc", map[string]any{"rate": "100/min"})
		cfg.Transport = direct{box.Handler(), &refused}
		meter := &connector.Meter{}
		c, err := New(cfg, connector.Env{Meter: meter, Uses: []connector.Use{userUse(), groupUse()}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		// As the engine does: what could not be sent is put back until the time that the error tells.
		insist := func(what func() error) {
			for {
				err := what()
				if err == nil {
					return
				}
				e := connector.AsError(err)
				if e.Kind != connector.KindRateLimited || !e.NotSent {
					t.Errorf("%v", err)
					return
				}
				time.Sleep(e.RetryAfter)
			}
		}
		const people = 150
		anchors := make([]string, people)
		began := time.Now()
		for _, work := range []func(i int) error{
			func(i int) error {
				o, err := c.Create(t.Context(), &identity.Object{Kind: identity.User, Attrs: identity.Attrs{{Name: "UserName", Value: fmt.Sprintf("user%d@example.net", i)},
					{Name: "FirstName", Value: "Mira"}, {Name: "LastName", Value: "Okafor"}}})
				if err == nil {
					anchors[i] = o.Anchor
				}
				return err
			},
			func(i int) error {
				_, err := c.Update(t.Context(), connector.Update{Kind: identity.User, Anchor: anchors[i], Changes: []connector.Change{{Attr: "JobTitle", Op: connector.Set, New: "Smith"}}})
				return err
			},
		} {
			var all sync.WaitGroup
			todo := make(chan int)
			for range 16 {
				all.Go(func() {
					for i := range todo {
						insist(func() error { return work(i) })
					}
				})
			}
			for i := range people {
				todo <- i
			}
			close(todo)
			all.Wait()
		}
		took, made := time.Since(began), meter.Read()
		if made.ByMethod["POST"] != people || made.ByMethod["GET"] != people || made.ByMethod["PUT"] != people {
			t.Errorf("calls: %v, want %d of each", made.ByMethod, people)
		}
		if refused.Load() != 0 {
			t.Errorf("%d calls were refused for the rate", refused.Load())
		}
		if most := time.Duration(1.05 * float64(made.Total()) / 100 * float64(time.Minute)); took > most {
			t.Errorf("%d calls took %s, want at most %s", made.Total(), took, most)
		}
	})
}
