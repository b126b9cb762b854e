package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/scope"
)

// Groups by rule (engine.R32): a scoping filter over users says who the members are. They are computed in the
// transaction that changes a user or the rule, so that whoever reads the directory or its feed sees them at once.

// SetRule gives a group a rule. Its members are from now on the live users for whom the filter holds, and cannot be
// changed by hand. A filter that cannot be used, with an unknown attribute for instance, is ErrInvalid.
func (d *Directory) SetRule(ctx context.Context, group string, f scope.Filter) error {
	return d.write(ctx, func(t *Tx) error { return t.SetRule(group, f) })
}

// ClearRule takes the rule of a group away; those who are members stay. A group without a rule is left as it is.
func (d *Directory) ClearRule(ctx context.Context, group string) error {
	return d.write(ctx, func(t *Tx) error { return t.ClearRule(group) })
}

// Rule returns the rule of a group, ok false when it has none. ErrNotFound when there is no such group.
func (d *Directory) Rule(ctx context.Context, group string) (f scope.Filter, ok bool, err error) {
	if _, err := d.byID(ctx, d.groups, group); err != nil {
		return scope.Filter{}, false, err
	}
	var doc []byte
	err = d.db.Read().QueryRowContext(ctx, `SELECT filter FROM dir_group_rule WHERE group_id = $1`, group).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return scope.Filter{}, false, nil
	}
	if err == nil {
		err = json.Unmarshal(doc, &f)
	}
	if err != nil {
		return scope.Filter{}, false, fmt.Errorf("directory: read rule of group %s: %w", group, err)
	}
	return f, true, nil
}

