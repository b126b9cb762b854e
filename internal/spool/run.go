package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/zeebo/xxh3"
)

// A run is a file of sorted records in blocks. A block is
//
//	4 bytes   length of the records, big-endian
//	8 bytes   xxh3 of the place of the block in the file (8 bytes) and the records
//	records   one or more, whole
//
// and a record is
//
//	uvarint, key, uvarint, payload, varint line
//
// How many blocks and records there are is kept in memory, so that a file cut short is noticed.
type run struct {
	path    string
	last    []byte // key of the last record
	blocks  int
	records int
	largest int // length of the longest block
}

const blockHeader = 12

// runWriter appends to a run. Errors are kept for close.
type runWriter struct {
	r     *run
	f     *os.File
	size  int    // at which a block is written
	block []byte // its header, then records
	err   error
}

func (r *run) appendTo(blockSize int) (*runWriter, error) {
	f, err := os.OpenFile(r.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open a file for sorting: %w", err)
	}
	return &runWriter{r: r, f: f, size: blockSize, block: make([]byte, blockHeader, blockHeader+blockSize)}, nil
}

func (w *runWriter) record(b []byte) {
	if n := len(w.block) - blockHeader; n > 0 && n+len(b) > w.size {
		w.flush()
	}
	w.block = append(w.block, b...)
}

func (w *runWriter) flush() {
	n := len(w.block) - blockHeader
	if w.err != nil || n == 0 {
		return
	}
	if uint64(n) > 1<<32-1 {
		w.err = fmt.Errorf("a record of %d bytes cannot be sorted", n)
		return
	}
	binary.BigEndian.PutUint32(w.block, uint32(n))
	binary.BigEndian.PutUint64(w.block[4:], blockSum(w.r.blocks, w.block[blockHeader:]))
	_, w.err = w.f.Write(w.block)
	w.r.blocks++
	w.r.largest = max(w.r.largest, n)
	w.block = w.block[:blockHeader]
}

// blockSum is the check of a block; its place counts too, so that blocks cannot change places.
func blockSum(place int, records []byte) uint64 { return xxh3.HashSeed(records, uint64(place)) }

// close ends the run for now; last is the key of the last record, n the number of records written.
func (w *runWriter) close(last []byte, n int) error {
	w.flush()
	w.r.last = append(w.r.last[:0], last...)
	w.r.records += n
	if err := errors.Join(w.err, w.f.Close()); err != nil {
		return fmt.Errorf("write a file for sorting (its folder needs as much room as the source's data): %w", err)
	}
	return nil
}

// raw is a record in a buffer.
type raw struct {
	key, payload []byte
	line         int
}

// parse reads the record at the beginning of b and returns its length.
func parse(b []byte) (r raw, length int, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return raw{}, 0, false
	}
	length = k + int(n)
	r.key = b[k:length]
	n, k = binary.Uvarint(b[length:])
	if k <= 0 || n > uint64(len(b)-length-k) {
		return raw{}, 0, false
	}
	r.payload = b[length+k : length+k+int(n)]
	length += k + int(n)
	line, k := binary.Varint(b[length:])
	if k <= 0 {
		return raw{}, 0, false
	}
	r.line = int(line)
	return r, length + k, true
}

// recordLength is the length of the record at the beginning of a buffer of our own.
func recordLength(b []byte) int {
	_, length, ok := parse(b)
	if !ok {
		panic("spool: a record in memory cannot be read back")
	}
	return length
}

// cursor reads a run.
type cursor struct {
	r       *run
	order   int // of the run among its neighbours: equal keys come in this order
	f       *os.File
	block   []byte
	rest    []byte // of the block, from the current record on
	length  int    // of the current record
	blocks  int
	records int

	head uint64
	raw
}

func (r *run) open(order int) (*cursor, error) {
	f, err := os.Open(r.path)
	if err != nil {
		return nil, fmt.Errorf("read back a file used for sorting: %w", err)
	}
	return &cursor{r: r, order: order, f: f}, nil
}

