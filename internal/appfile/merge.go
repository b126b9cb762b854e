package appfile

// merge puts the file over the template (design 6.2): maps merge key by key, rules by name, other lists replace. A key
// without a value takes the template's value away. What is left of the template gets the position of the file's
// `template` key, line and column.
func merge(template, file *node, line, column int) *node {
	m := merger{line: line, column: column}
	return m.maps(template, file, "")
}

type merger struct{ line, column int }

func (m merger) maps(template, file *node, path string) *node {
	out := &node{kind: kindMap, line: file.line, column: file.column}
	over := make(map[string]field, len(file.fields))
	for _, f := range file.fields {
		over[f.name] = f
	}
	for _, f := range template.fields {
		o, ok := over[f.name]
		if !ok {
			out.fields = append(out.fields, field{f.name, m.line, m.column, m.stamp(f.value)})
			continue
		}
		delete(over, f.name)
		at := path + "." + f.name
		switch {
		case at == ".rules" && f.value.kind == kindList && o.value.kind == kindList:
			o.value = m.rules(f.value, o.value)
		case f.value.kind == kindMap && o.value.kind == kindMap && !m.otherCredential(at, f.value, o.value):
			o.value = m.maps(f.value, o.value, at)
		}
		out.fields = append(out.fields, o)
	}
	for _, f := range file.fields {
		if _, ok := over[f.name]; ok {
			out.fields = append(out.fields, f)
		}
	}
	return out
}

// otherCredential tells whether the file chooses another kind of credential than the template: the two maps are then
// alternatives, and merging them would give two credentials.
func (m merger) otherCredential(path string, template, file *node) bool {
	if path != ".target.settings.auth" && path != ".source.settings.auth" {
		return false
	}
	for _, f := range file.fields {
		if template.get(f.name) != nil {
			return false
		}
	}
	return true
}

func (m merger) rules(template, file *node) *node {
	out := &node{kind: kindList, line: file.line, column: file.column}
	used := make([]bool, len(file.items))
	for _, t := range template.items {
		merged := m.stamp(t)
		for i, f := range file.items {
			if !used[i] && f.kind == kindMap && ruleName(f) != "" && ruleName(f) == ruleName(t) {
				used[i] = true
				merged = m.maps(t, f, ".rules[]")
				break
			}
		}
		out.items = append(out.items, merged)
	}
	for i, f := range file.items {
		if !used[i] {
			out.items = append(out.items, f)
		}
	}
	return out
}

func ruleName(n *node) string {
	if name := n.get("name"); name != nil && name.kind == kindScalar {
		return name.text
	}
	return ""
}

// stamp copies a value of the template with the position of the key `template`.
func (m merger) stamp(n *node) *node {
	out := *n
	out.line, out.column, out.template = m.line, m.column, true
	out.items = nil
	for _, item := range n.items {
		out.items = append(out.items, m.stamp(item))
	}
	out.fields = nil
	for _, f := range n.fields {
		out.fields = append(out.fields, field{f.name, m.line, m.column, m.stamp(f.value)})
	}
	return &out
}
