package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The demo moves by itself: within two minutes most contacts have ended, in
// several ways, and a second start does not load it again.
func TestTheDemoMovesByItself(t *testing.T) {
	t.Parallel()
	c := newDev(t)
	c.start("--demo")
	campaigns := c.list("/v1/campaigns")
	require.Len(t, campaigns, 1)
	contacts := "/v1/campaigns/" + campaigns[0]["id"].(string) + "/contacts?limit=500"
	require.Len(t, c.list(contacts), 50)
	outcomes := map[any]int{}
	eventually(t, 120*time.Second, "30 contacts have completed", func() bool {
		clear(outcomes)
		for _, contact := range c.list(contacts + "&status=completed") {
			outcomes[contact["outcome"]]++
		}
		return outcomes["success"]+outcomes["failure"] >= 30
	})
	require.GreaterOrEqual(t, outcomes["success"], 10)
	require.GreaterOrEqual(t, outcomes["failure"], 5)
	require.NotEmpty(t, c.list("/v1/inbox"), "some wait for a person")
	require.Empty(t, c.list(contacts+"&status=needs_attention"))
	c.interrupt(t)
	c.start("--demo")
	require.Len(t, c.list("/v1/campaigns"), 1)
	require.Len(t, c.list(contacts), 50)
}
