// Package vault keeps the secrets of jobs that Rollcall was given, refresh tokens above all, sealed in the store
// (design D10): it opens and seals them, and lets one process at a time change one.
package vault
