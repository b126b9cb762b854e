package litmos

import (
	"time"
	"unicode/utf8"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
)

// Values of settings.
const (
	formatJSON = "json"
	formatXML  = "xml"

	customAuto = "auto"
	customOff  = "off"

	membersByTeam  = "team"
	membersByRange = "range"

	entitiesUnescape = "unescape"
	entitiesKeep     = "keep"
)

// maxSource is the longest text that says who calls (A3), in characters.
const maxSource = 50

// Config is what is set for one Litmos site. Decode makes it of settings and fills in all defaults.
type Config struct {
	web.Config
	Source                   string // says who calls, in every call
	Format                   string // json or xml
	Entities                 string // unescape or keep (U3)
	PageSize                 int
	MemberBatch              int
	ReadBeforeWrite          connector.ReadPolicy
	SendMessage              bool   // Litmos mails new users and members (U7, T4)
	SkipFirstLogin           bool   // new users set no password (U7)
	RemoveFromTeamsOnDisable bool   // section 5
	CustomFields             string // auto or off (U11)
	Overlap                  time.Duration
	FullRead                 time.Duration
	ReadMembers              string // team or range
}

// Settings is the table of the connector's settings, at either end.
func Settings() []connector.Setting {
	return append(web.Settings("Base address of the API: https://api.litmos.com/v1.svc, https://api.litmoseu.com/v1.svc or https://api.litmos.com.au/v1.svc."), []connector.Setting{
		{Name: "source", Type: connector.Text, Required: true, Help: "Name of the company or of the caller, at most 50 characters; Litmos wants it with every call and shows it in its own logs."},
		{Name: "format", Type: connector.Choice, Default: formatJSON, Values: []string{formatJSON, formatXML}, Help: "Form of requests and answers: json, or xml for a site where JSON misbehaves. An answer is read in whichever form it comes."},
		{Name: "entities", Type: connector.Choice, Default: entitiesUnescape, Values: []string{entitiesUnescape, entitiesKeep}, Help: "Texts of JSON answers come with HTML entities (&amp;amp;), which are undone; keep leaves them, for a site that sends none."},
		{Name: "pageSize", Type: connector.Number, Default: "1000", Help: "Users or teams asked for in one page of a listing, 1 to 1000."},
		{Name: "memberBatch", Type: connector.Number, Default: "100", Help: "Members added to a team in one call, 1 to 1000. Each removal is a call of its own."},
		{Name: "readBeforeWrite", Type: connector.Choice, Default: string(connector.ReadNever), Values: []string{string(connector.ReadAlways), string(connector.ReadNever), string(connector.ReadStale)}, Help: "Read an account already when the cycle decides, at one call more: always, never, or when its values were not confirmed within the reconciliation interval. Every update reads the account anyway."},
		{Name: "sendMessage", Type: connector.Flag, Default: "false", Help: "Let Litmos send its mail to new users and new members of teams."},
		{Name: "skipFirstLogin", Type: connector.Flag, Default: "true", Help: "New users do not have to set a password when they sign in first; right for single sign-on."},
		{Name: "removeFromTeamsOnDisable", Type: connector.Flag, Default: "false", Help: "Take a user out of all teams when the account is disabled, at one call more."},
		{Name: "customFields", Type: connector.Choice, Default: customAuto, Values: []string{customAuto, customOff}, Help: "Advanced custom fields, attributes custom.NAME: auto reads and writes them where a rule maps one, off refuses them."},
		{Name: "overlap", Type: connector.Duration, Default: "5m", Help: "As a source: how far before the last reading a window of changes begins, 0s to 1h, since clocks differ."},
		{Name: "fullRead", Type: connector.Duration, Default: "24h", Help: "As a source: everything is read at least once in each such span, 1h to 168h, since windows of changes do not tell who was deleted."},
		{Name: "readMembers", Type: connector.Choice, Default: membersByTeam, Values: []string{membersByTeam, membersByRange}, Help: "As a source: who is in a team is asked for team by team, or read from the list of all memberships (range), which takes fewer calls but is not documented to leave out memberships that ended."},
	}...)
}

// Decode makes a Config of the settings of an app file. The error joins all problems, each naming its setting.
func Decode(settings map[string]any) (Config, error) {
	d := web.NewDecoder("litmos", Settings(), settings)
	c := Config{
		Config:                   web.DecodeConfig(d, "https://api.litmos.com/v1.svc"),
		Source:                   d.Text("source"),
		Format:                   d.Choice("format", formatJSON),
		Entities:                 d.Choice("entities", entitiesUnescape),
		PageSize:                 d.Number("pageSize", 1000, 1, 1000),
		MemberBatch:              d.Number("memberBatch", 100, 1, 1000),
		ReadBeforeWrite:          connector.ReadPolicy(d.Choice("readBeforeWrite", string(connector.ReadNever))),
		SendMessage:              d.Flag("sendMessage", false),
		SkipFirstLogin:           d.Flag("skipFirstLogin", true),
		RemoveFromTeamsOnDisable: d.Flag("removeFromTeamsOnDisable", false),
		CustomFields:             d.Choice("customFields", customAuto),
		Overlap:                  d.Duration("overlap", 5*time.Minute, 0, time.Hour),
		FullRead:                 d.Duration("fullRead", 24*time.Hour, time.Hour, 7*24*time.Hour),
		ReadMembers:              d.Choice("readMembers", membersByTeam),
	}
	switch {
	case c.Source == "":
		d.Problem("source", "is missing: enter the name of your company; Litmos refuses calls without it")
	case utf8.RuneCountInString(c.Source) > maxSource:
		d.Problem("source", "has more than %d characters, which Litmos refuses", maxSource)
	}
	return c, d.Err()
}
