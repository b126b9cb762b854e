package health

import (
	"fmt"
	"slices"
	"strings"
)

// Reset is a set of what a restart resets (engine.R20). Its numbers are those of the reference service's API.
type Reset uint

// What can be reset. Full does not release held deletions: that has to be asked for by name.
const (
	ConnectorDataStore Reset = 1  // all links and what is known of every object: everybody is matched anew
	Escrows            Reset = 2  // stored failures, which are no longer retried
	Watermark          Reset = 4  // the position in the source: the next cycle is initial
	QuarantineState    Reset = 8  // the quarantine, until it is judged again
	ForceDeletes       Reset = 32 // the next cycle carries out what the deletion guard holds now

	Full         = ConnectorDataStore | Escrows | Watermark | QuarantineState
	DefaultReset = QuarantineState | Watermark | Escrows // of a restart that says nothing
)

type named struct {
	name string
	set  Reset
}

// resetNames are the words for sets, those that stand for several first.
var resetNames = []named{
	{"Full", Full},
	{"QuarantineState", QuarantineState},
	{"Watermark", Watermark},
	{"Escrows", Escrows},
	{"ConnectorDataStore", ConnectorDataStore},
	{"ForceDeletes", ForceDeletes},
	{"None", 0},
}

// ParseReset reads a list of words separated by commas, without regard to case. An empty list is DefaultReset.
func ParseReset(text string) (Reset, error) {
	if strings.TrimSpace(text) == "" {
		return DefaultReset, nil
	}
	var set Reset
	for word := range strings.SplitSeq(text, ",") {
		word = strings.TrimSpace(word)
		i := slices.IndexFunc(resetNames, func(n named) bool { return strings.EqualFold(n.name, word) })
		if i < 0 {
			return 0, fmt.Errorf("%q is nothing that can be reset; take some of %s", word, strings.Join(ResetNames(), ", "))
		}
		set |= resetNames[i].set
	}
	return set, nil
}

// ResetNames lists the words that ParseReset knows.
func ResetNames() []string {
	names := make([]string, len(resetNames))
	for i, n := range resetNames {
		names[i] = n.name
	}
	return names
}

// Has tells whether one of these is in the set.
func (r Reset) Has(some Reset) bool { return r&some != 0 }

// String lists the set in words, "None" for the empty one.
func (r Reset) String() string {
	var words []string
	for _, n := range resetNames {
		if n.set != 0 && r&n.set == n.set {
			words = append(words, n.name)
			r &^= n.set
		}
	}
	if words == nil {
		return "None"
	}
	return strings.Join(words, ",")
}
