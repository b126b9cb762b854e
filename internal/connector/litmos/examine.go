package litmos

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

var _ connector.Examiner = (*Client)(nil)

// Examine implements connector.Examiner with at most four calls: the probe, a page of users and one of teams, and the
// advanced custom fields of one user, which is the only place where the site tells what fields there are (U11).
func (c *Client) Examine(ctx context.Context) connector.Examination {
	e := connector.Examination{Address: c.cfg.URL.String(), Credential: c.conn.CredentialKind(), Findings: []connector.Finding{}, Suggested: []connector.Suggestion{}}
	if _, err := c.Probe(ctx); err != nil {
		e.Add(connector.Failure("connection", connector.Fails, err))
		return e
	}
	e.Add(connector.Finding{Topic: "connection", State: connector.Works, Found: "the key is accepted"})
	users, err := c.page(ctx, c.send, c.allUsers(false), 0)
	if err != nil {
		e.Add(connector.Failure("list users", connector.Fails, err))
		return e
	}
	e.Add(connector.Finding{Topic: "list users", State: connector.Works, Found: fmt.Sprintf("%d in the first page of %d", len(users.records), c.cfg.PageSize)})
	if c.kinds[identity.Group] != nil {
		if teams, err := c.page(ctx, c.send, c.allTeams(), 0); err != nil {
			e.Add(connector.Failure("list teams", connector.Fails, err))
		} else {
			e.Add(connector.Finding{Topic: "list teams", State: connector.Works, Found: fmt.Sprintf("%d in the first page of %d", len(teams.records), c.cfg.PageSize)})
		}
	}
	c.examineCustom(ctx, &e, users.records)
	return e
}

// examineCustom reads what advanced custom fields the site has, and compares them with those that rules map.
func (c *Client) examineCustom(ctx context.Context, e *connector.Examination, users []*record) {
	const topic = "custom fields"
	var mapped []string
	if k := c.kinds[identity.User]; k != nil {
		mapped = k.custom
	}
	switch {
	case c.cfg.CustomFields == customOff:
		e.Add(connector.Finding{Topic: topic, State: connector.Works, Found: "switched off by customFields"})
		return
	case len(users) == 0:
		e.Add(connector.Finding{Topic: topic, State: connector.Unknown, Found: "the site has no user yet, from whom they could be read"})
		return
	}
	all, err := c.customOf(ctx, c.send, users[0].id())
	if err != nil {
		state := connector.Limited
		if len(mapped) > 0 {
			state = connector.Fails
		}
		e.Add(connector.Failure(topic, state, err))
		return
	}
	e.Discovery = &connector.Discovery{At: c.now(), Address: c.cfg.URL.String()}
	object := schema.Object{Kind: identity.User}
	var names []string
	for _, f := range all.fields {
		names = append(names, customPrefix+f.name)
		object.Attributes = append(object.Attributes, schema.Attribute{Name: customPrefix + f.name, Type: schema.String})
	}
	if names != nil {
		e.Discovery.Schema = schema.Schema{object}
	}
	f := connector.Finding{Topic: topic, State: connector.Works, Found: "the site has none"}
	if names != nil {
		f.Found = strings.Join(names, ", ")
	}
	var absent []string
	for _, name := range mapped {
		if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, customPrefix+name) }) {
			absent = append(absent, customPrefix+name)
		}
	}
	if absent != nil {
		f.State, f.Meaning = connector.Fails, "the site has no "+strings.Join(absent, ", ")+", which the rules map"
		f.Cure = "correct the name in the mapping, or make the field in Litmos"
	}
	e.Add(f)
}
