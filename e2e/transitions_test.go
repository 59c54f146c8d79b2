package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"carillon/workflows"
)

// maxTransitions is what a contact of three stages, with a session result
// each, may cost on the Temporal server from start to completion.
const maxTransitions = 33

func TestAContactOfThreeStagesCostsFewTransitions(t *testing.T) {
	c := dev(t)
	s := c.campaign(doc{"name": "Three stages"})
	agent := c.agent("Three")
	for _, name := range []string{"One", "Two", "Three"} {
		s.stage(name, doc{"channel": "email", "agent": agent, "subject": name, "template": "Hello"})
	}
	s.stage("End", doc{"channel": "none", "start_state": "end"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="One", stage_name="One", start_date=datetime.now() + timedelta(seconds=2)))
    return contact
`)
	s.strategy("aggregation", `
NEXT = {"One": "Two", "Two": "Three"}
async def run(contact, session_results, logger, **kwargs):
    nxt = NEXT.get(session_results["StageName"])
    if nxt is None:
        contact.current_stage = "End"
    else:
        contact.communications.append(Communication(name=nxt, stage_name=nxt, start_date=datetime.now() + timedelta(seconds=1)))
    return contact
`)
	s.upload("text/csv", []byte("object_id,external_id,name,email,phone\nO,E,Ann,ann@example.com,\n"))
	s.start()
	id := s.contact("O")["id"].(string)
	for range 3 {
		session := s.session(id)
		require.Equal(t, http.StatusAccepted, s.do(http.MethodPost, "/v1/sessions/"+session+"/results", doc{"status": "completed"}).status)
		eventually(t, 20*time.Second, "the session is closed", func() bool { return s.get("/v1/sessions/" + session)["status"] == "completed" })
	}
	s.awaitStatus("O", "completed", 20*time.Second)

	tc, err := client.Dial(client.Options{HostPort: c.ready["temporal"].(string)})
	require.NoError(t, err)
	defer tc.Close()
	info, err := tc.DescribeWorkflowExecution(t.Context(), workflows.ContactWorkflowID(s.id, id), "")
	require.NoError(t, err)
	w := info.GetWorkflowExecutionInfo()
	t.Logf("%d state transitions, %d events, %d bytes", w.GetStateTransitionCount(), w.GetHistoryLength(), w.GetHistorySizeBytes())
	require.LessOrEqual(t, w.GetStateTransitionCount(), int64(maxTransitions))
}
