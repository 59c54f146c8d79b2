package storetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testReports(t *testing.T, s *store.Store) {
	ctx, m := t.Context(), newMailing(t, s)
	m.send("c-1")
	m.settle("c-1", store.SendSent, "pm-1")
	require.Empty(t, m.commit(m.event("c-1", "sent", 0)), "that it was sent is no news")
	require.Equal(t, []string{"delivery read c-1"}, m.commit(m.event("c-1", "read", 2)))
	require.Empty(t, m.commit(m.event("c-1", "delivered", 1), m.event("c-1", "read", 3), m.event("c-1", "noted", 4)))
	require.Equal(t, "read", m.row("c-1").Delivery)
	require.Equal(t, []string{"delivery bounced c-1"}, m.commit(m.event("c-1", "bounced", 9)))
	untaken, err := s.UntakenEvents(ctx, now.Add(time.Second), 10)
	require.NoError(t, err)
	require.Len(t, untaken, 2, "what was told is in the inbox")

	byID := func(id string) func(*store.ProviderEvent) {
		return func(e *store.ProviderEvent) { e.CorrelationKey, e.ProviderMessageID = "", id }
	}
	m.send("c-2")
	m.settle("c-2", store.SendSent, "pm-2")
	require.Equal(t, []string{"delivery delivered c-2", "delivery read c-2"}, m.commit(m.event("", "read", 2, byID("pm-2")), m.event("", "delivered", 1, byID("pm-2"))),
		"one batch in the order of its events' times")

	m.send("c-3")
	m.settle("c-3", store.SendSent, "pm-2")
	both := func(e *store.ProviderEvent) { e.ProviderMessageID = "pm-2" }
	require.Equal(t, []string{"delivery read c-3"}, m.commit(m.event("c-1", "noted", 10, both), m.event("c-3", "read", 3, both), m.event("gone", "noted", 1, both)),
		"our own key tells more than the provider's id, which many messages may share")

	other := func(e *store.ProviderEvent) { e.IntegrationID = "in_2" }
	require.Empty(t, m.commit(m.event("c-2", "bounced", 9, other), m.event("", "bounced", 9, other, byID("pm-2"))), "no integration speaks of another's messages")
	box := func(e *store.ProviderEvent) { e.IntegrationID = "" }
	require.Equal(t, []string{"delivery bounced c-2"}, m.commit(m.event("c-2", "bounced", 9, box)), "the outbox speaks of all")

	unread := store.ProviderEvent{IntegrationID: "in_1", Provider: "sendgrid", Key: strings.Repeat("k", 5000), Kind: store.ReportUnread, Raw: "\x00{" + strings.Repeat("é", 60_000)}
	require.Empty(t, m.commit(unread))
	kept := pages(t, 3, func(p store.Page) (store.List[store.ProviderEvent], error) { return s.ProviderEvents(ctx, "in_1", p) })
	require.Equal(t, store.ReportUnread, kept[0].Kind)
	require.Equal(t, "c-1", kept[len(kept)-1].SendID)
	require.Equal(t, m.contact.ID, kept[len(kept)-1].ContactID)
	require.Len(t, kept, 12)

	require.NoError(t, s.DropReports(ctx, now.Add(-time.Hour), now.Add(time.Hour)))
	kept = pages(t, 3, func(p store.Page) (store.List[store.ProviderEvent], error) { return s.ProviderEvents(ctx, "in_1", p) })
	require.Len(t, kept, 11, "the unmatched are forgotten first")
	require.NoError(t, s.DropReports(ctx, now.Add(time.Hour), now.Add(time.Hour)))
	kept = pages(t, 3, func(p store.Page) (store.List[store.ProviderEvent], error) { return s.ProviderEvents(ctx, "in_1", p) })
	require.Empty(t, kept)
	testReportsOfTheUnknown(t, m)
	testReportsOfAttempts(t, m)
	testReportsBeforeTheAnswer(t, m)
	testLetters(t, m)
	testReportsOfTheBroken(t, m)
	testReportsTogether(t, m)
}

