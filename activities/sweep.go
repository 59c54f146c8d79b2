package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
	"carillon/workflows"
)

const sweepSize = 500

// SweepChunk tells the next contacts of a sweep. Idempotent: a contact that is
// told twice that a hold is gone, or to stop, does nothing the second time.
func (a *Activities) SweepChunk(ctx context.Context, in workflows.SweepChunkInput) (workflows.SweepChunkOutput, error) {
	stop := heartbeats(ctx)
	defer stop()
	switch s := &in.Sweep; s.Kind {
	case workflows.SweepRelease:
		return a.sweepRelease(ctx, s)
	case workflows.SweepStop:
		return a.sweepStop(ctx, s)
	case workflows.SweepBulk:
		return a.sweepBulk(ctx, s)
	default:
		return workflows.SweepChunkOutput{}, temporal.NewNonRetryableApplicationError("no such sweep: "+string(s.Kind), workflows.ErrTypeGone, nil)
	}
}

func (a *Activities) sweepRelease(ctx context.Context, s *workflows.SweepInput) (out workflows.SweepChunkOutput, err error) {
	gone, _, err := a.causeGone(ctx, s.CampaignID, s.Release.Cause, s.Release.Ref)
	if err != nil {
		return out, err
	}
	if !gone { // it is back: what it holds now is for the next release
		out.Over = true
		return out, nil
	}
	holds, err := a.Store.Holds(ctx, s.Release.Cause, s.Release.Ref, s.After, sweepSize)
	if err != nil {
		return out, err
	}
	out.Last = s.After
	for _, h := range holds {
		e := campaign.Event{Kind: campaign.EventRelease, Release: s.Release}
		id := workflows.ContactWorkflowID(h.CampaignID, h.ContactID)
		err := a.Temporal.SignalWorkflow(ctx, id, "", workflows.SignalRelease, e)
		if _, gone := errors.AsType[*serviceerror.NotFound](err); err != nil && !gone {
			return out, fmt.Errorf("release %s: %w", h.ContactID, err)
		}
		if err := a.Store.DropHold(ctx, h); err != nil {
			return out, err
		}
		out.Last, out.Done = h.ContactID, out.Done+1
	}
	out.More = len(holds) == sweepSize
	return out, nil
}

func (a *Activities) sweepStop(ctx context.Context, s *workflows.SweepInput) (out workflows.SweepChunkOutput, err error) {
	if s.After == "" {
		if _, err := a.Store.StopPending(ctx, s.CampaignID, a.now()); err != nil {
			return out, err
		}
	}
	ids, err := a.Store.ActiveIDs(ctx, s.CampaignID, s.After, sweepSize)
	if err != nil {
		return out, err
	}
	out.Last = s.After
	for _, id := range ids {
		c, err := a.Store.Contact(ctx, s.CampaignID, id)
		if isNotFound(err) {
			continue
		} else if err != nil {
			return out, err
		}
		e := campaign.Event{ID: s.ID + "-" + id, Kind: campaign.EventOperate, Operation: &campaign.Operation{
			Action: campaign.OperateStop, Actor: "the campaign", Reason: "the campaign was stopped",
		}}
		if err := a.signalStart(ctx, &c, e); err != nil {
			return out, fmt.Errorf("stop %s: %w", id, err)
		}
		out.Last, out.Done = id, out.Done+1
	}
	out.More = len(ids) == sweepSize
	return out, nil
}

// signalStart signals a contact so that it wakes even from a delayed start.
func (a *Activities) signalStart(ctx context.Context, c *campaign.Contact, e campaign.Event) error {
	_, err := a.Temporal.SignalWithStartWorkflow(ctx, workflows.ContactWorkflowID(c.CampaignID, c.ID), workflows.SignalFor(e.Kind), e,
		relay.Start(c, "", a.now(), a.now()), workflows.TypeContact, relay.Input(c))
	return err
}

func (a *Activities) sweepBulk(ctx context.Context, s *workflows.SweepInput) (out workflows.SweepChunkOutput, err error) {
	job, err := a.Store.Job(ctx, s.JobID)
	if err != nil {
		return out, settled(err)
	}
	if job.FinishedAt != nil { // begun again, or its start was given up
		out.Over = true
		return out, nil
	}
	var spec struct {
		Filter    store.ContactFilter `json:"filter"`
		Operation campaign.Operation  `json:"operation"`
	}
	if err := json.Unmarshal(job.Spec, &spec); err != nil {
		return out, temporal.NewNonRetryableApplicationError("the job cannot be read: "+err.Error(), workflows.ErrTypeGone, nil)
	}
	page, err := a.Store.Contacts(ctx, spec.Filter, store.Page{Limit: sweepSize, Cursor: s.After})
	if err != nil {
		return out, err
	}
	failed := 0
	for i := range page.Items {
		if err := a.operate(ctx, &page.Items[i], &spec.Operation, job.ID); err != nil {
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			failed++
		}
		out.Done++
	}
	out.Last, out.More = page.Next, page.Next != ""
	_, err = a.Store.UpdateJob(ctx, job.ID, func(j *store.Job) error {
		j.Done, j.Failed, j.Total = j.Done+out.Done, j.Failed+failed, max(j.Total, j.Done+out.Done)
		if !out.More {
			now := a.now()
			j.Status, j.FinishedAt = "completed", &now
		}
		return nil
	})
	return out, err
}

// OperateRestart is the bulk action that starts contacts whose workflow is gone.
const OperateRestart = "restart"

// restart starts a contact's workflow again, unless it runs.
func (a *Activities) restart(ctx context.Context, c *campaign.Contact) error {
	if c.Status.Ended() {
		return fmt.Errorf("contact %s is %s", c.ID, c.Status)
	}
	_, err := a.Temporal.ExecuteWorkflow(ctx, relay.Start(c, "", time.Time{}, a.now()), workflows.TypeContact, relay.Input(c))
	return err
}

// operate carries one operation of a bulk action out; the update's id makes a
// repeated chunk harmless.
func (a *Activities) operate(ctx context.Context, c *campaign.Contact, op *campaign.Operation, jobID string) error {
	if op.Action == campaign.OperateReschedule && op.CommunicationID == "" {
		next := c.Next()
		if next == nil {
			return fmt.Errorf("contact %s has nothing planned", c.ID)
		}
		its := *op
		its.CommunicationID, op = next.ID, &its
	}
	if c.StartedAt == nil {
		_, err := a.Store.UpdateContact(ctx, c.CampaignID, c.ID, func(c *campaign.Contact) ([]campaign.Decision, error) {
			return campaign.OperateUnstarted(c, op, a.now())
		})
		return err
	}
	if op.Action == OperateRestart {
		return a.restart(ctx, c)
	}
	update := client.UpdateWorkflowOptions{
		WorkflowID: workflows.ContactWorkflowID(c.CampaignID, c.ID), UpdateName: workflows.UpdateOperate, UpdateID: jobID,
		Args: []any{*op}, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	var h client.WorkflowUpdateHandle
	var err error
	if c.Status.Ended() && op.Action != campaign.OperateMove {
		h, err = a.Temporal.UpdateWorkflow(ctx, update)
	} else { // with start: a lost contact has no run any more
		h, err = a.Temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
			StartWorkflowOperation: a.Temporal.NewWithStartWorkflowOperation(relay.Start(c, "", time.Time{}, a.now()), workflows.TypeContact, relay.Input(c)),
			UpdateOptions:          update,
		})
	}
	if err != nil {
		return err
	}
	return h.Get(ctx, nil)
}
