package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/channeltest"
)

// A provider that refuses a message before anything left, loses its answer, or
// refuses our key: the stories the histories of these names were recorded from.
func TestWhatAProviderRefuses(t *testing.T) {
	t.Parallel()
	s := live(t, "live").mail("Ann: Notice", "Bob: Notice", "Cid: Notice")
	t.Run("falls back to another provider", func(t *testing.T) { s.inTest(t).fallsBack("Ann") })
	t.Run("is sent again when a person takes the risk", func(t *testing.T) { s.inTest(t).sentAgain("Bob") })
	t.Run("waits until the integration is mended", func(t *testing.T) { s.inTest(t).mended("Cid") })
}

func (s *mailScene) inTest(t *testing.T) *mailScene {
	one := *s
	one.scene = s.in(t)
	return &one
}

// fallsBack lets SendGrid refuse the message; the stage's fallback is SMTP.
func (s *mailScene) fallsBack(name string) string {
	s.must(http.MethodPut, s.path("/stages/"+s.stages["Notice"]), doc{
		"name": "Notice", "delivery": doc{"channel": "email_notification", "integration": "Grid", "subject": "Notice", "template": "Hello {{ name }}"},
		"alternatives": []doc{{"label": "post", "fallback": true, "delivery": doc{"channel": "email_notification", "integration": "Post", "subject": "Notice", "template": "By post, {{ name }}"}}},
	})
	s.grid.Fail(channeltest.Fault{Status: http.StatusBadRequest, Body: fmt.Sprintf(problem, "The attachment is too large.", `"attachments.0.content"`)})
	s.bringForward(name, "Notice")
	done := s.awaitStatus(name, "completed", patience)
	m := done["communications"].([]any)[0].(doc)
	require.Equal(s.t, "post", m["alternative"])
	require.EqualValues(s.t, 1, m["attempt"])
	require.Empty(s.t, s.to(name))
	require.Len(s.t, s.post.Accepted(), 1)
	require.Contains(s.t, s.kinds(name), "failed")
	return done["id"].(string)
}

// sentAgain loses SendGrid's answer; a person has it sent once more.
func (s *mailScene) sentAgain(name string) string {
	s.grid.Fail(channeltest.Fault{Drop: true})
	s.bringForward(name, "Notice")
	c := s.awaitStatus(name, "needs_attention", patience)
	require.Equal(s.t, "send_unknown", c["attention"].(doc)["reason"])
	require.Len(s.t, s.to(name), 1, "it was taken, and nobody knows")
	s.must(http.MethodPost, s.of(name)+"/retry", nil)
	c = s.awaitStatus(name, "completed", patience)
	require.Len(s.t, s.to(name), 2)
	return c["id"].(string)
}

// mended lets SendGrid refuse the key; the integration pauses itself until it is resumed.
func (s *mailScene) mended(name string) string {
	s.grid.Fail(channeltest.Fault{Status: http.StatusUnauthorized, Body: fmt.Sprintf(problem, "The provided authorization grant is invalid, expired, or revoked", "null")})
	s.bringForward(name, "Notice")
	s.until(name, "held", func(c doc) bool { return c["held"] != nil })
	i := s.get("/v1/integrations/" + s.integrationID)
	require.Equal(s.t, true, i["paused"])
	require.Contains(s.t, i["status_message"], "authorization grant")
	s.must(http.MethodPost, "/v1/integrations/"+s.integrationID+"/resume", nil)
	return s.awaitStatus(name, "completed", patience)["id"].(string)
}
