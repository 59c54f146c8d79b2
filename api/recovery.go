package api

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
	"carillon/workflows"
)

// startedContact reads a contact that has, or should have, a workflow.
func (s *Server) startedContact(ctx context.Context, in *contactPath) (campaign.Contact, error) {
	c, err := s.Store.Contact(ctx, in.ID, in.ContactID)
	switch {
	case err != nil:
		return c, err
	case c.StartedAt == nil:
		return c, campaign.Errorf(campaign.CodeConflict, "the contact has not started; the campaign starts it when it runs and something is planned")
	case s.Temporal == nil:
		return c, campaign.Errorf(campaign.CodeUnavailable, "the workflow engine is away; try again")
	default:
		return c, nil
	}
}

func (s *Server) reset(ctx context.Context, in *contactPath) (*body[ContactView], error) {
	c, err := s.startedContact(ctx, in)
	if err != nil {
		return nil, err
	}
	if c.Status.Ended() {
		return nil, campaign.Errorf(campaign.CodeConflict, "the contact is %s: there is nothing to reset", c.Status)
	}
	execution := &commonpb.WorkflowExecution{WorkflowId: workflows.ContactWorkflowID(c.CampaignID, c.ID)}
	task, err := s.lastTask(ctx, execution)
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return nil, campaign.Errorf(campaign.CodeConflict, "the contact has no workflow: restart it")
	} else if err != nil {
		return nil, err
	}
	if task == 0 {
		return nil, campaign.Errorf(campaign.CodeConflict, "the workflow has not begun; there is nothing to reset")
	}
	_, err = s.Temporal.ResetWorkflowExecution(ctx, &workflowservice.ResetWorkflowExecutionRequest{
		Namespace: s.Namespace, WorkflowExecution: execution, WorkflowTaskFinishEventId: task,
		Reason: "reset by " + actor(ctx), RequestId: newID("rs_"),
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "reset", "contacts/"+c.ID, "campaign %s", c.CampaignID)
	return &body[ContactView]{Body: s.showContact(c)}, nil
}

// lastTask is the event of the last workflow task that was completed, 0 if there is none.
func (s *Server) lastTask(ctx context.Context, execution *commonpb.WorkflowExecution) (int64, error) {
	request := &workflowservice.GetWorkflowExecutionHistoryReverseRequest{Namespace: s.Namespace, Execution: execution, MaximumPageSize: 100}
	for {
		page, err := s.Temporal.WorkflowService().GetWorkflowExecutionHistoryReverse(ctx, request)
		if err != nil {
			return 0, err
		}
		for _, e := range page.GetHistory().GetEvents() {
			if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
				return e.GetEventId(), nil
			}
		}
		if request.NextPageToken = page.GetNextPageToken(); len(request.NextPageToken) == 0 {
			return 0, nil
		}
	}
}

func (s *Server) restart(ctx context.Context, in *contactPath) (*body[ContactView], error) {
	c, err := s.startedContact(ctx, in)
	if err != nil {
		return nil, err
	}
	if c.Status.Ended() {
		return nil, campaign.Errorf(campaign.CodeConflict, "the contact is %s: there is nothing to restart", c.Status)
	}
	running, err := s.runs(ctx, &c)
	if err != nil {
		return nil, err
	}
	if running {
		return nil, campaign.Errorf(campaign.CodeConflict, "the contact's workflow runs")
	}
	camp, err := s.Store.Campaign(ctx, c.CampaignID)
	if err != nil {
		return nil, err
	}
	if _, err := s.Temporal.ExecuteWorkflow(ctx, relay.Start(&c, camp.Name, time.Time{}, s.now()), workflows.TypeContact, relay.Input(&c)); err != nil {
		return nil, err
	}
	s.auditf(ctx, "restart", "contacts/"+c.ID, "campaign %s", c.CampaignID)
	return &body[ContactView]{Body: s.showContact(c)}, nil
}

