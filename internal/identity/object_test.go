package identity

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAttrFindsExactlyThenWithoutRegardToCase(t *testing.T) { // expressions O-02
	tests := []struct {
		name  string
		attrs Attrs
		ask   string
		want  any
		ok    bool
	}{
		{"the exact name", Attrs{{"mail", "a"}}, "mail", "a", true},
		{"the exact name before one in another case", Attrs{{"MAIL", "b"}, {"mail", "a"}}, "mail", "a", true},
		{"the only name in another case", Attrs{{"id", "1"}, {"Mail", "a"}}, "mAIL", "a", true},
		{"two names in another case are ambiguous", Attrs{{"Mail", "a"}, {"MAIL", "b"}}, "mail", nil, false},
		{"two names stay ambiguous when one has no value", Attrs{{"Mail", "a"}, {"MAIL", nil}}, "mail", nil, false},
		{"an exact name without a value does not let another case in", Attrs{{"mail", nil}, {"MAIL", "b"}}, "mail", nil, false},
		{"nil is absent", Attrs{{"mail", nil}}, "mail", nil, false},
		{"nil is absent in another case too", Attrs{{"Mail", nil}}, "mail", nil, false},
		{"empty text is there", Attrs{{"mail", ""}}, "mail", "", true},
		{"false is there", Attrs{{"active", false}}, "active", false, true},
		{"an unknown name", Attrs{{"mail", "a"}}, "phone", nil, false},
		{"no attributes at all", nil, "mail", nil, false},
		{"a reference is the text of its anchor", Attrs{{"manager", Ref{User, "7"}}}, "manager", "7", true},
		{"a reference in another case is text too", Attrs{{"Manager", Ref{User, "7"}}}, "manager", "7", true},
		{"references in a list are text", Attrs{{"members", []any{Ref{User, "7"}}}}, "members", []any{"7"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := (&Object{Attrs: tt.attrs}).Attr(tt.ask)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("Attr(%q) = %#v, %t; want %#v, %t", tt.ask, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestFindKeepsReferences(t *testing.T) {
	attrs := Attrs{{"Manager", Ref{User, "7"}}}
	got, ok := attrs.Find("manager")
	if diff := cmp.Diff(any(Ref{User, "7"}), got); diff != "" || !ok {
		t.Errorf("Find = %#v, %t", got, ok)
	}
}

func TestGetIsExact(t *testing.T) {
	o := &Object{Attrs: Attrs{{"mail", "a"}, {"gone", nil}, {"manager", Ref{User, "7"}}}}
	tests := []struct {
		name, ask string
		want      any
		ok        bool
	}{
		{"the exact name", "mail", "a", true},
		{"another case is another attribute", "Mail", nil, false},
		{"nil is absent", "gone", nil, false},
		{"a reference stays one", "manager", Ref{User, "7"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := o.Get(tt.ask)
			if diff := cmp.Diff(tt.want, got); diff != "" || ok != tt.ok {
				t.Errorf("Get(%q) = %#v, %t; want %#v, %t", tt.ask, got, ok, tt.want, tt.ok)
			}
		})
	}
}

func TestSetReplacesOrAdds(t *testing.T) {
	attrs := Attrs{{"a", "1"}, {"b", "2"}}
	attrs.Set("a", int64(3))
	attrs.Set("A", "new")
	want := Attrs{{"a", int64(3)}, {"b", "2"}, {"A", "new"}}
	if diff := cmp.Diff(want, attrs); diff != "" {
		t.Errorf("after Set (-want +got):\n%s", diff)
	}
}

func TestText(t *testing.T) {
	o := &Object{Attrs: Attrs{{"mail", "a"}, {"manager", Ref{User, "7"}}, {"n", int64(3)}, {"list", []any{"a"}}, {"gone", nil}}}
	tests := []struct{ name, ask, want string }{
		{"text", "mail", "a"},
		{"the anchor of a reference", "manager", "7"},
		{"a number is no text", "n", ""},
		{"a list is no text", "list", ""},
		{"nil is no text", "gone", ""},
		{"absent", "phone", ""},
		{"the name is exact", "Mail", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := o.Text(tt.ask); got != tt.want {
				t.Errorf("Text(%q) = %q, want %q", tt.ask, got, tt.want)
			}
		})
	}
}
