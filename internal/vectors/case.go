package vectors

import (
	"fmt"
	"io"
	"time"
)

// World is what an expression may use beside the attributes of a case.
type World struct {
	Now  func() time.Time // where the case gives no time of its own
	Rand io.Reader        // of Guid and RandomString

	// Rules are those of the app file that names the tests, for cases that run a rule; nil without an app file.
	Rules map[string]Rule
}

// Failure is a case whose result is not the expected one.
type Failure struct {
	Expected string
	Actual   string
}

// Error gives both results.
func (f *Failure) Error() string { return fmt.Sprintf("expected %s, actual %s", f.Expected, f.Actual) }

// Run runs the case: nil when it passes, else a *Failure.
func (c Case) Run(w World) error { return c.run(w) }

func failure(expected, actual string) error { return &Failure{Expected: expected, Actual: actual} }
