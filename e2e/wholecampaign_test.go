package e2e_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/sendgrid/sendgridtest"
)

// wherever is an agent by rules that goes where the contact wants to talk, and
// asks for a promise to pay.
func wherever() doc {
	agent := rules("Wherever")
	go2 := func(word string) doc {
		return doc{"match": []string{word}, "say": "Then I write to you there.", "end": "completed", "reason": "elsewhere", "results": doc{"OutcomeStatus": "GO_ON", "wish": word}}
	}
	ask := agent["states"].([]doc)[0]
	ask["replies"] = append([]doc{go2("whatsapp"), go2("telegram")}, ask["replies"].([]doc)...)
	agent["result_fields"] = append(agent["result_fields"].([]doc), doc{"name": "wish", "type": "string"})
	return agent
}

// channelByChannel goes from the letter to WhatsApp to Telegram until the contact
// promises or refuses.
const channelByChannel = `
NEXT = {"Letter": "Message", "Message": "Chat"}
async def run(contact, session_results, logger, **kwargs):
    stage, outcome, reason = (session_results[k] for k in ("StageName", "OutcomeStatus", "Reason"))
    contact.internal_data["seen"] = contact.internal_data.get("seen", []) + [f"{stage} {outcome} {reason}".strip()]
    if outcome == "PROMISE_TO_PAY":
        contact.current_stage = "Promised"
    elif reason == "opt_out" or stage not in NEXT:
        contact.current_stage = "Refused"
    else:
        contact.communications.append(Communication(name=NEXT[stage], stage_name=NEXT[stage]))
    return contact
`

var startToken = regexp.MustCompile(`https://t\.me/\w+\?start=([\w-]+)`)

