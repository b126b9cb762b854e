package expr

import (
	"cmp"
	"slices"
)

// The names of the role functions. A mapping that calls nameAssertiveRoles flows as replace, one that
// calls nameRoles as add.
const (
	nameSingleRole     = "SingleAppRoleAssignment"
	nameRoles          = "AppRoleAssignmentsComplex"
	nameAssertiveRoles = "AssertiveAppRoleAssignmentsComplex"
)

// roleType is what the reference service writes into the sub-attribute type of a role.
const roleType = "WindowsAzureActiveDirectoryRole"

func roleFunctions() []Function {
	sample := []any{
		map[string]any{"id": "06b07648-ecfe-589f-9d2f-6325724a46ee", "value": "admin", "displayName": "Admin"},
	}
	want := []any{
		map[string]any{"display": "Admin", "primary": false, "type": roleType, "value": "admin"},
	}
	return []Function{
		{
			Name:   nameRoles,
			Params: []Param{required("appRoleAssignments", TypeAny)},
			Result: "List",
			Help:   "Gives all app roles of the user as complex values. They are added in the target; roles that the user no longer has stay there.",
			Examples: []Example{
				{Expression: `AppRoleAssignmentsComplex([appRoleAssignments])`, Attributes: attributes("appRoleAssignments", sample), Want: want},
			},
			apply: func(_ *state, a []value) (value, *Error) { return complexRoles(a[0]) },
		},
		{
			Name:   nameAssertiveRoles,
			Params: []Param{required("appRoleAssignments", TypeAny)},
			Result: "List",
			Help:   "Gives all app roles of the user as complex values. They replace those in the target: roles that the user no longer has are removed.",
			Examples: []Example{
				{Expression: `AssertiveAppRoleAssignmentsComplex([appRoleAssignments])`, Attributes: attributes("appRoleAssignments", sample), Want: want},
			},
			apply: func(_ *state, a []value) (value, *Error) { return complexRoles(a[0]) },
		},
		{
			Name:   nameSingleRole,
			Params: []Param{required("appRoleAssignments", TypeAny)},
			Result: "String",
			Help:   "Gives the name of the one app role of the user. Of several the first in alphabetical order is taken, with a warning.",
			Examples: []Example{
				{Expression: `SingleAppRoleAssignment([appRoleAssignments])`, Attributes: attributes("appRoleAssignments", sample), Want: "Admin"},
			},
			apply: singleRole,
		},
	}
}

// role is one app role assignment.
type role struct{ id, display, value string }

// roles reads the attribute: objects with id, value and displayName, or plain names. What has neither a
// name nor a value says nothing and is passed over.
func roles(v value) ([]role, *Error) {
	var out []role
	for i := range v.length() {
		e, err := v.element(i)
		if err != nil {
			return nil, err
		}
		var r role
		switch e.k {
		case kindNull:
			continue
		case kindText:
			r = role{display: e.s, value: e.s}
		case kindComplex:
			m, _ := e.ref.(map[string]any)
			if r.id, err = roleText(m, "id"); err == nil {
				if r.value, err = roleText(m, "value"); err == nil {
					r.display, err = roleText(m, "displayName")
				}
			}
			if err != nil {
				return nil, err
			}
		case kindInt, kindFloat, kindBool, kindDate, kindList, kindSignal:
			return nil, newError(KindType, "an app role assignment is wanted, but the value is of kind %s", e.k).
				hint("call it with the attribute [appRoleAssignments]")
		}
		if r.display != "" || r.value != "" {
			out = append(out, r)
		}
	}
	return out, nil
}

func roleText(m map[string]any, key string) (string, *Error) {
	v, ok := fromGo(m[key])
	if !ok {
		return "", newError(KindType, "the %s of an app role assignment is not a text", key)
	}
	v, err := v.toText()
	return v.s, err
}

func complexRoles(v value) (value, *Error) {
	rs, err := roles(v)
	if err != nil {
		return value{}, err
	}
	list := make([]any, len(rs))
	for i, r := range rs {
		list[i] = map[string]any{
			"display": cmp.Or(r.display, r.value), "primary": false, "type": roleType, "value": cmp.Or(r.value, r.display),
		}
	}
	return listValue(list), nil
}

// singleRole follows O-04.
func singleRole(st *state, a []value) (value, *Error) {
	rs, err := roles(a[0])
	if err != nil || len(rs) == 0 {
		return value{}, err
	}
	if len(rs) > 1 {
		slices.SortFunc(rs, func(a, b role) int {
			return cmp.Or(cmp.Compare(cmp.Or(a.display, a.value), cmp.Or(b.display, b.value)), cmp.Compare(a.id, b.id))
		})
		if st.env.Warn != nil {
			st.env.Warn(nameSingleRole + ": the user has several app roles; the first by name is taken")
		}
	}
	return textValue(cmp.Or(rs[0].display, rs[0].value)), nil
}
