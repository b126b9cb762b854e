package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxRecord bounds one record in bytes. A quote that is never closed would otherwise take in the rest of the file.
const maxRecord = 1 << 20

// records reads the records of a text in UTF-8: RFC 4180 with any delimiter, lines ending in LF or CRLF, empty lines
// passed over. A quote within a field that does not begin with one is data. With trim, spaces and tabs around a
// quoted field are passed over; cutting them off other fields is left to the caller.
//
// The fields are good until the next record. It is written for speed: a line without quotes is only cut up, nothing is
// copied.
type records struct {
	in    *bufio.Reader
	comma byte
	trim  bool
	check bool // the text has to be checked for valid UTF-8

	fields  [][]byte
	line    int    // physical line on which the record begins, from 1
	ended   bool   // the record was the last and no line end came after it
	lines   int    // physical lines read
	long    []byte // a line longer than the buffer
	scratch []byte // fields of a record with quotes
	ends    []int  // where they end in scratch
}

func newRecords(r io.Reader, comma byte, trim, check bool) *records {
	return &records{in: bufio.NewReaderSize(r, 1<<16), comma: comma, trim: trim, check: check}
}

// Errors of records. A rowError spoils one record only; all others spoil the file.
var (
	errOpenQuote = errors.New("a quote is opened and never closed, the file may be half written")
	errLong      = fmt.Errorf("a record is longer than %d bytes, a quote may be missing", maxRecord)
	errUTF8      = fmt.Errorf("bytes that are not UTF-8: %w", errEncoding)
	errNUL       = fmt.Errorf("NUL bytes: %w", errEncoding)
)

type rowError string

func (e rowError) Error() string { return string(e) }

const errAfterQuote = rowError("text follows the closing quote of a field")

// next reads the next record; io.EOF after the last. After a rowError fields holds what could be read.
func (r *records) next() error {
	for {
		line, err := r.readLine()
		if err != nil {
			return err
		}
		r.line = r.lines
		body := chomp(line)
		if len(body) == 0 {
			continue
		}
		r.ended = line[len(line)-1] != '\n'
		if bytes.IndexByte(body, '"') < 0 {
			r.cut(body)
			return nil
		}
		return r.quoted(line)
	}
}

// cut splits a line without quotes.
func (r *records) cut(line []byte) {
	r.fields = r.fields[:0]
	for {
		i := bytes.IndexByte(line, r.comma)
		if i < 0 {
			r.fields = append(r.fields, line)
			return
		}
		r.fields = append(r.fields, line[:i])
		line = line[i+1:]
	}
}

// quoted splits a record with quotes, which may go over several lines.
func (r *records) quoted(line []byte) error {
	r.scratch, r.ends = r.scratch[:0], r.ends[:0]
	var failed error
	for {
		start := 0
		if r.trim {
			start = r.blanks(line)
		}
		if start < len(line) && line[start] == '"' {
			rest, err := r.quotedField(line[start+1:])
			if err != nil && !errors.As(err, new(rowError)) {
				return err
			}
			if err != nil {
				failed = err
			}
			line = rest
		} else {
			body := chomp(line)
			i := bytes.IndexByte(body, r.comma)
			if i < 0 {
				i = len(body)
			}
			r.scratch = append(r.scratch, body[:i]...)
			line = line[i:]
		}
		r.ends = append(r.ends, len(r.scratch))
		if len(line) == 0 || line[0] != r.comma {
			break
		}
		line = line[1:]
	}
	r.fields = r.fields[:0]
	from := 0
	for _, to := range r.ends {
		r.fields = append(r.fields, r.scratch[from:to])
		from = to
	}
	return failed
}

// quotedField reads a field after its opening quote into scratch, and returns what follows it: a delimiter or the end
// of the line.
func (r *records) quotedField(line []byte) (rest []byte, err error) {
	for {
		i := bytes.IndexByte(line, '"')
		if i < 0 {
			body := chomp(line)
			r.scratch = append(r.scratch, body...)
			if len(body) < len(line) {
				r.scratch = append(r.scratch, '\n')
			}
			if len(r.scratch) > maxRecord {
				return nil, errLong
			}
			line, err = r.readLine()
			if errors.Is(err, io.EOF) {
				return nil, errOpenQuote
			}
			if err != nil {
				return nil, err
			}
			r.ended = line[len(line)-1] != '\n'
			continue
		}
		r.scratch = append(r.scratch, line[:i]...)
		line = line[i+1:]
		if len(line) > 0 && line[0] == '"' {
			r.scratch = append(r.scratch, '"')
			line = line[1:]
			continue
		}
		if r.trim {
			line = line[r.blanks(line):]
		}
		body := chomp(line)
		if len(body) == 0 || body[0] == r.comma {
			return line, nil
		}
		// What follows is passed over, so that the fields after it are still in their places.
		if i = bytes.IndexByte(body, r.comma); i < 0 {
			i = len(body)
		}
		return line[i:], errAfterQuote
	}
}

// blanks counts the spaces and tabs that a line begins with, the delimiter not among them.
func (r *records) blanks(line []byte) int {
	n := 0
	for n < len(line) && (line[n] == ' ' || line[n] == '\t') && line[n] != r.comma {
		n++
	}
	return n
}

// readLine returns the next line with its end.
func (r *records) readLine() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		r.long = append(r.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(r.long) > maxRecord {
				r.line = r.lines + 1
				return nil, errLong
			}
			line, err = r.in.ReadSlice('\n')
			r.long = append(r.long, line...)
		}
		line = r.long
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.line = r.lines + 1
		return nil, err
	}
	if len(line) == 0 {
		return nil, io.EOF
	}
	r.lines++
	if r.check && !utf8.Valid(line) {
		r.line = r.lines
		return nil, errUTF8
	}
	if bytes.IndexByte(line, 0) >= 0 {
		r.line = r.lines
		return nil, errNUL
	}
	return line, nil
}

// chomp cuts the end off a line: LF, CRLF, or the CR that is left of it at the end of a file.
func chomp(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte{'\n'}), []byte{'\r'})
}
