package plan

// Action is what happens to one account (engine.R145, provisioningAction), with the additions of design 6.1: "none" for
// an object that needs nothing, and "enable", which logs and reports show as "update" but counts apart.
type Action string

// The actions.
const (
	None         Action = "none"
	Create       Action = "create"
	Modify       Action = "update"
	Enable       Action = "enable"
	Disable      Action = "disable"
	Delete       Action = "delete"
	StagedDelete Action = "stagedDelete" // a delete or disable that the guard holds
	Other        Action = "other"        // looked at and left alone: skipped or failed
)

// Deprovisions tells whether the action takes access away, which is what the guard counts (engine.R119).
func (a Action) Deprovisions() bool { return a == Disable || a == Delete }