func testReportsOfTheUnknown(t *testing.T, m *mailing) {
	m.send("u-1")
	m.settle("u-1", store.SendUnknown, "")
	require.Equal(t, []string{"delivery sent u-1"}, m.commit(m.event("u-1", "sent", 0, func(e *store.ProviderEvent) { e.ProviderMessageID = "pm-u1" })))
	row := m.row("u-1")
	require.Equal(t, store.SendSent, row.State)
	require.Equal(t, "pm-u1", row.ProviderMessageID)
	m.send("u-2")
	m.settle("u-2", store.SendUnknown, "")
	require.Equal(t, []string{"delivery failed u-2"}, m.commit(m.event("u-2", "failed", 0)))
	require.Equal(t, store.SendFailed, m.row("u-2").State)

	m.send("u-3")
	require.Empty(t, m.commit(m.event("u-3", "sent", 0)), "whoever sends it will know")
	require.Equal(t, store.SendSent, m.row("u-3").State, "a report was faster than the provider's answer")
	m.settle("u-3", store.SendUnknown, "")
	require.Equal(t, store.SendSent, m.row("u-3").State)
	m.settle("u-3", store.SendSent, "pm-u3")
	require.Equal(t, "pm-u3", m.row("u-3").ProviderMessageID)

	// The provider said that it did not take it, and then reports on it: it is not sent again.
	m.send("u-4")
	m.settle("u-4", store.SendRetry, "")
	require.Equal(t, []string{"delivery delivered u-4"}, m.commit(m.event("u-4", "delivered", 0)))
	row, fresh, err := m.s.ClaimSend(t.Context(), store.Send{ID: "u-4", ContactID: m.contact.ID, CommunicationID: "u-4", IntegrationID: "in_1", CorrelationKey: "u-4", CreatedAt: now}, nil, nil)
	require.NoError(t, err)
	require.False(t, fresh)
	require.Equal(t, store.SendSent, row.State)
	m.send("u-5")
	m.settle("u-5", store.SendRetry, "")
	m.commit(m.event("u-5", "failed", 0))
	require.Equal(t, store.SendRetry, m.row("u-5").State, "what failed may be tried again")
}

// testReportsOfAttempts: an answer of unknown outcome that a person has sent again
// is one message with two rows of the ledger.
func testReportsOfAttempts(t *testing.T, m *mailing) {
	ctx := t.Context()
	require.NoError(t, m.s.OpenSession(ctx, campaign.Session{ID: "ss_a", ContactID: m.contact.ID, CommunicationID: "a-1", IntegrationID: "in_1", Address: "a@example.com", Status: campaign.SessionOpen, CreatedAt: now}))
	reply := func(v *store.Send) { v.SessionID, v.CommunicationID = "ss_a", "a-1" }
	delivery := func(id string) string {
		t.Helper()
		session, err := m.s.Session(ctx, "ss_a")
		require.NoError(t, err)
		for _, one := range session.Messages {
			if one.ID == id {
				return one.Delivery
			}
		}
		return ""
	}
	for _, id := range []string{"one", "two"} {
		require.NoError(t, m.s.AddMessage(ctx, campaign.Message{ID: id, SessionID: "ss_a", Author: campaign.AuthorAgent, Delivery: "pending", At: now}))
		m.send(id, reply)
		m.settle(id, store.SendUnknown, "")
		require.Equal(t, "unknown", delivery(id))
	}
	require.Equal(t, []string{"delivery delivered one"}, m.commit(m.event("one", "delivered", 0)), "a person is asked no more")
	require.Equal(t, "delivered", delivery("one"))
	require.Empty(t, m.commit(m.event("one", "read", 1)))

	require.NoError(t, m.s.RenewMessage(ctx, "one"))
	require.Equal(t, "read", delivery("one"), "it is there")
	require.NoError(t, m.s.RenewMessage(ctx, "two"))
	require.Equal(t, "pending", delivery("two"))
	m.send("two#2", reply)
	m.settle("two#2", store.SendSent, "pm-two")
	require.NoError(t, m.s.MarkMessage(ctx, "two", "sent", "pm-two", ""))
	require.Empty(t, m.commit(m.event("two", "failed", 0)), "the first attempt did not leave, the second did")
	require.Equal(t, store.SendFailed, m.row("two").State)
	require.Equal(t, "sent", delivery("two"))
	require.Equal(t, []string{"delivery failed two"}, m.commit(m.event("two#2", "failed", 1)))
	require.Equal(t, "failed", delivery("two"))
}

