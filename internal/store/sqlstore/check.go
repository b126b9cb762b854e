package sqlstore

import (
	"encoding/hex"
	"fmt"

	"github.com/zeebo/xxh3"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/store"
)

// checkKeys refuses a batch with a key that one of the databases could not keep, on both, before anything is written.
func checkKeys(b *store.Batch) error {
	var c checker
	for i := range b.Work {
		c.object("work", &b.Work[i].ObjectKey)
		c.stage(b.Work[i].Stage)
		c.optional("parent of work", b.Work[i].Parent)
		c.optional("target anchor of work", b.Work[i].Target)
	}
	for i := range b.Objects {
		c.object("object", &b.Objects[i].ObjectKey)
		c.optional("target anchor of an object", b.Objects[i].Target)
	}
	for i := range b.Touched {
		c.object("object", &b.Touched[i].ObjectKey)
	}
	for _, keys := range [][]store.ObjectKey{b.Done, b.Forget, b.Unescrow, b.Unstage} {
		for i := range keys {
			c.object("object", &keys[i])
		}
	}
	for i := range b.Project {
		c.object("projection", &b.Project[i].ObjectKey)
	}
	for _, members := range [][]store.Member{b.Members, b.Unmember} {
		for i := range members {
			c.reference("member", &members[i].Owner, members[i].Attr, members[i].Ref)
			c.optional("target anchor of a member", members[i].Target)
		}
	}
	for _, references := range [][]store.Unresolved{b.Unresolved, b.Resolved} {
		for i := range references {
			c.reference("unresolved reference", &references[i].Owner, references[i].Attr, references[i].Ref)
		}
	}
	for i := range b.Escrows {
		c.object("escrow", &b.Escrows[i].ObjectKey)
	}
	for i := range b.Staged {
		c.object("held operation", &b.Staged[i].ObjectKey)
		c.optional("target anchor of a held operation", b.Staged[i].Target)
	}
	for i := range b.Log {
		c.key("log record: id", b.Log[i].ID)
		if id := b.Log[i].JobID; id != b.JobID && c.err == nil {
			c.err = fmt.Errorf("log record %s is of another job, %s", b.Log[i].ID, id)
		}
	}
	for i := range b.Index {
		c.key("index entry: kind", string(b.Index[i].Kind))
		c.key("index entry: attribute", b.Index[i].Attr)
		c.key("index entry: anchor", b.Index[i].Anchor)
	}
	for i := range b.Found {
		c.object("account found", &b.Found[i].ObjectKey)
	}
	if b.Cycle != nil && b.Cycle.ID != b.CycleID && c.err == nil {
		c.err = fmt.Errorf("the batch is of cycle %s but carries cycle %s", b.CycleID, b.Cycle.ID)
	}
	return c.err
}

// checker remembers the first key that cannot be kept.
type checker struct{ err error }

func (c *checker) key(what, key string) {
	if c.err == nil && !database.ValidKey(key) {
		c.err = keyError(what, key)
	}
}

func (c *checker) optional(what, key string) {
	if key != "" {
		c.key(what, key)
	}
}

func (c *checker) stage(stage store.Stage) {
	if c.err == nil && (stage < 0 || stage > store.ToExport) {
		c.err = fmt.Errorf("work has stage %d, which does not exist", stage)
	}
}

func (c *checker) object(what string, k *store.ObjectKey) {
	if c.err == nil && (!database.ValidKey(k.Rule) || !database.ValidKey(k.Anchor)) {
		c.key(what+": rule", k.Rule)
		c.key(what+": anchor", k.Anchor)
	}
}

func (c *checker) reference(what string, owner *store.ObjectKey, attr string, ref identity.Ref) {
	c.object(what, owner)
	c.key(what+": attribute", attr)
	c.key(what+": kind", string(ref.Kind))
	c.key(what+": referent", ref.Anchor)
}

// indexValue is the form in which a joining value is kept and looked up: itself, or a hash of it when it is no key for
// both databases. Joining values come from accounts of the target, where anything may stand.
func indexValue(v string) string {
	if len(v) <= database.KeyMax && database.ValidText(v) {
		return v
	}
	h := xxh3.HashString128(v).Bytes()
	return "xxh3:" + hex.EncodeToString(h[:])
}
