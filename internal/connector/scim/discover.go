package scim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
	"github.com/rollcall-id/rollcall/internal/scim"
)

// The endpoints at which a server describes itself (RFC 7644 section 4).
const (
	configPath  = "/ServiceProviderConfig"
	typesPath   = "/ResourceTypes"
	schemasPath = "/Schemas"
)

// Discover implements connector.Discoverer: one call to each of the three endpoints (scim.R45-R49). A server without one
// of them answers 404, which is fine.
func (c *Client) Discover(ctx context.Context) (connector.Discovery, error) {
	d := &discoverer{Client: c, found: connector.Discovery{At: c.now().UTC(), Address: c.cfg.URL.String()}}
	if err := d.config(ctx); err != nil {
		return connector.Discovery{}, err
	}
	// One after the other: a recorded exchange then always has the same order.
	types := d.read(ctx, typesPath)
	if types.err != nil {
		return connector.Discovery{}, types.err
	}
	schemas := d.read(ctx, schemasPath)
	if schemas.err != nil {
		return connector.Discovery{}, schemas.err
	}
	d.schemas(schemas, d.types(types))
	return d.found, nil
}

type discoverer struct {
	*Client
	found connector.Discovery
}

// page is what an endpoint answered.
type page struct {
	body   []byte // nil when it cannot be used
	notice string // why it cannot
	err    error  // ends the discovery: the target cannot be reached, refuses the credential, or asks for patience
}

func (d *discoverer) noticef(format string, args ...any) {
	d.found.Notices = append(d.found.Notices, fmt.Sprintf(format, args...))
}

// read asks an endpoint.
func (d *discoverer) read(ctx context.Context, path string) page {
	x := &exchange{method: http.MethodGet, path: path}
	resp, err := d.send(ctx, x)
	if err != nil {
		return page{err: err}
	}
	if resp.Status == http.StatusOK {
		return page{body: resp.Body}
	}
	if e := d.judge(x, item, resp); resp.Status == http.StatusUnauthorized || e.Kind == connector.KindRateLimited || e.Kind == connector.KindTemporary {
		return page{err: e}
	}
	if resp.Status == http.StatusNotFound {
		return page{}
	}
	return page{notice: fmt.Sprintf("GET %s was answered with %d %s", path, resp.Status, http.StatusText(resp.Status))}
}

// readable tells whether there is an answer to read, and notes why there is none.
func (d *discoverer) readable(p page) bool {
	if p.notice != "" {
		d.found.Notices = append(d.found.Notices, p.notice)
	}
	return p.body != nil
}

// providerConfig is what RFC 7643 section 5 and RFC 9865 section 4 have in it, as far as it is used.
type providerConfig struct {
	Patch          *supported `json:"patch"`
	Sort           *supported `json:"sort"`
	ETag           *supported `json:"etag"`
	ChangePassword *supported `json:"changePassword"`
	Filter         *struct {
		supported
		MaxResults float64 `json:"maxResults"`
	} `json:"filter"`
	Bulk *struct {
		supported
		MaxOperations  float64 `json:"maxOperations"`
		MaxPayloadSize float64 `json:"maxPayloadSize"`
	} `json:"bulk"`
	Pagination *struct {
		Cursor      bool    `json:"cursor"`
		Index       bool    `json:"index"`
		MaxPageSize float64 `json:"maxPageSize"`
	} `json:"pagination"`
}

type supported struct {
	Supported *bool `json:"supported"`
}

func (s *supported) told() *bool {
	if s == nil {
		return nil
	}
	return s.Supported
}

func (d *discoverer) config(ctx context.Context) error {
	answer := d.read(ctx, configPath)
	if answer.err != nil || !d.readable(answer) {
		return answer.err
	}
	var p providerConfig
	if ok := decode(answer.body, &p) == nil; !ok {
		d.noticef("the answer to GET %s is not what RFC 7643 section 5 has there", configPath)
		return nil
	}
	f := &d.found
	f.Patch, f.Sort, f.ETag, f.ChangePassword = p.Patch.told(), p.Sort.told(), p.ETag.told(), p.ChangePassword.told()
	if p.Filter != nil {
		f.Filter, f.MaxResults = p.Filter.told(), whole(p.Filter.MaxResults)
	}
	if p.Bulk != nil && p.Bulk.Supported != nil && *p.Bulk.Supported {
		f.Bulk = &connector.Bulk{MaxOperations: whole(p.Bulk.MaxOperations), MaxPayloadSize: int64(whole(p.Bulk.MaxPayloadSize))}
	}
	if p.Pagination != nil {
		f.Paging = connector.Paging{Cursor: p.Pagination.Cursor, Index: p.Pagination.Index, MaxPageSize: whole(p.Pagination.MaxPageSize)}
	}
	return nil
}

