package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestACampaignStopEndsEverythingWithoutAggregation(t *testing.T) {
	t.Parallel()
	c := dev(t)

	t.Run("a campaign", func(t *testing.T) {
		s := c.in(t).planned("Stop", nil, "Ann: Talk+Notice", "Bob: Notice")
		s.bringForward("Ann", "Talk")
		session := s.sessionOf("Ann")
		s.must(http.MethodPost, s.path("/stop"), nil)
		for _, name := range []string{"Ann", "Bob"} {
			s.awaitStatus(name, "stopped", patience)
		}
		require.Equal(t, "CANCELED CANCELED", statuses(s.contact("Ann")))
		require.Equal(t, "CANCELED", statuses(s.contact("Bob")))
		require.Equal(t, "canceled", s.get("/v1/sessions/" + session)["status"])
		require.Empty(t, s.list(s.path("/strategy_runs?type=aggregation")))
		for _, action := range []string{"/start", "/pause", "/resume", "/stop"} {
			require.Equal(t, http.StatusConflict, s.do(http.MethodPost, s.path(action), nil).status, action)
		}
	})

	t.Run("one contact", func(t *testing.T) {
		s := c.in(t).planned("Stop one", nil, "Ann: Talk+Notice", "Bob: Notice")
		s.bringForward("Ann", "Talk")
		session := s.sessionOf("Ann")
		require.Equal(t, "stopped", s.post(s.of("Ann")+"/stop", doc{"reason": "asked for it"})["status"])
		require.Equal(t, "CANCELED CANCELED", statuses(s.contact("Ann")))
		require.Equal(t, "canceled", s.get("/v1/sessions/" + session)["status"])
		require.Empty(t, s.list(s.path("/strategy_runs?type=aggregation")))
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, s.of("Ann")+"/retry", nil).status)
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, s.of("Ann")+"/stop", nil).status)
		s.bringForward("Bob", "Notice")
		s.awaitStatus("Bob", "completed", patience)
	})

	t.Run("many contacts", func(t *testing.T) {
		s := c.in(t).planned("Stop many", nil, "Ann: Notice", "Bob: Notice", "Cid: Talk")
		s.bringForward("Cid", "Talk")
		s.sessionOf("Cid")
		job := s.post(s.path("/contacts/bulk"), doc{"action": "stop", "filter": doc{"stage": "Talk"}})["id"].(string)
		eventually(t, patience, "the job is done", func() bool { return s.get("/v1/jobs/" + job)["status"] == "completed" })
		require.Equal(t, "stopped", s.contact("Cid")["status"])
		require.Len(t, s.contacts("&status=active"), 2)
		job = s.post(s.path("/contacts/bulk"), doc{"action": "stop", "filter": doc{"status": "active"}})["id"].(string)
		eventually(t, patience, "the job is done", func() bool { return s.get("/v1/jobs/" + job)["status"] == "completed" })
		require.Len(t, s.contacts("&status=stopped"), 3)
	})
}

func TestOperatorsMoveSkipAndBringForward(t *testing.T) {
	t.Parallel()
	s := dev(t).planned("Operators", nil, "Ann: Notice", "Bob: Notice+Talk", "Cid: Notice+Talk", "Dan: Talk+Notice", "Eve: Notice")

	t.Run("a move to a final stage ends the contact", func(t *testing.T) {
		s := s.in(t)
		moved := s.post(s.of("Ann")+"/move", doc{"stage_name": "Done"})
		require.Equal(t, "completed", moved["status"])
		require.Equal(t, "success", moved["outcome"])
		require.Equal(t, "CANCELED", statuses(moved))
		require.Empty(t, s.outbox("&contact_id="+moved["id"].(string)))
		require.Equal(t, http.StatusUnprocessableEntity, s.do(http.MethodPost, s.of("Ann")+"/move", doc{"stage_name": "Nowhere"}).status)
	})

	t.Run("a move with send_now sends at once, and opens a completed contact again", func(t *testing.T) {
		s := s.in(t)
		s.post(s.of("Bob")+"/move", doc{"stage_name": "Notice", "send_now": true})
		s.untilStand("Bob", "PLANNED PLANNED COMPLETED")
		require.Equal(t, "Notice", s.contact("Bob")["current_stage"])
		s.post(s.of("Bob")+"/move", doc{"stage_name": "Done"})
		s.awaitStatus("Bob", "completed", patience)
		s.post(s.of("Bob")+"/move", doc{"stage_name": "Notice", "send_now": true})
		s.untilStand("Bob", "CANCELED CANCELED COMPLETED COMPLETED")
		s.awaitStatus("Bob", "completed", patience)
	})

	t.Run("a skip gives the next communication up, and aggregation sees it", func(t *testing.T) {
		s := s.in(t)
		require.Equal(t, "SKIPPED PLANNED", statuses(s.post(s.of("Cid")+"/skip", nil)))
		cid := s.until("Cid", "aggregated", func(c doc) bool { return len(seen(c)) == 1 })
		require.Equal(t, []any{"Notice SKIPPED operator"}, seen(cid))
	})

	t.Run("a reschedule is for what is planned only", func(t *testing.T) {
		s := s.in(t)
		s.bringForward("Dan", "Notice")
		s.untilStand("Dan", "PLANNED COMPLETED")
		id := s.contact("Dan")["id"].(string)
		late := s.do(http.MethodPost, s.of("Dan")+"/reschedule", doc{"communication_id": id + "-2", "start_date": time.Now().UTC()})
		require.Equal(t, http.StatusConflict, late.status)
		require.Equal(t, http.StatusUnprocessableEntity, s.do(http.MethodPost, s.of("Dan")+"/reschedule", doc{"communication_id": "none", "start_date": time.Now().UTC()}).status)
	})

	t.Run("the same key does a thing once", func(t *testing.T) {
		s := s.in(t)
		for range 2 {
			s.must(http.MethodPost, s.of("Eve")+"/move", doc{"stage_name": "Notice", "send_now": true}, "Idempotency-Key", "move-eve")
		}
		s.untilStand("Eve", "PLANNED COMPLETED")
	})
}

