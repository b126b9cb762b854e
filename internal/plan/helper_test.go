package plan

import (
	"testing"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// target is the object type that the tests write to.
var target = &schema.Object{Kind: identity.User, Attributes: []schema.Attribute{
	{Name: "userName", Required: true, FoldCase: true},
	{Name: "displayName"},
	{Name: "nickName", FoldCase: true},
	{Name: "active", Type: schema.Boolean},
	{Name: "level", Type: schema.Integer},
	{Name: "code"},
	{Name: "tags", MultiValued: true},
	{Name: "aliases", MultiValued: true, FoldCase: true},
	{Name: "kind", Required: true, Default: "person"},
	{Name: "quota", Type: schema.Integer, Required: true, Default: "10"},
	{Name: "unit", Required: true},
	{Name: "manager", Type: schema.Reference, Required: true},
}}

// compile compiles mappings for the target.
func compile(t *testing.T, attrs ...mapping.Attribute) *mapping.Set {
	t.Helper()
	set, err := mapping.Compile(attrs, target)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// from is a mapping from the source attribute of the same name.
func from(name string) mapping.Attribute {
	return mapping.Attribute{Target: name, Expression: "[" + name + "]"}
}

// values gives the mappings of a set their values, in order.
func values(list ...any) []mapping.Value {
	out := make([]mapping.Value, len(list))
	for i, v := range list {
		out[i] = mapping.Value{Index: i, Value: v}
	}
	return out
}

// ignored is what a mapping gives that does nothing for an object.
type ignored struct{}

// withIgnored turns the values that are ignored into what a mapping says then.
func withIgnored(list []mapping.Value) []mapping.Value {
	for i := range list {
		if _, ok := list[i].Value.(ignored); ok {
			list[i].Value, list[i].Ignored = nil, true
		}
	}
	return list
}
