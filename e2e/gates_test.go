package e2e_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The checks right before a send, and what providers report after it.
func TestWhatMayNotBeSentIsNotAndTheContactGoesOn(t *testing.T) {
	t.Parallel()
	c := dev(t)
	s := c.planned("Gates", nil)
	s.stage("Gap", doc{"channel": "email_notification", "integration": "outbox", "subject": "Gap", "template": "You owe {{ parameters.amount }}"})
	s.join("Ann: Notice+Talk", "Bob: Gap+Talk", "Cid: Notice+Talk")

	t.Run("a person on the suppression list is not written to", func(t *testing.T) {
		s := s.in(t)
		s.must(http.MethodPost, "/v1/suppressions", doc{"external_id": s.contact("Ann")["external_id"], "channel": "email_notification"})
		s.bringForward("Ann", "Notice")
		ann := s.untilStand("Ann", "SKIPPED PLANNED")
		require.Equal(t, "do_not_contact", ann["communications"].([]any)[0].(doc)["status"].(doc)["reason"])
		require.Empty(t, s.outbox("&contact_id="+ann["id"].(string)))
		s.until("Ann", "aggregated", func(c doc) bool { return fmt.Sprint(seen(c)) == "[Notice SKIPPED do_not_contact]" })
	})

	t.Run("a template without its variable is not sent half", func(t *testing.T) {
		s := s.in(t)
		s.bringForward("Bob", "Gap")
		bob := s.untilStand("Bob", "SKIPPED PLANNED")
		require.Equal(t, "template", bob["communications"].([]any)[0].(doc)["status"].(doc)["reason"])
		require.Empty(t, s.outbox("&contact_id="+bob["id"].(string)))
		require.Contains(t, s.reasons("skipped"), "template")
	})

	t.Run("a time zone that does not exist needs a person, who mends it and retries", func(t *testing.T) {
		s := s.in(t)
		zone := func(name string) {
			s.must(http.MethodPost, s.path("/contacts"), doc{"object_id": "Cid", "external_id": s.contact("Cid")["external_id"], "timezone": name})
		}
		zone("Mars/Phobos")
		s.bringForward("Cid", "Notice")
		cid := s.awaitStatus("Cid", "needs_attention", patience)
		require.Equal(t, "timezone_invalid", cid["attention"].(doc)["reason"])
		require.Contains(t, cid["attention"].(doc)["detail"], "Mars/Phobos")
		zone("Europe/Lisbon")
		s.post(s.of("Cid")+"/retry", nil)
		s.untilStand("Cid", "COMPLETED PLANNED")
	})

	t.Run("quiet hours defer until they are over, or the rules are others", func(t *testing.T) {
		closed := time.Now().UTC().Add(12 * time.Hour).Format("15:00")
		s := c.in(t).planned("Quiet", doc{"rules": doc{"hours": doc{"*": everyDay(closed)}}}, "Ann: Notice")
		s.bringForward("Ann", "Notice")
		ann := s.until("Ann", "deferred", func(doc) bool { return len(s.reasons("deferred")) == 1 })
		require.Equal(t, []string{"quiet_hours"}, s.reasons("deferred"))
		next, err := time.Parse(time.RFC3339, s.contact("Ann")["next_action_at"].(string))
		require.NoError(t, err)
		require.Equal(t, closed, next.Format("15:04"))
		require.Nil(t, ann["held"])
		require.Empty(t, s.outbox(""))
		s.must(http.MethodPatch, s.path(""), doc{"rules": doc{"hours": nil}})
		s.bringForward("Ann", "Notice")
		s.awaitStatus("Ann", "completed", patience)
	})

	t.Run("a contact who writes STOP is left alone", func(t *testing.T) {
		s := c.in(t).planned("Stop", nil, "Eve: Talk+Talk")
		s.bringForward("Eve", "Talk")
		s.untilStand("Eve", "SENT PLANNED")
		id := s.outbox("")[0]["id"].(string)
		s.must(http.MethodPost, "/v1/outbox/"+id+"/reply", doc{"content": "Stop!"})
		eve := s.untilStand("Eve", "NO_RESPONSE PLANNED")
		require.Contains(t, fmt.Sprint(seen(eve)), "opt_out")
		s.bringForward("Eve", "Talk")
		eve = s.untilStand("Eve", "NO_RESPONSE SKIPPED")
		require.Equal(t, "opt_out", eve["communications"].([]any)[1].(doc)["status"].(doc)["reason"])
		require.Len(t, s.outbox(""), 1)
	})

	t.Run("no more than the daily cap leave on one day", func(t *testing.T) {
		s := c.in(t).planned("Capped", doc{"rules": doc{"daily_cap": 1}}, "Ann: Notice", "Bob: Notice")
		s.bringForward("Ann", "Notice")
		s.awaitStatus("Ann", "completed", patience)
		s.bringForward("Bob", "Notice")
		s.until("Bob", "deferred", func(doc) bool { return len(s.reasons("deferred")) == 1 })
		require.Equal(t, []string{"daily_cap"}, s.reasons("deferred"))
		require.Len(t, s.outbox(""), 1)
	})

	t.Run("a person in two campaigns is written to as often as the workspace allows", func(t *testing.T) {
		s := c.in(t)
		s.must(http.MethodPut, "/v1/settings", doc{"max_per_day": 1})
		one, two := s.planned("One", nil), s.planned("Two", nil)
		for _, campaign := range []*scene{one, two} {
			campaign.upload("text/csv", []byte(columns+",plan\nAda,U-1,Ada,ada@example.com,,Notice\n"))
			campaign.until("Ada", "started", func(c doc) bool { return c["started_at"] != nil })
		}
		one.bringForward("Ada", "Notice")
		one.awaitStatus("Ada", "completed", patience)
		two.bringForward("Ada", "Notice")
		two.until("Ada", "deferred", func(doc) bool { return len(two.reasons("deferred")) == 1 })
		require.Equal(t, []string{"max_per_day"}, two.reasons("deferred"))
		s.must(http.MethodPut, "/v1/settings", doc{})
		two.bringForward("Ada", "Notice")
		two.awaitStatus("Ada", "completed", patience)
	})

	t.Run("a contact is not written to for ever", func(t *testing.T) {
		s := c.in(t).campaign(doc{"name": "Exhausted", "rules": doc{"max_attempts": 2, "exhausted_stage": "Gave up"}})
		s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Again", "template": "Hello"})
		s.stage("Gave up", doc{"channel": "none", "start_state": "gave up"}, doc{"outcome": "failure"})
		s.strategy("data_load", planNow)
		s.strategy("aggregation", head+"    contact.communications.append(Communication(name='Again', stage_name='Notice', start_date=datetime.now()))\n    return contact\n")
		s.upload("text/csv", []byte(columns+"\nAnn,1,Ann,ann@example.com,\n"))
		s.start()
		ann := s.awaitStatus("Ann", "completed", patience)
		require.Equal(t, "COMPLETED COMPLETED SKIPPED", statuses(ann))
		require.Equal(t, "failure", ann["outcome"])
		require.Equal(t, "Gave up", ann["current_stage"])
		require.Len(t, s.outbox(""), 2)
	})
}

