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
	for _, name := range people {
		s.bringForward(name, "Notice")
	}
	var asked, held []doc
	eventually(t, patience, "every contact waits or a person is asked", func() bool {
		asked, held = s.contacts("&attention=send_unknown"), s.contacts("&held=true")
		return len(asked)+len(held) == n
	})
	require.GreaterOrEqual(t, len(asked), 5)
	require.Less(t, len(asked), n/2, "the rest was not used up")
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
