package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// renewAfter is the share of a token's lifetime after which it is renewed (scim.R71).
const renewAfter = 0.8

// accessToken is a token with what is known of its lifetime. The zero value is none.
type accessToken struct {
	value   secret.Value
	renewAt time.Time // zero: not before it is refused
	expires time.Time // zero: not known
}

// usable tells whether a token may be sent, and whether it is time to get another.
func (t accessToken) usable(now time.Time) (usable, renew bool) {
	if t.value.IsZero() || !t.expires.IsZero() && !now.Before(t.expires) {
		return false, true
	}
	return true, !t.renewAt.IsZero() && !now.Before(t.renewAt)
}

// tokens gets access tokens and keeps the one at hand. Safe for concurrent use: one caller asks, the others wait for what
// it gets.
type tokens struct {
	endpoint
	sealed connector.Sealed // for the grant authorizationCode; nil when nothing was ever stored

	mu      sync.Mutex
	current accessToken
	flight  *flight
	past    []string // texts of tokens that were sent, which must not come back in a message
}

// flight is one renewal under way.
type flight struct {
	done chan struct{}
	err  error
}

// open reads the secrets of the client. What it returns has no HTTP client yet.
func (o *OAuth2) open(env connector.Env) (*tokens, credential, error) {
	e, err := newEndpoint(o, nil, env)
	if err != nil {
		return nil, credential{}, err
	}
	t := &tokens{endpoint: e, sealed: env.Sealed}
	who := strings.Join([]string{string(o.Grant), o.TokenURL.String(), o.ClientID, o.Signed.Issuer, o.Signed.Subject}, "\x00")
	return t, credential{
		authorize:   t.authorize,
		renew:       t.renew,
		holder:      secret.New(who).Fingerprint(), // a new secret of the same client shares the allowance
		fingerprint: e.fingerprint(),
	}, nil
}

// authorize adds the token to a header (scim.R67, R69).
func (t *tokens) authorize(ctx context.Context, h http.Header) error {
	token, err := t.token(ctx)
	if err != nil {
		return err
	}
	h.Set("Authorization", bearer(token))
	return nil
}

func bearer(v secret.Value) string { return "Bearer " + v.Reveal() }

// token returns the token at hand, renewed when it is time.
func (t *tokens) token(ctx context.Context) (secret.Value, error) {
	t.mu.Lock()
	current := t.current
	t.mu.Unlock()
	usable, renew := current.usable(t.now())
	if usable && !renew {
		return current.value, nil
	}
	next, err := t.replace(ctx, current)
	if err != nil && usable && ctx.Err() == nil {
		// It holds for a fifth of its lifetime yet, and the server of tokens may be back before that is over.
		t.log.WarnContext(ctx, "access token not renewed in time", "reason", err.Error(), "expires", current.expires)
		return current.value, nil
	}
	return next.value, err
}

// renew gets another token after a 401, unless another caller has done so since the refused one was sent.
func (t *tokens) renew(ctx context.Context, refused http.Header) (bool, error) {
	t.mu.Lock()
	current := t.current
	t.mu.Unlock()
	if refused.Get("Authorization") != bearer(current.value) {
		return true, nil
	}
	next, err := t.replace(ctx, current)
	if err != nil {
		return false, err
	}
	return next.value.Reveal() != current.value.Reveal(), nil
}

// replace returns a token in place of an old one. Of callers that come at once one asks the server.
func (t *tokens) replace(ctx context.Context, old accessToken) (accessToken, error) {
	for {
		t.mu.Lock()
		if t.current.value.Reveal() != old.value.Reveal() {
			defer t.mu.Unlock()
			return t.current, nil
		}
		f := t.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			t.flight = f
			t.mu.Unlock()
			return t.lead(ctx, f, old)
		}
		t.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return accessToken{}, ctx.Err()
		}
		if f.err != nil && !errors.Is(f.err, context.Canceled) && !errors.Is(f.err, context.DeadlineExceeded) {
			return accessToken{}, f.err
		}
	}
}

