package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// rules is a scripted agent that asks for a promise to pay, and counts when asked to.
func rules(name string) doc {
	return doc{
		"name": name, "kind": "scripted", "result_fields": []doc{{"name": "promised", "type": "date"}, {"name": "last", "type": "integer"}},
		"states": []doc{
			{"name": "ask", "start": true, "replies": []doc{
				{"match": []string{"yes", "ja"}, "say": "On which day, {{ name }}?", "state": "day"},
				{"match": []string{`/^count (\d+)$/`}, "say": "I count {{ results.last }}.", "results": doc{"last": "$1"}},
			}},
			{"name": "day", "replies": []doc{
				{
					"match": []string{`/on (\S+?)\.?$/`}, "say": "Noted for {{ results.promised }}: {{ parameters.amount }}.", "end": "completed", "reason": "promised",
					"results": doc{"promised": "$1", "OutcomeStatus": "PROMISE_TO_PAY"},
				},
				{"say": "Which day, please? You wrote: {{ message }}"},
			}},
			{"name": "*", "replies": []doc{{"match": []string{"a person"}, "say": "One moment.", "hand_off": true, "reason": "asked for a person"}}},
		},
	}
}

// talks is a running campaign whose contacts are written to on WhatsApp by an
// agent by rules; they are named by their object ids.
func (c *carillon) talks(name string, contacts ...string) *scene {
	c.t.Helper()
	s := c.campaign(doc{"name": name})
	s.agentID = c.post("/v1/agents", rules("Rules of "+name))["id"].(string)
	s.post("/v1/agents/"+s.agentID+"/start", nil)
	s.stage("Talk", doc{"channel": "whatsapp_meta", "agent": s.agentID, "template_name": "debt", "start_state": "ask"})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="Talk", stage_name="Talk"))
    return contact
