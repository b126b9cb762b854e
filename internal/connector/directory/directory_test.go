package directory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/conntest"
	connected "github.com/rollcall-id/rollcall/internal/connector/directory"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/testbed"
)

var (
	_ connected.Reader = (*directory.Directory)(nil)
	_ connected.Writer = (*directory.Directory)(nil)
	_ connected.Bin    = (*directory.Directory)(nil)
)

type opener func(t testing.TB) *directory.Directory

func onSQLite(t testing.TB) *directory.Directory {
	t.Helper()
	return directory.New(testbed.ScratchDatabase(t), directory.Config{})
}

func onPostgres(t testing.TB) *directory.Directory {
	t.Helper()
	return directory.New(testbed.PostgresDatabase(t), directory.Config{})
}

// onBoth runs a test over SQLite and over PostgreSQL.
func onBoth(t *testing.T, test func(t *testing.T, open opener)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, onSQLite) })
	t.Run("postgres", func(t *testing.T) { test(t, onPostgres) })
}

func attrs(list ...any) identity.Attrs {
	var out identity.Attrs
	for i := 0; i < len(list); i += 2 {
		out = append(out, identity.Attr{Name: list[i].(string), Value: list[i+1]})
	}
	return out
}

func must[T any](t testing.TB) func(T, error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func user(id string) identity.Ref { return identity.Ref{Kind: identity.User, Anchor: id} }

// people fills a directory with three users, one of them soft-deleted, and two groups; the group is assigned.
func people(t testing.TB, d *directory.Directory) (ada, bob, cid, team directory.Entry) {
	t.Helper()
	ctx, entry := t.Context(), must[directory.Entry](t)
	ada = entry(d.CreateUser(ctx, attrs("userPrincipalName", "ada@example.com", "displayName", `Adä "quoted", 🚀`, "employeeId", "1")))
	bob = entry(d.CreateUser(ctx, attrs("userPrincipalName", "bob@example.com", "displayName", "Bob", "manager", user(ada.Anchor), "accountEnabled", false)))
	cid = entry(d.CreateUser(ctx, attrs("userPrincipalName", "cid_home.example#EXT#@example.com", "displayName", "Cid", "otherMails", []any{"a@x", "b@x"})))
	team = entry(d.CreateGroup(ctx, attrs("displayName", "Team", "members", []any{user(bob.Anchor), user(ada.Anchor)})))
	entry(d.CreateGroup(ctx, attrs("displayName", "Empty")))
	entry(d.CreateGroup(ctx, attrs("displayName", "Nested", "members", []any{identity.Ref{Kind: identity.Group, Anchor: team.Anchor}})))
	if err := d.DeleteUser(ctx, cid.Anchor); err != nil {
		t.Fatal(err)
	}
	if _, _, err := d.Assign(ctx, "job-1", identity.Ref{Kind: identity.Group, Anchor: team.Anchor}, ""); err != nil {
		t.Fatal(err)
	}
	return ada, bob, cid, team
}

func TestSourceKeepsTheContract(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		t.Run("users", func(t *testing.T) {
			conntest.RunSource(t, func(t *testing.T) conntest.SourceCase {
				d := open(t)
				ada, bob, cid, _ := people(t, d)
				yes, no := &identity.Assignment{Assigned: true}, &identity.Assignment{}
				return conntest.SourceCase{
					Source: connected.NewSource(d, connector.Env{Job: "job-1"}), Kind: identity.User,
					Attrs: []string{"manager", "userPrincipalName", "accountEnabled", "otherMails", "originalUserPrincipalName", "employeeId", "jobTitle"},
					Want: []*identity.Object{
						{Kind: identity.User, Anchor: ada.Anchor, Assignment: yes, Attrs: attrs("userPrincipalName", "ada@example.com",
							"originalUserPrincipalName", "ada@example.com", "accountEnabled", true, "employeeId", "1")},
						{Kind: identity.User, Anchor: bob.Anchor, Assignment: yes, Disabled: true, Attrs: attrs("userPrincipalName", "bob@example.com",
							"originalUserPrincipalName", "bob@example.com", "accountEnabled", false, "manager", user(ada.Anchor))},
						{Kind: identity.User, Anchor: cid.Anchor, Assignment: no, SoftDeleted: true, Attrs: attrs("userPrincipalName", "cid@home.example",
							"originalUserPrincipalName", "cid_home.example#EXT#@example.com", "accountEnabled", true, "otherMails", []any{"a@x", "b@x"})},
					},
					Change: func(ctx context.Context) (*identity.Object, error) {
						_, err := d.UpdateUser(ctx, ada.Anchor, attrs("jobTitle", "Countess", "employeeId", nil))
						return &identity.Object{Kind: identity.User, Anchor: ada.Anchor, Assignment: yes, Attrs: attrs("userPrincipalName", "ada@example.com",
							"originalUserPrincipalName", "ada@example.com", "accountEnabled", true, "jobTitle", "Countess")}, err
					},
					Remove: func(ctx context.Context) (string, error) { return cid.Anchor, d.PurgeUser(ctx, cid.Anchor) },
				}
			})
		})
		t.Run("groups", func(t *testing.T) {
			conntest.RunSource(t, func(t *testing.T) conntest.SourceCase {
				d := open(t)
				ada, bob, _, team := people(t, d)
				var want []*identity.Object
				for item, err := range d.Scan(t.Context(), connector.ReadRequest{Kind: identity.Group, Attrs: []string{"displayName"}}, "") {
					if err != nil {
						t.Fatal(err)
					}
					o := item.Object
					o.Assignment = &identity.Assignment{Assigned: o.Anchor == team.Anchor}
					switch o.Text("displayName") {
					case "Team":
						o.Attrs.Set("members", []any{user(ada.Anchor), user(bob.Anchor)})
					case "Nested":
						o.Attrs.Set("members", []any{identity.Ref{Kind: identity.Group, Anchor: team.Anchor}})
					}
					want = append(want, o)
				}
				return conntest.SourceCase{
					Source: connected.NewSource(d, connector.Env{Job: "job-1"}), Kind: identity.Group, Attrs: []string{"displayName", "members"}, Want: want,
					Change: func(ctx context.Context) (*identity.Object, error) {
						nested := want[slices.IndexFunc(want, func(o *identity.Object) bool { return o.Text("displayName") == "Nested" })]
						err := d.AddMembers(ctx, nested.Anchor, user(bob.Anchor)) // which is in no other group that would change with it
						return &identity.Object{Kind: identity.Group, Anchor: nested.Anchor, Assignment: &identity.Assignment{},
							Attrs: attrs("displayName", "Nested", "members", []any{user(bob.Anchor), identity.Ref{Kind: identity.Group, Anchor: team.Anchor}})}, err
					},
					Remove: func(ctx context.Context) (string, error) {
						for _, o := range want {
							if o.Text("displayName") == "Empty" {
								return o.Anchor, d.PurgeGroup(ctx, o.Anchor)
							}
						}
						return "", errors.New("no group is empty")
					},
				}
			})
		})
	})
}

