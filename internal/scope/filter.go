package scope

// Filter says which objects are in scope. Without groups everything is. Its JSON is Rollcall's own form
// (scoping specification, section 5).
type Filter struct {
	// Groups are combined with OR. An object that no longer passes is deprovisioned.
	Groups []Group `json:"groups"`
	// InputFilterGroups are applied while reading: what does not pass is passed over and not
	// deprovisioned.
	InputFilterGroups []Group `json:"inputFilterGroups,omitempty"`
	// CategoryFilterGroups are kept for export and not evaluated.
	CategoryFilterGroups []Group `json:"categoryFilterGroups,omitempty"`
}

// Group is a list of clauses combined with AND. The portal of the reference service calls it a scoping
// filter, and its name a title.
type Group struct {
	Name    string   `json:"name,omitempty"`
	Clauses []Clause `json:"clauses"`
}

// Clause compares one attribute of the source object.
type Clause struct {
	Attribute string `json:"attribute"`
	// Operator is a name as Operators has them; any case, and blanks for underscores, are accepted.
	Operator string `json:"operator"`
	// Values are what the attribute is compared with, always as text; none for unary operators. Of
	// several, positive operators want any, negative ones none.
	Values []string `json:"values,omitempty"`
}
