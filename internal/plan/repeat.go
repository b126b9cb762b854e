package plan

import (
	"hash/fnv"
	"io"
	"slices"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
	"github.com/rollcall-id/rollcall/internal/mapping"
)

// Repeat is a value that the last update sent for an attribute.
type Repeat struct {
	Attr  string
	Sum   uint64 // of the value
	Times int    // how many updates in a row sent it
}

// tooOften is how many updates in a row may not send the same value: the target does not keep it as it is sent (scim.R28).
const tooOften = 3

// Repeated notes the values that an update sets, before Merge, and returns the attributes whose value was the same in the
// last three updates of the account. Values that only go along with others are not looked at.
func (c *Current) Repeated(changes []connector.Change) []string {
	var sent []Repeat
	var often []string
	for _, ch := range changes {
		_, isRef := ch.New.(identity.Ref)
		if ch.Op != connector.Set || isRef || identity.Equal(ch.Old, ch.New, false) {
			continue
		}
		r := Repeat{Attr: ch.Attr, Sum: sumOf(ch.New), Times: 1}
		if i := slices.IndexFunc(c.Sent, func(s Repeat) bool { return s.Attr == r.Attr && s.Sum == r.Sum }); i >= 0 {
			r.Times = min(c.Sent[i].Times+1, tooOften)
		}
		if r.Times >= tooOften {
			often = append(often, r.Attr)
		}
		sent = append(sent, r)
	}
	c.Sent = sent
	return often
}

func sumOf(v any) uint64 {
	h := fnv.New64a()
	values, several := v.([]any)
	if !several {
		values = []any{v}
	}
	for _, v := range values {
		_, _ = io.WriteString(h, mapping.Text(v)+"\x00") // a hash never fails
	}
	return h.Sum64()
}
