package storetest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testIdentities(t *testing.T, s *store.Store) {
	ctx, m := t.Context(), newMailing(t, s)
	person, on := m.contact.ExternalID, campaign.Telegram
	tells := func(i int, id store.Identity, change ...func(*store.ProviderEvent)) store.ProviderEvent {
		return m.event("", "", i, append([]func(*store.ProviderEvent){func(e *store.ProviderEvent) {
			e.Kind, e.Channel, e.Address, e.Identity = store.ReportIdentity, on, "4242", &id
		}}, change...)...)
	}
	says := func(i int, from string, id *store.Identity) store.ProviderEvent {
		return m.event("", "", i, func(e *store.ProviderEvent) {
			e.Kind, e.Channel, e.Content, e.Address, e.Identity = store.ReportMessage, on, "hello", from, id
		})
	}
	identity := func() store.Identity {
		found, err := s.Identities(ctx, m.contact.ID)
		require.NoError(t, err)
		require.Len(t, found, 1)
		return found[0]
	}

	// Nobody is known by who opens the bot without a token, nor by the token of somebody who is gone.
	require.Empty(t, m.commit(tells(0, store.Identity{UserID: "4242", Name: "Ada"}), tells(0, store.Identity{ContactID: "ct_gone", UserID: "4242"})))
	found, err := s.Identities(ctx, m.contact.ID)
	require.NoError(t, err)
	require.Empty(t, found)

	// A token binds the contact to the chat, and the contact is told, once.
	link := tells(1, store.Identity{ContactID: m.contact.ID, UserID: "4242", Name: "Ada\x00"})
	events, err := s.CommitReports(ctx, []store.ProviderEvent{link}, now)
	require.NoError(t, err)
	require.Len(t, events, 1)
	var event campaign.Event
	require.NoError(t, json.Unmarshal(events[0].Payload, &event))
	require.Equal(t, campaign.EventLinked, event.Kind)
	require.Equal(t, m.contact.ID, events[0].ContactID)
	require.Equal(t, &campaign.Linked{Channel: campaign.Telegram, Address: "4242", Name: "Ada"}, event.Linked)
	require.Empty(t, m.commit(link))
	linked := now.Add(time.Second).UTC().Truncate(time.Microsecond)
	require.Equal(t, store.Identity{IntegrationID: "in_1", ContactID: m.contact.ID, UserID: "4242", Address: "4242", Name: "Ada", LinkedAt: &linked}, identity())
	require.NoError(t, s.HearEvent(ctx, event.ID, m.contact.ID, func(c *campaign.Contact) []campaign.Decision { return campaign.Heard(c, &event, now) }))
	contact, err := s.ContactByID(ctx, m.contact.ID)
	require.NoError(t, err)
	require.Equal(t, "4242", contact.TelegramChatID, "also where no workflow runs")

	// A message before any conversation is for a person to look at, who sees whose it is.
	require.Empty(t, m.commit(says(2, "4242", nil)))
	unmatched, err := s.UnmatchedEvents(ctx, store.Page{})
	require.NoError(t, err)
	require.Len(t, unmatched.Items, 1)
	require.Equal(t, m.contact.ID, unmatched.Items[0].ContactID)
	require.Equal(t, "hello", unmatched.Items[0].Content)

	// A conversation in another chat is not the one of who opened this chat, who may be somebody else.
	open := func(id, address string, after time.Duration) {
		require.NoError(t, s.OpenSession(ctx, campaign.Session{ID: id, ContactID: m.contact.ID, CommunicationID: "c-" + id, IntegrationID: "in_1", Channel: on, Address: address, Status: campaign.SessionOpen, CreatedAt: now.Add(after)}))
	}
	open("ss_old", "4141", 0)
	require.Empty(t, m.commit(says(20, "4242", nil)))
	unmatched, err = s.UnmatchedEvents(ctx, store.Page{})
	require.NoError(t, err)
	require.Len(t, unmatched.Items, 2)
	require.Equal(t, m.contact.ID, unmatched.Items[0].ContactID)
	require.Equal(t, m.contact.ID, unmatched.Items[1].ContactID)
	old, err := s.Session(ctx, "ss_old")
	require.NoError(t, err)
	require.Empty(t, old.Messages)
	late, err := s.CommitReports(ctx, []store.ProviderEvent{says(21, "4141", nil)}, now)
	require.NoError(t, err)
	require.Len(t, late, 1, "who is there goes on there")
	require.NoError(t, s.MarkUnmatched(ctx, late[0].ID, "the contact is stopped"))
	unmatched, err = s.UnmatchedEvents(ctx, store.Page{})
	require.NoError(t, err)
	require.Contains(t, unmatched.Items, store.Unmatched{
		ID: late[0].ID, At: late[0].At, Kind: "message", ContactID: m.contact.ID, SessionID: "ss_old", Content: "hello", Reason: "the contact is stopped",
	}, "a person reads what nobody took")
	open("ss_none", "", -time.Hour)
	require.Len(t, m.commit(says(22, "4242", nil)), 1, "one without a chat")
	none, err := s.Session(ctx, "ss_none")
	require.NoError(t, err)
	require.Len(t, none.Messages, 1)
	for _, id := range []string{"ss_old", "ss_none"} {
		_, err = s.CloseSession(ctx, id, campaign.SessionCompleted, nil, "", now)
		require.NoError(t, err)
	}

	// Elsewhere a conversation is found under another number or id of the same person.
	on = campaign.WhatsAppMeta
	open("ss_1", "+1555", 0)
	require.Len(t, m.commit(says(3, "4242", nil)), 1, "by the chat")
	require.Len(t, m.commit(says(4, "+1555", &store.Identity{UserID: "US.1"})), 1, "by the address, which comes with an id")
	require.Equal(t, "US.1", identity().UserID)
	require.Len(t, m.commit(says(5, "US.1", nil)), 1, "by the id alone")
	require.Empty(t, m.commit(tells(6, store.Identity{UserID: "US.2", Previous: "US.1"}, func(e *store.ProviderEvent) { e.Address = "+1666" })), "nothing to be told")
	require.Len(t, m.commit(says(7, "+1666", nil)), 1, "by the new number")
	require.Len(t, m.commit(says(8, "+1777", &store.Identity{UserID: "US.2"})), 1, "by the new id")
	require.Empty(t, m.commit(says(9, "+1888", &store.Identity{UserID: "US.1"})), "the old one is nobody's")
	other := says(9, "+1777", nil)
	other.IntegrationID = "in_2"
	require.Empty(t, m.commit(other), "an id counts at its own provider")
	require.Equal(t, &linked, identity().LinkedAt)

	// Where a message went says under which id the person answers.
	m.send("c-2", func(v *store.Send) { v.SessionID, v.Channel, v.Address = "ss_1", campaign.WhatsAppMeta, "+1777" })
	require.Empty(t, m.commit(m.event("c-2", "sent", 9, func(e *store.ProviderEvent) { e.Address, e.Identity = "+1777", &store.Identity{UserID: "US.3"} })))
	require.Len(t, m.commit(says(9, "US.3", nil)), 1, "by the id of whom it was sent to")
	require.Empty(t, m.commit(tells(9, store.Identity{UserID: "US.2", Previous: "US.3"}, func(e *store.ProviderEvent) { e.Address = "+1777" })))

	on = campaign.Telegram
	// A chat that was not there is there when somebody opens it.
	_, err = s.Suppress(ctx, store.Suppression{ID: "sp_1", Address: "+1777", Channel: campaign.Telegram, Reason: "bounced", CreatedAt: now})
	require.NoError(t, err)
	require.Equal(t, "bounced", m.suppressed("", "+1777", campaign.Telegram))
	require.Empty(t, m.commit(tells(9, store.Identity{UserID: "US.2"}, func(e *store.ProviderEvent) { e.Address = "+1777" })))
	require.Empty(t, m.suppressed("", "+1777", campaign.Telegram))

	// Whoever blocks us has opted out, on this channel.
	require.Empty(t, m.suppressed(person, "", campaign.Telegram))
	require.Equal(t, []string{"delivery opt_out"}, m.commit(tells(10, store.Identity{UserID: "US.2", Blocked: true}, func(e *store.ProviderEvent) {
		e.Status, e.Suppress, e.Reason, e.Address = campaign.ReportOptOut, "opt_out", "the person blocked the bot", "+1777"
	})))
	require.Equal(t, "opt_out", m.suppressed(person, "", campaign.Telegram))
	require.Equal(t, "opt_out", m.suppressed("", "+1777", campaign.Telegram))
	require.Empty(t, m.suppressed(person, "", campaign.Email))
	require.True(t, identity().Blocked)
	require.Empty(t, m.commit(tells(11, store.Identity{UserID: "US.2"}, func(e *store.ProviderEvent) { e.Address = "+1777" })))
	require.False(t, identity().Blocked)
	require.Equal(t, "opt_out", m.suppressed(person, "", campaign.Telegram), "a person here takes that back")

	require.NoError(t, s.DeleteContact(ctx, "ca_1", m.contact.ID))
	found, err = s.Identities(ctx, m.contact.ID)
	require.NoError(t, err)
	require.Empty(t, found)
}

