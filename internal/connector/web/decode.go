package web

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/httpx"
	"github.com/rollcall-id/rollcall/internal/secret"
)

// Decoder reads the settings of one connector, one by one, and collects what is wrong with them. Each method returns the
// setting's value, or what it is otherwise when it is not set or wrong.
type Decoder struct {
	owner    string // for the message about a setting that it does not have: "the connector scim"
	table    []connector.Setting
	prefix   string // of the names of settings in messages
	settings map[string]any
	seen     map[string]bool
	problems []error
}

// NewDecoder reads settings of the connector with this name and this table of settings.
func NewDecoder(name string, table []connector.Setting, settings map[string]any) *Decoder {
	return &Decoder{owner: "the connector " + name, table: table, settings: settings, seen: map[string]bool{}}
}

// within reads the settings within one that is a map. Its problems are the outer decoder's by wrapped.
func (d *Decoder) within(name string, table []connector.Setting, settings map[string]any) *Decoder {
	return &Decoder{owner: name, prefix: name + ".", table: table, settings: settings, seen: map[string]bool{}}
}

// wrapped returns all problems of settings within another, the settings that there are not included.
func (d *Decoder) wrapped() []error {
	d.strangers()
	return d.problems
}

// Err joins all problems, each naming its setting; a setting that nothing asked for is one.
func (d *Decoder) Err() error {
	d.strangers()
	return errors.Join(d.problems...)
}

// strangers notes the settings that nothing asked for.
func (d *Decoder) strangers() {
	for _, name := range slices.Sorted(maps.Keys(d.settings)) {
		if !d.seen[name] {
			d.Problem(name, "there is no such setting of %s", d.owner)
		}
	}
}

// Problem notes what is wrong with a setting.
func (d *Decoder) Problem(name, format string, args ...any) {
	d.problems = append(d.problems, fmt.Errorf("setting %s: %w", d.prefix+name, fmt.Errorf(format, args...)))
}

// Get returns the value of a setting as it is, nil when it is not set.
func (d *Decoder) Get(name string) any {
	d.seen[name] = true
	return d.settings[name]
}

// Text reads a text, "" when it is not set.
func (d *Decoder) Text(name string) string {
	switch v := d.Get(name).(type) {
	case nil:
	case string:
		return v
	default:
		d.Problem(name, "must be a text, not %v", v)
	}
	return ""
}

// Texts reads a list of texts, nil when it is not set.
func (d *Decoder) Texts(name string) []string {
	v := d.Get(name)
	if v == nil {
		return nil
	}
	if list, ok := v.([]string); ok {
		return list
	}
	list, ok := v.([]any)
	if !ok {
		d.Problem(name, "must be a list of texts, not %v", v)
		return nil
	}
	out := make([]string, 0, len(list))
	for _, item := range list {
		text, ok := item.(string)
		if !ok {
			d.Problem(name, "must be a list of texts; %v is none", item)
			return nil
		}
		out = append(out, text)
	}
	return out
}

// TextMap reads a map of texts, nil when it is not set.
func (d *Decoder) TextMap(name string) map[string]string {
	v := d.Get(name)
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		d.Problem(name, "must be a map of texts")
		return nil
	}
	out := make(map[string]string, len(m))
	for key, value := range m {
		text, ok := value.(string)
		if !ok {
			d.Problem(name+"."+key, "must be a text, not %v", value)
			continue
		}
		out[key] = text
	}
	return out
}

// Flag reads true or false.
func (d *Decoder) Flag(name string, otherwise bool) bool {
	switch v := d.Get(name).(type) {
	case nil:
	case bool:
		return v
	default:
		d.Problem(name, "must be true or false, not %v", v)
	}
	return otherwise
}

// Number reads a whole number between least and most.
func (d *Decoder) Number(name string, otherwise, least, most int) int {
	v := d.Get(name)
	if v == nil {
		v = otherwise
	}
	return d.number(name, v, otherwise, least, most)
}

func (d *Decoder) number(name string, v any, otherwise, least, most int) int {
	n := otherwise
	switch v := v.(type) {
	case int:
		n = v
	case int64:
		n = int(v)
	case float64:
		if n = int(v); float64(n) != v {
			d.Problem(name, "must be a whole number, not %v", v)
			return otherwise
		}
	default:
		d.Problem(name, "must be a number, not %v", v)
	}
	if n < least || n > most {
		d.Problem(name, "must be between %d and %d, not %d", least, most, n)
	}
	return n
}

