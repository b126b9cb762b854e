// Package web holds what all connectors over HTTP share: the settings for address, credential, rate and trust, the
// connection that is made of them, and what an answer's status means before any protocol is known.
//
// It knows no protocol: a connector builds requests and reads answers. Pacing and repeats are those of package httpx.
//
// Read decode.go for how settings are read, config.go, auth.go and oauth.go for those that every connector over HTTP has,
// conn.go and network.go for the connection, judge.go and refusal.go for what failures mean and what an administrator is
// told to do about them. Access tokens: token.go keeps and renews them, endpoint.go asks for them, assertion.go signs,
// consent.go has the tokens of somebody who gave consent.
package web
