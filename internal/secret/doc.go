// Package secret keeps credentials out of everything but the request that needs them. App files hold references to
// secrets, {env: NAME} or {file: PATH}; a Ref resolves to a Value, which shows itself as ••• wherever it is printed,
// logged or marshalled, and gives its text only to those who ask by Reveal.
//
// Keys seal the secrets that Rollcall itself has to store, refresh tokens above all; keeping them is the store's business.
//
// Read ref.go for references, value.go for the masked value, seal.go and keyfile.go for sealing.
package secret
