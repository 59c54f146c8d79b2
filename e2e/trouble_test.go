package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever is paused or stopped holds what is due, says so, and lets it go
// when it runs again.
func TestWhatIsPausedHoldsItsContactsAndLetsThemGo(t *testing.T) {
	t.Parallel()
	c := dev(t)
	s := c.planned("Holds", nil, "Ann: Notice", "Bob: Notice", "Cid: Notice", "Dan: Talk", "Eve: Notice", "Fay: Notice")

	for _, held := range []struct{ contact, stage, cause, hold, release string }{
		{"Ann", "Notice", "campaign", s.path("/pause"), s.path("/resume")},
		{"Bob", "Notice", "stage", s.path("/stages/" + s.stages["Notice"] + "/pause"), s.path("/stages/" + s.stages["Notice"] + "/resume")},
		{"Cid", "Notice", "integration", "/v1/integrations/" + s.integrationID + "/pause", "/v1/integrations/" + s.integrationID + "/resume"},
		{"Dan", "Talk", "agent_stopped", "/v1/agents/" + s.agentID + "/stop", "/v1/agents/" + s.agentID + "/start"},
	} {
		t.Run(held.cause, func(t *testing.T) {
			s := s.in(t)
			s.must(http.MethodPost, held.hold, nil)
			s.bringForward(held.contact, held.stage)
			s.untilHeld(held.contact, held.cause)
			require.Contains(t, s.reasons("held"), held.cause)
			id := s.contact(held.contact)["id"].(string)
			require.Empty(t, s.outbox("&contact_id="+id))
			require.NotEmpty(t, s.get(s.of(held.contact) + "/plan")["blockers"])

			s.must(http.MethodPost, held.release, nil)
			if held.stage == "Talk" {
				s.end(s.sessionOf(held.contact), nil)
			}
			released := s.awaitStatus(held.contact, "completed", patience)
			require.Nil(t, released["held"])
			require.Len(t, s.outbox("&contact_id="+id), 1)
		})
	}

	t.Run("a paused contact waits alone", func(t *testing.T) {
		s := s.in(t)
		require.Equal(t, true, s.post(s.of("Eve")+"/pause", nil)["paused"])
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, s.of("Eve")+"/pause", nil).status)
		s.bringForward("Eve", "Notice")
		s.bringForward("Fay", "Notice")
		s.awaitStatus("Fay", "completed", patience)
		require.Equal(t, "PLANNED", statuses(s.contact("Eve")))
		s.post(s.of("Eve")+"/resume", nil)
		s.awaitStatus("Eve", "completed", patience)
	})
}

func TestNoWaitEndsWhileTheCampaignIsPaused(t *testing.T) {
	t.Parallel()
	s := dev(t).planned("Waits", nil)
	s.stage("Short", doc{"channel": "email", "agent": s.agentID, "subject": "Short", "template": "Hello"}, doc{"session_timeout": "4s"})
	s.join("Ann: Short+Notice")
	s.bringForward("Ann", "Short")
	session := s.sessionOf("Ann")
	s.must(http.MethodPost, s.path("/pause"), nil)
	s.untilHeld("Ann", "campaign") // what came due was the end of the wait
	require.Equal(t, "open", s.get("/v1/sessions/" + session)["status"])
	s.must(http.MethodPost, "/v1/sessions/"+session+"/messages", doc{"content": "I am still here"})
	s.until("Ann", "heard", func(c doc) bool { return c["counts"].(doc)["received"] == 1.0 })
	require.Equal(t, "open", s.get("/v1/sessions/" + session)["status"])
	require.Empty(t, seen(s.contact("Ann")))

	s.must(http.MethodPost, s.path("/resume"), doc{"policy": "now"})
	s.untilStand("Ann", "NO_RESPONSE PLANNED")
	require.Equal(t, "user_timeout", s.get("/v1/sessions/" + session)["status"])
	require.Equal(t, []any{"Short NO_RESPONSE no_response"}, seen(s.contact("Ann")))
}

// An agent for one conversation at a time serves those who wait one after the
// other, and none is lost, also when everything is killed in between.
func TestAFullAgentServesThoseWhoWaitOneAfterTheOther(t *testing.T) {
	t.Parallel()
	c := dev(t)
	s := c.planned("Places", nil)
	one := c.agent("Single", doc{"max_sessions": 1})
	s.stage("Single", doc{"channel": "email", "agent": one, "subject": "Single", "template": "Hello"})
	s.join("Ann: Single", "Bob: Single", "Cid: Single", "Dan: Single")
	for _, name := range []string{"Ann", "Bob", "Cid", "Dan"} {
		s.bringForward(name, "Single")
	}
	served := map[any]bool{}
	for turn := range 4 {
		var open []doc
		eventually(t, patience, "one is served and the others wait", func() bool {
			open = s.list("/v1/sessions?status=open&agent_id=" + one)
			require.LessOrEqual(t, len(open), 1, "never two at a time")
			held := s.contacts("&held=agent_full")
			return len(open) == 1 && !served[open[0]["id"]] && len(held) == 3-turn
		})
		served[open[0]["id"]] = true
		if turn == 1 {
			c.killAndRestart()
		}
		s.end(open[0]["id"].(string), nil)
	}
	for _, name := range []string{"Ann", "Bob", "Cid", "Dan"} {
		s.awaitStatus(name, "completed", patience)
	}
	require.Len(t, s.outbox(""), 4)
}
