package sandbox

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// litmosItem is an object to be shown, fields in order.
type litmosItem struct {
	name   string // root element in XML
	fields []litmosValue
}

// litmosValue is one field of an object to be shown.
type litmosValue struct {
	name string
	kind litmosKind
	text string
	raw  []byte // JSON as it is to stand, for the sandbox's own pages
}

// litmosEntities are how texts come in JSON: clients must undo it, value by value.
func litmosEntities(text string) string {
	return strings.NewReplacer("&", "&amp;", "'", "&#39;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(text)
}

// appendJSON writes the object in JSON. entities says whether texts get their HTML entities.
func (i litmosItem) appendJSON(b []byte, entities bool) []byte {
	b = append(b, '{')
	for n, f := range i.fields {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = appendText(b, f.name)
		b = append(b, '"', ':')
		switch {
		case f.raw != nil:
			b = append(b, f.raw...)
		case f.kind == litmosFlag:
			b = fmt.Appendf(b, "%t", f.text != "")
		case f.kind == litmosNumber:
			b = append(b, f.text...)
		case f.kind == litmosNull && f.text == "":
			b = append(b, "null"...)
		default:
			text := f.text
			if entities {
				text = litmosEntities(text)
			}
			b = append(b, '"')
			b = appendText(b, text)
			b = append(b, '"')
		}
	}
	return append(b, '}')
}

// appendLitmosArray writes a list as the interface shows it in JSON: a bare array.
func appendLitmosArray(b []byte, items []litmosItem) []byte { return appendArray(b, items, true) }

// appendPlainArray writes a list with texts as they are.
func appendPlainArray(b []byte, items []litmosItem) []byte { return appendArray(b, items, false) }

func appendArray(b []byte, items []litmosItem, entities bool) []byte {
	b = append(b, '[')
	for n, item := range items {
		if n > 0 {
			b = append(b, ',')
		}
		b = item.appendJSON(b, entities)
	}
	return append(b, ']')
}

// litmosInstance is the namespace of the attribute that marks nulls.
const litmosInstance = `xmlns:i="http://www.w3.org/2001/XMLSchema-instance"`

func (i litmosItem) appendXML(b []byte) []byte {
	b = append(b, "<"+i.name+" "+litmosInstance+">"...)
	b = i.appendFields(b)
	return append(b, "</"+i.name+">"...)
}

func appendLitmosList(b []byte, name string, items []litmosItem) []byte {
	b = append(b, "<"+name+" "+litmosInstance+">"...)
	for _, item := range items {
		b = append(b, "<"+item.name+">"...)
		b = item.appendFields(b)
		b = append(b, "</"+item.name+">"...)
	}
	return append(b, "</"+name+">"...)
}

func (i litmosItem) appendFields(b []byte) []byte {
	for _, f := range i.fields {
		switch {
		case f.kind == litmosFlag:
			b = fmt.Appendf(b, "<%s>%t</%s>", f.name, f.text != "", f.name)
		case f.kind == litmosNull && f.text == "":
			b = append(b, "<"+f.name+` i:nil="true"/>`...)
		default:
			b = append(b, "<"+f.name+">"...)
			b = appendXMLText(b, f.text)
			b = append(b, "</"+f.name+">"...)
		}
	}
	return b
}

func appendXMLText(b []byte, text string) []byte {
	w := bytes.NewBuffer(b)
	_ = xml.EscapeText(w, []byte(text)) // a buffer takes everything
	return w.Bytes()
}

// element is an XML element as a client sends it.
type element struct {
	name     string
	field    string // the attribute fieldname
	text     string
	children []element
}

var errElements = errors.New("the body is not the XML that is expected")

// parseElement reads one element with what is in it. Entities beyond those of XML itself are refused.
func parseElement(data []byte) (element, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	var open []element
	for {
		token, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return element{}, errElements
		case err != nil:
			return element{}, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			e := element{name: t.Name.Local}
			for _, a := range t.Attr {
				if strings.EqualFold(a.Name.Local, "fieldname") {
					e.field = a.Value
				}
			}
			open = append(open, e)
		case xml.CharData:
			if n := len(open); n > 0 {
				open[n-1].text += string(t)
			}
		case xml.EndElement:
			last := open[len(open)-1] // the decoder refuses an end without a start
			if open = open[:len(open)-1]; len(open) == 0 {
				return last, nil
			}
			parent := &open[len(open)-1]
			parent.children = append(parent.children, last)
		}
	}
}

// input gives the fields of an element.
func (e element) input() litmosInput {
	in := litmosInput{}
	for _, child := range e.children {
		in[child.name] = child.text
	}
	return in
}

// one reads the body as one object. order, if any, lists the elements that XML must have in that order.
func (c *litmosCall) one(name string, order []string) (litmosInput, error) {
	if c.sendsXML() {
		root, err := parseElement(c.body)
		if err != nil || root.name != name {
			return nil, litmosRefusal(400, "the body is not a %s in XML", name)
		}
		return root.input(), checkOrder(root, order)
	}
	var object map[string]any
	if err := json.Unmarshal(c.body, &object); err != nil || object == nil {
		return nil, litmosRefusal(400, "the body is not a %s in JSON", name)
	}
	return jsonInput(object)
}

// many reads the body as a list of objects.
func (c *litmosCall) many(plural, name string) ([]litmosInput, error) {
	var list []litmosInput
	if c.sendsXML() {
		root, err := parseElement(c.body)
		if err != nil || root.name != plural {
			return nil, litmosRefusal(400, "the body is not a list of %s in XML", plural)
		}
		for _, child := range root.children {
			if child.name != name {
				return nil, litmosRefusal(400, "%s holds %s, not %s", plural, child.name, name)
			}
			list = append(list, child.input())
		}
		return list, nil
	}
	var objects []map[string]any
	if err := json.Unmarshal(c.body, &objects); err != nil || objects == nil {
		return nil, litmosRefusal(400, "the body is not a list of %s in JSON", plural)
	}
	for _, object := range objects {
		in, err := jsonInput(object)
		if err != nil {
			return nil, err
		}
		list = append(list, in)
	}
	return list, nil
}

// jsonInput takes the values of a JSON object as texts.
func jsonInput(object map[string]any) (litmosInput, error) {
	in := litmosInput{}
	for name, v := range object {
		switch v := v.(type) {
		case nil:
			in[name] = ""
		case string:
			in[name] = v
		case bool:
			in[name] = strconv.FormatBool(v)
		case float64:
			in[name] = strconv.FormatFloat(v, 'f', -1, 64)
		default:
			return nil, litmosRefusal(400, "%s must be a single value", name)
		}
	}
	return in, nil
}

// checkOrder refuses elements that are not in the documented order. Unknown ones are ignored. Culture may stand where
// the documents have it or where recorded answers have it.
func checkOrder(root element, order []string) error {
	last := -1
	for _, child := range root.children {
		at := slices.Index(order, child.name)
		switch {
		case at < 0:
			continue
		case at < last && (child.name != "Culture" || !strings.HasPrefix(order[last], "CustomField")):
			return litmosRefusal(400, "the element %s stands behind %s; the order is fixed", child.name, order[last])
		}
		last = max(last, at)
	}
	return nil
}

// litmosUserOrder lists the elements of a user that have a place.
func litmosUserOrder() []string {
	var order []string
	for _, f := range litmosUserFields() {
		if !f.unsorted {
			order = append(order, f.name)
		}
	}
	return order
}
