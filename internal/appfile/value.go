package appfile

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
)

// settings checks a map against a table of settings and returns its values as Go values: text, choices, durations,
// rates, paths and URLs as string, flags as bool, numbers as int, lists as []any, maps, credentials and references to
// secrets as map[string]any. A setting that is absent is absent from the result; its default is the connector's.
func (r *reader) settings(n *node, path string, table []connector.Setting) map[string]any {
	names := make([]string, len(table))
	for i, s := range table {
		names[i] = s.Name
	}
	if !r.keys(n, path, names...) {
		return nil
	}
	out := make(map[string]any)
	insecure := n.get("allowInsecure")
	for _, s := range table {
		value := n.get(s.Name)
		if value == nil {
			if s.Required {
				r.missing(n, join(path, s.Name), s.Help, s.Name+" is missing"+in(path))
			}
			continue
		}
		v, ok := r.setting(value, join(path, s.Name), s)
		if !ok {
			continue
		}
		if s.Type == connector.URL && !s.Secret {
			allowed := insecure != nil && insecure.tag == "!!bool" && strings.EqualFold(insecure.text, "true")
			hint := "https"
			if slices.Contains(names, "allowInsecure") {
				hint = "https, or allowInsecure: true where the network between is your own"
			}
			if !r.url(value, join(path, s.Name), hint, allowed) {
				continue
			}
		}
		out[s.Name] = v
	}
	return out
}

var rateForm = regexp.MustCompile(`^(none|[1-9][0-9]{0,8}/(s|min))$`)

func (r *reader) setting(n *node, path string, s connector.Setting) (any, bool) {
	if s.Secret && s.Type != connector.Auth {
		ref := r.secret(n, path)
		return ref, ref != nil
	}
	switch s.Type {
	case connector.Flag:
		return r.boolean(n, path)
	case connector.Number:
		return r.number(n, path)
	case connector.Map:
		return r.mapValue(n, path, s)
	case connector.List:
		return r.listValue(n, path, s)
	case connector.Auth:
		return r.auth(n, path, s)
	case connector.Text, connector.Duration, connector.Rate, connector.Choice, connector.Path, connector.URL:
	}
	if n.kind != kindScalar {
		hint := s.Help
		switch {
		case len(s.Values) > 0:
			hint = oneOf(s.Values)
		case s.Default != "":
			hint = s.Name + ": " + s.Default
		}
		r.errorf(n, path, hint, "%s must be text, not %s", s.Name, n.describe())
		return nil, false
	}
	switch s.Type {
	case connector.Duration:
		return n.text, slices.Contains(s.Values, n.text) || r.duration(n, path)
	case connector.Rate:
		if !rateForm.MatchString(n.text) {
			r.errorf(n, path, "none, or a number of calls as 25/s or 100/min", "%s %q is no rate", s.Name, n.text)
			return nil, false
		}
	case connector.Choice:
		i := slices.IndexFunc(s.Values, func(v string) bool { return strings.EqualFold(v, n.text) })
		if i < 0 {
			r.errorf(n, path, oneOf(s.Values), "%s cannot be %q", s.Name, n.text)
			return nil, false
		}
		return s.Values[i], true // in the one spelling the connector knows
	case connector.Path:
		if n.text == "" {
			r.errorf(n, path, s.Help, "%s is empty", s.Name)
			return nil, false
		}
	case connector.Text, connector.URL, connector.Flag, connector.Number, connector.Map, connector.List, connector.Auth:
	}
	return n.text, true
}

func oneOf(values []string) string { return "one of " + strings.Join(values, ", ") }

func (r *reader) duration(n *node, path string) bool {
	d, err := time.ParseDuration(n.text)
	if err == nil && d >= 0 {
		return true
	}
	hint := "a number with its unit: 30s, 5m, 24h"
	if _, err := strconv.Atoi(n.text); err == nil {
		hint = "add the unit: " + n.text + "s, or " + n.text + "m"
	} else if days, ok := strings.CutSuffix(n.text, "d"); ok {
		if i, err := strconv.Atoi(days); err == nil && i >= 0 {
			hint = fmt.Sprintf("days are written in hours: %dh", i*24)
		}
	}
	r.errorf(n, path, hint, "%s %q is no duration", last(path), n.text)
	return false
}

// url checks an address (design D11): absolute, without a credential, and with TLS unless it stays on this machine. hint
// says what to write in place of one without TLS.
func (r *reader) url(n *node, path, hint string, insecure bool) bool {
	name, text := last(path), n.text
	if strings.ContainsAny(text, "{}<>") {
		r.errorf(n, path, "put your own name in place of the part in brackets", "%s still has a placeholder", name)
		return false
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		r.errorf(n, path, "an address as https://api.example.com/scim/v2", "%s is no address", name)
	case u.User != nil:
		r.errorf(n, path, "put the credential under auth, as a reference", "%s has a user or password in it", name)
	case u.Scheme == "http" && !insecure && !loopback(u.Hostname()):
		r.errorf(n, path, hint, "%s goes over the network without TLS", name)
	default:
		return true
	}
	return false
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// mapValue reads a map with known fields, or one with keys of the administrator's own and texts as values.
func (r *reader) mapValue(n *node, path string, s connector.Setting) (any, bool) {
	if len(s.Fields) > 0 {
		before := len(r.problems)
		m := r.settings(n, path, s.Fields)
		return m, m != nil && len(r.problems) == before
	}
	if n.kind != kindMap {
		r.errorf(n, path, s.Help, "%s must be a map of keys, not %s", s.Name, n.describe())
		return nil, false
	}
	out := make(map[string]any, len(n.fields))
	for _, f := range n.fields {
		if f.value.kind == kindNull { // it takes the template's value away
			continue
		}
		if f.value.kind != kindScalar {
			r.errorf(f.value, join(path, f.name), s.Help, "%s must be text, not %s", f.name, f.value.describe())
			return nil, false
		}
		out[f.name] = f.value.text
	}
	return out, true
}

// listValue reads a list of maps with known fields, or one of texts.
func (r *reader) listValue(n *node, path string, s connector.Setting) (any, bool) {
	if n.kind != kindList {
		hint := s.Name + ": […]"
		if n.kind == kindScalar && !s.Secret {
			hint = fmt.Sprintf("%s: [%s]", s.Name, n.text)
		}
		r.errorf(n, path, hint, "%s must be a list, not %s", s.Name, n.describe())
		return nil, false
	}
	out, ok := make([]any, 0, len(n.items)), true
	for i, item := range n.items {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case len(s.Fields) > 0:
			before := len(r.problems)
			m := r.settings(item, at, s.Fields)
			ok = ok && m != nil && len(r.problems) == before
			out = append(out, m)
		case item.kind != kindScalar:
			r.errorf(item, at, s.Help, "each element of %s must be text, not %s", s.Name, item.describe())
			ok = false
		case len(s.Values) > 0 && !slices.Contains(s.Values, item.text):
			r.errorf(item, at, oneOf(s.Values), "%s cannot hold %q", s.Name, item.text)
			ok = false
		default:
			out = append(out, item.text)
		}
	}
	return out, ok
}
