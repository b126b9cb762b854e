package directory

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
)

// maxGroup is how many operations share a transaction at most. It bounds how long one of them can hold up a reader's
// view and what has to be done again when a transaction fails.
const maxGroup = 256

// committer puts the operations of many goroutines into common transactions. While one transaction runs, those who
// come in the meantime queue up, and one of them takes all that wait into the next. A commit is by far the dearest
// part of a small write, so sixteen writers cost little more than one, and one writer alone never waits.
//
// No goroutine is kept for it: the caller at the head of the queue does the work for those behind it.
type committer struct {
	run func(ctx context.Context, group []*operation)

	mu    sync.Mutex
	queue []*operation
	busy  bool // somebody is at work and will call the head of the queue
}

// operation is one caller's write and what came of it.
type operation struct {
	write func(*Tx) error
	err   error
	lead  chan struct{} // receives when it is this caller's turn to do the work
	done  chan struct{} // closed when err is final
}

// do runs write in a transaction and returns its error, or that of the commit.
func (c *committer) do(ctx context.Context, write func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	op := &operation{write: write, lead: make(chan struct{}, 1), done: make(chan struct{})}
	c.mu.Lock()
	c.queue = append(c.queue, op)
	first := !c.busy
	c.busy = true
	c.mu.Unlock()

	if !first {
		select {
		case <-op.done:
			return op.err
		case <-op.lead:
		case <-ctx.Done():
			if c.withdraw(op) {
				return ctx.Err()
			}
			<-op.done // somebody has taken it already: it may take effect, so its outcome is waited for
			return op.err
		}
	}

	c.mu.Lock()
	n := min(len(c.queue), maxGroup)
	group := slices.Clone(c.queue[:n])
	c.queue = slices.Delete(c.queue, 0, n)
	c.mu.Unlock()

	// The others' writes do not end because this caller's context does.
	c.run(context.WithoutCancel(ctx), group)

	c.mu.Lock()
	c.pass()
	c.mu.Unlock()
	for _, o := range group {
		close(o.done)
	}
	return op.err
}

// pass lets the head of the queue do the next group. The lock is held.
func (c *committer) pass() {
	if len(c.queue) == 0 {
		c.busy = false
		return
	}
	c.queue[0].lead <- struct{}{}
}

// withdraw takes an operation out of the queue and tells whether it was still there.
func (c *committer) withdraw(op *operation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.Index(c.queue, op)
	if i < 0 {
		return false
	}
	c.queue = slices.Delete(c.queue, i, i+1)
	select {
	case <-op.lead:
		c.pass()
	default:
	}
	return true
}

// errPartial undoes a transaction in which an operation gave up after it had written something.
var errPartial = errors.New("an operation was left half done")

// group runs operations in one transaction. An operation that is refused leaves the others alone, since it is refused
// before it writes. Should one fail halfway, or the transaction as a whole, each is done again by itself, and keeps
// the outcome it has then.
func (d *Directory) group(ctx context.Context, group []*operation) {
	err := d.db.Tx(ctx, func(tx *sql.Tx) error {
		t, err := d.begin(ctx, tx)
		if err != nil {
			return err
		}
		for _, op := range group {
			op.err = op.write(t)
			switch {
			case len(group) == 1 && op.err != nil:
				return op.err
			case t.broken:
				return errPartial
			}
		}
		return nil
	})
	if err == nil {
		return
	}
	if len(group) == 1 {
		group[0].err = err
		return
	}
	for i := range group {
		d.group(ctx, group[i:i+1])
	}
}

// refused tells the directory's own answers from failures of the database, after which PostgreSQL takes nothing more
// in the same transaction.
func refused(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid) || errors.Is(err, ErrAmbiguous)
}
