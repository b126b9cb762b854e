// Package expr is the language of attribute mappings: it compiles the text of an expression such as
//
//	ToLower(Join(".", [givenName], [surname]))
//
// into a Program and evaluates that program for one source object at a time.
//
// The language is the one that administrators know from the reference service. A mapping copied from
// there gives the same value here: the function names, the coercions, the .NET regular expressions and
// date formats, and the treatment of missing values are all part of that promise.
//
// # What it is not for
//
// The package knows nothing about directories, connectors, schemas or jobs. It reads attributes through
// the one-method interface Attributes, takes the time, the randomness and the uniqueness check from Env,
// and has no side effects. What a Null or a flow Signal means for the target is decided by the mapping.
//
// # How to read it
//
// The path of an expression is lex.go, parse.go (text to tree), check.go (names, arguments, placement),
// compile.go (tree to closures) and program.go (evaluation). Values and coercions are in value.go and
// date.go. Every function is one row of a table: functions.go has the form of a row, the func_*.go files
// have the rows. The rows feed the checker, the reference documentation and, through their examples, the
// tests.
//
// A Program is immutable and may be evaluated by many goroutines at once.
package expr
