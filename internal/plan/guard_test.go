package plan

import "testing"

func TestHalfRule(t *testing.T) { // design D6
	tests := []struct {
		name string
		in   Reading
		want Held
	}{
		{"everybody is there", Reading{Full: true, Delivered: 100, Managed: 100}, ""},
		{"more than before", Reading{Full: true, Delivered: 1000, Managed: 100}, ""},
		{"exactly half is believed", Reading{Full: true, Delivered: 50, Managed: 100}, ""},
		{"one less than half is not", Reading{Full: true, Delivered: 49, Managed: 100}, HeldHalved},
		{"half of an odd number is rounded up", Reading{Full: true, Delivered: 2, Managed: 5}, HeldHalved},
		{"more than half of an odd number", Reading{Full: true, Delivered: 3, Managed: 5}, ""},
		{"one of two", Reading{Full: true, Delivered: 1, Managed: 2}, ""},
		{"nobody", Reading{Full: true, Delivered: 0, Managed: 1}, HeldEmpty},
		{"nobody where nobody is managed", Reading{Full: true}, ""},
		{"the first read", Reading{Full: true, Delivered: 100}, ""},
		{"a change feed may deliver nothing", Reading{Managed: 100}, ""},
		{"a change feed may deliver little", Reading{Delivered: 1, Managed: 100}, ""},
		{"a read that ended early", Reading{Full: true, Delivered: 100, Managed: 100, Incomplete: true}, HeldIncomplete},
		{"a change feed that ended early", Reading{Delivered: 1, Managed: 100, Incomplete: true}, HeldIncomplete},
		{"a first read that ended early", Reading{Full: true, Incomplete: true}, HeldIncomplete},
		{"ending early comes before delivering nothing", Reading{Full: true, Managed: 100, Incomplete: true}, HeldIncomplete},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := HalfRule(tt.in); got != tt.want {
				t.Errorf("HalfRule(%+v) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestHalfRuleOfMemberships(t *testing.T) { // design D6, decision 0007
	for _, tt := range []struct {
		name     string
		in       Reading
		removals int64
		want     Held
	}{
		{"the only membership ends", Reading{Full: true, Delivered: 0, Managed: 1}, 1, ""},
		{"five may end whatever share they are", Reading{Full: true, Delivered: 0, Managed: 5}, 5, ""},
		{"six of six", Reading{Full: true, Delivered: 0, Managed: 6}, 6, HeldEmpty},
		{"more than half", Reading{Full: true, Delivered: 5, Managed: 11}, 6, HeldHalved},
		{"exactly half", Reading{Full: true, Delivered: 6, Managed: 12}, 6, ""},
		{"a reading that ended early holds even one", Reading{Full: true, Delivered: 5, Managed: 6, Incomplete: true}, 1, HeldIncomplete},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := HalfRuleMembers(tt.in, tt.removals); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestHeldWords(t *testing.T) {
	tests := []struct {
		held Held
		want string
	}{
		{HeldTooMany, "59 accounts would be disabled or deleted, more than the 58 that one cycle may take away"},
		{HeldEmpty, "the source delivered nobody, so nobody is taken for a leaver"},
		{HeldHalved, "the source delivered fewer than half of the people that are managed, so nobody is taken for a leaver"},
		{HeldIncomplete, "the source could not be read completely, so nobody is taken for a leaver"},
		{"", ""},
	}
	for _, tt := range tests {
		t.Run(string(tt.held), func(t *testing.T) {
			if got := tt.held.Words(59, 58); got != tt.want {
				t.Errorf("Words = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDeprovisions(t *testing.T) { // engine.R119: what the guard counts
	for action, want := range map[Action]bool{
		Disable: true, Delete: true,
		None: false, Create: false, Modify: false, Enable: false, StagedDelete: false, Other: false,
	} {
		if got := action.Deprovisions(); got != want {
			t.Errorf("%q.Deprovisions() = %t, want %t", action, got, want)
		}
	}
}
