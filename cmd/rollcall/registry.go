package main

import (
	"context"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/csvfile"
	dirconn "github.com/rollcall-id/rollcall/internal/connector/directory"
	"github.com/rollcall-id/rollcall/internal/connector/litmos"
	scimconn "github.com/rollcall-id/rollcall/internal/connector/scim"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/directory"
	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/schema"
)

// connectorType is one connector: what app files may say of it, and how its ends are opened. A connector that cannot be
// an end leaves its function nil.
type connectorType struct {
	Summary   string
	Settings  []connector.Setting
	Check     func(settings map[string]any) error
	Schema    func(settings map[string]any) schema.Schema
	Attribute func(settings map[string]any, name string) error
	Lists     func(settings map[string]any) bool // nil: it can always list its accounts
	Adapt     func(settings map[string]any, known schema.Schema) schema.Schema
	Lacks     func(settings map[string]any) connector.Lacks
	Describes bool // its targets may say what they can do (connector.Discoverer)

	// Web returns the connection that the settings describe, of a connector over HTTP; nil for others.
	Web func(settings map[string]any) (web.Config, error)

	Source func(ctx context.Context, settings map[string]any, env connector.Env, p parts) (connector.Source, error)
	Target func(ctx context.Context, settings map[string]any, env connector.Env, p parts) (connector.Target, error)
}

// parts are what connectors share in one process.
type parts struct {
	Dir     *directory.Directory
	Sites   *httpx.Sites
	Version string // of this program, which it names to targets
}

// connectors is the list of all connectors, by the name that app files give them.
func connectors() map[string]connectorType {
	return map[string]connectorType{
		"directory": {
			Summary:  "Rollcall's own directory of people and groups; knows assignments and what changed.",
			Settings: dirconn.Settings(),
			Schema: func(map[string]any) schema.Schema {
				return dirconn.WithOriginalName(directory.BuiltinSchema())
			},
			Source: func(_ context.Context, _ map[string]any, env connector.Env, p parts) (connector.Source, error) {
				return dirconn.NewSource(p.Dir, env), nil
			},
			Target: func(_ context.Context, _ map[string]any, env connector.Env, p parts) (connector.Target, error) {
				return dirconn.NewTarget(p.Dir, env), nil
			},
		},
		"csv": {
			Summary:  "Files of comma-separated values with people, groups and memberships.",
			Settings: csvfile.Settings(),
			Check:    func(settings map[string]any) error { _, err := csvfile.Decode(settings); return err },
			Source: func(_ context.Context, settings map[string]any, env connector.Env, _ parts) (connector.Source, error) {
				cfg, err := csvfile.Decode(settings)
				if err != nil {
					return nil, err
				}
				return csvfile.New(cfg, env), nil
			},
		},
		"scim": {
			Summary:  "Any application with a SCIM 2.0 interface (RFC 7643, RFC 7644).",
			Settings: scimconn.Settings(),
			Check:    func(settings map[string]any) error { _, err := scimconn.Decode(settings); return err },
			Schema:   scimSchema,
			Attribute: func(settings map[string]any, name string) error {
				cfg, _ := scimconn.Decode(settings) // what is wrong with them is told by Check
				return cfg.CheckAttribute(name)
			},
			Adapt: func(settings map[string]any, known schema.Schema) schema.Schema {
				cfg, err := scimconn.Decode(settings)
				if err != nil {
					return known
				}
				return cfg.Limited(known)
			},
			Lacks: func(settings map[string]any) connector.Lacks {
				cfg, err := scimconn.Decode(settings)
				if err != nil {
					return connector.Lacks{}
				}
				return cfg.Lacks()
			},
			Lists: func(settings map[string]any) bool {
				cfg, err := scimconn.Decode(settings)
				return err != nil || cfg.List
			},
			Web: func(settings map[string]any) (web.Config, error) {
				cfg, err := scimconn.Decode(settings)
				return cfg.Config, err
			},
			Describes: true,
			Target: func(_ context.Context, settings map[string]any, env connector.Env, p parts) (connector.Target, error) {
				cfg, err := scimconn.Decode(settings)
				if err != nil {
					return nil, err
				}
				cfg.UserAgent = "Rollcall/" + p.Version
				return scimconn.New(cfg, env, p.Sites)
			},
		},
		"litmos": {
			Summary:  "SAP Litmos over its own REST API: users and teams, to be written and to be read.",
			Settings: litmos.Settings(),
			Check:    func(settings map[string]any) error { _, err := litmos.Decode(settings); return err },
			Schema:   func(map[string]any) schema.Schema { return litmos.Schema() },
			Web: func(settings map[string]any) (web.Config, error) {
				cfg, err := litmos.Decode(settings)
				return cfg.Config, err
			},
			Source: func(_ context.Context, settings map[string]any, env connector.Env, p parts) (connector.Source, error) {
				cfg, err := litmos.Decode(settings)
				if err != nil {
					return nil, err
				}
				cfg.UserAgent = "Rollcall/" + p.Version
				return litmos.NewSource(cfg, env, p.Sites)
			},
			Target: func(_ context.Context, settings map[string]any, env connector.Env, p parts) (connector.Target, error) {
				cfg, err := litmos.Decode(settings)
				if err != nil {
					return nil, err
				}
				cfg.UserAgent = "Rollcall/" + p.Version
				return litmos.New(cfg, env, p.Sites)
			},
		},
	}
}

// scimSchema is what is known of any SCIM server: the attributes of RFC 7643, as the generic template lists them.
func scimSchema(map[string]any) schema.Schema {
	t, err := gallery.Get("scim")
	if err != nil { // the template is part of the program, and tested
		return nil
	}
	return t.Schema()
}

// appFileOptions is what app files are read with.
func appFileOptions() appfile.Options {
	o := appfile.Options{Connectors: map[string]appfile.ConnectorInfo{}, Template: gallery.Get}
	for name, t := range connectors() {
		o.Connectors[name] = appfile.ConnectorInfo{Source: t.Source != nil, Target: t.Target != nil, Summary: t.Summary,
			Settings: t.Settings, Check: t.Check, Schema: t.Schema, Attribute: t.Attribute, Lists: t.Lists, Adapt: t.Adapt, Lacks: t.Lacks}
	}
	return o
}
