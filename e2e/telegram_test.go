package e2e_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/channels/telegram/telegramtest"
)

// hookSecret is the webhook_secret of the bots.
const hookSecret = "the_secret-that-must-be-seen-nowhere"

// botLine is a bot whose updates come as told: by webhook or by poll.
func botLine(t *testing.T, updates string) (*line, *telegramtest.Server) {
	t.Helper()
	l, fake := telegramLine(t)
	l.delivery["template"] = "Hello {{ name }}, you owe {{ parameters.amount }}."
	l.opening = func(name string) string { return "Hello " + name + ", you owe 120 EUR." }
	l.integration["settings"] = doc{"base_url": fake.URL, "updates": updates, "bot_username": telegramtest.Username}
	if updates == "webhook" {
		l.integration["secrets"].(doc)["webhook_secret"] = hookSecret
		l.subscribe = func(address string) error { fake.Subscribe(address, hookSecret); return nil }
	}
	l.say = func(from, words string) { fake.Say(chatOf(t, from), words) }
	return l, fake
}

func chatOf(t *testing.T, address string) int64 {
	t.Helper()
	chat, err := strconv.ParseInt(address, 10, 64)
	require.NoError(t, err)
	return chat
}

// A conversation over Telegram, through the fake Bot API over real HTTP.
func TestAConversationOverTelegram(t *testing.T) {
	t.Parallel()
	for _, updates := range []string{"webhook", "poll"} {
		t.Run(updates, func(t *testing.T) {
			t.Parallel()
			c := live(t, "live")
			l, fake := botLine(t, updates)
			chat(t, c.in(t).spoken(l, "Ann", "Bob: Talk+Talk", "Cid: Talk+Talk", "Dan", "Eve", "Fay"), fake)
			require.Empty(t, l.refused(), "the fake refused what no fault had ordered")
			for key, n := range l.times() {
				require.Equal(t, 1, n, "%s went %d times", key, n)
			}
			for _, secret := range []string{botToken, hookSecret} {
				require.NotContains(t, c.stderr.String(), secret, "the log shows a secret")
			}
			c.interrupt(t)
			for _, secret := range []string{botToken, hookSecret} {
				nowhere(t, c.data, secret)
			}
		})
	}
}

