package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// Who is left alone has no open session anywhere, and keeps no agent's place.
func TestStopInOneCampaignEndsWhatIsOpenInTheOthers(t *testing.T) {
	t.Parallel()
	c := dev(t)
	one, two := c.planned("One", nil), c.planned("Two", nil)
	busy := c.agent("Single", doc{"max_sessions": 1})
	two.stage("Single", doc{"channel": "email", "agent": busy, "subject": "Single", "template": "Hello"})
	one.upload("text/csv", []byte(columns+",plan\nAda,U-1,Ada,ada@example.com,,Talk\n"))
	two.upload("text/csv", []byte(columns+",plan\nAda,U-1,Ada,new@example.com,,Single\nBob,U-2,Bob,bob@example.com,,Single\nCid,U-3,Cid,cid@example.com,,Single\n"))
	for _, who := range []struct {
		s    *scene
		name string
	}{{one, "Ada"}, {two, "Ada"}, {two, "Bob"}, {two, "Cid"}} {
		who.s.until(who.name, "started", func(c doc) bool { return c["started_at"] != nil })
	}
	two.bringForward("Ada", "Single")
	open := two.sessionOf("Ada")
	two.bringForward("Bob", "Single")
	two.untilHeld("Bob", "agent_full")

	one.bringForward("Ada", "Talk")
	stopped := one.sessionOf("Ada")
	one.must(http.MethodPost, "/v1/outbox/"+one.outbox("")[0]["id"].(string)+"/reply", doc{"content": "STOP"})
	two.until("Ada", "aggregated", func(c doc) bool { return len(seen(c)) == 1 })
	require.Equal(t, []any{"Single NO_RESPONSE opt_out"}, seen(two.contact("Ada")))
	one.untilStand("Ada", "NO_RESPONSE")
	for _, session := range []string{open, stopped} {
		got := c.get("/v1/sessions/" + session)
		require.Equal(t, []any{"declined", "opt_out"}, []any{got["status"], got["reason"]})
		require.Equal(t, http.StatusConflict, c.do(http.MethodPost, "/v1/sessions/"+session+"/answers", doc{"content": "One moment."}).status)
	}
	require.Contains(t, two.story("Ada"), "opt_out: Ada is not contacted any more by email (opt out)")
	require.Contains(t, two.story("Ada"), "session_ended: Session ended: Single, declined")
	require.Contains(t, one.story("Ada"), "opt_out: Ada asks not to be written to any more by email")

	// The place is free: who waits for it goes, until an operator suppresses them too.
	second := two.sessionOf("Bob")
	two.bringForward("Cid", "Single")
	two.untilHeld("Cid", "agent_full")
	c.must(http.MethodPost, "/v1/suppressions", doc{"address": "Bob@Example.com"})
	two.until("Bob", "aggregated", func(c doc) bool { return len(seen(c)) == 1 })
	require.Equal(t, "do_not_contact", c.get("/v1/sessions/" + second)["reason"])
	two.end(two.sessionOf("Cid"), nil)
	two.awaitStatus("Cid", "completed", patience)
}
