// Package scope evaluates scoping filters: whether an object of the source is in scope of a provisioning
// job, and which clause decided that.
//
// A filter is a list of groups of which one must hold; a group is a list of clauses that must all hold. The
// filter looks only at the attributes of the object itself. Whether the object is assigned is another
// question, asked by the engine; an object must pass both.
//
// The package does no I/O and knows no schema: what the schema can say, such as that an attribute has many
// values, is handed to CompileWith as a function.
//
// How to read it: filter.go has the form that is stored, graph.go the form of the Microsoft Graph
// synchronization schema, operator.go the operators, compile.go the checks made when a filter is saved,
// evaluate.go the decision, and reason.go its wording.
package scope