func TestGuestsAreDeliveredWithTheirHomeAddress(t *testing.T) { // engine.R46
	d := onSQLite(t)
	stored := []string{"anna_smith_home.example#EXT#@example.com", "plain@example.com", "b_c.example#ext#@example.com", "nounderscore#EXT#@example.com", "_x#EXT#@example.com"}
	want := []string{"anna_smith@home.example", "plain@example.com", "b@c.example", "nounderscore#EXT#@example.com", "_x#EXT#@example.com"}
	for _, upn := range stored {
		must[directory.Entry](t)(d.CreateUser(t.Context(), attrs("userPrincipalName", upn, "displayName", "x")))
	}
	s := connected.NewSource(d, connector.Env{})
	for _, names := range [][]string{
		{"userPrincipalName", "displayName", "originalUserPrincipalName"}, {"originalUserPrincipalName", "userPrincipalName"},
		{"displayName", "originalUserPrincipalName"}, {"displayName", "userPrincipalName"},
	} {
		i := 0
		for item, err := range s.Read(t.Context(), connector.ReadRequest{Kind: identity.User, Attrs: names}) {
			if err != nil {
				t.Fatal(err)
			}
			all := map[string]any{"displayName": "x", "userPrincipalName": want[i], "originalUserPrincipalName": stored[i]}
			var expect identity.Attrs
			for _, n := range names {
				expect = append(expect, identity.Attr{Name: n, Value: all[n]})
			}
			if diff := cmp.Diff(expect, item.Object.Attrs); diff != "" {
				t.Errorf("%s asked for %q (- want, + got):\n%s", stored[i], names, diff)
			}
			i++
		}
		if i != len(stored) {
			t.Fatalf("%d users", i)
		}
	}
}

