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

// An answer of which nobody knows whether it arrived, and an agent's that could not
// be sent, are before a person; the conversation goes on meanwhile.
func TestAnAnswerNobodyMayHaveHeardIsBeforeAPerson(t *testing.T) {
	t.Parallel()
	c := live(t, "live")
	l, _ := botLine(t, "webhook")
	s := c.in(t).spoken(l, "Ann", "Ben", "Cid")

	t.Run("an agent's: skip leaves it", func(t *testing.T) {
		s := s.at(t)
		s.inDoubt("Ann")
		s.say(s.person["Ann"], "soon")
		s.gets("Ann", 3, "Which day, please? You wrote: soon")
		require.Equal(t, "needs_attention", s.contact("Ann")["status"], "the conversation goes on, and a person is asked")
		require.EqualValues(t, 1, s.get(s.path("/stuck"))["attention"].(doc)["send_unknown"])
		s.say(s.person["Ann"], "on 24.12.2026")
		s.until("Ann", "aggregated", func(c doc) bool { return c["current_stage"] == "Done" })
		require.Equal(t, "needs_attention", s.contact("Ann")["status"], "its end waits for the person")
		s.settles("Ann", "skip")
		s.awaitStatus("Ann", "completed", patience)
		require.Len(t, s.reached("Ann"), 4)
	})

	t.Run("an operator's: retry sends it again", func(t *testing.T) {
		s := s.at(t)
		bob := s.scene.person("bob")
		s.opens("Ben")
		session := "/v1/sessions/" + s.sessionOf("Ben")
		bob.does(session, "handoff", nil, 0)
		s.always(&fault.Fault{Drop: true})
		bob.does(session, "reply", doc{"content": "Can I call you?"}, 0)
		ben := s.awaitStatus("Ben", "needs_attention", patience)
		s.always(nil)
		require.Equal(t, "send_unknown", ben["attention"].(doc)["reason"])
		require.Len(t, s.reached("Ben"), 2, "it goes by itself once")
		s.settles("Ben", "retry")
		s.gets("Ben", 3, "Can I call you?")
		s.untilSaid("Ben", "Can I call you?", "sent")
		require.Equal(t, "active", s.contact("Ben")["status"])
		bob.does(session, "resolve", nil, 0)
		s.awaitStatus("Ben", "completed", patience)
	})

	t.Run("an agent's that its provider refuses", func(t *testing.T) {
		s := s.at(t)
		s.opens("Cid")
		s.always(tooLong())
		s.say(s.person["Cid"], "yes")
		cid := s.awaitStatus("Cid", "needs_attention", patience)
		s.always(nil)
		require.Equal(t, "answer_failed", cid["attention"].(doc)["reason"])
		require.Equal(t, s.said("Cid", "On which day, Cid?")["id"], cid["attention"].(doc)["message_id"])
		s.untilSaid("Cid", "On which day, Cid?", "failed")
		s.settles("Cid", "retry")
		s.gets("Cid", 2, "On which day, Cid?")
		s.untilSaid("Cid", "On which day, Cid?", "sent")
		require.Equal(t, "active", s.contact("Cid")["status"])
	})
	require.Empty(t, l.refused())
}

// inDoubt has the agent's first answer to a contact taken without a word.
func (s *spoken) inDoubt(name string) {
	s.t.Helper()
	s.opens(name)
	s.always(&fault.Fault{Drop: true})
	s.say(s.person[name], "yes")
	c := s.awaitStatus(name, "needs_attention", patience)
	s.always(nil)
	a := c["attention"].(doc)
	require.Equal(s.t, "send_unknown", a["reason"])
	require.Equal(s.t, s.said(name, "On which day, "+name+"?")["id"], a["message_id"])
	s.untilSaid(name, "On which day, "+name+"?", "unknown")
}

// settles decides as an operator.
func (s *spoken) settles(name, action string) {
	s.t.Helper()
	s.must(http.MethodPost, s.path("/contacts/"+s.contact(name)["id"].(string)+"/"+action), nil)
}
