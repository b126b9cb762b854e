package plan

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The names of a change in JSON are part of what stays stable (design 6.1).
func TestChangeInJSON(t *testing.T) {
	got, err := json.MarshalIndent(Change{
		Action: Modify, Rule: "users", Source: Identity{ID: "7", DisplayName: "Ada"}, Target: TargetID{ID: "t7"},
		Reason: "changed in the source", Properties: []Property{{Name: "title", Old: nil, New: "Boss"}},
	}, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "action": "update",
  "rule": "users",
  "source": {
    "id": "7",
    "displayName": "Ada"
  },
  "target": {
    "id": "t7"
  },
  "reason": "changed in the source",
  "properties": [
    {
      "name": "title",
      "old": null,
      "new": "Boss"
    }
  ]
}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
