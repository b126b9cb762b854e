package web

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// Config is what is set for a connection. Its zero value has no address; DecodeConfig fills in all defaults.
type Config struct {
	URL           *url.URL // base address; query parameters in it go with every request
	Auth          Auth
	Rate          httpx.Rate
	Concurrency   int
	Timeout       time.Duration // of one call
	AllowInsecure bool          // plain HTTP to other machines
	CAFile        string
	Certificate   string     // PEM file with the certificate shown to the server, "" for none
	Key           secret.Ref // private key of Certificate, in PEM form
	Proxy         Proxy
	Site          string    // name of the allowance; SiteHost means scheme and host, "" those and the credential
	Throttle503   bool      // every 503 means "too many requests"
	Expires       time.Time // when the credential has to be renewed, zero where nobody has said so

	UserAgent      string            // "" means Rollcall
	Transport      http.RoundTripper // replaces the network in tests
	TokenTransport http.RoundTripper // the same for the requests for tokens
	Policy         httpx.Policy      // repeats; Throttle503 is set from above
}

// SiteHost is the setting site for an allowance that all credentials of one host share.
const SiteHost = "host"

// Proxy is what is set for how calls reach the server. The zero value means what the environment says.
type Proxy struct {
	None     bool     // straight to the server, whatever the environment says
	URL      *url.URL // this proxy for all calls; nil for none of its own
	Username string
	Password secret.Ref // zero for a proxy that wants no credential
}

func (c Config) userAgent() string {
	if c.UserAgent == "" {
		return "Rollcall"
	}
	return c.UserAgent
}

// Settings are the rows that every connector over HTTP has in its table. urlHelp says what the address is.
func Settings(urlHelp string) []connector.Setting {
	return []connector.Setting{
		{Name: "url", Type: connector.URL, Required: true, Help: urlHelp},
		{Name: "auth", Type: connector.Auth, Secret: true, Fields: authFields(), Help: "Credential: {bearer: SECRET}, {basic: {username, password: SECRET}}, {header: {name, value: SECRET}} or {oauth2: {…}}, where SECRET is {env: NAME} or {file: PATH}; nothing for a server without one."},
		{Name: "credentialExpires", Type: connector.Text, Help: "Day on which the credential has to be renewed, as 2027-03-31: Rollcall warns 60, 30, 14, 7 and 1 days before. Not needed for tokens and certificates that say it themselves."},
		{Name: "clientCertificate", Type: connector.Path, Help: "PEM file with the certificate that is shown to the server (mutual TLS), and those that lead to its authority; beside any auth."},
		{Name: "clientKey", Type: connector.Text, Secret: true, Help: "Private key of clientCertificate, in PEM form."},
		{Name: "rate", Type: connector.Rate, Default: "none", Help: "Calls that the target allows: none, N/s or N/min. N/min is kept in every span of 60 seconds, over all jobs and runs."},
		{Name: "concurrency", Type: connector.Number, Default: "16", Help: "Calls under way at once, 1 to 256; fewer are made while the target is slow or fails."},
		{Name: "timeout", Type: connector.Duration, Default: "30s", Help: "How long one call may take, 1s to 10m."},
		{Name: "allowInsecure", Type: connector.Flag, Default: "false", Help: "Allow plain HTTP to other machines. The credential and all data are then readable on the network."},
		{Name: "caFile", Type: connector.Path, Help: "PEM file with certificate authorities that are trusted beside the system's."},
		{Name: "proxy", Type: connector.Text, Help: "Proxy for all calls, as http://proxy.example.com:3128; none for no proxy at all; by default what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say."},
		{Name: "proxyAuth", Type: connector.Map, Help: "Credential for the proxy.", Fields: basicFields()},
		{Name: "site", Type: connector.Text, Help: "Name of the allowance that several connectors or credentials share; host for all that call the same scheme and host; by default scheme, host and credential."},
		{Name: "throttle503", Type: connector.Flag, Default: "false", Help: "Every 503 means too many requests, with or without Retry-After (SAP Litmos)."},
	}
}

// DecodeConfig reads the settings of every connection. example is an address for messages.
func DecodeConfig(d *Decoder, example string) Config {
	c := Config{
		Auth:          d.auth("auth"),
		Rate:          d.Rate("rate"),
		Concurrency:   d.Number("concurrency", httpx.DefaultConcurrency, 1, 256),
		Timeout:       d.Duration("timeout", httpx.DefaultTimeout, time.Second, 10*time.Minute),
		AllowInsecure: d.Flag("allowInsecure", false),
		CAFile:        d.Text("caFile"),
		Certificate:   d.Text("clientCertificate"),
		Key:           d.optionalSecret("clientKey"),
		Proxy:         d.proxy(),
		Site:          d.Text("site"),
		Throttle503:   d.Flag("throttle503", false),
		Expires:       d.day("credentialExpires"),
	}
	if (c.Certificate == "") != (c.Key == secret.Ref{}) {
		d.Problem("clientCertificate", "and clientKey belong together: set both, or neither")
	}
	c.URL = d.URL("url", example, c.AllowInsecure)
	return c
}

// proxy reads how calls reach the server.
func (d *Decoder) proxy() Proxy {
	p := Proxy{}
	if v := d.Get("proxyAuth"); v != nil {
		p.Username, p.Password = d.basic("proxyAuth", v)
	}
	switch text := strings.TrimSpace(d.Text("proxy")); {
	case text == "":
	case strings.EqualFold(text, "none"):
		p.None = true
	default:
		// What goes through a proxy is encrypted from end to end, so the way to the proxy need not be.
		p.URL = d.URL("proxy", "http://proxy.example.com:3128", true)
	}
	if p.Username != "" && p.URL == nil {
		d.Problem("proxyAuth", "is for the proxy of the setting proxy, which names none")
	}
	return p
}
