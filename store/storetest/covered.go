package storetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// talks is a person with open sessions in two campaigns, and somebody else who has
// the same e-mail address.
type talks struct {
	*mailing
	again, other campaign.Contact // the person in another campaign; another person
}

func newTalks(t *testing.T, s *store.Store) *talks {
	t.Helper()
	m := &talks{mailing: newMailing(t, s)}
	newCampaign(t, s, "ca_2", campaign.Running)
	m.again, m.other = newContact("ca_2", 1), newContact("ca_2", 2)
	m.other.Email = strings.ToUpper(m.contact.Email)
	addContacts(t, s, "ca_2", m.again, m.other)
	require.NoError(t, s.CreateIntegration(t.Context(), campaign.Integration{ID: "in_1", Name: "in_1", Provider: "sendgrid"}))
	return m
}

// open opens a session of a contact; a suffix of its id tells it from others.
func (m *talks) open(c campaign.Contact, ch campaign.Channel, id, to string) {
	m.t.Helper()
	require.NoError(m.t, m.s.OpenSession(m.t.Context(), campaign.Session{
		ID: id, CampaignID: c.CampaignID, ContactID: c.ID, CommunicationID: "c-" + id, IntegrationID: "in_1", Channel: ch, Address: to, CreatedAt: now,
	}))
}

// ends returns which sessions end by events, how, and what their timelines are told.
func (m *talks) ends(events []store.InboxEvent) (ends []string) {
	m.t.Helper()
	untaken, err := m.s.UntakenEvents(m.t.Context(), now.Add(time.Hour), 1000)
	require.NoError(m.t, err)
	for _, e := range events {
		var event campaign.Event
		require.NoError(m.t, json.Unmarshal(e.Payload, &event))
		if !event.Status.Ended() {
			continue
		}
		require.True(m.t, slices.ContainsFunc(untaken, func(u store.InboxEvent) bool { return u.ID == e.ID && u.ContactID == e.ContactID }), "it is in the inbox")
		require.Equal(m.t, [2]string{event.SessionID, "c-" + event.SessionID}, [2]string{e.SessionID, event.CommunicationID})
		ends = append(ends, fmt.Sprintf("%s %s %s %s", event.SessionID, event.Status, event.Reason, event.Delivery))
	}
	slices.Sort(ends)
	return ends
}

func (m *talks) suppress(v store.Suppression) []string {
	m.t.Helper()
	v.CreatedAt = now
	told, err := m.s.Suppress(m.t.Context(), v)
	require.NoError(m.t, err)
	return m.ends(told)
}

func (m *talks) reports(events ...store.ProviderEvent) []string {
	m.t.Helper()
	told, err := m.s.CommitReports(m.t.Context(), events, now)
	require.NoError(m.t, err)
	return m.ends(told)
}

func testCovered(t *testing.T, s *store.Store) {
	ctx, m := t.Context(), newTalks(t, s)
	person, mail := m.contact.ExternalID, m.contact.Email
	m.open(m.contact, campaign.Email, "mail", mail)
	m.open(m.again, campaign.Email, "mail2", "New@Example.com")
	m.open(m.other, campaign.Email, "same", m.other.Email)
	m.open(m.contact, campaign.WhatsAppMeta, "wa", "+49151000001")
	m.open(m.again, campaign.Human, "task", "")
	m.open(m.again, campaign.SIP, "call", "+49151000001")
	m.open(m.contact, campaign.Email, "closed", mail)
	_, err := s.CloseSession(ctx, "closed", campaign.SessionCompleted, nil, "", now)
	require.NoError(t, err)
	m.open(m.contact, campaign.Email, "unsent", mail)
	m.send("c-unsent", func(v *store.Send) { v.SessionID, v.Channel = "unsent", campaign.Email })
	m.settle("c-unsent", store.SendRetry, "")

	require.Empty(t, m.suppress(store.Suppression{ExternalID: person, Channel: campaign.EmailNotification, Reason: "opt_out"}), "letters that are answered are another kind")
	require.Equal(t, []string{"mail declined do_not_contact opt_out", "mail2 declined do_not_contact opt_out"},
		m.suppress(store.Suppression{ExternalID: person, Channel: campaign.Email, Reason: "do_not_contact"}))
	require.Equal(t, []string{"mail failed bounced bounced", "same failed bounced bounced"},
		m.suppress(store.Suppression{Address: " " + mail, Channel: campaign.Email, Reason: "bounced"}), "whoever is written to there, but for what is not sent yet")
	require.Empty(t, m.suppress(store.Suppression{ExternalID: person, Channel: campaign.SIP, Reason: "opt_out"}), "a call goes on")
	require.Empty(t, m.suppress(store.Suppression{ExternalID: person, Channel: campaign.Human, Reason: "opt_out"}), "and what a person does")
	require.Empty(t, m.suppress(store.Suppression{ExternalID: "", Address: "", Reason: "opt_out"}))
	require.Empty(t, m.suppress(store.Suppression{ExternalID: "nobody", Reason: "opt_out"}))
	require.Equal(t, []string{
		"call declined do_not_contact opt_out", "mail2 declined do_not_contact opt_out", "task declined do_not_contact opt_out", "wa declined do_not_contact opt_out",
	}, m.suppress(store.Suppression{ExternalID: person, Reason: "do_not_contact", But: "mail"}), "unless the person is left alone altogether")

	// What one session brings ends the others; it ends by itself.
	m.send("c-mail", func(v *store.Send) { v.SessionID, v.Channel = "mail", campaign.Email })
	m.settle("c-mail", store.SendSent, "pm-1")
	stop := func(e *store.ProviderEvent) { e.Kind, e.SessionID, e.Content = store.ReportMessage, "mail", "Stop" }
	require.Equal(t, []string{"mail2 declined opt_out opt_out", "same declined opt_out opt_out"}, m.reports(m.event("", "", 1, stop)))
	because := func(why string) func(*store.ProviderEvent) { return func(e *store.ProviderEvent) { e.Suppress = why } }
	require.Equal(t, []string{"mail declined spam_report covered", "mail2 declined spam_report opt_out", "same declined spam_report opt_out"},
		m.reports(m.event("c-mail", "opt_out", 2, because("spam_report"))), "its timeline knows why already")
	require.Equal(t, []string{"mail failed bounced covered", "same failed bounced bounced"}, m.reports(m.event("c-mail", "bounced", 3, because("bounced"))))
	require.Empty(t, m.reports(m.event("c-mail", "failed", 4)), "nobody is left alone")
	require.Equal(t, []string{"mail declined unsubscribed opt_out", "same declined unsubscribed opt_out"},
		m.reports(m.event("another program's", "opt_out", 5, because("unsubscribed"))))

	u := store.Unsubscription{EventID: "un_1", ContactID: m.contact.ID, Channel: campaign.Email, Address: mail, Reason: "unsubscribed", At: now}
	told, err := s.Unsubscribe(ctx, u)
	require.NoError(t, err)
	require.Len(t, told, 4)
	require.Equal(t, []string{"mail declined unsubscribed covered", "mail2 declined unsubscribed opt_out", "same declined unsubscribed opt_out"}, m.ends(told))
	_, err = s.CloseSession(ctx, "mail", campaign.SessionDeclined, nil, "unsubscribed", now)
	require.NoError(t, err)
	told, err = s.Unsubscribe(ctx, u)
	require.NoError(t, err)
	require.Equal(t, []string{"mail2 declined unsubscribed opt_out", "same declined unsubscribed opt_out"}, m.ends(told), "what is still open")

	event := store.InboxEvent{ID: "ev_1", ContactID: m.contact.ID, SessionID: "wa", Kind: "message", Payload: json.RawMessage(`{"id":"ev_1","kind":"message","session_id":"wa","opt_out":true}`), OptOut: campaign.WhatsAppMeta, At: now}
	m.open(m.again, campaign.WhatsAppBird, "wa2", "+49151000001")
	told, err = s.AddEvent(ctx, event, nil, nil)
	require.NoError(t, err)
	require.Equal(t, event.ID, told[0].ID)
	require.Equal(t, []string{"wa2 declined opt_out opt_out"}, m.ends(told))
	told, err = s.AddEvent(ctx, event, nil, nil)
	require.NoError(t, err)
	require.Empty(t, told)
}

