package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is for a loaded machine; what is waited for takes milliseconds.
const patience = 30 * time.Second

// planTomorrow plans the stages that the column plan names, all for tomorrow:
// a test brings forward what it wants to see sent, so that nothing depends on
// how fast the machine is.
const planTomorrow = `
async def run(contact, existing_contact, logger, **kwargs):
    if existing_contact is None:
        for stage in contact.parameters["plan"].split("+"):
            contact.communications.append(Communication(name=stage, stage_name=stage, start_date=datetime.now() + timedelta(days=1)))
    return contact
`

// remember notes every ending, and ends the contact with the last one.
const remember = `
async def run(contact, session_results, logger, **kwargs):
    seen = contact.internal_data.get("seen", [])
    contact.internal_data["seen"] = seen + [" ".join(str(session_results[k]) for k in ("StageName", "OutcomeStatus", "Reason")).strip()]
    if not any(c.status.status == CommunicationStatus.PLANNED for c in contact.communications):
        contact.current_stage = "Done"
    return contact
`

// planned is a running campaign with the usual stages and a contact for each
// plan, all of which have started and wait for tomorrow. The contacts' object
// ids are their names; a plan is "Ann: Notice+Talk".
func (c *carillon) planned(name string, fields doc, plans ...string) *scene {
	c.t.Helper()
	if fields == nil {
		fields = doc{}
	}
	fields["name"] = name
	s := c.campaign(fields)
	s.agentID = c.agent("Agent of " + name)
	s.integrationID = c.post("/v1/integrations", doc{"name": "Post of " + name, "provider": "outbox"})["id"].(string)
	s.stage("Notice", doc{"channel": "email_notification", "integration": s.integrationID, "subject": "Notice", "template": "Hello {{ name }}"})
	s.stage("Talk", doc{"channel": "email", "agent": s.agentID, "subject": "Talk", "template": "Hello {{ name }}"})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", planTomorrow)
	s.strategy("aggregation", remember)
	s.start()
	if len(plans) > 0 {
		s.join(plans...)
	}
	return s
}

// join imports contacts and waits until they have started.
func (s *scene) join(plans ...string) {
	s.t.Helper()
	file := columns + ",plan\n"
	for _, p := range plans {
		name, plan, _ := strings.Cut(p, ": ")
		file += fmt.Sprintf("%s,%s of %s,%s,%s@example.com,,%s\n", name, name, s.id, name, strings.ToLower(name), plan)
	}
	imported := s.upload("text/csv", []byte(file))
	require.EqualValues(s.t, len(plans), imported["created"], "%v", imported)
	eventually(s.t, 30*time.Second, "all have started", func() bool {
		for _, p := range plans {
			name, _, _ := strings.Cut(p, ": ")
			if s.contact(name)["started_at"] == nil {
				return false
			}
		}
		return true
	})
}

// of is the path of a contact.
func (s *scene) of(objectID string) string {
	s.t.Helper()
	return s.path("/contacts/" + s.contact(objectID)["id"].(string))
}

// bringForward makes what a contact has planned for a stage due now.
func (s *scene) bringForward(objectID, stage string) {
	s.t.Helper()
	contact := s.contact(objectID)
	for _, m := range contact["communications"].([]any) {
		if m := m.(doc); m["stage_name"] == stage && m["status"].(doc)["status"] == "PLANNED" {
			s.post(s.path("/contacts/"+contact["id"].(string)+"/reschedule"), doc{"communication_id": m["id"], "start_date": time.Now().UTC().Format(time.RFC3339)})
			return
		}
	}
	require.FailNow(s.t, "nothing planned", "%s at %s: %v", objectID, stage, contact)
}

// until waits until check holds for the contact.
func (s *scene) until(objectID, what string, check func(contact doc) bool) doc {
	s.t.Helper()
	var c doc
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		if c = s.contact(objectID); check(c) {
			return c
		}
		<-time.After(40 * time.Millisecond)
	}
	timeline := s.must(http.MethodGet, s.of(objectID)+"/timeline", nil)
	require.FailNow(s.t, objectID+": not "+what, "%v\n%s", c, timeline.body)
	return nil
}

// untilStand waits until the contact's communications stand as told.
func (s *scene) untilStand(objectID, want string) doc {
	s.t.Helper()
	return s.until(objectID, want, func(c doc) bool { return statuses(c) == want })
}

// untilHeld waits until something outside holds the contact.
func (s *scene) untilHeld(objectID, cause string) {
	s.t.Helper()
	c := s.until(objectID, "held by "+cause, func(c doc) bool { return c["held"] != nil })
	require.Equal(s.t, cause, c["held"].(doc)["cause"])
	require.Equal(s.t, "active", c["status"])
}

// seen is what aggregation noted for the contact.
func seen(contact doc) []any {
	list, _ := contact["internal_data"].(doc)["seen"].([]any)
	return list
}

// sessionOf waits for the contact's open session.
func (s *scene) sessionOf(objectID string) string {
	s.t.Helper()
	return s.session(s.contact(objectID)["id"].(string))
}

// end ends a session as its agent does.
func (s *scene) end(session string, results doc) {
	s.t.Helper()
	s.must(http.MethodPost, "/v1/sessions/"+session+"/results", doc{"status": "completed", "results": results})
}

// reasons lists the decisions of the campaign of a kind by their reasons.
func (s *scene) reasons(kind string) []string {
	s.t.Helper()
	var all []string
	for _, d := range s.list(s.path("/decisions?limit=500&kind=" + kind)) {
		all = append(all, d["reason"].(string))
	}
	return all
}
