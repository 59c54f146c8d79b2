package human_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/human"
)

func TestHumanIsAProvider(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, channeltest.Spec{Provider: human.Provider{}, Integration: campaign.Integration{Provider: human.Name}, NoMessage: true})
}

func TestHumanSendsNoAnswer(t *testing.T) {
	t.Parallel()
	s, err := human.Provider{}.Open(campaign.Integration{}, channels.Deps{})
	require.NoError(t, err)
	m := channeltest.Outbound(campaign.Human, 1)
	m.Reply = true
	_, err = s.Send(t.Context(), m)
	require.Equal(t, channels.Invalid, channels.Classify(err).Class)
}