func testReportsBeforeTheAnswer(t *testing.T, m *mailing) {
	ctx := t.Context()
	early := func(e *store.ProviderEvent) { e.CorrelationKey, e.ProviderMessageID = "", "pm-e1" }
	require.Empty(t, m.commit(m.event("", "delivered", 1, early), m.event("", "sent", 0, early)), "nobody has the id yet")
	m.send("e-1", func(v *store.Send) { v.SessionID = "ss_e" })
	m.settle("e-1", store.SendSent, "pm-e1")
	require.Equal(t, "delivered", m.row("e-1").Delivery, "matched with the settling")
	untaken, err := m.s.UntakenEvents(ctx, now.Add(time.Second), 100)
	require.NoError(t, err)
	require.Contains(t, m.told(untaken), "delivery delivered e-1")
	require.NoError(t, m.s.AddMessage(ctx, campaign.Message{ID: "e-1", SessionID: "ss_e", Delivery: "sent", At: now}))
	require.NoError(t, m.s.OpenSession(ctx, campaign.Session{ID: "ss_e", ContactID: m.contact.ID, CommunicationID: "e-1", IntegrationID: "in_1", Address: "a@example.com", Status: campaign.SessionOpen, CreatedAt: now}))
	session, err := m.s.Session(ctx, "ss_e")
	require.NoError(t, err)
	require.Equal(t, "delivered", session.Messages[0].Delivery, "an opening that is written down late")
	require.Equal(t, []string{"delivery read e-1"}, m.commit(m.event("", "read", 2, early)))
	session, err = m.s.Session(ctx, "ss_e")
	require.NoError(t, err)
	require.Equal(t, "read", session.Messages[0].Delivery)

	// A reply in the session: its message shows how far it is, the contact is told of what failed.
	require.NoError(t, m.s.AddMessage(ctx, campaign.Message{ID: "ans_1", SessionID: "ss_e", Delivery: "pending", At: now}))
	m.send("ans_1", func(v *store.Send) { v.SessionID, v.CommunicationID = "ss_e", "e-1" })
	require.Empty(t, m.commit(m.event("ans_1", "delivered", 1)))
	require.Equal(t, []string{"delivery bounced ans_1"}, m.commit(m.event("ans_1", "bounced", 2)))
	session, err = m.s.Session(ctx, "ss_e")
	require.NoError(t, err)
	require.Equal(t, "failed", session.Messages[1].Delivery)

	// Another session waits for its opening to leave: what the contact writes is not for it.
	m.send("e-2", func(v *store.Send) { v.SessionID = "ss_f" })
	m.settle("e-2", store.SendRetry, "")
	require.NoError(t, m.s.OpenSession(ctx, campaign.Session{ID: "ss_f", ContactID: m.contact.ID, CommunicationID: "e-2", IntegrationID: "in_1", Address: "a@example.com", Status: campaign.SessionOpen, CreatedAt: now.Add(time.Hour)}))

	// What a contact writes finds its session by a token, by what it answers, by the address; else a person looks.
	says := func(change func(*store.ProviderEvent)) store.ProviderEvent {
		return m.event("", "", 3, func(e *store.ProviderEvent) { e.Kind, e.Content, e.Address = store.ReportMessage, "hello", "" }, change)
	}
	for name, find := range map[string]func(*store.ProviderEvent){
		"token":   func(e *store.ProviderEvent) { e.SessionID = "ss_e" },
		"thread":  func(e *store.ProviderEvent) { e.Threads = []string{"none", "pm-e1"} },
		"address": func(e *store.ProviderEvent) { e.Address = "a@example.com" },
	} {
		told := m.commit(says(find))
		require.Len(t, told, 1, name)
		require.Contains(t, told[0], "message", name)
	}
	// WhatsApp knows some numbers under another one, which its statuses name and answers come from.
	m.send("w-2", func(v *store.Send) {
		v.SessionID, v.Channel, v.Address = "ss_w", campaign.WhatsAppMeta, "+525587654321"
	})
	require.NoError(t, m.s.OpenSession(ctx, campaign.Session{ID: "ss_w", ContactID: m.contact.ID, CommunicationID: "w-2", IntegrationID: "in_1", Channel: campaign.WhatsAppMeta, Address: "+525587654321", Status: campaign.SessionOpen, CreatedAt: now}))
	theirs := func(e *store.ProviderEvent) { e.Address = "+5215587654321" }
	m.commit(m.event("w-2", "delivered", 1, theirs))
	require.Len(t, m.commit(says(theirs)), 1)
	session, err = m.s.Session(ctx, "ss_w")
	require.NoError(t, err)
	require.Len(t, session.Messages, 1)

	withheld := m.event("", "", 0, func(e *store.ProviderEvent) {
		e.Kind, e.Key, e.Raw, e.Reason = store.ReportUnread, "imap:9", "", strings.Repeat("what to do ", 50)
	})
	require.Empty(t, m.commit(withheld))
	require.Empty(t, m.commit(withheld), "told again")
	unmatched, err := m.s.UnmatchedEvents(ctx, store.Page{})
	require.NoError(t, err)
	require.Len(t, unmatched.Items, 1, "what the provider does not hand out is where people look")
	require.Equal(t, withheld.Reason, unmatched.Items[0].Reason)
	require.Empty(t, m.commit(m.event("", "", 0, func(e *store.ProviderEvent) {
		e.Kind, e.Key, e.Reason, e.Raw = store.ReportUnread, "x", "no address", "?"
	})))

	require.Empty(t, m.commit(says(func(e *store.ProviderEvent) { e.SessionID, e.Auto = "ss_e", true })), "nobody answers a machine")
	require.Empty(t, m.commit(says(func(e *store.ProviderEvent) { e.Address = "stranger@example.com" })))
	unmatched, err = m.s.UnmatchedEvents(ctx, store.Page{})
	require.NoError(t, err)
	require.Len(t, unmatched.Items, 2)
	require.Contains(t, unmatched.Items[0].Reason+unmatched.Items[1].Reason, "stranger@example.com")
	session, err = m.s.Session(ctx, "ss_e")
	require.NoError(t, err)
	require.Len(t, session.Messages, 5)
}

