package engine

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Store is what the engine needs of the state.
type Store interface {
	store.Jobs
	store.Holds
	store.Cycles
	store.Log
	store.Writer
	store.Objects
	store.Links
	store.Projections
	store.Held
	store.Resets
	store.Work
	store.Log
}

// Scratch keeps the work list of a plan, which must leave no trace in the state.
type Scratch interface {
	store.Writer
	store.Work
}

// Config is what an Engine is made with.
type Config struct {
	Store   Store
	Scratch func(ctx context.Context, j store.Job) (s Scratch, discard func() error, err error) // opens a scratch store that holds just this job, for a plan
	TempDir string                                                                              // for spool files; "" means the system's
	Now     func() time.Time
	NewID   func() string // a new GUID
	Rand    io.Reader     // of Guid and RandomString in mappings; nil means the system's cryptographic random numbers
	Logger  *slog.Logger

	Holder string // names this process to others that want the same job

	// Ended tells whether the process that a holder names is known to have ended; a job that it still holds is then taken
	// over at once. nil means that nobody knows, and its time is waited for.
	Ended func(holder string) bool

	Slice time.Duration // longest time between two checkpoints (design D13); 0 means 30 s

	// Progress is called at most some ten times a second while a cycle runs; nil means nobody looks.
	Progress func(Progress)
}

// Engine runs cycles. It holds nothing about a cycle between slices; several may run over one store.
type Engine struct{ Config }

// New returns an engine with the defaults of zero fields filled in.
func New(c Config) *Engine {
	if c.Slice == 0 {
		c.Slice = 30 * time.Second
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{Config: c}
}

// Subject is a job opened for a cycle: its definition, its two ends, and what is known of them.
type Subject struct {
	Job          store.Job
	Def          job.Job
	Source       connector.Source
	Target       connector.Target
	TargetSchema schema.Schema // empty when unknown
	Meter        *connector.Meter
	Before       connector.Count                                           // calls made for this cycle before it began, such as discovery; they count as its own (design 6.1)
	Earlier      func(ctx context.Context, version int64) (Subject, error) // opens the job as a version was saved (store.Job.Version); nil when none can be had
	Unready      error                                                     // an end that could not be opened: the cycle fails with it, and makes no call
	SourceName   string                                                    // for log records
	TargetName   string
}

// counted is the reading of the meter from which calls belong to the cycle that begins now.
func (s *Subject) counted() connector.Count {
	was := s.Meter.Read()
	if was.ByMethod == nil {
		was.ByMethod = map[string]int64{}
	}
	for method, n := range s.Before.ByMethod {
		was.ByMethod[method] -= n
	}
	was.Throttled -= s.Before.Throttled
	return was
}

// Options say how one cycle differs from the usual.
type Options struct {
	Initial   bool       // force an initial cycle
	Reconcile bool       // compare the target's accounts with what was written to them now (design D3)
	Plan      *SavedPlan // carried out exactly, or not at all
	At        time.Time  // clock of expressions; zero means that of the engine
	Undo      string     // cycle whose writes are taken back, instead of a cycle over the source (design D5)
	Manual    bool       // asked for by a person: every stored failure is retried at once (design D17)
}

// Progress tells how far a cycle has come.
type Progress struct {
	Job     string
	Phase   store.Phase
	Done    int64
	Total   int64         // 0 while unknown
	Waiting time.Duration // the target's allowance is used up for so long; 0 when working
	Calls   int64
}