func TestPeopleTakeConversationsOver(t *testing.T) {
	t.Parallel()
	s := dev(t).planned("People", nil)
	s.stage("Call", doc{"channel": "human"})
	s.join("Ann: Call+Notice", "Bob: Talk+Notice", "Cid: Talk+Notice", "Dan: Notice")

	t.Run("a human stage is resolved by a person, with results", func(t *testing.T) {
		s := s.in(t)
		s.bringForward("Ann", "Call")
		session := s.sessionOf("Ann")
		inbox := s.list("/v1/inbox")
		require.Len(t, inbox, 1)
		require.Equal(t, session, inbox[0]["id"])
		s.post("/v1/sessions/"+session+"/claim", nil)
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, "/v1/sessions/"+session+"/reply", doc{"content": "Hello"}).status, "a task sends no messages")
		s.post("/v1/sessions/"+session+"/resolve", doc{"results": doc{"OutcomeStatus": "PROMISE_TO_PAY", "amount": 50}})
		s.untilStand("Ann", "COMPLETED PLANNED")
		ann := s.contact("Ann")
		require.Equal(t, []any{"Call PROMISE_TO_PAY"}, seen(ann))
		require.EqualValues(t, 50, ann["results"].(doc)["amount"])
		require.Equal(t, "resolved_by_operator", s.get("/v1/sessions/" + session)["status"])
		require.Empty(t, s.list("/v1/inbox"))
	})

	t.Run("a person answers in an agent's session", func(t *testing.T) {
		s := s.in(t)
		s.bringForward("Bob", "Talk")
		session := "/v1/sessions/" + s.sessionOf("Bob")
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, session+"/claim", nil).status, "it is its agent's")
		s.post(session+"/handoff", nil)
		s.post(session+"/claim", nil)
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, session+"/answers", doc{"content": "I am the agent"}).status)
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, session+"/results", doc{"status": "completed"}).status)
		s.must(http.MethodPost, session+"/reply", doc{"content": "I am a person"})
		s.hears("Bob", 2, "I am a person")
		s.post(session+"/hand_back", nil)
		s.must(http.MethodPost, session+"/answers", doc{"content": "I am the agent again"})
		s.hears("Bob", 3, "I am the agent again")
		s.post(session+"/handoff", nil)
		s.post(session+"/resolve", doc{"results": doc{"OutcomeStatus": "SOLVED"}})
		bobby := s.untilStand("Bob", "COMPLETED PLANNED")
		require.Equal(t, []any{"Talk SOLVED"}, seen(bobby))
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, session+"/reply", doc{"content": "Too late"}).status)
	})

	t.Run("a late reply opens a late session, and leaves the plan alone", func(t *testing.T) {
		s := s.in(t)
		s.bringForward("Cid", "Talk")
		session := s.sessionOf("Cid")
		s.end(session, doc{"OutcomeStatus": "REFUSED"})
		s.untilStand("Cid", "COMPLETED PLANNED")
		opening := s.outbox("&contact_id=" + s.contact("Cid")["id"].(string))[0]["id"].(string)
		s.must(http.MethodPost, "/v1/outbox/"+opening+"/reply", doc{"content": "I have thought about it"})
		late := s.sessionOf("Cid")
		require.NotEqual(t, session, late)
		said := s.get("/v1/sessions/" + late)
		require.Equal(t, true, said["late"])
		require.Equal(t, "I have thought about it", said["messages"].([]any)[0].(doc)["content"])
		s.end(late, doc{"OutcomeStatus": "AGREED"})
		cid := s.until("Cid", "aggregated twice", func(c doc) bool { return len(seen(c)) == 2 })
		require.Equal(t, []any{"Talk REFUSED", "Talk AGREED"}, seen(cid))
		require.Equal(t, "COMPLETED PLANNED", statuses(cid))
	})

	t.Run("a message to a completed contact waits with the unmatched ones", func(t *testing.T) {
		s := s.in(t)
		s.bringForward("Dan", "Notice")
		id := s.awaitStatus("Dan", "completed", patience)["id"].(string)
		notice := s.outbox("&contact_id=" + id)[0]["id"].(string)
		s.must(http.MethodPost, "/v1/outbox/"+notice+"/reply", doc{"content": "Is anybody there?"})
		var unmatched []doc
		eventually(t, patience, "it is unmatched", func() bool { unmatched = s.list("/v1/unmatched"); return len(unmatched) == 1 })
		require.Equal(t, id, unmatched[0]["contact_id"])
		require.Contains(t, unmatched[0]["reason"], "completed")
	})
}