func testReportsOfTheBroken(t *testing.T, m *mailing) {
	ctx := t.Context()
	require.NoError(t, m.s.CreateIntegration(ctx, campaign.Integration{ID: "in_b", Name: "b", Provider: "meta", Status: "ok", CreatedAt: now.Add(-time.Hour)}))
	of := func(at time.Time) func(*store.Send) {
		return func(v *store.Send) { v.IntegrationID, v.CreatedAt = "in_b", at }
	}
	account := func(e *store.ProviderEvent) {
		e.IntegrationID, e.Breaks, e.Reason = "in_b", true, "131042 Business eligibility payment issue"
	}
	paused := func() bool {
		i, err := m.s.Integration(ctx, "in_b")
		require.NoError(t, err)
		if i.Paused {
			require.Equal(t, "error config 131042 Business eligibility payment issue (communication b-1)", i.Status+" "+i.StatusMessage)
		}
		return i.Paused
	}
	require.Empty(t, m.commit(m.event("other program's", "failed", 0, account)))
	require.False(t, paused(), "another program's message")
	m.send("b-1", of(now))
	require.Len(t, m.commit(m.event("b-1", "failed", 0, account)), 1)
	require.True(t, paused(), "what the provider took first and failed later pauses the integration, with a sample")

	// A person mends it and resumes it; what was sent before fails still.
	m.send("b-2", of(time.Now().Add(-time.Minute)))
	_, err := m.s.UpdateIntegration(ctx, "in_b", func(i *campaign.Integration) error { i.Paused, i.Status, i.StatusMessage = false, "ok", ""; return nil })
	require.NoError(t, err)
	require.Len(t, m.commit(m.event("b-2", "failed", 0, account)), 1)
	require.False(t, paused(), "it was sent before the integration was mended")
}

