package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/rollcall-id/rollcall/internal/spool"
)

// read drains a spool, copying what is valid only until the next record.
func read(s *spool.Spool) ([]spool.Record, error) {
	var all []spool.Record
	for r, err := range s.Sorted() {
		if err != nil {
			return all, err
		}
		r.Payload = bytes.Clone(r.Payload)
		all = append(all, r)
	}
	return all, nil
}

func closed(t testing.TB, s *spool.Spool) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestSortedIsTheStableSortOfWhatWasAdded(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		// Few different keys with common beginnings, so that equal ones and long comparisons are frequent.
		key := rapid.OneOf(rapid.StringMatching(`[ab]{0,3}`), rapid.StringMatching(`common beginning [0-9]{0,2}`), rapid.String())
		n := rapid.IntRange(0, 200).Draw(rt, "records")
		ordered := rapid.Bool().Draw(rt, "in order")
		var want []spool.Record
		for i := range n {
			want = append(want, spool.Record{Key: key.Draw(rt, "key"), Payload: rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(rt, "payload"), Line: i - 3})
		}
		if ordered {
			slices.SortStableFunc(want, func(a, b spool.Record) int { return strings.Compare(a.Key, b.Key) })
		}
		s := spool.New(dir, rapid.SampledFrom([]int{1, 100, 1000, 5000, 0}).Draw(rt, "memory"))
		defer closed(t, s)
		for _, r := range want {
			if err := s.Add(r.Key, r.Payload, r.Line); err != nil {
				rt.Fatal(err)
			}
		}
		slices.SortStableFunc(want, func(a, b spool.Record) int { return strings.Compare(a.Key, b.Key) })
		for _, time := range []string{"first", "second"} {
			got, err := read(s)
			if err != nil {
				rt.Fatal(err)
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				rt.Fatalf("%s reading (- want, + got):\n%s", time, diff)
			}
		}
		if s.Len() != n {
			rt.Fatalf("Len is %d, want %d", s.Len(), n)
		}
	})
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("files left after Close: %v", left)
	}
}

func files(t *testing.T, dir string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// filled returns a spool with n records of about 100 bytes, in order or not.
func filled(t testing.TB, dir string, maxBytes, n int, ordered bool) *spool.Spool {
	t.Helper()
	s := spool.New(dir, maxBytes)
	t.Cleanup(func() { closed(t, s) })
	random := rand.New(rand.NewPCG(1, 2))
	payload := bytes.Repeat([]byte("payload "), 8)
	for i := range n {
		k := uint64(i)
		if !ordered {
			k = random.Uint64()
		}
		if err := s.Add(fmt.Sprintf("%020d-0000", k), payload, i); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestRecordsThatFitInMemoryTouchNoDisk(t *testing.T) {
	dir := t.TempDir()
	s := filled(t, dir, 1<<20, 5000, false)
	if got, err := read(s); err != nil || len(got) != 5000 {
		t.Fatalf("%d records, %v", len(got), err)
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("files: %v", left)
	}
}

func TestRecordsInOrderAreOneRun(t *testing.T) {
	dir := t.TempDir()
	filled(t, dir, 1<<16, 5000, true)
	if found := files(t, dir); len(found) != 1 {
		t.Errorf("files: %v, want one", found)
	}
}

func TestManyRunsAreMergedInSeveralSteps(t *testing.T) {
	dir := t.TempDir()
	s := filled(t, dir, 2000, 8000, false)
	if found := files(t, dir); len(found) < 300 {
		t.Fatalf("only %d runs: the test shows nothing", len(found))
	}
	got, err := read(s)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 8000 || !slices.IsSortedFunc(got, func(a, b spool.Record) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("%d records, or not in order", len(got))
	}
	if found := files(t, dir); len(found) > 32 {
		t.Errorf("%d files while reading", len(found))
	}
}

func TestADamagedFileIsAnErrorAndNeverAnotherRecord(t *testing.T) {
	damage := map[string]func(t *testing.T, path string, b []byte) []byte{
		"a bit changed":       func(t *testing.T, _ string, b []byte) []byte { b[len(b)/2] ^= 4; return b },
		"the first bit":       func(t *testing.T, _ string, b []byte) []byte { b[0] ^= 0x80; return b },
		"cut in a block":      func(t *testing.T, _ string, b []byte) []byte { return b[:len(b)-10] },
		"cut to nothing":      func(t *testing.T, _ string, b []byte) []byte { return nil },
		"blocks out of order": swapBlocks,
		"removed": func(t *testing.T, path string, b []byte) []byte {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			return nil
		},
	}
	for name, harm := range damage {
		for _, ordered := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, in order %v", name, ordered), func(t *testing.T) {
				dir := t.TempDir()
				s := filled(t, dir, 1<<16, 5000, ordered)
				want, err := read(s)
				if err != nil {
					t.Fatal(err)
				}
				path := files(t, dir)[0]
				b, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if b = harm(t, path, b); b != nil || name == "cut to nothing" {
					if err := os.WriteFile(path, b, 0o600); err != nil {
						t.Fatal(err)
					}
				}
				got, err := read(s)
				switch {
				case err == nil:
					t.Error("no error")
				case !errors.Is(err, spool.ErrDamaged) && !errors.Is(err, os.ErrNotExist):
					t.Errorf("error: %v", err)
				}
				if len(got) > len(want) || !slices.EqualFunc(got, want[:len(got)], equal) {
					t.Error("a record that was never added came first")
				}
			})
		}
	}
}

