package expr

import "iter"

// Step is one part of an expression and what it gave for an object.
type Step struct {
	// Text is the canonical text of the part, and Pos, Line, Column where it stands, as in Error.
	Text              string
	Pos, Line, Column int
	// Evaluated is false for what was not chosen: the other branch of IIF, the values behind other keys.
	Evaluated bool
	// Value is what the part gave; nil if Err is set.
	Value any
	// Err is why the part gave no value; the parts around it have the same error.
	Err *Error
	// Steps are the arguments, or the sides of a comparison, without omitted ones.
	Steps []*Step
}

// All gives the step and everything below it, outermost first, with the depth from 0.
func (s *Step) All() iter.Seq2[int, *Step] {
	return func(yield func(int, *Step) bool) { s.each(0, yield) }
}

func (s *Step) each(depth int, yield func(int, *Step) bool) bool {
	if !yield(depth, s) {
		return false
	}
	for _, c := range s.Steps {
		if !c.each(depth+1, yield) {
			return false
		}
	}
	return true
}

// Explain evaluates the expression as Eval does and gives the value of every part. It is meant for people, and much
// slower. The root step has the result.
func (p *Program) Explain(env *Env) *Step {
	if env == nil {
		env = &Env{}
	}
	st := newState(env)
	st.steps = make(map[*node]*Step)
	c := &compiler{src: p.src, trace: true}
	root := p.step(p.root, st.steps)
	// The results are in the steps already.
	_, _ = c.operand(p.root).eval(st)
	return root
}

func (p *Program) step(n *node, all map[*node]*Step) *Step {
	s := &Step{Text: n.String(), Pos: n.pos}
	s.Line, s.Column = lineColumn(p.src, n.pos)
	all[n] = s
	for _, a := range n.args {
		if a != nil {
			s.Steps = append(s.Steps, p.step(a, all))
		}
	}
	return s
}

// traced records what a node gives.
func traced(n *node, inner evalFn) evalFn {
	return func(st *state) (value, *Error) {
		v, err := inner(st)
		if s := st.steps[n]; s != nil {
			s.Evaluated, s.Err = true, err
			if err == nil {
				s.Value = v.toGo()
			}
		}
		return v, err
	}
}
