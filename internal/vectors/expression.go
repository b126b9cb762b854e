package vectors

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/expr"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// tries is how often an expression is evaluated whose result is random.
const tries = 20

type expressionCase struct {
	Expression string
	Attributes map[string]json.RawMessage
	Context    surroundings
	Want       json.RawMessage
	Log        *string
}

// surroundings are what a case may give beside the attributes.
type surroundings struct {
	Now                *time.Time
	Existing           []string
	AppRoleAssignments json.RawMessage
	DefaultDomain      string
}

func parseExpression(raw []byte) (func(World) error, error) {
	var c expressionCase
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, mistyped(err)
	}
	attributes, err := object(c.Attributes)
	if err != nil {
		return nil, err
	}
	if c.Context.AppRoleAssignments != nil {
		v, err := identity.ParseJSON(c.Context.AppRoleAssignments)
		if err != nil {
			return nil, fmt.Errorf("appRoleAssignments: %w", err)
		}
		attributes.Set("appRoleAssignments", v)
	}
	check, times, err := expectation(c.Want)
	if err != nil {
		return nil, err
	}
	return func(w World) error {
		prog, err := expr.Compile(c.Expression)
		if err != nil {
			return check(nil, err)
		}
		env := expr.Env{Attributes: attributes, Now: w.Now, Rand: w.Rand, DefaultDomain: c.Context.DefaultDomain,
			Exists: func(v string) (bool, error) { return taken(c.Context.Existing, v), nil }}
		if c.Context.Now != nil {
			env.Now = func() time.Time { return *c.Context.Now }
		}
		for range times {
			if err := check(prog.Eval(&env)); err != nil {
				return err
			}
		}
		return checkLog(c.Log, prog)
	}, nil
}

// taken compares as a directory does: without regard to case (expressions O-19).
func taken(existing []string, v string) bool {
	return slices.ContainsFunc(existing, func(e string) bool { return strings.EqualFold(e, v) })
}

// checkLog compares what a provisioning log shows: a redacted value or, where nothing is redacted, the value itself,
// which a case has no reason to repeat.
func checkLog(want *string, prog *expr.Program) error {
	if want == nil {
		return nil
	}
	got := "the value itself"
	if prog.Calls("Redact") {
		got = "[Redact]"
	}
	if got != *want {
		return failure("in the log: "+*want, got)
	}
	return nil
}

// expectation makes a check of a wanted value, and says how often it has to hold.
func expectation(raw json.RawMessage) (check func(got any, err error) error, times int, err error) {
	want, err := identity.ParseJSON(raw)
	if err != nil {
		return nil, 0, err
	}
	if kind := wantedError(want); kind != "" {
		return func(got any, err error) error {
			if err == nil {
				return failure(string(raw), show(got))
			}
			if k := exprKind(err); k != kind {
				return failure(string(raw), showError(k, err))
			}
			return nil
		}, 1, nil
	}
	times = 1
	holds := func(got any) bool { return equal(want, got) }
	if v, ok := special(want, "flow"); ok {
		signal, ok := map[any]expr.Signal{"ignore": expr.IgnoreAttribute, "ignoreObject": expr.IgnoreObject}[v]
		if !ok {
			return nil, 0, errors.New(`"flow" is "ignore" or "ignoreObject"`)
		}
		holds = func(got any) bool { return got == signal }
	}
	if v, ok := special(want, "int"); ok {
		text, _ := v.(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, 0, errors.New(`"int" is a 64-bit whole number in quotes`)
		}
		holds = func(got any) bool { return got == n }
	}
	if v, ok := special(want, "matches"); ok {
		patterns, err := compilePatterns(v)
		if err != nil {
			return nil, 0, err
		}
		times = tries
		holds = func(got any) bool {
			s, ok := got.(string)
			return ok && !slices.ContainsFunc(patterns, func(p *regexp.Regexp) bool { return !p.MatchString(s) })
		}
	}
	return func(got any, err error) error {
		if err != nil {
			return failure(text(want), showError(exprKind(err), err))
		}
		if !holds(got) {
			return failure(text(want), show(got))
		}
		return nil
	}, times, nil
}

func exprKind(err error) string {
	return errorKind(err, func(e *expr.Error) string { return string(e.Kind) })
}

func compilePatterns(v any) ([]*regexp.Regexp, error) {
	list, _ := v.([]any)
	if len(list) == 0 {
		return nil, errors.New(`"matches" is a list of patterns`)
	}
	var out []*regexp.Regexp
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return nil, errors.New(`"matches" is a list of patterns in quotes`)
		}
		p, err := regexp.Compile(s)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", s, err)
		}
		out = append(out, p)
	}
	return out, nil
}

// mistyped says which key has a value of the wrong type.
func mistyped(err error) error {
	var e *json.UnmarshalTypeError
	if errors.As(err, &e) && e.Field != "" {
		return fmt.Errorf("%q cannot be a %s", e.Field, e.Value)
	}
	return err
}
