// Command exprs times the evaluation of expressions beside two other expression languages for Go, cel-go and expr-lang, on
// five mappings that administrators write. `make bench` runs it.
//
// It is a module of its own, so that the two engines and what they need stay out of the go.mod of the program: nobody who
// builds, checks or ships Rollcall downloads them.
//
// What is compared: the evaluation of a compiled expression for one person, whose attributes are in a map[string]any, to a
// Go value. All three read the same map, and before anything is timed all three must give the same values. Where an engine has
// no function for the work, it gets one written in Go that does no more than is needed, with its pattern compiled
// beforehand: that favours it, since our function finds its mode, pattern and group by its arguments.
package main
