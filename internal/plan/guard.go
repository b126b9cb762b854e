package plan

import "fmt"

// Held says why deprovisioning is held back in a cycle. The empty value means that it is not.
type Held string

// The reasons. All of them put the job in quarantine with TooManyDeletes (design D6).
const (
	HeldTooMany    Held = "TooManyDeletes"   // more than the guard's limit
	HeldEmpty      Held = "SourceEmpty"      // the source returned nothing
	HeldHalved     Held = "SourceHalved"     // the source listed fewer than half of what is managed
	HeldIncomplete Held = "SourceIncomplete" // the source could not be read to its end, or a row without a key was in it
)

// Reading is what a full read of one object type delivered.
type Reading struct {
	Full       bool  // false for a change feed, where the half rule does not apply
	Delivered  int64 // objects, or memberships
	Managed    int64 // links that are neither disabled nor released, or memberships written, when the cycle began
	Incomplete bool
}

// HalfRule says whether what is missing from a full read may be believed (design D6). It is judged per object type,
// and for memberships.
func HalfRule(r Reading) Held {
	switch {
	case r.Incomplete:
		return HeldIncomplete
	case !r.Full || r.Managed == 0:
		return ""
	case r.Delivered == 0:
		return HeldEmpty
	case 2*r.Delivered < r.Managed:
		return HeldHalved
	}
	return ""
}

// FewMemberships is how many memberships one cycle may take away whatever share they are of all: the only member of the
// only group leaves it, and nothing is wrong. It is the number below which the limit for accounts never falls (design D6).
const FewMemberships = 5

// HalfRuleMembers is the half rule for memberships, of which the cycle would take removals away.
func HalfRuleMembers(r Reading, removals int64) Held {
	if !r.Incomplete && removals <= FewMemberships {
		return ""
	}
	return HalfRule(r)
}

// Words tells an administrator why deprovisioning is held and what to do.
func (h Held) Words(wanted, limit int64) string {
	switch h {
	case HeldTooMany:
		return fmt.Sprintf("%d accounts would be disabled or deleted, more than the %d that one cycle may take away", wanted, limit)
	case HeldEmpty:
		return "the source delivered nobody, so nobody is taken for a leaver"
	case HeldHalved:
		return "the source delivered fewer than half of the people that are managed, so nobody is taken for a leaver"
	case HeldIncomplete:
		return "the source could not be read completely, so nobody is taken for a leaver"
	}
	return ""
}