// SetRule is Directory.SetRule.
func (t *Tx) SetRule(group string, f scope.Filter) (err error) {
	defer t.guard(t.wrote, &err)
	op := "set rule of group " + group
	o, err := t.load(t.dir.groups, op, group)
	if err != nil {
		return err
	}
	if o.deleted != 0 {
		return notFound(op, identity.Group, group)
	}
	prog, err := t.dir.compileRule(op, f)
	if err != nil {
		return err
	}
	doc, err := json.Marshal(prog.Filter())
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	const q = `INSERT INTO dir_group_rule (group_id, filter) VALUES ($1, $2) ON CONFLICT (group_id) DO UPDATE SET filter = excluded.filter`
	if _, err := t.exec(q, group, doc); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	t.rules = nil
	if err := t.compute(groupRule{group: group, prog: prog}); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// ClearRule is Directory.ClearRule.
func (t *Tx) ClearRule(group string) (err error) {
	defer t.guard(t.wrote, &err)
	op := "clear rule of group " + group
	if _, err := t.load(t.dir.groups, op, group); err != nil {
		return err
	}
	t.rules = nil
	if _, err := t.exec(`DELETE FROM dir_group_rule WHERE group_id = $1`, group); err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// compileRule checks a rule against the attributes of users.
func (d *Directory) compileRule(op string, f scope.Filter) (*scope.Program, error) {
	if len(f.Groups) == 0 || len(f.InputFilterGroups)+len(f.CategoryFilterGroups) > 0 {
		return nil, invalid(op, codeInvalidSyntax, "a rule needs clauses that say who is a member", "department EQUALS Sales")
	}
	prog, err := scope.CompileWith(f, scope.Options{MultiValued: func(name string) bool {
		def, ok := d.users.definition(name)
		return ok && def.MultiValued
	}})
	if err != nil {
		return nil, invalid(op, codeInvalidSyntax, err.Error(), "")
	}
	names := prog.Attributes()
	if slices.Contains(names, Manager) {
		return nil, invalid(op, codeInvalidSyntax, "a rule cannot ask for the manager", "use an attribute of the users themselves")
	}
	if err := d.users.check(op, names); err != nil {
		return nil, err
	}
	return prog, nil
}

// groupRule is a rule, ready to be evaluated.
type groupRule struct {
	group string
	prog  *scope.Program
}

// programs keeps compiled rules, which mostly stay the same from one transaction to the next.
type programs struct {
	mu sync.Mutex
	by map[string]*scope.Program // by the text of the filter
}

// keptPrograms bounds how many rules are kept, those that are no longer in force included.
const keptPrograms = 1000

func (p *programs) compile(doc []byte) (*scope.Program, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if prog := p.by[string(doc)]; prog != nil {
		return prog, nil
	}
	var f scope.Filter
	if err := json.Unmarshal(doc, &f); err != nil {
		return nil, err
	}
	prog, err := scope.Compile(f)
	if err != nil {
		return nil, err
	}
	if p.by == nil || len(p.by) >= keptPrograms {
		p.by = map[string]*scope.Program{}
	}
	p.by[string(doc)] = prog
	return prog, nil
}

// groupRules returns the rules in force, which a transaction reads once.
func (t *Tx) groupRules() ([]groupRule, error) {
	if t.rules != nil {
		return t.rules, nil
	}
	rules := []groupRule{}
	rows, err := t.tx.QueryContext(t.ctx, `SELECT group_id, filter FROM dir_group_rule ORDER BY group_id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r groupRule
		var doc []byte
		if err := rows.Scan(&r.group, &doc); err != nil {
			return nil, err
		}
		if r.prog, err = t.dir.programs.compile(doc); err != nil {
			return nil, fmt.Errorf("rule of group %s: %w", r.group, err)
		}
		rules = append(rules, r)
	}
	t.rules = rules
	return rules, rows.Err()
}

// computed refuses a change of members by hand where a rule says who they are.
func (t *Tx) computed(op string, o *object) error {
	if !o.all && len(o.add) == 0 && len(o.remove) == 0 {
		return nil
	}
	rules, err := t.groupRules()
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	if slices.ContainsFunc(rules, func(r groupRule) bool { return r.group == o.id }) {
		return invalid(op, codeInvalidSyntax, "a rule says who the members of this group are", "change the rule, or take it away")
	}
	return nil
}

// place puts a live user into the groups whose rules hold, and takes the user out of those whose do not.
func (t *Tx) place(c *catalogue, o *object) error {
	if c.kind != identity.User {
		return nil
	}
	rules, err := t.groupRules()
	if err != nil || len(rules) == 0 {
		return err
	}
	in, err := t.texts(`SELECT group_id FROM dir_member WHERE member_id = $1`, o.id)
	if err != nil {
		return err
	}
	view := viewOf(c, o.attrs, o.active, o.id)
	for _, r := range rules {
		belongs, err := r.prog.In(view)
		if err != nil {
			return fmt.Errorf("rule of group %s: %w", r.group, err)
		}
		if belongs == slices.Contains(in, r.group) {
			continue
		}
		if belongs {
			err = t.addMembers(r.group, []identity.Ref{{Kind: identity.User, Anchor: o.id}})
		} else {
			_, err = t.exec(`DELETE FROM dir_member WHERE group_id = $1 AND member_id = $2`, r.group, o.id)
		}
		if err == nil {
			err = t.moveGroups(r.group)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func viewOf(c *catalogue, attrs identity.Attrs, active bool, id string) *identity.Object {
	o := &identity.Object{Kind: c.kind, Anchor: id, Attrs: slices.Clone(attrs)}
	o.Attrs.Set(c.active, active)
	return o
}

// compute brings the members of a group to what its rule says, a page of users at a time.
func (t *Tx) compute(r groupRule) error {
	gone, err := t.exec(`DELETE FROM dir_member WHERE group_id = $1 AND member_kind <> 'User'`, r.group)
	if err != nil {
		return err
	}
	moved := gone > 0
	assigned, err := t.assigned(r.group)
	if err != nil {
		return err
	}
	after := ""
	for {
		page, err := t.livePage(after)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].id
		changed, err := t.computePage(r, page)
		if err != nil {
			return err
		}
		moved = moved || len(changed) > 0
		if assigned {
			if err := t.move(identity.User, changed...); err != nil {
				return err
			}
		}
	}
	if !moved {
		return nil
	}
	return t.moveGroups(r.group)
}

// computePage adds and removes users of one page, and returns who came or went.
func (t *Tx) computePage(r groupRule, page []row) (changed []string, err error) {
	members, err := t.texts(`SELECT member_id FROM dir_member WHERE group_id = $1 AND member_id BETWEEN $2 AND $3`, r.group, page[0].id, page[len(page)-1].id)
	if err != nil {
		return nil, err
	}
	is := make(map[string]bool, len(members))
	for _, m := range members {
		is[m] = true
	}
	var add []identity.Ref
	var remove []string
	for _, u := range page {
		attrs, err := t.dir.users.decode(u.doc)
		if err != nil {
			return nil, err
		}
		belongs, err := r.prog.In(viewOf(t.dir.users, attrs, u.active, u.id))
		switch {
		case err != nil:
			return nil, err
		case belongs && !is[u.id]:
			add = append(add, identity.Ref{Kind: identity.User, Anchor: u.id})
			changed = append(changed, u.id)
		case !belongs && is[u.id]:
			remove = append(remove, u.id)
			changed = append(changed, u.id)
		}
	}
	if err := t.addMembers(r.group, add); err != nil {
		return nil, err
	}
	return changed, chunks(remove, 2, func(in string, args []any) error {
		_, err := t.exec(`DELETE FROM dir_member WHERE group_id = $1 AND member_id IN `+in, append([]any{r.group}, args...)...)
		return err
	})
}

// livePage returns the next live users, as the transaction sees them.
func (t *Tx) livePage(after string) ([]row, error) {
	rows, err := t.tx.QueryContext(t.ctx,
		`SELECT id, active, doc FROM dir_object WHERE kind = $1 AND deleted = 0 AND id > $2 ORDER BY id LIMIT $3`, identity.User, after, pageSize)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []row
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.active, &r.doc); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// moveGroups moves on groups whose members changed, and the groups that they are in: the members of those, with all who
// are in groups within, have changed too.
func (t *Tx) moveGroups(ids ...string) error {
	if err := t.move(identity.Group, ids...); err != nil {
		return err
	}
	for _, id := range ids {
		if _, err := t.exec(moveGroupsOf, t.seq, id); err != nil {
			return err
		}
	}
	return nil
}
