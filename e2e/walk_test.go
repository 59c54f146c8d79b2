package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The manual's walk with short delays. The strategies are those of the
// time-skipping test in package worker, seconds for days.
const (
	walkDataLoad = `
async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    if existing_contact is not None:
        if contact.parameters.get("paid"):
            contact.current_stage = "Paid"
        return contact
    contact.communications.append(Communication(
        name="Notice", stage_name="E-mail", start_date=datetime.now() + timedelta(seconds=1)))
    contact.current_stage = "E-mail"
    return contact
`
	walkAggregation = `
async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    ended = kwargs["communication"]
    outcome = session_results.get("OutcomeStatus", "NO_RESPONSE")
    logger.info("%s ended with %s", ended.name, outcome)
    for comm in contact.communications:
        if comm.flagged:
            comm.status.status = CommunicationStatus.COMPLETED
    if ended.stage_name == "E-mail" and outcome == "NO_RESPONSE":
        contact.communications.append(Communication(
            name="WhatsApp talk", stage_name="WhatsApp", start_date=datetime.now() + timedelta(seconds=1)))
    if outcome == "PROMISE_TO_PAY":
        contact.communications.append(Communication(
            name="Reminder", stage_name="Payment Promised", start_date=datetime.now() + timedelta(days=5)))
    return contact
`
	walkAnswer = `
async def on_agent_answer(contact: Contact, message: Message, **kwargs) -> Contact | None:
    contact.internal_data["last_message_time"] = datetime.now()
    if "promise to pay" in message.content.lower():
        contact.current_stage = "Payment Promised"
    return contact
`
)

func (c *carillon) walk() *scene {
	c.t.Helper()
	s := c.campaign(doc{"name": "Debt collection", "timezone": "Europe/Berlin"})
	agent := c.agent("Anna " + s.id)
	s.stage("E-mail", doc{"channel": "email_notification", "integration": "outbox", "subject": "Your debt, {{ name }}", "template": "You owe {{ parameters.amount }}."},
		doc{"session_timeout": "2s"})
	s.stage("WhatsApp", doc{"channel": "whatsapp_meta", "agent": agent, "template_name": "debt", "start_state": "ask"})
	s.stage("Payment Promised", doc{"channel": "email_notification", "integration": "outbox", "subject": "You promised", "template": "Please pay."})
	s.stage("Paid", doc{"channel": "none", "start_state": "paid"}, doc{"outcome": "success"})
	s.strategy("data_load", walkDataLoad)
	s.strategy("aggregation", walkAggregation)
	s.strategy("agent_answer", walkAnswer)
	return s
}

const walkFile = "object_id,external_id,name,email,phone,amount\nC-1,U-1,John Doe,john@example.com,+14155550123,120 EUR\n"

// session waits for the contact's open session and returns its id.
func (s *scene) session(contactID string) string {
	s.t.Helper()
	var id string
	eventually(s.t, 30*time.Second, "a session is open", func() bool {
		open := s.list("/v1/sessions?status=open&contact_id=" + contactID)
		if len(open) == 1 {
			id = open[0]["id"].(string)
		}
		return len(open) == 1
	})
	return id
}

func TestTheManualsWalk(t *testing.T) {
	s := dev(t).walk()
	require.EqualValues(t, 1, s.upload("text/csv", []byte(walkFile))["created"])
	s.start()
	id := s.contact("C-1")["id"].(string)
	contact := s.path("/contacts/" + id)

	// The e-mail has no answer; WhatsApp follows, and the contact writes back.
	session := s.session(id)
	var opening []doc
	eventually(t, 20*time.Second, "the opening has left", func() bool { opening = s.outbox("&contact_id=" + id); return len(opening) == 2 })
	whatsapp := opening[0]
	if whatsapp["channel"] != "whatsapp_meta" {
		whatsapp = opening[1]
	}
	require.Equal(t, http.StatusAccepted, s.do(http.MethodPost, "/v1/outbox/"+whatsapp["id"].(string)+"/reply", doc{"content": "I will pay on Friday"}).status)
	eventually(t, 20*time.Second, "the reply arrives", func() bool { return s.get(contact)["counts"].(doc)["received"].(float64) == 1 })
	require.Equal(t, http.StatusAccepted, s.do(http.MethodPost, "/v1/sessions/"+session+"/answers", doc{"content": "Thank you, I note your promise to pay."}).status)
	eventually(t, 20*time.Second, "agent_answer moves the stage", func() bool { return s.get(contact)["current_stage"] == "Payment Promised" })
	require.Equal(t, http.StatusAccepted, s.do(http.MethodPost, "/v1/sessions/"+session+"/results", doc{"status": "completed", "results": doc{"OutcomeStatus": "PROMISE_TO_PAY"}}).status)
	eventually(t, 20*time.Second, "a reminder is planned", func() bool { return len(s.get(contact)["communications"].([]any)) == 3 })
	require.Equal(t, http.StatusConflict, s.do(http.MethodPost, "/v1/sessions/"+session+"/results", doc{"status": "completed"}).status)

	// The payment arrives as an outside event.
	paid := s.do(http.MethodPost, s.path("/contacts"), doc{"object_id": "C-1", "external_id": "U-1", "parameters": doc{"paid": true}})
	require.Equal(t, http.StatusOK, paid.status, "%s", paid.body)
	done := s.awaitStatus("C-1", "completed", 20*time.Second)
	require.Equal(t, "success", done["outcome"])
	require.Equal(t, "Paid", done["current_stage"])
	var ends []string
	for _, m := range done["communications"].([]any) {
		ends = append(ends, m.(doc)["name"].(string)+" "+m.(doc)["status"].(doc)["status"].(string))
	}
	require.Equal(t, []string{"Notice COMPLETED", "WhatsApp talk COMPLETED", "Reminder CANCELED"}, ends)
	require.Len(t, s.outbox("&contact_id="+id), 3, "notice, opening, answer")

	var kinds []string
	for _, d := range s.list(contact + "/timeline") {
		kinds = append(kinds, d["kind"].(string))
	}
	require.Equal(t, "imported strategy_run planned stage_changed sent strategy_run planned stage_changed sent replied message strategy_run stage_changed "+
		"session_ended strategy_run planned imported strategy_run stage_changed skipped completed", strings.Join(kinds, " "))
	require.NotNil(t, s.get(s.path(""))["finished_at"])
}

