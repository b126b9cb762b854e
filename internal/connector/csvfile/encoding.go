package csvfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Encoding is how the characters of a file are written.
type Encoding string

// The encodings. A byte order mark at the beginning of a file outranks the setting.
const (
	UTF8        Encoding = "utf-8"
	UTF16       Encoding = "utf-16" // by its byte order mark, big-endian without one
	UTF16LE     Encoding = "utf-16le"
	UTF16BE     Encoding = "utf-16be"
	Windows1252 Encoding = "windows-1252"
	Latin1      Encoding = "iso-8859-1"
)

// parseEncoding finds the encoding with a name, without regard to case and with its usual other names; "" is UTF-8.
func parseEncoding(name string) (Encoding, bool) {
	switch strings.ToLower(strings.TrimSpace(name)) {
	case "", "utf-8", "utf8":
		return UTF8, true
	case "utf-16", "utf16":
		return UTF16, true
	case "utf-16le", "utf16le":
		return UTF16LE, true
	case "utf-16be", "utf16be":
		return UTF16BE, true
	case "windows-1252", "cp1252":
		return Windows1252, true
	case "iso-8859-1", "latin1", "latin-1":
		return Latin1, true
	}
	return "", false
}

// errEncoding is in errors about bytes that are no characters of the encoding.
var errEncoding = errors.New("not in the encoding of the file")

// utf8Reader returns what is in r as UTF-8 without byte order mark. check says that nobody has looked yet whether it
// is valid UTF-8.
func utf8Reader(r io.Reader, enc Encoding) (text io.Reader, check bool, err error) {
	in := bufio.NewReaderSize(r, 4096)
	start, err := in.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, false, err
	}
	mark := 0
	switch {
	case bytes.HasPrefix(start, []byte{0xEF, 0xBB, 0xBF}):
		enc, mark = UTF8, 3
	case bytes.HasPrefix(start, []byte{0xFF, 0xFE}):
		enc, mark = UTF16LE, 2
	case bytes.HasPrefix(start, []byte{0xFE, 0xFF}):
		enc, mark = UTF16BE, 2
	}
	if _, err := in.Discard(mark); err != nil {
		return nil, false, err
	}
	switch enc {
	case UTF8: // as it is
	case UTF16, UTF16BE, UTF16LE:
		return &utf16Reader{in: in, little: enc == UTF16LE}, false, nil
	case Windows1252:
		return newByteReader(in, charmap.Windows1252), false, nil
	case Latin1:
		return newByteReader(in, charmap.ISO8859_1), false, nil
	}
	return in, true, nil
}

// byteReader decodes encodings with one byte per character.
type byteReader struct {
	in    *bufio.Reader
	table [256]string
	buf   [4096]byte
	store []byte // decoded
	out   []byte // of it, not yet delivered
}

func newByteReader(in *bufio.Reader, m *charmap.Charmap) *byteReader {
	b := &byteReader{in: in}
	for i := range b.table {
		b.table[i] = string(m.DecodeByte(byte(i)))
	}
	return b
}

func (b *byteReader) Read(p []byte) (int, error) {
	if len(b.out) == 0 {
		n, err := b.in.Read(b.buf[:])
		if n == 0 {
			return 0, err
		}
		b.store = b.store[:0]
		for _, c := range b.buf[:n] {
			b.store = append(b.store, b.table[c]...)
		}
		b.out = b.store
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

// utf16Reader decodes UTF-16, and refuses half a character.
type utf16Reader struct {
	in     *bufio.Reader
	little bool
	store  []byte // decoded
	out    []byte // of it, not yet delivered
	err    error  // delivered after out
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	if len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		u.fill()
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	if n == 0 {
		return 0, u.err
	}
	return n, nil
}

// fill decodes some characters, up to the first that is none.
func (u *utf16Reader) fill() {
	u.store = u.store[:0]
	for len(u.store) < 4096 && u.err == nil {
		var r rune
		if r, u.err = u.character(); u.err == nil {
			u.store = utf8.AppendRune(u.store, r)
		}
	}
	u.out = u.store
}

func (u *utf16Reader) character() (rune, error) {
	high, err := u.unit()
	if err != nil || !utf16.IsSurrogate(rune(high)) {
		return rune(high), err
	}
	low, err := u.unit()
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	r := utf16.DecodeRune(rune(high), rune(low))
	if err != nil || r == utf8.RuneError {
		return 0, fmt.Errorf("half a UTF-16 character: %w", errEncoding)
	}
	return r, nil
}

func (u *utf16Reader) unit() (uint16, error) {
	var b [2]byte
	if _, err := io.ReadFull(u.in, b[:]); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, fmt.Errorf("an odd number of bytes, the file may be half written: %w", errEncoding)
		}
		return 0, err
	}
	if u.little {
		return uint16(b[0]) | uint16(b[1])<<8, nil
	}
	return uint16(b[0])<<8 | uint16(b[1]), nil
}
