package agents_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/agents"
	"carillon/campaign"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		agent campaign.Agent
		want  string
	}{
		{"an external agent needs nothing but a name", campaign.Agent{Name: "a", Kind: campaign.AgentExternal}, ""},
		{"a kind of a later build", campaign.Agent{Name: "a", Kind: campaign.AgentOpenAI}, "cannot run an agent of kind openai; it can run: external"},
		{"no kind at all", campaign.Agent{Name: "a", Kind: "oracle"}, "kind:"},
		{"no name", campaign.Agent{Kind: campaign.AgentExternal}, "name:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := agents.Validate(&tc.agent)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, campaign.CodeInvalid, campaign.CodeOf(err))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestKindsDescribeThemselves(t *testing.T) {
	t.Parallel()
	for _, k := range agents.Kinds() {
		d := k.Describe()
		require.Contains(t, campaign.AgentKinds, d.Kind)
		require.NotEmpty(t, d.Name)
		require.NotEmpty(t, d.Hint)
		require.Equal(t, k.Turns(), d.Turns)
	}
	external, ok := agents.Of(campaign.AgentExternal)
	require.True(t, ok)
	require.False(t, external.Turns())
	_, ok = agents.Of(campaign.AgentWebhook)
	require.False(t, ok)
}
