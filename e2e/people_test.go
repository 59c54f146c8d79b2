package e2e_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// person is an operator with a key of their own.
type person struct {
	*scene
	key string
}

func (s *scene) person(name string) person {
	s.t.Helper()
	return person{s, s.post("/v1/keys", doc{"name": name, "role": "operator"})["key"].(string)}
}

// does something to a session; status 0 is any success.
func (p person) does(session, what string, body any, status int) doc {
	p.t.Helper()
	a := p.do(http.MethodPost, session+"/"+what, body, "Authorization", "Bearer "+p.key)
	if status == 0 {
		require.Less(p.t, a.status, 300, "%s: %s", what, a.body)
	} else {
		require.Equal(p.t, status, a.status, "%s: %s", what, a.body)
	}
	return a.doc(p.t)
}

// told is what a contact's timeline says of some kinds of decisions.
func (s *scene) told(objectID string, kinds ...string) []string {
	s.t.Helper()
	var said []string
	for _, d := range s.list(s.of(objectID) + "/timeline") {
		if slices.Contains(kinds, d["kind"].(string)) {
			said = append(said, d["summary"].(string))
		}
	}
	return said
}

// TestAPersonAndAnAgentShareAConversation is the whole walk: the agent hands
// over, its place goes to the next contact, two operators want the session, one
// has it, gives it back, takes it again and resolves it. The timeline tells it.
func TestAPersonAndAnAgentShareAConversation(t *testing.T) {
	t.Parallel()
	c := dev(t)
	agent := rules("Anna")
	agent["max_sessions"] = 1
	s := c.campaign(doc{"name": "Shared"})
	s.agentID = c.post("/v1/agents", agent)["id"].(string)
	s.post("/v1/agents/"+s.agentID+"/start", nil)
	s.stage("Talk", doc{"channel": "telegram", "agent": s.agentID, "template": "Can you pay {{ parameters.amount }}?", "start_state": "ask"},
		doc{"description": "Ask for a promise.", "result_fields": []doc{{"name": "mood", "type": "enum", "values": []string{"good", "bad"}}}})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", "async def run(contact, existing_contact, logger, **kwargs):\n    contact.communications.append(Communication(name=\"Talk\", stage_name=\"Talk\"))\n    return contact\n")
	s.strategy("aggregation", remember)
	s.start()
	s.upload("text/csv", []byte(columns+",amount,telegram_chat_id\nAnn,Ann,Ann,,,120 EUR,1\n"))
	ann := "/v1/sessions/" + s.sessionOf("Ann")
	s.upload("text/csv", []byte(columns+",amount,telegram_chat_id\nBen,Ben,Ben,,,120 EUR,2\n"))
	s.untilHeld("Ben", "agent_full")
	bob, eve := s.person("bob"), s.person("eve")

	s.says("Ann", "I want a person")
	s.hears("Ann", 2, "One moment.")
	s.sessionOf("Ben") // the agent's place is his
	inbox := s.list("/v1/inbox?state=open&stage=Talk&channel=telegram&campaign_id=" + s.id)
	require.Len(t, inbox, 1)
	require.NotNil(t, inbox[0]["waiting_since"])
	require.NotNil(t, inbox[0]["due_at"])
	detail := s.get(ann)
	require.Equal(t, "agent contact agent", authors(detail), "the person reads what was said")
	require.Equal(t, []any{"Ask for a promise.", "Ann"}, []any{detail["task"], detail["contact"].(doc)["name"]})

	bob.does(ann, "claim", nil, 0)
	require.Contains(t, eve.does(ann, "claim", nil, http.StatusConflict)["detail"], "key bob handles the session until")
	eve.does(ann, "reply", doc{"content": "Hello"}, http.StatusConflict)
	bob.does(ann, "reply", doc{"content": "Bob here. How can I help?"}, 0)
	s.hears("Ann", 3, "Bob here. How can I help?")
	require.Nil(t, s.get(ann)["waiting_since"], "it is the contact's turn")
	s.says("Ann", "yes, count 7") // nobody's rule yet: the agent is silent
	eventually(t, patience, "it is in the inbox again", func() bool { return s.get(ann)["waiting_since"] != nil })
	bob.does(ann, "notes", doc{"content": "Wants to pay in parts."}, 0)
	bob.does(ann, "unclaim", nil, 0)
	eve.does(ann, "claim", nil, 0)

	require.Contains(t, eve.does(ann, "hand_back", nil, http.StatusConflict)["detail"], "has all its 1 places in use")
	s.says("Ben", "yes")
	s.hears("Ben", 2, "On which day, Ben?")
	s.says("Ben", "on 24.12.2026")
	s.awaitStatus("Ben", "completed", patience)
	eve.does(ann, "hand_back", doc{"reason": "she wants to pay"}, 0)
	s.hears("Ann", 4, "On which day, Ann?")
	require.Equal(t, "ai", s.get(ann)["mode"])
	eve.does(ann, "reply", doc{"content": "x"}, http.StatusConflict)

	bob.does(ann, "handoff", doc{"reason": "I know her"}, 0)
	s.post(ann+"/claim", nil) // the admin is faster
	bob.does(ann, "claim", nil, http.StatusConflict)
	s.post(ann+"/unclaim", nil)
	bob.does(ann, "resolve", doc{"results": doc{"promised": "soon"}}, http.StatusUnprocessableEntity)
	bob.does(ann, "resolve", doc{"results": doc{"promise": "2026-12-24"}}, http.StatusUnprocessableEntity)
	bob.does(ann, "resolve", doc{"results": doc{"promised": "2026-12-24", "mood": "good", "OutcomeStatus": "PROMISE_TO_PAY"}}, 0)
	done := s.awaitStatus("Ann", "completed", patience)
	require.Equal(t, []any{"Talk PROMISE_TO_PAY"}, seen(done))
	require.Equal(t, []any{"2026-12-24", "good"}, []any{done["results"].(doc)["promised"], done["results"].(doc)["mood"]})
	require.Equal(t, []string{
		"Ann: I want a person", "Agent: One moment.", "The agent hands over to a person: asked for a person",
		"key bob handles Talk", "key bob: Bob here. How can I help?", "Ann: yes, count 7", "key bob lays Talk back into the inbox", "key eve handles Talk",
		"key eve gives the conversation in Talk back to the agent: she wants to pay", "Agent: On which day, Ann?",
		"key bob takes the conversation over from the agent in Talk: I know her", "admin handles Talk", "admin lays Talk back into the inbox",
		"Session ended: Talk, resolved by operator (key bob)",
	}, s.told("Ann", "replied", "message", "operator", "session_ended"))
	require.Len(t, s.heard("Ann"), 4)
	require.Empty(t, s.list("/v1/inbox"))
}

// TestWhatHappensWhileAPersonHasASession: STOP, a pause, a stop, and the deadline.
func TestWhatHappensWhileAPersonHasASession(t *testing.T) {
	t.Parallel()
	c := dev(t)

	t.Run("the contact writes STOP", func(t *testing.T) {
		s := c.in(t).planned("Stopped talk", nil, "Ann: Talk+Notice")
		s.bringForward("Ann", "Talk")
		session := "/v1/sessions/" + s.sessionOf("Ann")
		bob := s.person("bob of stop")
		bob.does(session, "handoff", nil, 0)
		bob.does(session, "claim", nil, 0)
		s.says("Ann", "STOP")
		s.untilStand("Ann", "NO_RESPONSE PLANNED")
		require.Equal(t, "declined", s.get(session)["status"])
		require.Contains(t, bob.does(session, "reply", doc{"content": "Sorry"}, http.StatusConflict)["detail"], "closed: declined")
		bob.does(session, "notes", doc{"content": "He does not want to be written to."}, 0)
		require.Len(t, s.heard("Ann"), 1)
	})

	t.Run("the campaign is paused, then stopped", func(t *testing.T) {
		s := c.in(t).planned("Paused talk", nil, "Ann: Talk+Notice", "Bea: Talk")
		sessions := map[string]string{}
		bob := s.person("bob of pause")
		for _, name := range []string{"Ann", "Bea"} {
			s.bringForward(name, "Talk")
			sessions[name] = "/v1/sessions/" + s.sessionOf(name)
			bob.does(sessions[name], "handoff", nil, 0)
			bob.does(sessions[name], "claim", nil, 0)
		}
		s.must(http.MethodPost, s.path("/pause"), nil)
		bob.does(sessions["Ann"], "reply", doc{"content": "We pause, I do not."}, 0)
		s.hears("Ann", 2, "We pause, I do not.")
		bob.does(sessions["Ann"], "resolve", doc{"results": doc{"OutcomeStatus": "SOLVED"}}, 0)
		s.untilStand("Ann", "COMPLETED PLANNED")
		s.must(http.MethodPost, s.path("/stop"), nil)
		s.awaitStatus("Bea", "stopped", patience)
		require.Equal(t, "canceled", s.get(sessions["Bea"])["status"])
		require.Contains(t, bob.does(sessions["Bea"], "resolve", nil, http.StatusConflict)["detail"], "closed: canceled")
		for _, v := range s.list("/v1/inbox?campaign_id=" + s.id) {
			require.Fail(t, "still in the inbox", "%v", v)
		}
	})

	t.Run("its deadline passes: not while it is handled", func(t *testing.T) {
		s := c.in(t).planned("Due talk", nil)
		s.stage("Call", doc{"channel": "human"}, doc{"session_timeout": "3s", "description": "Call them."})
		s.join("Ann: Call+Notice", "Bea: Call+Notice")
		bob := s.person("bob of deadline")
		s.bringForward("Bea", "Call")
		bea := "/v1/sessions/" + s.sessionOf("Bea")
		bob.does(bea, "claim", nil, 0)
		s.bringForward("Ann", "Call")
		s.untilStand("Ann", "NO_RESPONSE PLANNED")
		require.Equal(t, []any{"Call NO_RESPONSE no_response"}, seen(s.until("Ann", "aggregated", func(c doc) bool { return len(seen(c)) == 1 })))
		require.Equal(t, "open", s.get(bea)["status"], "Bob is at it, and its time was over before Ann's")
		bob.does(bea, "unclaim", nil, 0)
		s.untilStand("Bea", "NO_RESPONSE PLANNED")
		require.Equal(t, "timeout", s.get(bea)["status"])
	})
}

// What a person does is committed before it is answered: a worker that is dead
// meanwhile, or dies right after, neither loses it nor does it twice.
func TestWhatAPersonDoesOutlivesTheWorker(t *testing.T) {
	t.Parallel()
	c := apart(t, false)
	s := c.talks("Outlived", "Ann")
	session := "/v1/sessions/" + s.sessionOf("Ann")
	eventually(t, patience, "the opening", func() bool { return len(s.heard("Ann")) == 1 })
	bob := s.person("bob of the night")
	for round := 1; round <= 2; round++ {
		sent := len(s.heard("Ann"))
		bob.does(session, "handoff", nil, 0)
		c.worker.kill()
		bob.does(session, "claim", nil, 0)
		bob.does(session, "reply", doc{"content": "A person here."}, 0)
		bob.does(session, "messages", doc{"content": "count 7"}, 0)
		bob.does(session, "hand_back", nil, 0)
		c.startWorker()
		eventually(t, patience, "the person's words and the agent's", func() bool { return len(s.heard("Ann")) == sent+2 })
		c.worker.kill()
		c.startWorker()
	}
	bob.does(session, "handoff", nil, 0)
	c.worker.kill()
	bob.does(session, "resolve", doc{"results": doc{"OutcomeStatus": "SOLVED"}}, 0)
	bob.does(session, "resolve", nil, http.StatusConflict)
	c.startWorker()
	require.Equal(t, []any{"Talk SOLVED"}, seen(s.awaitStatus("Ann", "completed", patience)))
	var bodies []string
	for _, m := range s.heard("Ann")[1:] {
		bodies = append(bodies, m["body"].(string))
	}
	require.ElementsMatch(t, []string{"A person here.", "I count 7.", "A person here.", "I count 7."}, bodies, "what waited for the worker leaves once each")
	require.Len(t, s.told("Ann", "session_ended"), 1)
}
