package appfile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// authKinds are the kinds of credential an app file can name (design 6.2) with their keys.
var authKinds = map[string][]connector.Setting{
	"basic": {
		{Name: "username", Type: connector.Text, Required: true, Help: "username: the name to sign in with"},
		{Name: "password", Type: connector.Text, Required: true, Secret: true, Help: "password: {env: NAME}"},
	},
	"header": {
		{Name: "name", Type: connector.Text, Required: true, Help: "name: the header, for instance apikey"},
		{Name: "value", Type: connector.Text, Required: true, Secret: true, Help: "value: {env: NAME}"},
	},
	"oauth2": {
		{Name: "tokenURL", Type: connector.URL, Required: true, Help: "tokenURL: the address that issues tokens"},
		{Name: "clientID", Type: connector.Text, Required: true, Help: "clientID: the name of the client"},
		{Name: "clientSecret", Type: connector.Text, Required: true, Secret: true, Help: "clientSecret: {env: NAME}"},
		{Name: "scopes", Type: connector.List, Help: "scopes: the scopes to ask for"},
	},
	"bearer": nil, // the secret itself
}

// auth reads a credential: a map with one key, its kind. The setting's Values are the kinds that the connector takes;
// without Values all but oauth2.
func (r *reader) auth(n *node, path string, s connector.Setting) (any, bool) {
	allowed := s.Values
	if len(allowed) == 0 {
		allowed = []string{"bearer", "basic", "header"}
	}
	if n.kind != kindMap {
		r.errorf(n, path, "auth: {bearer: {env: NAME}}, with the token in the environment variable NAME",
			"%s must name the kind of the credential, not %s", s.Name, n.describe())
		return nil, false
	}
	if oauth := n.get("oauth2"); oauth != nil && !slices.Contains(allowed, "oauth2") {
		r.errorf(oauth, join(path, "oauth2"), oneOf(allowed), "oauth2 is not supported yet")
		return nil, false
	}
	before := len(r.problems)
	if !r.keys(n, path, allowed...) || len(r.problems) > before {
		return nil, false
	}
	var kinds []string
	for _, k := range allowed {
		if n.get(k) != nil {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) != 1 {
		what := "no credential"
		if len(kinds) > 1 {
			what = "more than one credential: " + strings.Join(kinds, " and ")
		}
		r.errorf(n, path, oneOf(allowed), "%s has %s", s.Name, what)
		return nil, false
	}
	name := kinds[0]
	at := join(path, name)
	if fields := authKinds[name]; len(fields) > 0 {
		v, ok := r.mapValue(n.get(name), at, connector.Setting{Name: name, Fields: fields})
		return map[string]any{name: v}, ok
	}
	ref := r.secret(n.get(name), at)
	return map[string]any{name: ref}, ref != nil
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