func TestSchemaHasTheOwnAttributesOfTheJob(t *testing.T) {
	env := connector.Env{Uses: []connector.Use{{Kind: identity.User, Attributes: []schema.Attribute{{Name: "extension_badge"}, {Name: "mistyped"}}}}}
	d := onSQLite(t)
	for what, read := range map[string]func(context.Context) (schema.Schema, error){
		"source": connected.NewSource(d, env).Schema, "target": connected.NewTarget(d, env).Schema,
	} {
		s := must[schema.Schema](t)(read(t.Context()))
		users, _ := s.Object(identity.User)
		for name, want := range map[string]bool{"extension_badge": true, "mistyped": false, "userPrincipalName": true, "extensionAttribute15": true,
			"originalUserPrincipalName": what == "source"} {
			if _, ok := users.Attribute(name); ok != want {
				t.Errorf("%s: the schema has %s: %v", what, name, ok)
			}
		}
	}
}

func TestTarget(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		object := must[*identity.Object](t)
		target := connected.NewTarget(d, connector.Env{Uses: []connector.Use{{Kind: identity.User, Joining: []string{"employeeId", "mail"},
			Attributes: []schema.Attribute{{Name: "employeeId"}, {Name: "displayName"}, {Name: "jobTitle"}, {Name: "manager"}, {Name: "accountEnabled"}}}}})

		caps := must[connector.Caps](t)(target.Probe(ctx))
		want := connector.Caps{List: true, PageSize: 1000, MemberBatch: 1000, ReferencesInCreate: true, ReadBeforeWrite: connector.ReadStale, Concurrency: 16}
		if diff := cmp.Diff(want, caps); diff != "" {
			t.Errorf("caps (- want, + got):\n%s", diff)
		}

		boss := object(target.Create(ctx, &identity.Object{Kind: identity.User, Attrs: attrs("userPrincipalName", "boss@x", "displayName", "Boss", "employeeId", "e1", "mail", "Boss@X")}))
		made := object(target.Create(ctx, &identity.Object{Kind: identity.User,
			Attrs: attrs("userPrincipalName", "ada@x", "displayName", "Ada", "employeeId", "E1", "manager", user(boss.Anchor))}))
		wantMade := &identity.Object{Kind: identity.User, Anchor: made.Anchor, Attrs: attrs("employeeId", "E1", "displayName", "Ada", "manager", user(boss.Anchor), "accountEnabled", true)}
		if diff := cmp.Diff(wantMade, made); diff != "" {
			t.Errorf("created (- want, + got):\n%s", diff)
		}
		for attr, values := range map[string]map[string]string{
			"employeeId": {"e1": boss.Anchor, "E1": made.Anchor, "none": ""}, "mail": {"BOSS@x": boss.Anchor},
			"userPrincipalName": {"ADA@X": made.Anchor},
		} {
			for value, anchor := range values {
				found := must[[]*identity.Object](t)(target.Find(ctx, identity.User, attr, value, 2))
				if len(found) > 1 || len(found) == 1 && found[0].Anchor != anchor || len(found) == 0 && anchor != "" {
					t.Errorf("%s = %s: %v", attr, value, found)
				}
			}
		}

		changed := object(target.Update(ctx, connector.Update{Kind: identity.User, Anchor: made.Anchor, Changes: []connector.Change{
			{Attr: "jobTitle", Op: connector.Set, New: "Countess"}, {Attr: "manager", Op: connector.Clear}, {Attr: "accountEnabled", Op: connector.Set, New: "False"}}}))
		wantMade = &identity.Object{Kind: identity.User, Anchor: made.Anchor, Disabled: true, Attrs: attrs("employeeId", "E1", "displayName", "Ada", "jobTitle", "Countess", "accountEnabled", false)}
		if diff := cmp.Diff(wantMade, changed); diff != "" {
			t.Errorf("updated (- want, + got):\n%s", diff)
		}
		if diff := cmp.Diff(changed, object(target.Get(ctx, identity.User, made.Anchor))); diff != "" {
			t.Errorf("read (- updated, + read):\n%s", diff)
		}

		for _, c := range []struct {
			name, code, detail string
			attrs              identity.Attrs
			kind               connector.Kind
		}{
			{"a name that is taken", connector.CodeConflict, made.Anchor, attrs("userPrincipalName", "ADA@x", "displayName", "x"), connector.KindConflict},
			{"no displayName", connector.CodeMandatoryMissing, "displayName", attrs("userPrincipalName", "new@x"), connector.KindInvalid},
			{"no userPrincipalName", connector.CodeMandatoryMissing, "userPrincipalName", attrs("displayName", "new"), connector.KindInvalid},
			{"an attribute that does not exist", "SchemaAttributeNotFound", `"nickName"`, attrs("nickName", "x"), connector.KindInvalid},
		} {
			_, err := target.Create(ctx, &identity.Object{Kind: identity.User, Attrs: c.attrs})
			var e *connector.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Code != c.code || !strings.Contains(e.Detail, c.detail) {
				t.Errorf("%s: %v", c.name, err)
			}
		}

		group := object(target.Create(ctx, &identity.Object{Kind: identity.Group, Attrs: attrs("displayName", "Team", "members", []any{user(boss.Anchor)})}))
		if v, _ := group.Get("members"); cmp.Diff([]any{user(boss.Anchor)}, v) != "" {
			t.Errorf("a created group shows the members %v", v)
		}
		for _, ch := range []connector.Change{
			{Attr: "members", Op: connector.Add, New: []any{user(made.Anchor), user(boss.Anchor)}},
			{Attr: "members", Op: connector.Remove, New: []any{user(boss.Anchor), user("nobody")}},
		} {
			object(target.Update(ctx, connector.Update{Kind: identity.Group, Anchor: group.Anchor, Changes: []connector.Change{ch}}))
		}
		if members, err := d.Members(ctx, group.Anchor); err != nil || cmp.Diff([]identity.Ref{user(made.Anchor)}, members) != "" {
			t.Errorf("members %v, %v", members, err)
		}
		if o := object(target.Get(ctx, identity.Group, group.Anchor)); len(o.Attrs) != 2 { // displayName, securityEnabled
			t.Errorf("a read group has %v", o.Attrs)
		}

		for range 2 { // deleting what is gone is success
			if err := target.Delete(ctx, identity.User, made.Anchor); err != nil {
				t.Fatal(err)
			}
		}
		if e, err := d.User(ctx, made.Anchor); err != nil || !e.SoftDeleted {
			t.Errorf("a deleted account is not in the recycle bin: %v, %v", e, err)
		}
		for what, err := range map[string]error{
			"get":    second(target.Get(ctx, identity.User, made.Anchor)),
			"update": second(target.Update(ctx, connector.Update{Kind: identity.User, Anchor: made.Anchor, Changes: []connector.Change{{Attr: "jobTitle", Op: connector.Clear}}})),
		} {
			if connector.KindOf(err) != connector.KindNotFound {
				t.Errorf("%s of a deleted account: %v", what, err)
			}
		}
		if found := must[[]*identity.Object](t)(target.Find(ctx, identity.User, "employeeId", "E1", 2)); len(found) > 0 {
			t.Errorf("a deleted account is found: %v", found)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestListCoversEverythingOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t)
		const n = 2000 // two full pages: the last one has no successor to tell that it is the last
		err := d.Batch(t.Context(), func(tx *directory.Tx) error {
			for i := range n {
				if _, err := tx.CreateUser(attrs("userPrincipalName", fmt.Sprintf("u%d@x", i), "displayName", "u")); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		target := connected.NewTarget(d, connector.Env{})
		seen, cursor := map[string]bool{}, ""
		for pages := 0; pages < 5; pages++ {
			page, err := target.List(t.Context(), identity.User, cursor)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range page.Objects {
				seen[o.Anchor] = true
			}
			if cursor = page.Next; cursor == "" {
				break
			}
		}
		if len(seen) != n || cursor != "" {
			t.Errorf("%d users, cursor %q", len(seen), cursor)
		}
	})
}

// BenchmarkCreate is sixteen workers creating users, as a first load does.
func BenchmarkCreate(b *testing.B) {
	for name, open := range map[string]opener{"sqlite": onSQLite, "postgres": onPostgres} {
		b.Run(name, func(b *testing.B) {
			target := connected.NewTarget(open(b), connector.Env{})
			var wg sync.WaitGroup
			next := make(chan int)
			for range 16 {
				wg.Go(func() {
					for i := range next {
						_, err := target.Create(b.Context(), &identity.Object{Kind: identity.User, Attrs: attrs("userPrincipalName", fmt.Sprintf("user%d@example.com", i),
							"displayName", fmt.Sprint("User ", i), "givenName", "Guy", "surname", "Gilbert", "mail", fmt.Sprintf("user%d@example.com", i),
							"department", "Production", "jobTitle", "Production Technician", "employeeId", fmt.Sprint(i))})
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			n := 0
			for b.Loop() {
				next <- n
				n++
			}
			close(next)
			wg.Wait()
			b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "creates/s")
		})
	}
}
