package directory_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
)

func TestCreatedUserReadsBackAsWritten(t *testing.T) {
	onBoth(t, func(w *world) {
		boss := w.user("boss")
		given := attrs("displayName", `Zoë 🚀 "O'Neil", \`, "userPrincipalName", "Zoe@Example.com", "manager", user(boss),
			"otherMails", []any{"z@example.org", "y@example.org"}, "employeeId", "0007", "employeeHireDate", "2026-03-01",
			"extensionAttribute15", strings.Repeat("long ", 1000), "extension_shoeSize", int64(44), "accountEnabled", "False", "jobTitle", "")
		made, err := w.CreateUser(w.ctx(), given)
		w.must(err)
		want := directory.Entry{
			Object: identity.Object{Kind: identity.User, Anchor: made.Anchor, Disabled: true, Attrs: attrs(
				"userPrincipalName", "Zoe@Example.com", "displayName", `Zoë 🚀 "O'Neil", \`, "accountEnabled", false,
				"otherMails", []any{"z@example.org", "y@example.org"}, "employeeId", "0007", "employeeHireDate", "2026-03-01",
				"extensionAttribute15", strings.Repeat("long ", 1000), "manager", user(boss), "extension_shoeSize", "44")},
			Sequence: 2, Created: begin, Changed: begin,
		}
		w.same("created", want, made)
		for _, key := range []string{made.Anchor, "zoe@EXAMPLE.com", `ZOË 🚀 "o'neil", \`} {
			got, err := w.User(w.ctx(), key)
			w.must(err)
			w.same("read by "+key, want, got)
		}
		s, err := w.Schema(w.ctx())
		w.must(err)
		users, _ := s.Object(identity.User)
		if _, ok := users.Attribute("extension_shoeSize"); !ok {
			w.T.Error("the schema does not know the own extension that was written")
		}
	})
}

func TestRefusedWrites(t *testing.T) {
	cases := []struct {
		name   string
		do     func(w *world, taken string) error
		is     error
		code   string
		detail string // part of it
	}{
		{"a user without names", func(w *world, _ string) error {
			_, err := w.CreateUser(w.ctx(), attrs("mail", "a@example.com", "userPrincipalName", " "))
			return err
		}, directory.ErrInvalid, connector.CodeMandatoryMissing, "a user needs userPrincipalName and displayName"},
		{"a group without a name", func(w *world, _ string) error { _, err := w.CreateGroup(w.ctx(), nil); return err },
			directory.ErrInvalid, connector.CodeMandatoryMissing, "a group needs displayName"},
		{"a name that is taken but for its case", func(w *world, _ string) error {
			_, err := w.CreateUser(w.ctx(), attrs("userPrincipalName", "ÄDA@example.com", "displayName", "x"))
			return err
		}, directory.ErrConflict, connector.CodeConflict, `userPrincipalName "ÄDA@example.com" belongs to user TAKEN`},
		{"renaming to a name that is taken", func(w *world, _ string) error {
			_, err := w.UpdateUser(w.ctx(), w.user("other"), attrs("userPrincipalName", "äda@example.com"))
			return err
		}, directory.ErrConflict, connector.CodeConflict, "belongs to user TAKEN"},
		{"the name of a soft-deleted user", func(w *world, taken string) error {
			w.must(w.DeleteUser(w.ctx(), taken))
			_, err := w.CreateUser(w.ctx(), attrs("userPrincipalName", "äda@example.com", "displayName", "x"))
			return err
		}, directory.ErrConflict, connector.CodeConflict, "belongs to user TAKEN, deleted on 2026-03-01"},
		{"attributes that do not exist, all of them", func(w *world, taken string) error {
			_, err := w.UpdateUser(w.ctx(), taken, attrs("shoeSize", "44", "members", "x", "extension_", "y"))
			return err
		}, directory.ErrInvalid, "SchemaAttributeNotFound", `a user has no attribute "shoeSize", "members", "extension_"`},
		{"two values where there is one", func(w *world, taken string) error {
			_, err := w.UpdateUser(w.ctx(), taken, attrs("jobTitle", []any{"a", "b"}))
			return err
		}, directory.ErrInvalid, "SchemaPropertyCanOnlyAcceptValue", "jobTitle takes one value, not 2"},
		{"a date that is none", func(w *world, taken string) error {
			_, err := w.UpdateUser(w.ctx(), taken, attrs("employeeHireDate", "next week"))
			return err
		}, directory.ErrInvalid, "InvalidAttributeSyntax", "employeeHireDate takes a date"},
		{"a flag that is none", func(w *world, taken string) error {
			_, err := w.UpdateUser(w.ctx(), taken, attrs("accountEnabled", "maybe"))
			return err
		}, directory.ErrInvalid, "InvalidAttributeSyntax", "accountEnabled takes true or false"},
		{"NUL in a text", func(w *world, taken string) error {
			_, err := w.UpdateUser(w.ctx(), taken, attrs("jobTitle", "a\x00b"))
			return err
		}, directory.ErrInvalid, "InvalidAttributeSyntax", "no text"},
		{"a manager who is not there", func(w *world, taken string) error { return w.SetManager(w.ctx(), taken, "nobody") },
			directory.ErrInvalid, "UnableToResolveReferenceAttributeValue", `the directory has no user "nobody"`},
		{"being one's own manager", func(w *world, taken string) error { return w.SetManager(w.ctx(), taken, taken) },
			directory.ErrInvalid, "UnableToResolveReferenceAttributeValue", "their own manager"},
		{"members who are not there", func(w *world, taken string) error {
			return w.AddMembers(w.ctx(), w.group("g"), user(taken), user("x"), group("y"))
		}, directory.ErrInvalid, "UnableToResolveReferenceAttributeValue", `the directory has no user "x", group "y"`},
		{"a group in itself", func(w *world, _ string) error {
			g := w.group("g")
			return w.AddMembers(w.ctx(), g, group(g))
		}, directory.ErrInvalid, "UnableToResolveReferenceAttributeValue", "member of itself"},
		{"updating nobody", func(w *world, _ string) error { _, err := w.UpdateUser(w.ctx(), "nobody", nil); return err },
			directory.ErrNotFound, connector.CodeInvalidAnchor, `the directory has no user "nobody"`},
		{"updating a soft-deleted user", func(w *world, taken string) error {
			w.must(w.DeleteUser(w.ctx(), taken))
			_, err := w.UpdateUser(w.ctx(), taken, attrs("jobTitle", "x"))
			return err
		}, directory.ErrNotFound, connector.CodeInvalidAnchor, "has no user"},
		{"deleting twice", func(w *world, taken string) error {
			w.must(w.DeleteUser(w.ctx(), taken))
			return w.DeleteUser(w.ctx(), taken)
		}, directory.ErrNotFound, connector.CodeInvalidAnchor, "has no user"},
		{"restoring who is not deleted", func(w *world, taken string) error { return w.RestoreUser(w.ctx(), taken) },
			directory.ErrNotFound, connector.CodeInvalidAnchor, "has no user"},
		{"purging nobody", func(w *world, _ string) error { return w.PurgeGroup(w.ctx(), "x") }, directory.ErrNotFound, connector.CodeInvalidAnchor, "has no group"},
		{"assigning a role that the application has not", func(w *world, taken string) error {
			_, _, err := w.Assign(w.ctx(), "app", user(taken), "Learner")
			return err
		}, directory.ErrInvalid, connector.CodeUnprocessable, `no app role "Learner"`},
		{"removing an assignment that is not there", func(w *world, _ string) error { return w.Unassign(w.ctx(), "x") },
			directory.ErrNotFound, connector.CodeInvalidAnchor, `no assignment "x"`},
		{"reading nobody", func(w *world, _ string) error { _, err := w.User(w.ctx(), "nobody\x00\xff"); return err }, directory.ErrNotFound, connector.CodeInvalidAnchor, "has no user"},
		{"reading one of two of the same display name", func(w *world, _ string) error {
			w.group("Twin")
			w.group("TWIN")
			_, err := w.Group(w.ctx(), "twin")
			return err
		}, directory.ErrAmbiguous, "DuplicateTargetEntries", `more than one group is called "twin"`},
	}
	onBoth(t, func(w *world) {
		for _, c := range cases {
			taken, err := w.CreateUser(w.ctx(), attrs("userPrincipalName", "äda@example.com", "displayName", "Äda"))
			w.must(err)
			err = c.do(w, taken.Anchor)
			var e *connector.Error
			if !errors.Is(err, c.is) || !errors.As(err, &e) || e.Code != c.code || !strings.Contains(strings.ReplaceAll(e.Detail, taken.Anchor, "TAKEN"), c.detail) {
				w.T.Errorf("%s: got %v", c.name, err)
			}
			after, err := w.User(w.ctx(), taken.Anchor)
			w.must(err)
			w.same(c.name+": the user afterwards", taken.Attrs, after.Attrs)
			w.empty()
		}
	})
}

func TestUpdateChangesWhatItNamesAndNothingElse(t *testing.T) {
	onBoth(t, func(w *world) {
		id := w.user("ada", "jobTitle", "Countess", "mail", "ada@example.com", "otherMails", []any{"a@x", "b@x"})
		w.later(time.Hour)
		for _, step := range []struct {
			name    string
			changes []connector.Change
			want    identity.Attrs
		}{
			{"set, clear and add", []connector.Change{
				{Attr: "jobTitle", Op: connector.Set, New: "Analyst"}, {Attr: "mail", Op: connector.Clear},
				{Attr: "otherMails", Op: connector.Add, New: []any{"B@x", "c@x"}}},
				attrs("otherMails", []any{"a@x", "b@x", "c@x"}, "jobTitle", "Analyst")},
			{"remove without regard to case, the account off", []connector.Change{
				{Attr: "otherMails", Op: connector.Remove, New: []any{"A@X", "nothing"}}, {Attr: "accountEnabled", Op: connector.Set, New: false}},
				attrs("otherMails", []any{"b@x", "c@x"}, "jobTitle", "Analyst")},
			{"remove all", []connector.Change{{Attr: "otherMails", Op: connector.Remove, New: []any{"b@x", "c@x"}}, {Attr: "accountEnabled", Op: connector.Clear}},
				attrs("jobTitle", "Analyst")},
		} {
			got, err := w.Change(w.ctx(), identity.User, id, step.changes)
			w.must(err)
			read, err := w.User(w.ctx(), id)
			w.must(err)
			w.same(step.name+": answer and store", got, read)
			got.Attrs = removed(got.Attrs, "userPrincipalName", "displayName", "accountEnabled")
			w.same(step.name, step.want, got.Attrs)
			if want := step.name != "remove without regard to case, the account off"; got.Disabled == want {
				w.T.Errorf("%s: disabled %v", step.name, got.Disabled)
			}
		}
		_, err := w.Change(w.ctx(), identity.User, id, []connector.Change{{Attr: "jobTitle", Op: connector.Add, New: "x"}})
		if !errors.Is(err, directory.ErrInvalid) {
			w.T.Errorf("adding to a single value: %v", err)
		}
	})
}

func removed(list identity.Attrs, names ...string) (out identity.Attrs) {
	for _, a := range list {
		if _, gone := attrsOf(names).Get(a.Name); !gone {
			out = append(out, a)
		}
	}
	return out
}

func attrsOf(names []string) (out identity.Attrs) {
	for _, n := range names {
		out = append(out, identity.Attr{Name: n, Value: true})
	}
	return out
}

func TestNamesInTheRecycleBinAreReserved(t *testing.T) {
	onBoth(t, func(w *world) {
		w.user("Ada", "mail", "ada@example.com")
		w.must(w.DeleteUser(w.ctx(), w.user("Cid", "mail", "cid@example.com")))
		for _, c := range []struct {
			kind        identity.Kind
			attr, value string
			want        bool
		}{
			{identity.User, "userPrincipalName", "CID@example.com", true},
			{identity.User, "userPrincipalName", "ada@example.com", false}, // which Find shows
			{identity.User, "userPrincipalName", "bob@example.com", false},
			{identity.User, "mail", "cid@example.com", false}, // which several may have
			{identity.Group, "displayName", "Cid", false},
		} {
			got, err := w.Reserved(w.ctx(), c.kind, c.attr, c.value)
			w.must(err)
			w.same(c.attr+" "+c.value, c.want, got)
		}
	})
}

func TestFindUsesTheCaseRuleOfTheAttribute(t *testing.T) {
	onBoth(t, func(w *world) {
		long := strings.Repeat("ä", 300)
		id := w.user("Ada", "employeeId", "e7", "mail", "Ada@Example.com", "otherMails", []any{"one@x", "Two@x"}, "department", "Sales",
			"extensionAttribute1", long+"1", "extension_badge", "B1")
		other := w.user("Bob", "employeeId", "E7", "manager", user(id), "extensionAttribute1", long+"2", "department", "Sales")
		deleted := w.user("Cid", "employeeId", "e9", "department", "Sales")
		w.must(w.DeleteUser(w.ctx(), deleted))
		for _, c := range []struct {
			attr, value string
			want        []string
		}{
			{"employeeId", "e7", []string{id}}, {"employeeId", "E7", []string{other}}, {"employeeId", "e9", nil}, {"employeeId", "", nil},
			{"mail", "ADA@example.COM", []string{id}}, {"otherMails", "two@X", []string{id}}, {"userPrincipalName", "ADA@EXAMPLE.com", []string{id}},
			{"displayName", "ada", []string{id}}, {"department", "Sales", []string{id, other}}, {"department", "sales", nil},
			{"extensionAttribute1", long + "1", []string{id}}, {"extensionAttribute1", long + "2", []string{other}}, {"extensionAttribute1", long, nil},
			{"extension_badge", "B1", []string{id}}, {"manager", id, []string{other}}, {"objectId", other, []string{other}}, {"objectId", deleted, nil},
			{"employeeId", "' OR 1=1 --", nil}, {"employeeId", "\x00", nil}, {"accountEnabled", "TRUE", []string{id, other}},
		} {
			found, err := w.Find(w.ctx(), identity.User, c.attr, c.value, 10)
			w.must(err)
			var ids []string
			for _, e := range found {
				ids = append(ids, e.Anchor)
			}
			w.same(c.attr+" = "+c.value, c.want, ids)
		}
		if found, err := w.Find(w.ctx(), identity.User, "department", "Sales", 1); err != nil || len(found) != 1 {
			w.T.Errorf("limit 1: %d, %v", len(found), err)
		}
		_, err := w.UpdateUser(w.ctx(), id, attrs("mail", "new@example.com", "otherMails", []any{"one@x"}))
		w.must(err)
		for value, want := range map[string]int{"ada@example.com": 0, "new@example.com": 1} {
			if found, err := w.Find(w.ctx(), identity.User, "mail", value, 10); err != nil || len(found) != want {
				w.T.Errorf("after the change %s finds %d, %v", value, len(found), err)
			}
		}
		if _, err := w.Find(w.ctx(), identity.User, "shoeSize", "44", 1); !errors.Is(err, directory.ErrInvalid) {
			w.T.Errorf("an attribute that does not exist: %v", err)
		}
	})
}

func TestListPagesByNameAndSearches(t *testing.T) {
	onBoth(t, func(w *world) {
		for i := range 25 {
			w.user(fmt.Sprintf("user %02d", i), "employeeId", fmt.Sprint("E", i))
		}
		same := w.group("percent 100% of_all")
		gone := w.user("zoe")
		w.must(w.DeleteUser(w.ctx(), gone))
		var names []string
		q := directory.Query{Limit: 7}
		for pages := 1; ; pages++ {
			list, err := w.Users(w.ctx(), q)
			w.must(err)
			for _, e := range list.Entries {
				names = append(names, e.Text("displayName"))
			}
			if q.After = list.Next; q.After == "" {
				w.same("pages", 4, pages)
				break
			}
		}
		w.same("users", 25, len(names))
		w.same("the last", "user 24", names[24])
		for _, c := range []struct {
			name string
			q    directory.Query
			list func(context.Context, directory.Query) (directory.List, error)
			want int
		}{
			{"part of a name in another case", directory.Query{Search: "SER 1"}, w.Users, 10},
			{"part of a userPrincipalName", directory.Query{Search: "01@exa"}, w.Users, 1},
			{"an employeeId", directory.Query{Search: "E24"}, w.Users, 1},
			{"a wildcard is a character", directory.Query{Search: "%"}, w.Users, 0},
			{"an underscore too", directory.Query{Search: "0% OF_A"}, w.Groups, 1},
			{"the recycle bin", directory.Query{Deleted: true}, w.Users, 1},
			{"no text", directory.Query{Search: "\x00"}, w.Users, 0},
		} {
			list, err := c.list(w.ctx(), c.q)
			w.must(err)
			w.same(c.name, c.want, len(list.Entries))
		}
		if _, err := w.Users(w.ctx(), directory.Query{After: "no token"}); !errors.Is(err, directory.ErrPosition) {
			w.T.Errorf("a page token that is none: %v", err)
		}
		live, deleted, err := w.Count(w.ctx(), identity.User)
		w.must(err)
		w.same("count", []int64{25, 1}, []int64{live, deleted})
		if e, err := w.Group(w.ctx(), same); err != nil || e.Text("displayName") != "percent 100% of_all" {
			w.T.Errorf("group: %v, %v", e, err)
		}
	})
}

func TestDeletedObjectsAreRestoredOrPurgedAfterThirtyDays(t *testing.T) {
	onBoth(t, func(w *world) {
		boss := w.user("boss")
		report := w.user("report", "manager", user(boss), "employeeId", "E1")
		team := w.group("team", "members", []any{user(boss), user(report)})
		outer := w.group("outer", "members", []any{group(team)})
		_, _, err := w.Assign(w.ctx(), "app", user(boss), "")
		w.must(err)

		w.same("delete moves the user and the groups", set(boss, team, outer), w.moved(func() { w.must(w.DeleteUser(w.ctx(), boss)) }))
		members, err := w.Members(w.ctx(), team)
		w.must(err)
		w.same("a deleted member does not show", []identity.Ref{user(report)}, members)
		e, err := w.User(w.ctx(), boss)
		w.must(err)
		if !e.SoftDeleted || !e.Deleted.Equal(begin) {
			w.T.Errorf("deleted: %+v", e)
		}
		w.same("restore moves them again", set(boss, team, outer), w.moved(func() { w.must(w.RestoreUser(w.ctx(), boss)) }))
		members, err = w.Members(w.ctx(), team)
		w.must(err)
		w.same("members are back", []identity.Ref{user(boss), user(report)}, members)

		w.must(w.DeleteUser(w.ctx(), boss))
		w.later(directory.Retention - time.Microsecond)
		if n, err := w.Purge(w.ctx(), w.now); n != 0 || err != nil {
			w.T.Errorf("before the time is over %d were purged, %v", n, err)
		}
		w.later(time.Microsecond)
		w.same("purge leaves a tombstone, and moves groups and reports", set("gone "+boss, team, outer, report), w.moved(func() {
			n, err := w.Purge(w.ctx(), w.now)
			w.must(err)
			w.same("purged", 1, n)
		}))
		if _, err := w.User(w.ctx(), boss); !errors.Is(err, directory.ErrNotFound) {
			w.T.Errorf("a purged user: %v", err)
		}
		e, err = w.User(w.ctx(), report)
		w.must(err)
		if m, ok := e.Get("manager"); ok {
			w.T.Errorf("the report still has the manager %v", m)
		}
		if a, err := w.AssignmentsOf(w.ctx(), boss); err != nil || len(a) > 0 {
			w.T.Errorf("assignments of a purged user: %v, %v", a, err)
		}
		if _, err := w.CreateUser(w.ctx(), attrs("userPrincipalName", "BOSS@example.com", "displayName", "next")); err != nil {
			w.T.Errorf("the name of a purged user is not free: %v", err)
		}
		w.same("hard delete of a live group", set("gone "+team, outer), w.moved(func() { w.must(w.PurgeGroup(w.ctx(), team)) }))
		if g, err := w.GroupsOf(w.ctx(), report); err != nil || len(g) > 0 {
			w.T.Errorf("groups of the report: %v, %v", g, err)
		}
		w.must(w.PurgeUser(w.ctx(), report))
		if found, err := w.Find(w.ctx(), identity.User, "employeeId", "E1", 1); err != nil || len(found) > 0 {
			w.T.Errorf("a purged user is found: %v, %v", found, err)
		}
	})
}

// One transaction of the directory is one number; what it concerns moves, and nothing else.
func TestFeedDeliversWhomAChangeConcerns(t *testing.T) {
	onBoth(t, func(w *world) {
		a, b, c := w.user("a"), w.user("b"), w.user("c")
		plain := w.group("plain", "members", []any{user(a)})
		assigned := w.group("assigned", "members", []any{user(a), user(b), group(plain)})
		w.must(w.SetRoles(w.ctx(), "app", []directory.Role{{Role: identity.Role{ID: "r1", Value: "Learner", DisplayName: "Learner"}, Enabled: true},
			{Role: identity.Role{ID: "r2", Value: "Old"}}}))
		var grant directory.Assignment
		for _, step := range []struct {
			name string
			do   func() error
			want map[string]bool
		}{
			{"nothing", func() error { return nil }, set()},
			{"an attribute", func() error { _, err := w.UpdateUser(w.ctx(), a, attrs("jobTitle", "x")); return err }, set(a)},
			{"the same value again", func() error { _, err := w.UpdateUser(w.ctx(), a, attrs("jobTitle", "x", "mail", nil)); return err }, set()},
			{"a manager", func() error { return w.SetManager(w.ctx(), a, b) }, set(a)},
			{"no manager", func() error { return w.SetManager(w.ctx(), a, "") }, set(a)},
			{"a member of a group that is not assigned, and the group that this one is in", func() error { return w.AddMembers(w.ctx(), plain, user(b), user(a)) }, set(plain, assigned)},
			{"a member who is one already", func() error { return w.AddMembers(w.ctx(), plain, user(b)) }, set()},
			{"removing who is none", func() error { return w.RemoveMembers(w.ctx(), plain, user(c)) }, set()},
			{"assigning a group concerns its direct user members (engine.R29)", func() (err error) {
				grant, _, err = w.Assign(w.ctx(), "app", group(assigned), "Learner")
				return err
			}, set(assigned, a, b)},
			{"assigning again", func() error { _, _, err := w.Assign(w.ctx(), "app", group(assigned), "r1"); return err }, set()},
			{"a member of an assigned group", func() error { return w.AddMembers(w.ctx(), assigned, user(c)) }, set(assigned, c)},
			{"replacing members", func() error {
				_, err := w.UpdateGroup(w.ctx(), assigned, attrs("members", []any{user(c), user(a), group(plain)}))
				return err
			}, set(assigned, b)},
			{"removing a group from it", func() error { return w.RemoveMembers(w.ctx(), assigned, group(plain)) }, set(assigned)},
			{"renaming the group", func() error { _, err := w.UpdateGroup(w.ctx(), assigned, attrs("displayName", "n")); return err }, set(assigned)},
			{"the group is no longer security-enabled (engine.R30)", func() error {
				_, err := w.UpdateGroup(w.ctx(), assigned, attrs("securityEnabled", false))
				return err
			}, set(assigned, a, c)},
			{"it is again", func() error { _, err := w.UpdateGroup(w.ctx(), assigned, attrs("securityEnabled", true)); return err }, set(assigned, a, c)},
			{"the role has another name", func() error {
				return w.SetRoles(w.ctx(), "app", []directory.Role{{Role: identity.Role{ID: "r1", Value: "Learner", DisplayName: "Student"}, Enabled: true}})
			}, set(assigned, a, c)},
			{"a description nobody sees", func() error {
				return w.SetRoles(w.ctx(), "app", []directory.Role{{Role: identity.Role{ID: "r1", Value: "Learner", DisplayName: "Student"}, Enabled: true, Description: "x"}})
			}, set()},
			{"deleting the group", func() error { return w.DeleteGroup(w.ctx(), assigned) }, set(assigned, a, c)},
			{"restoring it", func() error { return w.RestoreGroup(w.ctx(), assigned) }, set(assigned, a, c)},
			{"unassigning", func() error { return w.Unassign(w.ctx(), grant.ID) }, set(assigned, a, c)},
			{"assigning a user", func() error { _, _, err := w.Assign(w.ctx(), "app", user(b), ""); return err }, set(b)},
		} {
			w.same(step.name, step.want, w.moved(func() { w.must(step.do()) }))
		}
	})
}

func TestEntitlement(t *testing.T) {
	onBoth(t, func(w *world) {
		direct, member, nested, both, nobody, hidden := w.user("direct"), w.user("member"), w.user("nested"), w.user("both"), w.user("nobody"), w.user("hidden")
		inner := w.group("inner", "members", []any{user(nested)})
		outer := w.group("outer", "members", []any{user(member), user(both), group(inner)})
		mail := w.group("mail only", "members", []any{user(hidden)}, "securityEnabled", false)
		learner, author := identity.Role{ID: "r1", Value: "Learner", DisplayName: "Learner"}, identity.Role{ID: "r2", Value: "Author", DisplayName: "Author"}
		w.must(w.SetRoles(w.ctx(), "app", []directory.Role{{Role: learner, Enabled: true}, {Role: author, Enabled: true}}))
		for _, a := range []struct {
			who  identity.Ref
			role string
		}{{user(direct), ""}, {group(outer), "Learner"}, {user(both), "r2"}, {user(both), "Learner"}, {group(mail), "Author"}} {
			_, _, err := w.Assign(w.ctx(), "app", a.who, a.role)
			w.must(err)
		}
		_, _, err := w.Assign(w.ctx(), "other", user(nobody), "")
		w.must(err)
		want := map[string]identity.Assignment{
			direct: {Assigned: true}, // default access is no role (engine.R35)
			member: {Assigned: true, Roles: []identity.Role{learner}},
			both:   {Assigned: true, Roles: []identity.Role{author, learner}},
			nested: {}, nobody: {}, hidden: {}, "stranger": {},
		}
		got, err := w.Entitlements(w.ctx(), "app", identity.User, []string{direct, member, both, nested, nobody, hidden, "stranger"})
		w.must(err)
		w.same("users", want, got)
		delete(want, "stranger")
		scanned := map[string]identity.Assignment{}
		for item, err := range w.Scan(w.ctx(), connector.ReadRequest{Kind: identity.User}, "app") {
			w.must(err)
			scanned[item.Object.Anchor] = *item.Object.Assignment
		}
		w.same("a scan says the same", want, scanned)
		got, err = w.Entitlements(w.ctx(), "app", identity.Group, []string{outer, inner})
		w.must(err)
		w.same("groups", map[string]identity.Assignment{outer: {Assigned: true, Roles: []identity.Role{learner}}, inner: {}}, got)

		w.must(w.DeleteGroup(w.ctx(), outer))
		one, err := w.Entitlement(w.ctx(), "app", user(member))
		w.must(err)
		w.same("a member of a deleted group", identity.Assignment{}, one)
		w.must(w.SetRoles(w.ctx(), "app", []directory.Role{{Role: learner, Enabled: true}}))
		one, err = w.Entitlement(w.ctx(), "app", user(both))
		w.must(err)
		w.same("a role that is gone takes its assignments with it", identity.Assignment{Assigned: true, Roles: []identity.Role{learner}}, one)
		w.must(w.DropApp(w.ctx(), "app"))
		if left, err := w.Assignments(w.ctx(), "app"); err != nil || len(left) > 0 {
			w.T.Errorf("assignments of an application that was dropped: %v, %v", left, err)
		}
	})
}

func TestFeedForgetsTombstonesAndThenWantsAFullRead(t *testing.T) {
	onBoth(t, func(w *world) {
		first, second := w.user("first"), w.user("second")
		w.must(w.PurgeUser(w.ctx(), first))
		old, err := w.Position(w.ctx())
		w.must(err)
		w.later(91 * 24 * time.Hour)
		w.must(w.PurgeUser(w.ctx(), second))
		_, err = w.Purge(w.ctx(), w.now)
		w.must(err)
		read := func(since string) (ids []string, err error) {
			for item, err := range w.Changes(w.ctx(), connector.ReadRequest{Kind: identity.User}, "", since) {
				if err != nil {
					return nil, err
				}
				ids = append(ids, item.Object.Anchor)
			}
			return ids, nil
		}
		if _, err := read("0"); !errors.Is(err, directory.ErrPosition) || connector.KindOf(err) != connector.KindNotFound {
			w.T.Errorf("a position before the tombstones that are left: %v", err)
		}
		got, err := read(old)
		w.must(err)
		w.same("after the position", []string{second}, got)
	})
}

func TestBatchTakesEffectAsAWhole(t *testing.T) {
	onBoth(t, func(w *world) {
		boom := errors.New("boom")
		err := w.Batch(w.ctx(), func(tx *directory.Tx) error {
			if _, err := tx.CreateUser(attrs("userPrincipalName", "a@x", "displayName", "a")); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			w.T.Errorf("got %v", err)
		}
		err = w.Batch(w.ctx(), func(tx *directory.Tx) error {
			for i := range 1000 {
				if _, err := tx.CreateUser(attrs("userPrincipalName", fmt.Sprintf("u%d@x", i), "displayName", "u")); err != nil {
					return err
				}
			}
			_, err := tx.CreateUser(attrs("userPrincipalName", "U7@x", "displayName", "again"))
			if !errors.Is(err, directory.ErrConflict) {
				w.T.Errorf("a name taken in the same batch: %v", err)
			}
			return nil // a refused call has changed nothing
		})
		w.must(err)
		live, _, err := w.Count(w.ctx(), identity.User)
		w.must(err)
		w.same("users", int64(1000), live)
	})
}

// Many writers share transactions, and each gets its own outcome.
func TestWritersAtOnceGetTheirOwnOutcomes(t *testing.T) {
	onBoth(t, func(w *world) {
		const writers, each = 16, 25
		var wg sync.WaitGroup
		conflicts := make([]int, writers)
		for n := range writers {
			wg.Go(func() {
				for i := range each {
					_, err := w.CreateUser(w.ctx(), attrs("userPrincipalName", fmt.Sprintf("u%d@x", (n/2)*each+i), "displayName", "u"))
					if errors.Is(err, directory.ErrConflict) {
						conflicts[n]++
					} else if err != nil {
						w.T.Error(err)
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for _, c := range conflicts {
			total += c
		}
		live, _, err := w.Count(w.ctx(), identity.User)
		w.must(err)
		w.same("half of them were first", []int{writers * each / 2, writers * each / 2}, []int{int(live), total})
	})
}
