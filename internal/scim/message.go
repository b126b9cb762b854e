package scim

import (
	"encoding/json"
	"fmt"
)

// ListResponse is the answer to a query (RFC 7644 section 3.4.2). T is the form of a resource: map[string]any,
// json.RawMessage, or a type of the caller.
type ListResponse[T any] struct {
	Schemas      []string `json:"schemas"`
	TotalResults int      `json:"totalResults"`
	StartIndex   int      `json:"startIndex,omitempty"`   // 1-based
	ItemsPerPage int      `json:"itemsPerPage,omitempty"` // number of resources in this page
	NextCursor   string   `json:"nextCursor,omitempty"`   // RFC 9865
	Resources    []T      `json:"Resources"`
}

// NewListResponse makes the answer for one page; total counts the hits of all pages.
func NewListResponse[T any](total, startIndex int, resources []T) ListResponse[T] {
	if resources == nil {
		resources = []T{}
	}
	return ListResponse[T]{Schemas: []string{ListResponseURN}, TotalResults: total, StartIndex: startIndex,
		ItemsPerPage: len(resources), Resources: resources}
}

// The operations of a PATCH request. Servers take them in any case (scim.R33).
const (
	OpAdd     = "add"
	OpReplace = "replace"
	OpRemove  = "remove"
)

// Operation is one operation of a PATCH request (RFC 7644 section 3.5.2). Without Path the keys of Value name
// the attributes.
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path,omitempty"`
	Value any    `json:"value,omitempty"`
}

// MarshalJSON leaves out a value that is nil, and keeps one that is false, zero or empty.
func (o Operation) MarshalJSON() ([]byte, error) {
	m := struct {
		Op    string `json:"op"`
		Path  string `json:"path,omitempty"`
		Value *any   `json:"value,omitempty"`
	}{Op: o.Op, Path: o.Path}
	if o.Value != nil {
		m.Value = &o.Value
	}
	return json.Marshal(m)
}

// PatchOp is the body of a PATCH request (RFC 7644 section 3.5.2).
type PatchOp struct {
	Schemas    []string    `json:"schemas"`
	Operations []Operation `json:"Operations"`
}

// NewPatchOp makes a PATCH body of the operations.
func NewPatchOp(ops ...Operation) PatchOp {
	return PatchOp{Schemas: []string{PatchOpURN}, Operations: ops}
}

// ParsePatchOp reads a PATCH body. It refuses a body that is not JSON, has no operations, or does not name the
// PatchOp schema; the operations themselves are judged by Apply.
func ParsePatchOp(body []byte) (PatchOp, error) {
	var p PatchOp
	if err := json.Unmarshal(body, &p); err != nil {
		return PatchOp{}, badRequest(InvalidSyntax, "the body is not a PatchOp message: %v", err)
	}
	if !containsFold(p.Schemas, PatchOpURN) {
		return PatchOp{}, badRequest(InvalidSyntax, "schemas of a PATCH body must contain %s", PatchOpURN)
	}
	if len(p.Operations) == 0 {
		return PatchOp{}, badRequest(InvalidSyntax, "a PATCH body needs at least one entry in Operations")
	}
	return p, nil
}

// String shows operation and path, not the value, so that it may be logged.
func (o Operation) String() string {
	if o.Path == "" {
		return o.Op
	}
	return fmt.Sprintf("%s %s", o.Op, o.Path)
}
