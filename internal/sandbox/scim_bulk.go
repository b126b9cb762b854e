package sandbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/rollcall-id/rollcall/internal/scim"
)

// bulkOperations is how many operations a request may have.
const bulkOperations = 1000

func (a *scimApp) bulkConfig() map[string]any {
	operations := 0
	if a.facts.bulk {
		operations = bulkOperations
	}
	return map[string]any{"supported": a.facts.bulk, "maxOperations": operations, "maxPayloadSize": a.cfg.MaxBody}
}

// bulkRequest is the message of RFC 7644 section 3.7.
type bulkRequest struct {
	Schemas      []string        `json:"schemas"`
	FailOnErrors *int            `json:"failOnErrors"`
	Operations   []bulkOperation `json:"Operations"`
}

// bulkOperation is one request within it.
type bulkOperation struct {
	Method  string `json:"method"`
	BulkID  string `json:"bulkId"`
	Path    string `json:"path"`
	Version string `json:"version"`
	Data    any    `json:"data"`
}

// bulkResult is what became of it.
type bulkResult struct {
	Location string          `json:"location,omitempty"`
	Method   string          `json:"method"`
	BulkID   string          `json:"bulkId,omitempty"`
	Version  string          `json:"version,omitempty"`
	Status   string          `json:"status"`
	Response json.RawMessage `json:"response,omitempty"`
}

// bulkRun is a bulk request under way.
type bulkRun struct {
	call    *call
	ops     []bulkOperation
	results []*bulkResult     // by operation; nil: not done
	made    map[string]string // id by bulkId, of what has been made
	promise map[string]int    // the operation that makes a bulkId
	errors  int
	limit   int // errors after which nothing more is done; zero: none
}

// bulk is POST of /Bulk. An operation that refers to a resource made by a later one waits for it; operations that wait
// for each other fail with 409.
func (c *call) bulk() error {
	if c.r.Method != http.MethodPost {
		return c.notAllowed(http.MethodPost)
	}
	var request bulkRequest
	if err := json.Unmarshal(c.body, &request); err != nil {
		return scim.NewError(http.StatusBadRequest, scim.InvalidSyntax, "the body is not a BulkRequest message: %v", err)
	}
	if len(request.Schemas) != 1 || request.Schemas[0] != scim.BulkRequestURN {
		return scim.NewError(http.StatusBadRequest, scim.InvalidSyntax, "schemas must be %s", scim.BulkRequestURN)
	}
	if n := len(request.Operations); n > bulkOperations {
		return scim.NewError(http.StatusRequestEntityTooLarge, "", "%d operations; a request takes %d", n, bulkOperations)
	}
	run := &bulkRun{call: c, ops: request.Operations, results: make([]*bulkResult, len(request.Operations)),
		made: map[string]string{}, promise: map[string]int{}}
	if request.FailOnErrors != nil {
		if run.limit = *request.FailOnErrors; run.limit < 1 {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "failOnErrors must be at least 1")
		}
	}
	for i, op := range run.ops {
		if op.BulkID == "" {
			continue
		}
		if _, twice := run.promise[op.BulkID]; twice {
			return scim.NewError(http.StatusBadRequest, scim.InvalidValue, "the bulkId %s is given twice", op.BulkID)
		}
		run.promise[op.BulkID] = i
	}
	run.all()
	done := []*bulkResult{}
	for _, r := range run.results {
		if r != nil {
			done = append(done, r)
		}
	}
	answerJSON(c.w, http.StatusOK, map[string]any{"schemas": []string{scim.BulkResponseURN}, "Operations": done})
	return nil
}

// all does the operations: those that have to wait in further rounds, and in the last one those that wait in vain.
func (b *bulkRun) all() {
	for b.round(false) {
		continue
	}
	b.round(true)
}

