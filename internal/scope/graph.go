package scope

import (
	"encoding/json"
	"fmt"
)

// The form that objectMapping.scope has in the Microsoft Graph synchronization schema.
type (
	graphFilter struct {
		Groups               []graphGroup `json:"groups"`
		InputFilterGroups    []graphGroup `json:"inputFilterGroups"`
		CategoryFilterGroups []graphGroup `json:"categoryFilterGroups"`
	}
	graphGroup struct {
		Name    *string       `json:"name"`
		Clauses []graphClause `json:"clauses"`
	}
	graphClause struct {
		Operator  string       `json:"operatorName"`
		Attribute string       `json:"sourceOperandName"`
		Target    graphOperand `json:"targetOperand"`
	}
	graphOperand struct {
		Values []string `json:"values"`
	}
)

// ParseGraph reads the value of objectMapping.scope. null is a filter without groups. Members that the
// schema does not have, such as annotations, are passed over. It does not check the filter: Compile does.
func ParseGraph(data []byte) (Filter, error) {
	var g graphFilter
	if err := json.Unmarshal(data, &g); err != nil {
		return Filter{}, fmt.Errorf("read the scope of an object mapping: %w", err)
	}
	return Filter{
		Groups:               fromGraph(g.Groups),
		InputFilterGroups:    fromGraph(g.InputFilterGroups),
		CategoryFilterGroups: fromGraph(g.CategoryFilterGroups),
	}, nil
}

// MarshalGraph gives the value of objectMapping.scope. Every list is there, also when it is empty.
func MarshalGraph(f Filter) ([]byte, error) {
	data, err := json.Marshal(graphFilter{
		Groups:               toGraph(f.Groups),
		InputFilterGroups:    toGraph(f.InputFilterGroups),
		CategoryFilterGroups: toGraph(f.CategoryFilterGroups),
	})
	if err != nil {
		return nil, fmt.Errorf("write the scope of an object mapping: %w", err)
	}
	return data, nil
}

func fromGraph(groups []graphGroup) []Group {
	if len(groups) == 0 {
		return nil
	}
	out := make([]Group, len(groups))
	for i, g := range groups {
		if g.Name != nil {
			out[i].Name = *g.Name
		}
		for _, c := range g.Clauses {
			clause := Clause{Attribute: c.Attribute, Operator: c.Operator}
			if len(c.Target.Values) > 0 {
				clause.Values = c.Target.Values
			}
			out[i].Clauses = append(out[i].Clauses, clause)
		}
	}
	return out
}

func toGraph(groups []Group) []graphGroup {
	out := make([]graphGroup, len(groups))
	for i, g := range groups {
		if g.Name != "" {
			out[i].Name = &g.Name
		}
		out[i].Clauses = make([]graphClause, len(g.Clauses))
		for k, c := range g.Clauses {
			out[i].Clauses[k] = graphClause{
				Operator: c.Operator, Attribute: c.Attribute, Target: graphOperand{Values: append([]string{}, c.Values...)},
			}
		}
	}
	return out
}
