package storetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testCampaigns(t *testing.T, s *store.Store) {
	ctx := t.Context()
	v := campaign.Campaign{
		ID: "ca_1", Name: "Winter 100%", Description: "remind_me", Labels: []string{"Debt"}, Timezone: "Europe/Berlin",
		Status: campaign.Draft, CreatedAt: now, Fields: []campaign.Field{{Name: "city", Type: "string", Indexed: true}},
	}
	require.NoError(t, s.CreateCampaign(ctx, v))
	require.ErrorIs(t, s.CreateCampaign(ctx, v), store.ErrConflict)
	got, err := s.Campaign(ctx, "ca_1")
	require.NoError(t, err)
	require.Equal(t, 1, got.Version)
	require.Equal(t, kept, got.CreatedAt)
	_, err = s.Campaign(ctx, "none")
	require.ErrorIs(t, err, store.ErrNotFound)

	got, err = s.UpdateCampaign(ctx, "ca_1", func(c *campaign.Campaign) error { c.Status = campaign.Running; return nil })
	require.NoError(t, err)
	require.Equal(t, 2, got.Version)
	mine := errors.New("mine")
	_, err = s.UpdateCampaign(ctx, "ca_1", func(c *campaign.Campaign) error { c.Name = "lost"; return mine })
	require.Equal(t, mine, err, "the error of change comes back as it is")
	got, err = s.Campaign(ctx, "ca_1")
	require.NoError(t, err)
	require.Equal(t, "Winter 100%", got.Name)

	errs := together(ctx, 8, func(ctx context.Context, _ int) error {
		_, err := s.UpdateCampaign(ctx, "ca_1", func(c *campaign.Campaign) error { c.StatusMessage += "x"; return nil })
		return err
	})
	require.NoError(t, errors.Join(errs...))
	got, err = s.Campaign(ctx, "ca_1")
	require.NoError(t, err)
	require.Equal(t, 10, got.Version)
	require.Equal(t, "xxxxxxxx", got.StatusMessage, "no update is lost")

	for i := range 5 {
		newCampaign(t, s, fmt.Sprintf("ca_x%d", i), campaign.Draft)
	}
	for query, n := range map[string]int{"winter": 1, "100%": 1, "0%": 1, "%": 1, "REMIND_ME": 1, "debt": 1, "campaign": 5, "nothing": 0, "d_m": 1, "a_m": 0} {
		items, err := s.Campaigns(ctx, store.CampaignFilter{Query: query}, store.Page{})
		require.NoError(t, err)
		require.Len(t, items.Items, n, query)
	}
	all := pages(t, 2, func(p store.Page) (store.List[campaign.Campaign], error) {
		return s.Campaigns(ctx, store.CampaignFilter{Status: campaign.Draft}, p)
	})
	require.Len(t, all, 5)

	doc, err := s.Settings(ctx)
	require.NoError(t, err)
	require.JSONEq(t, `{}`, string(doc))
	twice(t, func() error { return s.PutSettings(ctx, json.RawMessage(`{"max_per_day":3}`)) })
	doc, err = s.Settings(ctx)
	require.NoError(t, err)
	require.JSONEq(t, `{"max_per_day":3}`, string(doc))

	testProgressAndDelete(t, s)
}

func testProgressAndDelete(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_del", campaign.Running)
	one, two, three := newContact("ca_del", 1), newContact("ca_del", 2), newContact("ca_del", 3)
	three.Communications = nil
	addContacts(t, s, "ca_del", one, two, three)
	_, err := s.BeginRun(ctx, one.ID, "run", now)
	require.NoError(t, err)
	_, err = s.UpdateContact(ctx, "ca_del", two.ID, func(c *campaign.Contact) ([]campaign.Decision, error) {
		c.Status, c.EndedAt = campaign.ContactCompleted, ptr(now)
		return nil, nil
	})
	require.NoError(t, err)
	p, err := s.CampaignProgress(ctx, "ca_del")
	require.NoError(t, err)
	require.Equal(t, store.Progress{
		Total: 3, Planned: 2, Launched: 1, LastEnd: &kept,
		ByStatus: map[campaign.ContactStatus]int{campaign.ContactActive: 1, campaign.ContactCompleted: 1, campaign.ContactPending: 1},
	}, p)

	require.NoError(t, s.DeleteCampaign(ctx, "ca_del"))
	require.ErrorIs(t, s.DeleteCampaign(ctx, "ca_del"), store.ErrNotFound)
	p, err = s.CampaignProgress(ctx, "ca_del")
	require.NoError(t, err)
	require.Zero(t, p.Total)
	decisions, err := s.Decisions(ctx, one.ID)
	require.NoError(t, err)
	require.Empty(t, decisions)
	rows, err := s.Communications(ctx, "ca_del", "", "", "", store.Page{})
	require.NoError(t, err)
	require.Empty(t, rows.Items)
}

func testSecrets(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Draft)
	require.NoError(t, s.SetCampaignSecrets(ctx, "ca_1", map[string]campaign.Secret{"crm": "s3cret", "old": "x"}))
	require.NoError(t, s.SetCampaignSecrets(ctx, "ca_1", map[string]campaign.Secret{"old": ""}))
	got, err := s.CampaignSecrets(ctx, "ca_1")
	require.NoError(t, err)
	require.Equal(t, map[string]campaign.Secret{"crm": "s3cret"}, got)
	require.ErrorIs(t, s.SetCampaignSecrets(ctx, "none", map[string]campaign.Secret{"a": "b"}), store.ErrNotFound)

	require.NoError(t, s.CreateIntegration(ctx, campaign.Integration{ID: "in_1", Name: "mail", Provider: "smtp"}))
	require.NoError(t, s.SetIntegrationSecrets(ctx, "in_1", map[string]campaign.Secret{"password": "p", "api_key": "k"}))
	i, err := s.Integration(ctx, "mail")
	require.NoError(t, err)
	require.Equal(t, []string{"api_key", "password"}, i.SecretNames)
	_, err = s.UpdateIntegration(ctx, "in_1", func(i *campaign.Integration) error { i.SecretNames = nil; return nil })
	require.NoError(t, err)
	i, err = s.Integration(ctx, "in_1")
	require.NoError(t, err)
	require.Len(t, i.SecretNames, 2, "only setting secrets changes their names")
	n, err := s.RotateSecrets(ctx)
	require.NoError(t, err)
	require.Zero(t, n, "all are sealed with the first key")
}

// SecretKey is the n-th key that tests open stores with.
func SecretKey(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }
