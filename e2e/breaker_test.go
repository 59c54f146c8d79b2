package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/channeltest"
)

// SendGrid's front answers 502, so that nobody knows what became of a message.
func TestAProviderThatGivesNoAnswersUsesUpFewContacts(t *testing.T) {
	t.Parallel()
	const n = 20
	var plans, people []string
	for i := range n {
		people = append(people, fmt.Sprintf("P%02d", i))
		plans = append(plans, people[i]+": Notice")
	}
	s := live(t, "live").mail(plans...)
	s.grid.Always(&channeltest.Fault{Method: http.MethodPost, Status: http.StatusBadGateway, Body: "bad gateway"})
	const threshold = 5
	for _, name := range people[:threshold] {
		s.bringForward(name, "Notice")
	}
	var asked, held []doc
	eventually(t, patience, "a person is asked for the first five", func() bool {
		asked = s.contacts("&attention=send_unknown")
		return len(asked) == threshold
	})
	for _, name := range people[threshold:] {
		s.bringForward(name, "Notice")
	}
	eventually(t, patience, "the others wait", func() bool {
		held = s.contacts("&held=true")
		return len(held) == n-threshold
	})
	require.Len(t, s.contacts("&attention=send_unknown"), threshold, "the rest was not used up")
	i := s.get("/v1/integrations/" + s.integrationID)
	require.Equal(t, true, i["paused"])
	require.Equal(t, "error", i["status"])
	require.Contains(t, i["status_message"], "messages in a row left and no answer came that says what became of them, at last unknown 502")
	require.Contains(t, i["status_message"], "(communication ct_")

	s.grid.Always(nil)
	s.must(http.MethodPost, "/v1/integrations/"+s.integrationID+"/resume", nil)
	eventually(t, patience, "those that were held have gone on", func() bool { return len(s.contacts("&status=completed")) == len(held) })
	require.Len(t, s.grid.Accepted(), len(held))
	require.Len(t, s.contacts("&attention=send_unknown"), len(asked))
	require.Equal(t, "ok", s.get("/v1/integrations/" + s.integrationID)["status"])
}

// SendGrid takes nothing for a while; what it was given waits, and everybody sees why.
func TestAnOutageOfAProviderIsSeenAndEnds(t *testing.T) {
	t.Parallel()
	s := live(t, "live").mail("Ann: Notice")
	s.grid.Always(&channeltest.Fault{Method: http.MethodPost, Status: http.StatusServiceUnavailable, Body: "service unavailable"})
	s.bringForward("Ann", "Notice")
	integration := func() doc { return s.get("/v1/integrations/" + s.integrationID) }
	eventually(t, patience, "the integration is in error", func() bool { return integration()["status"] == "error" })
	require.Contains(t, integration()["status_message"], "messages wait and are tried again: SendGrid has taken none since ")
	require.Contains(t, integration()["status_message"], "its last answer: retryable 503")
	require.Equal(t, false, integration()["paused"])
	plan := s.get(s.of("Ann") + "/plan")
	require.Contains(t, plan["next_action"], "is being sent by email_notification, since ")
	require.Contains(t, fmt.Sprint(plan["blockers"]), "the integration Grid is in error")
	require.Contains(t, string(s.must(http.MethodGet, "/metrics", nil).body), `carillon_sends_total{outcome="retryable",provider="sendgrid"}`)

	s.grid.Always(nil)
	s.awaitStatus("Ann", "completed", patience)
	require.Len(t, s.to("Ann"), 1)
	require.Equal(t, "ok", integration()["status"])
	require.Empty(t, integration()["status_message"])
	require.Contains(t, string(s.must(http.MethodGet, "/metrics", nil).body), `carillon_sends_total{outcome="sent",provider="sendgrid"} 1`)
}
