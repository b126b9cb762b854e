package store

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rollcall-id/rollcall/internal/packed"
)

func exampleDetails() *LogDetails {
	return &LogDetails{
		ChangeID: "c1", JobName: "SAP Litmos", Took: 12 * time.Millisecond, Reason: "the target refused it",
		Source: LogEnd{ID: "csv", Name: "people.csv", Type: "User"}, Target: LogEnd{ID: "scim", Name: "litmos.example", Type: "Person"},
		Properties: []LogProperty{{DisplayName: "title", OldValue: "Clerk", NewValue: "<Head>"}, {DisplayName: "active", NewValue: true}, {DisplayName: "level", NewValue: int64(3)}},
		Steps: []LogStep{
			{Name: "EntryImportUpdate", Type: "import", Status: "success", Description: "was read", Details: LogFigures{{"SourceAnchor", "7"}, {"B", "1"}, {"A", "2"}}},
			{Name: "EntrySynchronizationSkip", Type: "processing", Status: "skipped", Description: "out of scope"},
		},
		By: "helpdesk",
	}
}

func exampleRecord() *LogRecord {
	return &LogRecord{ID: "r1", JobID: "j1", CycleID: "y1", At: time.Date(2026, 3, 1, 9, 30, 0, 123456000, time.UTC), Action: "update", Status: "failure", Rule: "users",
		SourceID: "7", SourceName: "Ada", TargetID: "t7", ErrorCode: "EntryConflict", Doc: exampleDetails().Pack()}
}

func TestARecordIsAProvisioningObjectSummary(t *testing.T) { // engine.R145
	const want = `{"id":"r1","activityDateTime":"2026-03-01T09:30:00.123456Z","jobId":"j1","cycleId":"y1","changeId":"c1","provisioningAction":"update",` +
		`"durationInMilliseconds":12,"initiatedBy":{"id":"helpdesk","displayName":"helpdesk","initiatorType":"user"},` +
		`"servicePrincipal":{"id":"j1","displayName":"SAP Litmos"},"sourceSystem":{"id":"csv","displayName":"people.csv"},` +
		`"targetSystem":{"id":"scim","displayName":"litmos.example"},"sourceIdentity":{"id":"7","displayName":"Ada","identityType":"User"},` +
		`"targetIdentity":{"id":"t7","displayName":"Ada","identityType":"Person"},` +
		`"provisioningStatusInfo":{"status":"failure","errorInformation":{"errorCode":"EntryConflict","reason":"the target refused it","errorCategory":"nonServiceFailure"}},` +
		`"modifiedProperties":[{"displayName":"title","oldValue":"Clerk","newValue":"\u003cHead\u003e"},{"displayName":"active","oldValue":null,"newValue":true},` +
		`{"displayName":"level","oldValue":null,"newValue":3}],"provisioningSteps":[{"name":"EntryImportUpdate","provisioningStepType":"import","status":"success",` +
		`"description":"was read","details":{"A":"2","B":"1","SourceAnchor":"7"}},{"name":"EntrySynchronizationSkip","provisioningStepType":"processing",` +
		`"status":"skipped","description":"out of scope","details":{}}]}`
	got, err := exampleRecord().JSON()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestARecordOfNothingHasEmptyLists(t *testing.T) {
	r := LogRecord{Status: "success", Doc: new(LogDetails).Pack()}
	b, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"modifiedProperties": []any{}, "provisioningSteps": []any{}, "provisioningStatusInfo": map[string]any{"status": "success", "errorInformation": nil}}
	for name, value := range want {
		if diff := cmp.Diff(value, got[name]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestDetailsKeepEveryField(t *testing.T) {
	want, got := exampleDetails(), new(LogDetails)
	for v, i := reflect.ValueOf(want).Elem(), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("the example has no %s", v.Type().Field(i).Name)
		}
	}
	if err := packed.Unpack(versionLogDetails, want.Pack(), got.code); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestADamagedRecordSaysWhich(t *testing.T) {
	r := exampleRecord()
	r.Doc = r.Doc[:len(r.Doc)-1]
	_, err := r.JSON()
	if want := "log record r1: the document is damaged, or of another version of rollcall"; err == nil || err.Error() != want {
		t.Errorf("got the error %v, want %s", err, want)
	}
}

func TestADocumentInGraphsFormStaysAsItIs(t *testing.T) {
	for _, doc := range []string{"", `{"id":"r1"}`} {
		r := LogRecord{Doc: []byte(doc)}
		if got, err := r.JSON(); err != nil || string(got) != doc {
			t.Errorf("%q became %q, %v", doc, got, err)
		}
	}
}
