// Package appfile reads and writes app files: the YAML document that describes one provisioning job (design 6.2). It
// merges a file over its gallery template, checks every key and every value against the settings that the connectors
// announce, compiles the expressions and filters, and reports all problems at once, each with its line and column.
//
// What a job must be, wherever it comes from, is checked by package job; this package adds the positions. It opens no
// connector, resolves no secret and knows no connector by name.
//
// Read load.go for the whole way from bytes to a job; node.go and merge.go for the document, decode.go and rules.go for
// the job, value.go and secret.go for the settings of connectors, position.go for the place of a mistake within an
// expression; export.go for the way back.
package appfile
