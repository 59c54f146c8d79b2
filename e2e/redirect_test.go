package e2e_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// In mode redirect a tester gets what is for the people, and plays them.
func TestATesterAnswersInModeRedirect(t *testing.T) {
	t.Parallel()
	c := live(t, "redirect")
	for _, one := range []struct {
		line   func(*testing.T) *line
		tester string
	}{
		{func(t *testing.T) *line { l, _ := metaLine(t); return l }, "+14155550199"},
		{func(t *testing.T) *line { l, _ := botLine(t, "webhook"); return l }, "8200"},
	} {
		l := one.line(t)
		t.Run(l.channel, func(t *testing.T) {
			s := c.in(t).spoken(l, "Ann", "Bob: Talk+Talk")
			s.must(http.MethodPut, "/v1/settings", doc{"redirect": doc{l.channel: one.tester}})
			s.person["the tester"] = one.tester
			if l.channel == "telegram" {
				l.say(one.tester, "/start")
			}
			opens := func(name string, n int) {
				t.Helper()
				s.bringForward(name, "Talk")
				s.gets("the tester", n, s.opening(name))
			}
			opens("Ann", 1)
			s.say(one.tester, "yes")
			s.gets("the tester", 2, "On which day, Ann?")
			s.say(one.tester, "on 24.12.2026")
			s.gets("the tester", 3, "Noted for 2026-12-24: 120 EUR.")
			ann := s.awaitStatus("Ann", "completed", patience)
			require.Equal(t, "2026-12-24", ann["results"].(doc)["promised"])

			opens("Bob", 4)
			s.say(one.tester, "STOP")
			s.untilStand("Bob", "NO_RESPONSE PLANNED")
			require.Contains(t, s.story("Bob"), "session_ended: Session ended: Talk, declined")
			require.Empty(t, s.list("/v1/suppressions"), "nobody is suppressed by a tester")
			opens("Bob", 5)
			require.Empty(t, s.reached("Ann"), "nothing went to the people")
			require.Empty(t, s.reached("Bob"))
		})
	}
}
