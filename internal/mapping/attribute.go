package mapping

// Attribute is one attribute mapping of a rule: where a target attribute takes its value from (engine section 7).
// Exactly one of Expression and Reference is set, or neither (engine.R59 kind None: only the default is written).
type Attribute struct {
	Target     string `json:"target"`               // target attribute as the target names it; a SCIM path for SCIM targets
	Expression string `json:"expression,omitempty"` // of the expression language; `[mail]` is a direct mapping, `"x"` a constant
	Reference  string `json:"reference,omitempty"`  // expression that yields source anchors; the target gets the anchors of their accounts (engine.R90)
	Default    string `json:"default,omitempty"`    // written on create when the value is null (engine.R61)
	Apply      Apply  `json:"apply,omitempty"`      // "" means always
	FlowNull   bool   `json:"flowNull,omitempty"`   // a null value clears the target's (engine.R64)
	Match      int    `json:"match,omitempty"`      // matching priority, 1 first; 0 for no joining property (engine.R47)
}

// Apply says when a mapping flows (engine.R59).
type Apply string

// The values of Apply; flow types of the reference service in brackets.
const (
	Always   Apply = "always" // (Always)
	OnCreate Apply = "create" // only during creation (ObjectAddOnly)
)
