package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func all(text string, comma byte) (rows [][]string, err error) {
	r := newRecords(strings.NewReader(text), comma, false, true)
	for {
		switch err := r.next(); {
		case errors.Is(err, io.EOF):
			return rows, nil
		case err != nil:
			return rows, err
		}
		var row []string
		for _, f := range r.fields {
			row = append(row, string(f))
		}
		rows = append(rows, row)
	}
}

// FuzzRecords compares with encoding/csv. Whatever that reads without complaint has to be read the same; what it
// writes has to come back; and reading in small pieces gives the same as reading at once.
func FuzzRecords(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a,\"b \"\"c\"\" \"\r\n\"x\ny\",\r\n", "\"\"", ",", "\n\n,\n", "a\r\n\r\nb", "\"a\"b,c\n", "a\"b", "\"open", "\xff,\n", "a\x00", "é,ü\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := all(text, ',')
		reference := csv.NewReader(strings.NewReader(text))
		reference.FieldsPerRecord = -1
		want, wantErr := reference.ReadAll()
		if wantErr == nil && err == nil {
			if diff := cmp.Diff(want, got); diff != "" && !bareReturn(text) {
				t.Errorf("%q (- encoding/csv, + records):\n%s", text, diff)
			}
		}
		if wantErr == nil && err != nil && !errors.Is(err, errEncoding) && !errors.Is(err, errLong) {
			t.Errorf("%q: %v, which encoding/csv reads", text, err)
		}

		pieces := newRecords(oneByte{strings.NewReader(text)}, ',', false, true)
		for _, row := range got {
			if err := pieces.next(); err != nil {
				t.Fatalf("%q in pieces: %v", text, err)
			}
			if !slices.EqualFunc(row, pieces.fields, func(a string, b []byte) bool { return a == string(b) }) {
				t.Fatalf("%q in pieces: %q, not %q", text, pieces.fields, row)
			}
		}

		// A row of one empty cell is written as an empty line, which is no row.
		got = slices.DeleteFunc(got, func(row []string) bool { return len(row) == 1 && row[0] == "" })
		var back bytes.Buffer
		w := csv.NewWriter(&back)
		if err != nil || w.WriteAll(got) != nil {
			return
		}
		again, err := all(back.String(), ',')
		if err != nil || !slices.EqualFunc(got, again, slices.Equal[[]string]) && !bareReturn(text) {
			t.Errorf("%q written as %q comes back as %q, %v", got, back.String(), again, err)
		}
	})
}

// bareReturn tells whether a text has a carriage return within a line: encoding/csv drops some of them.
func bareReturn(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\r") || strings.Contains(text, "\r\r\n")
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(1, len(p))]) }
