package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const userSchema = "urn:ietf:params:scim:schemas:core:2.0:User"

// send does one SCIM request and returns the status code of the answer.
func send(ctx context.Context, method, url, token, body string) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}

// do is send for requests that must be answered.
func do(t *testing.T, method, url, token, body string) int {
	t.Helper()
	status, err := send(t.Context(), method, url, token, body)
	if err != nil {
		t.Fatal(err)
	}
	return status
}

func newUser(userName string) string {
	return fmt.Sprintf(`{"schemas":[%q],"userName":%q}`, userSchema, userName)
}

func TestScimmyStoresResourcesAndLogsRequests(t *testing.T) {
	s := Scimmy(t)
	if status := do(t, http.MethodPost, s.BaseURL+"/Users", s.Token, newUser("mira@example.com")); status != http.StatusCreated {
		t.Fatalf("creating a user answered %d, want 201", status)
	}
	if status := do(t, http.MethodGet, s.BaseURL+"/Users?count=5", "wrong", ""); status != http.StatusUnauthorized {
		t.Errorf("a wrong token answered %d, want 401", status)
	}

	state := s.State()
	if len(state.Users) != 1 || state.Users[0]["userName"] != "mira@example.com" || len(state.Groups) != 0 {
		t.Errorf("the server stores %v, want the user mira@example.com alone", state)
	}

	type exchange struct {
		Method, Path, Authorization string
		Query                       map[string]any
		Status                      int
		Body                        any
	}
	var got []exchange
	for _, e := range s.Requests() {
		got = append(got, exchange{e.Method, e.Path, e.Headers["authorization"], e.Query, e.Status, e.Body})
		if e.Time.IsZero() {
			t.Errorf("%s %s has no time", e.Method, e.Path)
		}
	}
	want := []exchange{
		{"POST", "/scim/v2/Users", "Bearer ***", map[string]any{}, 201,
			map[string]any{"schemas": []any{userSchema}, "userName": "mira@example.com"}},
		{"GET", "/scim/v2/Users", "Bearer ***", map[string]any{"count": "5"}, 401, nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if answer, ok := s.Requests()[0].Answer.(map[string]any); !ok || answer["id"] != state.Users[0]["id"] {
		t.Errorf("the logged answer is %v, want the stored resource", answer)
	}

	s.Reset()
	if state := s.State(); len(state.Users) != 0 {
		t.Errorf("after a reset the server stores %v, want nothing", state)
	}
}

func TestScimmyLogIsCompleteAfterConcurrentRequests(t *testing.T) {
	s := Scimmy(t, "LOG_BODIES=0")
	const clients, each = 8, 10
	var wg sync.WaitGroup
	for c := range clients {
		wg.Go(func() {
			for i := range each {
				body := newUser(fmt.Sprintf("user-%d-%d@example.com", c, i))
				if _, err := send(t.Context(), http.MethodPost, s.BaseURL+"/Users", s.Token, body); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	requests := s.Requests()
	if len(requests) != clients*each {
		t.Errorf("the log has %d requests, want %d", len(requests), clients*each)
	}
	for _, e := range requests {
		if e.Status != http.StatusCreated || e.Body != nil || e.Answer != nil {
			t.Errorf("the log has %+v, want a 201 without bodies", e)
		}
	}
}

func TestScimmyTakesSwitchesAndKeepsServersApart(t *testing.T) {
	strict, lax := Scimmy(t), Scimmy(t, "STRICT_MEMBERS=0")
	group := `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:Group"],"displayName":"Sales","members":[{"value":"nobody"}]}`
	if status := do(t, http.MethodPost, strict.BaseURL+"/Groups", strict.Token, group); status != http.StatusBadRequest {
		t.Errorf("an unknown member answered %d, want 400", status)
	}
	if status := do(t, http.MethodPost, lax.BaseURL+"/Groups", lax.Token, group); status != http.StatusCreated {
		t.Errorf("with STRICT_MEMBERS=0 an unknown member answered %d, want 201", status)
	}
	if n := len(strict.State().Groups); n != 0 {
		t.Errorf("the first server stores %d groups, want 0", n)
	}
}

func TestScimmyEndsWithItsTest(t *testing.T) {
	setting(t, scimmyVariable)
	var url string
	t.Run("user", func(t *testing.T) { url = Scimmy(t).BaseURL })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after its test the server answers, or refuses with %v, want %v", err, syscall.ECONNREFUSED)
	}
}
