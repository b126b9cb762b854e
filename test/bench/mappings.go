package main

import (
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

// mostMapping is the aim of P8, per user.
const mostMapping = 10 * time.Microsecond

// typicalMappings are 20 attributes of which 6 are computed.
func typicalMappings() []mapping.Attribute {
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:"
	list := []mapping.Attribute{
		{Target: "userName", Expression: `ToLower([userPrincipalName])`, Match: 1},
		{Target: "active", Expression: `Not([IsSoftDeleted])`},
		{Target: "displayName", Expression: `Join(" ", [givenName], [surname])`},
		{Target: "title", Expression: `Coalesce([jobTitle], "Employee")`},
		{Target: "nickName", Expression: `Mid([givenName], 1, 8)`},
		{Target: "preferredLanguage", Expression: `Switch([country], "en-US", "DE", "de-DE", "FR", "fr-FR", "JP", "ja-JP")`},
	}
	for _, direct := range [][2]string{
		{"name.givenName", "givenName"},
		{"name.familyName", "surname"},
		{`emails[type eq "work"].value`, "mail"},
		{"externalId", "objectId"},
		{"locale", "locale"},
		{"userType", "userType"},
		{`phoneNumbers[type eq "work"].value`, "telephoneNumber"},
		{`phoneNumbers[type eq "mobile"].value`, "mobile"},
		{`addresses[type eq "work"].locality`, "city"},
		{`addresses[type eq "work"].streetAddress`, "streetAddress"},
		{`addresses[type eq "work"].country`, "country"},
		{enterprise + "employeeNumber", "employeeId"},
		{enterprise + "department", "department"},
		{enterprise + "organization", "companyName"},
	} {
		list = append(list, mapping.Attribute{Target: direct[0], Expression: "[" + direct[1] + "]"})
	}
	return list
}

// typicalUser is number n of the people that the mappings are evaluated for.
func typicalUser(n int) *identity.Object {
	id := strconv.Itoa(n)
	return &identity.Object{Kind: identity.User, Anchor: "E" + id, Attrs: identity.Attrs{
		{Name: "userPrincipalName", Value: "Mira.Okafor" + id + "@example.com"},
		{Name: "givenName", Value: "Mira"},
		{Name: "surname", Value: "Okafor " + id},
		{Name: "jobTitle", Value: "Tram driver"},
		{Name: "mail", Value: "mira.okafor" + id + "@example.com"},
		{Name: "locale", Value: "de_DE"},
		{Name: "userType", Value: "Member"},
		{Name: "telephoneNumber", Value: "+49 30 5550142"},
		{Name: "mobile", Value: "+49 170 5550142"},
		{Name: "city", Value: "Berlin"},
		{Name: "streetAddress", Value: "Ring 1"},
		{Name: "country", Value: "DE"},
		{Name: "employeeId", Value: id},
		{Name: "department", Value: "Line 12"},
		{Name: "companyName", Value: "Example"},
	}}
}

// mappings times the evaluation of a typical set of mappings (P8), in this process.
func (b *bench) mappings() error {
	b.notef("mappings")
	list := typicalMappings()
	each, count, err := evaluate(list, 100_000)
	if err != nil {
		return err
	}
	b.table.add(row{measure: "P8 mapping, per user", of: fmt.Sprintf("%d attributes, 6 expressions", len(list)), rollcall: fmt.Sprintf("%s, %.1f allocations", micro(each), count),
		bare: micro(mostMapping), ratio: each.Seconds() / mostMapping.Seconds(), aim: "≤ 1.00", met: each <= mostMapping})
	_, short, err := evaluate([]mapping.Attribute{{Target: "title", Expression: nested(1)}}, 10_000)
	if err != nil {
		return err
	}
	_, long, err := evaluate([]mapping.Attribute{{Target: "title", Expression: nested(32)}}, 10_000)
	if err != nil {
		return err
	}
	b.table.add(row{measure: "P8 allocations of an expression", of: "nested 32 deep, and 1 deep", rollcall: fmt.Sprintf("%.2f", long), bare: fmt.Sprintf("%.2f", short),
		ratio: ratioOf(long, short), aim: "≤ 1.00", met: long <= short+0.01})
	return nil
}

func ratioOf(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// nested is an expression of conditions in conditions whose value is always the innermost.
func nested(depth int) string {
	return strings.Repeat(`IIF([country] = "FR", "no", `, depth) + "[jobTitle]" + strings.Repeat(")", depth)
}

// evaluate evaluates mappings for n people and returns time and allocations for one. The least of five parts counts.
func evaluate(list []mapping.Attribute, n int) (each time.Duration, allocations float64, err error) {
	t, err := gallery.Get("scim")
	if err != nil {
		return 0, 0, err
	}
	object, ok := t.Schema().Object(identity.User)
	if !ok {
		return 0, 0, fmt.Errorf("template %s has no schema of %s", t.ID, identity.User)
	}
	set, err := mapping.Compile(list, object)
	if err != nil {
		return 0, 0, err
	}
	people := make([]*identity.Object, 64)
	for i := range people {
		people[i] = typicalUser(i)
	}
	ctx := mapping.Context{Now: time.Now}
	const parts = 5
	for part := range parts {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		for i := range n / parts {
			r, err := set.Eval(people[i%len(people)], false, false, ctx)
			if err != nil {
				return 0, 0, err
			}
			if len(r.Values) != len(list) {
				return 0, 0, fmt.Errorf("%d values from %d mappings", len(r.Values), len(list))
			}
		}
		took := time.Since(began) / time.Duration(n/parts)
		runtime.ReadMemStats(&after)
		count := float64(after.Mallocs-before.Mallocs) / float64(n/parts)
		if part == 0 {
			each, allocations = took, count
		}
		each, allocations = min(each, took), min(allocations, count)
	}
	return each, allocations, nil
}
