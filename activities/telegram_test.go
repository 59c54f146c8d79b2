package activities_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/activities"
	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
	"carillon/workflows"
)

func TestAStageWaitsForTheLink(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := t.Context()
	stage := func(change func(*campaign.Stage)) {
		_, err := d.store.UpdateStage(ctx, "cp", "st_wa", func(s *campaign.Stage) error { change(s); return nil })
		require.NoError(t, err)
	}
	stage(func(s *campaign.Stage) {
		s.Delivery = campaign.Delivery{Channel: campaign.Telegram, Agent: "ag", WaitForLink: true}
		s.Alternatives = []campaign.Alternative{{Label: "mail", Fallback: true, Delivery: campaign.Delivery{Channel: campaign.EmailNotification, Integration: "in", Subject: "s", Template: "t"}}}
	})
	gate := func(waited bool, at time.Time) campaign.Verdict {
		v, err := d.Gate(ctx, workflows.GateInput{Contact: d.contact, CommunicationID: d.contact.ID + "-wa", Waited: waited, Now: at})
		require.NoError(t, err)
		return v
	}
	v := gate(false, now)
	require.Equal(t, campaign.GateDeferred, v.Outcome)
	require.Equal(t, campaign.ReasonNoChat, v.Reason)
	require.Equal(t, now.Add(72*time.Hour), *v.Until, "as long as a session waits")
	require.Equal(t, "mail", gate(true, *v.Until).Alternative, "a fallback goes when the wait was in vain")

	stage(func(s *campaign.Stage) { s.Alternatives, s.SessionTimeout = nil, campaign.Duration(time.Hour) })
	v = gate(false, now)
	require.Equal(t, now.Add(time.Hour), *v.Until)
	v = gate(true, *v.Until)
	require.Equal(t, [2]string{campaign.GateSkipped, campaign.ReasonNoChat}, [2]string{v.Outcome, v.Reason})

	_, err := d.store.UpdateCampaign(ctx, "cp", func(c *campaign.Campaign) error {
		c.Rules.MaxLateness = campaign.Duration(10 * time.Minute)
		return nil
	})
	require.NoError(t, err)
	v = gate(false, now)
	require.Equal(t, now.Add(10*time.Minute), *v.Until, "no longer than it may be late")
	v = gate(true, v.Until.Add(time.Second))
	require.Equal(t, [2]string{campaign.GateSkipped, campaign.ReasonNoChat}, [2]string{v.Outcome, v.Reason}, "and says what it waited for")
	require.Equal(t, "too_late", gate(false, now.Add(time.Hour)).Reason)

	d.contact.TelegramChatID = "4242"
	require.Equal(t, campaign.GateGo, gate(false, now).Outcome)
	d.contact.TelegramChatID = ""
	d.optOut()
	require.Equal(t, "opt_out", gate(false, now).Reason, "who wants nothing is not waited for")
}

func TestAMailCarriesTheLink(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := t.Context()
	_, err := d.store.UpdateStage(ctx, "cp", "st_mail", func(s *campaign.Stage) error { s.Delivery.Template = "Chat with us: {{ telegram_link }}"; return nil })
	require.NoError(t, err)
	out, err := d.Send(ctx, d.input("mail"))
	require.NoError(t, err)
	require.Equal(t, [2]string{campaign.SendSkipped, "template"}, [2]string{out.Outcome, out.Reason})
	require.Contains(t, out.Detail, "the contact has no telegram_link: no integration of provider telegram has a bot_username")

	require.NoError(t, d.store.CreateIntegration(ctx, campaign.Integration{ID: "in_tg", Name: "Bot", Provider: "telegram", Settings: map[string]string{"bot_username": "@collect_bot"}}))
	out, err = d.Send(ctx, d.input("mail"))
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome, out.Detail)
	sent, err := d.store.Outbox(ctx, "cp", "", store.Page{})
	require.NoError(t, err)
	token, ok := strings.CutPrefix(sent.Items[0].Body, "Chat with us: https://t.me/collect_bot?start=")
	require.True(t, ok, sent.Items[0].Body)
	secret, err := d.store.WorkspaceSecret(ctx, channels.StartSecret)
	require.NoError(t, err)
	who, ok := channels.Starter{Secret: secret}.Read("in_tg", token)
	require.True(t, ok)
	require.Equal(t, d.contact.ID, who)
}

func TestALinkThatATesterGetsTiesNobody(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ctx := t.Context()
	d.Mode = activities.ModeRedirect
	require.NoError(t, d.store.PutSettings(ctx, json.RawMessage(`{"redirect": {"email_notification": "tester@example.com"}}`)))
	_, err := d.store.UpdateStage(ctx, "cp", "st_mail", func(s *campaign.Stage) error { s.Delivery.Template = "{{ telegram_link }}"; return nil })
	require.NoError(t, err)
	require.NoError(t, d.store.CreateIntegration(ctx, campaign.Integration{ID: "in_tg", Name: "Bot", Provider: "telegram", Settings: map[string]string{"bot_username": "collect_bot"}}))
	out, err := d.Send(ctx, d.input("mail"))
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome, out.Detail)
	sent, err := d.store.Outbox(ctx, "cp", "", store.Page{})
	require.NoError(t, err)
	token, ok := strings.CutPrefix(sent.Items[0].Body, "https://t.me/collect_bot?start=")
	require.True(t, ok, sent.Items[0].Body)
	secret, err := d.store.WorkspaceSecret(ctx, channels.StartSecret)
	require.NoError(t, err)
	_, ok = channels.Starter{Secret: secret}.Read("in_tg", token)
	require.False(t, ok)
}
