package appfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/job"
	"github.com/rollcall-id/rollcall/internal/mapping"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// documentHash digests the merged document and the template file.
func documentHash(n *node, t *gallery.Template) string {
	parts := struct {
		Document any
		Template []byte
	}{Document: n.plain()}
	if t != nil {
		parts.Template = t.Data()
	}
	return digest(parts)
}

// plain is the value of a node without positions, styles and keys without a value. Scalars are their text, since the
// tables of settings decide what a scalar is.
func (n *node) plain() any {
	switch n.kind {
	case kindList:
		out := make([]any, len(n.items))
		for i, item := range n.items {
			out[i] = item.plain()
		}
		return out
	case kindMap:
		out := make(map[string]any, len(n.fields))
		for _, f := range n.fields {
			if f.value.kind != kindNull {
				out[f.name] = f.value.plain()
			}
		}
		return out
	case kindScalar:
		return n.text
	case kindNull:
	}
	return nil
}

// mappingHash digests what decides about mappings, filters and scope.
func mappingHash(j job.Job) string {
	type rule struct {
		Name       string
		From, To   identity.Kind
		Enabled    bool
		Actions    job.Actions
		Filter     scope.Filter
		Attributes []mapping.Attribute
	}
	parts := struct {
		Scope      job.ScopeMode
		RegexMatch string
		Rules      []rule
	}{Scope: j.Settings.Scope, RegexMatch: j.Settings.RegexMatch}
	for _, r := range j.Rules {
		mappings := r.Mappings()
		attributes := make([]mapping.Attribute, len(mappings))
		for i, a := range mappings {
			a.Expression, a.Reference = canonical(a.Expression), canonical(a.Reference)
			attributes[i] = a
		}
		parts.Rules = append(parts.Rules, rule{r.Name, r.From, r.To, r.Enabled, r.Actions, canonicalFilter(r.Filter), attributes})
	}
	return digest(parts)
}

// canonical writes an expression in its one form, so that blanks in it are no change.
func canonical(text string) string {
	if text == "" {
		return ""
	}
	p, err := expr.Compile(text)
	if err != nil {
		return text
	}
	return p.String()
}

// canonicalFilter is the filter in its one spelling.
func canonicalFilter(f scope.Filter) scope.Filter {
	p, err := scope.Compile(f)
	if err != nil {
		return f
	}
	return p.Filter()
}

// digest writes a value as JSON, whose maps are in the order of their keys, and digests that.
func digest(v any) string {
	data, err := json.Marshal(v)
	if err != nil { // text, lists and maps of them only
		panic("appfile: digest: " + err.Error())
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
