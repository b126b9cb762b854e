// Package connector says what a source and a target must be able to do. A connector implements Source, Target or both;
// further abilities are one-method interfaces that are found by type assertion (Lister, Feed, Lookup, Discoverer, Examiner), and facts
// learnt while connecting are data (Caps).
//
// A connector never sees a job, the store or the engine. It does not retry, pace or log decisions: it makes one
// request, classifies the answer as an *Error, and hands it back. Read target.go and source.go for the two contracts,
// error.go for the one error type. The suites of package conntest hold every connector to them.
package connector
