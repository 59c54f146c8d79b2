package campaign_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestNextOpen(t *testing.T) {
	t.Parallel()
	office := campaign.Hours{}
	for _, d := range []string{"mon", "tue", "wed", "thu", "fri"} {
		office[d] = [][2]string{{"09:00", "12:00"}, {"13:00", "18:00"}}
	}
	always := campaign.Hours{}
	for _, d := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		always[d] = [][2]string{{"00:00", "24:00"}}
	}
	night := campaign.Hours{"sun": {{"02:30", "04:00"}}}
	for _, c := range []struct {
		name, zone, at, want string
		rules                campaign.Rules
		ch                   campaign.Channel
	}{
		{"without rules every moment is open", "Europe/Berlin", "2026-03-01T03:00:00+01:00", "2026-03-01T03:00:00+01:00", campaign.Rules{}, ""},
		{"inside a span it is open now", "Europe/Berlin", "2026-03-02T09:30:15+01:00", "2026-03-02T09:30:15+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}}, ""},
		{"the first minute is open", "Europe/Berlin", "2026-03-02T09:00:00+01:00", "2026-03-02T09:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}}, ""},
		{"the last minute's end is closed", "Europe/Berlin", "2026-03-02T12:00:00+01:00", "2026-03-02T13:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}}, ""},
		{"before the first span it waits for it", "Europe/Berlin", "2026-03-02T08:59:59+01:00", "2026-03-02T09:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}}, ""},
		{"after Friday comes Monday", "Europe/Berlin", "2026-03-06T18:00:00+01:00", "2026-03-09T09:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}}, ""},
		{"a holiday is skipped", "Europe/Berlin", "2026-03-06T18:00:00+01:00", "2026-03-10T09:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}, Holidays: []string{"2026-03-09"}}, ""},
		{"holidays alone close whole days", "Europe/Berlin", "2026-12-25T10:00:00+01:00", "2026-12-27T00:00:00+01:00", campaign.Rules{Holidays: []string{"2026-12-25", "2026-12-26"}}, ""},
		{"a holiday is a local date", "America/New_York", "2026-12-26T03:00:00Z", "2026-12-26T05:00:00Z", campaign.Rules{Holidays: []string{"2026-12-25"}}, ""},
		{"a channel's own hours win over the others'", "Europe/Berlin", "2026-03-07T10:00:00+01:00", "2026-03-07T10:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office, "sip": always}}, campaign.SIP},
		{"spans may come in any order", "Europe/Berlin", "2026-03-02T08:00:00+01:00", "2026-03-02T09:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": {"mon": {{"13:00", "18:00"}, {"09:00", "12:00"}}}}}, ""},
		{"spans in any order are open in each", "Europe/Berlin", "2026-03-02T09:30:00+01:00", "2026-03-02T09:30:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": {"mon": {{"13:00", "18:00"}, {"09:00", "12:00"}}}}}, ""},
		{"across the spring change the local hour counts", "Europe/Berlin", "2026-03-27T19:00:00+01:00", "2026-03-30T09:00:00+02:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}}, ""},
		{"across the autumn change too", "Europe/Berlin", "2026-10-23T19:00:00+02:00", "2026-10-26T09:00:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": office}}, ""},
		{"an opening that the clocks skip comes later, not earlier", "America/New_York", "2026-03-08T00:10:00-05:00", "2026-03-08T03:30:00-04:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": night}}, ""},
		{"both hours of the autumn night count", "Europe/Berlin", "2026-10-25T02:45:00+01:00", "2026-10-25T02:45:00+01:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": night}}, ""},
		{"a day without a midnight is still that day", "America/Santiago", "2026-09-05T22:00:00-04:00", "2026-09-06T01:00:00-03:00", campaign.Rules{Hours: map[string]campaign.Hours{"*": {"sun": {{"00:00", "24:00"}}}}}, ""},
		{"a day without a midnight is its own holiday", "America/Santiago", "2026-09-06T12:00:00-03:00", "2026-09-07T00:00:00-03:00", campaign.Rules{Holidays: []string{"2026-09-06"}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			loc, err := time.LoadLocation(c.zone)
			require.NoError(t, err)
			at, err := time.Parse(time.RFC3339, c.at)
			require.NoError(t, err)
			want, err := time.Parse(time.RFC3339, c.want)
			require.NoError(t, err)
			ch := c.ch
			if ch == "" {
				ch = campaign.Email
			}
			got, ok := c.rules.NextOpen(ch, at, loc)
			require.True(t, ok)
			require.True(t, want.Equal(got), "want %s, got %s", want, got)
		})
	}
	t.Run("hours that never open say so", func(t *testing.T) {
		r := campaign.Rules{Hours: map[string]campaign.Hours{"*": {}}}
		_, ok := r.NextOpen(campaign.Email, monday, time.UTC)
		require.False(t, ok)
	})
}
