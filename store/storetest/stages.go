package storetest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testStages(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Draft)
	for i, name := range []string{"Hello", "Reminder", "End"} {
		v, err := s.CreateStage(ctx, campaign.Stage{ID: fmt.Sprintf("st_%d", i+1), CampaignID: "ca_1", Name: name, CreatedAt: now})
		require.NoError(t, err)
		require.Equal(t, i+1, v.Position)
		require.Equal(t, 1, v.Version)
	}
	_, err := s.CreateStage(ctx, campaign.Stage{ID: "st_4", CampaignID: "ca_1", Name: "Hello"})
	require.ErrorIs(t, err, store.ErrConflict)
	_, err = s.CreateStage(ctx, campaign.Stage{ID: "st_4", CampaignID: "none", Name: "Hello"})
	require.ErrorIs(t, err, store.ErrNotFound)
	v, err := s.StageByName(ctx, "ca_1", "Reminder")
	require.NoError(t, err)
	require.Equal(t, "st_2", v.ID)
	_, err = s.Stage(ctx, "other", "st_2")
	require.ErrorIs(t, err, store.ErrNotFound)

	v, err = s.UpdateStage(ctx, "ca_1", "st_2", func(v *campaign.Stage) error { v.Name = "Second"; return nil })
	require.NoError(t, err)
	require.Equal(t, 2, v.Version)
	_, err = s.UpdateStage(ctx, "ca_1", "st_2", func(v *campaign.Stage) error { v.Name = "End"; return nil })
	require.ErrorIs(t, err, store.ErrConflict)

	require.NoError(t, s.OrderStages(ctx, "ca_1", []string{"st_3", "st_1", "st_2"}))
	require.ErrorIs(t, s.OrderStages(ctx, "ca_1", []string{"st_3", "st_1"}), store.ErrConflict)
	require.ErrorIs(t, s.OrderStages(ctx, "ca_1", []string{"st_3", "st_1", "st_1"}), store.ErrConflict)
	all, err := s.Stages(ctx, "ca_1")
	require.NoError(t, err)
	require.Equal(t, []string{"st_3", "st_1", "st_2"}, ids(all, func(v campaign.Stage) string { return v.ID }))

	addContacts(t, s, "ca_1", newContact("ca_1", 1))
	require.ErrorIs(t, s.DeleteStage(ctx, "ca_1", "st_1"), store.ErrConflict, "a planned communication names it")
	require.NoError(t, s.DeleteStage(ctx, "ca_1", "st_3"))
	require.ErrorIs(t, s.DeleteStage(ctx, "ca_1", "st_3"), store.ErrNotFound)
	id := newContact("ca_1", 1).ID
	_, err = s.UpdateContact(ctx, "ca_1", id, func(c *campaign.Contact) ([]campaign.Decision, error) {
		c.Communications[0].Status.Status = campaign.CommunicationCanceled
		c.CurrentStage = "Second"
		return nil, nil
	})
	require.NoError(t, err)
	require.NoError(t, s.DeleteStage(ctx, "ca_1", "st_1"), "its communication has ended")
	require.ErrorIs(t, s.DeleteStage(ctx, "ca_1", "st_2"), store.ErrConflict, "a contact is in it")
}

