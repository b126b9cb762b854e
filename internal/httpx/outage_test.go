package httpx

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestARefusalWithoutRetryAfterStopsTheSiteForTheTimeThatIsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{answer: func(n int, _ *http.Request) (int, http.Header, error) {
			switch n {
			case 1:
				return 503, nil, nil
			case 2:
				return 503, http.Header{"Retry-After": {"7"}}, nil
			}
			return 200, nil, nil
		}}
		c := client(t, Config{Transport: target, Policy: Policy{Throttle503: true, Pause: time.Minute, Random: middle}})
		for i, want := range []time.Duration{time.Minute, 7 * time.Second} {
			resp, err := c.Do(t.Context(), get(t))
			if err != nil || !resp.Throttled || resp.RetryAfter != want {
				t.Fatalf("refusal %d: %+v, %v; want a pause of %s", i+1, resp, err, want)
			}
			if err := sleep(t.Context(), want); err != nil {
				t.Fatal(err)
			}
		}
		if resp, err := c.Do(t.Context(), get(t)); err != nil || resp.Status != 200 {
			t.Errorf("%+v, %v", resp, err)
		}
	})
}

func TestManyRefusalsInARowAreAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &fakeTarget{answer: func(n int, _ *http.Request) (int, http.Header, error) {
			if n == 4 {
				return 200, nil, nil
			}
			return 503, nil, nil
		}}
		c := client(t, Config{Transport: target, Policy: Policy{Throttle503: true, Pause: time.Minute, OutageAfter: 5, Random: middle}})
		var throttled []bool
		for range 9 {
			resp, err := c.Do(t.Context(), get(t))
			if err != nil {
				t.Fatal(err)
			}
			throttled = append(throttled, resp.Throttled)
			if err := sleep(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		for i, is := range throttled {
			// The success between them, the fourth, begins the count anew.
			if want := i != 3 && i != 8; is != want {
				t.Errorf("answer %d: throttled %v, want %v", i+1, is, want)
			}
		}
		_, err := c.Do(t.Context(), get(t))
		var wait *WaitError
		if err != nil && !errors.As(err, &wait) {
			t.Errorf("after an outage: %v", err)
		}
	})
}

func TestTheTextBehindTheStatusIsKept(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "HTTP/1.1 409 UserName already exists\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		_ = conn.Close()
	}))
	defer server.Close()
	resp, err := client(t, Config{}).Do(t.Context(), Request{Method: "POST", URL: address(t, server.URL)})
	if err != nil || resp.Status != 409 || resp.Reason != "UserName already exists" {
		t.Errorf("%+v, %v", resp, err)
	}
}
