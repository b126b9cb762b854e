package directory_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/database/sqlite"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// company makes n users, a group for every hundred of them and one for every ten groups that is assigned.
func company(b *testing.B, n int) *directory.Directory {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "rollcall.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	d := directory.New(db, directory.Config{})
	for from := 0; from < n; from += 10_000 {
		err := d.Batch(b.Context(), func(tx *directory.Tx) error {
			var members []identity.Ref
			for i := from; i < from+10_000; i++ {
				e, err := tx.CreateUser(attrs("userPrincipalName", fmt.Sprintf("user%d@example.com", i), "displayName", fmt.Sprint("User ", i), "givenName", "Guy",
					"surname", "Gilbert", "mail", fmt.Sprintf("user%d@example.com", i), "department", "Production", "jobTitle", "Production Technician", "employeeId", fmt.Sprint(i)))
				if err != nil {
					return err
				}
				members = append(members, user(e.Anchor))
				if len(members) < 100 {
					continue
				}
				g, err := tx.CreateGroup(attrs("displayName", fmt.Sprint("Group ", i)))
				if err != nil {
					return err
				}
				if err := tx.AddMembers(g.Anchor, members...); err != nil {
					return err
				}
				members = nil
				if i%1000 == 999 {
					if _, _, err := tx.Assign("app", group(g.Anchor), ""); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	return d
}

var userRequest = connector.ReadRequest{Kind: identity.User,
	Attrs: []string{"userPrincipalName", "displayName", "givenName", "surname", "mail", "department", "jobTitle", "employeeId", "manager", "accountEnabled"}}

// BenchmarkScan reads all users with their entitlements.
func BenchmarkScan(b *testing.B) {
	const n = 100_000
	d := company(b, n)
	b.ReportAllocs()
	for b.Loop() {
		users, assigned := 0, 0
		for item, err := range d.Scan(b.Context(), userRequest, "app") {
			if err != nil {
				b.Fatal(err)
			}
			users++
			if item.Object.Assignment.Assigned {
				assigned++
			}
		}
		if users != n || assigned != n/10 {
			b.Fatal(users, assigned)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/user")
}

// BenchmarkChanges reads a hundred changes; it must not take longer among many users than among few (P6).
func BenchmarkChanges(b *testing.B) {
	for _, n := range []int{10_000, 200_000} {
		b.Run(fmt.Sprint("among ", n), func(b *testing.B) {
			d := company(b, n)
			since, err := d.Position(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			list, err := d.Users(b.Context(), directory.Query{Limit: 100})
			if err != nil {
				b.Fatal(err)
			}
			for _, e := range list.Entries {
				if _, err := d.UpdateUser(b.Context(), e.Anchor, attrs("jobTitle", "changed")); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				changed := 0
				for _, err := range d.Changes(b.Context(), userRequest, "app", since) {
					if err != nil {
						b.Fatal(err)
					}
					changed++
				}
				if changed != 100 {
					b.Fatal(changed)
				}
			}
		})
	}
}
