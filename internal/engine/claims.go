package engine

import (
	"fmt"
	"sync"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// claims are the accounts that were made or found in this slice, and whose they are. The state shows that only once the
// results are committed, and until then another object with the same joining value could find such an account and take
// it (I1).
type claims struct {
	mu    sync.Mutex
	owner map[account]store.ObjectKey
	order []account // oldest first
}

// account names an account or group of the target.
type account struct {
	kind   identity.Kind
	anchor string
}

// of returns the object that an account of this slice belongs to; an empty key for none.
func (c *claims) of(kind identity.Kind, anchor string) store.ObjectKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.owner[account{kind, anchor}]
}

// claim gives an account to an object. The error is a conflict when it is another one's.
func (c *claims) claim(kind identity.Kind, anchor string, key store.ObjectKey) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := account{kind, anchor}
	other, taken := c.owner[a]
	switch {
	case taken && other != key:
		return &connector.Error{Kind: connector.KindConflict, Code: codeDuplicateSource,
			Detail: fmt.Sprintf("account %s was given to source object %q in this cycle, which has the same joining value; correct one of them", anchor, other.Anchor)}
	case taken:
		return nil
	case c.owner == nil:
		c.owner = map[account]store.ObjectKey{}
	}
	c.owner[a] = key
	if c.order = append(c.order, a); len(c.order) > rememberRecent { // long committed
		delete(c.owner, c.order[0])
		c.order = c.order[1:]
	}
	return nil
}
