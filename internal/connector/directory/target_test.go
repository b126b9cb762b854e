package directory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/conntest"
	connected "github.com/rollcall-id/rollcall/internal/connector/directory"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

func TestTargetKeepsTheContract(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		keys := []string{"userPrincipalName"}
		if strings.HasSuffix(t.Name(), "sqlite") { // what differs between the keys is not SQL
			keys = append(keys, "employeeId")
		}
		for _, key := range keys {
			t.Run("matched by "+key, func(t *testing.T) {
				conntest.RunTarget(t, func(t *testing.T) conntest.Subject { return subject(t, open, key) })
			})
		}
	})
}

// subject is the directory as a target whose users are matched by key. Only a userPrincipalName is unique, so with
// another key it is made from that.
func subject(t *testing.T, open opener, key string) conntest.Subject {
	d := open(t)
	users := connector.Use{Kind: identity.User, Joining: []string{key}}
	for _, name := range []string{"userPrincipalName", "employeeId", "displayName", "jobTitle", "accountEnabled", "manager"} {
		users.Attributes = append(users.Attributes, schema.Attribute{Name: name})
	}
	groups := connector.Use{Kind: identity.Group, Joining: []string{"displayName"}, Attributes: []schema.Attribute{{Name: "displayName"}, {Name: "members"}}}
	s := conntest.Subject{
		Target: connected.NewTarget(d, connector.Env{Uses: []connector.Use{users, groups}}),
		User:   identity.User, Group: identity.Group,
		Key: key, FoldKey: true,
		Required: func(i int) identity.Attrs { return attrs("displayName", fmt.Sprint("User ", i)) },
		Text:     "displayName", FilterText: true, Other: "jobTitle", Flag: "accountEnabled", Manager: "manager",
		GroupKey: "displayName", Members: "members",
		MembersOf: func(ctx context.Context, group string) ([]string, error) {
			members, err := d.Members(ctx, group)
			var out []string
			for _, m := range members {
				out = append(out, m.Anchor)
			}
			return out, err
		},
	}
	if key != "userPrincipalName" {
		s.Target = named{s.Target.(*connected.Target), key}
		s.FoldKey = false
	}
	return s
}

// named gives each user that is created a userPrincipalName of its key, as a mapping does.
type named struct {
	*connected.Target
	key string
}

func (n named) Create(ctx context.Context, o *identity.Object) (*identity.Object, error) {
	if o.Kind == identity.User {
		made := *o
		made.Attrs = append(attrs("userPrincipalName", fmt.Sprintf("%x@example.com", o.Text(n.key))), o.Attrs...)
		o = &made
	}
	return n.Target.Create(ctx, o)
}