// round does every operation that is left and need not wait, or all that are left. It reports whether it did any.
func (b *bulkRun) round(all bool) (moved bool) {
	for i, op := range b.ops {
		if b.limit > 0 && b.errors >= b.limit {
			return false
		}
		if b.results[i] != nil || !all && b.waits(op) {
			continue
		}
		b.results[i] = b.one(op)
		moved = true
		if b.results[i].failed() {
			b.errors++
		}
	}
	return moved
}

func (r *bulkResult) failed() bool { return r.Response != nil }

// bulkReference is how an operation names what another one makes (RFC 7644 section 3.7.2).
var bulkReference = regexp.MustCompile(`bulkId:([^"/\s\]]+)`)

// waits reports whether an operation names something that is still to be made.
func (b *bulkRun) waits(op bulkOperation) bool {
	found := false
	look := func(text string) string {
		for _, m := range bulkReference.FindAllStringSubmatch(text, -1) {
			at, promised := b.promise[m[1]]
			found = found || promised && b.results[at] == nil
		}
		return text
	}
	look(op.Path)
	mapTexts(op.Data, look)
	return found
}

// mapTexts gives a JSON value with f applied to every text in it.
func mapTexts(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = mapTexts(e, f)
		}
		return list
	case map[string]any:
		object := make(map[string]any, len(v))
		for k, e := range v {
			object[k] = mapTexts(e, f)
		}
		return object
	}
	return v
}

// one does one operation as a request of its own.
func (b *bulkRun) one(op bulkOperation) *bulkResult {
	result := &bulkResult{Method: op.Method, BulkID: op.BulkID}
	w := &reply{}
	w.reset()
	if op, err := b.resolve(op); err != nil {
		b.call.app.answerError(b.call, w, err)
	} else {
		b.serve(op, w)
		result.Location = w.header.Get("Location")
		if op.Method != http.MethodPost {
			result.Location = b.call.origin + op.Path
		}
	}
	if w.status == 0 {
		w.status = http.StatusOK
	}
	result.Status = strconv.Itoa(w.status)
	result.Version = w.header.Get("ETag")
	if w.status >= 400 {
		result.Response = w.body.Bytes()
	} else if op.Method == http.MethodPost {
		b.made[op.BulkID] = result.Location[strings.LastIndexByte(result.Location, '/')+1:]
	}
	return result
}

// resolve checks an operation and puts ids in place of the bulkIds that it refers to.
func (b *bulkRun) resolve(op bulkOperation) (bulkOperation, error) {
	switch op.Method {
	case http.MethodPost:
		if op.BulkID == "" {
			return op, scim.NewError(http.StatusBadRequest, scim.InvalidValue, "POST needs a bulkId")
		}
	case http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		return op, scim.NewError(http.StatusBadRequest, scim.InvalidValue, "the method is %q; it must be POST, PUT, PATCH or DELETE", op.Method)
	}
	var missing string
	fill := func(text string) string {
		return bulkReference.ReplaceAllStringFunc(text, func(reference string) string {
			name := strings.TrimPrefix(reference, "bulkId:")
			id, ok := b.made[name]
			if !ok {
				missing = name
			}
			return id
		})
	}
	op.Path, op.Data = fill(op.Path), mapTexts(op.Data, fill)
	if missing != "" {
		return op, scim.NewError(http.StatusConflict, "", "nothing was made as bulkId %s", missing)
	}
	if !strings.HasPrefix(op.Path, "/"+usersPath) && !strings.HasPrefix(op.Path, "/"+groupsPath) {
		return op, scim.NewError(http.StatusBadRequest, scim.InvalidPath, "the path %q is not that of a user or group", op.Path)
	}
	return op, nil
}

func (b *bulkRun) serve(op bulkOperation, w *reply) {
	body, err := json.Marshal(op.Data)
	if err != nil {
		b.call.app.answerError(b.call, w, err)
		return
	}
	r := b.call.r.Clone(b.call.r.Context())
	r.Method, r.URL = op.Method, &url.URL{Path: op.Path}
	r.Header.Del("If-Match")
	if op.Version != "" {
		r.Header.Set("If-Match", op.Version)
	}
	b.call.app.serve(w, r, op.Path, body)
}
