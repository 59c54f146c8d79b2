package channeltest

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

var statuses = []string{
	campaign.ReportSent, campaign.ReportDelivered, campaign.ReportRead, campaign.ReportFailed, campaign.ReportBounced, campaign.ReportOptOut,
}

// testManual holds what a provider tells its users to what it does.
func testManual(t *testing.T, spec Spec) {
	d := spec.Provider.Describe()
	m := d.Manual
	require.True(t, strings.HasPrefix(m.Guide, "## "), "the guide begins with a heading: %.40q", m.Guide)
	for line := range strings.Lines(m.Guide) {
		require.False(t, strings.HasPrefix(line, "# "), "the page has its title already: %s", line)
	}
	_, hooked := spec.Provider.(channels.HookProvider)
	require.Equal(t, hooked, len(m.Hooks) > 0, "Hooks says where to set the addresses of its OpenHook")
	_, polled := spec.Provider.(channels.PollProvider)
	require.Equal(t, polled, m.Polls != "", "Polls says what its OpenPoll asks for")
	_, finds := open(t, spec).(channels.Finder)
	require.Equal(t, finds, m.LookUp != "", "LookUp says how its Find works")
	for _, status := range m.Reports {
		require.Contains(t, statuses, status)
	}
	if d.NoReports {
		require.NotContains(t, m.Reports, campaign.ReportDelivered)
	}
	if hooked {
		require.NotEmpty(t, m.Reports)
	}
	at := -1
	for _, c := range m.Causes {
		next := slices.Index(channels.Classes, c.Class)
		require.Greater(t, next, at, "%q is no class, is there twice or out of order", c.Class)
		require.NotEmpty(t, c.When)
		at = next
	}
	require.NotEmpty(t, m.Causes)
	for _, l := range m.Limits {
		require.True(t, l.Source == "" || strings.HasPrefix(l.Source, "https://"), l.Source)
	}
	if spec.HTTP != nil {
		require.NotEmpty(t, m.Tested, "say against what it was tested")
		require.NotEmpty(t, m.Limits)
	}
}
