package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// WhatsApp takes a message first and says later that the account is not paid for.
func TestAnAccountAtFaultUsesUpNoMoreContacts(t *testing.T) {
	t.Parallel()
	l, fake := metaLine(t)
	c := live(t, "live")
	s := c.spoken(l, "Ann", "Bob")
	s.opens("Ann")
	fake.Report(fake.Accepted()[0], "failed", doc{"errors": []any{doc{"code": 131042, "title": "Business eligibility payment issue"}}})
	s.untilTold("Ann", "failed")
	integration := s.get("/v1/integrations/" + s.integrationID)
	require.Equal(t, true, integration["paused"])
	require.Equal(t, "error", integration["status"])
	require.Contains(t, integration["status_message"], "config 131042 Business eligibility payment issue (communication ")

	s.bringForward("Bob", "Talk")
	s.until("Bob", "held", func(c doc) bool { return c["held"] != nil })
	require.Equal(t, "integration", s.contact("Bob")["held"].(doc)["cause"])
	require.Empty(t, s.reached("Bob"))

	// A person pays and resumes.
	s.must(http.MethodPost, "/v1/integrations/"+s.integrationID+"/resume", nil)
	s.gets("Bob", 1, s.opening("Bob"))
	require.Equal(t, "ok", s.get("/v1/integrations/" + s.integrationID)["status"])
}
