package testbed

import (
	"os"
	"strconv"
	"testing"
)

const requireVariable = "ROLLCALL_TEST_REQUIRE"

// setting returns the value of an environment variable that says where a server is. Without a value the test is
// skipped, or fails when ROLLCALL_TEST_REQUIRE is set, so that a build server cannot pass by skipping.
func setting(t testing.TB, variable string) string {
	t.Helper()
	if v := os.Getenv(variable); v != "" {
		return v
	}
	required := false
	if text := os.Getenv(requireVariable); text != "" {
		var err error
		if required, err = strconv.ParseBool(text); err != nil {
			t.Fatalf("%s is %q: set it to 1 or 0", requireVariable, text)
		}
	}
	const how = `run "make test", or start the servers by: eval "$(test/services.sh start)"`
	if required {
		t.Fatalf("%s is not set, and %s demands it: %s", variable, requireVariable, how)
	}
	t.Skipf("%s is not set: %s", variable, how)
	return ""
}
