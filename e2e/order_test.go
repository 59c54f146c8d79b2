package e2e_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/fault"
)

// TestAnswersArriveInTheOrderTheyWereGiven: the provider is too busy for the first of
// three, and later takes one and never says so while the worker is killed. The next is
// called when the one before is settled; another contact's does not wait for it.
func TestAnswersArriveInTheOrderTheyWereGiven(t *testing.T) {
	t.Parallel()
	l, fake := metaLine(t)
	c := apart(t, false, append(l.env, "CARILLON_MODE=live", private)...)
	s := c.spoken(l, "Ann", "Ben")
	bob := s.scene.person("bob")
	sessions := map[string]string{}
	for _, name := range []string{"Ann", "Ben"} {
		s.opens(name)
		sessions[name] = "/v1/sessions/" + s.sessionOf(name)
		s.say(s.person[name], "hm") // no rule's word, but WhatsApp takes texts from now on
		s.until(name, "heard", func(c doc) bool { return c["counts"].(doc)["received"].(float64) == 1 })
		bob.does(sessions[name], "handoff", nil, 0)
	}
	replies := func(name string, words ...string) {
		t.Helper()
		for _, w := range words {
			bob.does(sessions[name], "reply", doc{"content": w}, 0)
		}
	}
	words := func(name string) (all []string) {
		for _, m := range s.reached(name)[1:] {
			all = append(all, m.words)
		}
		return all
	}
	delivery := func(name, words string) any {
		t.Helper()
		for _, m := range s.get(sessions[name])["messages"].([]any) {
			if m := m.(doc); m["content"] == words {
				return m["delivery"]
			}
		}
		return nil
	}

	fake.Fail(fault.Fault{Method: http.MethodPost, Status: http.StatusTooManyRequests, Header: map[string]string{"Retry-After": "2"}, Body: fmt.Sprintf(metaProblem, 130429, "Too many")})
	replies("Ann", "one", "two", "three")
	eventually(t, patience, "three answers", func() bool { return len(words("Ann")) == 3 })
	require.Equal(t, []string{"one", "two", "three"}, words("Ann"))

	fake.Fail(fault.Fault{Method: http.MethodPost, Hold: true})
	replies("Ann", "four")
	eventually(t, patience, "the provider holds it", func() bool { return l.held() == 1 })
	replies("Ann", "five", "six")
	replies("Ben", "for Ben")
	s.gets("Ben", 2, "for Ben")
	require.Equal(t, []any{"pending", "pending"}, []any{delivery("Ann", "four"), delivery("Ann", "five")})
	require.Len(t, words("Ann"), 4, "five waits for four, Ben does not")
	c.worker.kill()
	c.startWorker()
	eventually(t, patience, "the others", func() bool { return len(words("Ann")) == 6 })
	require.Equal(t, []string{"one", "two", "three", "four", "five", "six"}, words("Ann"))
	require.Equal(t, "unknown", delivery("Ann", "four"), "nobody knows, so the next could go")
	for key, n := range l.times() {
		require.Equal(t, 1, n, "%s went %d times", key, n)
	}
	require.Empty(t, l.refused())
}
