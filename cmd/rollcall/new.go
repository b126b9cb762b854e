package main

import (
	"errors"
	"io/fs"
	"os"

	"github.com/rollcall-id/rollcall/internal/view"
	"github.com/spf13/cobra"
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
		Long: `Write an app file for an application of the gallery, to be filled in: the address, the credential, and who gets an account.
Its comments say where to get them, what the application limits, and what will be written to which attribute.`,
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
				c.notef("Wrote %s. Next: set %s, then `rollcall plan -f %s`.", o.File, secretVariable(t), o.File)
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
