package e2e_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/agents/webhooktest"
)

// TestAPersonTakesOverInMidTurn: the agent's system is asked, and before it answers
// a person has the conversation. What it says then is told and not sent, and is
// nobody's trouble.
func TestAPersonTakesOverInMidTurn(t *testing.T) {
	t.Parallel()
	c := dev(t, private)
	system := webhooktest.New(t, turnsKey)
	system.Answer = debtSystem
	s := c.chats("Taken over", doc{"kind": "webhook", "settings": doc{"url": system.URL}, "secrets": doc{"signing_key": turnsKey}}, whatsapp(), "Ann")
	eventually(t, patience, "the opening", func() bool { return len(s.heard("Ann")) == 1 })
	session := "/v1/sessions/" + s.sessionOf("Ann")
	bob := s.person("bob")
	asked, answers := make(chan struct{}), make(chan struct{})
	wait := func() { asked <- struct{}{}; <-answers }
	var slow atomic.Bool
	system.Waits = func(webhooktest.Turn) {
		if slow.Load() {
			wait()
		}
	}
	waits := func() {
		t.Helper()
		ann := s.contact("Ann")
		require.Equal(t, []any{"active", nil, nil}, []any{ann["status"], ann["attention"], ann["held"]})
		due := func(text any) time.Time {
			at, err := time.Parse(time.RFC3339, text.(string))
			require.NoError(t, err)
			return at
		}
		require.WithinDuration(t, due(s.get(session)["due_at"]), due(ann["next_action_at"]), 5*time.Second, "the session's time runs")
	}

	system.Fail(webhooktest.Fault{Status: 200, Body: "<html>", Wait: wait})
	s.says("Ann", "Hello")
	<-asked
	bob.does(session, "handoff", nil, 0)
	bob.does(session, "claim", nil, 0)
	bob.does(session, "reply", doc{"content": "Bob here."}, 0)
	s.hears("Ann", 2, "Bob here.")
	answers <- struct{}{}
	s.untilTold("Ann", "failed")
	require.Contains(t, s.told("Ann", "failed")[0], "The agent could not answer in Talk, which a person had taken over: ")
	waits()

	s.says("Ann", "And now?")
	eventually(t, patience, "it waits for Bob", func() bool { return s.get(session)["waiting_since"] != nil })
	bob.does(session, "hand_back", nil, 0)
	s.hears("Ann", 3, "When do you pay? You wrote: And now?")

	slow.Store(true)
	s.says("Ann", "On Monday")
	<-asked
	bob.does(session, "handoff", nil, 0)
	answers <- struct{}{}
	eventually(t, patience, "the answer is told", func() bool { return len(s.told("Ann", "failed")) == 2 })
	require.Equal(t, "The agent's answer came after a person had taken the conversation over and was not sent: When do you pay? You wrote: On Monday", s.told("Ann", "failed")[1])
	waits()
	require.Len(t, s.heard("Ann"), 3)

	bob.does(session, "hand_back", nil, 0) // without a word: the agent is asked again
	<-asked
	answers <- struct{}{}
	s.hears("Ann", 4, "When do you pay? You wrote: On Monday")
	require.Empty(t, s.told("Ann", "attention"))
}
