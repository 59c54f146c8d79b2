package intake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"carillon/intake"
)

// fuzzOptions type a few columns, so that conversion is fuzzed as well.
func fuzzOptions(contentType string) intake.Options {
	return intake.Options{ContentType: contentType, Partial: true, Fields: []intake.Field{
		{Name: "n", Type: "number"},
		{Name: "i", Type: "integer"},
		{Name: "b", Type: "boolean"},
		{Name: "d", Type: "date", Format: "D.M.YYYY"},
		{Name: "t", Type: "datetime"},
		{Name: "e", Type: "enum", Values: []string{"x"}},
	}}
}

// exhaust reads a file to its end and holds every row against what intake promises.
func exhaust(t *testing.T, file []byte, o intake.Options) {
	r, err := intake.Open(bytes.NewReader(file), o)
	if err != nil {
		require.Nil(t, r)
		return
	}
	line := 1
	for count := 0; ; count++ {
		require.LessOrEqual(t, count, len(file)+1, "more rows than bytes")
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(t, err)
		require.GreaterOrEqual(t, row.Line, line, "lines go forward")
		line = row.Line
		require.LessOrEqual(t, len(row.Raw), 3*intake.MaxRecord)
		require.True(t, storable(row.Raw))
		size := 0
		for name, text := range row.Fields {
			require.True(t, storable(text), name)
			size += len(text)
		}
		for name, raw := range row.Parameters {
			require.True(t, storable(name) && storable(string(raw)), name)
			require.True(t, json.Valid(raw), "%s: %s", name, raw)
			require.NotContains(t, strings.ReplaceAll(string(raw), `\\`, ""), `\u0000`)
			size += len(raw)
		}
		if !row.Failed() {
			require.LessOrEqual(t, size, intake.MaxRow)
			require.NotEmpty(t, row.Fields["object_id"])
			require.NotEmpty(t, row.Fields["external_id"])
		}
		for _, p := range row.Problems {
			require.True(t, p.Severity == intake.SeverityError || p.Severity == intake.SeverityWarning)
			require.NotEmpty(t, p.Reason)
			require.LessOrEqual(t, utf8.RuneCountInString(p.Value), 200)
			require.True(t, storable(p.Field) && storable(p.Value) && storable(p.Reason))
		}
	}
}

func storable(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

func FuzzCSV(f *testing.F) {
	sample, err := os.ReadFile("testdata/manual.csv")
	require.NoError(f, err)
	f.Add(sample)
	for _, seed := range []string{
		header + ann + "\"open\n" + ann + "x\"y\n" + ann + "z",
		"object_id;external_id;n;i;b;d;t;e\r\n1;2;1.5;7;yes;1.2.2026;2026-01-01 10:00;x\r\n",
		"\xFF\xFEo\x00b\x00j\x00e\x00c\x00t\x00i\x00d\x00,\x00e\x00x\x00t\x00e\x00r\x00n\x00a\x00l\x00i\x00d\x00\n\x001\x00,\x002\x00",
		"sep=;\nobject_id;external_id;\xc8\xe2\xe0\xed\n1;2;\xcf\xe5\xf2\xf0\r\r\n\n",
		"object_id,external_id,a\x00\n1,2,\xff\n\"\"\"\",,\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) { exhaust(t, file, fuzzOptions("text/csv")) })
}

func FuzzJSON(f *testing.F) {
	sample, err := os.ReadFile("testdata/manual.jsonl")
	require.NoError(f, err)
	f.Add(sample)
	for _, seed := range []string{
		`[{"object_id":1,"external_id":"2","n":1e3,"i":"7","b":1,"d":"1.2.2026","t":"2026-01-01 10:00","e":"x"},` + "\n17,{\"a\":[1}\n,{}]x",
		"{\n\"object_id\": 1,\r\n\"external_id\": \"\\u0000\\ud800\\ud83d\\ude00\"\r}\n{\"a\":{\"b\":[[]]}}",
		"{\"a\":\"open\n{\"a\":1\n{\"a\":\x00\xff}\n[1]\n\"x\"\n",
		`{"object_id":1,"external_id":2,"x":-0.0e+99999999,"y":[[[[{"":null}]]]]}`,
		"[[[{{{]]]", "[}", "{]", `[1 2:"3"]`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		exhaust(t, file, fuzzOptions("application/json"))
		exhaust(t, file, fuzzOptions("application/x-ndjson"))
	})
}