func testTelegramBot(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Running)
	bot := func() string {
		i, err := s.TelegramBot(ctx, "ca_1")
		if err != nil {
			require.ErrorIs(t, err, store.ErrNotFound)
		}
		return i.ID
	}
	require.Empty(t, bot())
	add := func(id, provider, username string) {
		require.NoError(t, s.CreateIntegration(ctx, campaign.Integration{ID: id, Name: "The " + id, Provider: provider, Settings: map[string]string{"bot_username": username}}))
	}
	add("in_nameless", "telegram", "")
	add("in_other", "sendgrid", "x")
	require.Empty(t, bot(), "a bot without a name has no link")
	add("in_1", "telegram", "one_bot")
	require.Equal(t, "in_1", bot(), "the only one")
	add("in_2", "telegram", "two_bot")
	require.Empty(t, bot(), "which one?")
	require.NoError(t, s.CreateAgent(ctx, campaign.Agent{ID: "ag_1", Name: "Anna", Kind: campaign.AgentExternal, Integrations: map[string]string{"telegram": "The in_2"}}))
	for _, st := range []campaign.Stage{
		{ID: "st_1", Name: "Mail", Delivery: campaign.Delivery{Channel: campaign.Email, Integration: "in_1", Agent: "ag_1"}},
		{ID: "st_2", Name: "Nameless", Delivery: campaign.Delivery{Channel: campaign.Telegram, Integration: "in_nameless", Agent: "ag_1"}},
		{ID: "st_3", Name: "Chat", Delivery: campaign.Delivery{Channel: campaign.Telegram, Agent: "ag_1"}},
	} {
		st.CampaignID, st.Weight = "ca_1", 1
		_, err := s.CreateStage(ctx, st)
		require.NoError(t, err)
	}
	require.Equal(t, "in_2", bot(), "the stage's, by its agent")
}

