package relay_test

import (
	"encoding/json"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
)

func TestTheRowOfADeletedContactFails(t *testing.T) {
	ctx, now := t.Context(), time.Now()
	s, err := store.Open(ctx, filepath.Join(t.TempDir(), "x.db"), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	require.NoError(t, s.Migrate(ctx))
	require.NoError(t, s.CreateCampaign(ctx, campaign.Campaign{ID: "ca_1", Name: "x", Status: campaign.Running}))
	require.NoError(t, s.CreateImport(ctx, campaign.Import{ID: "im_1", CampaignID: "ca_1", StartedAt: now}))
	require.NoError(t, s.AddRows(ctx, "im_1", 0, []store.ImportRow{{Line: 2, Raw: "raw"}}))
	require.NoError(t, s.SealImport(ctx, "im_1", 1))
	payload, err := json.Marshal(campaign.Event{ID: "im_1-2", Kind: campaign.EventImport, Import: &campaign.RowImport{ImportID: "im_1", Line: 2}})
	require.NoError(t, err)
	event := store.InboxEvent{ID: "im_1-2", ContactID: "gone", Kind: string(campaign.EventImport), Payload: payload, At: now}
	_, err = s.CommitChunk(ctx, store.ChunkWrite{ImportID: "im_1", Now: now, Pending: []store.PendingRow{{Line: 2, ContactID: "gone", Event: event}}})
	require.NoError(t, err)
	r := &relay.Relay{Inbox: s, Log: slog.New(slog.DiscardHandler)}
	n, err := r.Pass(ctx, now.Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	pending, err := s.RowPending(ctx, "im_1", 2)
	require.NoError(t, err)
	require.False(t, pending)
	i, err := s.FinishImport(ctx, "im_1", now)
	require.NoError(t, err)
	require.Equal(t, campaign.ImportCompleted, i.Status)
	n, err = r.Pass(ctx, now.Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, n)
}
