package csvfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/spool"
)

// sortMemory is how many bytes of rows are sorted in memory; more go through temporary files.
const sortMemory = 8 << 20

// readGroups delivers groups with their members. Memberships come in any order and may be many more than fit in
// memory, so both files are sorted by group on disk and merged; only the members of one group are held at a time.
func (f *File) readGroups(ctx context.Context, req connector.ReadRequest, temp string) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		if err := f.mergeGroups(ctx, req, temp, yield); err != nil {
			yield(connector.Item{}, err)
		}
	}
}

// own returns the names that are columns of the file of groups.
func own(attrs []string) []string {
	return slices.DeleteFunc(slices.Clone(attrs), func(a string) bool { return a == attrMembers })
}

// errStopped says that the consumer wants no more; it is not delivered.
var errStopped = errors.New("stopped")

func (f *File) mergeGroups(ctx context.Context, req connector.ReadRequest, temp string, yield func(connector.Item, error) bool) (err error) {
	groups, members := spool.New(temp, sortMemory), spool.New(temp, sortMemory)
	defer func() {
		left := errors.Join(groups.Close(), members.Close())
		switch {
		case errors.Is(err, errStopped):
			err = nil
		case err == nil && left != nil:
			err = f.sorting(left)
		}
	}()
	attrs := own(req.Attrs)
	if err := f.spoolGroups(ctx, attrs, groups, yield); err != nil {
		return err
	}
	if err := f.spoolMembers(ctx, members); err != nil {
		return err
	}
	m := merge{file: f, req: req, attrs: attrs, at: slices.Index(req.Attrs, attrMembers), yield: yield}
	next, stop := iter.Pull2(members.Sorted())
	defer stop()
	m.next = next
	if err := m.advance(); err != nil {
		return err
	}
	for g, err := range groups.Sorted() {
		if err != nil {
			return f.sorting(err)
		}
		if err := m.group(g); err != nil {
			return err
		}
	}
	return m.unknown("")
}

func (f *File) sorting(err error) error {
	return &connector.Error{Kind: connector.KindTemporary, Op: "sort the members of " + f.Members.Path, Err: err,
		Hint: "see that the folder for temporary files has room"}
}

// spoolGroups sorts the groups by key. Bad rows are delivered at once, and noted so that their members are not taken
// for those of an unknown group.
func (f *File) spoolGroups(ctx context.Context, attrs []string, out *spool.Spool, yield func(connector.Item, error) bool) error {
	var buf []byte
	for item, err := range f.read(ctx, attrs) {
		if err != nil {
			return err
		}
		buf = buf[:0]
		if item.Err == nil {
			buf = item.Object.Append(buf, attrs)
		} else if !yield(item, nil) {
			return errStopped
		}
		if item.Object == nil {
			continue
		}
		if err := out.Add(item.Object.Anchor, buf, item.Line); err != nil {
			return f.sorting(err)
		}
	}
	return nil
}

// spoolMembers sorts memberships by group and member. A row that names no group ends the reading: a group would lose
// a member without anybody seeing why. One that names a group and no member spoils that group only; it is kept with
// an empty member, which sorts first.
func (f *File) spoolMembers(ctx context.Context, out *spool.Spool) error {
	t, err := open(f.Members.Path, f.Format)
	if err != nil {
		return err
	}
	defer t.close()
	columns, err := t.columns(f.Members.Group, f.Members.Member)
	if err != nil {
		return err
	}
	l := layout{file: f, nullText: []byte(f.NullText)}
	for n := 0; ; n++ {
		if n%1024 == 0 {
			if err := live(ctx, t.op); err != nil {
				return err
			}
		}
		bad, err := t.row()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		group, member := l.cell(t, columns[0]), l.cell(t, columns[1])
		// With a cell too many or too few only the first column is sure to be what it says.
		if group == nil || bad != nil && (columns[0] != 0 || len(t.fields) == len(t.header)) {
			return t.invalid(fmt.Sprintf("line %d: it cannot be told which group the row is about", t.line), "correct the row")
		}
		if bad != nil {
			member = nil
		}
		if err := out.Add(string(group)+"\x00"+string(member), nil, t.line); err != nil {
			return f.sorting(err)
		}
	}
}

