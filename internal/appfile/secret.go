package appfile

import (
	"regexp"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// auth reads a credential: a map with one key, its kind, which is one of the setting's fields.
func (r *reader) auth(n *node, path string, s connector.Setting) (any, bool) {
	allowed := fieldNames(s)
	if n.kind != kindMap {
		r.errorf(n, path, "auth: {bearer: {env: NAME}}, with the token in the environment variable NAME",
			"%s must name the kind of the credential, not %s", s.Name, n.describe())
		return nil, false
	}
	before := len(r.problems)
	if !r.keys(n, path, allowed...) || len(r.problems) > before {
		return nil, false
	}
	var kinds []connector.Setting
	for _, f := range s.Fields {
		if n.get(f.Name) != nil {
			kinds = append(kinds, f)
		}
	}
	if len(kinds) != 1 {
		what := "no credential"
		if len(kinds) > 1 {
			what = "more than one credential: " + strings.Join(fieldNames(connector.Setting{Fields: kinds}), " and ")
		}
		r.errorf(n, path, oneOf(allowed), "%s has %s", s.Name, what)
		return nil, false
	}
	v, ok := r.setting(n.get(kinds[0].Name), join(path, kinds[0].Name), kinds[0])
	return map[string]any{kinds[0].Name: v}, ok
}

func fieldNames(s connector.Setting) []string {
	names := make([]string, len(s.Fields))
	for i, f := range s.Fields {
		names[i] = f.Name
	}
	return names
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// secret reads a reference to a secret (design D10). A secret written out is refused and not repeated.
func (r *reader) secret(n *node, path string) map[string]any {
	name := last(path)
	if n.kind == kindScalar {
		r.errorf(n, path, name+": {env: NAME} takes it from the environment variable NAME, {file: PATH} from a file",
			"the secret %s is written out in the file", name)
		return nil
	}
	before := len(r.problems)
	if !r.keys(n, path, "env", "file") || len(r.problems) > before {
		return nil
	}
	env, file := n.get("env"), n.get("file")
	if (env == nil) == (file == nil) {
		r.errorf(n, path, name+": {env: NAME}, or {file: PATH}", "the secret %s needs either env or file", name)
		return nil
	}
	if env != nil {
		if env.kind != kindScalar || !envName.MatchString(env.text) {
			r.errorf(env, join(path, "env"), "a name as LITMOS_TOKEN; set the variable to the secret", "env must be the name of an environment variable")
			return nil
		}
		return map[string]any{"env": env.text}
	}
	if file.kind != kindScalar || file.text == "" {
		r.errorf(file, join(path, "file"), "a path as /run/secrets/litmos", "file must be the path of a file that holds the secret")
		return nil
	}
	return map[string]any{"file": file.text}
}
