package connector

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestKindOf(t *testing.T) {
	conflict := &Error{Kind: KindConflict}
	tests := []struct {
		name string
		in   error
		want Kind
	}{
		{"no error", nil, KindUnknown},
		{"an error of somebody else", errors.New("x"), KindUnknown},
		{"an error of a connector", conflict, KindConflict},
		{"wrapped", fmt.Errorf("create: %w", conflict), KindConflict},
		{"wrapped twice", fmt.Errorf("cycle: %w", fmt.Errorf("create: %w", conflict)), KindConflict},
		{"joined with another", errors.Join(errors.New("x"), conflict), KindConflict},
		{"the outer one of two", &Error{Kind: KindAuth, Err: conflict}, KindAuth},
		{"without the wrapping verb", fmt.Errorf("create: %v", conflict), KindUnknown}, //nolint:errorlint // the loss is what is shown
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := KindOf(tt.in); got != tt.want {
				t.Errorf("KindOf = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestAsError(t *testing.T) {
	ours := &Error{Kind: KindRateLimited, RetryAfter: time.Minute}
	for _, in := range []error{ours, fmt.Errorf("create: %w", ours), errors.Join(errors.New("x"), ours)} {
		if got := AsError(in); got != ours {
			t.Errorf("AsError(%v) = %#v, not the error within", in, got)
		}
	}
	theirs := errors.New("disk full")
	got := AsError(theirs)
	if got.Kind != KindUnknown || got.Code != CodeInternalError || got.Error() != "disk full" || !errors.Is(got, theirs) {
		t.Errorf("AsError(%v) = %#v", theirs, got)
	}
}

func TestErrorText(t *testing.T) {
	cause := errors.New("connection refused")
	tests := []struct {
		name string
		in   Error
		want string
	}{
		{"the kind when nothing else is known", Error{Kind: KindNotFound}, "not found"},
		{"the cause before the kind", Error{Kind: KindTemporary, Err: cause}, "connection refused"},
		{"what the system said before the cause", Error{Detail: "userName is taken", Err: cause}, "userName is taken"},
		{"what was done stands first", Error{Op: "POST /Users", Kind: KindConflict}, "POST /Users: conflict"},
		{"the status follows", Error{Op: "POST /Users", Detail: "userName is taken", Status: 409}, "POST /Users: userName is taken (status 409)"},
		{"how to mend it stands last", Error{Kind: KindAuth, Status: 401, Hint: "renew the token"}, "auth (status 401); renew the token"},
		{
			"all of it",
			Error{Op: "POST /Users", Kind: KindConflict, Code: CodeConflict, Detail: "userName is taken", Status: 409, RetryAfter: time.Second, Hint: "choose another", Err: cause},
			"POST /Users: userName is taken (status 409); choose another",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, tt.in.Error()); diff != "" {
				t.Errorf("Error() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorKeepsItsCause(t *testing.T) {
	err := fmt.Errorf("probe: %w", &Error{Kind: KindTemporary, Detail: "no answer", Err: context.DeadlineExceeded})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Error("the cause is lost")
	}
	if (&Error{}).Unwrap() != nil {
		t.Error("a cause where there is none")
	}
}

func TestKindsHaveNames(t *testing.T) {
	want := map[Kind]string{
		KindUnknown: "unknown", KindTemporary: "temporary", KindRateLimited: "rate limited", KindAuth: "auth", KindNotFound: "not found",
		KindConflict: "conflict", KindInvalid: "invalid", KindUnsupported: "unsupported", KindIncompatible: "incompatible",
		-1: "unknown", KindIncompatible + 1: "unknown",
	}
	for kind, name := range want {
		if got := kind.String(); got != name {
			t.Errorf("Kind(%d) = %q, want %q", int(kind), got, name)
		}
	}
}
