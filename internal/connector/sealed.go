package connector

import (
	"context"
	"errors"

	"github.com/rollcall-id/rollcall/internal/secret"
)

// ErrNotSealed is the error of Sealed.Read for a name under which nothing is kept.
var ErrNotSealed = errors.New("nothing is kept under this name")

// Sealed keeps secrets of one job that Rollcall itself was given, refresh tokens above all, so that they cannot be read
// in the database (design D10).
type Sealed interface {
	// Read returns what is kept under a name; ErrNotSealed when nothing is.
	Read(ctx context.Context, name string) (secret.Value, error)
	// Replace calls change with what is kept, zero for nothing, and has stored what change returns when it returns itself.
	// Of all processes on the database one at a time changes a name; the others wait. An error of change is returned as it
	// is, and nothing is stored then.
	Replace(ctx context.Context, name string, change func(ctx context.Context, old secret.Value) (secret.Value, error)) (secret.Value, error)
}
