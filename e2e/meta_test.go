package e2e_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
	"carillon/channels/whatsapp/metatest"
)

// What is Meta's own: the account's templates, the challenge, the 24 hours.
func TestWhatMetaAsksFor(t *testing.T) {
	t.Parallel()
	l, fake := metaLine(t)
	var later atomic.Int64
	fake.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	c := live(t, "live")
	s := c.spoken(l, "Ann", "Bob", "Cid")

	t.Run("the webhook is set only with the word that was agreed", func(t *testing.T) {
		s := s.at(t)
		require.Error(t, fake.Subscribe(t.Context(), s.hook(), "another word", appSecret))
		require.NoError(t, fake.Subscribe(t.Context(), s.hook(), "a word", appSecret))
	})

	t.Run("a template is compared with those of the account before anybody is written to", func(t *testing.T) {
		s := s.at(t)
		check := func(change doc) string {
			delivery := doc{}
			for k, v := range l.delivery {
				delivery[k] = v
			}
			for k, v := range change {
				delivery[k] = v
			}
			s.must(http.MethodPut, s.path("/stages/"+s.stages["Talk"]), doc{"name": "Talk", "delivery": delivery})
			var found []string
			for _, p := range s.get(s.path("/preflight"))["problems"].([]any) {
				if p := p.(doc); p["code"] == "template_not_approved" {
					found = append(found, p["message"].(string))
				}
			}
			return strings.Join(found, "\n")
		}
		require.Empty(t, check(nil))
		require.Contains(t, check(doc{"template_name": "debts"}), "no template debts")
		require.Contains(t, check(doc{"language": "de"}), "is there in en_US, not in de")
		require.Contains(t, check(doc{"variables": doc{"1": "{{ name }}"}}), "the stage lacks 2")
		require.Empty(t, check(nil))
	})

	t.Run("a template that Meta stopped meanwhile holds the contacts until it is mended", func(t *testing.T) {
		s := s.at(t)
		fake.Fail(fault.Fault{Method: http.MethodPost, Status: http.StatusBadRequest, Body: fmt.Sprintf(metaProblem, 132015, "Template is paused")})
		s.bringForward("Bob", "Talk")
		s.until("Bob", "held", func(c doc) bool { return c["held"] != nil })
		require.Empty(t, s.reached("Bob"))
		require.Equal(t, "stage", s.contact("Bob")["held"].(doc)["cause"])
		require.Empty(t, s.list("/v1/sessions?contact_id="+s.contact("Bob")["id"].(string)), "nothing was said, so there is no session")
		require.Contains(t, s.story("Bob"), "held: Not sent: Talk by whatsapp_meta (template 132015: Meta: Template is paused)")
		s.must(http.MethodPost, s.path("/stages/"+s.stages["Talk"]+"/resume"), nil)
		s.gets("Bob", 1, s.opening("Bob"))
	})

	t.Run("a person is told at once what Meta would refuse", func(t *testing.T) {
		s := s.at(t)
		s.opens("Cid")
		session := "/v1/sessions/" + s.sessionOf("Cid")
		s.must(http.MethodPost, session+"/handoff", nil)
		refused := s.do(http.MethodPost, session+"/reply", doc{"content": "A person here."})
		require.Equal(t, http.StatusConflict, refused.status)
		require.Contains(t, string(refused.body), "within 24 hours of the contact's last message, and the contact has not written yet")
		s.say(s.person["Cid"], "Hello?")
		eventually(t, patience, "it is in the session", func() bool { return len(s.get(session)["messages"].([]any)) == 2 })
		s.must(http.MethodPost, session+"/reply", doc{"content": "A person here."})
		s.gets("Cid", 2, "A person here.")
		require.Empty(t, fake.Refused())
	})

	t.Run("an answer that comes after the 24 hours is not sent, and a person learns why", func(t *testing.T) {
		s := s.at(t)
		s.opens("Ann")
		later.Store(int64(25 * time.Hour))
		fake.Post(metatest.Text("wamid.late", strings.TrimPrefix(s.person["Ann"], "+"), "yes", time.Now())) // before Meta's clock went on
		s.until("Ann", "told", func(doc) bool { return len(fake.Refused()) > 0 })
		require.Contains(t, fake.Refused()[0], "more than 24 hours")
		s.untilTold("Ann", "attention")
		const why = "policy 131047: Meta: Message failed to send because more than 24 hours"
		told := s.story("Ann")
		require.Contains(t, told[len(told)-2], "failed: The answer could not be sent ("+why)
		require.Contains(t, told[len(told)-1], "attention: Needs attention: an answer in Talk could not be sent: "+why)
	})
}

const metaProblem = `{"error":{"message":"(#%[1]d) no","type":"OAuthException","code":%[1]d,"error_data":{"messaging_product":"whatsapp","details":"%[2]s"},"fbtrace_id":"A1"}}`
