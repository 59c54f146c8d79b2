package activities

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// How lost runs are looked for: what was closed from outside lately, at a worker's
// first pass as far back as the server remembers; and whoever is long overdue, for
// what the server itself has lost.
const (
	lookBack      = time.Hour
	lookBackFirst = 30 * 24 * time.Hour
	overdueBy     = 10 * time.Minute
	overdueSize   = 20 // contacts of a campaign looked at in one pass
)

// losses is how far the search for lost runs has come.
type losses struct {
	mu      sync.Mutex
	looked  bool              // the first pass is over
	cursors map[string]string // in each campaign's lists of overdue contacts
}

// findLost finds contacts whose workflow is gone (terminated, canceled before its
// first task, lost with its server) while they had not ended, and puts them before
// a person: nothing would ever happen to them by themselves.
func (a *Activities) findLost(ctx context.Context) error {
	a.losses.mu.Lock()
	defer a.losses.mu.Unlock()
	back := lookBack
	if !a.losses.looked {
		back = lookBackFirst
	}
	if err := a.findClosed(ctx, back); err != nil {
		return err
	}
	a.losses.looked = true
	return a.findOverdue(ctx)
}

// findClosed asks the server for runs that were closed from outside.
func (a *Activities) findClosed(ctx context.Context, back time.Duration) error {
	query := fmt.Sprintf(`WorkflowType = %q AND ExecutionStatus IN ("Terminated", "Canceled", "Failed", "TimedOut") AND CloseTime > %q`,
		workflows.TypeContact, a.now().Add(-back).Format(time.RFC3339))
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

// findOverdue asks the server whether it knows contacts that should have done
// something long ago.
func (a *Activities) findOverdue(ctx context.Context) error {
	for cursor := ""; ; {
		page, err := a.Store.Campaigns(ctx, store.CampaignFilter{Status: campaign.Running}, store.Page{Limit: 200, Cursor: cursor})
		if err != nil {
			return err
		}
		for i := range page.Items {
			for _, status := range []campaign.ContactStatus{campaign.ContactActive, campaign.ContactNeedsAttention} {
				if err := a.overdueOf(ctx, page.Items[i].ID, status); err != nil {
					return err
				}
			}
		}
		if cursor = page.Next; cursor == "" {
			return nil
		}
	}
}

// overdueOf looks at some of a campaign's overdue contacts in every pass, those
// first that wait the longest.
func (a *Activities) overdueOf(ctx context.Context, campaignID string, status campaign.ContactStatus) error {
	list := campaignID + "/" + string(status)
	page, err := a.Store.Contacts(ctx, store.ContactFilter{CampaignID: campaignID, Status: status, OverdueSince: a.now().Add(-overdueBy)},
		store.Page{Limit: overdueSize, Cursor: a.losses.cursors[list]})
	if err != nil {
		return err
	}
	if a.losses.cursors == nil {
		a.losses.cursors = map[string]string{}
	}
	if a.losses.cursors[list] = page.Next; page.Next == "" {
		delete(a.losses.cursors, list)
	}
	for i := range page.Items {
		c := &page.Items[i]
		if c.StartedAt == nil || c.Attention.Holds() || a.now().Sub(c.UpdatedAt) < overdueBy {
			continue
		}
		run, launched, err := a.Store.RunOf(ctx, c.ID)
		if err != nil || !launched {
			if err = ignoreMissing(err); err != nil {
				return err
			}
			continue
		}
		id := workflows.ContactWorkflowID(c.CampaignID, c.ID)
		if _, err := a.Temporal.DescribeWorkflowExecution(ctx, id, ""); err == nil {
			continue // it is slow, or findClosed finds it
		} else if _, gone := errors.AsType[*serviceerror.NotFound](err); !gone {
			return fmt.Errorf("describe %s: %w", id, err)
		}
		if err := a.putLost(ctx, c.ID, run, "its workflow is not known to the server any more"); err != nil {
			return err
		}
	}
	return nil
}

func (a *Activities) lost(ctx context.Context, workflowID, runID, status string) error {
	campaignID, contactID, _ := strings.Cut(workflowID, "/")
	c, err := a.Store.Contact(ctx, campaignID, contactID)
	if isNotFound(err) || err == nil && (c.Status.Ended() || c.Attention.Holds()) {
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
	return a.putLost(ctx, contactID, runID, "its workflow was "+status+" from outside")
}

func (a *Activities) putLost(ctx context.Context, contactID, runID, what string) error {
	detail := what + ": retry goes on with the plan, stop ends the contact"
	now := a.now()
	return a.Store.LostRun(ctx, contactID, runID, campaign.Attention{Reason: "no_workflow", Detail: detail, Since: now},
		campaign.Decision{At: now, Kind: campaign.DecisionAttention, Reason: "no_workflow", Summary: "Needs attention: " + detail})
}