// One campaign over three channels, whole: a letter that is answered by e-mail,
// a conversation on WhatsApp, a link that opens a chat, and what each person said
// decides where the next one takes place.
func TestACampaignOverEmailWhatsAppAndTelegram(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	grid := sendgridtest.New(t, mailKey)
	wa, _ := metaLine(t)
	tg, bot := botLine(t, "webhook")
	integrations := doc{}
	connect := func(channel string, body doc) string {
		body["name"] = "For " + channel
		id := c.post("/v1/integrations", body)["id"].(string)
		integrations[channel] = id
		return c.api + "/hooks/" + body["provider"].(string) + "/" + id
	}
	mail := connect("email", doc{"provider": "sendgrid", "secrets": doc{"api_key": mailKey}, "settings": doc{
		"from_email": "anna@collect.example", "base_url": grid.URL, "reply_domain": "parse.collect.example",
		"event_public_key": grid.Signer.PublicKey, "inbound_public_key": grid.Signer.PublicKey,
	}})
	grid.Subscribe(mail + "/events")
	grid.Receive(mail + "/inbound")
	require.NoError(t, wa.subscribe(connect("whatsapp_meta", wa.integration)))
	require.NoError(t, tg.subscribe(connect("telegram", tg.integration)))

	agent := wherever()
	agent["integrations"] = integrations
	s := c.campaign(doc{"name": "Channel by channel"})
	s.agentID = s.post("/v1/agents", agent)["id"].(string)
	s.post("/v1/agents/"+s.agentID+"/start", nil)
	s.stage("Letter", doc{"channel": "email", "agent": s.agentID, "subject": "Your invoice", "start_state": "ask", "template": "Hello {{ name }}, you owe {{ parameters.amount }}. Chat with us: {{ telegram_link }}"})
	wa.delivery["agent"] = s.agentID
	s.stage("Message", wa.delivery)
	s.stage("Chat", doc{"channel": "telegram", "agent": s.agentID, "template": "Hello {{ name }}, here we are.", "start_state": "ask", "wait_for_link": true})
	s.stage("Promised", doc{"channel": "none", "start_state": "promised"}, doc{"outcome": "success"})
	s.stage("Refused", doc{"channel": "none", "start_state": "refused"}, doc{"outcome": "failure"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="Letter", stage_name="Letter"))
    return contact
`)
	s.strategy("aggregation", channelByChannel)
	people := map[string]string{"Ann": "+14155570001", "Bob": "+14155570002", "Cid": "+14155570003"}
	file := columns + ",amount\n"
	for _, name := range []string{"Ann", "Bob", "Cid"} {
		file += fmt.Sprintf("%s,%s of three,%s,%s@people.example,%s,120 EUR\n", name, name, name, strings.ToLower(name), people[name])
	}
	require.EqualValues(t, len(people), s.upload("text/csv", []byte(file))["created"])
	s.start()

	letters := &gridTalk{scene: s, grid: grid}
	gets := func(name string, n int, words string) {
		t.Helper()
		var got []string
		eventually(t, patience, name+" gets "+words, func() bool {
			got = nil
			for _, m := range wa.sent() {
				if m.to == people[name] {
					got = append(got, m.words)
				}
			}
			return len(got) == n
		})
		require.Equal(t, words, got[n-1])
	}

	t.Run("one who goes from channel to channel, and promises in the last", func(t *testing.T) {
		s := s.in(t)
		letter := letters.to("Ann", 1)
		token := startToken.FindStringSubmatch(letter.Text("text/plain"))
		require.Len(t, token, 2, letter.Text("text/plain"))
		for _, event := range []string{"delivered", "open"} {
			grid.Report(*letter, event)
		}
		s.untilTold("Ann", "read")
		letters.answers(letter, "<a1@people.example>", "Please write by WhatsApp.")
		letters.to("Ann", 2)
		gets("Ann", 1, wa.opening("Ann"))
		wa.reports(wa.sent()[0].id, "delivered")
		s.until("Ann", "delivered on WhatsApp", func(doc) bool { return strings.Count(s.kinds("Ann"), "delivered") == 2 })
		wa.say(people["Ann"], "Rather on Telegram")
		gets("Ann", 2, "Then I write to you there.")
		s.untilTold("Ann", "deferred")
		require.Empty(t, bot.Accepted(), "nobody knows her chat yet")
		require.Contains(t, fmt.Sprint(s.get(s.of("Ann") + "/plan")["blockers"]), "Chat waits until the contact opens its Telegram link")
		bot.Start(8100, token[1])
		s.until("Ann", "written to on Telegram", func(doc) bool { return bot.Count(8100, "Hello Ann, here we are.") == 1 })
		bot.Say(8100, "yes")
		s.until("Ann", "asked", func(doc) bool { return bot.Count(8100, "On which day, Ann?") == 1 })
		bot.Say(8100, "on 24.12.2026")
		ann := s.awaitStatus("Ann", "completed", patience)
		require.Equal(t, []any{"Letter GO_ON elsewhere", "Message GO_ON elsewhere", "Chat PROMISE_TO_PAY promised"}, seen(ann))
		require.Equal(t, "success", ann["outcome"])
		require.Equal(t, "Promised", ann["current_stage"])
		require.Equal(t, "2026-12-24", ann["results"].(doc)["promised"])
		require.Equal(t, []string{
			"imported: Imported by import …, line 2",
			"strategy_run: Strategy data_load ran (version 1)",
			"planned: Planned: Letter at stage Letter for …",
			"stage_changed: Stage: none → Letter",
			"sent: Sent: Letter by email",
			"delivered: Delivered: Letter",
			"read: Read: Letter",
			"replied: Ann: Please write by WhatsApp.",
			"message: Agent: Then I write to you there.",
			"session_ended: Session ended: Letter, completed",
			"strategy_run: Strategy aggregation ran (version 1)",
			"planned: Planned: Message at stage Message for …",
			"stage_changed: Stage: Letter → Message",
			"sent: Sent: Message by whatsapp_meta",
			"delivered: Delivered: Message",
			"replied: Ann: Rather on Telegram",
			"message: Agent: Then I write to you there.",
			"session_ended: Session ended: Message, completed",
			"strategy_run: Strategy aggregation ran (version 1)",
			"planned: Planned: Chat at stage Chat for …",
			"deferred: Chat waits until … (no_chat)",
			"linked: Ann opened the bot's chat",
			"stage_changed: Stage: Message → Chat",
			"sent: Sent: Chat by telegram",
			"replied: Ann: yes",
			"message: Agent: On which day, Ann?",
			"message: Ann: on 24.12.2026",
			"message: Agent: Noted for 2026-12-24: 120 EUR.",
			"session_ended: Session ended: Chat, completed",
			"strategy_run: Strategy aggregation ran (version 1)",
			"stage_changed: Stage: Chat → Promised",
			"completed: Completed: reached the final stage Promised",
		}, s.story("Ann"))
	})

	t.Run("one whose letter comes back, and who wants nothing on WhatsApp either", func(t *testing.T) {
		s := s.in(t)
		grid.Deliver(returned(letters.to("Bob", 1).Personalizations[0].Headers["Message-ID"], "5.1.1", "550 5.1.1 no such user"), "", "anna@parse.collect.example")
		gets("Bob", 1, wa.opening("Bob"))
		wa.say(people["Bob"], "STOP")
		bob := s.awaitStatus("Bob", "completed", patience)
		require.Equal(t, "failure", bob["outcome"])
		require.Equal(t, "Letter FAILED bounced", seen(bob)[0])
		gets("Bob", 1, wa.opening("Bob"))
	})

	t.Run("one who promises at once is written to nowhere else", func(t *testing.T) {
		s := s.in(t)
		letters.answers(letters.to("Cid", 1), "<c1@people.example>", "Yes.")
		letters.answers(letters.to("Cid", 2), "<c2@people.example>", "On 24.12.2026.")
		cid := s.awaitStatus("Cid", "completed", patience)
		require.Equal(t, []any{"Letter PROMISE_TO_PAY promised"}, seen(cid))
		for _, m := range wa.sent() {
			require.NotEqual(t, people["Cid"], m.to)
		}
	})

	require.Empty(t, append(append(grid.Refused(), wa.refused()...), tg.refused()...), "a fake refused what no fault had ordered")
	for _, times := range []map[string]int{grid.Times(), wa.times(), tg.times()} {
		require.LessOrEqual(t, most(times), 1)
	}
	require.Len(t, s.contacts("&status=completed"), len(people))
}
