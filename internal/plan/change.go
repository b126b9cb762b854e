package plan

// Change is one object of a plan.
type Change struct {
	Action     Action     `json:"action"`
	Rule       string     `json:"rule"`
	Source     Identity   `json:"source"`
	Target     TargetID   `json:"target"`
	Reason     string     `json:"reason"`
	Properties []Property `json:"properties"`
}

// Identity names an object for people.
type Identity struct {
	ID          string `json:"id"`
	DisplayName string `json:"displayName"`
}

// TargetID names the account, "" before it is created.
type TargetID struct {
	ID string `json:"id"`
}

// Property is one attribute that changes (engine.R145 modifiedProperties).
type Property struct {
	Name string `json:"name"`
	Old  any    `json:"old"`
	New  any    `json:"new"`
}
