package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/rollcall-id/rollcall/internal/appfile"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/store"
)

func TestMinutesFor(t *testing.T) {
	perMinute, perSecond := httpx.Rate{N: 100, Per: time.Minute}, httpx.Rate{N: 25, Per: time.Second}
	tests := []struct {
		name  string
		rate  httpx.Rate
		calls int64
		used  int
		want  float64
	}{
		{"what the window lets through at once takes no minute", perMinute, 100, 0, 0},
		{"one call more waits for the next window", perMinute, 101, 0, 1},
		{"a thousand", perMinute, 1000, 0, 9},
		{"a window that is half used lets through the other half", perMinute, 50, 50, 0},
		{"and no more", perMinute, 51, 50, 1},
		{"a full window", perMinute, 100, 100, 1},
		{"a window that holds more than the rate, which was lowered", perMinute, 100, 300, 1},
		{"nothing to do", perMinute, 0, 100, 0},
		{"a rate per second is even", perSecond, 1500, 0, 1},
		{"and has no window", perSecond, 750, 20, 0.5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := minutesFor(tt.rate, tt.calls, tt.used); got != tt.want {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

// TestBothInterfacesOfLitmosAreOneSite holds the templates to what Litmos counts: calls to the site, by SCIM token and by
// API key together.
func TestBothInterfacesOfLitmosAreOneSite(t *testing.T) {
	t.Setenv("LITMOS_TOKEN", "token")
	t.Setenv("LITMOS_KEY", "key")
	c := &cli{world: testWorld(&bytes.Buffer{}, &bytes.Buffer{})}
	site := func(text string) string {
		f, err := appfile.Parse([]byte("name: Litmos\nsource: {connector: directory}\n"+text), t.TempDir(), appFileOptions())
		if err != nil {
			t.Fatal(err)
		}
		facts, ok := (&state{}).facts(c, store.Job{ID: "1", Name: "Litmos"}, f, f.Job.Target)
		if !ok || facts.Rate != (httpx.Rate{N: 100, Per: time.Minute}) {
			t.Fatalf("%v, %+v", ok, facts)
		}
		return facts.Site
	}
	scim := site("template: litmos-scim\ntarget: {settings: {url: https://api.litmos.com/v2/SCIM, auth: {bearer: {env: LITMOS_TOKEN}}}}\n")
	api := site("template: litmos-api\ntarget: {settings: {url: https://api.litmos.com/v1.svc, source: Contoso, auth: {header: {name: apikey, value: {env: LITMOS_KEY}}}}}\n")
	europe := site("template: litmos-api\ntarget: {settings: {url: https://api.litmoseu.com/v1.svc, source: Contoso, auth: {header: {name: apikey, value: {env: LITMOS_KEY}}}}}\n")
	if scim != "https://api.litmos.com" || scim != api || api == europe {
		t.Errorf("SCIM %q, API %q, Europe %q", scim, api, europe)
	}
}
