package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/sendgrid/sendgridtest"
	"carillon/channels/telegram/telegramtest"
)

// nextWay writes by another way to who says "later", and ends with a promise.
const nextWay = `
async def run(contact, session_results, logger, **kwargs):
    seen = contact.internal_data.get("seen", [])
    contact.internal_data["seen"] = seen + [session_results["StageName"] + " " + session_results["OutcomeStatus"]]
    after = {"Mail": "WhatsApp", "WhatsApp": "Chat"}.get(session_results["StageName"])
    if session_results["OutcomeStatus"] == "LATER" and after:
        contact.communications.append(Communication(name=after, stage_name=after))
    else:
        contact.current_stage = "Done"
    return contact
`

// One campaign whole, over three channels and the fakes of three providers: an
// e-mail that carries the link to the bot, a template on WhatsApp, and the chat
// that the link opens.
func TestOneCampaignOverMailWhatsAppAndTelegram(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	s := c.campaign(doc{"name": "Three ways"})
	grid := sendgridtest.New(t, mailKey)
	meta, phones := metaLine(t)
	bot, chats := botLine(t, "poll")
	meta.integration["name"], bot.integration["name"] = "Phones", "Chats"
	mail := c.post("/v1/integrations", doc{"name": "Grid", "provider": "sendgrid", "secrets": doc{"api_key": mailKey}, "settings": doc{
		"from_email": "anna@collect.example", "base_url": grid.URL, "reply_domain": "parse.collect.example",
		"event_public_key": grid.Signer.PublicKey, "inbound_public_key": grid.Signer.PublicKey,
	}})["id"].(string)
	phone := c.post("/v1/integrations", meta.integration)["id"].(string)
	chat := c.post("/v1/integrations", bot.integration)["id"].(string)
	grid.Subscribe(c.api + "/hooks/sendgrid/" + mail + "/events")
	grid.Receive(c.api + "/hooks/sendgrid/" + mail + "/inbound")
	require.NoError(t, meta.subscribe(c.api+"/hooks/meta/"+phone))

	agent := rules("Anna of three ways")
	ask := agent["states"].([]doc)[0]
	ask["replies"] = append(ask["replies"].([]doc), doc{"match": []string{"later"}, "say": "Later, then.", "end": "completed", "results": doc{"OutcomeStatus": "LATER"}})
	agent["integrations"] = doc{"email": mail, "whatsapp_meta": phone, "telegram": chat}
	s.agentID = c.post("/v1/agents", agent)["id"].(string)
	c.post("/v1/agents/"+s.agentID+"/start", nil)
	bot.delivery["wait_for_link"] = true
	for name, delivery := range map[string]doc{
		"Mail":     {"channel": "email", "subject": "Your invoice", "template": "Hello {{ name }}, can you pay? Or chat with us: {{ telegram_link }}"},
		"WhatsApp": meta.delivery, "Chat": bot.delivery,
	} {
		delivery["agent"], delivery["start_state"] = s.agentID, "ask"
		s.stage(name, delivery, doc{"session_timeout": "1h"})
	}
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="Mail", stage_name="Mail"))
    return contact
`)
	s.strategy("aggregation", nextWay)
	require.EqualValues(t, 1, s.upload("text/csv", []byte(columns+",amount\nAnn,Ann,Ann,Ann@people.example,+14155550100,120 EUR\n"))["created"])
	s.start()

	letters := &gridTalk{s, grid}
	opening := letters.to("Ann", 1)
	_, link, ok := strings.Cut(opening.Text("text/plain"), "https://t.me/"+telegramtest.Username+"?start=")
	require.True(t, ok)
	letters.answers(opening, "<a1@people.example>", "Later, please.")
	require.Equal(t, "Later, then.", letters.to("Ann", 2).Text("text/plain"))

	eventually(t, patience, "the template", func() bool { return len(phones.Accepted()) == 1 })
	phones.Report(phones.Accepted()[0], "read")
	s.untilTold("Ann", "read")
	phones.Say("+14155550100", "later")
	s.untilTold("Ann", "deferred") // nobody knows a chat of Ann's
	plan := s.get(s.of("Ann") + "/plan")
	require.Contains(t, fmt.Sprint(plan["blockers"]), "Chat waits until the contact opens its Telegram link")

	const ann = 77007
	chats.Start(ann, strings.TrimSpace(link))
	said := func(words string) {
		t.Helper()
		eventually(t, patience, words, func() bool { return chats.Count(ann, words) == 1 })
	}
	said("Hello Ann, you owe 120 EUR.")
	chats.Say(ann, "Yes!")
	said("On which day, Ann?")
	chats.Say(ann, "On 24.12.2026")
	said("Noted for 2026-12-24: 120 EUR.")
	done := s.awaitStatus("Ann", "completed", patience)
	require.Equal(t, []any{"Mail LATER", "WhatsApp LATER", "Chat PROMISE_TO_PAY"}, seen(done))
	require.Equal(t, "success", done["outcome"])
	require.Equal(t, "77007", done["telegram_chat_id"])
	require.Equal(t, "COMPLETED COMPLETED COMPLETED", statuses(done))

	story := s.story("Ann")
	var way []string
	for _, line := range story {
		if kind, rest, _ := strings.Cut(line, ": "); strings.HasPrefix(rest, "Sent: ") || kind == "linked" || kind == "deferred" {
			way = append(way, rest)
		}
	}
	require.Equal(t, []string{"Sent: Mail by email", "Sent: WhatsApp by whatsapp_meta", "Chat waits until … (no_chat)", "Ann opened the bot's chat", "Sent: Chat by telegram"}, way, strings.Join(story, "\n"))
	for _, times := range []map[string]int{grid.Times(), phones.Times(), chats.Times()} {
		for key, n := range times {
			require.Equal(t, 1, n, "%s went %d times", key, n)
		}
	}
	require.Empty(t, append(append(grid.Refused(), phones.Refused()...), chats.Refused()...))
}
