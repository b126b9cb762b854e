// Package match says what the answer to a matching question means (engine section 6). It asks nothing itself: the
// engine looks accounts up by joining property, in the order of priority, and hands the answers in.
package match

import (
	"fmt"

	"github.com/rollcall-id/rollcall/internal/identity"
)

// Question is one joining property of one source object: the first with a value and a hit decides (engine.R47, R51).
type Question struct {
	Attr  string `json:"attr"`  // target attribute
	Value string `json:"value"` // computed value of its mapping, never ""
}

// Situation is the outcome of matching.
type Situation int

// The situations.
const (
	Unmatched Situation = iota // no account has the value: create
	Matched                    // one account, not linked to anybody else
	Disputed                   // several accounts have the value (engine.R51)
	Taken                      // the account is linked to another source object (engine.R52)
)

// Outcome is a situation with what led to it.
type Outcome struct {
	Situation Situation
	Account   *identity.Object // the account, for Matched and Taken
	Owner     string           // source anchor that holds the account, for Taken
	Hits      []string         // target anchors, for Disputed
	Question  Question         // that was decisive
}

// Judge judges the accounts that have the value of one question. owner returns the source anchor that an account is
// linked to, "" for none; self is the source anchor of the object in question. ok is false when the next question
// should be asked.
func Judge(q Question, hits []*identity.Object, self string, owner func(target string) string) (out Outcome, ok bool) {
	out.Question = q
	switch len(hits) {
	case 0:
		return out, false
	case 1:
		out.Account = hits[0]
		if o := owner(hits[0].Anchor); o != "" && o != self {
			out.Situation, out.Owner = Taken, o
			return out, true
		}
		out.Situation = Matched
		return out, true
	}
	out.Situation = Disputed
	for _, h := range hits {
		out.Hits = append(out.Hits, h.Anchor)
	}
	return out, true
}

// Words explains an outcome that stops the object, in an administrator's words.
func (o Outcome) Words() string {
	switch o.Situation {
	case Disputed:
		return fmt.Sprintf("%d accounts in the target have %s %q (ids %s); make the value unique there, or choose another joining property",
			len(o.Hits), o.Question.Attr, o.Question.Value, list(o.Hits))
	case Taken:
		return fmt.Sprintf("the account with %s %q belongs to source object %q already; two source objects have the same joining value, correct one of them",
			o.Question.Attr, o.Question.Value, o.Owner)
	case Matched, Unmatched:
	}
	return ""
}

func list(ids []string) string {
	const most = 5
	text := ""
	for i, id := range ids {
		switch {
		case i == most:
			return text + ", …"
		case i > 0:
			text += ", "
		}
		text += id
	}
	return text
}
