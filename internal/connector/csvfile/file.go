package csvfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// table is an open file whose header has been read.
type table struct {
	path   string
	op     string
	file   *os.File
	start  fs.FileInfo // when it was opened
	header []string
	format Format
	*records
}

// open opens a file and reads its header. The caller closes it.
func open(path string, format Format) (*table, error) {
	t := &table{path: path, op: "read " + path, format: format}
	file, err := os.Open(path)
	if err != nil {
		return nil, t.unreadable(err)
	}
	t.file = file
	if err := t.begin(); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

// begin reads up to the first row.
func (t *table) begin() (err error) {
	if t.start, err = t.file.Stat(); err != nil {
		return t.unreadable(err)
	}
	if !t.start.Mode().IsRegular() {
		return t.invalid("it is not a file", "name a file in `path`")
	}
	text, check, err := utf8Reader(t.file, t.format.Encoding)
	if err != nil {
		return t.unreadable(err)
	}
	t.records = newRecords(text, t.format.Delimiter, t.format.Trim, check)
	switch err := t.next(); {
	case errors.Is(err, io.EOF):
		return t.invalid("it is empty, without even a header line", "wait until the file has been written, and check the export")
	case err != nil:
		return t.broken(err)
	}
	for _, f := range t.fields {
		t.header = append(t.header, strings.TrimFunc(string(f), unicode.IsSpace))
	}
	return t.checkHeader()
}

// close closes the file. It was only read, so there is nothing that closing could lose.
func (t *table) close() { _ = t.file.Close() }

func (t *table) checkHeader() error {
	var twice []string
	seen := map[string]bool{}
	for _, h := range t.header {
		if h != "" && seen[h] && !slices.Contains(twice, strconv.Quote(h)) {
			twice = append(twice, strconv.Quote(h))
		}
		seen[h] = true
	}
	if twice != nil {
		return t.invalid("the header has "+strings.Join(twice, ", ")+" more than once", "give every column a name of its own")
	}
	return nil
}

// column finds a column by its exact name, else by the only name that differs in case alone; -1 when there is none.
func (t *table) column(name string) int {
	if name == "" {
		return -1
	}
	if i := slices.Index(t.header, name); i >= 0 {
		return i
	}
	found := -1
	for i, h := range t.header {
		if strings.EqualFold(h, name) {
			if found >= 0 {
				return -1
			}
			found = i
		}
	}
	return found
}

// columns finds columns, and refuses the file if any is missing, naming all that are.
func (t *table) columns(names ...string) ([]int, error) {
	out := make([]int, len(names))
	var missing []string
	for i, name := range names {
		out[i] = t.column(name)
		if out[i] >= 0 {
			continue
		}
		text := strconv.Quote(name)
		if near := nearest(name, t.named()); near != "" {
			text += fmt.Sprintf(" (did you mean %q?)", near)
		}
		if !slices.Contains(missing, text) {
			missing = append(missing, text)
		}
	}
	if missing == nil {
		return out, nil
	}
	hint := "correct the names in the app file or in the export"
	if len(t.header) == 1 {
		for _, c := range ",;\t|" {
			if strings.ContainsRune(t.header[0], c) {
				hint = fmt.Sprintf("the cells of the header seem to be delimited by %q: set `delimiter`", c)
			}
		}
	}
	return nil, t.invalid(fmt.Sprintf("it has no column %s; its header is: %s", strings.Join(missing, ", "), shorten(strings.Join(t.named(), ", "))), hint)
}

// named returns the columns that have a name.
func (t *table) named() []string {
	return slices.DeleteFunc(slices.Clone(t.header), func(h string) bool { return h == "" })
}

// shorten keeps a header of a file that is none from filling the log.
func shorten(s string) string {
	const most = 1000
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// row reads the next row; io.EOF after the last. bad is what is wrong with this row alone; its fields are then those
// that could be read. Any other error ends the reading.
func (t *table) row() (bad, err error) {
	err = t.next()
	var row rowError
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		return nil, t.unchanged()
	case errors.As(err, &row):
		return t.bad(row.Error()), nil
	default:
		return nil, t.broken(err)
	}
	have, want := len(t.fields), len(t.header)
	if have == want {
		return nil, nil
	}
	if have < want && t.ended {
		return nil, t.invalid(fmt.Sprintf("its last row, on line %d, has %d of %d cells and no line end: the file is half written", t.line, have, want),
			"let the producer write to another name and rename the file when it is complete")
	}
	return t.bad(fmt.Sprintf("%d cells where the header has %d", have, want)), nil
}

// unchanged returns io.EOF, or what to say of a file that was written to while it was read.
func (t *table) unchanged() error {
	now, err := t.file.Stat()
	if err != nil {
		return t.unreadable(err)
	}
	if now.Size() != t.start.Size() || !now.ModTime().Equal(t.start.ModTime()) {
		return &connector.Error{Kind: connector.KindTemporary, Op: t.op, Code: connector.CodeEndpointUnavailable,
			Detail: "it changed while it was read", Hint: "let the producer write to another name and rename the file when it is complete"}
	}
	return io.EOF
}

// bad is the error of the row that was just read.
func (t *table) bad(what string) error {
	return &connector.Error{Kind: connector.KindInvalid, Op: t.op, Detail: fmt.Sprintf("line %d: %s", t.line, what),
		Hint: "correct the row; what is known of the person stays as it is until then"}
}

func (t *table) invalid(detail, hint string) error {
	return &connector.Error{Kind: connector.KindInvalid, Op: t.op, Detail: detail, Hint: hint}
}

// broken is the error of a file that cannot be read on.
func (t *table) broken(err error) error {
	if errors.As(err, new(*fs.PathError)) {
		return t.unreadable(err)
	}
	e := &connector.Error{Kind: connector.KindInvalid, Op: t.op, Detail: fmt.Sprintf("line %d: %v", t.line, err), Err: err}
	switch {
	case errors.Is(err, errNUL):
		e.Hint = "the file may be UTF-16 without a byte order mark: set `encoding` to utf-16le or utf-16be"
	case errors.Is(err, errEncoding):
		e.Hint = "set `encoding`, for instance to windows-1252, or correct the export"
	default:
		e.Hint = "let the producer write to another name and rename the file when it is complete"
	}
	return e
}

// unreadable is the error of a file that the system does not give. One that is not there may come: exports are moved
// into place. One that may not be read will not become readable by itself.
func (t *table) unreadable(err error) error {
	e := &connector.Error{Kind: connector.KindTemporary, Op: t.op, Code: connector.CodeEndpointUnavailable, Err: err, Detail: reason(err)}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Hint = "check `path`, and whether the export has run"
	case errors.Is(err, fs.ErrPermission):
		e.Kind, e.Hint = connector.KindInvalid, "let the user that Rollcall runs as read the file"
	}
	return e
}

// reason is what the system said without the path, which the operation names already.
func reason(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// live tells whether the caller still wants the reading.
func live(ctx context.Context, op string) error {
	if err := ctx.Err(); err != nil {
		return &connector.Error{Kind: connector.KindTemporary, Op: op, Code: connector.CodeTimeout, Err: err}
	}
	return nil
}
