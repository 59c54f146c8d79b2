package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testWholes(t *testing.T, s *store.Store) {
	ctx := t.Context()
	stage := func(name string) campaign.Stage {
		return campaign.Stage{Name: name, Weight: 1, Delivery: campaign.Delivery{Channel: campaign.Human}}
	}
	w := store.Whole{
		Campaign:     campaign.Campaign{ID: "ca_w1", Name: "Whole", Status: campaign.Draft},
		Integrations: []campaign.Integration{{ID: "in_w", Name: "Box", Provider: "outbox"}},
		Agents:       []campaign.Agent{{ID: "ag_w", Name: "Anna", Kind: campaign.AgentExternal, Status: campaign.AgentRunning}},
		Stages:       []campaign.Stage{stage("Z"), stage("A")},
		Strategies:   []campaign.Strategy{{Name: "plan", Type: campaign.DataLoad, Function: "run", Code: "x"}},
	}
	require.NoError(t, s.CreateWhole(ctx, w))
	stages, err := s.Stages(ctx, "ca_w1")
	require.NoError(t, err)
	require.Equal(t, []string{"Z", "A"}, ids(stages, func(v campaign.Stage) string { return v.Name }), "in the order they came in")
	require.Equal(t, 2, stages[1].Position)
	v, err := s.ActiveStrategy(ctx, "ca_w1", campaign.DataLoad)
	require.NoError(t, err)
	require.Equal(t, 1, v.Version)
	require.NotEmpty(t, v.Hash)
	a, err := s.Agent(ctx, "Anna")
	require.NoError(t, err)
	require.Equal(t, campaign.AgentRunning, a.Status)

	// The last part fails: nothing of it is there.
	w.Campaign.ID, w.Agents, w.Integrations = "ca_w2", []campaign.Agent{{ID: "ag_w2", Name: "Otto"}}, nil
	w.Strategies = append(w.Strategies, w.Strategies[0])
	require.ErrorIs(t, s.CreateWhole(ctx, w), store.ErrConflict)
	_, err = s.Campaign(ctx, "ca_w2")
	require.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Agent(ctx, "Otto")
	require.ErrorIs(t, err, store.ErrNotFound)
}
