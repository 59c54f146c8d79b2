package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func toPerson(v *campaign.Session) (*store.InboxEvent, error) {
	v.Mode = campaign.ModeHuman
	return &store.InboxEvent{ID: "pn_" + v.ID, ContactID: v.ContactID, SessionID: v.ID, Kind: "person", Payload: json.RawMessage(`{"kind":"person"}`), At: now}, nil
}

func toAgent(v *campaign.Session) (*store.InboxEvent, error) {
	v.Mode = campaign.ModeAI
	return nil, nil
}

func sessionID(v campaign.Session) string { return v.ID }

func testPeople(t *testing.T, s *store.Store) {
	ctx := t.Context()
	inbox := func(f store.InboxFilter) []string {
		t.Helper()
		if f.Now.IsZero() {
			f.Now = now
		}
		return ids(pages(t, 2, func(p store.Page) (store.List[campaign.Session], error) { return s.Inbox(ctx, f, p) }), sessionID)
	}
	var all []string
	for n := range 5 {
		v := newSession(n)
		v.StageName, v.Timeout = "Talk", campaign.Duration(time.Hour)
		if n == 0 {
			v.Mode, v.Channel, v.StageName, v.AgentID = campaign.ModeHuman, campaign.Human, "Call", ""
		}
		all = append(all, v.ID)
		require.NoError(t, s.OpenSession(ctx, v))
	}
	require.Equal(t, all[:1], inbox(store.InboxFilter{}))
	for i, n := range []int{3, 1, 2} { // the last hand-off is the shortest wait
		v, granted, err := s.HandSession(ctx, all[n], now.Add(time.Duration(i+1)*time.Minute), toPerson)
		require.NoError(t, err)
		require.Nil(t, granted)
		require.Equal(t, campaign.ModeHuman, v.Mode)
		require.Equal(t, ptr(kept.Add(time.Duration(i+1)*time.Minute)), v.WaitingSince)
	}
	require.Equal(t, []string{all[0], all[3], all[1], all[2]}, inbox(store.InboxFilter{}), "the longest wait first")
	events, err := s.UntakenEvents(ctx, now.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Len(t, events, 3, "each told its contact")

	say := func(n int, id string, author campaign.Author, after time.Duration) {
		t.Helper()
		require.NoError(t, s.AddMessage(ctx, campaign.Message{ID: id, SessionID: all[n], Author: author, Content: id, At: now.Add(after), Delivery: "pending"}))
	}
	say(3, "r1", campaign.AuthorOperator, 5*time.Minute)
	require.Equal(t, []string{all[0], all[1], all[2], all[3]}, inbox(store.InboxFilter{}), "it is the contact's turn there")
	say(3, "r2", campaign.AuthorContact, 6*time.Minute)
	say(3, "r3", campaign.AuthorContact, 7*time.Minute)
	got, err := s.Session(ctx, all[3])
	require.NoError(t, err)
	require.Equal(t, ptr(kept.Add(6*time.Minute)), got.WaitingSince, "since the first message without an answer")
	require.Equal(t, ptr(kept.Add(67*time.Minute)), got.DueAt, "an hour after the last")
	var seen []campaign.Message
	look := func(v *campaign.Session) (*store.InboxEvent, error) {
		seen = v.Messages
		return nil, nil
	}
	require.NoError(t, s.AddMessage(ctx, campaign.Message{ID: "r4", SessionID: all[3], Author: campaign.AuthorAgent, At: now.Add(7 * time.Minute), Delivery: "failed"}))
	handed, _, err := s.HandSession(ctx, all[3], now, look)
	require.NoError(t, err)
	require.Equal(t, got.Messages[len(got.Messages)-1:], seen, "who hands it over sees the last message as it is by then; r4 was never said")
	require.Empty(t, handed.Messages)
	_, _, err = s.HandSession(ctx, all[0], now, look)
	require.NoError(t, err)
	require.Empty(t, seen)

	require.Equal(t, all[:1], inbox(store.InboxFilter{Channel: campaign.Human}))
	require.Equal(t, all[:1], inbox(store.InboxFilter{StageNames: []string{"Call", "Rang"}, CampaignID: "ca_1"}))
	require.Empty(t, inbox(store.InboxFilter{CampaignID: "ca_2"}))
	require.Equal(t, []string{all[0], all[1], all[2]}, inbox(store.InboxFilter{DueBefore: now.Add(65 * time.Minute)}))

	// Eight operators want one session: one has it.
	until := now.Add(15 * time.Minute)
	errs := together(ctx, 8, func(ctx context.Context, i int) error {
		who := string(rune('a' + i))
		_, _, err := s.HandSession(ctx, all[0], now, func(v *campaign.Session) (*store.InboxEvent, error) {
			if v.ClaimedByOther(who, now) {
				return nil, errClosed
			}
			v.Claim("somebody", who, until)
			return nil, nil
		})
		return err
	})
	refused := 0
	for _, err := range errs {
		if errors.Is(err, errClosed) {
			refused++
		} else {
			require.NoError(t, err)
		}
	}
	require.Equal(t, 7, refused)
	got, err = s.Session(ctx, all[0])
	require.NoError(t, err)
	require.Equal(t, all[:1], inbox(store.InboxFilter{ClaimedID: got.ClaimedID}))
	require.Equal(t, all[:1], inbox(store.InboxFilter{Claim: "claimed"}))
	require.Len(t, inbox(store.InboxFilter{Claim: "open"}), 3)
	require.Empty(t, inbox(store.InboxFilter{ClaimedID: got.ClaimedID, Now: until.Add(time.Second)}), "its time is over")
	require.Len(t, inbox(store.InboxFilter{Claim: "open", Now: until.Add(time.Second)}), 4)

	_, _, err = s.HandSession(ctx, "none", now, toPerson)
	require.ErrorIs(t, err, store.ErrNotFound)
}

// testHands: a session that leaves its agent gives the place back, and takes one
// when it returns.
func testHands(t *testing.T, s *store.Store) {
	ctx := t.Context()
	require.NoError(t, s.CreateAgent(ctx, campaign.Agent{ID: "ag_1", Name: "Ada", MaxSessions: ptr(1), CreatedAt: now}))
	acquire := func(n int) bool {
		t.Helper()
		ok, err := s.Acquire(ctx, grant(n), ptr(1), nil, now)
		require.NoError(t, err)
		return ok
	}
	one := newSession(1)
	require.True(t, acquire(1))
	require.NoError(t, s.OpenSession(ctx, one))
	require.False(t, acquire(2))
	_, granted, err := s.HandSession(ctx, one.ID, now, toPerson)
	require.NoError(t, err)
	require.Equal(t, ptr(grant(2)), granted, "who waited has the place")

	_, _, err = s.HandSession(ctx, one.ID, now, toAgent)
	require.Equal(t, campaign.CodeConflict, campaign.CodeOf(err), "%v", err)
	require.ErrorContains(t, err, "Ada has all its 1 places in use")
	got, err := s.Session(ctx, one.ID)
	require.NoError(t, err)
	require.Equal(t, campaign.ModeHuman, got.Mode, "nothing of it stays")
	_, err = s.Release(ctx, grant(2).CommunicationID, nil)
	require.NoError(t, err)
	_, _, err = s.HandSession(ctx, one.ID, now, toAgent)
	require.NoError(t, err)
	require.False(t, acquire(3), "the place is the session's again")

	_, granted, err = s.TakeTurn(ctx, store.TurnWrite{ContactID: one.ContactID, Key: "m1", Output: json.RawMessage(`{}`), SessionID: one.ID, HandOff: true})
	require.NoError(t, err)
	require.Equal(t, ptr(grant(3)), granted, "the agent itself hands over")
	got, err = s.Session(ctx, one.ID)
	require.NoError(t, err)
	require.NotNil(t, got.WaitingSince)

	late := newSession(1)
	late.ID, late.Late = "ss_late", true
	require.NoError(t, s.OpenSession(ctx, late))
	_, err = s.Release(ctx, grant(3).CommunicationID, nil)
	require.NoError(t, err)
	require.False(t, acquire(4), "a late session has a place, over the limit if need be")
}

// testUnsent: what was not sent leaves no session behind, and a message that was
// given up says so.
func testUnsent(t *testing.T, s *store.Store) {
	ctx := t.Context()
	contact := addContact(t, s, "ca_1", campaign.Running)
	_, err := s.BeginRun(ctx, contact.ID, "run-1", now)
	require.NoError(t, err)
	m := campaign.Communication{ID: contact.ID + "-1", Name: "Talk", StageName: "Talk", Status: campaign.StatusAt{Status: campaign.CommunicationStarted, At: now}}
	contact.Status, contact.Communications = campaign.ContactActive, []campaign.Communication{m}
	revision := int64(0)
	record := func(status campaign.CommunicationStatus, decisions ...campaign.Decision) {
		t.Helper()
		contact = contact.Clone()
		contact.Communications[0].Status.Status = status
		revision++
		require.NoError(t, s.Record(ctx, store.Recording{ContactID: contact.ID, RunID: "run-1", Revision: revision, After: revision - 1, Contact: contact, Decisions: decisions, Now: now}))
	}
	require.NoError(t, s.CreateAgent(ctx, campaign.Agent{ID: "ag_1", Name: "Ada", CreatedAt: now}))
	session := newSession(1)
	session.ID, session.ContactID, session.CommunicationID = campaign.SessionID(m.ID), contact.ID, m.ID
	row := store.Send{ID: m.ID, ContactID: contact.ID, CampaignID: "ca_1", CommunicationID: m.ID, SessionID: session.ID, Channel: campaign.Email, CorrelationKey: m.ID, CreatedAt: now}
	claim := func() {
		t.Helper()
		_, fresh, err := s.ClaimSend(ctx, row, &session, nil)
		require.NoError(t, err)
		require.True(t, fresh)
	}
	record(campaign.CommunicationStarted)
	claim()
	record(campaign.CommunicationPlanned)
	_, err = s.Session(ctx, session.ID)
	require.NoError(t, err, "it may have left")
	record(campaign.CommunicationStarted)
	require.NoError(t, s.SettleSend(ctx, row.ID, store.SendRetry, "", "config 401", now))
	require.ErrorIs(t, s.DeleteAgent(ctx, "ag_1"), store.ErrConflict)
	record(campaign.CommunicationPlanned)
	_, err = s.Session(ctx, session.ID)
	require.ErrorIs(t, err, store.ErrNotFound, "it surely has not")
	require.NoError(t, s.DeleteAgent(ctx, "ag_1"))

	record(campaign.CommunicationStarted)
	claim()
	require.NoError(t, s.SettleSend(ctx, row.ID, store.SendSent, "pm", "", now))
	record(campaign.CommunicationSent)
	for id, author := range map[string]campaign.Author{"ans_1": campaign.AuthorOperator, "msg_1": campaign.AuthorContact, "ans_2": campaign.AuthorOperator} {
		delivery := "pending"
		if author == campaign.AuthorContact {
			delivery = ""
		}
		require.NoError(t, s.AddMessage(ctx, campaign.Message{ID: id, SessionID: session.ID, Author: author, Content: id, At: now, Delivery: delivery}))
	}
	require.NoError(t, s.MarkMessage(ctx, "ans_1", "pending", "", "the integration is paused"))
	failed := func(id string) campaign.Decision {
		return campaign.Decision{At: now, Kind: campaign.DecisionFailed, Summary: "The answer could not be sent", Data: map[string]any{"message_id": id}}
	}
	record(campaign.CommunicationSent, failed("ans_1"), failed("msg_1"), failed("ans_2"), failed("none"))
	got, err := s.Session(ctx, session.ID)
	require.NoError(t, err)
	said := map[string][2]string{}
	for _, m := range got.Messages {
		said[m.ID] = [2]string{m.Delivery, m.Reason}
	}
	require.Equal(t, map[string][2]string{
		"ans_1": {"failed", "the integration is paused"}, "ans_2": {"failed", "The answer could not be sent"}, "msg_1": {"", ""},
	}, said)
	require.NoError(t, s.MarkMessage(ctx, "ans_1", "delivered", "", ""), "its provider knows better")
}
