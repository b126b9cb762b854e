package csvfile

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rollcall-id/rollcall/internal/connector"
	"github.com/rollcall-id/rollcall/internal/identity"
)

// hrFile writes a file like an HR system's with n people.
func hrFile(b *testing.B, n int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "hr.csv")
	text := []byte("employee_id,given_name,middle_name,surname,job_title,department,manager_id,hire_date,email,phone,login,status\n")
	for i := range n {
		text = fmt.Appendf(text, "AW%07d,Guy,R,Gilbert%d,Production Technician - WC60,Production,AW%07d,2006-01-28,guy%d@adventure-works.com,320-555-0195,guy%d,active\n", i, i, i/10, i, i)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	return path
}

const benchRows = 100_000

// BenchmarkRead is to be compared with BenchmarkEncodingCSV: at most three times its time (P9).
func BenchmarkRead(b *testing.B) {
	s := New(Config{Files: []File{{Kind: identity.User, Path: hrFile(b, benchRows), Key: "employee_id",
		References: map[string]identity.Kind{"manager_id": identity.User},
		Active:     Active{Attribute: "status", Inactive: []string{"terminated", "leave"}}, Format: Format{Delimiter: ',', Encoding: UTF8, Trim: true}}}}, connector.Env{})
	req := connector.ReadRequest{Kind: identity.User, Attrs: []string{"employee_id", "given_name", "surname", "job_title", "department", "manager_id", "hire_date", "email", "phone", "login"}}
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		for item, err := range s.Read(b.Context(), req) {
			if err != nil || item.Err != nil {
				b.Fatal(err, item.Err)
			}
			n++
		}
		if n != benchRows {
			b.Fatalf("read %d rows", n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}

func BenchmarkEncodingCSV(b *testing.B) {
	path := hrFile(b, benchRows)
	b.ReportAllocs()
	for b.Loop() {
		f, err := os.Open(path)
		if err != nil {
			b.Fatal(err)
		}
		r := csv.NewReader(f)
		r.ReuseRecord = true
		n := 0
		for {
			_, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if err := f.Close(); err != nil || n != benchRows+1 {
			b.Fatal(err, n)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/row")
}
