package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
)

// tooLong is what Telegram says to a text that it does not take.
func tooLong() *fault.Fault {
	return &fault.Fault{Status: http.StatusBadRequest, Body: `{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}`}
}

// said is one message of a contact's session, by its words.
func (s *spoken) said(name, words string) doc {
	s.t.Helper()
	for _, m := range s.get("/v1/sessions/" + s.sessionOf(name))["messages"].([]any) {
		if m := m.(doc); m["content"] == words {
			return m
		}
	}
	return doc{}
}

// untilSaid waits until one of our messages has come so far.
func (s *spoken) untilSaid(name, words, far string) {
	s.t.Helper()
	eventually(s.t, patience, words+" is "+far, func() bool { return s.said(name, words)["delivery"] == far })
}

// waits tells since when a contact waits in the inbox; nil where the last word is ours.
func (s *spoken) waits(name string) any {
	s.t.Helper()
	for _, v := range s.list("/v1/inbox?campaign_id=" + s.id) {
		if v["id"] == s.sessionOf(name) {
			return v["waiting_since"]
		}
	}
	require.FailNow(s.t, name+" is not in the inbox")
	return nil
}

func TestWhoseAnswerFailsWaitsOn(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	l, _ := botLine(t, "webhook")
	s := c.in(t).spoken(l, "Ann")
	bob := s.scene.person("bob")
	s.opens("Ann")
	session := "/v1/sessions/" + s.sessionOf("Ann")
	bob.does(session, "handoff", nil, 0)
	s.say(s.person["Ann"], "When can I call you?")
	s.until("Ann", "heard", func(c doc) bool { return c["counts"].(doc)["received"].(float64) == 1 })
	since := s.said("Ann", "When can I call you?")["at"]
	s.always(tooLong())
	bob.does(session, "reply", doc{"content": "At noon."}, 0)
	s.untilSaid("Ann", "At noon.", "failed")
	require.Equal(t, since, s.waits("Ann"), "it never came: she waits as long as she did")
	s.always(nil)
	bob.does(session, "reply", doc{"content": "From 12 to 1."}, 0)
	require.Nil(t, s.waits("Ann"))
	s.untilSaid("Ann", "From 12 to 1.", "sent")
	require.Nil(t, s.waits("Ann"))
	require.Empty(t, l.refused())
}
