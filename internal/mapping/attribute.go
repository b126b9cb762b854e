package mapping

import "strings"

// Attribute is one attribute mapping of a rule: where a target attribute takes its value from (engine section 7).
// Exactly one of Expression and Reference is set, or neither (engine.R59 kind None: only the default is written).
type Attribute struct {
	Target       string   `json:"target"`                 // target attribute as the target names it; a SCIM path for SCIM targets
	Expression   string   `json:"expression,omitempty"`   // of the expression language; `[mail]` is a direct mapping, `"x"` a constant
	Reference    string   `json:"reference,omitempty"`    // expression that yields source anchors; the target gets the anchors of their accounts (engine.R90)
	Default      string   `json:"default,omitempty"`      // written on create when the value is null (engine.R61)
	Apply        Apply    `json:"apply,omitempty"`        // "" means always
	FlowBehavior Behavior `json:"flowBehavior,omitempty"` // "" means FlowWhenChanged
	FlowNull     bool     `json:"flowNull,omitempty"`     // a null value clears the target's (engine.R64)
	Sensitive    bool     `json:"sensitive,omitempty"`    // the log shows [Redact] in place of the value (engine.R71)
	Match        int      `json:"match,omitempty"`        // matching priority, 1 first; 0 for no joining property (engine.R47)
}

// Apply says when a mapping flows (engine.R59). On create every mapping flows.
type Apply string

// The values of Apply. The first two have names of their own in app files; the reference service calls them Always and
// ObjectAddOnly, and those names are understood too.
const (
	Always            Apply = "always"            // create and update
	OnCreate          Apply = "create"            // only during creation
	MultiValueAddOnly Apply = "MultiValueAddOnly" // an update adds new values to those that are there; for attributes with several values
	ValueAddOnly      Apply = "ValueAddOnly"      // an update writes values, and takes none away
	AttributeAddOnly  Apply = "AttributeAddOnly"  // an update writes only where the target has no value at all
)

// Applies are the names of all flow types, as app files have them.
func Applies() []string {
	return []string{string(Always), string(OnCreate), string(MultiValueAddOnly), string(ValueAddOnly), string(AttributeAddOnly)}
}

// ParseApply finds a flow type by its name, without regard to case; "" for Always.
func ParseApply(name string) (Apply, bool) {
	switch {
	case name == "", strings.EqualFold(name, string(Always)):
		return "", true
	case strings.EqualFold(name, "ObjectAddOnly"):
		return OnCreate, true
	}
	for _, a := range []Apply{OnCreate, MultiValueAddOnly, ValueAddOnly, AttributeAddOnly} {
		if strings.EqualFold(name, string(a)) {
			return a, true
		}
	}
	return Apply(name), false
}

// KeepsValues tells whether updates never take a value away.
func (a Apply) KeepsValues() bool { return a == MultiValueAddOnly || a == ValueAddOnly }

// Behavior says whether a value is sent that did not change (engine.R60).
type Behavior string

// The values of Behavior.
const (
	FlowWhenChanged Behavior = "FlowWhenChanged"
	FlowAlways      Behavior = "FlowAlways" // goes along with every update that another attribute causes, changed or not
)
