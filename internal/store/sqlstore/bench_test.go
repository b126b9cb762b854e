package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
	"github.com/rollcall-id/rollcall/internal/store/sqlstore"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

const (
	benchJob   = "scim.contoso.6f1d2a52-6c53-4c0e-9f6f-0a6f8f3d9d11"
	benchCycle = "0b6f0d5e-3f0b-4ad0-8b59-27a2f2a6c9a1"
)

func databases(b *testing.B, run func(b *testing.B, s *sqlstore.Store)) {
	for name, open := range map[string]func(testing.TB) *database.DB{"SQLite": onSQLite, "PostgreSQL": testbed.PostgresDatabase} {
		b.Run(name, func(b *testing.B) {
			s := sqlstore.New(open(b))
			if err := s.CreateJob(b.Context(), store.Job{ID: benchJob, Name: "bench", Epoch: 1}); err != nil {
				b.Fatal(err)
			}
			commit(b, s, &store.Batch{Cycle: &store.Cycle{ID: benchCycle, JobID: benchJob}})
			run(b, s)
		})
	}
}

func commit(b *testing.B, s *sqlstore.Store, batch *store.Batch) {
	b.Helper()
	batch.JobID, batch.CycleID, batch.Epoch = benchJob, benchCycle, 1
	if err := s.Commit(b.Context(), batch); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCommit writes what creating 200 accounts leaves behind: 1,000 rows of five sorts. The export goes by anchor;
// the ids that a target gives come in no order.
func BenchmarkCommit(b *testing.B) {
	databases(b, func(b *testing.B, s *sqlstore.Store) {
		doc := make([]byte, 600)
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		n, rows := 0, 0
		for b.Loop() {
			var batch store.Batch
			for range 200 {
				n++
				anchor, target := benchKey(n).Anchor, uuid.NewString()
				k := store.ObjectKey{Rule: "users", Anchor: anchor}
				at = at.Add(time.Millisecond)
				batch.Work = append(batch.Work, store.WorkItem{ObjectKey: k, Stage: store.ToExport, Action: "create", Doc: doc[:200]})
				batch.Objects = append(batch.Objects, store.Object{ObjectKey: k, State: store.Active, Target: target, Confirmed: at})
				batch.Project = append(batch.Project, store.Projection{ObjectKey: k, Name: "Somebody", Doc: doc})
				batch.Members = append(batch.Members, store.Member{Owner: store.ObjectKey{Rule: "groups", Anchor: "g"}, Attr: "members", Ref: identity.Ref{Kind: identity.User, Anchor: anchor}, Target: target})
				batch.Log = append(batch.Log, store.LogRecord{ID: uuid.Must(uuid.NewV7()).String(), JobID: benchJob, CycleID: benchCycle, At: at, Action: "create", Status: "success", Rule: "users", SourceID: anchor, SourceName: "Somebody", TargetID: target, Doc: doc})
			}
			commit(b, s, &batch)
			rows += 1000
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(rows), "ns/row")
	})
}

// BenchmarkObjects scans the objects of a rule, as a compare does (design D15).
func BenchmarkObjects(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			databases(b, func(b *testing.B, s *sqlstore.Store) {
				fill(b, s, n, func(batch *store.Batch, i int) {
					batch.Objects = append(batch.Objects, store.Object{ObjectKey: benchKey(i), Hash: [16]byte{1, 2, 3}, State: store.Active, Target: fmt.Sprintf("t%035d", i), Confirmed: time.UnixMicro(1)})
				})
				for b.Loop() {
					count := 0
					for _, err := range s.Objects(b.Context(), benchJob, "users") {
						if err != nil {
							b.Fatal(err)
						}
						count++
					}
					if count != n {
						b.Fatalf("%d objects, want %d", count, n)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
			})
		})
	}
}

// BenchmarkSetDepths orders a first load of 100,000 users with managers (design D1).
func BenchmarkSetDepths(b *testing.B) {
	const n = 100_000
	databases(b, func(b *testing.B, s *sqlstore.Store) {
		for b.Loop() {
			b.StopTimer()
			fill(b, s, n, func(batch *store.Batch, i int) {
				item := store.WorkItem{ObjectKey: benchKey(i * 7919 % n), Stage: store.ToExport, Action: "create", Doc: make([]byte, 400)}
				if i > 0 {
					item.Parent = benchKey(i / 8 * 7919 % n).Anchor
				}
				batch.Work = append(batch.Work, item)
			})
			b.StartTimer()
			if _, err := s.SetDepths(b.Context(), benchCycle, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkRecordsOfACycle looks for failures of a cycle that wrote little, in a job whose log is long: what every run
// ends with (P9).
func BenchmarkRecordsOfACycle(b *testing.B) {
	databases(b, func(b *testing.B, s *sqlstore.Store) {
		at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		fill(b, s, 100_000, func(batch *store.Batch, i int) {
			batch.Log = append(batch.Log, store.LogRecord{ID: uuid.Must(uuid.NewV7()).String(), JobID: benchJob, CycleID: benchCycle, At: at.Add(time.Duration(i) * time.Millisecond),
				Action: "create", Status: "success", Rule: "users", SourceID: fmt.Sprint(i), SourceName: "Somebody", TargetID: fmt.Sprint(i), Doc: make([]byte, 600)})
		})
		for b.Loop() {
			got, err := s.Records(b.Context(), store.LogQuery{JobID: benchJob, CycleID: "another", Status: "failure", Ascending: true, Limit: 10})
			if err != nil || len(got) != 0 {
				b.Fatal(len(got), err)
			}
		}
	})
}

func benchKey(i int) store.ObjectKey {
	return store.ObjectKey{Rule: "users", Anchor: fmt.Sprintf("%08x-1234-5678-9abc-def012345678", i)}
}

func fill(b *testing.B, s *sqlstore.Store, n int, add func(*store.Batch, int)) {
	b.Helper()
	for from := 0; from < n; from += 10_000 {
		var batch store.Batch
		for i := from; i < min(n, from+10_000); i++ {
			add(&batch, i)
		}
		commit(b, s, &batch)
	}
}
