package strategies_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/strategies"
)

func TestTheManualsStrategiesRunVerbatim(t *testing.T) {
	t.Parallel()
	p := open(t)

	t.Run("data load plans the first communication", func(t *testing.T) {
		for _, existing := range []string{"", contactJSON} {
			c := call(`{"id":"ct_1","name":"John","communications":[]}`)
			c.Existing = json.RawMessage(existing)
			d, r := run(t, p, job(strategies.DataLoad, file(t, "seed_data_load.py")), c)
			require.Nil(t, r.Err)
			require.Equal(t, "First Contact", d.CurrentStage)
			require.Len(t, d.Communications, 1)
			require.Equal(t, "Initial Message", d.Communications[0].Name)
			require.Equal(t, "First Contact", d.Communications[0].StageName)
			require.Equal(t, morning.Add(time.Hour), d.Communications[0].StartDate)
			require.Equal(t, "PLANNED", d.Communications[0].Status.Status)
			require.Empty(t, d.Communications[0].ID)
		}
	})
	t.Run("aggregation completes and follows up", func(t *testing.T) {
		for _, results := range []string{"", "null", "{}", `{"OutcomeStatus":"NO_RESPONSE"}`} {
			c := call(contactJSON)
			c.SessionResults = json.RawMessage(results)
			d, r := run(t, p, job(strategies.Aggregation, file(t, "seed_aggregation.py")), c)
			require.Nil(t, r.Err)
			require.Len(t, d.Communications, 3)
			require.Equal(t, "COMPLETED", d.Communications[0].Status.Status)
			require.Equal(t, morning, d.Communications[0].Status.At)
			require.Equal(t, "Second Attempt", d.Communications[2].StageName)
			require.Equal(t, morning.Add(24*time.Hour), d.Communications[2].StartDate)
		}
	})
	t.Run("aggregation is content with an answer", func(t *testing.T) {
		c := call(contactJSON)
		c.SessionResults = json.RawMessage(`{"OutcomeStatus":"COMPLETED"}`)
		d, r := run(t, p, job(strategies.Aggregation, file(t, "seed_aggregation.py")), c)
		require.Nil(t, r.Err)
		require.Len(t, d.Communications, 2)
	})
	t.Run("agent answer notes the time and the promise", func(t *testing.T) {
		c := call(contactJSON)
		c.Message = json.RawMessage(`{"id":"m1","author":"agent","content":"Thank you for the PROMISE to pay","at":"2026-11-22T07:59:00Z"}`)
		d, r := run(t, p, job(strategies.AgentAnswer, file(t, "seed_agent_answer.py")), c)
		require.Nil(t, r.Err)
		require.Equal(t, "Payment Promised", d.CurrentStage)
		require.Equal(t, map[string]any{"$dt": "2026-11-22T08:00:00Z"}, d.InternalData["last_message_time"])
		require.Equal(t, map[string]any{"$dt": "2026-11-21T10:00:00Z"}, d.InternalData["seen"])
	})
}