func TestReceiptsMoveACommunicationOn(t *testing.T) {
	t.Parallel()
	s := dev(t).planned("Receipts", nil)
	s.stage("Waits", doc{"channel": "email_notification", "integration": "outbox", "subject": "Waits", "template": "Hello"}, doc{"session_timeout": "1h"})
	s.stage("Arrives", doc{"channel": "email_notification", "integration": "outbox", "subject": "Arrives", "template": "Hello", "complete_on": "delivered"})
	s.join("Ann: Waits+Notice", "Bob: Waits+Notice", "Cid: Arrives+Notice")
	report := func(name, status string) {
		id := s.outbox("&contact_id=" + s.contact(name)["id"].(string))[0]["id"].(string)
		s.must(http.MethodPost, "/v1/outbox/"+id+"/status", doc{"status": status})
	}
	for name, stage := range map[string]string{"Ann": "Waits", "Bob": "Waits", "Cid": "Arrives"} {
		s.bringForward(name, stage)
		s.untilStand(name, "SENT PLANNED")
	}

	report("Ann", "delivered")
	s.untilStand("Ann", "DELIVERED PLANNED")
	report("Ann", "read")
	s.untilStand("Ann", "READ PLANNED")
	report("Ann", "delivered") // late and out of order
	require.Equal(t, "READ PLANNED", statuses(s.contact("Ann")))

	report("Bob", "bounced")
	bob := s.untilStand("Bob", "FAILED PLANNED")
	require.Equal(t, []any{"Waits FAILED bounced"}, seen(bob))

	report("Cid", "delivered")
	cid := s.untilStand("Cid", "COMPLETED PLANNED")
	require.Len(t, seen(cid), 1)
	require.Contains(t, s.kinds("Ann"), "delivered read")
}

// everyDay opens one hour of every day.
func everyDay(from string) doc {
	hour, _ := time.Parse("15:04", from)
	span := []string{from, hour.Add(59 * time.Minute).Format("15:04")}
	days := doc{}
	for _, day := range []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"} {
		days[day] = [][]string{span}
	}
	return days
}
