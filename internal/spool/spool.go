package spool

import (
	"bufio"
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"slices"

	"github.com/zeebo/xxh3"
)

// DefaultMemory is the bound on records held in memory when New is given none, in bytes.
const DefaultMemory = 16 << 20

// overhead is what a record costs in memory beside its bytes.
const overhead = 48

// Record is one record as it comes out. Payload is valid until the next record is asked for.
type Record struct {
	Key     string
	Payload []byte
	Line    int // as it was added, for messages about the input
}

// Spool takes records and gives them back in the order of their keys. It is not safe for concurrent use.
type Spool struct {
	dir    string
	limit  int
	arena  []byte  // keys and payloads of the records in memory, one after the other
	index  []entry // of the records in memory
	runs   []run
	sorted bool // the records in memory came in order
	err    error
}

// entry places a record in the arena: the key, then the payload.
type entry struct {
	at, key, payload int
	line             int
}

// run is a file of records in order.
type run struct {
	path    string
	records int
}

// New makes a spool that keeps about maxBytes in memory, DefaultMemory when that is 0, and the rest in files in dir,
// the system's directory for temporary files when that is "".
func New(dir string, maxBytes int) *Spool {
	if maxBytes <= 0 {
		maxBytes = DefaultMemory
	}
	return &Spool{dir: dir, limit: maxBytes, sorted: true}
}

// Add takes a record; the payload is copied. Records with the same key come out next to each other, in the order they
// were added.
func (s *Spool) Add(key string, payload []byte, line int) error {
	if s.err != nil {
		return s.err
	}
	e := entry{at: len(s.arena), key: len(key), payload: len(payload), line: line}
	if n := len(s.index); n > 0 && s.sorted {
		s.sorted = string(s.key(s.index[n-1])) <= key
	}
	s.arena = append(append(s.arena, key...), payload...)
	s.index = append(s.index, e)
	if len(s.arena)+len(s.index)*overhead >= s.limit {
		s.err = s.spill()
	}
	return s.err
}

func (s *Spool) key(e entry) []byte     { return s.arena[e.at : e.at+e.key] }
func (s *Spool) payload(e entry) []byte { return s.arena[e.at+e.key : e.at+e.key+e.payload] }

// sort puts the records in memory in order.
func (s *Spool) sort() {
	if s.sorted {
		return
	}
	slices.SortStableFunc(s.index, func(a, b entry) int { return slices.Compare(s.key(a), s.key(b)) })
	s.sorted = true
}

// spill writes the records in memory to a file of their own.
func (s *Spool) spill() (err error) {
	s.sort()
	f, err := os.CreateTemp(s.dir, "rollcall-spool-*")
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.runs = append(s.runs, run{path: f.Name(), records: len(s.index)})
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 256<<10)
	var head []byte
	for _, e := range s.index {
		head = binary.AppendUvarint(head[:0], uint64(e.key))
		head = binary.AppendUvarint(head, uint64(e.payload))
		head = binary.AppendUvarint(head, uint64(e.line))
		if _, err := w.Write(head); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		if _, err := w.Write(s.arena[e.at : e.at+e.key+e.payload]); err != nil {
			return fmt.Errorf("spool: %w", err)
		}
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	s.arena, s.index, s.sorted = s.arena[:0], s.index[:0], true
	return nil
}

// Sorted delivers all records in the byte order of their keys. Nothing may be added afterwards. An error ends it.
func (s *Spool) Sorted() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if s.err != nil {
			yield(Record{}, s.err)
			return
		}
		s.sort()
		if len(s.runs) == 0 {
			for _, e := range s.index {
				if !yield(Record{Key: string(s.key(e)), Payload: s.payload(e), Line: e.line}, nil) {
					return
				}
			}
			return
		}
		if err := s.merge(yield); err != nil {
			yield(Record{}, err)
		}
	}
}

// merge merges the files and what is in memory.
func (s *Spool) merge(yield func(Record, error) bool) (err error) {
	var h front
	for i, r := range s.runs {
		f, err := os.Open(r.path)
		if err != nil {
			return fmt.Errorf("spool: %w", err)
		}
		defer f.Close()
		h = append(h, &cursor{order: i, left: r.records, r: bufio.NewReaderSize(f, 128<<10)})
	}
	h = append(h, &cursor{order: len(s.runs), left: len(s.index), memory: s})
	h = slices.DeleteFunc(h, func(c *cursor) bool {
		more, nerr := c.next()
		err = errors.Join(err, nerr)
		return !more
	})
	if err != nil {
		return err
	}
	heap.Init(&h)
	for len(h) > 0 {
		c := h[0]
		if !yield(Record{Key: string(c.key), Payload: c.payload, Line: c.line}, nil) {
			return nil
		}
		more, err := c.next()
		switch {
		case err != nil:
			return err
		case more:
			heap.Fix(&h, 0)
		default:
			heap.Pop(&h)
		}
	}
	return nil
}

// Close removes the files. It may be called twice.
func (s *Spool) Close() error {
	var err error
	for _, r := range s.runs {
		if rerr := os.Remove(r.path); rerr != nil && !errors.Is(rerr, os.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	s.runs, s.arena, s.index = nil, nil, nil
	return err
}

// cursor is the next record of one run.
type cursor struct {
	order  int // of the run, which decides between equal keys
	left   int
	r      *bufio.Reader
	memory *Spool // instead of r, for the records in memory

	buf          []byte
	key, payload []byte
	line         int
}

func (c *cursor) next() (bool, error) {
	if c.left == 0 {
		return false, nil
	}
	if c.memory != nil {
		e := c.memory.index[len(c.memory.index)-c.left]
		c.key, c.payload, c.line = c.memory.key(e), c.memory.payload(e), e.line
		c.left--
		return true, nil
	}
	var head [3]uint64
	for i := range head {
		n, err := binary.ReadUvarint(c.r)
		if err != nil {
			return false, broken(err)
		}
		head[i] = n
	}
	size := head[0] + head[1]
	if size > 1<<31 {
		return false, broken(fmt.Errorf("a record of %d bytes", size))
	}
	c.buf = slices.Grow(c.buf[:0], int(size))[:size]
	if _, err := io.ReadFull(c.r, c.buf); err != nil {
		return false, broken(err)
	}
	c.key, c.payload, c.line = c.buf[:head[0]], c.buf[head[0]:], int(head[2])
	c.left--
	return true, nil
}

func broken(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("spool: a temporary file is not what was written to it: %w", err)
}

// front is a heap of cursors by key.
type front []*cursor

func (h front) Len() int { return len(h) }
func (h front) Less(i, j int) bool {
	if c := slices.Compare(h[i].key, h[j].key); c != 0 {
		return c < 0
	}
	return cmp.Less(h[i].order, h[j].order)
}
func (h front) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *front) Push(x any)   { *h = append(*h, x.(*cursor)) }
func (h *front) Pop() any {
	old := *h
	c := old[len(old)-1]
	*h = old[:len(old)-1]
	return c
}

// Hash is the 128-bit hash that tells a changed record from an unchanged one. Records hashed with another seed differ.
func Hash(seed uint64, payload []byte) [16]byte { return xxh3.Hash128Seed(payload, seed).Bytes() }