func chat(t *testing.T, s *spoken, fake *telegramtest.Server) {
	t.Run("an opening, an agent's turns, the end and its results", func(t *testing.T) {
		s := s.at(t)
		require.Equal(t, true, s.post("/v1/integrations/"+s.integrationID+"/verify", nil)["ok"])
		s.opens("Ann")
		s.say(s.person["Ann"], "JA, gern!")
		s.gets("Ann", 2, "On which day, Ann?")
		s.say(s.person["Ann"], "soon")
		s.gets("Ann", 3, "Which day, please? You wrote: soon")
		newest := fake.Accepted()[len(fake.Accepted())-1]
		fake.Reply(newest, "Then on 24.12.2026.")
		s.gets("Ann", 4, "Noted for 2026-12-24: 120 EUR.")
		ann := s.awaitStatus("Ann", "completed", patience)
		require.Equal(t, []any{"Talk PROMISE_TO_PAY promised"}, seen(ann), "aggregation sees the results")
		require.Equal(t, "2026-12-24", ann["results"].(doc)["promised"])
		require.Equal(t, "success", ann["outcome"])
		require.Equal(t, []string{
			"imported: Imported by import …, line 2",
			"strategy_run: Strategy data_load ran (version 1)",
			"planned: Planned: Talk at stage Talk for …",
			"operator: Reschedule by admin",
			"stage_changed: Stage: none → Talk",
			"sent: Sent: Talk by telegram",
			"replied: Ann: JA, gern!",
			"message: Agent: On which day, Ann?",
			"message: Ann: soon",
			"message: Agent: Which day, please? You wrote: soon",
			"message: Ann: Then on 24.12.2026.",
			"message: Agent: Noted for 2026-12-24: 120 EUR.",
			"session_ended: Session ended: Talk, completed",
			"strategy_run: Strategy aggregation ran (version 1)",
			"stage_changed: Stage: Talk → Done",
			"completed: Completed: reached the final stage Done",
		}, s.story("Ann"))
	})

	t.Run("who blocks the bot has opted out", func(t *testing.T) {
		s := s.at(t)
		s.opens("Bob")
		fake.Block(chatOf(t, s.person["Bob"]))
		s.untilTold("Bob", "opt_out")
		require.Contains(t, s.story("Bob"), "opt_out: Bob wants no more messages (the person blocked the bot)")
		s.bringForward("Bob", "Talk")
		s.until("Bob", "skipped", func(c doc) bool { return strings.Contains(statuses(c), "SKIPPED") })
		require.Contains(t, s.reasons("skipped"), "opt_out")
		var suppressed []string
		for _, one := range s.list("/v1/suppressions?limit=500") {
			if one["channel"] == "telegram" && one["reason"] == "opt_out" {
				suppressed = append(suppressed, fmt.Sprint(one["external_id"], one["address"]))
			}
		}
		require.Contains(t, strings.Join(suppressed, " "), "Bob of "+s.id, "the person")
		require.Contains(t, strings.Join(suppressed, " "), s.person["Bob"], "the chat")
		require.Len(t, s.reached("Bob"), 1)
	})

	t.Run("a bot that is found blocked has opted out too", func(t *testing.T) {
		s := s.at(t)
		s.always(&fault.Fault{Status: http.StatusForbidden, Body: `{"ok":false,"error_code":403,"description":"Forbidden: bot was blocked by the user"}`})
		s.bringForward("Cid", "Talk")
		s.untilStand("Cid", "FAILED PLANNED")
		s.always(nil)
		require.Equal(t, []any{"Talk FAILED opt_out"}, seen(s.contact("Cid")))
		s.bringForward("Cid", "Talk")
		cid := s.untilStand("Cid", "FAILED SKIPPED")
		require.Equal(t, "opt_out", cid["communications"].([]any)[1].(doc)["status"].(doc)["reason"])
		require.Empty(t, s.reached("Cid"))
	})

	t.Run("an answer that is lost leaves the outcome unknown, and the message goes once", func(t *testing.T) {
		s := s.at(t)
		s.always(&fault.Fault{Drop: true})
		s.bringForward("Dan", "Talk")
		dan := s.awaitStatus("Dan", "needs_attention", patience)
		s.always(nil)
		require.Equal(t, "send_unknown", dan["attention"].(doc)["reason"])
		s.gets("Dan", 1, s.opening("Dan"))
		s.say(s.person["Dan"], "yes") // which proves that it arrived
		s.gets("Dan", 2, "On which day, Dan?")
		require.Equal(t, "active", s.contact("Dan")["status"])
	})

	t.Run("who writes /stop is left alone", func(t *testing.T) {
		s := s.at(t)
		s.opens("Eve")
		s.say(s.person["Eve"], "/stop")
		s.awaitStatus("Eve", "completed", patience)
		require.Contains(t, s.story("Eve"), "opt_out: Eve asks not to be written to any more by telegram")
	})

	t.Run("forged, repeated and reordered webhooks change nothing", func(t *testing.T) {
		if s.subscribe == nil {
			t.Skip("nobody calls us")
		}
		s := s.at(t)
		s.opens("Fay")
		s.hooks.Twist(fault.Twist{Again: 3})
		s.say(s.person["Fay"], "yes")
		s.gets("Fay", 2, "On which day, Fay?")
		s.hooks.Flush()
		before, refused := s.story("Fay"), len(s.hooks.Refused())
		s.hooks.Twist(fault.Twist{Forged: true}, fault.Twist{Bare: true})
		s.say(s.person["Fay"], "on 24.12.2026")
		fake.Block(chatOf(t, s.person["Fay"]))
		s.hooks.Flush()
		require.Len(t, s.hooks.Refused(), refused+2)
		require.Equal(t, http.StatusUnauthorized, hooked(t.Context(), s.hook(), `{"update_id":1}`))
		s.say(s.person["Fay"], "hm")
		s.gets("Fay", 3, "Which day, please? You wrote: hm")
		require.Equal(t, append(before, "message: Fay: hm", "message: Agent: Which day, please? You wrote: hm"), s.story("Fay"))
	})
}

