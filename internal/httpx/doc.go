// Package httpx makes outbound HTTP calls: to HTTPS addresses only, never to link-local or cloud metadata addresses,
// with time-outs, a limit on the size of answers, repeats that cannot do a thing twice, and a rate that all callers of
// one site share. Connectors over HTTP stand on it and know nothing of pacing.
//
// It knows no protocol above HTTP and no connector: an answer of any status is a Response, and what it means is the
// caller's business. A call that got no answer is a *CallError, a call that was not sent because its site has no
// allowance left is a *WaitError. No error holds a header, a query or a body, so none holds a secret.
//
// Read client.go for one call and its repeats, site.go for the allowance and the concurrency of a site, window.go for
// "N calls in any minute", guard.go for what may be dialled, error.go for the two errors.
package httpx
