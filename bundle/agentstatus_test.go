package bundle_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/bundle"
	"carillon/campaign"
)

func TestAnAgentInErrorRunsInItsBundle(t *testing.T) {
	t.Parallel()
	for status, want := range map[campaign.AgentStatus]campaign.AgentStatus{
		campaign.AgentError: campaign.AgentRunning, campaign.AgentRunning: campaign.AgentRunning, campaign.AgentStopped: campaign.AgentStopped,
	} {
		a := bundle.FromAgent(&campaign.Agent{Name: "Anna", Status: status})
		require.Equal(t, want, a.Status)
	}
}
