package httpx

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Windows keeps how many calls to a site stand in its sliding window, for all processes that share a store
// (design D2). The store implements it; MemoryWindows does for one process.
type Windows interface {
	// Reserve grants up to n calls to a site of which limit may stand in any window, and returns a ticket for them.
	// With nothing to grant it returns the time until the first call leaves the window. Calls of a ticket that is
	// never settled leave the window when they are older than window plus grace.
	Reserve(ctx context.Context, site string, n, limit int, window, grace time.Duration, now time.Time) (granted int, ticket int64, wait time.Duration, err error)
	// Settle says when the answers of calls of a ticket came: each of them leaves the window that much later. Unused
	// calls are given back. It is called once per ticket.
	Settle(ctx context.Context, site string, ticket int64, answered []time.Time, unused int) error
}

const (
	// blockSize is how many calls are reserved at once, so that the store is written once for them.
	blockSize = 16

	// blockLife is how long calls of a block may be begun. What is left then is given back.
	blockLife = 5 * time.Second

	// settleTime bounds a write to the store that follows a call whose context may have ended.
	settleTime = 10 * time.Second
)

// window hands out the calls that a sliding window allows. A call stands in the window until its span has passed since
// its answer: the target counted it before it answered, so the target never sees more than the limit in any span.
type window struct {
	site  string
	store Windows
	now   func() time.Time

	refill chan struct{} // holds one token: who has it may reserve

	mu    sync.Mutex
	block *block
	full  time.Time // nothing is free before
	err   error     // of the last settle that did not succeed
}

// block is a set of calls reserved together.
type block struct {
	ticket   int64
	began    time.Time
	left     int // not yet used
	out      int // under way
	answered []time.Time
}

func newWindow(site string, store Windows, now func() time.Time) *window {
	w := &window{site: site, store: store, now: now, refill: make(chan struct{}, 1)}
	w.refill <- struct{}{}
	return w
}

// take returns a block from which one call may be made, or how long nothing will be free.
func (w *window) take(ctx context.Context, limit int, span, grace time.Duration) (*block, time.Duration, error) {
	if b, wait := w.use(); b != nil || wait > 0 {
		return b, wait, nil
	}
	select {
	case <-w.refill:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	defer func() { w.refill <- struct{}{} }()
	if b, wait := w.use(); b != nil || wait > 0 {
		return b, wait, nil // another caller has reserved in the meantime
	}
	w.retire(ctx)
	now := w.now()
	granted, ticket, wait, err := w.store.Reserve(ctx, w.site, min(blockSize, limit), limit, span, blockLife+grace, now)
	if err != nil {
		return nil, 0, fmt.Errorf("reserve calls to the target: %w", err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if granted > 0 {
		w.block = &block{ticket: ticket, began: now, left: granted - 1, out: 1}
		return w.block, 0, nil
	}
	// A call under way now leaves the window a span after its answer, however long the store would hold it.
	wait = min(max(wait, time.Millisecond), span)
	w.full = now.Add(wait)
	return nil, wait, nil
}

// use takes a call of the block at hand, or says how long the window is known to be full.
func (w *window) use() (*block, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	if b := w.block; b != nil && b.left > 0 && now.Sub(b.began) < blockLife {
		b.left--
		b.out++
		return b, 0
	}
	return nil, w.full.Sub(now)
}

// retire parts with the block at hand. Its unused calls are given back, now or with the answer of its last call.
func (w *window) retire(ctx context.Context) {
	w.mu.Lock()
	b := w.block
	w.block = nil
	settle := b != nil && b.out == 0
	w.mu.Unlock()
	if settle {
		w.settle(ctx, b)
	}
}

// unsent gives a call back that was not made.
func (w *window) unsent(ctx context.Context, b *block) {
	w.mu.Lock()
	b.out--
	b.left++
	settle := b.out == 0 && w.block != b
	w.mu.Unlock()
	if settle {
		w.settle(ctx, b)
	}
}

// done says that the answer of a call has come.
func (w *window) done(ctx context.Context, b *block, answered time.Time) {
	w.mu.Lock()
	b.out--
	b.answered = append(b.answered, answered)
	settle := b.out == 0 && (b.left == 0 || w.block != b)
	if settle && w.block == b {
		w.block = nil
	}
	w.mu.Unlock()
	if settle {
		w.settle(ctx, b)
	}
}

// settle writes what became of a block. It must happen even when the caller's context has ended; should it fail, the
// calls stand in the window until their grace is over, which costs allowance and breaks nothing.
func (w *window) settle(ctx context.Context, b *block) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTime)
	defer cancel()
	err := w.store.Settle(ctx, w.site, b.ticket, b.answered, b.left)
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.err = fmt.Errorf("settle calls to the target: %w", err)
		return
	}
	w.full = time.Time{}
}

// trouble returns the last error of settle once.
func (w *window) trouble() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	err := w.err
	w.err = nil
	return err
}

// MemoryWindows keeps windows within one process. Safe for concurrent use.
type MemoryWindows struct {
	mu    sync.Mutex
	next  int64
	sites map[string]*memoryWindow
}

type memoryWindow struct {
	answered []time.Time // of settled calls, in no order
	tickets  map[int64]*memoryTicket
}

type memoryTicket struct {
	n        int
	reserved time.Time
}

var _ Windows = (*MemoryWindows)(nil)

// NewMemoryWindows makes windows without any calls in them.
func NewMemoryWindows() *MemoryWindows {
	return &MemoryWindows{sites: map[string]*memoryWindow{}}
}

// Reserve implements Windows.
func (m *MemoryWindows) Reserve(_ context.Context, site string, n, limit int, span, grace time.Duration, now time.Time) (int, int64, time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.sites[site]
	if w == nil {
		w = &memoryWindow{tickets: map[int64]*memoryTicket{}}
		m.sites[site] = w
	}
	inside, first := 0, time.Duration(-1)
	count := func(n int, leaves time.Time) bool {
		wait := leaves.Sub(now)
		if wait <= 0 {
			return false
		}
		inside += n
		if first < 0 || wait < first {
			first = wait
		}
		return true
	}
	kept := w.answered[:0]
	for _, at := range w.answered {
		if count(1, at.Add(span)) {
			kept = append(kept, at)
		}
	}
	w.answered = kept
	for id, t := range w.tickets {
		if !count(t.n, t.reserved.Add(span+grace)) {
			delete(w.tickets, id)
		}
	}
	granted := min(n, limit-inside)
	if granted <= 0 {
		return 0, 0, first, nil
	}
	m.next++
	w.tickets[m.next] = &memoryTicket{n: granted, reserved: now}
	return granted, m.next, 0, nil
}

// Settle implements Windows.
func (m *MemoryWindows) Settle(_ context.Context, site string, ticket int64, answered []time.Time, unused int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := m.sites[site]
	if w == nil || w.tickets[ticket] == nil {
		return nil // older than its grace
	}
	t := w.tickets[ticket]
	t.n -= len(answered) + unused
	if t.n <= 0 {
		delete(w.tickets, ticket)
	}
	w.answered = append(w.answered, answered...)
	return nil
}
