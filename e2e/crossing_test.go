package e2e_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
)

// Operators act at the very moment at which contacts begin, send and end. Each
// is answered, by yes or by no, and no contact or workflow is left hanging.
func TestOperatorsAndEndingsCross(t *testing.T) {
	t.Parallel()
	const people = 30
	s := dev(t).planned("Crossing", nil)
	var plans []string
	for i := range people {
		plans = append(plans, fmt.Sprintf("P%d: Notice", i))
	}
	s.join(plans...)
	var all sync.WaitGroup
	var mu sync.Mutex
	var odd []string
	for _, c := range s.contacts("") {
		one := s.path("/contacts/" + c["id"].(string))
		all.Go(func() {
			now := doc{"communication_id": c["id"].(string) + "-1", "start_date": time.Now().UTC()}
			for _, step := range []struct {
				path string
				body any
			}{{"/reschedule", now}, {"/pause", nil}, {"/resume", nil}, {"/pause", nil}, {"/resume", nil}, {"/skip", nil}, {"/pause", nil}, {"/resume", nil}, {"/retry", nil}} {
				a, err := s.try(http.MethodPost, one+step.path, step.body)
				if err != nil || a.status != http.StatusOK && a.status != http.StatusConflict {
					mu.Lock()
					odd = append(odd, fmt.Sprint(step.path, " ", a.status, " ", string(a.body), err))
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	require.Empty(t, odd)
	eventually(t, patience, "all are completed", func() bool { return len(s.contacts("&status=completed")) == people })

	tc, err := client.Dial(client.Options{HostPort: s.ready["temporal"].(string)})
	require.NoError(t, err)
	defer tc.Close()
	eventually(t, patience, "every workflow is closed", func() bool {
		n, err := tc.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{Query: "WorkflowType = 'Contact' and ExecutionStatus = 'Running'"})
		return err == nil && n.GetCount() == 0
	})
	require.LessOrEqual(t, len(s.outbox("")), people, "nobody is written to twice")
}
