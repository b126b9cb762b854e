package connector

// Setting describes one setting of a connector. The table of a connector's settings feeds the check of app files,
// `--help` and the reference documents (style: settings are one table).
type Setting struct {
	Name     string
	Type     SettingType
	Help     string // one sentence: purpose, unit, meaning of special values
	Default  string // as text; "" for none
	Required bool
	Secret   bool      // the value must be a reference ({env: NAME} or {file: PATH})
	Values   []string  // allowed values of a Choice; words that may stand in place of a Duration
	Fields   []Setting // settings within a Map or within each element of a List of maps; the kinds of an Auth
}

// SettingType is the type of a setting's value in an app file.
type SettingType string

// The types.
const (
	Text     SettingType = "text"
	Flag     SettingType = "boolean"
	Number   SettingType = "number"
	Duration SettingType = "duration" // as Go writes it: 30s, 5m, 24h
	Rate     SettingType = "rate"     // none, N/s or N/min
	Choice   SettingType = "choice"
	Path     SettingType = "path" // of a file; relative to the app file
	URL      SettingType = "url"
	Map      SettingType = "map"
	List     SettingType = "list"
	Auth     SettingType = "auth" // a map with one of its Fields: bearer, basic, header, oauth2 (design 6.2)
)

// Lacks is what a target cannot do to accounts, by its settings. Each text is the setting that says so, "" where it can.
type Lacks struct {
	Disable string // a user is deleted instead
	Delete  string // a user is disabled instead
}
