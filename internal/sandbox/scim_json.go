package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"

	jsonx "github.com/go-json-experiment/json"
)

// decodeObject reads a JSON object about twice as fast as encoding/json would. It refuses names that occur twice
// and text that is not UTF-8, which no client means to send.
func decodeObject(data []byte) (map[string]any, error) {
	var object map[string]any
	if err := jsonx.Unmarshal(data, &object); err != nil {
		return nil, err
	}
	return object, nil
}

// appendJSON writes a decoded JSON value with names in order, so that equal values give equal text.
func appendJSON(b []byte, v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case string:
		b = append(b, '"')
		b = appendText(b, v)
		return append(b, '"'), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case map[string]any:
		b = append(b, '{')
		b, err := appendMembers(b, v)
		return append(b, '}'), err
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendJSON(b, e); err != nil {
				return b, err
			}
		}
		return append(b, ']'), nil
	}
	data, err := json.Marshal(v)
	return append(b, data...), err
}

// appendMembers writes what stands between the braces of an object.
func appendMembers(b []byte, object map[string]any) ([]byte, error) {
	var room [32]string // enough for nearly every object, without allocation
	keys := room[:0]
	for k := range object {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for i, k := range keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = appendText(b, k)
		b = append(b, '"', ':')
		var err error
		if b, err = appendJSON(b, object[k]); err != nil {
			return b, err
		}
	}
	return b, nil
}
