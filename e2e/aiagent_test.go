package e2e_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/agents/openaitest"
	"carillon/agents/webhooktest"
)

const (
	modelKey = "sk-e2e-key-of-the-model"
	turnsKey = "e2e key that signs turns"
)

// debtModel is a model that collects a debt.
func debtModel(r openaitest.Request) openaitest.Reply {
	switch last := r.Messages[len(r.Messages)-1].Content; {
	case strings.Contains(last, "has not said anything"):
		return openaitest.Reply{Say: "Good morning."}
	case strings.Contains(last, "a person"):
		return openaitest.Reply{Say: "One moment.", Calls: []openaitest.Call{openaitest.Calls("hand_off", `{"reason":"asked for a person"}`)}}
	case strings.Contains(last, "24.12."):
		return openaitest.Reply{Calls: []openaitest.Call{openaitest.Calls("set_results", `{"promised":"2026-12-24"}`)}}
	case last == "Noted.":
		return openaitest.Reply{Say: "On the 24th, then. Goodbye.", Calls: []openaitest.Call{
			openaitest.Calls("end_conversation", `{"status":"completed","reason":"promised","results":{"OutcomeStatus":"PROMISE_TO_PAY"}}`),
		}}
	default:
		return openaitest.Reply{Say: "When do you pay? You wrote: " + last}
	}
}

// debtSystem is a system behind a webhook that does the same.
func debtSystem(t webhooktest.Turn) map[string]any {
	if len(t.Said) == 0 {
		return map[string]any{"content": "Good morning, " + t.Contact.Name}
	}
	switch last := t.Said[len(t.Said)-1].Content; {
	case strings.Contains(last, "a person"):
		return map[string]any{"content": "One moment.", "hand_off": true, "reason": "asked for a person"}
	case strings.Contains(last, "24.12."):
		return map[string]any{
			"content": "On the 24th, then. Goodbye.", "end": "completed", "reason": "promised",
			"results": map[string]any{"promised": "2026-12-24", "OutcomeStatus": "PROMISE_TO_PAY"},
		}
	default:
		return map[string]any{"content": "When do you pay? You wrote: " + last, "state": "ask"}
	}
}

// private lets the agents under test be on this machine.
const private = "CARILLON_ALLOW_PRIVATE_URLS=true"

// chats is a running campaign in which the agent talks: on WhatsApp after an
// opening that is written down, or on Telegram with one of its own.
func (c *carillon) chats(name string, agent doc, delivery doc, contacts ...string) *scene {
	c.t.Helper()
	s := c.campaign(doc{"name": name})
	agent["name"] = "Agent of " + name
	agent["result_fields"] = []doc{{"name": "promised", "type": "date"}, {"name": "OutcomeStatus", "type": "string"}}
	s.agentID = c.post("/v1/agents", agent)["id"].(string)
	s.post("/v1/agents/"+s.agentID+"/start", nil)
	delivery["agent"] = s.agentID
	s.stage("Talk", delivery)
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="Talk", stage_name="Talk"))
    return contact
