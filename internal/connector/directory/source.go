package directory

import (
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// Reader is what the source needs of the directory. Its methods are those of connector.Source, Feed and Lookup, with
// the application whose assignments are to be told as app; "" is none.
type Reader interface {
	Schema(ctx context.Context) (schema.Schema, error)
	Scan(ctx context.Context, req connector.ReadRequest, app string) iter.Seq2[connector.Item, error]
	Position(ctx context.Context) (string, error)
	Changes(ctx context.Context, req connector.ReadRequest, app, since string) iter.Seq2[connector.Item, error]
	Lookup(ctx context.Context, req connector.ReadRequest, app string, ids []string) iter.Seq2[connector.Item, error]
}

// Source reads the directory for one job.
type Source struct {
	dir  Reader
	app  string
	uses []connector.Use
}

var (
	_ connector.Source = (*Source)(nil)
	_ connector.Feed   = (*Source)(nil)
	_ connector.Lookup = (*Source)(nil)
)

// Settings are the settings of the connector, at either end: it has none.
func Settings() []connector.Setting { return nil }

// NewSource returns the directory as a source. env.Job is the application whose assignments the objects carry.
func NewSource(dir Reader, env connector.Env) *Source {
	return &Source{dir: dir, app: env.Job, uses: env.Uses}
}

// originalName is a guest's userPrincipalName as it is kept; under the usual name the source delivers the home address
// (engine.R46).
const (
	originalName = "originalUserPrincipalName"
	usualName    = "userPrincipalName"
)

// Schema describes users and groups. Attributes of the organisation's own that the job uses belong to it, whether
// anybody has a value for them yet or not.
func (s *Source) Schema(ctx context.Context) (schema.Schema, error) {
	out, err := describe(ctx, s.dir, s.uses)
	if err != nil {
		return nil, err
	}
	return WithOriginalName(out), nil
}

// WithOriginalName adds to a schema of the directory the attribute that only the source has.
func WithOriginalName(s schema.Schema) schema.Schema {
	if users, ok := s.Object(identity.User); ok {
		users.Attributes = append(users.Attributes, schema.Attribute{Name: originalName, ReadOnly: true, FoldCase: true})
	}
	return s
}

// extensionPrefix starts the names of an organisation's own attributes.
const extensionPrefix = "extension_"

func describe(ctx context.Context, dir interface {
	Schema(context.Context) (schema.Schema, error)
}, uses []connector.Use) (schema.Schema, error) {
	out, err := dir.Schema(ctx)
	if err != nil {
		return nil, fault("read schema", err)
	}
	for _, use := range uses {
		object, ok := out.Object(use.Kind)
		if !ok {
			continue
		}
		for _, a := range use.Attributes {
			if _, known := object.Attribute(a.Name); !known && strings.HasPrefix(a.Name, extensionPrefix) {
				object.Attributes = append(object.Attributes, schema.Attribute{Name: a.Name, Filterable: true})
			}
		}
	}
	return out, nil
}

// Read delivers every object of the kind that is not purged; those in the recycle bin are SoftDeleted.
func (s *Source) Read(ctx context.Context, req connector.ReadRequest) iter.Seq2[connector.Item, error] {
	return deliver(req, "read", func(req connector.ReadRequest) iter.Seq2[connector.Item, error] {
		return s.dir.Scan(ctx, req, s.app)
	})
}

// Position returns the number of the directory's last transaction.
func (s *Source) Position(ctx context.Context) (string, error) {
	p, err := s.dir.Position(ctx)
	if err != nil {
		return "", fault("read position", err)
	}
	return p, nil
}

// Changes delivers what changed after the mark: attributes, managers, members, and entitlements to any application.
func (s *Source) Changes(ctx context.Context, req connector.ReadRequest, since string) iter.Seq2[connector.Item, error] {
	return deliver(req, "read changes", func(req connector.ReadRequest) iter.Seq2[connector.Item, error] {
		return s.dir.Changes(ctx, req, s.app, since)
	})
}

// Lookup delivers single objects.
func (s *Source) Lookup(ctx context.Context, req connector.ReadRequest, anchors []string) iter.Seq2[connector.Item, error] {
	return deliver(req, "look up", func(req connector.ReadRequest) iter.Seq2[connector.Item, error] {
		return s.dir.Lookup(ctx, req, s.app, anchors)
	})
}

// deliver asks the directory with its own names and brings what it delivers into the form the job asked for.
func deliver(req connector.ReadRequest, op string, read func(connector.ReadRequest) iter.Seq2[connector.Item, error]) iter.Seq2[connector.Item, error] {
	if req.Kind != identity.User {
		return classified(op, read(req))
	}
	usual, original := slices.Index(req.Attrs, usualName), slices.Index(req.Attrs, originalName)
	if usual < 0 && original < 0 {
		return classified(op, read(req))
	}
	asked := req
	asked.Attrs = slices.Clone(req.Attrs)
	if original >= 0 {
		asked.Attrs[original] = usualName
		if usual >= 0 { // asked for once, delivered twice
			asked.Attrs = slices.Delete(asked.Attrs, usual, usual+1)
		}
	}
	return func(yield func(connector.Item, error) bool) {
		for item, err := range classified(op, read(asked)) {
			if err == nil && item.Object != nil && !item.Gone {
				names(item.Object, usual, original)
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

// names puts a user's name where the request has it: as a guest's home address at usual, as it is at original.
func names(o *identity.Object, usual, original int) {
	stored, _ := o.Attrs.Get(usualName)
	if original >= 0 && usual >= 0 {
		o.Attrs = slices.Insert(o.Attrs, usual, identity.Attr{Name: usualName})
	}
	if original >= 0 {
		o.Attrs[original] = identity.Attr{Name: originalName, Value: stored}
	}
	if usual >= 0 {
		o.Attrs[usual].Value = stored
		if text, ok := stored.(string); ok {
			o.Attrs[usual].Value = home(text)
		}
	}
}

// home turns alias_home.example#EXT#@tenant.example into alias@home.example (engine.R46). A name without the mark, or
// without the underscore that stands for the @, stays as it is.
func home(name string) string {
	at := strings.Index(strings.ToUpper(name), "#EXT#@")
	if at < 0 {
		return name
	}
	alias := strings.LastIndexByte(name[:at], '_')
	if alias <= 0 || alias == at-1 {
		return name
	}
	return name[:alias] + "@" + name[alias+1:at]
}

// classified turns the errors of a reading into those of connectors.
func classified(op string, items iter.Seq2[connector.Item, error]) iter.Seq2[connector.Item, error] {
	return func(yield func(connector.Item, error) bool) {
		for item, err := range items {
			if err != nil {
				err = fault(op, err)
			}
			if !yield(item, err) {
				return
			}
		}
	}
}
