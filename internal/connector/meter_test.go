package connector

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMeterCountsFromManyGoroutines(t *testing.T) {
	const workers, calls = 8, 250
	var m Meter
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := range calls {
				m.Add("POST")
				if i%5 == 0 {
					m.Add("GET")
					m.Throttle()
				}
				if m.Read().ByMethod["POST"] == 0 {
					t.Error("a call that was counted is not there")
				}
			}
		})
	}
	wg.Wait()
	got := m.Read()
	want := Count{ByMethod: map[string]int64{"POST": workers * calls, "GET": workers * calls / 5}, Throttled: workers * calls / 5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read (-want +got):\n%s", diff)
	}
	if got.Total() != workers*calls*6/5 {
		t.Errorf("Total() = %d, want %d", got.Total(), workers*calls*6/5)
	}
}

func TestAReadingStaysWhatItWas(t *testing.T) {
	var m Meter
	if got := m.Read(); got.Total() != 0 || got.Throttled != 0 {
		t.Errorf("a new meter reads %+v", got)
	}
	m.Add("GET")
	before := m.Read()
	m.Add("GET")
	m.Throttle()
	if diff := cmp.Diff(Count{ByMethod: map[string]int64{"GET": 1}}, before); diff != "" {
		t.Errorf("the reading changed (-want +got):\n%s", diff)
	}
	before.ByMethod["GET"] = 99
	if diff := cmp.Diff(Count{ByMethod: map[string]int64{"GET": 2}, Throttled: 1}, m.Read()); diff != "" {
		t.Errorf("a reading changed the meter (-want +got):\n%s", diff)
	}
}
