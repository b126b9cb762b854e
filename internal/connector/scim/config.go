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
	Leapsome  Dialect = "leapsome"  // bare partial resources in place of PATCH operations
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

	separatorColon = ":"
	separatorDot   = "."

	byPatch = "patch"
	byPut   = "put"

	etagAuto  = "auto"
	etagNever = "never"

	probeFilter = "filter"
	probeList   = "list"

	checkNone  = "none"
	checkQuery = "query"

	compareAnswer = "answer"
	compareSent   = "sent"
	pagingAuto    = "auto"
	pagingIndex   = "index"
	pagingCursor  = "cursor"
)

// Config is what is set for one SCIM target. Decode makes it of settings and fills in all defaults.
type Config struct {
	web.Config         // its URL is without behaviour flags
	Dialect            Dialect
	MemberBatch        int
	ReferencesInCreate bool
	ReadBeforeWrite    connector.ReadPolicy
	List               bool
	PageSize           int    // 0: what the target announces
	Paging             string // auto, index or cursor
	ETag               string // auto or never (RFC 7644 section 3.14)
	BooleanAsString    bool   // in updates (scim.R31)
	MergedKeys         string // scim.R32
	ManagerShape       string // scim.R35
	ExtensionNesting   string // scim.R23
	ContentType        string
	EmptyQuery404      bool // scim.R54

	UpdateMethod       string // of users (scim.R13)
	GroupUpdateMethod  string
	NoGroupDelete      bool   // a group is emptied instead
	DisableByDelete    bool   // an account is deleted where it ought to be disabled
	DeleteMeansDisable bool   // and disabled where it ought to be deleted
	Probe              string // what proves that the target answers (scim.R5)
	NoAttributesParam  bool   // no attributes, excludedAttributes or startIndex in queries (scim.R11)
	Reference401       bool   // 401 may mean that a group does not exist
	ReferenceCheck     string // scim.R34
	CompareWith        string // scim.R28

	PrimaryEmailRequired bool   // scim.R29
	SingleMultiValue     bool   // one element in each attribute with several
	ExtensionInSchemas   bool   // scim.R24
	ExtensionSeparator   string // scim.R23
	RolesShape           string // of roles in updates (scim section 15)
	StripChars           string
	MaxLength            map[string]int // characters, by attribute
}

// Decode makes a Config of the settings of an app file. The error joins all problems, each naming its setting.
func Decode(settings map[string]any) (Config, error) {
	d := web.NewDecoder("scim", Settings(), settings)
	c := Config{
		Config:           web.DecodeConfig(d, "https://scim.example.com/v2"),
		MemberBatch:      d.Number("memberBatch", 100, 1, 500),
		ReadBeforeWrite:  connector.ReadPolicy(d.Choice("readBeforeWrite", string(connector.ReadStale))),
		List:             d.Flag("list", true),
		Paging:           d.Choice("paging", pagingAuto),
		ETag:             d.Choice("etag", etagAuto),
		MergedKeys:       d.Choice("mergedKeys", keysFlat),
		ExtensionNesting: d.Choice("extensionNesting", nestLastColon),
		ContentType:      d.Choice("contentType", "application/scim+json"),
		EmptyQuery404:    d.Flag("emptyQuery404", false),
	}
	if d.Get("pageSize") != nil {
		c.PageSize = d.Number("pageSize", defaultPageSize, 1, 1000)
	}
	flagged := takeFlags(c.URL)
	c.Dialect = Dialect(d.Choice("dialect", string(cmp.Or(flagged, RFC))))
	legacy, leapsome := c.Dialect == Legacy, c.Dialect == Leapsome
	c.ReferencesInCreate = d.Flag("referencesInCreate", !leapsome)
	c.BooleanAsString = d.Flag("booleanAsString", legacy)
	shape := shapeObject
	if legacy || leapsome {
		shape = shapeText
	}
	c.ManagerShape = d.Choice("managerShape", shape)
	decodeQuirks(d, &c)
	if leapsome {
		leapsomeOnly(d, c)
	}
	return c, d.Err()
}

// decodeQuirks reads the switches for what single targets want otherwise (spec/targets/generic-scim.md).
func decodeQuirks(d *web.Decoder, c *Config) {
	legacy, leapsome := c.Dialect == Legacy, c.Dialect == Leapsome
	c.UpdateMethod = d.Choice("updateMethod", byPatch)
	noGroupPut := d.Flag("noGroupPut", leapsome)
	groupMethod := c.UpdateMethod
	if noGroupPut {
		groupMethod = byPatch
	}
	c.GroupUpdateMethod = d.Choice("groupUpdateMethod", groupMethod)
	if noGroupPut && c.GroupUpdateMethod == byPut {
		d.Problem("groupUpdateMethod", "is put, and noGroupPut says that the target takes no PUT of groups")
	}
	c.NoGroupDelete = d.Flag("noGroupDelete", leapsome)
	c.DisableByDelete = d.Flag("disableByDelete", false)
	c.DeleteMeansDisable = d.Flag("deleteMeansDisable", leapsome)
	if c.DisableByDelete && c.DeleteMeansDisable {
		d.Problem("disableByDelete", "and deleteMeansDisable exclude each other: an account cannot be taken from anybody then")
	}
	c.Probe = d.Choice("probe", probeFilter)
	c.NoAttributesParam = d.Flag("noAttributesParam", false)
	c.Reference401 = d.Flag("reference401", leapsome)
	c.ReferenceCheck = d.Choice("referenceCheck", checkNone)
	c.CompareWith = d.Choice("compareWith", compareAnswer)
	c.PrimaryEmailRequired = d.Flag("primaryEmailRequired", legacy)
	c.SingleMultiValue = d.Flag("singleMultiValue", false)
	c.ExtensionInSchemas = d.Flag("extensionInSchemas", !legacy)
	c.ExtensionSeparator = d.Choice("extensionSeparator", separatorColon)
	roles := shapeObject
	if legacy {
		roles = shapeText
	}
	c.RolesShape = d.Choice("rolesShape", roles)
	c.StripChars = d.Text("stripChars")
	c.MaxLength = d.Numbers("maxLength", 1, 1<<20)
}

// leapsomeOnly refuses what the dialect cannot do, lest it be set in vain.
func leapsomeOnly(d *web.Decoder, c Config) {
	for _, x := range []struct {
		name string
		set  bool
		why  string
	}{
		{"referencesInCreate", c.ReferencesInCreate, "its create takes no references"},
		{"memberBatch", c.MemberBatch > 100, "it takes 100 members at once"},
		{"updateMethod", c.UpdateMethod == byPut, "its updates are partial resources"},
		{"managerShape", c.ManagerShape != shapeText, "a manager is a text there"},
		{"booleanAsString", c.BooleanAsString, "its Booleans are JSON Booleans"},
		{"disableByDelete", c.DisableByDelete, "it has no delete"},
		{"noGroupDelete", !c.NoGroupDelete, "it has no delete"},
		{"referenceCheck", c.ReferenceCheck == checkQuery, "it filters on userName and displayName alone"},
	} {
		if x.set {
			d.Problem(x.name, "does not go with the dialect leapsome: %s", x.why)
		}
	}
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
