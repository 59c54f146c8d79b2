package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// errNotHistory says what a history file looks like.
var errNotHistory = errors.New(`this is no workflow history: it should be an object with "events", as the Web UI's Download writes it, or temporal workflow show -o json`)

// readHistory reads a history as the Web UI downloads it, with payloads as they are
// or decoded; as the CLI and the HTTP API write it; plain or gzipped.
func readHistory(path string) (*historypb.History, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(raw, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if raw, err = io.ReadAll(z); err != nil { //nolint:gosec // the caller's own file
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
	h, err := parseHistory(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return h, nil
}

func parseHistory(raw []byte) (*historypb.History, error) {
	dec := json.NewDecoder(bytes.NewReader(bytes.TrimPrefix(raw, []byte("\ufeff"))))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("%w (%w)", errNotHistory, err)
	}
	events := eventsOf(doc)
	if len(events) == 0 {
		return nil, errNotHistory
	}
	text, err := json.Marshal(map[string]any{"events": encoded("", events)})
	if err != nil {
		return nil, err
	}
	h, err := client.HistoryFromJSON(bytes.NewReader(text), client.HistoryJSONOptions{})
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", errNotHistory, err)
	}
	return h, nil
}

// eventsOf finds the events: a bare list, {"events": …} or {"history": {"events": …}}.
func eventsOf(doc any) []any {
	switch v := doc.(type) {
	case []any:
		return v
	case map[string]any:
		if events, ok := v["events"].([]any); ok {
			return events
		}
		return eventsOf(v["history"])
	default:
		return nil
	}
}

// encoded puts payloads that were decoded for reading back into the form they are
// sent in. A payload is what stands in "payloads", in the fields of a memo, a header
// or search attributes, and in a summary or details of user metadata.
func encoded(key string, v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			if key == "payloads" {
				v[i] = payload(v[i])
			} else {
				v[i] = encoded("", v[i])
			}
		}
		return v
	case map[string]any:
		for k, x := range v {
			switch {
			case key == "fields" || key == "indexedFields" || key == "userMetadata" && (k == "summary" || k == "details"):
				v[k] = payload(x)
			case k == "data" && isPayload(v), k == "metadata" && isPayload(v):
			default:
				v[k] = encoded(k, x)
			}
		}
		return v
	default:
		return v
	}
}

// isPayload reports whether a value has the form that payloads are sent in.
func isPayload(v any) bool {
	m, ok := v.(map[string]any)
	if !ok {
		return false
	}
	meta, ok := m["metadata"].(map[string]any)
	if !ok {
		return false
	}
	encoding, ok := meta["encoding"].(string)
	if !ok {
		return false
	}
	_, err := base64.StdEncoding.DecodeString(encoding)
	return err == nil
}

func payload(v any) any {
	if isPayload(v) {
		return v
	}
	text, err := json.Marshal(v)
	if err != nil { // it was read from JSON
		return v
	}
	encode := base64.StdEncoding.EncodeToString
	return map[string]any{"metadata": map[string]any{"encoding": encode([]byte("json/plain"))}, "data": encode(text)}
}
