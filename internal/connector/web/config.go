package web

import (
	"net/http"
	"net/url"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
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
	Site          string // name of the allowance; "" means scheme, host and credential
	Throttle503   bool   // every 503 means "too many requests"

	UserAgent string            // "" means Rollcall
	Transport http.RoundTripper // replaces the network in tests
	Policy    httpx.Policy      // repeats; Throttle503 is set from above
}

// Settings are the rows that every connector over HTTP has in its table. urlHelp says what the address is.
func Settings(urlHelp string) []connector.Setting {
	return []connector.Setting{
		{Name: "url", Type: connector.URL, Required: true, Help: urlHelp},
		{Name: "auth", Type: connector.Auth, Secret: true, Values: authKinds(), Help: "Credential: {bearer: SECRET}, {basic: {username, password: SECRET}} or {header: {name, value: SECRET}}, where SECRET is {env: NAME} or {file: PATH}; nothing for a server without one."},
		{Name: "rate", Type: connector.Rate, Default: "none", Help: "Calls that the target allows: none, N/s or N/min. N/min is kept in every span of 60 seconds, over all jobs and runs."},
		{Name: "concurrency", Type: connector.Number, Default: "16", Help: "Calls under way at once, 1 to 256; fewer are made while the target is slow or fails."},
		{Name: "timeout", Type: connector.Duration, Default: "30s", Help: "How long one call may take, 1s to 10m."},
		{Name: "allowInsecure", Type: connector.Flag, Default: "false", Help: "Allow plain HTTP to other machines. The credential and all data are then readable on the network."},
		{Name: "caFile", Type: connector.Path, Help: "PEM file with certificate authorities that are trusted beside the system's."},
		{Name: "site", Type: connector.Text, Help: "Name of the allowance that several connectors or credentials share; by default scheme, host and credential."},
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
		Site:          d.Text("site"),
		Throttle503:   d.Flag("throttle503", false),
	}
	c.URL = d.URL("url", example, c.AllowInsecure)
	return c
}
