package litmos

import (
	"bytes"
	"errors"
	"fmt"
	"html"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

var errForm = errors.New("the answer is neither an object nor a list of objects")

// appendJSON writes a record.
func (r *record) appendJSON(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	for i, it := range r.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = quoted(dst, it.name); err != nil {
			return nil, err
		}
		dst = append(dst, ':')
		switch v := it.value.(type) {
		case nil:
			dst = append(dst, "null"...)
		case bool:
			dst = fmt.Appendf(dst, "%t", v)
		case digits:
			dst = append(dst, v...)
		case raw:
			dst = append(dst, v...)
		default:
			if dst, err = quoted(dst, asText(v)); err != nil {
				return nil, err
			}
		}
	}
	return append(dst, '}'), nil
}

// quoted writes a JSON string; bytes that are no UTF-8 become U+FFFD.
func quoted(dst []byte, s string) ([]byte, error) {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		out, err = jsontext.AppendQuote(dst, strings.ToValidUTF8(s, "\uFFFD"))
	}
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	return out, nil
}

func appendJSONList(dst []byte, list []*record) ([]byte, error) {
	dst = append(dst, '[')
	for i, r := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = r.appendJSON(dst); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// jsonReader reads answers.
type jsonReader struct {
	*jsontext.Decoder
	unescape bool // HTML entities within texts are undone, value by value (U3)
}

func newJSONReader(body []byte, unescape bool) jsonReader {
	return jsonReader{jsontext.NewDecoder(bytes.NewReader(body), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)), unescape}
}

// records reads an object or a list of objects; list tells which it was.
func (d jsonReader) records() (out []*record, list bool, err error) {
	switch d.PeekKind() {
	case '{':
		r, err := d.object()
		if err != nil {
			return nil, false, err
		}
		out = []*record{r}
	case '[':
		list = true
		if _, err := d.ReadToken(); err != nil {
			return nil, false, err
		}
		for d.PeekKind() != ']' {
			r, err := d.object()
			if err != nil {
				return nil, true, err
			}
			out = append(out, r)
		}
		if _, err := d.ReadToken(); err != nil {
			return nil, true, err
		}
	default:
		return nil, false, errForm
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, list, errForm
	}
	return out, list, nil
}

func (d jsonReader) object() (*record, error) {
	if d.PeekKind() != '{' {
		return nil, errForm
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	r := &record{}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		// A token is valid until the next is read.
		key := name.String()
		v, err := d.single()
		if err != nil {
			return nil, err
		}
		r.add(key, v)
	}
	_, err := d.ReadToken()
	return r, err
}

func (d jsonReader) single() (any, error) {
	if k := d.PeekKind(); k == '{' || k == '[' {
		v, err := d.ReadValue()
		return raw(v), err
	}
	t, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch t.Kind() {
	case jsontext.KindTrue, jsontext.KindFalse:
		return t.Bool(), nil
	case jsontext.KindNumber:
		return digits(t.String()), nil
	case jsontext.KindString:
		if d.unescape {
			return unescaped(t.String()), nil
		}
		return t.String(), nil
	default:
		return nil, nil
	}
}

// maxEntity is the length of the longest entity that is looked for, with & and ;.
const maxEntity = 33

// unescaped undoes HTML entities. What only looks like the beginning of one stays: no semicolon, no entity.
func unescaped(s string) string {
	if !strings.Contains(s, "&") {
		return s
	}
	var b strings.Builder
	for {
		at := strings.IndexByte(s, '&')
		if at < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:at])
		s = s[at:]
		end := strings.IndexAny(s[1:min(len(s), maxEntity)], ";&") + 1
		if end <= 0 || s[end] != ';' {
			b.WriteByte('&')
			s = s[1:]
			continue
		}
		b.WriteString(html.UnescapeString(s[:end+1]))
		s = s[end+1:]
	}
}
