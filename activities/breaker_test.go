package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/activities"
	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// refusing is a provider that ends every send as it is told.
type refusing struct {
	channels.Description
	failure *channels.Failure
}

func (r *refusing) Describe() channels.Description { return r.Description }

func (r *refusing) Open(campaign.Integration, channels.Deps) (channels.Sender, error) { return r, nil }

func (r *refusing) Send(_ context.Context, m channels.Outbound) (channels.Receipt, error) {
	if r.failure != nil {
		return channels.Receipt{}, r.failure
	}
	return channels.Receipt{ProviderMessageID: "p-" + m.ID, At: now}, nil
}

// liveDesk is a desk in mode live whose integration's provider fails.
func liveDesk(t *testing.T, f *channels.Failure) (*desk, *refusing) {
	d := newDesk(t)
	r := &refusing{Description: channels.Description{Provider: "outbox", Channels: []campaign.Channel{campaign.WhatsAppMeta}}, failure: f}
	d.Mode, d.Channels = activities.ModeLive, channels.NewRegistry(r)
	return d, r
}

func TestABrokenIntegrationIsPausedAndUsesUpNoContact(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, r := liveDesk(t, channels.Fail(channels.Config, "190", "the access token has expired"))
	in := d.input("wa")
	in.Verdict.Queue = "send-in"
	out, err := d.Activities.Send(ctx, in)
	require.NoError(t, err)
	require.Equal(t, campaign.SendHeld, out.Outcome)
	require.Equal(t, campaign.Hold{Cause: campaign.HeldIntegration, Ref: "in", Since: now}, *out.Hold)
	i, err := d.store.Integration(ctx, "in")
	require.NoError(t, err)
	require.True(t, i.Paused)
	require.Equal(t, "error", i.Status)
	require.Contains(t, i.StatusMessage, "the access token has expired")
	require.Contains(t, i.StatusMessage, in.Communication.ID, "a sample")

	again, err := d.Activities.Send(ctx, in)
	require.NoError(t, err)
	require.Equal(t, campaign.SendHeld, again.Outcome, "the provider is not asked again")

	_, err = d.store.UpdateIntegration(ctx, "in", func(i *campaign.Integration) error { i.Paused = false; return nil })
	require.NoError(t, err)
	r.failure = nil
	out, err = d.Activities.Send(ctx, in)
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome)
	row, err := d.store.SendRow(ctx, in.Communication.ID)
	require.NoError(t, err)
	require.Equal(t, store.SendSent, row.State)
	require.Equal(t, "in", row.IntegrationID)
}

func TestARefusedTemplatePausesItsStage(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, _ := liveDesk(t, channels.Fail(channels.Template, "132001", "there is no template debt in en"))
	out, err := d.Activities.Send(ctx, d.input("wa"))
	require.NoError(t, err)
	require.Equal(t, campaign.Hold{Cause: campaign.HeldStage, Ref: "st_wa", Since: now}, *out.Hold)
	s, err := d.store.Stage(ctx, "cp", "st_wa")
	require.NoError(t, err)
	require.True(t, s.Paused)
	require.Contains(t, s.PausedBecause, "there is no template debt in en")
	i, err := d.store.Integration(ctx, "in")
	require.NoError(t, err)
	require.False(t, i.Paused, "others go on")
}

func TestWhoHasOptedOutIsLeftAloneByEveryProviderOfTheChannel(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, _ := liveDesk(t, channels.Fail(channels.OptOut, "131050", "the user has stopped marketing messages"))
	out, err := d.Activities.Send(ctx, d.input("wa"))
	require.NoError(t, err)
	require.Equal(t, campaign.SendFailed, out.Outcome)
	for _, ch := range []campaign.Channel{campaign.WhatsAppMeta, campaign.WhatsAppBird} {
		for _, who := range [][2]string{{"U1", ""}, {"", "+14155550123"}} {
			reason, err := d.store.Suppressed(ctx, who[0], ch, who[1])
			require.NoError(t, err)
			require.Equal(t, "opt_out", reason, "%s %v", ch, who)
		}
	}
	reason, err := d.store.Suppressed(ctx, "U1", campaign.Email, "john@example.com")
	require.NoError(t, err)
	require.Empty(t, reason)
}

func TestAStageWithAnIntegrationOfAnotherChannelIsPausedAndSuppressesNobody(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	d, r := liveDesk(t, nil)
	r.Channels = []campaign.Channel{campaign.Telegram}
	out, err := d.Activities.Send(ctx, d.input("mail"))
	require.NoError(t, err)
	require.Equal(t, campaign.SendHeld, out.Outcome, "no contact is used up")
	require.Equal(t, campaign.Hold{Cause: campaign.HeldStage, Ref: "st_mail", Since: now}, *out.Hold)
	s, err := d.store.Stage(ctx, "cp", "st_mail")
	require.NoError(t, err)
	require.True(t, s.Paused)
	require.Contains(t, s.PausedBecause, "the integration in is of outbox, which does not carry email_notification")
	i, err := d.store.Integration(ctx, "in")
	require.NoError(t, err)
	require.False(t, i.Paused, "others use it rightly")
	for _, ch := range []campaign.Channel{campaign.EmailNotification, campaign.Email, campaign.Telegram} {
		reason, err := d.store.Suppressed(ctx, "U1", ch, "john@example.com")
		require.NoError(t, err)
		require.Empty(t, reason)
	}
	_, err = d.store.SendRow(ctx, d.input("mail").Communication.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "nothing was begun")

	r.Channels = []campaign.Channel{campaign.EmailNotification}
	_, err = d.store.UpdateStage(ctx, "cp", "st_mail", func(s *campaign.Stage) error { s.Paused = false; return nil })
	require.NoError(t, err)
	out, err = d.Activities.Send(ctx, d.input("mail"))
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome)
}