func testHiddenNumbers(t *testing.T, s *store.Store) {
	ctx, m := t.Context(), newMailing(t, s)
	const number, id = "+14155550177", "US.77"
	m.send("h-1", func(v *store.Send) {
		v.SessionID, v.Channel, v.Address = "ss_h", campaign.WhatsAppMeta, number
	})
	require.NoError(t, m.s.OpenSession(ctx, campaign.Session{
		ID: "ss_h", ContactID: m.contact.ID, CommunicationID: "h-1", IntegrationID: "in_1", Channel: campaign.WhatsAppMeta, Address: number, Status: campaign.SessionOpen, CreatedAt: now,
	}))
	hears := func(i int, from string, id string) []string {
		return m.commit(m.event("", "", i, func(e *store.ProviderEvent) {
			e.Kind, e.Channel, e.Content, e.Address = store.ReportMessage, campaign.WhatsAppMeta, "hello", from
			e.Identity = &store.Identity{UserID: id}
		}))
	}
	address := func() string {
		s, err := m.s.Session(ctx, "ss_h")
		require.NoError(t, err)
		return s.Address
	}
	require.Empty(t, hears(0, "", id), "nobody knows yet who that is")
	m.commit(m.event("h-1", "sent", 1, func(e *store.ProviderEvent) { e.Address, e.Identity = number, &store.Identity{UserID: id} }))
	require.Len(t, hears(2, "", id), 1, "a person who hides the number is known by the id that came with a report")
	require.Equal(t, number, address())

	m.commit(m.event("", "", 3, func(e *store.ProviderEvent) {
		e.Kind, e.Channel, e.Address, e.Identity = store.ReportIdentity, campaign.WhatsAppMeta, "+14155550188", &store.Identity{UserID: "US.78", Previous: number}
	}))
	require.Len(t, hears(4, "+14155550188", "US.78"), 1, "they have another number")
	require.Equal(t, "+14155550188", address(), "which answers go to")

	// In mode redirect somebody else's number got the message: the contact is not them.
	m.send("h-2", func(v *store.Send) {
		v.SessionID, v.Channel, v.Address = "ss_h", campaign.WhatsAppMeta, "+14155550199"
	})
	m.commit(m.event("h-2", "sent", 5, func(e *store.ProviderEvent) {
		e.Address, e.Identity = "+14155550199", &store.Identity{UserID: "US.tester"}
	}))
	require.Empty(t, hears(6, "", "US.tester"))
	require.Equal(t, "+14155550188", address())
}
