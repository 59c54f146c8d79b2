package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"carillon/workflows"
)

func TestAContactWhoseWorkflowIsTakenAwayIsNotForgotten(t *testing.T) {
	t.Parallel()
	c := dev(t)
	s := c.campaign(doc{})
	s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Hello", "template": "Hello"})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="Hello", stage_name="Notice", start_date=datetime.now() + timedelta(hours=1)))
    return contact
`)
	s.strategy("aggregation", thenEnd)
	s.upload("text/csv", []byte("object_id,external_id,name,email,phone\nCanceled,1,Ann,ann@example.com,\nTerminated,2,Bob,bob@example.com,\n"))
	s.start()
	tc, err := client.Dial(client.Options{HostPort: c.ready["temporal"].(string)})
	require.NoError(t, err)
	t.Cleanup(tc.Close)
	id := func(object string) string { return s.contact(object)["id"].(string) }
	eventually(t, 20*time.Second, "both wait for their date", func() bool {
		_, first := tc.DescribeWorkflowExecution(t.Context(), workflows.ContactWorkflowID(s.id, id("Canceled")), "")
		_, second := tc.DescribeWorkflowExecution(t.Context(), workflows.ContactWorkflowID(s.id, id("Terminated")), "")
		return first == nil && second == nil
	})
	require.NoError(t, tc.CancelWorkflow(t.Context(), workflows.ContactWorkflowID(s.id, id("Canceled")), ""))
	require.NoError(t, tc.TerminateWorkflow(t.Context(), workflows.ContactWorkflowID(s.id, id("Terminated")), "", "by hand"))

	s.awaitStatus("Canceled", "stopped", 30*time.Second) // a cancellation is a stop
	lost := s.awaitStatus("Terminated", "needs_attention", 60*time.Second)
	require.Equal(t, "no_workflow", lost["attention"].(doc)["reason"])
	s.must(http.MethodPost, s.path("/contacts/"+id("Terminated")+"/retry"), nil)
	s.must(http.MethodPost, s.path("/contacts/"+id("Terminated")+"/reschedule"), doc{"communication_id": id("Terminated") + "-1", "start_date": time.Now().UTC()})
	s.awaitStatus("Terminated", "completed", 20*time.Second)
	require.Len(t, s.outbox(""), 1)
}
