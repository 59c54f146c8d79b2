package e2e_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/agents/openaitest"
	"carillon/agents/webhooktest"
)

// openingSystem decides in its very first turn, by whom it opens a session with.
func openingSystem(t webhooktest.Turn) map[string]any {
	switch t.Contact.Name {
	case "Ann":
		return map[string]any{"content": "One moment, Ann.", "hand_off": true, "reason": "asks for a person always", "results": map[string]any{"promised": "2026-12-24"}}
	case "Ben":
		return map[string]any{"content": "Goodbye, Ben.", "end": "declined", "reason": "never again", "results": map[string]any{"OutcomeStatus": "REFUSED"}}
	default:
		return map[string]any{"hand_off": true, "reason": "nothing to say"}
	}
}

// decidesAtOnce plays what an agent decides in its opening turn.
func (s *scene) decidesAtOnce() {
	s.hears("Ann", 1, "One moment, Ann.")
	session := "/v1/sessions/" + s.sessionOf("Ann")
	eventually(s.t, patience, "people have it", func() bool { return s.get(session)["mode"] == "human" })
	require.Equal(s.t, "2026-12-24", s.get(session)["results"].(doc)["promised"])
	s.says("Ann", "Hello?")
	eventually(s.t, patience, "she waits for a person", func() bool { return s.get(session)["waiting_since"] != nil })
	s.must("POST", session+"/reply", doc{"content": "A person here."})
	s.hears("Ann", 2, "A person here.")
	s.must("POST", session+"/resolve", doc{"results": doc{"OutcomeStatus": "PROMISE_TO_PAY"}})
	s.awaitStatus("Ann", "completed", patience)
	require.Equal(s.t, "2026-12-24", s.contact("Ann")["results"].(doc)["promised"])
	require.Contains(s.t, s.told("Ann", "operator"), "The agent hands over to a person: asks for a person always")
}

func TestWhatAnAgentDecidesAsItOpensASession(t *testing.T) {
	t.Parallel()
	c := dev(t, private)
	model, system := openaitest.New(t, modelKey, "small"), webhooktest.New(t, turnsKey)
	system.Answer = openingSystem
	hooked := doc{"kind": "webhook", "settings": doc{"url": system.URL}, "secrets": doc{"signing_key": turnsKey}}

	t.Run("a system", func(t *testing.T) {
		s := c.in(t).chats("Decided", hooked, doc{"channel": "telegram"}, "Ann", "Ben", "Cid")
		s.decidesAtOnce()
		s.hears("Ben", 1, "Goodbye, Ben.")
		ben := s.awaitStatus("Ben", "completed", patience)
		require.Equal(t, []any{"Talk REFUSED never again"}, seen(ben), "aggregation sees how it ended")
		cid := "/v1/sessions/" + s.sessionOf("Cid")
		eventually(t, patience, "people have it", func() bool { return s.get(cid)["mode"] == "human" })
		require.Equal(t, "nothing to say", s.get(cid)["reason"])
		require.Empty(t, s.heard("Cid"))
	})

	t.Run("a model that refuses", func(t *testing.T) {
		model.Reply = func(openaitest.Request) openaitest.Reply { return openaitest.Reply{Refusal: "I cannot."} }
		s := c.in(t).chats("Refused to open", modelled(model), doc{"channel": "telegram"}, "Dan")
		dan := "/v1/sessions/" + s.sessionOf("Dan")
		eventually(t, patience, "people have it", func() bool { return s.get(dan)["mode"] == "human" })
		require.Equal(t, "the model refused to answer", s.get(dan)["reason"])
		require.Equal(t, "active", s.contact("Dan")["status"])
	})
}
