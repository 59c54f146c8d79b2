package activities_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// opened is a desk with an open session that a person has and has replied in.
func opened(t *testing.T) (*desk, workflows.ReplyInput) {
	t.Helper()
	d := newDesk(t)
	out, err := d.Send(t.Context(), d.input("wa"))
	require.NoError(t, err)
	_, err = d.store.UpdateSession(t.Context(), out.SessionID, func(v *campaign.Session) error { v.Mode = campaign.ModeHuman; return nil })
	require.NoError(t, err)
	require.NoError(t, d.store.AddMessage(t.Context(), campaign.Message{
		ID: "ans_1", SessionID: out.SessionID, Author: campaign.AuthorOperator, Content: "Hello", At: now, Delivery: "pending",
	}))
	return d, workflows.ReplyInput{CampaignID: "cp", ContactID: d.contact.ID, CommunicationID: d.contact.ID + "-wa", SessionID: out.SessionID, MessageID: "ans_1"}
}

func (d *desk) message(sessionID, id string) campaign.Message {
	d.t.Helper()
	v, err := d.store.Session(d.t.Context(), sessionID)
	require.NoError(d.t, err)
	for _, m := range v.Messages {
		if m.ID == id {
			return m
		}
	}
	require.FailNow(d.t, "no message "+id)
	return campaign.Message{}
}

func TestAReplyThatWaitsSaysWhy(t *testing.T) {
	t.Parallel()
	d, in := opened(t)
	d.pauseIntegration()
	_, err := d.Reply(t.Context(), in)
	require.ErrorContains(t, err, "the integration is paused")
	m := d.message(in.SessionID, "ans_1")
	require.Equal(t, [2]string{"pending", "the integration is paused"}, [2]string{m.Delivery, m.Reason})
	_, err = d.store.UpdateIntegration(t.Context(), "in", func(i *campaign.Integration) error { i.Paused = false; return nil })
	require.NoError(t, err)
	_, err = d.Reply(t.Context(), in)
	require.NoError(t, err)
	m = d.message(in.SessionID, "ans_1")
	require.Equal(t, [2]string{"sent", ""}, [2]string{m.Delivery, m.Reason})
}

// A person has an answer sent again just as its provider tells that it was sent.
func TestAnAnswerThatWasSentIsNotSentAgain(t *testing.T) {
	t.Parallel()
	d, in := opened(t)
	first, err := d.Reply(t.Context(), in)
	require.NoError(t, err)
	again := in
	again.Attempt = 1
	out, err := d.Reply(t.Context(), again)
	require.NoError(t, err)
	require.Equal(t, [2]string{campaign.SendSent, first.ProviderMessageID}, [2]string{out.Outcome, out.ProviderMessageID})
	_, err = d.store.SendRow(t.Context(), "ans_1#2")
	require.ErrorIs(t, err, store.ErrNotFound, "it was not tried")
}

func TestASessionThatIsHandledDoesNotEndByTime(t *testing.T) {
	t.Parallel()
	d, in := opened(t)
	until := now.Add(10 * time.Minute)
	_, err := d.store.UpdateSession(t.Context(), in.SessionID, func(v *campaign.Session) error {
		v.Claim("key bob", "ky_bob", until)
		return nil
	})
	require.NoError(t, err)
	end := workflows.CloseInput{
		CampaignID: "cp", ContactID: d.contact.ID, CommunicationID: in.CommunicationID, StageID: "st_wa", SessionID: in.SessionID,
		Status: campaign.SessionTimeout, Timeout: true, Now: now,
	}
	out, err := d.CloseSession(t.Context(), end)
	require.NoError(t, err)
	require.Equal(t, &until, out.Until)
	end.Now = until
	out, err = d.CloseSession(t.Context(), end)
	require.NoError(t, err)
	require.Nil(t, out.Until)
	v, err := d.store.Session(t.Context(), in.SessionID)
	require.NoError(t, err)
	require.Equal(t, campaign.SessionTimeout, v.Status)
}
