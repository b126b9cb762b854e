package store

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Errors that every implementation returns; test with errors.Is.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("exists already")
	ErrStale    = errors.New("held by another process") // the epoch of a batch or a hold is no longer the job's
)

// Jobs keeps jobs and the versions of their app files.
type Jobs interface {
	// CreateJob stores a new job; ErrConflict when its name (without regard to case) or id exists.
	CreateJob(ctx context.Context, j Job) error
	// Job returns the job with this id or, failing that, this name; ErrNotFound.
	Job(ctx context.Context, idOrName string) (Job, error)
	// Jobs returns all jobs by name.
	Jobs(ctx context.Context) ([]Job, error)
	// UpdateJob changes a job in one transaction. change may be called twice. Epoch, Holder and HeldUntil are kept.
	UpdateJob(ctx context.Context, id string, change func(*Job) error) (Job, error)
	// DeleteJob removes a job with all its state and log; ErrNotFound.
	DeleteJob(ctx context.Context, id string) error
	// Versions returns the saved versions of a job, newest first. AddVersion stores one.
	Versions(ctx context.Context, jobID string) ([]Version, error)
}

// VersionWriter stores saved versions.
type VersionWriter interface {
	AddVersion(ctx context.Context, v Version) error
}

// Holds gives a job to one process at a time (design D13, I9).
type Holds interface {
	// Hold takes the job for holder until the time given and returns it with a new epoch. A job that another holder
	// holds past now is ErrStale. The same holder holding again keeps the epoch and moves the time.
	Hold(ctx context.Context, jobID, holder string, now, until time.Time) (Job, error)
	// Release gives the job back if holder still holds it.
	Release(ctx context.Context, jobID, holder string) error
}

// Cycles reads cycles.
type Cycles interface {
	Cycle(ctx context.Context, id string) (Cycle, error)
	// CyclesOf returns the newest cycles of a job, newest first.
	CyclesOf(ctx context.Context, jobID string, limit int) ([]Cycle, error)
	// CycleOfPlan returns the cycle that carries or has carried a saved plan out; ErrNotFound.
	CycleOfPlan(ctx context.Context, plan string) (Cycle, error)
}

// Writer writes everything a cycle produces.
type Writer interface {
	// Commit applies the batch in one transaction; ErrStale when the job's epoch is not the batch's.
	Commit(ctx context.Context, b *Batch) error
}

// Objects reads what is known of source objects.
type Objects interface {
	// Objects delivers all objects of a rule in the byte order of their anchors.
	Objects(ctx context.Context, jobID, rule string) iter.Seq2[Object, error]
	// Seen delivers the same objects with their keys, hashes and states only, which is all that a compare needs.
	Seen(ctx context.Context, jobID, rule string) iter.Seq2[Object, error]
	// ObjectsByAnchor returns those of the objects that are known, by anchor.
	ObjectsByAnchor(ctx context.Context, jobID, rule string, anchors []string) (map[string]Object, error)
	// Unsettled returns the anchors of the objects of a rule that the next cycle has to evaluate whatever the source says
	// has changed: their hash is zero. Released ones are not among them.
	Unsettled(ctx context.Context, jobID, rule string) ([]string, error)
	// Owners returns which source object each of the target anchors is linked to, by target anchor.
	Owners(ctx context.Context, jobID, rule string, targets []string) (map[string]string, error)
	// Tallies counts objects by rule and state.
	Tallies(ctx context.Context, jobID string) ([]Tally, error)
}

// Links reads links together with what was exported last.
type Links interface {
	// Links delivers the linked objects of a rule in the byte order of their anchors.
	Links(ctx context.Context, jobID, rule string) iter.Seq2[Link, error]
}

// Projections reads last exported values.
type Projections interface {
	// Projections returns those that are known, by anchor.
	Projections(ctx context.Context, jobID, rule string, anchors []string) (map[string]Projection, error)
	// Members returns the members written for an owner, in the order of kind and anchor.
	Members(ctx context.Context, jobID string, owner ObjectKey, attr string) ([]Member, error)
	// MembersOf returns the owners that an object was written to as a member, once each, by rule and anchor.
	MembersOf(ctx context.Context, jobID string, ref identity.Ref) ([]ObjectKey, error)
	// Memberships returns the members written that stand for one of the referents, by owner. It reads all members of the
	// job, so it is for the few accounts that are made again or enabled.
	Memberships(ctx context.Context, jobID string, refs []identity.Ref) ([]Member, error)
	// CountMembers counts the members written by the whole job.
	CountMembers(ctx context.Context, jobID string) (int64, error)
	// Unresolved delivers the references of a job that wait for their referent, in the order of the referents.
	Unresolved(ctx context.Context, jobID string) iter.Seq2[Unresolved, error]
	// UnresolvedOf returns those of one owner.
	UnresolvedOf(ctx context.Context, jobID string, owner ObjectKey) ([]Unresolved, error)
}