// What a worker's death leaves unread at Telegram is read by the next one, once.
func TestWhatIsSaidWhileNoWorkerLivesIsHeardOnce(t *testing.T) {
	t.Parallel()
	c := apart(t, false, "CARILLON_MODE=live", private)
	l, fake := botLine(t, "poll")
	s := c.spoken(l, "Ann")
	s.opens("Ann")
	s.say(s.person["Ann"], "yes")
	s.gets("Ann", 2, "On which day, Ann?")
	c.worker.kill()
	s.say(s.person["Ann"], "soon")
	require.Positive(t, fake.Waiting())
	c.startWorker()
	s.gets("Ann", 3, "Which day, please? You wrote: soon")
	eventually(t, patience, "all is confirmed", func() bool { return fake.Waiting() == 0 })
	s.say(s.person["Ann"], "on 24.12.2026")
	s.gets("Ann", 4, "Noted for 2026-12-24: 120 EUR.")
	require.Equal(t, []any{"Talk PROMISE_TO_PAY promised"}, seen(s.awaitStatus("Ann", "completed", patience)))
	require.Len(t, s.reached("Ann"), 4)
	require.Empty(t, s.refused())
}

// linkScene is a campaign whose mail carries the link to its bot, and whose
// contacts are known to no chat.
type linkScene struct {
	*scene
	grid *sendgridtest.Server
	bot  *telegramtest.Server
}

func (c *carillon) linkScene(updates string, plans ...string) *linkScene {
	c.t.Helper()
	l, bot := botLine(c.t, updates)
	s := &linkScene{scene: c.campaign(doc{"name": "By link, " + updates}), grid: sendgridtest.New(c.t, mailKey), bot: bot}
	c.post("/v1/integrations", doc{
		"name": "Grid " + updates, "provider": "sendgrid", "secrets": doc{"api_key": mailKey},
		"settings": doc{"from_email": "anna@collect.example", "base_url": s.grid.URL},
	})
	l.integration["name"] = "Bot " + updates
	s.integrationID = c.post("/v1/integrations", l.integration)["id"].(string)
	if l.subscribe != nil {
		require.NoError(c.t, l.subscribe(s.api+"/hooks/telegram/"+s.integrationID))
	}
	agent := rules("Rules by link, " + updates)
	agent["integrations"] = doc{"telegram": s.integrationID}
	s.agentID = c.post("/v1/agents", agent)["id"].(string)
	c.post("/v1/agents/"+s.agentID+"/start", nil)
	s.stage("Mail", doc{"channel": "email_notification", "integration": "Grid " + updates, "subject": "Chat", "template": "Chat with us: {{ telegram_link }}"})
	s.stage("Talk", doc{"channel": "telegram", "agent": s.agentID, "template": "Hello {{ name }}", "start_state": "ask", "wait_for_link": true})
	s.stage("Brief", doc{"channel": "telegram", "agent": s.agentID, "template": "Hello {{ name }}", "wait_for_link": true}, doc{"session_timeout": "1s"})
	s.stage("Now", doc{"channel": "telegram", "agent": s.agentID, "template": "Hello {{ name }}"})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", planTomorrow)
	s.strategy("aggregation", remember)
	s.start()
	file := columns + ",plan,amount\n"
	for _, p := range plans {
		name, plan, _ := strings.Cut(p, ": ")
		file += fmt.Sprintf("%s,%s of %s,%s,%s@example.com,,%s,120 EUR\n", name, name, s.id, name, strings.ToLower(name), plan)
	}
	require.EqualValues(c.t, len(plans), s.upload("text/csv", []byte(file))["created"])
	eventually(c.t, patience, "all have started", func() bool { return len(s.contacts("&status=active")) == len(plans) })
	return s
}

// token is that of the link in the mail to a contact.
func (s *linkScene) token(objectID string) string {
	s.t.Helper()
	s.bringForward(objectID, "Mail")
	var token string
	eventually(s.t, patience, "the mail to "+objectID, func() bool {
		for _, m := range s.grid.Accepted() {
			if m.Personalizations[0].To[0].Email != strings.ToLower(objectID)+"@example.com" {
				continue
			}
			_, token, _ = strings.Cut(m.Text("text/plain"), "Chat with us: https://t.me/"+telegramtest.Username+"?start=")
			return true
		}
		return false
	})
	token = strings.TrimSpace(token)
	require.Regexp(s.t, `^[A-Za-z0-9_-]{1,64}$`, token)
	return token
}

