package e2e_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/bird/birdtest"
	"carillon/channels/fault"
)

// What is Bird's own: the look-up by reference, the age of a webhook, and a
// refusal by WhatsApp that comes after Bird's yes.
func TestWhatBirdDoes(t *testing.T) {
	t.Parallel()
	l, fake := birdLine(t)
	c := live(t, "live")
	s := c.spoken(l, "Ann", "Bob", "Cid")

	t.Run("a message whose answer was lost is looked up, and sent once", func(t *testing.T) {
		s := s.at(t)
		fake.Fail(fault.Fault{Method: "POST", Drop: true})
		s.bringForward("Ann", "Talk")
		ann := s.until("Ann", "sent", func(c doc) bool { return strings.Contains(statuses(c), "SENT") })
		require.Len(t, s.reached("Ann"), 1)
		require.Equal(t, s.reached("Ann")[0].id, ann["communications"].([]any)[0].(doc)["provider_message_id"])
		require.NotContains(t, s.kinds("Ann"), "unknown")
	})

	t.Run("what was signed more than a day ago is refused", func(t *testing.T) {
		s := s.at(t)
		s.opens("Bob")
		s.untilTold("Bob", "sent")
		before := s.story("Bob")
		fake.Hooks.Twist(fault.Twist{Age: 25 * time.Hour})
		fake.Say(s.person["Bob"], "yes")
		fake.Hooks.Flush()
		require.Len(t, fake.Hooks.Refused(), 1)
		require.Equal(t, before, s.story("Bob"))
	})

	t.Run("an answer that WhatsApp refuses after the 24 hours says why", func(t *testing.T) {
		s := s.at(t)
		s.opens("Cid")
		fake.Post(birdtest.Text("late", s.person["Cid"], "yes", time.Now())) // of which WhatsApp knows nothing
		s.gets("Cid", 2, "On which day, Cid?")
		s.untilTold("Cid", "failed")
		require.Contains(t, s.story("Cid"), "failed: The answer was not delivered (15000 the channel refused the message 131047)")
		said := s.get("/v1/sessions/" + s.sessionOf("Cid"))["messages"].([]any)
		require.Equal(t, "failed", said[2].(doc)["delivery"])
	})
}
