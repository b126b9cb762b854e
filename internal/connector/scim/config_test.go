package scim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/connector/web"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/secret"
)

const base = "https://scim.example.com/v2"

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// TestDecode: what can be set, and the flags in the address (scim.R1, R2).
func TestDecode(t *testing.T) {
	defaults := func(change func(*Config)) Config {
		c := Config{Config: web.Config{URL: parse(t, base), Concurrency: 16, Timeout: 30 * time.Second}, Dialect: RFC, MemberBatch: 100, ReferencesInCreate: true,
			ReadBeforeWrite: connector.ReadStale, List: true, Paging: "auto", ETag: "auto", MergedKeys: "flat", ManagerShape: "object",
			ExtensionNesting: "lastColon", ContentType: "application/scim+json", UpdateMethod: "patch", GroupUpdateMethod: "patch", Probe: "filter",
			ReferenceCheck: "none", CompareWith: "answer", ExtensionInSchemas: true, ExtensionSeparator: ":", RolesShape: "object"}
		change(&c)
		return c
	}
	legacy := func(c *Config) {
		c.Dialect, c.BooleanAsString, c.ManagerShape, c.PrimaryEmailRequired, c.ExtensionInSchemas, c.RolesShape = Legacy, true, "text", true, false, "text"
	}
	env := map[string]any{"env": "T"}
	tests := []struct {
		name string
		in   map[string]any
		want Config
	}{
		{"an address alone takes all defaults", map[string]any{"url": base}, defaults(func(*Config) {})},
		{"the design's example", map[string]any{"url": base, "auth": map[string]any{"bearer": env}, "rate": "100/min", "concurrency": 8, "timeout": "45s",
			"dialect": "legacy", "memberBatch": 50, "referencesInCreate": false, "readBeforeWrite": "never"},
			defaults(func(c *Config) {
				c.Auth = web.Auth{Kind: "bearer", Secret: secret.Ref{Env: "T"}}
				c.Rate, c.Concurrency, c.Timeout = httpx.Rate{N: 100, Per: time.Minute}, 8, 45*time.Second
				legacy(c)
				c.MemberBatch, c.ReferencesInCreate, c.ReadBeforeWrite = 50, false, connector.ReadNever
			})},
		{"every other setting", map[string]any{"url": "http://10.0.0.1/scim", "auth": map[string]any{"basic": map[string]any{"username": "u", "password": map[string]any{"file": "p"}}},
			"allowInsecure": true, "caFile": "ca.pem", "site": "litmos", "list": false, "pageSize": int64(20), "booleanAsString": true, "mergedKeys": "nested",
			"managerShape": "list", "extensionNesting": "afterUser", "contentType": "application/json", "emptyQuery404": true, "throttle503": true, "timeout": time.Minute},
			defaults(func(c *Config) {
				c.URL, c.AllowInsecure, c.CAFile, c.Site = parse(t, "http://10.0.0.1/scim"), true, "ca.pem", "litmos"
				c.Auth = web.Auth{Kind: "basic", Username: "u", Secret: secret.Ref{File: "p"}}
				c.List, c.PageSize, c.BooleanAsString, c.MergedKeys, c.ManagerShape = false, 20, true, "nested", "list"
				c.ExtensionNesting, c.ContentType, c.EmptyQuery404, c.Throttle503, c.Timeout = "afterUser", "application/json", true, true, time.Minute
			})},
		{"every switch for what single targets want otherwise", map[string]any{"url": base, "updateMethod": "put", "noGroupPut": true, "noGroupDelete": true, "disableByDelete": true,
			"probe": "list", "noAttributesParam": true, "reference401": true, "referenceCheck": "query", "compareWith": "sent", "primaryEmailRequired": true, "singleMultiValue": true,
			"extensionInSchemas": false, "extensionSeparator": ".", "rolesShape": "text", "stripChars": "<>\t", "maxLength": map[string]any{"userName": int64(21), "displayName": "80"}},
			defaults(func(c *Config) {
				c.UpdateMethod, c.NoGroupDelete, c.DisableByDelete, c.Probe, c.NoAttributesParam = "put", true, true, "list", true
				c.Reference401, c.ReferenceCheck, c.CompareWith, c.PrimaryEmailRequired, c.SingleMultiValue = true, "query", "sent", true, true
				c.ExtensionInSchemas, c.ExtensionSeparator, c.RolesShape, c.StripChars = false, ".", "text", "<>\t"
				c.MaxLength = map[string]int{"userName": 21, "displayName": 80}
			})},
		{"groups follow the method of users", map[string]any{"url": base, "updateMethod": "put"}, defaults(func(c *Config) { c.UpdateMethod, c.GroupUpdateMethod = "put", "put" })},
		{"a target that disables where others delete", map[string]any{"url": base, "deleteMeansDisable": true}, defaults(func(c *Config) { c.DeleteMeansDisable = true })},
		{"the dialect leapsome brings what Leapsome lacks", map[string]any{"url": base, "dialect": "leapsome"}, defaults(func(c *Config) {
			c.Dialect, c.ReferencesInCreate, c.ManagerShape, c.NoGroupDelete, c.DeleteMeansDisable, c.Reference401 = Leapsome, false, "text", true, true, true
		})},
		{"a header as credential", map[string]any{"url": base, "auth": map[string]any{"header": map[string]any{"name": "apikey", "value": env}}},
			defaults(func(c *Config) { c.Auth = web.Auth{Kind: "header", Name: "apikey", Secret: secret.Ref{Env: "T"}} })},
		{"the 2020 flag of the reference service (scim.R2)", map[string]any{"url": base + "?aadOptscim062020"}, defaults(func(c *Config) { c.Dialect = Entra2020 })},
		{"flags with a value, in any case, among other parameters", map[string]any{"url": base + "?a=1&AADOPTSCIM062020=true&b=2"},
			defaults(func(c *Config) { c.URL, c.Dialect = parse(t, base+"?a=1&b=2"), Entra2020 })},
		{"a flag that is off", map[string]any{"url": base + "?aadOptscim062020=false"}, defaults(func(*Config) {})},
		{"the 2017 flag", map[string]any{"url": base + "?AzureAdScimPatch2017"}, defaults(legacy)},
		{"a dialect that is set outranks the flag", map[string]any{"url": base + "?AzureAdScimPatch2017", "dialect": "rfc"}, defaults(func(*Config) {})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Decode(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(fmt.Sprintf("%+v", tt.want), fmt.Sprintf("%+v", got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecodeTellsAllProblemsAtOnce(t *testing.T) {
	_, err := Decode(map[string]any{"url": "http://scim.example.com", "rate": "fast", "concurrency": 0, "timeout": "soon", "dialect": "scim1", "memberBatch": 501,
		"list": "yes", "pageSize": 1.5, "site": 7, "colour": "red", "auth": map[string]any{"bearer": "geheim"}})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"setting url: ", "setting rate: ", "setting concurrency: must be between 1 and 256, not 0", "setting timeout: ", "setting dialect: must be one of rfc, entra2020, legacy, leapsome",
		"setting memberBatch: must be between 1 and 500", "setting list: must be true or false", "setting pageSize: must be a whole number", "setting site: must be a text",
		"setting colour: there is no such setting", "setting auth.bearer: a secret is not written here"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "geheim") {
		t.Errorf("the error shows the secret: %v", err)
	}
	for name, in := range map[string]map[string]any{
		"url: is missing":                         {},
		"maxLength.title: must be between 1":      {"url": base, "maxLength": map[string]any{"title": 0}},
		"maxLength: must be a map of numbers":     {"url": base, "maxLength": 80},
		"maxLength.title: must be a number":       {"url": base, "maxLength": map[string]any{"title": "short"}},
		"groupUpdateMethod: is put, and noGroup":  {"url": base, "groupUpdateMethod": "put", "noGroupPut": true},
		"disableByDelete: and deleteMeansDisable": {"url": base, "disableByDelete": true, "deleteMeansDisable": true},
		"updateMethod: does not go with the dia":  {"url": base, "dialect": "leapsome", "updateMethod": "put"},
		"referencesInCreate: does not go with":    {"url": base, "dialect": "leapsome", "referencesInCreate": true},
		"url: is no address":                      {"url": "https://[geheim"},
		"must not hold user and password":         {"url": "https://u:geheim@scim.example.com"},
		"auth.oauth2.tokenURL: is missing":        {"url": base, "auth": map[string]any{"oauth2": map[string]any{}}},
		"auth: must be one of":                    {"url": base, "auth": "bearer"},
		"auth.basic.username: is missing":         {"url": base, "auth": map[string]any{"basic": map[string]any{"password": map[string]any{"env": "T"}}}},
		"auth.header.value: is missing":           {"url": base, "auth": map[string]any{"header": map[string]any{"name": "x"}}},
		"is no name of an HTTP header":            {"url": base, "auth": map[string]any{"header": map[string]any{"name": "a b", "value": map[string]any{"env": "T"}}}},
		"auth.basic.realm: there is no such set":  {"url": base, "auth": map[string]any{"basic": map[string]any{"username": "u", "realm": "r", "password": map[string]any{"env": "T"}}}},
	} {
		_, err := Decode(in)
		if err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%v, want %q in it and no secret", err, name)
		}
	}
}

// TestSettingsTable holds the table against Decode: what it lists is taken, its defaults are those that apply.
func TestSettingsTable(t *testing.T) {
	plain, err := Decode(map[string]any{"url": base})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		if s.Help == "" || !strings.HasSuffix(s.Help, ".") {
			t.Errorf("%s: the help is no sentence: %q", s.Name, s.Help)
		}
		var values []any
		switch s.Type {
		case connector.Flag:
			if s.Default != "" {
				values = append(values, s.Default == "true")
			}
		case connector.Number:
			if s.Default == "" {
				break
			}
			var n int
			if _, err := fmt.Sscan(s.Default, &n); err != nil {
				t.Errorf("%s: default %q: %v", s.Name, s.Default, err)
			}
			values = append(values, n)
		case connector.Duration, connector.Rate, connector.Choice:
			if s.Default != "" {
				values = append(values, s.Default)
			}
			for _, v := range s.Values {
				if _, err := Decode(map[string]any{"url": base, s.Name: v}); err != nil {
					t.Errorf("%s: %q is listed and not taken: %v", s.Name, v, err)
				}
			}
		case connector.URL, connector.Auth, connector.Path, connector.Text, connector.Map:
		default:
			t.Errorf("%s: type %q is not tested", s.Name, s.Type)
		}
		for _, v := range values {
			got, err := Decode(map[string]any{"url": base, s.Name: v})
			if err != nil {
				t.Errorf("%s: the default %v is not taken: %v", s.Name, v, err)
			}
			if diff := cmp.Diff(fmt.Sprintf("%+v", plain), fmt.Sprintf("%+v", got)); diff != "" {
				t.Errorf("%s: %v is not the default: %s", s.Name, v, diff)
			}
		}
	}
}

func TestNewTellsWhatIsWrong(t *testing.T) {
	tests := []struct {
		settings map[string]any
		uses     []connector.Use
		want     string
	}{
		{map[string]any{"caFile": "absent"}, nil, "setting caFile: "},
		{nil, []connector.Use{{Kind: "Device"}}, `object type "Device"`},
		{nil, []connector.Use{{Kind: identity.User, Joining: []string{"emails["}}}, "attribute emails[ of User"},
	}
	for _, tt := range tests {
		settings := map[string]any{"url": base}
		for k, v := range tt.settings {
			settings[k] = v
		}
		cfg, err := Decode(settings)
		if err != nil {
			t.Fatal(err)
		}
		_, err = New(cfg, connector.Env{Dir: t.TempDir(), Uses: tt.uses}, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q in it", err, tt.want)
		}
	}
}
