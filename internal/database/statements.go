package database

import (
	"context"
	"database/sql"
	"sync"
)

// statements keeps the bulk statements of one pool prepared. On SQLite preparing 64 rows costs about as much as writing
// them, and nobody else remembers; the driver of PostgreSQL does so by itself. There are as many as there are bulk
// statements times sizes of pieces, so nothing is ever dropped. The pool closes them with its connections.
type statements struct {
	mu     sync.Mutex
	ready  map[string]*sql.Stmt
	missed map[string]struct{} // asked for since the last prepare
}

// get returns a prepared statement; nil means that there is none before the next prepare.
func (s *statements) get(text string) *sql.Stmt {
	s.mu.Lock()
	defer s.mu.Unlock()
	stmt := s.ready[text]
	if stmt == nil {
		if s.missed == nil {
			s.missed = map[string]struct{}{}
		}
		s.missed[text] = struct{}{}
	}
	return stmt
}

// prepare prepares what was missed. The writer's only connection is taken while a transaction runs, so it must not be
// called inside one. A statement that cannot be prepared says so when it is run, not to whoever comes next.
func (s *statements) prepare(ctx context.Context, pool *sql.DB) error {
	s.mu.Lock()
	missed := s.missed
	s.missed = nil
	s.mu.Unlock()
	for text := range missed {
		stmt, err := pool.PrepareContext(ctx, text)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			continue
		}
		if err := s.add(text, stmt); err != nil {
			return err
		}
	}
	return nil
}

// add keeps a statement, unless another goroutine missed and prepared the same in the meantime.
func (s *statements) add(text string, stmt *sql.Stmt) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ready[text] != nil {
		return stmt.Close()
	}
	if s.ready == nil {
		s.ready = map[string]*sql.Stmt{}
	}
	s.ready[text] = stmt
	return nil
}

// query is a prepared statement as a Querier; the text is the statement's.
type query struct{ *sql.Stmt }

func (q query) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return q.Stmt.QueryContext(ctx, args...)
}
