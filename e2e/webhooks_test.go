package e2e_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/sendgrid/sendgridtest"
)

// mailing is a running campaign that mails through an integration of SendGrid,
// whose webhook the test calls. In mode outbox nothing leaves; the reports are
// those SendGrid would send of the messages in the outbox.
type mailing struct {
	*scene
	signer *sendgridtest.Signer
	hook   string
	n      int
}

func newMailing(c *carillon, plans ...string) *mailing {
	c.t.Helper()
	m := &mailing{scene: c.planned("Mailing", nil), signer: sendgridtest.NewSigner()}
	id := m.post("/v1/integrations", doc{
		"name": "SendGrid", "provider": "sendgrid", "secrets": doc{"api_key": "SG.x"},
		"settings": doc{"from_email": "us@example.com", "event_public_key": m.signer.PublicKey},
	})["id"].(string)
	m.hook = "/hooks/sendgrid/" + id + "/events"
	mail := doc{"channel": "email_notification", "integration": "SendGrid", "subject": "Mail", "template": "Hello {{ name }}. Unsubscribe: {{ unsubscribe_url }}"}
	m.stage("Mail", mail)
	arrives := doc{"complete_on": "delivered"}
	for k, v := range mail {
		arrives[k] = v
	}
	m.stage("Arrives", arrives)
	m.join(plans...)
	return m
}

// letter is the newest message that went to a contact.
func (m *mailing) letter(objectID string) doc {
	m.t.Helper()
	return m.outbox("&contact_id=" + m.contact(objectID)["id"].(string))[0]
}

// report tells what became of a contact's message, as SendGrid does; more is
// pairs of fields and values.
func (m *mailing) report(objectID, event string, more ...any) {
	m.t.Helper()
	m.n++
	e := doc{
		"event": event, "sg_event_id": objectID + event + string(rune('a'+m.n)), "timestamp": time.Now().Unix(),
		"email": strings.ToLower(objectID) + "@example.com", "correlation_key": m.letter(objectID)["correlation_key"],
	}
	for i := 0; i+1 < len(more); i += 2 {
		e[more[i].(string)] = more[i+1]
	}
	body, err := json.Marshal([]doc{e})
	require.NoError(m.t, err)
	h := http.Header{}
	m.signer.Sign(h, body, time.Now())
	var headers []string
	for name := range h {
		headers = append(headers, name, h.Get(name))
	}
	for range 2 { // providers repeat
		require.Equal(m.t, http.StatusOK, m.do(http.MethodPost, m.hook, body, headers...).status)
	}
}

// untilKinds waits until a contact's timeline has the kinds, one after the other.
func (m *mailing) untilKinds(objectID string, want ...string) {
	m.t.Helper()
	m.until(objectID, "on the timeline: "+strings.Join(want, " "), func(doc) bool {
		return strings.Contains(m.kinds(objectID), strings.Join(want, " "))
	})
}

func (m *mailing) count(objectID, kind string) int {
	m.t.Helper()
	return strings.Count(" "+m.kinds(objectID)+" ", " "+kind+" ")
}

var link = regexp.MustCompile(`http://\S+/u/\S+`)

func TestWebhooksTellContacts(t *testing.T) {
	t.Parallel()
	m := newMailing(dev(t), "Ann: Arrives+Notice", "Bob: Arrives+Notice", "Cid: Mail+Notice", "Dee: Mail", "Eve: Arrives+Notice")
	for name, stage := range map[string]string{"Ann": "Arrives", "Bob": "Arrives", "Eve": "Arrives"} {
		m.bringForward(name, stage)
		m.untilStand(name, "SENT PLANNED")
	}
	m.report("Ann", "processed")
	m.report("Ann", "open")
	m.untilStand("Ann", "COMPLETED PLANNED") // read is more than delivered
	m.report("Ann", "delivered")
	require.Equal(t, 1, m.count("Ann", "read"), "each thing once")
	require.Zero(t, m.count("Ann", "delivered"), "read said so")

	m.report("Bob", "bounce", "type", "bounce", "reason", "550 no such user")
	bob := m.untilStand("Bob", "FAILED PLANNED")
	require.Equal(t, []any{"Arrives FAILED bounced"}, seen(bob))
	m.bringForward("Bob", "Notice")
	m.untilStand("Bob", "FAILED SKIPPED")
	require.Equal(t, []string{"bounced"}, m.reasons("skipped"), "nobody writes to a dead address")

	// A contact that has ended still has a timeline.
	m.bringForward("Dee", "Mail")
	m.awaitStatus("Dee", "completed", patience)
	m.report("Dee", "delivered")
	m.untilKinds("Dee", "completed", "delivered")
	m.report("Dee", "spamreport")
	m.untilKinds("Dee", "completed", "delivered", "opt_out")
	require.Equal(t, "COMPLETED", statuses(m.contact("Dee")))

	// The link in the message: looking at it changes nothing, one click ends the mails.
	m.bringForward("Cid", "Mail")
	m.untilStand("Cid", "COMPLETED PLANNED")
	url := link.FindString(m.letter("Cid")["body"].(string))
	require.True(t, strings.HasPrefix(url, m.api+"/u/"), url)
	require.Equal(t, http.StatusOK, m.do(http.MethodGet, strings.TrimPrefix(url, m.api), nil).status)
	require.Zero(t, m.count("Cid", "opt_out"))
	for range 2 {
		require.Equal(t, http.StatusOK, m.do(http.MethodPost, strings.TrimPrefix(url, m.api), "List-Unsubscribe=One-Click").status)
	}
	m.untilKinds("Cid", "opt_out")
	m.bringForward("Cid", "Notice")
	m.untilStand("Cid", "COMPLETED SKIPPED")
	require.Contains(t, m.reasons("skipped"), "unsubscribed")
	require.Equal(t, 1, m.count("Cid", "opt_out"))

	// What was answered with 200 is safe: everything is killed right after.
	m.report("Eve", "delivered")
	m.killAndRestart()
	m.untilStand("Eve", "COMPLETED PLANNED")
	m.untilKinds("Eve", "delivered")
}
