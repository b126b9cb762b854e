package scope

import (
	"slices"
	"strings"
)

// Operator describes an operator for the console, the documentation, and Graph's filterOperators.
type Operator struct {
	// Name is the canonical spelling.
	Name string
	// Unary operators take no value.
	Unary bool
	// Types are the attribute types it is meant for, in Graph's words.
	Types []string
	Help  string

	code     opcode
	negative bool // with several values none must fit
}

type opcode uint8

const (
	opEquals opcode = iota
	opNotEquals
	opIsNull
	opIsNotNull
	opIsTrue
	opIsFalse
	opRegex
	opNotRegex
	opGreater
	opGreaterOrEqual
	opIncludes
	opEndsWith
	opWithin
	opNotWithin
)

// Operators gives all operators (scoping specification, section 3). Every one compares lists by All: each
// element must satisfy it.
func Operators() []Operator {
	text := []string{"String"}
	number := []string{"Integer"}
	both := []string{"String", "Integer"}
	boolean := []string{"Boolean"}
	all := []string{"String", "Integer", "Reference", "Binary", "Boolean", "DateTime"}
	return []Operator{
		{Name: "EQUALS", code: opEquals, Types: both, Help: "The attribute is the value, whole and exact."},
		{Name: "NOT EQUALS", code: opNotEquals, negative: true, Types: both, Help: "The attribute has a value, and it is another."},
		{Name: "IS NULL", code: opIsNull, Unary: true, Types: all, Help: "The attribute has no value or an empty one."},
		{Name: "IS NOT NULL", code: opIsNotNull, Unary: true, Types: all, Help: "The attribute has a value that is not empty."},
		{Name: "IS TRUE", code: opIsTrue, Unary: true, Types: boolean, Help: "The attribute is the Boolean value true."},
		{Name: "IS FALSE", code: opIsFalse, Unary: true, Types: boolean, Help: "The attribute is the Boolean value false."},
		{Name: "REGEX MATCH", code: opRegex, Types: both, Help: "The regular expression matches the whole attribute."},
		{Name: "NOT REGEX MATCH", code: opNotRegex, negative: true, Types: both, Help: "The attribute has a value, and the regular expression does not match the whole of it."},
		{Name: "Greater_Than", code: opGreater, Types: number, Help: "The attribute is an integer greater than the value."},
		{Name: "Greater_Than_OR_EQUALS", code: opGreaterOrEqual, Types: number, Help: "The attribute is an integer greater than the value, or the same."},
		{Name: "Includes", code: opIncludes, Types: text, Help: "The attribute contains the value."},
		{Name: "ENDS_WITH", code: opEndsWith, Types: text, Help: "The attribute ends with the value."},
		{Name: "&", code: opWithin, Types: text, Help: "The attribute is contained in the value, as in country & \"US,CA,MX\"."},
		{Name: "!&", code: opNotWithin, negative: true, Types: text, Help: "The attribute has a value, and it is not contained in the value given."},
	}
}

// LookupOperator finds an operator by name: any case, blank and underscore are the same.
func LookupOperator(name string) (Operator, bool) {
	wanted := foldOperator(name)
	all := Operators()
	i := slices.IndexFunc(all, func(o Operator) bool { return foldOperator(o.Name) == wanted })
	if i < 0 {
		return Operator{}, false
	}
	return all[i], true
}

func foldOperator(name string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(strings.ToUpper(name), "_", " ")), " ")
}

func operatorNames() string {
	var names []string
	for _, o := range Operators() {
		names = append(names, o.Name)
	}
	return strings.Join(names, ", ")
}