// merge goes through sorted groups and sorted memberships side by side.
type merge struct {
	file  *File
	req   connector.ReadRequest
	attrs []string // without members
	at    int      // where members stand among the attributes
	yield func(connector.Item, error) bool
	next  func() (spool.Record, error, bool)

	// The membership that comes next; group is "" after the last.
	of, member string
	line       int

	list    []any // members of the group that was delivered last
	spoiled int   // line of its first row without a member, 0 for none
	last    string
}

// advance goes on to the next membership.
func (m *merge) advance() error {
	r, err, ok := m.next()
	if err != nil {
		return m.file.sorting(err)
	}
	if !ok {
		m.of = ""
		return nil
	}
	m.of, m.member, _ = strings.Cut(r.Key, "\x00")
	m.line = r.Line
	return nil
}

// group delivers a group.
func (m *merge) group(r spool.Record) error {
	if err := m.unknown(r.Key); err != nil {
		return err
	}
	if r.Key != m.last { // of two groups with one key both have its members
		if err := m.collect(r.Key); err != nil {
			return err
		}
	}
	if len(r.Payload) == 0 {
		return nil // a bad row, delivered already
	}
	item := connector.Item{Line: r.Line}
	if m.spoiled != 0 {
		item.Object = &identity.Object{Kind: m.req.Kind, Anchor: r.Key}
		item.Err = m.bad(m.spoiled, fmt.Sprintf("a membership of %q without a member", r.Key), "correct the row; the group stays as it is until then")
		return m.deliver(item)
	}
	o, err := identity.Decode(m.req.Kind, r.Key, m.attrs, r.Payload)
	if err != nil {
		return m.file.sorting(err)
	}
	// As asked for: every attribute in its place, an empty one too.
	attrs := make(identity.Attrs, 0, len(m.req.Attrs))
	for _, name := range m.req.Attrs {
		v, _ := o.Attrs.Get(name)
		attrs = append(attrs, identity.Attr{Name: name, Value: v})
	}
	if len(m.list) > 0 {
		attrs[m.at].Value = slices.Clone(m.list)
	}
	o.Attrs, item.Object = attrs, o
	return m.deliver(item)
}

// collect takes the members of a group, each once.
func (m *merge) collect(group string) error {
	m.list, m.spoiled, m.last = nil, 0, group
	previous := ""
	for m.of == group && group != "" {
		switch {
		case m.member == "":
			if m.spoiled == 0 {
				m.spoiled = m.line
			}
		case m.member != previous:
			m.list = append(m.list, identity.Ref{Kind: identity.User, Anchor: m.member})
			previous = m.member
		}
		if err := m.advance(); err != nil {
			return err
		}
	}
	return nil
}

// unknown delivers an error for each group before the given one that has members and no row; "" is after the last.
// It has an anchor, so a group that was deleted by halves stays as it is until the two files agree.
func (m *merge) unknown(before string) error {
	for m.of != "" && (before == "" || m.of < before) {
		group, line := m.of, m.line
		err := m.deliver(connector.Item{Object: &identity.Object{Kind: m.req.Kind, Anchor: group}, Line: line,
			Err: m.bad(line, fmt.Sprintf("a membership of %q, which is no group of %s", group, m.file.Path), "add the group, or remove its memberships")})
		if err != nil {
			return err
		}
		for m.of == group {
			if err := m.advance(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *merge) deliver(item connector.Item) error {
	if !m.yield(item, nil) {
		return errStopped
	}
	return nil
}

func (m *merge) bad(line int, what, hint string) error {
	return &connector.Error{Kind: connector.KindInvalid, Op: "read " + m.file.Members.Path, Detail: fmt.Sprintf("line %d: %s", line, what), Hint: hint}
}
