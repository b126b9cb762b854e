package scim

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
)

// Dialect says how requests are written (design D16).
type Dialect string

// The dialects.
const (
	RFC       Dialect = "rfc"       // RFC 7644 to the letter
	Entra2020 Dialect = "entra2020" // the reference service with its flag; spec/scim-client.md calls it rfc
	Legacy    Dialect = "legacy"    // the reference service without it
)

// Values of settings.
const (
	keysFlat   = "flat"
	keysNested = "nested"

	shapeText   = "text"
	shapeObject = "object"
	shapeList   = "list"

	nestLastColon = "lastColon"
	nestAfterUser = "afterUser"
)

// Config is what is set for one SCIM target. Decode makes it of settings and fills in all defaults.
type Config struct {
	web.Config         // its URL is without behaviour flags
	Dialect            Dialect
	MemberBatch        int
	ReferencesInCreate bool
	ReadBeforeWrite    connector.ReadPolicy
	List               bool
	PageSize           int
	BooleanAsString    bool   // in updates (scim.R31)
	MergedKeys         string // scim.R32
	ManagerShape       string // scim.R35
	ExtensionNesting   string // scim.R23
	ContentType        string
	EmptyQuery404      bool // scim.R54
}

// Decode makes a Config of the settings of an app file. The error joins all problems, each naming its setting.
func Decode(settings map[string]any) (Config, error) {
	d := web.NewDecoder("scim", Settings(), settings)
	c := Config{
		Config:             web.DecodeConfig(d, "https://scim.example.com/v2"),
		MemberBatch:        d.Number("memberBatch", 100, 1, 500),
		ReferencesInCreate: d.Flag("referencesInCreate", true),
		ReadBeforeWrite:    connector.ReadPolicy(d.Choice("readBeforeWrite", string(connector.ReadStale))),
		List:               d.Flag("list", true),
		PageSize:           d.Number("pageSize", 100, 1, 1000),
		MergedKeys:         d.Choice("mergedKeys", keysFlat),
		ExtensionNesting:   d.Choice("extensionNesting", nestLastColon),
		ContentType:        d.Choice("contentType", "application/scim+json"),
		EmptyQuery404:      d.Flag("emptyQuery404", false),
	}
	flagged := takeFlags(c.URL)
	c.Dialect = Dialect(d.Choice("dialect", string(cmp.Or(flagged, RFC))))
	c.BooleanAsString = d.Flag("booleanAsString", c.Dialect == Legacy)
	shape := shapeObject
	if c.Dialect == Legacy {
		shape = shapeText
	}
	c.ManagerShape = d.Choice("managerShape", shape)
	return c, d.Err()
}

// takeFlags takes the behaviour flags of the reference service out of an address, whatever their case, with or without a
// value (scim.R2). It returns the dialect that a flag asks for, "" for none.
func takeFlags(u *url.URL) Dialect {
	if u == nil {
		return ""
	}
	var dialect Dialect
	var kept []string
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		key, value, _ := strings.Cut(part, "=")
		on := !strings.EqualFold(value, "false")
		switch {
		case key == "":
		case strings.EqualFold(key, "aadOptscim062020"):
			if on {
				dialect = Entra2020
			}
		case strings.EqualFold(key, "AzureAdScimPatch2017"):
			if on {
				dialect = Legacy
			}
		default:
			kept = append(kept, part)
		}
	}
	u.RawQuery = strings.Join(kept, "&")
	return dialect
}
