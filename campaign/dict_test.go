package campaign_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"": 0, "90s": 90 * time.Second, "15m": 15 * time.Minute, "72h": 72 * time.Hour, "3d": 72 * time.Hour,
		"1d12h": 36 * time.Hour, "0d": 0, "1h30m": 90 * time.Minute, "3650d": 3650 * 24 * time.Hour,
	} {
		t.Run("reads "+text, func(t *testing.T) {
			d, err := campaign.ParseDuration(text)
			require.NoError(t, err)
			require.Equal(t, want, time.Duration(d))
			again, err := campaign.ParseDuration(d.String())
			require.NoError(t, err)
			require.Equal(t, d, again, "what it writes it reads")
		})
	}
	for _, text := range []string{"3", "d", "-1d", "-5m", "1.5d", "3 days", "3651d", "106752d", "213504d", "999999999999d", "90000h", "1d-2h"} {
		t.Run("refuses "+text, func(t *testing.T) {
			_, err := campaign.ParseDuration(text)
			require.Error(t, err)
		})
	}
	t.Run("is text in JSON and null means not set", func(t *testing.T) {
		var d campaign.Duration
		require.NoError(t, json.Unmarshal(raw(`"3d"`), &d))
		b, err := json.Marshal(d)
		require.NoError(t, err)
		require.Equal(t, `"3d"`, string(b))
		require.NoError(t, json.Unmarshal(raw(`null`), &d))
		require.Zero(t, d)
		require.ErrorContains(t, json.Unmarshal(raw(`90`), &d), "a duration is text")
	})
}

func TestIDs(t *testing.T) {
	t.Parallel()
	require.Equal(t, "ct_e2d2abfc5bcfb4c52674", campaign.ContactID("ca_1", "CONTRACT-123", "USER-456"), "frozen: rows of years carry it")
	require.Regexp(t, `^ct_[0-9a-f]{20}$`, campaign.ContactID("", "", ""))
	require.NotEqual(t, campaign.ContactID("c", "ab", "c"), campaign.ContactID("c", "a", "bc"), "lengths are part of it")
	require.Equal(t, "ct_1-3", campaign.CommunicationID("ct_1", 3))
	require.Equal(t, "ss_ct_1-3-late2", campaign.LateSessionID("ct_1-3", 2))
}

func TestDict(t *testing.T) {
	t.Parallel()
	t.Run("big integers keep their digits", func(t *testing.T) {
		var d campaign.Dict
		text := `{"account":900719925474099312345,"amount":10.50}`
		require.NoError(t, json.Unmarshal(raw(text), &d))
		b, err := json.Marshal(d)
		require.NoError(t, err)
		require.Equal(t, text, string(b))
		require.Equal(t, `{"n":900719925474099312345,"on":"2026-12-01"}`, string(campaign.Plain(raw(`{"n":900719925474099312345,"on":{"$d":"2026-12-01"}}`))))
	})
	t.Run("plain drops the tags, however deep", func(t *testing.T) {
		for tagged, want := range map[string]string{
			`{"$dt":"2026-03-02T09:00:00Z"}`:    `"2026-03-02T09:00:00Z"`,
			`[{"$d":"2026-03-02"},{"a":[1,2]}]`: `["2026-03-02",{"a":[1,2]}]`,
			`{"a":{"b":{"$d":"2026-03-02"}}}`:   `{"a":{"b":"2026-03-02"}}`,
			`{"$d":"2026-03-02","x":1}`:         `{"$d":"2026-03-02","x":1}`,
			`{"$d":5}`:                          `{"$d":5}`,
			`"$d"`:                              `"$d"`,
			`1`:                                 `1`,
		} {
			require.Equal(t, want, string(campaign.Plain(raw(tagged))))
		}
	})
	t.Run("nil is an empty dictionary", func(t *testing.T) {
		b, err := json.Marshal(campaign.Dict(nil))
		require.NoError(t, err)
		require.Equal(t, `{}`, string(b))
	})
	t.Run("keys come in order and text is text only", func(t *testing.T) {
		d := campaign.Dict{"b": raw(`"x"`), "a": raw(`1`)}
		require.Equal(t, []string{"a", "b"}, d.Keys())
		require.Equal(t, "x", d.Text("b"))
		require.Empty(t, d.Text("a"))
		require.Empty(t, d.Text("c"))
	})
}