// Numbers reads a map of whole numbers between least and most; nil when it is not set.
func (d *Decoder) Numbers(name string, least, most int) map[string]int {
	v := d.Get(name)
	if v == nil {
		return nil
	}
	m, ok := v.(map[string]any)
	if !ok {
		d.Problem(name, "must be a map of numbers, not %v", v)
		return nil
	}
	out := make(map[string]int, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		v := m[key]
		if text, ok := v.(string); ok { // as a map with keys of any name comes from an app file
			if n, err := strconv.Atoi(text); err == nil {
				v = n
			}
		}
		out[key] = d.number(name+"."+key, v, least, least, most)
	}
	return out
}

// Duration reads a time span between least and most.
func (d *Decoder) Duration(name string, otherwise, least, most time.Duration) time.Duration {
	t := otherwise
	switch v := d.Get(name).(type) {
	case nil:
	case time.Duration:
		t = v
	case string:
		var err error
		if t, err = time.ParseDuration(v); err != nil {
			d.Problem(name, "%q is no duration: write it like 30s or 2m", v)
			return otherwise
		}
	default:
		d.Problem(name, "must be a duration like 30s, not %v", v)
	}
	if t < least || t > most {
		d.Problem(name, "must be between %s and %s, not %s", least, most, t)
	}
	return t
}

// day reads a date, zero when it is not set.
func (d *Decoder) day(name string) time.Time {
	text := d.Text(name)
	if text == "" {
		return time.Time{}
	}
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		d.Problem(name, "%q is no date: write it like 2027-03-31", text)
	}
	return t
}

// Rate reads an allowance of calls; none when it is not set.
func (d *Decoder) Rate(name string) httpx.Rate {
	r, err := httpx.ParseRate(d.Text(name))
	if err != nil {
		d.Problem(name, "%w", err)
	}
	return r
}

// Choice reads one of the values that the table lists for the setting.
func (d *Decoder) Choice(name, otherwise string) string {
	v := d.Text(name)
	if v == "" {
		return otherwise
	}
	for _, s := range d.table {
		if s.Name == name && !slices.Contains(s.Values, v) {
			d.Problem(name, "must be one of %s, not %q", strings.Join(s.Values, ", "), v)
		}
	}
	return v
}

// URL reads an address that may be called; nil when it is missing or wrong. example is one for the message.
func (d *Decoder) URL(name, example string, allowInsecure bool) *url.URL {
	text := d.Text(name)
	if text == "" {
		d.Problem(name, "is missing: enter the address, like %s", example)
		return nil
	}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		// The parser's message repeats the address, which may hold a password.
		d.Problem(name, "is no address: write it like %s", example)
		return nil
	}
	if u.User != nil {
		d.Problem(name, "must not hold user and password: use a setting for them, auth or proxyAuth")
		return nil
	}
	if err := httpx.CheckURL(u, allowInsecure); err != nil {
		d.Problem(name, "%w", err)
		return nil
	}
	u.Fragment = ""
	return u
}

// secret reads a reference to a secret.
func (d *Decoder) secret(name string, v any) secret.Ref {
	r, err := secret.ParseRef(v)
	if err != nil {
		d.Problem(name, "%w", err)
	}
	return r
}

// optionalSecret reads a reference to a secret that may be missing.
func (d *Decoder) optionalSecret(name string) secret.Ref {
	v := d.Get(name)
	if v == nil {
		return secret.Ref{}
	}
	return d.secret(name, v)
}

// part reads a text within a setting that is a map.
func (d *Decoder) part(name, key string, v any) string {
	m, _ := v.(map[string]any)
	text, ok := m[key].(string)
	if !ok || text == "" {
		d.Problem(name+"."+key, "is missing")
	}
	return text
}

// partSecret reads a reference to a secret within a setting that is a map.
func (d *Decoder) partSecret(name, key string, v any) secret.Ref {
	m, _ := v.(map[string]any)
	if m[key] == nil {
		d.Problem(name+"."+key, "is missing")
		return secret.Ref{}
	}
	return d.secret(name+"."+key, m[key])
}

// parts notes the keys of a map that are not known.
func (d *Decoder) parts(name string, v any, known ...string) {
	m, _ := v.(map[string]any)
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(known, key) {
			d.Problem(name+"."+key, "there is no such setting")
		}
	}
}
