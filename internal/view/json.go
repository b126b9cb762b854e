package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// JSON writes v as one indented document with a final line break. It is rendered before anything is written, so that a
// reader never gets half a document. Characters of HTML are not escaped: expressions are full of them.
func JSON(w io.Writer, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write %T as JSON: %w", v, err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