func testReportsTogether(t *testing.T, m *mailing) {
	const sends, callers = 20, 8
	var events []store.ProviderEvent
	for i := range sends {
		id := fmt.Sprintf("t-%d", i)
		m.send(id)
		events = append(events, m.event(id, "sent", 0), m.event(id, "delivered", 1), m.event(id, "read", 2))
	}
	all := make([][]store.InboxEvent, callers)
	errs := together(t.Context(), callers, func(ctx context.Context, i int) (err error) {
		all[i], err = m.s.CommitReports(ctx, events, now)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	seen := map[string]bool{}
	for _, told := range all {
		for _, e := range told {
			seen[e.ID] = true
		}
	}
	require.Len(t, seen, 2*sends, "delivered and read of each, whoever was first")
	for i := range sends {
		require.Equal(t, "read", m.row(fmt.Sprintf("t-%d", i)).Delivery)
	}
	// Reports and answers of the provider that cross: what neither of them saw of the other, the next look finds.
	early := m.event("", "delivered", 1, func(e *store.ProviderEvent) { e.ProviderMessageID = "pm-x" })
	m.send("x-1")
	errs = together(t.Context(), 2, func(ctx context.Context, i int) error {
		if i == 0 {
			return m.s.SettleSend(ctx, "x-1", store.SendSent, "pm-x", "", now)
		}
		_, err := m.s.CommitReports(ctx, []store.ProviderEvent{early}, now)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	_, err := m.s.RematchReports(t.Context(), now.Add(-time.Minute), now)
	require.NoError(t, err)
	require.Equal(t, "delivered", m.row("x-1").Delivery)
}

func testOptOuts(t *testing.T, s *store.Store) {
	ctx, m := t.Context(), newMailing(t, s)
	person, mail := m.contact.ExternalID, m.contact.Email
	m.send("c-1")
	m.settle("c-1", store.SendSent, "pm-1")
	because := func(why string) func(*store.ProviderEvent) { return func(e *store.ProviderEvent) { e.Suppress = why } }
	to := func(address string) func(*store.ProviderEvent) {
		return func(e *store.ProviderEvent) { e.Address = address }
	}

	require.Len(t, m.commit(m.event("c-1", "bounced", 1, because("bounced"), to("Dead@Example.com"))), 1)
	require.Equal(t, "bounced", m.suppressed("", "dead@example.com", campaign.Email))
	require.Empty(t, m.suppressed(person, "new@example.com", campaign.Email), "the person may have another address")
	require.Equal(t, []string{"delivery opt_out c-1"}, m.commit(m.event("c-1", "opt_out", 2, because("spam_report"))))
	for _, ch := range []campaign.Channel{campaign.Email, campaign.EmailNotification} {
		require.Equal(t, "spam_report", m.suppressed(person, "", ch))
		require.Equal(t, "spam_report", m.suppressed("", mail, ch))
	}
	require.Empty(t, m.suppressed(person, mail, campaign.Telegram))
	require.Empty(t, m.commit(m.event("other program's", "opt_out", 2, because("unsubscribed"), to("elsewhere@example.com"))))
	require.Equal(t, "unsubscribed", m.suppressed("", "elsewhere@example.com", campaign.Email), "true of the address, whoever wrote to it")

	u := store.Unsubscription{EventID: "un_1", ContactID: m.contact.ID, Channel: campaign.WhatsAppMeta, Address: "+491", Reason: "unsubscribed", At: now}
	first, err := s.Unsubscribe(ctx, u)
	require.NoError(t, err)
	require.Equal(t, []string{"delivery opt_out"}, m.told(first))
	again, err := s.Unsubscribe(ctx, u)
	require.NoError(t, err)
	require.Empty(t, again)
	require.Equal(t, "unsubscribed", m.suppressed(person, "", campaign.WhatsAppBird))
	_, err = s.Unsubscribe(ctx, store.Unsubscription{EventID: "un_2", ContactID: "none", Channel: campaign.Email, At: now})
	require.ErrorIs(t, err, store.ErrNotFound)
	addresses, err := s.Addresses(ctx, m.contact.ID)
	require.NoError(t, err)
	require.Equal(t, []string{mail}, addresses)

	// A provider writes a number in its own way, and WhatsApp knows some under another one: both are left alone.
	m.send("w-1", func(v *store.Send) { v.Channel, v.Address = campaign.WhatsAppMeta, "+52 55 1234 5678" })
	m.commit(m.event("w-1", "bounced", 3, because("bounced"), to("+5215512345678")))
	for _, address := range []string{"+525512345678", "+5215512345678", "+52 (55) 1234-5678"} {
		require.Equal(t, "bounced", m.suppressed("", address, campaign.WhatsAppBird), address)
	}
	// Nobody knows who writes, but what they want.
	require.Empty(t, m.commit(m.event("", "", 4, to("+15005550006"), func(e *store.ProviderEvent) {
		e.Kind, e.Channel, e.Content = store.ReportMessage, campaign.WhatsAppMeta, "STOP"
	})))
	require.Equal(t, "opt_out", m.suppressed("", "+15005550006", campaign.WhatsAppBird))
	require.Empty(t, m.suppressed("", "+15005550006", campaign.Twilio))

	hear := func() error {
		return s.HearEvent(ctx, "un_1", m.contact.ID, func(*campaign.Contact) []campaign.Decision {
			return []campaign.Decision{{At: now, Kind: campaign.DecisionOptOut, Summary: "no more"}}
		})
	}
	twice(t, hear)
	decisions, err := s.Decisions(ctx, m.contact.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"Imported", "no more"}, ids(decisions, func(d campaign.Decision) string { return d.Summary }))
	_, err = s.BeginRun(ctx, m.contact.ID, "run-1", now)
	require.NoError(t, err)
	require.ErrorIs(t, hear(), store.ErrConflict)
	require.ErrorIs(t, s.HearEvent(ctx, "un_1", "none", nil), store.ErrNotFound)

	secrets := make([][]byte, 4)
	errs := together(ctx, len(secrets), func(ctx context.Context, i int) (err error) {
		secrets[i], err = s.WorkspaceSecret(ctx, "links")
		return err
	})
	require.NoError(t, errors.Join(errs...))
	for _, secret := range secrets {
		require.Len(t, secret, 32)
		require.Equal(t, secrets[0], secret, "one secret, whoever made it")
	}
	other, err := s.WorkspaceSecret(ctx, "others")
	require.NoError(t, err)
	require.NotEqual(t, secrets[0], other)
}
