package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Histories of every type that was recorded, in every form they are handed on.
func TestReplayTakesEveryFormOfAHistory(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"happy", "happy-import", "happy-launch", "reply"} {
		f, err := os.Open("../../workflows/testdata/replay/" + name + ".json.gz")
		require.NoError(t, err)
		t.Cleanup(func() { _ = f.Close() })
		z, err := gzip.NewReader(f)
		require.NoError(t, err)
		raw, err := io.ReadAll(z)
		require.NoError(t, err)
		var doc map[string]any
		require.NoError(t, json.Unmarshal(raw, &doc))
		decoded := string(must(json.Marshal(readable(doc))))
		require.NotContains(t, decoded, "anNvbi9wbGFpbg==")
		for form, text := range map[string]string{
			"as downloaded":         string(raw),
			"with decoded payloads": decoded,
			"of the HTTP API":       `{"history":` + string(raw) + `,"nextPageToken":null}`,
			"a bare list":           string(must(json.Marshal(doc["events"]))),
			"with a byte order":     "\ufeff" + string(raw),
		} {
			file := filepath.Join(t.TempDir(), "history.json")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			var out bytes.Buffer
			require.NoError(t, (&replayCmd{File: file}).Run(t.Context(), &out), "%s %s", name, form)
			require.Contains(t, out.String(), "replays on this build")
		}
	}
	require.NoError(t, (&replayCmd{File: "../../workflows/testdata/replay/happy.json.gz"}).Run(t.Context(), io.Discard), "gzipped")
}

func TestReplaySaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{"name":"x"}`:                 "this is no workflow history",
		`not JSON`:                     "this is no workflow history",
		`{"events":[{"eventId":"x"}]}`: "this is no workflow history",
		`{"events":[{"eventId":"1","eventType":"EVENT_TYPE_WORKFLOW_EXECUTION_STARTED","workflowExecutionStartedEventAttributes":{"workflowType":{"name":"Other"}}}]}`: "does not replay",
	} {
		file := filepath.Join(t.TempDir(), "history.json")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		require.ErrorContains(t, (&replayCmd{File: file}).Run(t.Context(), io.Discard), says, text)
	}
	require.ErrorContains(t, (&replayCmd{}).Run(t.Context(), io.Discard), "give a history file or --workflow-id")
}

// readable decodes payloads of JSON in place, as the Web UI does for reading.
func readable(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = readable(v[i])
		}
	case map[string]any:
		if isPayload(v) {
			data, _ := v["data"].(string)
			plain, err := base64.StdEncoding.DecodeString(data)
			var value any
			dec := json.NewDecoder(strings.NewReader(string(plain)))
			dec.UseNumber()
			if err == nil && dec.Decode(&value) == nil {
				return value
			}
			return v
		}
		for k := range v {
			v[k] = readable(v[k])
		}
	}
	return v
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
