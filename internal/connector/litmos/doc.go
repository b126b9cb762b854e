// Package litmos is the connector to SAP Litmos' own REST API, version 1, at both ends: it writes users and teams, and it
// reads them into the directory. Rules named U, T and R are those of the facts that docs/targets/litmos-api.md tells.
//
// It decides nothing about people: it turns objects into requests and answers into objects, and says what an answer
// means. Pacing and repeats are those of package httpx; settings, credential and connection those of package web.
//
// What is peculiar to this interface: an update replaces the whole account, so each is a read and a write (U6); lists end
// with an empty page and with nothing else (U1); texts carry HTML entities in JSON (U3); every full answer about a person
// holds a sign-in address with a secret in it, which is dropped before anything else sees the answer.
//
// Read settings.go for what can be set, field.go for the attributes, record.go with json.go and xml.go for the two forms
// on the wire, client.go for one exchange, target.go with user.go, custom.go, team.go and find.go for what is written, list.go
// for pages, source.go and feed.go for what is read, judge.go for what an answer means.
package litmos