// next goes on to the next record; io.EOF at the end.
func (c *cursor) next() error {
	c.rest = c.rest[c.length:]
	if len(c.rest) == 0 {
		if c.blocks == c.r.blocks {
			if c.records != c.r.records {
				return c.damaged(fmt.Sprintf("%d records instead of %d", c.records, c.r.records))
			}
			return io.EOF
		}
		if err := c.read(); err != nil {
			return err
		}
	}
	var ok bool
	if c.raw, c.length, ok = parse(c.rest); !ok {
		return c.damaged(fmt.Sprintf("block %d cannot be read", c.blocks))
	}
	c.head = head(c.key)
	c.records++
	return nil
}

func (c *cursor) read() error {
	var header [blockHeader]byte
	if _, err := io.ReadFull(c.f, header[:]); err != nil {
		return c.damaged(fmt.Sprintf("block %d: %v", c.blocks, err))
	}
	n := int(binary.BigEndian.Uint32(header[:]))
	if n > c.r.largest {
		return c.damaged(fmt.Sprintf("block %d has %d bytes, the longest has %d", c.blocks, n, c.r.largest))
	}
	if cap(c.block) < n {
		c.block = make([]byte, c.r.largest)
	}
	c.block = c.block[:n]
	if _, err := io.ReadFull(c.f, c.block); err != nil {
		return c.damaged(fmt.Sprintf("block %d: %v", c.blocks, err))
	}
	if binary.BigEndian.Uint64(header[4:]) != blockSum(c.blocks, c.block) {
		return c.damaged(fmt.Sprintf("block %d has another checksum", c.blocks))
	}
	c.rest = c.block
	c.blocks++
	return nil
}

// ErrDamaged is the error of a file that is not what was written to it.
var ErrDamaged = errors.New("a file used for sorting was changed or cut short")

func (c *cursor) damaged(how string) error {
	return fmt.Errorf("%w: %s: %s", ErrDamaged, c.r.path, how)
}

func (c *cursor) before(d *cursor) bool {
	if c.head != d.head {
		return c.head < d.head
	}
	if n := bytes.Compare(c.key, d.key); n != 0 {
		return n < 0
	}
	return c.order < d.order
}

// merge reads several runs as one: a heap of cursors, the one with the least record first.
type merge struct {
	cursors []*cursor
	started bool
	err     error
}

func newMerge(runs []*run) (*merge, error) {
	m := &merge{}
	for i, r := range runs {
		c, err := r.open(i)
		if err != nil {
			m.close()
			return nil, err
		}
		m.cursors = append(m.cursors, c)
	}
	return m, nil
}

// next goes on to the next record of all runs; false at the end or after an error, which is in err.
func (m *merge) next() bool {
	if !m.started {
		m.started = true
		for i := len(m.cursors) - 1; i >= 0; i-- {
			if !m.advance(i) {
				return false
			}
		}
		for i := len(m.cursors)/2 - 1; i >= 0; i-- {
			m.down(i)
		}
		return len(m.cursors) > 0
	}
	if !m.advance(0) {
		return false
	}
	m.down(0)
	return len(m.cursors) > 0
}

// advance moves one cursor on; at its end the last cursor takes its place.
func (m *merge) advance(i int) bool {
	c := m.cursors[i]
	err := c.next()
	if errors.Is(err, io.EOF) {
		last := len(m.cursors) - 1
		m.cursors[i] = m.cursors[last]
		m.cursors = m.cursors[:last]
		err = c.f.Close()
	}
	m.err = err
	return err == nil
}

// down restores the heap below i.
func (m *merge) down(i int) {
	for {
		least := 2*i + 1
		if least >= len(m.cursors) {
			return
		}
		if right := least + 1; right < len(m.cursors) && m.cursors[right].before(m.cursors[least]) {
			least = right
		}
		if !m.cursors[least].before(m.cursors[i]) {
			return
		}
		m.cursors[i], m.cursors[least] = m.cursors[least], m.cursors[i]
		i = least
	}
}

func (m *merge) record() raw { return m.cursors[0].raw }

// bytes is the current record as it is in the file.
func (m *merge) bytes() []byte { return m.cursors[0].rest[:m.cursors[0].length] }

func (m *merge) close() {
	for _, c := range m.cursors {
		_ = c.f.Close() // only read
	}
}
