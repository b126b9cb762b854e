package main

import (
	"fmt"
	"regexp"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	lang "github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"github.com/rollcall-id/rollcall/internal/expr"
)

// evaluation gives the value of one compiled expression for one person.
type evaluation func(person map[string]any) (any, error)

// engine compiles the text that an engine takes for an expression.
type engine struct {
	name    string
	compile func(text string) (evaluation, error)
}

func engines() []engine {
	return []engine{{"rollcall", compileRollcall}, {"cel-go", compileCEL}, {"expr-lang", compileLang}}
}

// attributes is a person as Rollcall's expressions read it.
type attributes map[string]any

func (a attributes) Attr(name string) (any, bool) {
	v, ok := a[name]
	return v, ok
}

func compileRollcall(text string) (evaluation, error) {
	p, err := expr.Compile(text)
	if err != nil {
		return nil, err
	}
	env := new(expr.Env) // one for all mappings of a person, as the engine of Rollcall has it
	return func(person map[string]any) (any, error) {
		env.Attributes = attributes(person)
		return p.Eval(env)
	}, nil
}

// The functions that an engine has no equal of.
var notInPhone = regexp.MustCompile(`[()\s-]+`)

func withoutPunctuation(phone string) string { return notInPhone.ReplaceAllString(phone, "") }

func americanDate(iso string) (string, error) {
	t, err := time.Parse("2006-01-02", iso)
	return t.Format("1/2/2006"), err
}

func compileCEL(text string) (evaluation, error) {
	options := []cel.EnvOption{
		ext.Strings(),
		cel.Function("withoutPunctuation", cel.Overload("without_punctuation_string", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return types.String(withoutPunctuation(string(v.(types.String)))) }))),
		cel.Function("americanDate", cel.Overload("american_date_string", []*cel.Type{cel.StringType}, cel.StringType,
			cel.UnaryBinding(func(v ref.Val) ref.Val {
				s, err := americanDate(string(v.(types.String)))
				if err != nil {
					return types.WrapErr(err)
				}
				return types.String(s)
			}))),
	}
	for name := range person() {
		options = append(options, cel.Variable(name, cel.StringType))
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if err := issues.Err(); err != nil {
		return nil, err
	}
	program, err := env.Program(ast, cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, err
	}
	return func(person map[string]any) (any, error) {
		v, _, err := program.Eval(person)
		if err != nil {
			return nil, err
		}
		return v.Value(), nil
	}, nil
}

func compileLang(text string) (evaluation, error) {
	program, err := lang.Compile(text, lang.Env(person()), lang.Function("withoutPunctuation", func(a ...any) (any, error) {
		s, ok := a[0].(string)
		if !ok {
			return nil, fmt.Errorf("a text is wanted, not %T", a[0])
		}
		return withoutPunctuation(s), nil
	}, withoutPunctuation))
	if err != nil {
		return nil, err
	}
	machine := new(vm.VM) // kept, as its documentation advises
	return func(person map[string]any) (any, error) { return machine.Run(program, person) }, nil
}
