package conntest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// Subject is a target under test and what the suite must know of it. The target is empty and nobody else uses it.
type Subject struct {
	Target connector.Target
	Meter  *connector.Meter // the one that Target was opened with; nil leaves out the check of calls

	User  identity.Kind
	Group identity.Kind // "" for a target without groups

	Key      string                   // unique, filterable text attribute of users, for instance userName
	KeyValue func(text string) string // makes a valid value of Key of any text; nil takes the text as it is
	FoldKey  bool                     // values of Key that differ only in case are the same
	// Unfilterable are texts that the system under test, by a fault of its own, does not find as values of Key, and why.
	Unfilterable map[string]string
	Required     func(i int) identity.Attrs // further attributes that a user needs, of the i-th user; may be nil

	Text       string // text attribute of users that takes any text and need not be unique
	FilterText bool   // Text is filterable
	Other      string // another text attribute of users
	Flag       string // Boolean attribute of users
	Manager    string // reference from user to user; "" for none

	NoDelete       bool // the system has no delete of users
	DeleteDisables bool // a delete of a user turns Flag off, and the user stays

	GroupKey string // unique text attribute of groups
	Members  string // reference from group to users, with several values

	// MembersOf looks at the target past the connector, which never reads members. Without it the checks of members
	// see only whether calls succeed.
	MembersOf func(ctx context.Context, group string) ([]string, error)
}

// Check is one demand on a target.
type Check struct {
	Name string
	Run  func(ctx context.Context, s Subject) error
}

// ErrSkip is returned by a check that the subject gives no ground for.
var ErrSkip = errors.New("does not apply to this target")

// RunTarget runs every check on a target of its own.
func RunTarget(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for _, c := range Targets() {
		t.Run(c.Name, func(t *testing.T) {
			err := c.Run(t.Context(), open(t))
			if errors.Is(err, ErrSkip) {
				t.Skip(err)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// nasty are texts that break careless connectors.
var nasty = []string{
	`O"Neil`, `back\slash`, `back\"both`, "comma, semicolon; colon:", "Ünïcödé Ångström", "emoji 🦊👩‍🚀", "apostrophe's", "a&b=c+d%20e#f?g/h",
	`x" or userName pr or userName eq "`, "(brackets) [square] {curly}", "star*", "日本語テキスト", "tab\tinside", "line\nbreak", "<b>&amp;</b>",
	"true", "null", "007", "ﬁ ligature", long,
}

// long has 300 characters.
var long = func() string {
	r := make([]rune, 300)
	for i := range r {
		r[i] = rune('a' + i%26)
	}
	return string(r)
}()

// key is a value of Key.
func (s Subject) key(text string) string {
	if s.KeyValue != nil {
		return s.KeyValue(text)
	}
	return text
}

// user is the i-th user, with more attributes.
func (s Subject) user(i int, key string, more ...identity.Attr) *identity.Object {
	o := &identity.Object{Kind: s.User, Attrs: identity.Attrs{{Name: s.Key, Value: key}}}
	if s.Required != nil {
		for _, a := range s.Required(i) {
			o.Attrs.Set(a.Name, a.Value)
		}
	}
	for _, a := range more {
		o.Attrs.Set(a.Name, a.Value)
	}
	return o
}

// plainKey is a value of Key without anything special in it.
func (s Subject) plainKey(i int) string { return s.key(fmt.Sprintf("user%03d", i)) }

// create makes an object that must have an anchor.
func (s Subject) create(ctx context.Context, o *identity.Object) (*identity.Object, error) {
	made, err := s.Target.Create(ctx, o)
	switch {
	case err != nil:
		return nil, fmt.Errorf("create: %w", err)
	case made == nil || made.Anchor == "":
		return nil, errors.New("create returned no anchor")
	case made.Kind != o.Kind:
		return nil, fmt.Errorf("create returned a %q for a %q", made.Kind, o.Kind)
	}
	return made, nil
}

// users makes n plain users and returns their anchors.
func (s Subject) users(ctx context.Context, n int) ([]string, error) {
	var anchors []string
	for i := range n {
		made, err := s.create(ctx, s.user(i, s.plainKey(i)))
		if err != nil {
			return nil, err
		}
		anchors = append(anchors, made.Anchor)
	}
	return anchors, nil
}

// get reads an object that must exist and be the one asked for.
func (s Subject) get(ctx context.Context, kind identity.Kind, anchor string) (*identity.Object, error) {
	o, err := s.Target.Get(ctx, kind, anchor)
	switch {
	case err != nil:
		return nil, fmt.Errorf("get: %w", err)
	case o == nil:
		return nil, errors.New("get returned neither an object nor an error")
	case o.Anchor != anchor || o.Kind != kind:
		return nil, fmt.Errorf("get %s %q returned %s %q", kind, anchor, o.Kind, o.Anchor)
	}
	return o, nil
}

// update changes an object.
func (s Subject) update(ctx context.Context, kind identity.Kind, anchor string, changes ...connector.Change) error {
	if _, err := s.Target.Update(ctx, connector.Update{Kind: kind, Anchor: anchor, Changes: changes}); err != nil {
		return fmt.Errorf("update: %w", err)
	}
	return nil
}

// wantValue compares one attribute.
func wantValue(o *identity.Object, attr string, want any) error {
	got, _ := o.Get(attr)
	if !identity.Equal(got, want, false) {
		return fmt.Errorf("%s is %#v, want %#v", attr, got, want)
	}
	return nil
}

// wantKind compares the kind of an error.
func wantKind(what string, err error, want connector.Kind) error {
	switch {
	case err == nil:
		return fmt.Errorf("%s succeeded, want an error of kind %q", what, want)
	case connector.KindOf(err) != want:
		return fmt.Errorf("%s: error of kind %q, want %q: %w", what, connector.KindOf(err), want, err)
	}
	var e *connector.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s: %T is not a *connector.Error", what, err)
	}
	return nil
}

// refs are references to users.
func (s Subject) refs(anchors ...string) []any {
	out := make([]any, len(anchors))
	for i, a := range anchors {
		out[i] = identity.Ref{Kind: s.User, Anchor: a}
	}
	return out
}

// wantMembers looks at the members of a group past the connector.
func (s Subject) wantMembers(ctx context.Context, group string, want ...string) error {
	if s.MembersOf == nil {
		return nil
	}
	got, err := s.MembersOf(ctx, group)
	if err != nil {
		return fmt.Errorf("look at members: %w", err)
	}
	slices.Sort(got)
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		return fmt.Errorf("members are %q, want %q", got, want)
	}
	return nil
}

// number is an error of a query that did not find as many objects as it should.
func number(what string, found int, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %d objects", what, found)
}
