package schema

import "testing"

func TestTextsAreFitted(t *testing.T) {
	for _, tt := range []struct {
		name     string
		limit    Limit
		in, want string
	}{
		{"without limits a text stays as it is", Limit{}, " a;b ", " a;b "},
		{"characters are taken out", Limit{Strip: "<>;\t"}, "a<b>;\tc", "abc"},
		{"a text may be empty afterwards", Limit{Strip: ";"}, ";;", ""},
		{"a text is cut by characters, not bytes", Limit{MaxLength: 3}, "äöüß", "äöü"},
		{"a text of just the length stays", Limit{MaxLength: 4}, "äöüß", "äöüß"},
		{"no blank is left at the end of what was cut", Limit{MaxLength: 4}, "Mira Okafor", "Mira"},
		{"nor one that the cut made the last", Limit{MaxLength: 5}, "Mira Okafor", "Mira"},
		{"what is taken out does not count", Limit{MaxLength: 4, Strip: ";"}, "M;i;r;a;s", "Mira"},
		{"letters that are no UTF-8 are cut, too", Limit{MaxLength: 2}, "a\xffbc", "a\xff"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := tt.limit.Fit(tt.in)
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if again := tt.limit.Fit(got); again != got {
				t.Errorf("fitted again it is %q", again)
			}
		})
	}
}

func TestLimitsHoldForAttributesThatAreNotListedToo(t *testing.T) {
	o := Object{Attributes: []Attribute{{Name: "userName"}, {Name: "title"}}, Limits: map[string]Limit{"": {Strip: ";"}, "userName": {MaxLength: 21}, "badge": {MaxLength: 5}}}
	for name, want := range map[string]Limit{"userName": {MaxLength: 21}, "title": {Strip: ";"}} {
		if a, _ := o.Attribute(name); a.Limit != want {
			t.Errorf("%s: %v, want %v", name, a.Limit, want)
		}
	}
	for name, want := range map[string]Limit{"badge": {MaxLength: 5}, "other": {Strip: ";"}} {
		if a := o.Bare(name); a.Limit != want || a.Name != name {
			t.Errorf("%s: %v, want %v", name, a.Limit, want)
		}
	}
}
