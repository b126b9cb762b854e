package directory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// groups collects what a committer puts together.
type groups struct {
	mu    sync.Mutex
	sizes []int
	hold  chan struct{} // the first group waits for it
}

func (g *groups) run(_ context.Context, group []*operation) {
	g.mu.Lock()
	first := len(g.sizes) == 0
	g.sizes = append(g.sizes, len(group))
	g.mu.Unlock()
	if first {
		<-g.hold
	}
	for _, op := range group {
		op.err = op.write(nil)
	}
}

func TestThoseWhoComeWhileOneWritesShareTheNextTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &groups{hold: make(chan struct{})}
		c := committer{run: g.run}
		refused := errors.New("refused")
		var wg sync.WaitGroup
		outcomes := make([]error, maxGroup+11)
		for i := range outcomes {
			wg.Go(func() {
				outcomes[i] = c.do(t.Context(), func(*Tx) error {
					if i%2 == 1 {
						return refused
					}
					return nil
				})
			})
			if i == 0 {
				synctest.Wait() // the first is at work
			}
		}
		synctest.Wait()
		close(g.hold)
		wg.Wait()
		if want := []int{1, maxGroup, 10}; !slices.Equal(g.sizes, want) {
			t.Errorf("groups of %v, want %v", g.sizes, want)
		}
		for i, err := range outcomes {
			if want := i%2 == 1; errors.Is(err, refused) != want {
				t.Errorf("outcome %d is %v", i, err)
			}
		}
		if c.busy || len(c.queue) > 0 {
			t.Errorf("busy %v, %d waiting", c.busy, len(c.queue))
		}
	})
}

func TestWhoNoLongerWaitsIsNotWritten(t *testing.T) {
	for name, first := range map[string]bool{"at the head of the queue": true, "behind another": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := &groups{hold: make(chan struct{})}
				c := committer{run: g.run}
				wrote := map[string]bool{}
				var wg sync.WaitGroup
				do := func(ctx context.Context, who string, want error) {
					wg.Go(func() {
						err := c.do(ctx, func(*Tx) error { wrote[who] = true; return nil })
						if !errors.Is(err, want) {
							t.Errorf("%s: %v, want %v", who, err, want)
						}
					})
					synctest.Wait()
				}
				ctx, cancel := context.WithCancel(t.Context())
				do(t.Context(), "at work", nil)
				if !first {
					do(t.Context(), "waiting", nil)
				}
				do(ctx, "gone", context.Canceled)
				do(t.Context(), "last", nil)
				cancel()
				synctest.Wait()
				close(g.hold)
				wg.Wait()
				if wrote["gone"] || !wrote["last"] {
					t.Errorf("wrote %v", wrote)
				}
			})
		})
	}
}

func TestOperationThatIsBeingWrittenIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, taken := make(chan struct{}), false
		c := committer{}
		c.run = func(_ context.Context, group []*operation) {
			if taken {
				<-release
			}
			taken = true
			for _, op := range group {
				op.err = op.write(nil)
			}
		}
		if err := c.do(t.Context(), func(*Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		outcome := make(chan error, 1)
		go func() { outcome <- c.do(ctx, func(*Tx) error { return nil }) }()
		synctest.Wait()
		cancel()
		synctest.Wait()
		select {
		case err := <-outcome:
			t.Fatalf("came back with %v while it was being written", err)
		default:
		}
		close(release)
		if err := <-outcome; err != nil {
			t.Errorf("it took effect, and yet: %v", err)
		}
	})
}

func TestCancelledCallerWritesNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := committer{run: func(context.Context, []*operation) { t.Error("it was written") }}
	if err := c.do(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
