package engine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector/memory"
	"github.com/rollcall-id/rollcall/internal/engine"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// user makes a source user: login and name follow from the anchor, and further attributes come in pairs.
func user(anchor string, more ...any) *identity.Object {
	o := &identity.Object{Kind: identity.User, Anchor: anchor, Attrs: identity.Attrs{{Name: "login", Value: anchor + "@example.com"}, {Name: "name", Value: "Name " + anchor}}}
	for i := 0; i+1 < len(more); i += 2 {
		v := more[i+1]
		if more[i] == "manager" {
			v = identity.Ref{Kind: identity.User, Anchor: v.(string)}
		}
		o.Attrs.Set(more[i].(string), v)
	}
	return o
}

func group(anchor string, members ...string) *identity.Object {
	o := &identity.Object{Kind: identity.Group, Anchor: anchor, Attrs: identity.Attrs{{Name: "name", Value: "Group " + anchor}}}
	var refs []any
	for _, m := range members {
		refs = append(refs, identity.Ref{Kind: identity.User, Anchor: m})
	}
	if refs != nil {
		o.Attrs.Set("members", refs)
	}
	return o
}

// account returns the account of a source user as attributes, nil when there is none. References are shown as the
// external ids of what they refer to.
func (w *world) account(kind identity.Kind, id string) map[string]any {
	w.t.Helper()
	names := map[identity.Ref]string{}
	for _, k := range []identity.Kind{identity.User, identity.Group} {
		for _, o := range w.target.Objects(k) {
			names[identity.Ref{Kind: k, Anchor: o.Anchor}] = o.Text("externalId")
		}
	}
	for _, o := range w.target.Objects(kind) {
		if o.Text("externalId") != id {
			continue
		}
		out := map[string]any{}
		for _, a := range o.Attrs {
			switch v := a.Value.(type) {
			case identity.Ref:
				out[a.Name] = names[v]
			case []any:
				list := []string{}
				for _, e := range v {
					if r, ok := e.(identity.Ref); ok {
						list = append(list, names[r])
					} else {
						list = append(list, fmt.Sprint(e))
					}
				}
				slices.Sort(list)
				out[a.Name] = list
			default:
				out[a.Name] = v
			}
		}
		return out
	}
	return nil
}

func (w *world) anchorOf(kind identity.Kind, id string) string {
	for _, o := range w.target.Objects(kind) {
		if o.Text("externalId") == id {
			return o.Anchor
		}
	}
	return ""
}

func (w *world) active(id string) bool {
	a := w.account(identity.User, id)
	yes, _ := a["active"].(bool)
	return yes
}

// want compares the counts of a cycle, Imported and InScope left aside.
func want(t testing.TB, rep engine.RunReport, counts store.Counts) {
	t.Helper()
	got := rep.Counts
	got.Imported, got.InScope = counts.Imported, counts.InScope
	if diff := cmp.Diff(counts, got); diff != "" {
		t.Errorf("counts (- want, + got):\n%s", diff)
	}
}

// codeOf returns status and code of the last record of a source object in a cycle.
func (w *world) codeOf(rep engine.RunReport, anchor string) string {
	w.t.Helper()
	out := "no record"
	for _, r := range w.records(rep.Cycle.ID) {
		if r.SourceID == anchor {
			out = strings.TrimSpace(r.Action + " " + r.Status + " " + r.ErrorCode)
		}
	}
	return out
}

func num(prefix string, i int) string { return fmt.Sprintf("%s%04d", prefix, i) }

// cycleInitial runs a forced initial cycle and returns what it wrote.
func (w *world) cycleInitial() []memory.Call {
	w.t.Helper()
	w.cycle(engine.Options{Manual: true, Initial: true})
	return w.writes()
}

// save does what storing a changed app file does.
func (w *world) save() {
	w.t.Helper()
	_, err := w.db.UpdateJob(w.t.Context(), w.jobID, func(j *store.Job) error {
		j.Version++
		j.InitialDue = true
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// manual asks for a cycle as a person does.
func manual() engine.Options { return engine.Options{Manual: true} }
