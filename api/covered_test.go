package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

// covered is a person with an open session, and what it takes to leave them alone.
type covered struct {
	*post
	front   *front
	person  campaign.Contact
	session string
	agent   string
}

func newCovered(t *testing.T, ch campaign.Channel, to string) *covered {
	t.Helper()
	c := &covered{post: newPost(t)}
	c.front = &front{t: t, store: c.store, url: c.url}
	running := c.front.addCampaign(campaign.Running)
	c.agent = c.front.addAgent(campaign.AgentExternal)
	c.person = c.front.addContact(running, "ann", func(x *campaign.Contact) { x.TelegramChatID = "4242" })
	c.session = c.front.addSession(c.person, func(s *campaign.Session) {
		s.AgentID, s.Channel, s.Address, s.IntegrationID = c.agent, ch, to, c.id
	})
	return c
}

// ended returns how sessions are told to end.
func (c *covered) ended() []string {
	c.t.Helper()
	var ended []string
	for _, e := range c.inbox() {
		var event campaign.Event
		require.NoError(c.t, json.Unmarshal(e.Payload, &event))
		if event.Status.Ended() {
			ended = append(ended, fmt.Sprintf("%s %s %s", event.SessionID, event.Status, event.Reason))
		}
	}
	slices.Sort(ended)
	return ended
}

// refused wants that nothing more is said in the session.
func (c *covered) refused(why string) {
	c.t.Helper()
	at := "/v1/sessions/" + c.session
	require.Contains(c.t, c.call("POST", at+"/answers", map[string]any{"content": "One moment."}).fails(http.StatusConflict).Detail, why)
	_, err := c.store.UpdateSession(c.t.Context(), c.session, func(s *campaign.Session) error { s.Mode = campaign.ModeHuman; return nil })
	require.NoError(c.t, err)
	require.Contains(c.t, c.call("POST", at+"/reply", map[string]any{"content": "One moment."}).fails(http.StatusConflict).Detail, why)
	s, err := c.store.Session(c.t.Context(), c.session)
	require.NoError(c.t, err)
	require.Empty(c.t, s.Messages)
}

func TestWhoIsLeftAloneHasNoOpenSession(t *testing.T) {
	t.Parallel()
	const mail = "ann@example.com"
	for _, one := range []struct {
		name    string
		channel campaign.Channel
		to      string
		do      func(c *covered)
		ends    string
	}{
		{"by the link in an e-mail", campaign.Email, mail, func(c *covered) {
			secret, err := c.store.WorkspaceSecret(c.t.Context(), channels.UnsubscribeSecret)
			require.NoError(c.t, err)
			token := channels.Unsubscriber{Secret: secret}.Token(c.person.ID, campaign.EmailNotification, mail)
			require.Equal(c.t, http.StatusOK, c.call("POST", "/u/"+token, nil).Status)
		}, "declined unsubscribed"},
		{"by a report of spam", campaign.Email, mail, func(c *covered) {
			require.Equal(c.t, http.StatusOK, c.tell(events(event("e1", "spamreport", ""))).Status)
		}, "declined spam_report"},
		{"by a bounce of another letter", campaign.Email, mail, func(c *covered) {
			bounce := event("e1", "bounce", "ct_1-1")
			bounce["type"], bounce["reason"] = "bounce", "550 no such user"
			require.Equal(c.t, http.StatusOK, c.tell(events(bounce)).Status)
		}, "failed bounced"},
		{"by a block in Telegram", campaign.Telegram, "4242", func(c *covered) {
			id := c.call("POST", "/v1/integrations", map[string]any{
				"name": "bot", "provider": "telegram", "secrets": map[string]any{"bot_token": "1:x", "webhook_secret": "s-e-c-r-e-t"},
			}).ok(http.StatusCreated)["id"].(string)
			_, err := c.store.UpdateSession(c.t.Context(), c.session, func(s *campaign.Session) error { s.IntegrationID = id; return nil })
			require.NoError(c.t, err)
			ann := map[string]any{"id": 4242, "first_name": "Ann"}
			body, err := json.Marshal(map[string]any{"update_id": 1, "my_chat_member": map[string]any{
				"chat": map[string]any{"id": 4242, "type": "private"}, "from": ann, "date": time.Now().Unix(),
				"old_chat_member": map[string]any{"status": "member", "user": ann}, "new_chat_member": map[string]any{"status": "kicked", "user": ann},
			}})
			require.NoError(c.t, err)
			require.Equal(c.t, http.StatusOK, c.deliver("/hooks/telegram/"+id, body, http.Header{"X-Telegram-Bot-Api-Secret-Token": {"s-e-c-r-e-t"}}).Status)
		}, "declined opt_out"},
		{"by an operator", campaign.WhatsAppMeta, "+14155550123", func(c *covered) {
			c.call("POST", "/v1/suppressions", map[string]any{"external_id": c.person.ExternalID}).ok(http.StatusCreated)
		}, "declined do_not_contact"},
		{"by STOP in another session", campaign.Email, "new@example.com", func(c *covered) {
			other := c.front.addContact(c.front.addCampaignAs(campaign.Running, "other"), "ann")
			stopped := c.front.addSession(other)
			c.call("POST", "/v1/sessions/"+stopped+"/messages", map[string]any{"content": "STOP"}).ok(http.StatusAccepted)
		}, "declined opt_out"},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			c := newCovered(t, one.channel, one.to)
			one.do(c)
			require.Equal(t, []string{c.session + " " + one.ends}, c.ended())
			c.refused("the person must not be contacted by " + string(one.channel))
		})
	}
}

func TestATaskForAPersonGoesOnUnlessTheContactIsLeftAlone(t *testing.T) {
	t.Parallel()
	c := newCovered(t, campaign.Human, "")
	for _, ch := range []string{"email", "human"} {
		c.call("POST", "/v1/suppressions", map[string]any{"external_id": c.person.ExternalID, "channel": ch}).ok(http.StatusCreated)
	}
	require.Empty(t, c.ended())
	c.call("POST", "/v1/sessions/"+c.session+"/answers", map[string]any{"content": "Called."}).ok(http.StatusAccepted)
	c.call("POST", "/v1/suppressions", map[string]any{"external_id": c.person.ExternalID}).ok(http.StatusCreated)
	require.Equal(t, []string{c.session + " declined do_not_contact"}, c.ended())
}
