package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// SealedTokens is the name under which the tokens of the grant authorizationCode are kept.
const SealedTokens = "oauth2"

// consent is what is kept of a consent. The access token is kept beside the refresh token, because a server may end the
// old one with every renewal: processes that share a consent share its token, or they would end each other's.
type consent struct {
	Client  string    `json:"client"`                 // the client and server that it was given to; others must not see it
	Refresh string    `json:"refreshToken,omitempty"` // none where the access token holds until it is withdrawn
	Access  string    `json:"accessToken,omitempty"`
	RenewAt time.Time `json:"renewAt,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// holder names client and server of a consent.
func (o *OAuth2) holder() string { return o.ClientID + " at " + o.TokenURL.String() }

func (o *OAuth2) newConsent(g granted) consent {
	return consent{Client: o.holder(), Refresh: g.refresh.Reveal(), Access: g.token.value.Reveal(), RenewAt: g.token.renewAt, Expires: g.token.expires}
}

func (c consent) token() accessToken {
	if c.Access == "" {
		return accessToken{}
	}
	return accessToken{value: secret.New(c.Access), renewAt: c.RenewAt, expires: c.Expires}
}

func (c consent) seal() (secret.Value, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return secret.Value{}, fmt.Errorf("write the tokens: %w", err)
	}
	return secret.New(string(data)), nil
}

// refresh gets a token for a consent that was given (RFC 6749 section 6). The server may give another refresh token with
// it and never take the old one again, so one process asks at a time and what it gets is stored at once.
func (t *tokens) refresh(ctx context.Context, old accessToken) (accessToken, error) {
	if t.sealed == nil {
		return accessToken{}, t.noConsent("nobody has given consent yet")
	}
	if kept, err := t.kept(ctx); err != nil {
		return accessToken{}, err
	} else if usable, renew := kept.token().usable(t.now()); usable && !renew && kept.Access != old.value.Reveal() {
		return kept.token(), nil // another process has renewed it
	}
	var got accessToken
	_, err := t.sealed.Replace(ctx, SealedTokens, func(ctx context.Context, sealed secret.Value) (secret.Value, error) {
		kept, err := t.read(sealed)
		if err != nil {
			return secret.Value{}, err
		}
		if usable, renew := kept.token().usable(t.now()); usable && !renew && kept.Access != old.value.Reveal() {
			got = kept.token()
			return sealed, nil
		}
		if kept.Refresh == "" {
			return secret.Value{}, t.noConsent("the token is no longer taken, and there is none to renew it with")
		}
		answer, err := t.ask(ctx, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {kept.Refresh}}, false)
		if err != nil {
			return secret.Value{}, err
		}
		if answer.refresh.IsZero() {
			answer.refresh = secret.New(kept.Refresh)
		}
		got = answer.token
		return t.cfg.newConsent(answer).seal()
	})
	return got, err
}

// kept returns the consent that is stored.
func (t *tokens) kept(ctx context.Context) (consent, error) {
	sealed, err := t.sealed.Read(ctx, SealedTokens)
	if errors.Is(err, connector.ErrNotSealed) {
		return consent{}, t.noConsent("nobody has given consent yet")
	}
	if err != nil {
		return consent{}, &connector.Error{Kind: connector.KindAuth, Op: t.op(), Code: connector.CodeUnauthorized, NotSent: true, Err: err}
	}
	return t.read(sealed)
}

func (t *tokens) read(sealed secret.Value) (consent, error) {
	var c consent
	switch {
	case sealed.IsZero():
		return c, t.noConsent("nobody has given consent yet")
	case json.Unmarshal([]byte(sealed.Reveal()), &c) != nil || c.Refresh == "" && c.Access == "":
		return c, t.noConsent("what was stored of the consent cannot be read")
	case c.Client != t.cfg.holder():
		return consent{}, t.noConsent("the consent was given to another client or server than clientID and tokenURL name now")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.past = append(t.past[max(0, len(t.past)-5):], c.Refresh, c.Access)
	return c, nil
}

func (t *tokens) noConsent(why string) error {
	return &connector.Error{Kind: connector.KindAuth, Op: t.op(), Code: connector.CodeUnauthorized, NotSent: true, Err: errors.New(why), Hint: loginAgain(t.app)}
}
