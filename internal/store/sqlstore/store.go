package sqlstore

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rollcall-id/rollcall/internal/database"
	"github.com/rollcall-id/rollcall/internal/store"
)

// Store keeps the state of jobs in a database. It is safe for concurrent use.
type Store struct {
	db      *database.DB
	sheaves sheafSet
}

// Each role that Store plays.
var (
	_ store.Jobs          = (*Store)(nil)
	_ store.VersionWriter = (*Store)(nil)
	_ store.Holds         = (*Store)(nil)
	_ store.Cycles        = (*Store)(nil)
	_ store.Writer        = (*Store)(nil)
	_ store.Objects       = (*Store)(nil)
	_ store.Projections   = (*Store)(nil)
	_ store.Held          = (*Store)(nil)
	_ store.Work          = (*Store)(nil)
	_ store.Log           = (*Store)(nil)
	_ store.Windows       = (*Store)(nil)
	_ store.Sites         = (*Store)(nil)
	_ store.Secrets       = (*Store)(nil)
	_ store.Credentials   = (*Store)(nil)
)

// New returns a store over a database that has been migrated. The caller closes the database.
func New(db *database.DB) *Store { return &Store{db: db} }

// jobNum finds the number under which the rows of a job are kept; store.ErrNotFound.
func (s *Store) jobNum(ctx context.Context, q rowQuerier, id string) (int64, error) {
	return s.num(ctx, q, `SELECT num FROM jobs WHERE id = $1`, "job", id)
}

// cycleNum finds the number under which the rows of a cycle are kept; store.ErrNotFound.
func (s *Store) cycleNum(ctx context.Context, q rowQuerier, id string) (int64, error) {
	return s.num(ctx, q, `SELECT num FROM cycles WHERE id = $1`, "cycle", id)
}

type rowQuerier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func (s *Store) num(ctx context.Context, q rowQuerier, text, what, id string) (num int64, err error) {
	err = q.QueryRowContext(ctx, text, id).Scan(&num)
	if err != nil {
		return 0, fmt.Errorf("%s %s: %w", what, id, notFound(err))
	}
	return num, nil
}

// notFound turns the absence of a row into store.ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return store.ErrNotFound
	}
	return err
}

// conflict turns the violation of a unique key into store.ErrConflict.
func (s *Store) conflict(err error) error {
	if s.db.Conflict(err) {
		return fmt.Errorf("%w: %w", store.ErrConflict, err)
	}
	return err
}

// halves is the stored form of a hash.
func halves(h [16]byte) (hi, lo int64) {
	return int64(binary.BigEndian.Uint64(h[:8])), int64(binary.BigEndian.Uint64(h[8:]))
}

// whole reads what halves wrote.
func whole(hi, lo int64) (h [16]byte) {
	binary.BigEndian.PutUint64(h[:8], uint64(hi))
	binary.BigEndian.PutUint64(h[8:], uint64(lo))
	return h
}

// document is v as JSON, or nothing when it is nil.
func document[T any](v *T) (any, error) {
	if v == nil {
		return nil, nil
	}
	return json.Marshal(v)
}

// fromDocument reads what document wrote.
func fromDocument[T any](b []byte) (*T, error) {
	if len(b) == 0 {
		return nil, nil
	}
	v := new(T)
	if err := json.Unmarshal(b, v); err != nil {
		return nil, err
	}
	return v, nil
}

// keyError says which key cannot be kept, and why.
func keyError(what, key string) error {
	switch {
	case key == "":
		return fmt.Errorf("%s is empty", what)
	case len(key) > database.KeyMax:
		return fmt.Errorf("%s %.40q… has %d bytes, at most %d can be kept", what, key, len(key), database.KeyMax)
	}
	return fmt.Errorf("%s %.200q is not valid UTF-8 without NUL", what, key)
}
