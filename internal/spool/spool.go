package spool

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"
)

// DefaultMaxBytes is the memory that a spool uses when New is given none.
const DefaultMaxBytes = 16 << 20

// prefix of the folders that spools make; Sweep goes by it.
const prefix = "rollcall-spool-"

// Record is one record in the order of the keys.
type Record struct {
	Key     string
	Payload []byte // valid until the next record
	Line    int    // where it came from, as given to Add
}

// Spool collects records and returns them sorted. It must be used by one goroutine at a time.
type Spool struct {
	parent   string
	maxBytes int
	dir      string // of this spool, "" until the first run is written

	// The records in memory: their bytes as they are in a file, one after the other, and where each begins.
	buffer  []byte
	entries []entry
	ordered bool // entries are in order as they are

	runs  []*run
	files int // written so far, merged ones included
	count int
	done  bool // Sorted was called: nothing is added any more
	err   error
}

// entry is where a record begins. Most comparisons end at the first bytes of the key.
type entry struct {
	head uint64
	at   int
}

// New returns an empty spool that keeps its files in a folder of its own below dir ("" for the system's folder for
// temporary files) and uses up to maxBytes of memory, or DefaultMaxBytes if that is 0 or less; reading back may use as
// much again. Nothing is created before the memory is full.
func New(dir string, maxBytes int) *Spool {
	if maxBytes <= 0 {
		maxBytes = DefaultMaxBytes
	}
	return &Spool{parent: dir, maxBytes: maxBytes, ordered: true}
}

// Hash returns the 128-bit hash by which payloads are compared (design D15). seed sets apart hashes of payloads whose
// bytes mean something else, such as those of another version of the mappings.
func Hash(seed uint64, payload []byte) [16]byte { return xxh3.Hash128Seed(payload, seed).Bytes() }

// Len returns the number of records added.
func (s *Spool) Len() int { return s.count }

// Add stores a record; line says where it came from and is returned with it. The spool keeps no reference to payload.
// After an error, or after Sorted, every call is an error.
func (s *Spool) Add(key string, payload []byte, line int) error {
	if s.err != nil {
		return s.err
	}
	if s.done {
		return errors.New("spool: a record is added after reading began")
	}
	need := len(key) + len(payload) + 3*binary.MaxVarintLen64
	if used := len(s.buffer) + entrySize*len(s.entries); used > 0 && used+need+entrySize > s.maxBytes {
		if s.err = s.flush(); s.err != nil {
			return s.err
		}
	}
	s.grow(need)
	e := entry{head: head(key), at: len(s.buffer)}
	if s.ordered && len(s.entries) > 0 {
		last := s.entries[len(s.entries)-1]
		s.ordered = last.head < e.head || last.head == e.head && string(keyAt(s.buffer, last.at)) <= key
	}
	s.buffer = binary.AppendUvarint(s.buffer, uint64(len(key)))
	s.buffer = append(s.buffer, key...)
	s.buffer = binary.AppendUvarint(s.buffer, uint64(len(payload)))
	s.buffer = append(s.buffer, payload...)
	s.buffer = binary.AppendVarint(s.buffer, int64(line))
	s.entries = append(s.entries, e)
	s.count++
	return nil
}

const entrySize = 16

// grow makes room without going far beyond maxBytes, as doubling would.
func (s *Spool) grow(need int) {
	if cap(s.buffer)-len(s.buffer) >= need {
		return
	}
	size := max(len(s.buffer)+need, min(2*cap(s.buffer), s.maxBytes), min(64<<10, s.maxBytes))
	s.buffer = append(make([]byte, 0, size), s.buffer...)
}

// head is the first eight bytes of a key as a number; heads that differ are in the order of their keys.
func head[K string | []byte](key K) uint64 {
	var b [8]byte
	copy(b[:], key)
	return binary.BigEndian.Uint64(b[:])
}

// keyAt returns the key of the record that begins at a place of a buffer of our own.
func keyAt(buffer []byte, at int) []byte {
	n, k := binary.Uvarint(buffer[at:])
	return buffer[at+k : at+k+int(n)]
}

func (s *Spool) sort() {
	if s.ordered {
		return
	}
	slices.SortFunc(s.entries, func(a, b entry) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		if c := bytes.Compare(keyAt(s.buffer, a.at), keyAt(s.buffer, b.at)); c != 0 {
			return c
		}
		return cmp.Compare(a.at, b.at) // equal keys stay in the order in which they came
	})
	s.ordered = true
}