// whole is a number that a server announces, 0 for one that makes no sense.
func whole(n float64) int {
	if n < 1 || n > 1<<31 {
		return 0
	}
	return int(n)
}

// resourceTypes tells which schemas make up which kind, and where its resources are.
type resourceTypes map[identity.Kind][]string

func (d *discoverer) types(answer page) resourceTypes {
	if !d.readable(answer) {
		return nil
	}
	list, ok := decodeList(answer.body)
	if !ok {
		d.noticef("the answer to GET %s is no ListResponse", typesPath)
		return nil
	}
	out := resourceTypes{}
	for _, r := range list.Resources {
		var t scim.ResourceType
		if err := remake(r, &t); err != nil {
			d.noticef("GET %s: an entry is not what RFC 7643 section 6 has there", typesPath)
			continue
		}
		kind := kindOfType(t)
		if kind == "" || out[kind] != nil {
			continue
		}
		out[kind] = []string{t.Schema}
		for _, e := range t.SchemaExtensions {
			out[kind] = append(out[kind], e.Schema)
		}
		d.endpoint(kind, t.Endpoint)
	}
	return out
}

func kindOfType(t scim.ResourceType) identity.Kind {
	switch {
	case strings.EqualFold(t.Schema, scim.UserURN), strings.EqualFold(t.Name, string(identity.User)):
		return identity.User
	case strings.EqualFold(t.Schema, scim.GroupURN), strings.EqualFold(t.Name, string(identity.Group)):
		return identity.Group
	}
	return ""
}

// endpoint notes where the resources of a kind are, when that is another place than the usual one. It may be written as
// a path or as a whole address; one of another host is not taken.
func (d *discoverer) endpoint(kind identity.Kind, text string) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || text == "" || u.Host != "" && !strings.EqualFold(u.Host, d.cfg.URL.Host) || strings.Contains(u.Path, "..") {
		if text != "" {
			d.noticef("GET %s: the endpoint of %s is not below the address, and is not used", typesPath, kind)
		}
		return
	}
	path := "/" + strings.Trim(u.EscapedPath(), "/")
	if base := strings.TrimRight(d.cfg.URL.EscapedPath(), "/"); base != "" {
		path = "/" + strings.TrimLeft(strings.TrimPrefix(path, base), "/")
	}
	if path == "/" || path == usualEndpoint(kind) {
		return
	}
	if d.found.Endpoints == nil {
		d.found.Endpoints = map[identity.Kind]string{}
	}
	d.found.Endpoints[kind] = path
}

func (d *discoverer) schemas(answer page, types resourceTypes) {
	if !d.readable(answer) {
		return
	}
	list, ok := decodeList(answer.body)
	if !ok {
		d.noticef("the answer to GET %s is no ListResponse, so its attributes are not known (scim.R45)", schemasPath)
		return
	}
	found := map[identity.Kind]*schema.Object{}
	for _, r := range list.Resources {
		var s scim.Schema
		if err := remake(r, &s); err != nil {
			d.noticef("GET %s: a schema is not what RFC 7643 section 7 has there", schemasPath)
			continue
		}
		d.found.Schemas = append(d.found.Schemas, s.ID)
		for _, kind := range kindsOfSchema(s.ID, types) {
			if found[kind] == nil {
				found[kind] = &schema.Object{Kind: kind}
			}
			describe(found[kind], s)
		}
	}
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		if found[kind] != nil {
			d.found.Schema = append(d.found.Schema, *found[kind])
		}
	}
}

// kindsOfSchema tells which kinds a schema describes: those that the resource types say, else those that its name does.
func kindsOfSchema(id string, types resourceTypes) []identity.Kind {
	var out []identity.Kind
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		said, known := types[kind]
		if known && slices.ContainsFunc(said, func(s string) bool { return strings.EqualFold(s, id) }) ||
			!known && strings.HasSuffix(strings.ToLower(id), ":"+strings.ToLower(string(kind))) {
			out = append(out, kind)
		}
	}
	return out
}

