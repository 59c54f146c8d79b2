package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"go.temporal.io/sdk/client"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
	"carillon/workflows"
)

// operations are what people decide about contacts.
func (s *Server) operations(g huma.API) {
	const one = "/campaigns/{id}/contacts/{contact_id}"
	for _, o := range []struct{ action, summary, about string }{
		{campaign.OperateRetry, "Retry contact", "Does again what needs attention: the strategy that failed, the send that did not work."},
		{campaign.OperateSkip, "Skip communication", "Gives up what needs attention, or else the next planned communication."},
		{campaign.OperateStop, "Stop contact", "Ends the contact: what is planned is canceled, what is open closed."},
		{campaign.OperatePause, "Pause contact", "Nothing is sent and no wait ends until it is resumed; messages are kept."},
		{campaign.OperateResume, "Resume contact", "Goes on."},
	} {
		op(s, g, http.MethodPost, one+"/"+o.action, o.summary, Operator,
			func(ctx context.Context, in *operateInput) (*body[ContactView], error) {
				operation := campaign.Operation{Action: o.action}
				if in.Body != nil {
					operation.Reason, operation.Policy = in.Body.Reason, in.Body.Policy
				}
				return s.operate(ctx, in.ID, in.ContactID, in.Key, operation)
			}, describe(o.about))
	}
	op(s, g, http.MethodPost, one+"/move", "Move contact", Operator, s.move,
		describe("Puts the contact at a stage; a final stage ends it. With send_now the stage's communication goes out at once. Opens a completed contact again."))
	op(s, g, http.MethodPost, one+"/reschedule", "Reschedule communication", Operator, s.reschedule)
	op(s, g, http.MethodPost, one+"/reset", "Reset contact", Manager, s.reset,
		describe("Sets the contact's workflow back to its last finished workflow task, for one that is stuck on an error of the system."))
	op(s, g, http.MethodPost, one+"/restart", "Restart contact", Manager, s.restart,
		describe("Starts the workflow of a contact that should have one and has none: it was terminated by hand, or the server was lost."))
	op(s, g, http.MethodPost, "/campaigns/{id}/contacts/bulk", "Operate on many contacts", Operator, s.bulk, answers(http.StatusAccepted),
		describe("One action on every contact of a filter, as a job."))
}

type operateInput struct {
	ID        string `path:"id"`
	ContactID string `path:"contact_id"`
	Key       string `header:"Idempotency-Key"`
	Body      *OperateBody
}

// OperateBody is what may be said about a retry, skip, stop, pause or resume.
type OperateBody struct {
	Reason string `json:"reason,omitempty" maxLength:"500" doc:"Of a stop."`
	Policy string `json:"policy,omitempty" enum:"now,restart_waits" doc:"Of a resume: restart_waits lets open sessions wait anew."`
}

type moveInput struct {
	ID        string `path:"id"`
	ContactID string `path:"contact_id"`
	Key       string `header:"Idempotency-Key"`
	Body      struct {
		StageName string `json:"stage_name" minLength:"1"`
		SendNow   bool   `json:"send_now,omitempty"`
	}
}

func (s *Server) move(ctx context.Context, in *moveInput) (*body[ContactView], error) {
	o := campaign.Operation{Action: campaign.OperateMove, StageName: in.Body.StageName, SendNow: in.Body.SendNow}
	if err := s.stageOf(ctx, in.ID, &o); err != nil {
		return nil, err
	}
	return s.operate(ctx, in.ID, in.ContactID, in.Key, o)
}

// stageOf completes an operation that names a stage.
func (s *Server) stageOf(ctx context.Context, campaignID string, o *campaign.Operation) error {
	if _, err := s.Store.Campaign(ctx, campaignID); err != nil {
		return err
	}
	stage, err := s.Store.StageByName(ctx, campaignID, o.StageName)
	if errors.Is(err, store.ErrNotFound) {
		return campaign.Invalid("stage_name", "the campaign has no stage %q", o.StageName)
	} else if err != nil {
		return err
	}
	o.StageID = stage.ID
	if stage.Final() {
		o.Final = &campaign.FinalStage{Name: stage.Name, Outcome: stage.Outcome}
	}
	return nil
}

