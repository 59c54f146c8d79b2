package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
)

// A conversation over WhatsApp, through either provider's fake over real HTTP.
func TestAConversationOverWhatsApp(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	meta, _ := metaLine(t)
	bird, _ := birdLine(t)
	for _, l := range []*line{meta, bird} {
		t.Run(l.channel, func(t *testing.T) {
			converse(t, c.in(t).spoken(l, "Ann", "Bob: Talk+Talk", "Cid: Talk+Talk", "Dan"))
		})
	}
	for _, secret := range []string{metaToken, birdKey, appSecret, signingKey} {
		require.NotContains(t, c.stderr.String(), secret, "the log shows a secret")
	}
	c.interrupt(t)
	for _, secret := range []string{metaToken, birdKey, appSecret, signingKey} {
		nowhere(t, c.data, secret)
	}
}

func converse(t *testing.T, s *spoken) {
	t.Run("an opening by template, its reports, an agent's turns, the end and its results", func(t *testing.T) {
		s := s.at(t)
		require.Equal(t, true, s.post("/v1/integrations/"+s.integrationID+"/verify", nil)["ok"])
		opening := s.opens("Ann")
		for _, status := range []string{"sent", "delivered", "read"} {
			s.reports(opening.id, status)
		}
		s.untilTold("Ann", "read")
		s.say(s.person["Ann"], "JA, gern!")
		s.gets("Ann", 2, "On which day, Ann?")
		s.say(s.person["Ann"], "soon")
		s.gets("Ann", 3, "Which day, please? You wrote: soon")
		s.say(s.person["Ann"], "Then on 24.12.2026.")
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
			"sent: Sent: Talk by " + s.channel,
			"delivered: Delivered: Talk",
			"read: Read: Talk",
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

	t.Run("who writes STOP is left alone", func(t *testing.T) {
		s := s.at(t)
		s.opens("Bob")
		s.say(s.person["Bob"], "Stop!")
		s.untilStand("Bob", "NO_RESPONSE PLANNED")
		s.bringForward("Bob", "Talk")
		bob := s.untilStand("Bob", "NO_RESPONSE SKIPPED")
		require.Equal(t, "opt_out", bob["communications"].([]any)[1].(doc)["status"].(doc)["reason"])
		require.Len(t, s.reached("Bob"), 1)
		require.Contains(t, s.story("Bob"), "opt_out: Bob asks not to be written to any more by "+s.channel)
		require.Contains(t, s.story("Bob"), "session_ended: Session ended: Talk, declined")
	})

	t.Run("what the provider could not deliver has failed", func(t *testing.T) {
		s := s.at(t)
		s.reports(s.opens("Cid").id, "failed")
		cid := s.untilStand("Cid", "FAILED PLANNED")
		require.Equal(t, []any{"Talk FAILED bounced"}, seen(cid))
		require.Contains(t, strings.Join(s.story("Cid"), "\n"), "Message undeliverable")
		s.bringForward("Cid", "Talk")
		cid = s.untilStand("Cid", "FAILED SKIPPED")
		require.Equal(t, "bounced", cid["communications"].([]any)[1].(doc)["status"].(doc)["reason"], "the number is not written to again")
	})

	t.Run("repeated, reordered and forged webhooks change nothing", func(t *testing.T) {
		s := s.at(t)
		opening := s.opens("Dan")
		s.hooks.Twist(fault.Twist{Later: true}, fault.Twist{Again: 2})
		s.reports(opening.id, "delivered")
		s.reports(opening.id, "read")
		s.untilTold("Dan", "read")
		s.hooks.Flush()
		s.hooks.Twist(fault.Twist{Again: 3})
		s.say(s.person["Dan"], "yes")
		s.gets("Dan", 2, "On which day, Dan?")
		s.hooks.Flush()
		before, refused := s.story("Dan"), len(s.hooks.Refused())
		s.hooks.Twist(fault.Twist{Forged: true}, fault.Twist{Bare: true}, fault.Twist{Forged: true})
		s.say(s.person["Dan"], "on 24.12.2026")
		s.say(s.person["Dan"], "STOP")
		s.reports(opening.id, "failed")
		s.hooks.Flush()
		require.Len(t, s.hooks.Refused(), refused+3)
		require.NotEqual(t, http.StatusOK, hooked(t.Context(), s.hook(), `{"entry":[]}`))
		s.hooks.Twist(fault.Twist{Age: 23 * time.Hour}) // repeated for a day, after an outage
		s.say(s.person["Dan"], "hm")
		s.gets("Dan", 3, "Which day, please? You wrote: hm")
		require.Equal(t, append(before, "message: Dan: hm", "message: Agent: Which day, please? You wrote: hm"), s.story("Dan"))
		require.Contains(t, before, "read: Read: Talk")
		require.NotContains(t, before, "delivered: Delivered: Talk", "it came after the reading, and says less")
	})
	require.Empty(t, s.refused(), "the fake refused what no fault had ordered")
	for key, n := range s.times() {
		require.Equal(t, 1, n, "%s went %d times", key, n)
	}
}