func equal(a, b spool.Record) bool {
	return a.Key == b.Key && a.Line == b.Line && bytes.Equal(a.Payload, b.Payload)
}

// swapBlocks exchanges the first two blocks of a file, which are whole and have right checksums of their own.
func swapBlocks(t *testing.T, _ string, b []byte) []byte {
	t.Helper()
	const header = 12
	length := func(b []byte) int { return header + int(b[0])<<24 + int(b[1])<<16 + int(b[2])<<8 + int(b[3]) }
	one := length(b)
	two := one + length(b[one:])
	if two > len(b) {
		t.Fatal("the file has one block only")
	}
	return slices.Concat(b[one:two], b[:one], b[two:])
}

func TestASpoolIsOverAfterSortedAndAfterClose(t *testing.T) {
	s := spool.New(t.TempDir(), 0)
	if err := s.Add("a", nil, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := read(s); err != nil {
		t.Fatal(err)
	}
	if err := s.Add("b", nil, 2); err == nil {
		t.Error("a record can be added after reading began")
	}
	closed(t, s)
	closed(t, s)
	if _, err := read(s); err == nil {
		t.Error("a closed spool can be read")
	}
}

func TestAFolderThatCannotBeUsedIsAnError(t *testing.T) {
	s := spool.New(filepath.Join(t.TempDir(), "missing"), 100)
	defer closed(t, s)
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		err = s.Add(fmt.Sprint(i), []byte("payload"), i)
	}
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v, want that the folder does not exist", err)
	}
	if again := s.Add("x", nil, 0); again == nil {
		t.Error("the spool goes on after an error")
	}
	if _, err := read(s); err == nil {
		t.Error("the spool can be read after an error")
	}
}

func TestSweepRemovesWhatAKilledProcessLeft(t *testing.T) {
	dir := t.TempDir()
	filled(t, dir, 1000, 100, false) // closed only when the test ends
	other := filepath.Join(dir, "state.db")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := spool.Sweep(dir); err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{other}, found); diff != "" {
		t.Errorf("files (- want, + got):\n%s", diff)
	}
	if err := spool.Sweep(""); err == nil {
		t.Error("the system's folder is swept")
	}
}

func TestHashDependsOnSeedAndEveryByte(t *testing.T) {
	seen := map[[16]byte]string{}
	for _, seed := range []uint64{0, 1} {
		for n := range 300 {
			p := make([]byte, n)
			for _, flip := range []bool{false, true} {
				if n > 0 && flip {
					p[n-1] = 1
				}
				if n == 0 && flip {
					continue
				}
				name := fmt.Sprint(seed, n, flip)
				h := spool.Hash(seed, p)
				if other, ok := seen[h]; ok {
					t.Fatalf("%s and %s have one hash", name, other)
				}
				seen[h] = name
			}
		}
	}
	if a, b := spool.Hash(7, []byte("x")), spool.Hash(7, []byte("x")); a != b {
		t.Error("the same bytes have two hashes")
	}
}

func BenchmarkSpool(b *testing.B) {
	payload := bytes.Repeat([]byte("0123456789"), 12)
	for _, order := range []string{"random", "in order"} {
		for _, n := range []int{100_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", order, n), func(b *testing.B) {
				random := rand.New(rand.NewPCG(1, 2))
				keys := make([]string, n)
				for i := range keys {
					k := uint64(i)
					if order == "random" {
						k = random.Uint64()
					}
					keys[i] = fmt.Sprintf("%020d-1234-5678", k)
				}
				b.ReportAllocs()
				for b.Loop() {
					s := spool.New(b.TempDir(), 0)
					for i, k := range keys {
						if err := s.Add(k, payload, i); err != nil {
							b.Fatal(err)
						}
					}
					count := 0
					for _, err := range s.Sorted() {
						if err != nil {
							b.Fatal(err)
						}
						count++
					}
					if count != n {
						b.Fatalf("%d records, want %d", count, n)
					}
					closed(b, s)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/record")
			})
		}
	}
}
