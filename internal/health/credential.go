package health

import (
	"math"
	"time"
)

// CredentialState says how long a job's credential holds.
type CredentialState string

// The states.
const (
	CredentialUnknown  CredentialState = "unknown"  // nobody has said when it expires
	CredentialValid    CredentialState = "valid"    // for more than 60 days
	CredentialExpiring CredentialState = "expiring" // within 60 days
	CredentialExpired  CredentialState = "expired"  // the day has come; cycles go on trying
)

// Credential is how long a job's credential holds.
type Credential struct {
	State    CredentialState
	DaysLeft int // begun days until it expires; 0 when it has
	Stage    int // the smallest of 60, 30, 14, 7 and 1 that is not below DaysLeft; 0 where no warning is due, and when it has expired
}

// JudgeCredential says how long a credential holds that expires at a time; the zero time means that nobody knows.
func JudgeCredential(expires, now time.Time) Credential {
	if expires.IsZero() {
		return Credential{State: CredentialUnknown}
	}
	left := expires.Sub(now)
	if left <= 0 {
		return Credential{State: CredentialExpired}
	}
	c := Credential{State: CredentialValid, DaysLeft: int(math.Ceil(left.Hours() / 24))}
	for _, stage := range []int{60, 30, 14, 7, 1} {
		if c.DaysLeft <= stage {
			c.State, c.Stage = CredentialExpiring, stage
		}
	}
	return c
}

// WarnAgain tells whether a cycle warns of a credential: once at each stage, and from the last day on always. warned is the
// stage of the last warning, 0 for none.
func (c Credential) WarnAgain(warned int) bool {
	switch c.State {
	case CredentialExpired:
		return true
	case CredentialExpiring:
		return warned == 0 || c.Stage < warned || c.Stage == 1
	case CredentialUnknown, CredentialValid:
	}
	return false
}
