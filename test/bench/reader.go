package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
)

// readerCommand reads a file with encoding/csv alone: bench read FILE. It prints the number of its records.
const readerCommand = "read"

func readerMain(out io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	r := csv.NewReader(f)
	r.ReuseRecord = true
	for n := 0; ; n++ {
		switch _, err := r.Read(); {
		case errors.Is(err, io.EOF):
			_, err := fmt.Fprintln(out, n)
			return err
		case err != nil:
			return err
		}
	}
}