// flush writes the records in memory as a run, or at the end of the run before if they all come after it.
func (s *Spool) flush() error {
	s.sort()
	if s.dir == "" {
		dir, err := os.MkdirTemp(s.parent, prefix)
		if err != nil {
			return fmt.Errorf("create a folder for sorting: %w", err)
		}
		s.dir = dir
	}
	first := keyAt(s.buffer, s.entries[0].at)
	var r *run
	if n := len(s.runs); n > 0 && bytes.Compare(s.runs[n-1].last, first) <= 0 {
		r = s.runs[n-1]
	} else {
		r = s.newRun()
		s.runs = append(s.runs, r)
	}
	w, err := r.appendTo(s.blockSize())
	if err != nil {
		return err
	}
	for _, e := range s.entries {
		w.record(s.buffer[e.at : e.at+recordLength(s.buffer[e.at:])])
	}
	last := keyAt(s.buffer, s.entries[len(s.entries)-1].at)
	if err := w.close(last, len(s.entries)); err != nil {
		return err
	}
	s.buffer, s.entries, s.ordered = s.buffer[:0], s.entries[:0], true
	return nil
}

// blockSize is how many bytes are read and written at a time: small enough that many runs can be read side by side.
func (s *Spool) blockSize() int { return min(64<<10, max(s.maxBytes/16, 64)) }

func (s *Spool) newRun() *run {
	s.files++
	return &run{path: filepath.Join(s.dir, fmt.Sprintf("%06d", s.files))}
}

// Sorted delivers all records in the byte order of their keys; records with equal keys come next to each other, in the
// order in which they were added. It may be called again. A file that is missing or was changed is an error, never
// another record.
func (s *Spool) Sorted() iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		if s.err == nil {
			s.err = s.prepare()
		}
		if s.err != nil {
			yield(Record{}, s.err)
			return
		}
		if len(s.runs) == 0 {
			for _, e := range s.entries {
				r, _, ok := parse(s.buffer[e.at:])
				if !ok {
					panic("spool: a record in memory cannot be read back")
				}
				if !yield(Record{Key: string(r.key), Payload: r.payload, Line: r.line}, nil) {
					return
				}
			}
			return
		}
		m, err := newMerge(s.runs)
		if err != nil {
			yield(Record{}, err)
			return
		}
		defer m.close()
		for m.next() {
			r := m.record()
			if !yield(Record{Key: string(r.key), Payload: r.payload, Line: r.line}, nil) {
				return
			}
		}
		if m.err != nil {
			yield(Record{}, m.err)
		}
	}
}

// prepare ends the collecting: it writes what is left, unless all is still in memory, and merges runs until their
// number can be read side by side.
func (s *Spool) prepare() error {
	s.done = true
	if len(s.runs) == 0 {
		s.sort()
		return nil
	}
	if len(s.entries) > 0 {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.buffer, s.entries = nil, nil
	sideBySide := max(2, min(256, s.maxBytes/s.blockSize()))
	for len(s.runs) > sideBySide {
		// Neighbours, so that equal keys stay in order; the merged run takes their place.
		merged, err := s.merge(s.runs[:sideBySide])
		if err != nil {
			return err
		}
		for _, r := range s.runs[:sideBySide] {
			if err := os.Remove(r.path); err != nil {
				return fmt.Errorf("remove a file used for sorting: %w", err)
			}
		}
		s.runs = append([]*run{merged}, s.runs[sideBySide:]...)
	}
	return nil
}

func (s *Spool) merge(runs []*run) (*run, error) {
	m, err := newMerge(runs)
	if err != nil {
		return nil, err
	}
	defer m.close()
	merged := s.newRun()
	w, err := merged.appendTo(s.blockSize())
	if err != nil {
		return nil, err
	}
	n := 0
	var last []byte
	for m.next() {
		w.record(m.bytes())
		last = append(last[:0], m.record().key...)
		n++
	}
	return merged, errors.Join(m.err, w.close(last, n))
}

// Close removes the files. The spool cannot be used after it; it may be called again.
func (s *Spool) Close() error {
	s.done, s.err = true, errors.New("spool: used after Close")
	s.buffer, s.entries, s.runs = nil, nil, nil
	if s.dir == "" {
		return nil
	}
	dir := s.dir
	s.dir = ""
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the folder used for sorting: %w", err)
	}
	return nil
}

// Sweep removes what spools of a process that was killed left below dir. No spool may be in use there.
func Sweep(dir string) error {
	if dir == "" {
		return errors.New("spool: the system's folder for temporary files belongs to other processes too")
	}
	left, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		return fmt.Errorf("look for left-over files in %s: %w", dir, err)
	}
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}
