// Package secret keeps credentials out of everything but the request that needs them. App files hold references to
// secrets, {env: NAME} or {file: PATH}; a Ref resolves to a Value, which shows itself as ••• wherever it is printed,
// logged or marshalled, and gives its text only to those who ask by Reveal.
//
// It does not seal or store secrets. Read ref.go for references, value.go for the masked value.
package secret