// opened opens the link of a mail, and answers the conversation that follows.
func (s *linkScene) opened(objectID string, chat int64) string {
	s.t.Helper()
	token := s.token(objectID)
	s.bringForward(objectID, "Talk")
	s.untilTold(objectID, "deferred")
	require.Contains(s.t, fmt.Sprint(s.get(s.of(objectID) + "/plan")["blockers"]), "Talk waits until the contact opens its Telegram link")
	require.Empty(s.t, s.bot.Accepted())
	s.bot.Start(chat, token)
	s.untilTold(objectID, "linked")
	contact := s.until(objectID, "bound", func(c doc) bool { return c["telegram_chat_id"] == strconv.FormatInt(chat, 10) })
	eventually(s.t, patience, "the opening", func() bool { return s.bot.Count(chat, "Hello "+objectID) == 1 })
	s.bot.Say(chat, "yes")
	eventually(s.t, patience, "an answer", func() bool { return s.bot.Count(chat, "On which day, "+objectID+"?") == 1 })
	s.bot.Say(chat, "on 24.12.2026")
	s.awaitStatus(objectID, "completed", patience)
	return contact["id"].(string)
}

func TestALinkOpensAChat(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	for _, updates := range []string{"webhook", "poll"} {
		t.Run(updates, func(t *testing.T) {
			s := c.in(t).linkScene(updates, "Ann: Mail+Talk", "Bob: Mail+Talk", "Cid: Brief", "Dan: Now")
			const ann, stranger = 77001, 77002
			s.opened("Ann", ann)
			kinds := s.kinds("Ann")
			require.Contains(t, kinds, "deferred linked stage_changed sent replied message message message session_ended")
			require.Contains(t, s.story("Ann"), "linked: Ann opened the bot's chat")

			// A token of another contact's making binds nobody, and somebody looks at what was written.
			token := s.token("Bob")
			forged := strings.Map(func(r rune) rune {
				if r == 'A' {
					return 'B'
				}
				return 'A'
			}, token)
			s.bot.Start(stranger, forged)
			eventually(t, patience, "unmatched", func() bool {
				for _, m := range s.list("/v1/unmatched") {
					if m["content"] == "/start "+forged {
						return true
					}
				}
				return false
			})
			require.Empty(t, s.contact("Bob")["telegram_chat_id"])
			s.bot.Start(stranger, token) // before anything waits for it
			s.until("Bob", "bound", func(c doc) bool { return c["telegram_chat_id"] == fmt.Sprint(stranger) })
			s.bringForward("Bob", "Talk")
			eventually(t, patience, "the opening", func() bool { return s.bot.Count(stranger, "Hello Bob") == 1 })

			s.bringForward("Cid", "Brief")
			s.bringForward("Dan", "Now")
			for _, name := range []string{"Cid", "Dan"} {
				one := s.untilStand(name, "SKIPPED")
				require.Equal(t, "no_chat", one["communications"].([]any)[0].(doc)["status"].(doc)["reason"], name)
			}
			require.Contains(t, s.kinds("Cid"), "deferred", "it was waited for")
			require.NotContains(t, s.kinds("Dan"), "deferred")
			require.Empty(t, s.bot.Refused())
		})
	}
	require.NotContains(t, c.stderr.String(), botToken)
}

// Without a bot whose name is known no link can be made: the mail is skipped and
// says why, and the preview warns before.
func TestAMailWithoutABotSaysSo(t *testing.T) {
	t.Parallel()
	s := dev(t).planned("No bot", nil)
	s.stage("Mail", doc{"channel": "email_notification", "integration": s.integrationID, "subject": "Chat", "template": "{{ telegram_link }}"})
	s.join("Ann: Mail")
	stages := s.list(s.path("/stages"))
	preview := s.post(s.path("/stages/"+stages[len(stages)-1]["id"].(string)+"/preview"), doc{"contact_id": s.contact("Ann")["id"]})
	require.Contains(t, fmt.Sprint(preview["alternatives"].([]any)[0].(doc)["warnings"]), "telegram_link")
	s.bringForward("Ann", "Mail")
	ann := s.untilStand("Ann", "SKIPPED")
	require.Equal(t, "template", ann["communications"].([]any)[0].(doc)["status"].(doc)["reason"])
	require.Contains(t, strings.Join(s.story("Ann"), "\n"), "no integration of provider telegram has a bot_username")
}