func testStrategies(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Draft)
	v, err := s.CreateStrategy(ctx, campaign.Strategy{ID: "sg_1", CampaignID: "ca_1", Name: "load", Type: campaign.DataLoad, Function: "run", Code: "a"})
	require.NoError(t, err)
	require.Equal(t, 1, v.Version)
	require.NotEmpty(t, v.Hash)
	_, err = s.CreateStrategy(ctx, campaign.Strategy{ID: "sg_2", CampaignID: "ca_1", Name: "again", Type: campaign.DataLoad, Code: "a"})
	require.ErrorIs(t, err, store.ErrConflict)

	twice(t, func() error { return s.MarkSlow(ctx, "sg_1", 1) })
	v, err = s.UpdateStrategy(ctx, "ca_1", "sg_1", func(v *campaign.Strategy) error { v.Name = "renamed"; return nil })
	require.NoError(t, err)
	require.Equal(t, 1, v.Version)
	require.True(t, v.Slow)
	v, err = s.UpdateStrategy(ctx, "ca_1", "sg_1", func(v *campaign.Strategy) error { v.Code = "b"; return nil })
	require.NoError(t, err)
	require.Equal(t, 2, v.Version)
	require.False(t, v.Slow, "the new version has not run yet")
	versions, err := s.StrategyVersions(ctx, "ca_1", "sg_1")
	require.NoError(t, err)
	require.Len(t, versions, 2)
	require.Equal(t, "b", versions[0].Code)
	require.Equal(t, "a", versions[1].Code)
	require.True(t, versions[1].Slow)
	v, err = s.ActiveStrategy(ctx, "ca_1", campaign.DataLoad)
	require.NoError(t, err)
	require.Equal(t, "b", v.Code)

	require.NoError(t, s.MarkQuarantined(ctx, "ca_2", v.Hash), "another campaign's copy is not this one")
	require.NoError(t, s.MarkQuarantined(ctx, "ca_1", "no version has this"))
	v, err = s.Strategy(ctx, "ca_1", "sg_1")
	require.NoError(t, err)
	require.False(t, v.Quarantined)
	twice(t, func() error { return s.MarkQuarantined(ctx, "ca_1", v.Hash) })
	v, err = s.UpdateStrategy(ctx, "ca_1", "sg_1", func(v *campaign.Strategy) error { v.Name, v.Quarantined = "kept", false; return nil })
	require.NoError(t, err)
	require.True(t, v.Quarantined, "another name is the same version")
	v, err = s.UpdateStrategy(ctx, "ca_1", "sg_1", func(v *campaign.Strategy) error { v.Code, v.Quarantined = "a", true; return nil })
	require.NoError(t, err)
	require.False(t, v.Quarantined, "another version has done nothing")
	twice(t, func() error { return s.MarkQuarantined(ctx, "ca_1", v.Hash) })
	versions, err = s.StrategyVersions(ctx, "ca_1", "sg_1")
	require.NoError(t, err)
	require.Equal(t, []bool{true, true, true}, []bool{versions[0].Quarantined, versions[1].Quarantined, versions[2].Quarantined}, "version 1 has the code of version 3")
	require.True(t, versions[2].Slow)
	v, err = s.UpdateStrategy(ctx, "ca_1", "sg_1", func(v *campaign.Strategy) error { v.Code = "b"; return nil })
	require.NoError(t, err)
	require.True(t, v.Quarantined, "code that was quarantined is so again")
	again, err := s.CreateStrategy(ctx, campaign.Strategy{ID: "sg_3", CampaignID: "ca_1", Name: "n", Type: campaign.Aggregation, Code: "b", Quarantined: true})
	require.NoError(t, err)
	require.False(t, again.Quarantined)
	require.NoError(t, s.DeleteStrategy(ctx, "ca_1", "sg_3"))
	_, err = s.ActiveStrategy(ctx, "ca_1", campaign.Aggregation)
	require.ErrorIs(t, err, store.ErrNotFound)

	for i := range 5 {
		run := campaign.StrategyRun{
			ID: fmt.Sprintf("r%d", i), At: now, CampaignID: "ca_1", ContactID: fmt.Sprintf("c%d", i%2), StrategyID: "sg_1",
			Type: campaign.DataLoad, Version: 1 + i%2, Status: "ok", Logs: []campaign.LogLine{{Level: "info", Message: "hi"}},
		}
		twice(t, func() error { return s.AddRun(ctx, run) })
	}
	runs := pages(t, 2, func(p store.Page) (store.List[campaign.StrategyRun], error) {
		return s.Runs(ctx, store.RunFilter{CampaignID: "ca_1", Status: "ok"}, p)
	})
	require.Equal(t, []string{"r4", "r3", "r2", "r1", "r0"}, ids(runs, func(r campaign.StrategyRun) string { return r.ID }))
	items, err := s.Runs(ctx, store.RunFilter{ContactID: "c1", Version: 2, Type: campaign.DataLoad}, store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 2)

	require.NoError(t, s.DeleteStrategy(ctx, "ca_1", "sg_1"))
	require.ErrorIs(t, s.DeleteStrategy(ctx, "ca_1", "sg_1"), store.ErrNotFound)
}