// In mode redirect a tester gets the messages: what they do ends the session it is
// done in, and no other one of the contact they stand in for.
func testCoveredTesters(t *testing.T, s *store.Store) {
	ctx, m := t.Context(), newTalks(t, s)
	const tester = "tester@example.com"
	m.open(m.contact, campaign.Email, "mail", m.contact.Email)
	m.open(m.again, campaign.Email, "mail2", m.contact.Email)
	m.send("c-mail", func(v *store.Send) { v.SessionID, v.Channel, v.Address = "mail", campaign.Email, tester })
	m.settle("c-mail", store.SendSent, "pm-1")
	from := func(e *store.ProviderEvent) { e.Address = tester }
	require.Empty(t, m.reports(m.event("", "", 1, from, func(e *store.ProviderEvent) { e.Kind, e.SessionID, e.Content = store.ReportMessage, "mail", "Stop" })))
	require.Equal(t, []string{"mail declined spam_report covered"},
		m.reports(m.event("c-mail", "opt_out", 2, from, func(e *store.ProviderEvent) { e.Suppress = "spam_report" })))
	told, err := s.Unsubscribe(ctx, store.Unsubscription{EventID: "un_1", ContactID: m.contact.ID, Channel: campaign.Email, Address: m.contact.Email, Reason: "unsubscribed", At: now})
	require.NoError(t, err)
	require.Equal(t, []string{"mail declined unsubscribed covered"}, m.ends(told))

	// A chat that is not the contact's is a tester's too.
	block := func(i int) store.ProviderEvent {
		return m.event("", campaign.ReportOptOut, i, func(e *store.ProviderEvent) {
			e.Kind, e.Channel, e.Address, e.Suppress = store.ReportIdentity, campaign.Telegram, "4242", "opt_out"
			e.Identity = &store.Identity{ContactID: m.contact.ID, UserID: "4242", Blocked: true}
		})
	}
	m.open(m.contact, campaign.Telegram, "chat", "777")
	m.open(m.again, campaign.Telegram, "chat2", "777")
	require.Empty(t, m.reports(block(3)))
	m.send("c-chat", func(v *store.Send) { v.SessionID, v.Channel, v.Address = "chat", campaign.Telegram, "4242" })
	require.Equal(t, []string{"chat declined opt_out covered"}, m.reports(block(4)))

	// The contact's own chat: the person is left alone, and so it stays when the block is over.
	m.contact.TelegramChatID = "4242"
	m.open(m.contact, campaign.Telegram, "own", "4242")
	require.Equal(t, []string{"chat declined opt_out covered", "own declined opt_out covered"}, m.reports(block(5)))
	back := block(6)
	back.Status, back.Suppress, back.Identity = "", "", &store.Identity{ContactID: m.contact.ID, UserID: "4242"}
	require.Empty(t, m.reports(back))
	require.Equal(t, "opt_out", m.suppressed(m.contact.ExternalID, "", campaign.Telegram))
}
