package litmos

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// appendXML writes a record as an element with that name (section 2.4).
func (r *record) appendXML(dst []byte, name string) []byte {
	dst = append(dst, "<"+name+">"...)
	for _, it := range r.fields {
		if _, several := it.value.(raw); several {
			continue // nothing in this interface has a part in a part
		}
		dst = append(dst, "<"+it.name+">"...)
		dst = appendEscaped(dst, asText(it.value))
		dst = append(dst, "</"+it.name+">"...)
	}
	return append(dst, "</"+name+">"...)
}

func appendXMLList(dst []byte, list []*record, plural, name string) []byte {
	dst = append(dst, "<"+plural+">"...)
	for _, r := range list {
		dst = r.appendXML(dst, name)
	}
	return append(dst, "</"+plural+">"...)
}

func appendEscaped(dst []byte, s string) []byte {
	b := bytes.NewBuffer(dst)
	_ = xml.EscapeText(b, []byte(s)) // a buffer takes everything
	return b.Bytes()
}

// maxDepth bounds how deep elements may stand in one another; documented are three levels.
const maxDepth = 16

// element is an element of an answer.
type element struct {
	name     string
	label    string // attribute fieldname, of advanced custom fields
	null     bool   // i:nil
	text     strings.Builder
	children []*element
}

// parseXML reads the root element of an answer.
func parseXML(body []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) {
		return nil, errors.New("the answer is in an encoding other than UTF-8")
	}
	var open []*element
	for {
		token, err := d.Token()
		if err != nil {
			return nil, err // also io.EOF: no root was closed
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := &element{name: t.Name.Local}
			for _, a := range t.Attr {
				switch {
				case strings.EqualFold(a.Name.Local, "fieldname"):
					e.label = a.Value
				case a.Name.Local == "nil":
					e.null = a.Value == "true" || a.Value == "1"
				}
			}
			if len(open) == maxDepth {
				return nil, errForm
			}
			if len(open) > 0 {
				parent := open[len(open)-1]
				parent.children = append(parent.children, e)
			}
			open = append(open, e)
		case xml.CharData:
			if len(open) > 0 {
				open[len(open)-1].text.Write(t)
			}
		case xml.EndElement:
			root := open[0] // the decoder refuses an end without a start
			if open = open[:len(open)-1]; len(open) == 0 {
				return root, nil
			}
		}
	}
}

// records reads <Users><User>…</User></Users> as a list and <User>…</User> as one.
func (e *element) records(singular string) (out []*record, list bool) {
	if strings.EqualFold(e.name, singular) {
		return []*record{e.record()}, false
	}
	for _, child := range e.children {
		out = append(out, child.record())
	}
	return out, true
}

func (e *element) record() *record {
	r := &record{}
	for _, child := range e.children {
		switch {
		case child.null:
			r.add(child.name, nil)
		case len(child.children) > 0: // nothing in this interface has a part in a part
		default:
			r.add(child.name, child.text.String())
		}
	}
	return r
}

// labelled reads advanced custom fields, under either of the two roots in circulation (U11).
func (e *element) labelled() *record {
	r := &record{}
	for _, child := range e.children {
		if child.label != "" {
			r.add(child.label, child.text.String())
		}
	}
	return r
}