// describe adds the attributes of a schema to a kind, named as mappings name them (scim.R48). What can only be read is
// left out.
func describe(o *schema.Object, s scim.Schema) {
	prefix := ""
	if !scim.IsCoreURN(s.ID) {
		prefix = s.ID + ":"
	}
	for i := range s.Attributes {
		a := &s.Attributes[i]
		if a.Name == "" || a.Mutability == scim.ReadOnly || strings.EqualFold(a.Name, "id") || strings.EqualFold(a.Name, "schemas") || strings.EqualFold(a.Name, "meta") {
			continue
		}
		name := prefix + a.Name
		if a.Required {
			o.Demands = append(o.Demands, demand(name, a)...)
		}
		switch refers := referred(a); {
		case refers != "":
			o.Attributes = append(o.Attributes, schema.Attribute{Name: name, Type: schema.Reference, MultiValued: a.MultiValued, References: refers})
		case a.Type != scim.Complex:
			o.Attributes = append(o.Attributes, attributeAt(name, a, a.MultiValued))
		case !a.MultiValued:
			for j := range a.SubAttributes {
				if sub := &a.SubAttributes[j]; sub.Mutability != scim.ReadOnly && sub.Type != scim.Complex && sub.Name != "" {
					o.Attributes = append(o.Attributes, attributeAt(name+"."+sub.Name, sub, sub.MultiValued))
				}
			}
		default:
			o.Attributes = append(o.Attributes, elements(name, a)...)
		}
	}
}

// elements are the attributes within a multi-valued complex attribute: one for each canonical type and sub-attribute, or,
// without canonical types, the list as a whole.
func elements(name string, a *scim.Attribute) []schema.Attribute {
	kind := a.Sub("type")
	if kind == nil || len(kind.CanonicalValues) == 0 {
		return []schema.Attribute{{Name: name, MultiValued: true}}
	}
	var out []schema.Attribute
	for _, t := range kind.CanonicalValues {
		for j := range a.SubAttributes {
			sub := &a.SubAttributes[j]
			switch {
			case sub.Mutability == scim.ReadOnly, sub.Type == scim.Complex, sub.Name == "",
				slices.ContainsFunc([]string{"type", "primary", "display", "$ref"}, func(s string) bool { return strings.EqualFold(s, sub.Name) }):
				continue
			}
			out = append(out, attributeAt(fmt.Sprintf("%s[type eq %s].%s", name, scim.Quote(t), sub.Name), sub, false))
		}
	}
	return out
}

// demand names what a create needs of a required attribute: the parts of it that are required themselves, else the whole.
func demand(name string, a *scim.Attribute) []string {
	var parts []string
	if a.Type == scim.Complex && !a.MultiValued && referred(a) == "" {
		for i := range a.SubAttributes {
			if sub := &a.SubAttributes[i]; sub.Required && sub.Mutability != scim.ReadOnly {
				parts = append(parts, name+"."+sub.Name)
			}
		}
	}
	if len(parts) == 0 {
		return []string{name}
	}
	return parts
}

// referred is the kind that a complex attribute refers to by its value, "" for one that does not: manager and members of
// RFC 7643 have a value, and a $ref that says what it leads to.
func referred(a *scim.Attribute) identity.Kind {
	if a.Type != scim.Complex || a.Sub("value") == nil {
		return ""
	}
	ref := a.Sub("$ref")
	if ref == nil {
		return ""
	}
	for _, kind := range []identity.Kind{identity.User, identity.Group} {
		if slices.Contains(ref.ReferenceTypes, string(kind)) {
			return kind
		}
	}
	return ""
}

func attributeAt(name string, a *scim.Attribute, multi bool) schema.Attribute {
	types := map[scim.DataType]schema.Type{scim.Boolean: schema.Boolean, scim.Integer: schema.Integer, scim.DateTime: schema.DateTime, scim.Binary: schema.Binary}
	return schema.Attribute{Name: name, Type: types[a.Type], MultiValued: multi, FoldCase: !a.CaseExact && (a.Type == scim.String || a.Type == ""),
		Unique: a.Uniqueness == scim.UniqueServer || a.Uniqueness == scim.UniqueGlobal}
}

// remake turns what was decoded without a form into one of a form.
func remake(from, to any) error {
	if _, ok := from.(map[string]any); !ok {
		return errors.New("no JSON object")
	}
	text, err := encodeAny(from)
	if err != nil {
		return err
	}
	return decode(text, to)
}
