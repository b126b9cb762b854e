package replay

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
)

// facts is what is compared of an answer: a text for each field. A field is a header, "status" with the scimType, a path
// into the body, or a path into the resource as it is read after a change, which begins with "then ".
type facts map[string]string

// volatile fields are compared by being there, not by value: two servers tell different times, and RFC 7644 section 3.12
// leaves the wording of details to the server.
var volatile = []string{"meta.created", "meta.lastModified", "meta.version", "error.detail", "description", "documentationUri", "specUri"}

const somehow = "(some value)"

// gather asks a server and returns the facts.
func (s *server) gather(st step) facts {
	s.t.Helper()
	a := s.send(st)
	f := facts{}
	f.answer(st, a)
	if st.method != http.MethodPatch && st.method != http.MethodPut {
		f.body("", a)
		return f
	}
	// What a change has come to is read, for the answer may lack it.
	then := s.send(step{name: "read", method: http.MethodGet, path: st.path})
	after := facts{}
	after.body("", then)
	for k, v := range after {
		f["then "+k] = v
	}
	if then.status != http.StatusOK {
		f["then status"] = statusOf(then)
	}
	if !a.ok() {
		return f
	}
	// The answer is the resource, unless attributes are asked for.
	shown := facts{}
	shown.body("", a)
	switch {
	case a.body == "":
		f["body"] = "none"
	case len(st.query) > 0:
		f.body("", a)
	default:
		f["body"] = "the resource" + otherwise(shown, after)
	}
	return f
}

// otherwise names the attributes that are shown otherwise than they are read.
func otherwise(shown, read facts) string {
	names := map[string]bool{}
	for k := range union(shown, read) {
		if shown[k] != read[k] {
			names[strings.FieldsFunc(k, func(r rune) bool { return r == '.' || r == '[' })[0]] = true
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", but not " + strings.Join(slices.Sorted(maps.Keys(names)), ", ")
}

func union(a, b facts) map[string]bool {
	fields := map[string]bool{}
	for k := range a {
		fields[k] = true
	}
	for k := range b {
		fields[k] = true
	}
	return fields
}

// answer adds status and headers.
func (f facts) answer(st step, a answer) {
	f["status"] = statusOf(a)
	if a.status == http.StatusUnauthorized {
		f.header(a, "WWW-Authenticate", true)
	}
	if a.status == http.StatusCreated {
		f.header(a, "Location", false)
	}
	if a.body != "" {
		mediaType, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
		f["Content-Type"] = mediaType
	}
}

func (f facts) header(a answer, name string, volatile bool) {
	if v := a.header.Get(name); v != "" {
		if volatile {
			v = somehow
		}
		f[name] = v
	}
}

// statusOf is the status, with the scimType if there is one.
func statusOf(a answer) string {
	var e struct {
		ScimType string `json:"scimType"`
	}
	if !a.ok() && json.Unmarshal([]byte(a.body), &e) == nil && e.ScimType != "" {
		return fmt.Sprintf("%d %s", a.status, e.ScimType)
	}
	return fmt.Sprint(a.status)
}

// body adds everything in the body.
func (f facts) body(prefix string, a answer) {
	if a.body == "" {
		return
	}
	var v any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		f[prefix+"body"] = "no JSON"
		return
	}
	if m, ok := v.(map[string]any); ok && !a.ok() {
		// The scimType stands beside the status. The status of the message repeats that of HTTP, as a text.
		delete(m, "scimType")
		if _, isText := m["status"].(string); isText && m["status"] == fmt.Sprint(a.status) {
			delete(m, "status")
		}
		v = map[string]any{"error": m}
	}
	f.value(prefix, v)
}

// value adds a JSON value and what is in it. Attribute names are told by their own name, not by their place in the list,
// since the order of a schema's attributes means nothing (RFC 7643 section 7).
func (f facts) value(path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			f[path] = "{}"
		}
		for k, e := range v {
			if path != "" {
				k = path + "." + k
			}
			f.value(k, e)
		}
	case []any:
		f.list(path, v)
	default:
		f[path] = f.scalar(path, v)
	}
}

func (f facts) list(path string, list []any) {
	if len(list) == 0 {
		f[path] = "[]"
		return
	}
	var texts []string
	for i, e := range list {
		switch e := e.(type) {
		case map[string]any:
			f.value(path+"["+label(path, i, e)+"]", e)
		default:
			texts = append(texts, f.scalar(path, e))
		}
	}
	if texts != nil {
		// The only lists of plain values in SCIM are sets: schemas, canonicalValues, referenceTypes.
		slices.Sort(texts)
		f[path] = strings.Join(texts, ", ")
	}
}

// label names an element of a list: an attribute by its name, a schema by its id, anything else by its place.
func label(path string, i int, e map[string]any) string {
	field := path[strings.LastIndexByte(path, '.')+1:]
	name, named := e["name"].(string)
	id, _ := e["id"].(string)
	switch {
	case named && (field == "attributes" || field == "subAttributes"):
		return name
	case e["attributes"] != nil:
		return id
	}
	return fmt.Sprint(i + 1)
}

func (f facts) scalar(path string, v any) string {
	for _, name := range volatile {
		if path == name || strings.HasSuffix(path, "."+name) {
			return somehow
		}
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	// A text stands without quotation marks unless it would look like another value.
	if s, ok := v.(string); ok && s != "" && s == strings.TrimSpace(s) && !json.Valid([]byte(s)) {
		return s
	}
	return string(text)
}

// idOf is the id of a resource in a body, empty if there is none.
func idOf(body string) string {
	var r struct {
		ID string `json:"id"`
	}
	if json.Unmarshal([]byte(body), &r) != nil {
		return ""
	}
	return r.ID
}
