package campaign_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestResultFieldReads(t *testing.T) {
	t.Parallel()
	list := []string{"Card", "Cash"}
	for _, tc := range []struct {
		kind, said, want string
		values           []string
	}{
		{kind: "", said: " anything ", want: `"anything"`},
		{kind: "string", said: "text", want: `"text"`},
		{kind: "integer", said: "007", want: "7"},
		{kind: "integer", said: "0", want: "0"},
		{kind: "integer", said: "-12", want: "-12"},
		{kind: "integer", said: "1 200", want: "1200"},
		{kind: "integer", said: "12345678901234567890", want: "12345678901234567890"},
		{kind: "integer", said: "1.5"},
		{kind: "integer", said: "twelve"},
		{kind: "number", said: "+12.50", want: "12.50"},
		{kind: "number", said: "12,5", want: "12.5"},
		{kind: "number", said: "1,200"},
		{kind: "number", said: "1.200,50"},
		{kind: "number", said: "0.1234", want: "0.1234"},
		{kind: "boolean", said: "True", want: "true"},
		{kind: "boolean", said: "yes"},
		{kind: "date", said: "24.12.2026", want: `"2026-12-24"`},
		{kind: "date", said: "1.2.2026", want: `"2026-02-01"`},
		{kind: "date", said: "31.02.2026"},
		{kind: "date", said: "tomorrow"},
		{kind: "datetime", said: "2026-12-24T10:00:00+01:00", want: `"2026-12-24T10:00:00+01:00"`},
		{kind: "datetime", said: "2026-12-24"},
		{kind: "enum", said: "CARD", values: list, want: `"Card"`},
		{kind: "enum", said: "cheque", values: list},
		{kind: "string", said: "cash", values: list, want: `"Cash"`},
	} {
		t.Run(tc.kind+" "+tc.said, func(t *testing.T) {
			t.Parallel()
			f := campaign.ResultField{Name: "r", Type: tc.kind, Values: tc.values}
			got, ok := f.Read(tc.said)
			require.Equal(t, tc.want != "", ok)
			if ok {
				require.Equal(t, tc.want, string(got))
				require.NoError(t, f.Check(got))
			}
		})
	}
}

func TestResultFieldChecks(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ kind, value, want string }{
		{"string", `"x"`, ""},
		{"string", `1`, "1 is not a string"},
		{"integer", `1.0`, "is not an integer"},
		{"integer", `null`, ""},
		{"number", `1e3`, ""},
		{"boolean", `"true"`, "is not a boolean"},
		{"date", `{"$d":"2026-12-01"}`, ""},
		{"date", `"1.12.2026"`, "is not a date such as"},
		{"datetime", `"2026-12-01T10:00:00Z"`, ""},
		{"enum", `"b"`, `"b" is not one of a`},
		{"", `[1]`, ""},
	} {
		f := campaign.ResultField{Name: "r", Type: tc.kind}
		if tc.kind == "enum" {
			f.Values = []string{"a"}
		}
		err := f.Check(json.RawMessage(tc.value))
		if tc.want == "" {
			require.NoError(t, err, "%s %s", tc.kind, tc.value)
			continue
		}
		require.ErrorContains(t, err, tc.want)
	}
}