// lead asks the server, for all who wait.
func (t *tokens) lead(ctx context.Context, f *flight, old accessToken) (accessToken, error) {
	next, err := t.fetch(ctx, old)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err == nil {
		t.current = next
		t.past = append(t.past[max(0, len(t.past)-3):], next.value.Reveal())
	}
	t.flight, f.err = nil, err
	close(f.done)
	return next, err
}

// fetch gets a token by the grant that is set.
func (t *tokens) fetch(ctx context.Context, old accessToken) (accessToken, error) {
	if t.cfg.Grant == AuthorizationCode {
		return t.refresh(ctx, old)
	}
	form, err := t.grantForm()
	if err != nil {
		return accessToken{}, err
	}
	got, err := t.ask(ctx, form, true)
	return got.token, err
}

// secrets are texts that must not come back in a message.
func (t *tokens) secrets() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append(t.endpoint.hidden(), t.past...)
}

// grant is what a token endpoint gave.
type granted struct {
	token   accessToken
	refresh secret.Value // zero: none, or the old one goes on
}

// readGrant reads the answer of success (RFC 6749 section 5.1). asked is when the request was made, from which lifetimes
// are counted.
func readGrant(body []byte, asked time.Time) (granted, error) {
	var m struct {
		AccessToken  string          `json:"access_token"`
		TokenType    string          `json:"token_type"`
		ExpiresIn    json.RawMessage `json:"expires_in"` // a number; some servers write it as text
		RefreshToken string          `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &m); err != nil {
		return granted{}, errors.New("the answer is no JSON object")
	}
	switch {
	case m.AccessToken == "":
		return granted{}, errors.New("the answer has no access_token")
	case m.TokenType != "" && !strings.EqualFold(m.TokenType, "bearer"):
		return granted{}, errors.New("the token is not of type Bearer, which is the only one that Rollcall can send")
	case strings.ContainsFunc(m.AccessToken, func(r rune) bool { return r <= ' ' || r >= 0x7f }):
		return granted{}, errors.New("the access_token has characters that no header can carry")
	}
	g := granted{token: accessToken{value: secret.New(m.AccessToken)}}
	if m.RefreshToken != "" {
		g.refresh = secret.New(m.RefreshToken)
	}
	if seconds, err := strconv.ParseFloat(strings.Trim(string(m.ExpiresIn), `"`), 64); err == nil && seconds > 0 {
		life := time.Duration(min(seconds, 10*365*24*3600) * float64(time.Second))
		g.token.expires = asked.Add(life)
		g.token.renewAt = asked.Add(time.Duration(float64(life) * renewAfter))
	} else if expires, ok := jwtExpiry(m.AccessToken); ok && expires.After(asked) {
		g.token.expires = expires
		g.token.renewAt = asked.Add(time.Duration(float64(expires.Sub(asked)) * renewAfter))
	}
	return g, nil
}

// discard keeps a logger where none was given.
func discard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// tokenClient makes the client that asks for tokens: it trusts, shows and goes through what the connection does.
func tokenClient(cfg Config, o *OAuth2, net network, env connector.Env, sites *httpx.Sites, target *httpx.Site) (*httpx.Client, error) {
	c := httpx.Config{
		Timeout:     cfg.Timeout,
		MaxBody:     1 << 20,
		RootCAs:     net.roots,
		Certificate: net.certificate,
		Proxy:       net.proxy,
		UserAgent:   cfg.userAgent(),
		Policy:      cfg.Policy,
		Now:         env.Now,
		Transport:   cfg.TokenTransport,
	}
	if SameOrigin(o.TokenURL, cfg.URL) {
		// The target counts these calls among ours, so they take their turn and are told with the others.
		c.Site, c.OnCall, c.OnThrottle = target, env.Meter.Add, env.Meter.Throttle
	} else {
		c.Site = sites.Join("tokens "+o.TokenURL.Scheme+"://"+o.TokenURL.Host, httpx.Limits{Concurrency: 4, Timeout: cfg.Timeout})
	}
	return httpx.New(c)
}
