package store

import (
	"time"

	"github.com/rollcall-id/rollcall/internal/health"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Job is one provisioning job with its state (engine.R8, engine.R137). Times are UTC with microseconds.
type Job struct {
	ID       string // <template>.<installation>.<guid> (engine.R142)
	Name     string // unique without regard to case
	Template string // gallery id, "" for none

	File     []byte // the app file as it was applied, byte for byte
	FileDir  string // directory that relative paths in it start from
	FileHash string // of everything that decides what the file means; the same hash is no save (design 6.1)

	Saved         int64  // number of the saved version in force; grows with every save (engine.R160)
	Version       int64  // of the saved schema in force; grows with every save that changes mappings, filters or scope (D14)
	Paused        bool   // stopped by an administrator, or by too many failures in an initial cycle (engine.R16)
	Disabled      bool   // stopped after four weeks of quarantine (engine.R12)
	InitialDue    bool   // the next cycle is initial
	Asked         int64  // grows with everything that asks for an initial cycle, so that a cycle under way does not take it for itself
	Watermark     string // position in the source's change feed, "" for none
	Epoch         int64  // grows each time a process takes the job; older holders can write nothing
	Holder        string // who holds the job now, "" for nobody
	HeldUntil     time.Time
	NoReferences  bool             // the target dropped references in creates once: they are sent as updates for the rest of this job (D1)
	LastTotal     map[string]int64 // objects the target said it has, per kind, when it was listed last
	ConfirmedAt   time.Time        // when a reconciliation last compared all accounts with what was written to them (D3)
	ReconcileFrom time.Time        // when the interval to the next reconciliation began; zero before the initial cycle has ended
	Reconciled    *Reconciliation  // what the last one found, nil before the first
	Discovered    []byte           // what the target said of itself when the job was saved; JSON of connector.Discovery, opaque here
	Quarantine    *Quarantine
	Woken         bool         // somebody wants the next cycle at once, because held operations were allowed; a cycle that begins forgets it
	ResetDue      health.Reset // what a restart resets before the next cycle begins (engine.R20, R21)
	Pruned        bool         // failures were dropped at the end of an initial cycle (engine.R16 escrowsPruned)
	FailedRuns    int64        // cycles in a row that could not be carried to their end (engine.R137)
	LastClean     string       // id of the last cycle without any failure, "" for none
	LastExport    string       // id of the last cycle that wrote something, "" for none
	SteadyFirst   time.Time    // engine.R137 steadyStateFirstAchievedTime
	SteadyLast    time.Time
	Created       time.Time
	Updated       time.Time
}

// Reconciliation is what a comparison of a target's accounts with what was written to them has found (design D3).
type Reconciliation struct {
	At        time.Time `json:"at"`
	CycleID   string    `json:"cycle"`
	Accounts  int64     `json:"accounts"`  // listed
	Unmanaged int64     `json:"unmanaged"` // of them without a link: never touched
	Changed   int64     `json:"changed"`   // linked accounts that were changed in the target
	Corrected int64     `json:"corrected"` // of them those of which something was to be written back
	Missing   int64     `json:"missing"`   // linked accounts that the target no longer has
}

// AskInitial makes the next cycle initial, also when one is under way (engine section 3.3).
func (j *Job) AskInitial() {
	j.InitialDue, j.Watermark, j.ConfirmedAt = true, "", time.Time{}
	j.Asked++
}

// Quarantine is why a job is unhealthy (engine.R114).
type Quarantine = health.Quarantine

// Version is a job as it was saved once (engine section 20).
type Version struct {
	JobID   string
	Number  int64 // Job.Saved
	Mapped  int64 // Job.Version, which saves that changed neither mappings nor filters nor scope have in common
	At      time.Time
	Author  string
	File    []byte
	FileDir string // directory that relative paths in it start from
	Note    string // what made it: "applied", "imported", ...
}

// CycleType tells a full evaluation from one of changes only.
type CycleType string

// The cycle types.
const (
	Initial     CycleType = "initial"
	Incremental CycleType = "incremental"
	Undo        CycleType = "undo" // writes back what another cycle replaced (design D5)
)

// CycleState is the state of a cycle (engine.R138), with "Running" while it is under way.
type CycleState string

// The states of a cycle.
const (
	Running          CycleState = "Running"
	Succeeded        CycleState = "Succeeded"
	EntryLevelErrors CycleState = "EntryLevelErrors"
	Failed           CycleState = "Failed"
)

// Phase is how far a running cycle has come; a new process continues there.
type Phase string

// The phases, in order.
const (
	PhaseList   Phase = "list"   // list the target's accounts and compare them with what was written; only in a cycle that reconciles
	PhaseRead   Phase = "read"   // read the source, compare, evaluate; fills the work list; repeated from the start after a crash
	PhaseMatch  Phase = "match"  // find the accounts of objects without a link, decide the action
	PhaseExport Phase = "export" // write to the target, item by item
	PhaseDone   Phase = "done"
)

// Counts is what a cycle did, each object once (design 6.1).
type Counts struct {
	Imported  int64 `json:"imported"`
	InScope   int64 `json:"inScope"`
	Created   int64 `json:"created"`
	Updated   int64 `json:"updated"`
	Enabled   int64 `json:"enabled"`
	Disabled  int64 `json:"disabled"`
	Deleted   int64 `json:"deleted"`
	Staged    int64 `json:"staged"`
	Unchanged int64 `json:"unchanged"`
	Skipped   int64 `json:"skipped"`
	Failed    int64 `json:"failed"`
}

// Requests counts the calls to the target.
type Requests struct {
	Total     int64            `json:"total"`
	ByMethod  map[string]int64 `json:"byMethod"`
	Throttled int64            `json:"throttled"`
}

// Cycle is one pass of a job.
type Cycle struct {
	ID         string // GUID
	JobID      string
	Type       CycleType
	State      CycleState
	Phase      Phase
	Version    int64 // of the schema the cycle runs with (engine.R10)
	Began      time.Time
	Ended      time.Time // zero while running
	Counts     Counts
	Requests   Requests
	Planned    int64  // work items to export, for progress
	Done       int64  // of them finished
	Watermark  string // to be stored with the job when the cycle ends
	Held       string // why deprovisioning was held: "", "TooManyDeletes", "SourceEmpty", "SourceHalved", "SourceIncomplete"
	ErrorCode  string
	Error      string // job-level failure
	Plan       string // id of the saved plan that the cycle carries out, "" for none; a plan has one cycle at most
	Checkpoint []byte // JSON of the engine, opaque here
}

// LinkState is what the engine knows of a source object it has seen.
type LinkState int

// The states. Managed is Active only (design D6).
const (
	Unlinked LinkState = iota // seen, without an account: out of scope, skipped or failed
	Active                    // linked, the account is enabled
	Disabled                  // linked, disabled because the source object is; still managed
	Released                  // linked, disabled because it left scope or vanished; no longer managed (engine.R84)
)

// ObjectKey names a source object within a job.
type ObjectKey struct {
	Rule   string
	Anchor string // source anchor
}

// Object is what is kept of every source object seen, with its link (engine: connector data store).
type Object struct {
	ObjectKey
	Hash      [16]byte // of the source values the rules use; zero makes the next cycle evaluate the object
	State     LinkState
	Target    string    // target anchor; "" when unlinked
	Confirmed time.Time // when an export or a read last confirmed the projection
}

// Projection is the last exported values of a linked object, in a form of the engine.
type Projection struct {
	ObjectKey
	Name string // display name, for logs, staged lists and `why`
	Doc  []byte
}

// Link is a linked object with its last exported values. Name is "" and Doc nil when nothing was exported yet.
type Link struct {
	Object
	Name string
	Doc  []byte
}

// Member is one value of a multi-valued reference that was written to the target.
type Member struct {
	Owner  ObjectKey
	Attr   string
	Ref    identity.Ref // source side
	Target string       // anchor written
}

// Unresolved is a reference whose referent has no account yet (design D4).
type Unresolved struct {
	Owner ObjectKey
	Attr  string
	Ref   identity.Ref
}

// Escrow is one stored failure waiting for retry (engine.R102, engine.R103).
type Escrow struct {
	ObjectKey
	Name        string
	Hash        [16]byte // of the source object when it failed last
	Code        string
	Reason      string
	Reference   bool // counts as a reference failure (engine.R100)
	Attempts    int
	FirstFailed time.Time
	LastFailed  time.Time
	NextAttempt time.Time
}

// Staged is a deprovisioning operation that the guard holds (engine.R120).
type Staged struct {
	ObjectKey
	Name     string
	Target   string
	Action   string // "delete", "disable" or "removeMembers"
	Reason   string
	StagedAt time.Time
	CycleID  string
	Size     int64 // of removeMembers: how many are taken away; 0 otherwise
	Allowed  bool  // released by an administrator; executed by the next cycle
}

// Stage is how far one work item has come.
type Stage int

// The stages.
const (
	ToMatch  Stage = iota // in scope without a link: the account must be looked for
	ToSettle              // linked or matched; its references must be compared
	ToExport              // decided; waits for its turn
)

// WorkItem is one source object that a cycle has to do something about.
type WorkItem struct {
	ObjectKey
	Stage  Stage
	Pass   int    // order of passes in the export
	Depth  int    // within a pass: 0 first; a create comes after the create it refers to
	Parent string // source anchor that a create refers to (its manager), "" for none
	Action string // of package plan
	Target string // target anchor, "" until known
	Doc    []byte // of the engine, opaque here
}

// Position is a place in the export order of a cycle: Pass, Depth, Rule, Anchor.
type Position struct {
	Pass   int
	Depth  int
	Rule   string
	Anchor string
}

// IndexEntry is one account of the target in the match index (design D1).
type IndexEntry struct {
	Kind   identity.Kind
	Attr   string
	Value  string // folded
	Anchor string
	Doc    []byte // of the engine, opaque here: the account's attributes in use
}

// Found is a linked account that a cycle came across while it listed the target.
type Found struct {
	ObjectKey
	Doc []byte // JSON of the engine: what was changed in it; nil for nothing
}

// LogRecord is one record of the provisioning log (engine.R145). The columns that can be filtered on stand beside the
// document.
type LogRecord struct {
	ID         string // GUID
	JobID      string
	CycleID    string
	At         time.Time
	Action     string // create, update, delete, stageddelete, disable, other
	Status     string // success, failure, skipped, warning
	Rule       string
	SourceID   string
	SourceName string
	TargetID   string
	ErrorCode  string
	Doc        []byte // LogDetails when it is written; the whole record as JSON in Graph's form when it is read
}

// LogQuery filters the provisioning log; zero fields do not filter. Newest first unless Ascending.
type LogQuery struct {
	JobID, CycleID, Status, Action string
	Source                         string // equals the source id
	Identity                       string // equals the source or target id, or is contained in the name without regard to case
	Since, Until                   time.Time
	Ascending                      bool
	Limit                          int    // 0 means 1000
	After                          string // id of the last record of the page before
}

// Tally is the number of objects of a rule in a state.
type Tally struct {
	Rule  string
	State LinkState
	N     int64
}

// WorkCount is the number of work items of a cycle by pass, action and stage.
type WorkCount struct {
	Rule   string
	Pass   int
	Action string
	Stage  Stage
	N      int64
}

// Batch is a set of writes of one cycle that takes effect as a whole.
type Batch struct {
	JobID   string
	CycleID string
	Epoch   int64

	Work     []WorkItem  // inserted, or replaced whole
	Done     []ObjectKey // work items that are finished: removed
	Objects  []Object    // inserted, or replaced whole
	Touched  []Object    // Hash only, of existing objects
	Forget   []ObjectKey // first of all: object with projection, members it owns, unresolved references it owns, escrow and staged row
	Project  []Projection
	Members  []Member // written
	Unmember []Member // removed (Owner, Attr, Ref decide)

	Unresolved []Unresolved // added; existing ones stay
	Resolved   []Unresolved // removed

	Escrows   []Escrow // inserted or replaced
	Unescrow  []ObjectKey
	Staged    []Staged // inserted, or replaced but for StagedAt
	Unstage   []ObjectKey
	Log       []LogRecord
	Index     []IndexEntry
	Found     []Found // inserted or replaced
	DropIndex bool    // removes the cycle's index first
	Cycle     *Cycle  // inserted or replaced
}

// Sealed is a secret as it is stored: nobody can read it without the key.
type Sealed struct {
	JobID   string
	Name    string
	KeyID   string
	Value   []byte
	Updated time.Time
}

// Credential is what is known of the secret that a job proves itself with, without the secret.
type Credential struct {
	Fingerprint string    // tells it from others
	Since       time.Time // when it was first used
	Warned      int       // days before its end at which was last warned; 0 for not yet
}
