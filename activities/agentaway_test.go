package activities_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/agents"
	"carillon/campaign"
)

func TestAnAgentThatGivesNoAnswersIsShownInErrorUntilItDoes(t *testing.T) {
	t.Parallel()
	d, e, in := parlour(t)
	agent := func() campaign.Agent {
		a, err := d.store.Agent(t.Context(), "ag")
		require.NoError(t, err)
		return a
	}
	began := agent().Version
	e.err = &agents.Failure{Err: errors.New("the model answers 503 Service Unavailable")}
	for n := range 6 {
		_, err := takeTurn(d, in)
		require.Error(t, err, "the activity is repeated")
		if n < 2 {
			require.Equal(t, campaign.AgentRunning, agent().Status, "it may be over in a second")
		}
	}
	require.Equal(t, campaign.AgentError, agent().Status)
	require.Equal(t, "it has given no answer since 2026-11-02 09:00 UTC and is asked again; the last time: the model answers 503 Service Unavailable (turn two)", agent().StatusMessage)
	require.Equal(t, began+1, agent().Version, "one write for the change")

	gate := d.input("wa")
	require.Equal(t, campaign.SendSent, d.ends(gate), "nothing is held for it")
	e.err = nil
	out, err := takeTurn(d, in)
	require.NoError(t, err)
	require.Nil(t, out.Held)
	require.NotEmpty(t, out.Content)
	require.Equal(t, campaign.AgentRunning, agent().Status)
	require.Empty(t, agent().StatusMessage)
	require.Equal(t, began+2, agent().Version)
}

func TestAnAgentThatWasStoppedMeanwhileStaysStopped(t *testing.T) {
	t.Parallel()
	d, e, in := parlour(t)
	e.err = &agents.Failure{Err: errors.New("the model cannot be reached")}
	e.meanwhile = func() {
		_, err := d.store.UpdateAgent(t.Context(), "ag", func(a *campaign.Agent) error {
			if e.turns == 3 {
				a.Status = campaign.AgentStopped
			}
			return nil
		})
		require.NoError(t, err)
	}
	for range 3 {
		_, err := takeTurn(d, in)
		require.Error(t, err)
	}
	a, err := d.store.Agent(t.Context(), "ag")
	require.NoError(t, err)
	require.Equal(t, campaign.AgentStopped, a.Status)
	require.Empty(t, a.StatusMessage)
}

func TestWhatAnAgentRefusesForGoodIsNoOutage(t *testing.T) {
	t.Parallel()
	d, e, in := parlour(t)
	e.err = &agents.Failure{Permanent: true, Err: errors.New("the model takes no such request")}
	for range 4 {
		out, err := takeTurn(d, in)
		require.NoError(t, err)
		require.NotEmpty(t, out.Error)
	}
	a, err := d.store.Agent(t.Context(), "ag")
	require.NoError(t, err)
	require.Equal(t, campaign.AgentRunning, a.Status)
}
