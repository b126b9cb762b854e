package database

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Micros is the stored form of a time: microseconds since 1970 UTC, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time reads what Micros wrote, in UTC.
func Time(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Flag is the stored form of a boolean, 0 or 1. It is read by comparing with 0.
func Flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Blob is the stored form of a document: NULL when empty, so that nil and empty are the same in both databases.
func Blob(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// KeyMax is the number of bytes a key may have. PostgreSQL refuses index entries of more than some 2,700 bytes, and the
// longest of our keys hold two anchors.
const KeyMax = 1000

// ValidKey tells whether both databases can keep s as a key: not empty, valid UTF-8 without NUL (PostgreSQL has no
// such texts), at most KeyMax bytes.
func ValidKey(s string) bool { return s != "" && len(s) <= KeyMax && ValidText(s) }

// ValidText tells whether both databases can keep s as text: valid UTF-8 without NUL.
func ValidText(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// Text makes text for people storable: what ValidText would refuse is replaced by U+FFFD.
func Text(s string) string {
	if ValidText(s) {
		return s
	}
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}
