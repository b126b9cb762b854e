package litmos

import (
	"context"
	"net/http"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// Advanced custom fields are calls of their own (U11, U12), made only where a rule maps one (U13).

func customPath(id string) string { return userPath(id) + "/usercustomfields" }

// customOf reads the advanced custom fields of a user: one record with all of them.
func (a *api) customOf(ctx context.Context, send caller, id string) (*record, error) {
	x := &exchange{method: http.MethodGet, path: customPath(id), safe: true}
	resp, err := send(ctx, x)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, a.fail(x, resp)
	}
	if isXML(resp.Body) {
		root, err := parseXML(resp.Body)
		if err != nil {
			return nil, a.unread(x, resp, "list of custom fields")
		}
		return root.labelled(), nil
	}
	// In JSON it is a list of objects with one key each; some clients have seen one object.
	list, _, err := a.parse(resp.Body, "")
	if err != nil {
		return nil, a.unread(x, resp, "list of custom fields")
	}
	all := &record{}
	for _, r := range list {
		all.fields = append(all.fields, r.fields...)
	}
	return all, nil
}

// updateCustom reads the fields, changes what is to be changed, and writes all of them: whether a field that is left out
// keeps its value is not documented.
func (c *Client) updateCustom(ctx context.Context, send caller, id string, changes []connector.Change) error {
	r, err := c.customOf(ctx, send, id)
	if err != nil {
		return err
	}
	for _, ch := range changes {
		v := ""
		if ch.Op != connector.Clear {
			v = asText(ch.New)
		}
		r.set(ch.Attr[len(customPrefix):], v)
	}
	return c.writeCustom(ctx, id, r)
}

// writeCustom writes advanced custom fields.
func (c *Client) writeCustom(ctx context.Context, id string, r *record) error {
	x := &exchange{method: http.MethodPost, path: customPath(id), safe: true}
	var err error
	if x.body, err = c.customBody(r); err != nil {
		return invalid(x.name(), err)
	}
	return c.plain(ctx, c.follow, x)
}

// customBody is the one place that knows the form of the request, which is not documented beyond doubt (U11).
func (c *Client) customBody(r *record) ([]byte, error) {
	if c.cfg.Format == formatXML {
		dst := []byte("<UserCustomField>")
		for _, it := range r.fields {
			dst = append(dst, `<Parameter fieldname="`...)
			dst = appendEscaped(dst, it.name)
			dst = append(dst, `">`...)
			dst = appendEscaped(dst, asText(it.value))
			dst = append(dst, "</Parameter>"...)
		}
		return append(dst, "</UserCustomField>"...), nil
	}
	list := make([]*record, len(r.fields))
	for i, it := range r.fields {
		if it.value == nil {
			it.value = ""
		}
		list[i] = &record{fields: []item{it}}
	}
	return appendJSONList(nil, list)
}
