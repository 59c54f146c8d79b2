//go:build chaos

package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
)

// TestChaosNeverTwice interrupts sends between the provider's acceptance and
// our record of it, ROUNDS times (50) per channel for openings and as often for
// answers: the worker is killed while the provider holds them, or the connection
// ends without an answer. The provider has each at most once; each ends as sent,
// or as unknown where a person sees it.
func TestChaosNeverTwice(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *line{
		"sendgrid": func(t *testing.T) *line { l, _ := sendgridLine(t); return l },
		"smtp":     func(t *testing.T) *line { l, _ := smtpLine(t); return l },
		"meta":     func(t *testing.T) *line { l, _ := metaLine(t); return l },
		"bird":     func(t *testing.T) *line { l, _ := birdLine(t); return l },
		"telegram": func(t *testing.T) *line { l, _ := botLine(t, "webhook"); return l },
	} {
		t.Run(name, func(t *testing.T) {
			if setting("ROUNDS", 50) <= 10 { // more than these on one machine would be killed too late
				t.Parallel()
			}
			neverTwice(t, open(t))
		})
	}
}

func neverTwice(t *testing.T, l *line) {
	began := time.Now()
	n := min(setting("ROUNDS", 50), 60) // what one worker sends at a time through an integration
	c := apart(t, false, append(l.env, "CARILLON_MODE=live", private)...)
	var names []string
	people := map[string][]string{}
	for _, group := range []string{"KO", "KA", "DO", "DA"} { // killed and dropped, openings and answers
		for i := range n {
			people[group] = append(people[group], fmt.Sprintf("%s%02d", group, i))
		}
		names = append(names, people[group]...)
	}
	s := c.spoken(l, names...)
	hold, drop := &fault.Fault{Method: http.MethodPost, Hold: true}, &fault.Fault{Method: http.MethodPost, Drop: true}

	killed := func(what string, cause func()) {
		l.always(hold)
		cause()
		eventually(t, 9*time.Second, fmt.Sprintf("%d %s are held by the provider", n, what), func() bool { return l.held() == n })
		c.worker.kill()
		l.always(nil)
		c.startWorker()
	}
	forward := func(group string) func() {
		return func() {
			for _, name := range people[group] {
				s.bringForward(name, "Talk")
			}
		}
	}
	talk := func(group string) func() {
		return func() {
			for _, name := range people[group] {
				s.say(s.person[name], "yes")
			}
		}
	}
	openings := func(group string) (sent, unknown int) {
		for _, name := range people[group] {
			got := s.untilSettled(name, 5*time.Minute)
			if got == "sent" {
				sent++
			} else {
				unknown++
			}
		}
		return sent, unknown
	}

	forward("KA")()
	forward("DA")()
	for _, group := range []string{"KA", "DA"} {
		for _, name := range people[group] {
			s.untilStand(name, "SENT")
		}
	}
	report := func(what string, sent, unknown int, group string, messages int) {
		for _, name := range people[group] {
			require.Len(t, s.reached(name), messages, "the provider had taken it, once")
		}
		t.Logf("%s, %s: %d interrupted, %d known to be sent, %d unknown and visible; most of one key: %d", l.name(), what, sent+unknown, sent, unknown, most(l.times()))
		require.Equal(t, n, sent+unknown)
		require.LessOrEqual(t, most(l.times()), 1)
	}
	killed("openings", forward("KO"))
	sent, unknown := openings("KO")
	report("openings, worker killed", sent, unknown, "KO", 1)

	killed("answers", talk("KA"))
	sent, unknown = s.answers(people["KA"])
	report("answers, worker killed", sent, unknown, "KA", 2)

	l.always(drop)
	forward("DO")()
	sent, unknown = openings("DO")
	report("openings, accepted and dropped", sent, unknown, "DO", 1)
	talk("DA")()
	sent, unknown = s.answers(people["DA"])
	report("answers, accepted and dropped", sent, unknown, "DA", 2)
	l.always(nil)
	if l.reports != nil { // the provider's reports tell of what nobody knew
		for _, m := range l.sent() {
			l.reports(m.id, "delivered")
		}
		for _, name := range append(people["KO"], people["DO"]...) {
			s.untilStand(name, "DELIVERED")
			s.awaitStatus(name, "active", patience)
		}
		for _, group := range []string{"KA", "DA"} {
			for _, name := range people[group] {
				s.untilAnswered(name, "delivered")
			}
		}
		t.Logf("%s: reported as delivered, %d openings and %d answers are known again", l.name(), 2*n, 2*n)
	}
	require.LessOrEqual(t, most(l.times()), 1)
	require.Empty(t, l.refused())
	t.Logf("%s: %.0f s", l.name(), time.Since(began).Seconds())
}

// untilSettled waits until a contact's opening is sent, or a person is asked
// what became of it.
func (s *spoken) untilSettled(name string, within time.Duration) string {
	s.t.Helper()
	for deadline := time.Now().Add(within); ; <-time.After(100 * time.Millisecond) {
		s.goOn()
		c := s.contact(name)
		if c["status"] == "needs_attention" {
			require.Equal(s.t, "send_unknown", c["attention"].(doc)["reason"])
			require.Contains(s.t, s.kinds(name), "unknown")
			return "unknown"
		}
		if statuses(c) == "SENT" {
			return "sent"
		}
		if time.Now().After(deadline) {
			require.FailNow(s.t, name+" is not settled", "%v\n%v", c, s.story(name))
		}
	}
}

// goOn resumes the integration if it has paused itself because its provider gave
// too many contacts no answer, as a person would who knows better.
func (s *spoken) goOn() {
	s.t.Helper()
	at := "/v1/integrations/" + s.integrationID
	if i := s.get(at); i["paused"] == true {
		require.Contains(s.t, i["status_message"], "messages in a row left and no answer came")
		s.must(http.MethodPost, at+"/resume", nil)
	}
}

// answers waits until the agent's answer to each is settled.
func (s *spoken) answers(people []string) (sent, unknown int) {
	s.t.Helper()
	for _, name := range people {
		if s.untilAnswered(name, "sent", "delivered", "unknown") == "unknown" {
			s.untilTold(name, "unknown")
			require.Equal(s.t, "needs_attention", s.contact(name)["status"])
			unknown++
		} else {
			sent++
		}
	}
	return sent, unknown
}

// untilAnswered waits until the agent's answer has come as far as one of these.
func (s *spoken) untilAnswered(name string, far ...string) string {
	s.t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; <-time.After(100 * time.Millisecond) { // an answer waits a minute for its integration
		s.goOn()
		messages := s.get("/v1/sessions/" + s.sessionOf(name))["messages"].([]any)
		last := messages[len(messages)-1].(doc)
		// After the opening and what the contact said.
		if got, _ := last["delivery"].(string); len(messages) == 3 && last["author"] == "agent" && slices.Contains(far, got) {
			return got
		}
		if time.Now().After(deadline) {
			require.FailNow(s.t, "the answer to "+name+" has not come so far", "%v\n%v\n%v", far, messages, s.story(name))
		}
	}
}