`)
	s.strategy("aggregation", remember)
	file := columns + ",amount,telegram_chat_id\n"
	for i, who := range contacts {
		file += fmt.Sprintf("%s,%s of %s,%s,,+1415555013%d,120 EUR,%d\n", who, who, s.id, who, i, 700+i)
	}
	require.EqualValues(c.t, len(contacts), s.upload("text/csv", []byte(file))["created"])
	s.start()
	return s
}

func whatsapp() doc {
	return doc{"channel": "whatsapp_meta", "template_name": "debt", "start_state": "ask"}
}

func modelled(m *openaitest.Server) doc {
	return doc{
		"kind": "openai", "instructions": "You collect {{ parameters.amount }} of {{ name }}.",
		"settings": doc{"base_url": m.URL, "model": "small", "timeout": "20s"}, "secrets": doc{"api_key": modelKey},
	}
}

func TestConversationsWithAgentsElsewhere(t *testing.T) {
	t.Parallel()
	c := dev(t, private)
	model, system := openaitest.New(t, modelKey, "small"), webhooktest.New(t, turnsKey)
	model.Reply, system.Answer = debtModel, debtSystem
	hooked := doc{"kind": "webhook", "settings": doc{"url": system.URL}, "secrets": doc{"signing_key": turnsKey}}

	for _, kind := range []struct {
		name  string
		agent doc
		fail  func()
	}{
		{"a model", modelled(model), func() {
			model.Next(openaitest.Reply{Status: 503, Header: map[string]string{"Retry-After": "1"}}, openaitest.Reply{Drop: true})
		}},
		{"a system", hooked, func() {
			system.Fail(webhooktest.Fault{Status: 503, Header: map[string]string{"Retry-After": "1"}}, webhooktest.Fault{Drop: true})
		}},
	} {
		t.Run(kind.name+": turn by turn, a hand-off, and down for a while", func(t *testing.T) {
			s := c.in(t).chats("With "+kind.name, kind.agent, whatsapp(), "Ann", "Bob")
			for _, name := range []string{"Ann", "Bob"} {
				eventually(t, patience, "the opening", func() bool { return len(s.heard(name)) == 1 })
			}
			s.says("Ann", "Who is this?")
			s.hears("Ann", 2, "When do you pay? You wrote: Who is this?")
			kind.fail()
			s.says("Ann", "Soon")
			s.hears("Ann", 3, "When do you pay? You wrote: Soon")
			s.says("Ann", "On 24.12.2026")
			s.hears("Ann", 4, "On the 24th, then. Goodbye.")
			ann := s.awaitStatus("Ann", "completed", patience)
			require.Equal(t, []any{"Talk PROMISE_TO_PAY promised"}, seen(ann), "aggregation sees what the agent found out")
			require.Len(t, s.heard("Ann"), 4, "each answer left once")

			s.says("Bob", "Give me a person")
			s.hears("Bob", 2, "One moment.")
			session := "/v1/sessions/" + s.sessionOf("Bob")
			eventually(t, patience, "the session waits for a person", func() bool { return s.get(session)["mode"] == "human" })
			s.must("POST", session+"/reply", doc{"content": "A person here."})
			s.hears("Bob", 3, "A person here.")
			s.says("Bob", "And what now?")
			eventually(t, patience, "it waits for the person again", func() bool { return s.get(session)["waiting_since"] != nil })
			s.must("POST", session+"/hand_back", nil)
			s.hears("Bob", 4, "When do you pay? You wrote: And what now?")
			require.Equal(t, "agent contact agent operator contact agent", authors(s.get(session)), "it was silent in between")
		})
	}

	t.Run("they open a session for which no opening is written", func(t *testing.T) {
		s := c.in(t).chats("Opened", modelled(model), doc{"channel": "telegram"}, "Cid")
		s.hears("Cid", 1, "Good morning.")
		s.says("Cid", "Hello")
		s.hears("Cid", 2, "When do you pay? You wrote: Hello")
	})

	t.Run("a key that is refused waits for a person to mend it", func(t *testing.T) {
		agent := modelled(model)
		agent["secrets"] = doc{"api_key": "sk-a-wrong-one"}
		s := c.in(t).chats("Refused", agent, whatsapp(), "Dan")
		eventually(t, patience, "the opening", func() bool { return len(s.heard("Dan")) == 1 })
		question := doc{"content": "Hello", "contact": doc{"name": "Dan", "parameters": doc{"amount": "120 EUR"}}}
		tried := s.post("/v1/agents/"+s.agentID+"/try", question)
		require.NotNil(t, tried["error"], tried)
		require.Equal(t, true, tried["error"].(doc)["permanent"])
		s.says("Dan", "Hello")
		dan := s.until("Dan", "in trouble", func(c doc) bool { return c["status"] == "needs_attention" })
		require.Contains(t, dan["attention"].(doc)["detail"], "refuses the key (401 Unauthorized): set a valid api_key")
		require.NotContains(t, fmt.Sprint(dan, tried), "sk-a-wrong-one")
		agent["secrets"] = doc{"api_key": modelKey}
		s.must("PUT", "/v1/agents/"+s.agentID, agent)
		require.Equal(t, "When do you pay? You wrote: Hello", s.post("/v1/agents/"+s.agentID+"/try", question)["content"])
		s.post(s.of("Dan")+"/retry", nil)
		s.hears("Dan", 2, "When do you pay? You wrote: Hello")
	})

	t.Run("a system that answers later", func(t *testing.T) {
		s := c.in(t).chats("Later", hooked, whatsapp(), "Eve")
		eventually(t, patience, "the opening", func() bool { return len(s.heard("Eve")) == 1 })
		asked := len(system.Turns())
		system.Fail(webhooktest.Fault{Status: 202})
		s.says("Eve", "Hello")
		session := "/v1/sessions/" + s.sessionOf("Eve")
		eventually(t, patience, "the message is there", func() bool { return len(s.get(session)["messages"].([]any)) == 2 })
		s.post(session+"/answers", doc{"content": "I had to look it up."})
		s.hears("Eve", 2, "I had to look it up.")
		require.Len(t, system.Turns(), asked, "202 was the one answer to the turn")
	})
	require.NotContains(t, c.stderr.String(), modelKey)
}