// runs reports whether the contact's workflow is open.
func (s *Server) runs(ctx context.Context, c *campaign.Contact) (bool, error) {
	d, err := s.Temporal.DescribeWorkflowExecution(ctx, workflows.ContactWorkflowID(c.CampaignID, c.ID), "")
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return d.GetWorkflowExecutionInfo().GetStatus() == enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, nil
}

type bulkInput struct {
	ID   string `path:"id"`
	Body Bulk
}

// Bulk is one action on many contacts.
type Bulk struct {
	Filter    ContactQuery `json:"filter" doc:"As the list's query; {} is every contact of the campaign."`
	Action    string       `json:"action" enum:"retry,skip,stop,pause,resume,move,reschedule,restart" doc:"restart starts the workflows that are gone; retry does too, and goes on with the plan."`
	StageName string       `json:"stage_name,omitempty" doc:"Of a move."`
	SendNow   bool         `json:"send_now,omitempty" doc:"Of a move."`
	StartDate *time.Time   `json:"start_date,omitempty" doc:"Of a reschedule: the new date of each contact's next planned communication."`
	Reason    string       `json:"reason,omitempty" maxLength:"500" doc:"Of a stop."`
}

// bulkSpec is what the sweep reads from the job.
type bulkSpec struct {
	Filter    store.ContactFilter `json:"filter"`
	Operation campaign.Operation  `json:"operation"`
}

func (s *Server) bulk(ctx context.Context, in *bulkInput) (*body[Accepted], error) {
	b := &in.Body
	if _, err := s.Store.Campaign(ctx, in.ID); err != nil {
		return nil, err
	}
	filter, err := b.Filter.filter(in.ID, s.now())
	if err != nil {
		return nil, err
	}
	spec := bulkSpec{Filter: filter, Operation: campaign.Operation{
		Action: b.Action, Actor: actor(ctx), StageName: b.StageName, SendNow: b.SendNow, StartDate: b.StartDate, Reason: b.Reason, Anew: true,
	}}
	switch {
	case b.Action == campaign.OperateMove && b.StageName == "":
		return nil, campaign.Invalid("stage_name", "name the stage to move to")
	case b.Action == campaign.OperateMove:
		if err := s.stageOf(ctx, in.ID, &spec.Operation); err != nil {
			return nil, err
		}
	case b.Action == campaign.OperateReschedule && b.StartDate == nil:
		return nil, campaign.Invalid("start_date", "give the new date")
	}
	if s.Temporal == nil {
		return nil, campaign.Errorf(campaign.CodeUnavailable, "the workflow engine is away; try again")
	}
	raw, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	job := store.Job{ID: newID("jb_"), CampaignID: in.ID, Kind: "bulk " + b.Action, Status: "running", Spec: raw, CreatedAt: s.now()}
	sweep := workflows.SweepInput{ID: job.ID, Kind: workflows.SweepBulk, CampaignID: in.ID, JobID: job.ID, Operation: &spec.Operation, Since: s.now()}
	kept, err := s.keepSweep(ctx, sweep) // before the job: one that is there is carried out
	if err != nil {
		return nil, err
	}
	defer s.dropSweep(ctx, kept) // not if the process dies: a worker takes it up
	if err := s.Store.CreateJob(ctx, job); err != nil {
		return nil, err
	}
	if err := relay.Sweep(ctx, s.Temporal, sweep); err != nil {
		return nil, errors.Join(err, s.failJob(ctx, job.ID, "the workflow engine is away"))
	}
	s.auditf(ctx, b.Action, "jobs/"+job.ID, "many contacts of campaign %s", in.ID)
	return &body[Accepted]{Body: Accepted{ID: job.ID, Status: job.Status}}, nil
}

func (s *Server) failJob(ctx context.Context, id, detail string) error {
	_, err := s.Store.UpdateJob(context.WithoutCancel(ctx), id, func(j *store.Job) error {
		now := s.now()
		j.Status, j.Detail, j.FinishedAt = "failed", detail, &now
		return nil
	})
	return err
}