type rescheduleInput struct {
	ID        string `path:"id"`
	ContactID string `path:"contact_id"`
	Key       string `header:"Idempotency-Key"`
	Body      struct {
		CommunicationID string    `json:"communication_id" minLength:"1"`
		StartDate       time.Time `json:"start_date"`
	}
}

func (s *Server) reschedule(ctx context.Context, in *rescheduleInput) (*body[ContactView], error) {
	return s.operate(ctx, in.ID, in.ContactID, in.Key, campaign.Operation{
		Action: campaign.OperateReschedule, CommunicationID: in.Body.CommunicationID, StartDate: &in.Body.StartDate,
	})
}

// operate carries an operation out where the contact lives: in the store as
// long as it has not started, in its workflow from then on.
func (s *Server) operate(ctx context.Context, campaignID, contactID, key string, o campaign.Operation) (*body[ContactView], error) {
	o.Actor, o.Anew = actor(ctx), true
	c, err := s.Store.Contact(ctx, campaignID, contactID)
	if err != nil {
		return nil, err
	}
	if c.StartedAt == nil {
		c, err = s.operateUnstarted(ctx, &c, &o)
		if errors.Is(err, store.ErrConflict) { // it was started just now
			if c, err = s.Store.Contact(ctx, campaignID, contactID); err == nil {
				c, err = s.operateRun(ctx, &c, o, key)
			}
		}
	} else {
		c, err = s.operateRun(ctx, &c, o, key)
	}
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, o.Action, "contacts/"+contactID, "campaign %s", campaignID)
	return &body[ContactView]{Body: s.showContact(c)}, nil
}

// operateUnstarted decides in the store, and lets the launcher look if the
// contact may now have something to do.
func (s *Server) operateUnstarted(ctx context.Context, c *campaign.Contact, o *campaign.Operation) (campaign.Contact, error) {
	now := s.now()
	after, err := s.Store.UpdateContact(ctx, c.CampaignID, c.ID, func(c *campaign.Contact) ([]campaign.Decision, error) {
		if c.StartedAt != nil {
			return nil, store.ErrConflict
		}
		decisions, err := campaign.OperateUnstarted(c, o, now)
		if c.Status == campaign.ContactActive { // it was completed before it ever started
			c.Status = campaign.ContactPending
		}
		return decisions, err
	})
	if err != nil || after.Next() == nil || after.Paused {
		return after, err
	}
	if camp, err := s.Store.Campaign(ctx, c.CampaignID); err == nil && camp.Status == campaign.Running {
		s.wake(ctx, camp.ID)
	}
	return after, nil
}

// operateTime bounds the wait for a contact's answer.
const operateTime = 30 * time.Second

// operateRun asks the contact's workflow, and starts it where none runs.
func (s *Server) operateRun(ctx context.Context, c *campaign.Contact, o campaign.Operation, key string) (campaign.Contact, error) {
	if c.Status.Ended() {
		st := campaign.NewState(*c)
		if err := st.CanOperate(&o); err != nil {
			return *c, err
		}
	}
	if s.Temporal == nil {
		return *c, campaign.Errorf(campaign.CodeUnavailable, "the workflow engine is away; try again")
	}
	ctx, cancel := context.WithTimeout(ctx, operateTime)
	defer cancel()
	update := client.UpdateWorkflowOptions{
		WorkflowID: workflows.ContactWorkflowID(c.CampaignID, c.ID), UpdateName: workflows.UpdateOperate, UpdateID: eventID("up_", o.Actor+" "+o.Action, key),
		Args: []any{o}, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	camp, err := s.Store.Campaign(ctx, c.CampaignID)
	if err != nil {
		return *c, err
	}
	// With start: a completed contact has no run any more, and one that was
	// claimed for launch this very moment has none yet.
	handle, err := s.Temporal.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{
		StartWorkflowOperation: s.Temporal.NewWithStartWorkflowOperation(relay.Start(c, camp.Name, time.Time{}, s.now()), workflows.TypeContact, relay.Input(c)),
		UpdateOptions:          update,
	})
	var after campaign.Contact
	if err == nil {
		err = handle.Get(ctx, &after)
	}
	return after, err
}