// Held reads failures and staged operations.
type Held interface {
	// Escrows returns the failures of a job by rule and anchor.
	Escrows(ctx context.Context, jobID string) ([]Escrow, error)
	// Staged returns the held operations of a job by rule and anchor.
	Staged(ctx context.Context, jobID string) ([]Staged, error)
	// AllowStaged releases held operations: those with the keys given, all without keys. It returns how many.
	AllowStaged(ctx context.Context, jobID string, keys []ObjectKey) (int64, error)
}

// Resets forgets parts of what is kept of a job's objects (engine.R20).
type Resets interface {
	// Reset forgets, piece by piece, what the set says; it may be repeated after it was cut short. ErrStale when the job's
	// epoch is another one.
	//   ConnectorDataStore: all objects with their links, projections, members, unresolved references and staged rows.
	//   Escrows: all failures. Their objects are not looked at again until they change.
	//   Watermark: the hashes of all objects, so that the next cycle evaluates everybody.
	// The rest of the set is of the job's row, and no concern of this method.
	Reset(ctx context.Context, jobID string, epoch int64, what health.Reset) error
}

// Work is the work list of cycles and their match index.
type Work interface {
	// WorkAt returns up to limit items of a cycle in one of the stages, in export order, after a position;
	// a nil position starts at the beginning.
	WorkAt(ctx context.Context, cycleID string, stages []Stage, after *Position, limit int) ([]WorkItem, error)
	// WorkByAnchor returns those items of a rule that exist, by anchor.
	WorkByAnchor(ctx context.Context, cycleID, rule string, anchors []string) (map[string]WorkItem, error)
	// SetDepths gives every item of the pass its depth: 0 for an item whose parent is no item of the same pass and
	// rule, else one more than its parent's. Items on a cycle of parents are cut at the smallest anchor of the cycle;
	// it returns the keys of the items cut, which no longer wait for their parent.
	SetDepths(ctx context.Context, cycleID string, pass int) ([]ObjectKey, error)
	// CountWork counts the items of a cycle.
	CountWork(ctx context.Context, cycleID string) ([]WorkCount, error)
	// Found delivers the accounts of a rule that the cycle has found, in the byte order of their source anchors.
	Found(ctx context.Context, cycleID, rule string) iter.Seq2[Found, error]
	// ClearWork removes all items, the index and the accounts found of a cycle.
	ClearWork(ctx context.Context, cycleID string) error
	// Indexed returns the entries of the cycle's match index with these folded values, by value.
	Indexed(ctx context.Context, cycleID string, kind identity.Kind, attr string, values []string) (map[string][]IndexEntry, error)
}

// Log reads the provisioning log.
type Log interface {
	// Records returns records in the order of the query.
	Records(ctx context.Context, q LogQuery) ([]LogRecord, error)
	// Prune removes records older than the time and returns how many.
	Prune(ctx context.Context, before time.Time) (int64, error)
}

// Windows keeps the sliding windows of rate-limited sites (design D2), shared by all processes on the database.
type Windows interface {
	// Reserve grants up to n calls to a site of which limit may stand in any window, and returns a ticket for them.
	// With nothing to grant it returns the time until the first call leaves the window. Calls of a ticket that is
	// never settled leave the window when they are older than window plus grace.
	Reserve(ctx context.Context, site string, n, limit int, window, grace time.Duration, now time.Time) (granted int, ticket int64, wait time.Duration, err error)
	// Settle says when the answers of calls of a ticket came (design D2: a call leaves the window that much later);
	// unused calls are given back.
	Settle(ctx context.Context, site string, ticket int64, answered []time.Time, unused int) error
}

// Sites reads what is known of rate-limited sites.
type Sites interface {
	// Standing returns how many calls stand in the window of a site at a time; 0 for a site that nobody has called.
	Standing(ctx context.Context, site string, now time.Time) (int, error)
}

// Secrets keeps sealed secrets of jobs. It cannot open them.
type Secrets interface {
	// Sealed returns the secret of a job with this name; ErrNotFound.
	Sealed(ctx context.Context, jobID, name string) (Sealed, error)
	// KeepSealed stores a secret in place of the one before it. ErrNotFound when the job is gone.
	KeepSealed(ctx context.Context, v Sealed) error
	// SealedKeys returns the ids of the keys that stored secrets are sealed with, each once, in order.
	SealedKeys(ctx context.Context) ([]string, error)
	// HoldSealed gives the right to change a secret, whether there is one or not, to holder until the time given; ErrStale
	// when another holds it past now.
	HoldSealed(ctx context.Context, jobID, name, holder string, now, until time.Time) error
	// ReleaseSealed gives the right back if holder still has it.
	ReleaseSealed(ctx context.Context, jobID, name, holder string) error
}

// Credentials keeps since when a job's credential is the one it is.
type Credentials interface {
	// Credential returns what is known; ErrNotFound before the first SetCredential.
	Credential(ctx context.Context, jobID string) (Credential, error)
	// SetCredential stores it in place of what was known. ErrNotFound when the job is gone.
	SetCredential(ctx context.Context, jobID string, c Credential) error
}
