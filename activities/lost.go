package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"carillon/campaign"
	"carillon/workflows"
)

// lookBack is how far a search for lost runs goes. What was closed while every
// worker was away for longer is not found.
const lookBack = time.Hour

// findLost finds contacts whose workflow was closed from outside (terminated,
// or canceled before its first task) while they had not ended, and puts them
// before a person: nothing would ever happen to them by itself.
func (a *Activities) findLost(ctx context.Context) error {
	query := fmt.Sprintf(`WorkflowType = %q AND ExecutionStatus IN ("Terminated", "Canceled", "Failed", "TimedOut") AND CloseTime > %q`,
		workflows.TypeContact, a.now().Add(-lookBack).Format(time.RFC3339))
	var token []byte
	for {
		page, err := a.Temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{Query: query, PageSize: 200, NextPageToken: token})
		if err != nil {
			return fmt.Errorf("list closed contacts: %w", err)
		}
		for _, w := range page.GetExecutions() {
			status := strings.ToLower(w.GetStatus().String())
			if err := a.lost(ctx, w.GetExecution().GetWorkflowId(), w.GetExecution().GetRunId(), status); err != nil {
				return err
			}
		}
		if token = page.GetNextPageToken(); len(token) == 0 {
			return nil
		}
	}
}

func (a *Activities) lost(ctx context.Context, workflowID, runID, status string) error {
	campaignID, contactID, _ := strings.Cut(workflowID, "/")
	c, err := a.Store.Contact(ctx, campaignID, contactID)
	if isNotFound(err) || err == nil && (c.Status.Ended() || c.Attention != nil) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := a.Temporal.DescribeWorkflowExecution(ctx, workflowID, "")
	if err != nil {
		return fmt.Errorf("describe %s: %w", workflowID, err)
	}
	if info.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING {
		return nil
	}
	detail := "its workflow was " + status + " from outside: retry goes on with the plan, stop ends the contact"
	now := a.now()
	return a.Store.LostRun(ctx, contactID, runID, campaign.Attention{Reason: "no_workflow", Detail: detail, Since: now},
		campaign.Decision{At: now, Kind: campaign.DecisionAttention, Reason: "no_workflow", Summary: "Needs attention: " + detail})
}
