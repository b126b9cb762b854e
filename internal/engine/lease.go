package engine

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// lease is this process's right to work on a job (design D13, I9). It is asked for before each call to the target and
// while the source is read, and answers from memory as long as nobody else can have taken the job; before the time
// comes when somebody could, the hold is renewed, and a process that has lost it makes no further call.
type lease struct {
	*Engine
	job   store.Job
	renew atomic.Int64  // when the hold must be renewed, in nanoseconds of Unix time
	turn  chan struct{} // holds one token: whose turn it is to renew
}

func newLease(e *Engine, j store.Job) *lease {
	l := &lease{Engine: e, job: j, turn: make(chan struct{}, 1)}
	l.renew.Store(l.renewAt(e.Now()))
	l.turn <- struct{}{}
	return l
}

// renewAt is when a hold that was taken at a time is to be renewed: with half of holdFor left, so that a call that
// begins before ends while the job is still held.
func (l *lease) renewAt(taken time.Time) int64 { return taken.Add(l.Slice + holdFor/2).UnixNano() }

// leaseError is a hold that is lost or could not be renewed: the process has to stop.
type leaseError struct{ err error }

func (e *leaseError) Error() string { return e.err.Error() }
func (e *leaseError) Unwrap() error { return e.err }

// keep makes sure that the job is still this process's; store.ErrStale when it is not.
func (l *lease) keep(ctx context.Context) error {
	if l.Now().UnixNano() < l.renew.Load() {
		return nil
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.turn:
	}
	defer func() { l.turn <- struct{}{} }()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if l.Now().UnixNano() < l.renew.Load() { // another worker has renewed it
		return nil
	}
	_, err := l.take(ctx)
	return err
}

// take renews the hold and returns the job as it is now. A job that another process had in between has another epoch, and
// what is remembered of its cycle is out of date.
func (l *lease) take(ctx context.Context) (store.Job, error) {
	now := l.Now()
	j, err := l.Store.Hold(ctx, l.job.ID, l.Holder, now, now.Add(l.Slice+holdFor))
	if err == nil && j.Epoch != l.job.Epoch {
		err = store.ErrStale
	}
	if err != nil {
		return j, &leaseError{fmt.Errorf("job %s: keep it: %w", l.job.Name, err)}
	}
	l.renew.Store(l.renewAt(now))
	return j, nil
}

// leased is a target that is called only while the lease lasts.
type leased struct {
	connector.Target
	lease *lease
}

// leasedLister is one that can list.
type leasedLister struct {
	leased
	lister connector.Lister
}

// ability finds what a target can do beside the contract of all targets, behind the lease too: only for what makes no call.
func ability[T any](t connector.Target) (T, bool) {
	if l, ok := t.(interface{ unleased() connector.Target }); ok {
		t = l.unleased()
	}
	can, ok := t.(T)
	return can, ok
}

// guard puts the lease before a target.
func (l *lease) guard(t connector.Target) connector.Target {
	g := leased{Target: t, lease: l}
	if lister, ok := t.(connector.Lister); ok {
		return leasedLister{g, lister}
	}
	return g
}

func (t leased) unleased() connector.Target { return t.Target }

func (t leased) Probe(ctx context.Context) (connector.Caps, error) {
	if err := t.lease.keep(ctx); err != nil {
		return connector.Caps{}, err
	}
	return t.Target.Probe(ctx)
}

func (t leased) Find(ctx context.Context, kind identity.Kind, attr, value string, limit int) ([]*identity.Object, error) {
	if err := t.lease.keep(ctx); err != nil {
		return nil, err
	}
	return t.Target.Find(ctx, kind, attr, value, limit)
}

func (t leased) Get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error) {
	if err := t.lease.keep(ctx); err != nil {
		return nil, err
	}
	return t.Target.Get(ctx, kind, anchor)
}

func (t leased) Create(ctx context.Context, obj *identity.Object) (*identity.Object, error) {
	if err := t.lease.keep(ctx); err != nil {
		return nil, err
	}
	return t.Target.Create(ctx, obj)
}

func (t leased) Update(ctx context.Context, u connector.Update) (*identity.Object, error) {
	if err := t.lease.keep(ctx); err != nil {
		return nil, err
	}
	return t.Target.Update(ctx, u)
}

func (t leased) Delete(ctx context.Context, kind identity.Kind, anchor string) error {
	if err := t.lease.keep(ctx); err != nil {
		return err
	}
	return t.Target.Delete(ctx, kind, anchor)
}

// List implements connector.Lister.
func (t leasedLister) List(ctx context.Context, kind identity.Kind, cursor string) (connector.Page, error) {
	if err := t.lease.keep(ctx); err != nil {
		return connector.Page{}, err
	}
	return t.lister.List(ctx, kind, cursor)
}