`)
	s.strategy("aggregation", remember)
	file := columns + ",amount\n"
	for i, name := range contacts {
		file += fmt.Sprintf("%s,%s of %s,%s,,+1415555012%d,120 EUR\n", name, name, s.id, name, i)
	}
	require.EqualValues(c.t, len(contacts), s.upload("text/csv", []byte(file))["created"])
	s.start()
	return s
}

// heard is what a contact was sent, oldest first.
func (s *scene) heard(objectID string) []doc {
	s.t.Helper()
	sent := s.list("/v1/outbox?limit=500&contact_id=" + s.contact(objectID)["id"].(string))
	for i, j := 0, len(sent)-1; i < j; i, j = i+1, j-1 {
		sent[i], sent[j] = sent[j], sent[i]
	}
	return sent
}

// says answers the newest message a contact was sent.
func (s *scene) says(objectID, text string) {
	s.t.Helper()
	heard := s.heard(objectID)
	require.NotEmpty(s.t, heard)
	s.must(http.MethodPost, "/v1/outbox/"+heard[len(heard)-1]["id"].(string)+"/reply", doc{"content": text})
}

// hears waits for the n-th message to a contact, and checks that it is the newest.
func (s *scene) hears(objectID string, n int, want string) {
	s.t.Helper()
	var heard []doc
	eventually(s.t, patience, fmt.Sprintf("%s hears %q", objectID, want), func() bool { heard = s.heard(objectID); return len(heard) >= n })
	require.Len(s.t, heard, n)
	require.Equal(s.t, want, heard[n-1]["body"])
}

func TestAConversationWithAnAgentByRules(t *testing.T) {
	t.Parallel()
	s := dev(t).talks("Rules", "Ann", "Bob", "Cid")
	sessions := map[string]string{}
	for _, name := range []string{"Ann", "Bob", "Cid"} {
		sessions[name] = "/v1/sessions/" + s.sessionOf(name)
		eventually(t, patience, "the opening", func() bool { return len(s.heard(name)) == 1 })
	}

	t.Run("turn by turn to its end, and aggregation sees the results", func(t *testing.T) {
		s := s.in(t)
		s.says("Ann", "JA, gern!")
		s.hears("Ann", 2, "On which day, Ann?")
		require.Equal(t, "day", s.get(sessions["Ann"])["state"])
		s.says("Ann", "soon")
		s.hears("Ann", 3, "Which day, please? You wrote: soon")
		s.says("Ann", "Then on 24.12.2026.")
		s.hears("Ann", 4, "Noted for 2026-12-24: 120 EUR.")
		ann := s.awaitStatus("Ann", "completed", patience)
		require.Equal(t, []any{"Talk PROMISE_TO_PAY promised"}, seen(ann))
		require.Equal(t, "2026-12-24", ann["results"].(doc)["promised"])
		require.Equal(t, "success", ann["outcome"])
		ended := s.get(sessions["Ann"])
		require.Equal(t, "completed", ended["status"])
		require.Equal(t, "2026-12-24", ended["results"].(doc)["promised"])
		require.Equal(t, "agent contact agent contact agent contact agent", authors(ended))
	})

	t.Run("it hands over to a person, and is silent then", func(t *testing.T) {
		s := s.in(t)
		s.says("Bob", "Give me a person!")
		s.hears("Bob", 2, "One moment.")
		eventually(t, patience, "the session waits for a person", func() bool { return s.get(sessions["Bob"])["mode"] == "human" })
		s.says("Bob", "yes")
		s.must(http.MethodPost, sessions["Bob"]+"/notes", doc{"content": "Called him."})
		s.post(sessions["Bob"]+"/claim", nil)
		s.must(http.MethodPost, sessions["Bob"]+"/reply", doc{"content": "I am a person."})
		s.hears("Bob", 3, "I am a person.")
		s.must(http.MethodPost, sessions["Bob"]+"/resolve", doc{"results": doc{"OutcomeStatus": "SOLVED"}})
		require.Equal(t, []any{"Talk SOLVED"}, seen(s.awaitStatus("Bob", "completed", patience)))
		require.Equal(t, "Called him.", s.get(sessions["Bob"])["notes"].([]any)[0].(doc)["content"])
		require.Len(t, s.heard("Bob"), 3, "the agent said nothing to yes")
	})

	t.Run("stopped, it answers when it runs again", func(t *testing.T) {
		s := s.in(t)
		s.post("/v1/agents/"+s.agentID+"/stop", nil)
		s.says("Cid", "yes")
		s.untilHeld("Cid", "agent_stopped")
		require.Len(t, s.heard("Cid"), 1)
		broken := rules("Rules of Rules")
		broken["states"].([]doc)[0]["replies"] = []doc{{"match": []string{"/(/"}}}
		require.Equal(t, http.StatusUnprocessableEntity, s.do(http.MethodPut, "/v1/agents/"+s.agentID, broken).status)
		s.post("/v1/agents/"+s.agentID+"/start", nil)
		s.hears("Cid", 2, "On which day, Cid?")
	})

	t.Run("what cannot be written waits for a person to mend it", func(t *testing.T) {
		s := s.in(t)
		mended := rules("Rules of Rules")
		lost := rules("Rules of Rules")
		lost["states"].([]doc)[1]["replies"].([]doc)[1]["say"] = "{{ parameters.nick }}?"
		s.must(http.MethodPut, "/v1/agents/"+s.agentID, lost)
		s.says("Cid", "hm")
		cid := s.until("Cid", "in trouble", func(c doc) bool { return c["status"] == "needs_attention" })
		require.Contains(t, cid["attention"].(doc)["detail"], "the contact has no parameters.nick")
		s.must(http.MethodPut, "/v1/agents/"+s.agentID, mended)
		s.post(s.of("Cid")+"/retry", nil)
		s.hears("Cid", 3, "Which day, please? You wrote: hm")
	})
}

func authors(session doc) string {
	var out []string
	for _, m := range session["messages"].([]any) {
		out = append(out, m.(doc)["author"].(string))
	}
	return strings.Join(out, " ")
}

// The worker is killed as soon as the agent's answer is stored: before it is
// sent, while it is, or right after. Each answer leaves once.
func TestAnAnswerIsSentOnceThoughTheWorkerDies(t *testing.T) {
	t.Parallel()
	c := apart(t, false)
	s := c.talks("Killed", "Ann")
	session := "/v1/sessions/" + s.sessionOf("Ann")
	eventually(t, patience, "the opening", func() bool { return len(s.heard("Ann")) == 1 })
	unsent := 0
	const rounds = 2
	for i := 1; i <= rounds; i++ {
		s.says("Ann", fmt.Sprintf("count %d", i))
		deadline := time.Now().Add(patience)
		for {
			messages := s.get(session)["messages"].([]any)
			last := messages[len(messages)-1].(doc)
			if last["author"] == "agent" && strings.Contains(last["content"].(string), fmt.Sprint(i)) {
				c.worker.kill()
				if last["delivery"] == "pending" {
					unsent++
				}
				break
			}
			require.Less(t, time.Now(), deadline)
		}
		c.startWorker()
		s.hears("Ann", i+1, fmt.Sprintf("I count %d.", i))
	}
	t.Logf("%d of %d answers were not sent yet when the worker was killed", unsent, rounds)
	s.says("Ann", "yes")
	s.hears("Ann", rounds+2, "On which day, Ann?")
	s.says("Ann", "on 24.12.2026")
	s.awaitStatus("Ann", "completed", patience)
	var bodies []string
	for _, m := range s.heard("Ann")[1:] {
		bodies = append(bodies, m["body"].(string))
	}
	require.Equal(t, []string{"I count 1.", "I count 2.", "On which day, Ann?", "Noted for 2026-12-24: 120 EUR."}, bodies)
	require.EqualValues(t, rounds, s.get(session)["results"].(doc)["last"])
}
