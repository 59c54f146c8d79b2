package agents_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/agents"
	"carillon/agents/all"
	"carillon/agents/external"
	"carillon/campaign"
	"carillon/channels"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		agent campaign.Agent
		want  string
	}{
		{"an external agent needs nothing but a name", campaign.Agent{Name: "a", Kind: campaign.AgentExternal}, ""},
		{"an address that may not be reached", webhook("https://10.0.0.1/turns"), "settings.url: private"},
		{"an address that is none", webhook("turns"), "settings.url: \"turns\" is not an address"},
		{"a good address", webhook("https://bot.example.com/turns"), ""},
		{"no kind at all", campaign.Agent{Name: "a", Kind: "oracle"}, "kind:"},
		{"no name", campaign.Agent{Kind: campaign.AgentExternal}, "name:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := all.New(channels.NewRenderer())
			r.CheckURL = func(address string) string {
				if address == "https://10.0.0.1/turns" {
					return "private"
				}
				return ""
			}
			err := r.Validate(&tc.agent)
			if tc.want == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, campaign.CodeInvalid, campaign.CodeOf(err))
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func webhook(url string) campaign.Agent {
	return campaign.Agent{Name: "a", Kind: campaign.AgentWebhook, Settings: map[string]string{"url": url}, SecretNames: []string{"signing_key"}}
}

func TestAKindOfALaterBuild(t *testing.T) {
	t.Parallel()
	err := agents.NewRegistry(external.Kind{}).Validate(&campaign.Agent{Name: "a", Kind: campaign.AgentOpenAI})
	require.Equal(t, campaign.CodeInvalid, campaign.CodeOf(err))
	require.ErrorContains(t, err, "cannot run an agent of kind openai; it can run: external")
}

func TestKindsDescribeThemselves(t *testing.T) {
	t.Parallel()
	r := all.New(channels.NewRenderer())
	for _, d := range r.Kinds() {
		require.Contains(t, campaign.AgentKinds, d.Kind)
		require.NotEmpty(t, d.Name)
		require.NotEmpty(t, d.Hint)
		require.NotNil(t, d.Settings, "an empty list, so that JSON says []")
		require.NotNil(t, d.Secrets, "an empty list, so that JSON says []")
		require.False(t, d.Instant && !d.Turns, "%s is quick at something it does not do", d.Kind)
	}
	require.Equal(t, campaign.TurnsNone, r.Turns(campaign.AgentExternal))
	_, err := r.Open(campaign.Agent{Kind: campaign.AgentExternal}, agents.Deps{})
	require.ErrorIs(t, err, agents.ErrNoTurns)
	_, err = r.Open(campaign.Agent{Kind: "oracle"}, agents.Deps{})
	var f *agents.Failure
	require.ErrorAs(t, err, &f)
	require.True(t, f.Permanent)
}

func TestSaidIsWhatNobodyHasAnswered(t *testing.T) {
	t.Parallel()
	say := func(a campaign.Author, text string) campaign.Message {
		return campaign.Message{Author: a, Content: text}
	}
	turn := agents.Turn{Session: campaign.Session{Messages: []campaign.Message{
		say(campaign.AuthorAgent, "Hello"), say(campaign.AuthorContact, "Hi"), say(campaign.AuthorAgent, "How are you?"),
		say(campaign.AuthorContact, "Well"), say(campaign.AuthorContact, "And you?"),
	}}}
	require.Equal(t, []campaign.Message{say(campaign.AuthorContact, "Well"), say(campaign.AuthorContact, "And you?")}, turn.Said())
	require.Empty(t, (&agents.Turn{}).Said())
}