// The manual's own three snippets, their "... other settings" comments included.
func TestTheManualsSnippetsRunVerbatim(t *testing.T) {
	c := dev(t)
	s := c.campaign(doc{"name": "Verbatim"})
	agent := c.agent("Otto")
	// "First Contact" and "Second Attempt" are the stages the snippets name.
	s.stage("First Contact", doc{"channel": "email", "agent": agent, "subject": "Hello", "template": "Hello {{ name }}, {{ parameters.add_param2 }}"}, doc{"session_timeout": "4s"})
	s.stage("Second Attempt", doc{"channel": "email_notification", "integration": "outbox", "subject": "Again", "template": "Hello again"})
	s.stage("Payment Promised", doc{"channel": "none", "start_state": "promised"}, doc{"outcome": "success"})
	s.strategy("data_load", string(read(t, "../strategies/testdata/seed_data_load.py")))
	s.strategy("aggregation", string(read(t, "../strategies/testdata/seed_aggregation.py")))
	s.strategy("agent_answer", string(read(t, "../strategies/testdata/seed_agent_answer.py")))

	first := s.upload("text/csv", read(t, "../intake/testdata/manual.csv"))
	require.EqualValues(t, 2, first["created"])
	john := s.contact("123")
	require.Equal(t, doc{"add_param1": "12", "add_param2": "Additional data"}, john["parameters"])
	again := s.upload("application/x-ndjson", read(t, "../intake/testdata/manual.jsonl"))
	require.EqualValues(t, 2, again["updated"])
	require.EqualValues(t, 0, again["created"])
	require.Len(t, s.contact("123")["communications"], 1, "a re-import plans nothing twice")

	// The snippet plans an hour ahead: an operator brings it forward.
	s.start()
	for _, object := range []string{"123", "456"} {
		id := s.contact(object)["id"].(string)
		s.must(http.MethodPost, s.path("/contacts/"+id+"/reschedule"), doc{"communication_id": id + "-1", "start_date": time.Now().UTC().Format(time.RFC3339)})
	}
	john = s.contact("123")
	session := s.session(john["id"].(string))
	require.Equal(t, http.StatusAccepted, s.do(http.MethodPost, "/v1/sessions/"+session+"/answers", doc{"content": "So this is your promise to pay."}).status)
	require.Equal(t, http.StatusAccepted, s.do(http.MethodPost, "/v1/sessions/"+session+"/results", doc{"results": doc{"OutcomeStatus": "PROMISE_TO_PAY"}}).status)
	done := s.awaitStatus("123", "completed", 60*time.Second)
	require.Equal(t, "success", done["outcome"])
	require.NotEmpty(t, done["internal_data"].(doc)["last_message_time"])

	// Jane says nothing: aggregation plans the second attempt for tomorrow.
	eventually(t, 30*time.Second, "the follow-up is planned", func() bool { return len(s.contact("456")["communications"].([]any)) == 2 })
	sent := s.outbox("")
	require.Len(t, sent, 3, "two openings and one answer")
	third := s.upload("text/csv", read(t, "../intake/testdata/manual.csv"))
	require.EqualValues(t, 2, third["updated"])
	require.Len(t, s.outbox(""), 3, "nothing is sent twice")
}
