package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/rollcall-id/rollcall/internal/gallery"
	"github.com/rollcall-id/rollcall/internal/view"
)

// newAppFile is what `rollcall new` can be told.
type newAppFile struct {
	Name string
	URL  string
	File string
}

func newNewCommand(c *cli) *cobra.Command {
	var o newAppFile
	cmd := &cobra.Command{
		Use:   "new ID",
		Short: "Write an app file for an application of the gallery",
		Example: `  rollcall new litmos-scim > litmos.yaml
  rollcall new scim --name "Time sheets" --url https://time.example.com/scim/v2 -f time.yaml`,
		GroupID: groupJobs,
		Args:    arguments("ID"),
		RunE: func(_ *cobra.Command, args []string) error {
			t, err := template(args[0])
			if err != nil {
				return err
			}
			text, err := appFileText(t, o)
			if err != nil {
				return err
			}
			if o.File != "" {
				if err := writeNewFile(o.File, text); err != nil {
					return err
				}
			}
			switch {
			case c.json():
				return view.JSON(c.Out, struct {
					Template string `json:"template"`
					File     string `json:"file"`
					YAML     string `json:"yaml"`
				}{t.ID, o.File, string(text)})
			case o.File != "":
				c.notef("Wrote %s. Next: set %s, then `rollcall plan -f %s`.", o.File, secretVariable(t.ID, t), o.File)
				return nil
			}
			_, err = c.Out.Write(text)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", "`NAME` of the job; the application's name when left out")
	f.StringVar(&o.URL, "url", "", "`URL` of the application's interface")
	f.StringVarP(&o.File, "file", "f", "", "`FILE` to write, which must not exist; standard output when left out")
	return cmd
}

// writeNewFile writes a file that does not exist yet.
func writeNewFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return usagef("%s exists already; choose another name, or remove it", path)
	}
	if err != nil {
		return usagef("%v", err)
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// appFileText is an app file that is complete but for the credential, with what can be chosen in comments.
func appFileText(t *gallery.Template, o newAppFile) ([]byte, error) {
	name, err := scalar(orDefault(o.Name, t.Title))
	if err != nil {
		return nil, err
	}
	address := o.URL
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n# Mappings, filters and settings come from the template; what is written here goes before it.\n", t.Summary)
	fmt.Fprintf(&b, "name: %s\ntemplate: %s\nsource:\n  connector: directory\ntarget:\n  settings:\n", name, t.ID)
	if address == "" {
		address = "https://app.example.com/scim/v2"
		if len(t.TenantURLs) > 0 {
			address = t.TenantURLs[0].URL
			for _, u := range t.TenantURLs[1:] {
				fmt.Fprintf(&b, "    # %s: %s\n", u.Name, u.URL)
			}
		} else {
			b.WriteString("    # the address that the application's administration pages show\n")
		}
	}
	address, err = scalar(address)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "    url: %s\n", address)
	comment(&b, "    # ", t.Auth.Label+": "+t.Auth.Help)
	fmt.Fprintf(&b, "    auth: %s\n", authText(t))
	b.WriteString("settings:\n  scope: assigned # or all\n  # notify: [it@example.com]\n")
	b.WriteString("# who gets an account; `rollcall assign` does the same\nassignments: []\n# - {group: Sales}\n# - {user: mira@example.com}\n")
	return b.Bytes(), nil
}

// authText is the setting auth for the usual kind of credential, read from the environment.
func authText(t *gallery.Template) string {
	kind := "bearer"
	if len(t.Auth.Kinds) > 0 {
		kind = t.Auth.Kinds[0]
	}
	env := "{env: " + secretVariable(t.ID, t) + "}"
	switch kind {
	case "basic":
		return "{basic: {username: rollcall, password: " + env + "}}"
	case "header":
		return "{header: {name: apikey, value: " + env + "}}"
	}
	return "{bearer: " + env + "}"
}

// secretVariable names an environment variable after a template: litmos-scim becomes LITMOS_SCIM_TOKEN.
func secretVariable(id string, t *gallery.Template) string {
	kind := "_TOKEN"
	if len(t.Auth.Kinds) > 0 && t.Auth.Kinds[0] == "basic" {
		kind = "_PASSWORD"
	}
	return strings.ToUpper(strings.ReplaceAll(id, "-", "_")) + kind
}

// scalar writes text as one YAML scalar, quoted where it has to be.
func scalar(s string) (string, error) {
	out, err := yaml.Marshal(s)
	return strings.TrimSuffix(string(out), "\n"), err
}

// comment writes text in lines of at most 110 characters, each behind a prefix.
func comment(b *bytes.Buffer, prefix, text string) {
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line) > len(prefix) && len(line)+len(word) > 110 {
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			line = prefix
		}
		line += word + " "
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}
