package workflows

import (
	"errors"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"carillon/campaign"
)

// Refusal types of the operate update, by [campaign.Code].
const (
	RefusedConflict = "conflict"
	RefusedInvalid  = "invalid"
)

// answer takes operators' updates. It runs first of all: an update that wakes
// the run, or starts it, comes with the very first workflow task, and would be
// refused as unknown if its handler were set after the contact is read.
func (r *run) answer(ctx workflow.Context) error {
	return workflow.SetUpdateHandlerWithOptions(ctx, UpdateOperate, r.operate, workflow.UpdateHandlerOptions{
		Validator:   r.validate,
		Description: "retry, skip, move, stop, pause, resume or reschedule",
	})
}

// listen takes signals and queries. It runs when the state is ready: messages
// that arrived before are delivered at once.
func (r *run) listen(ctx workflow.Context) error {
	for _, s := range []struct{ name, description string }{
		{SignalMessage, "the contact wrote"},
		{SignalAnswer, "an agent or operator answers, or a session changes hands"},
		{SignalResult, "an agent or operator ends the session"},
		{SignalDelivery, "the provider reports on a message"},
		{SignalImport, "a row of an import for this contact"},
		{SignalRelease, "what held the contact is gone"},
		{SignalStop, "stop this contact"},
		{SignalLinked, "the contact has opened a chat by its link"},
	} {
		r.sel.AddReceive(workflow.GetSignalChannelWithOptions(ctx, s.name, workflow.SignalChannelOptions{Description: s.description}),
			func(c workflow.ReceiveChannel, _ bool) {
				var e campaign.Event
				c.Receive(ctx, &e)
				r.arrive(e)
			})
	}
	if err := workflow.SetQueryHandlerWithOptions(ctx, QueryState, func() (campaign.State, error) { return r.state, nil },
		workflow.QueryHandlerOptions{Description: "everything the run knows"}); err != nil {
		return err
	}
	return workflow.SetQueryHandlerWithOptions(ctx, QueryPlan, r.plan, workflow.QueryHandlerOptions{Description: "what happens next, and what stands in its way"})
}

// validate refuses what does not fit, as far as that is known already.
func (r *run) validate(op campaign.Operation) error {
	if !r.ready {
		return nil
	}
	return refusal(r.state.CanOperate(&op))
}

// operate queues an operator's decision for the loop and answers with the
// contact once it is carried out and recorded.
func (r *run) operate(ctx workflow.Context, op campaign.Operation) (campaign.Contact, error) {
	if err := workflow.Await(ctx, func() bool { return r.ready }); err != nil {
		return campaign.Contact{}, err
	}
	if err := refusal(r.state.CanOperate(&op)); err != nil {
		return campaign.Contact{}, err
	}
	done := false
	r.arrived = append(r.arrived, arrival{event: campaign.Event{Kind: campaign.EventOperate, Operation: &op}, done: &done})
	if err := workflow.Await(ctx, func() bool { return done }); err != nil {
		return campaign.Contact{}, err
	}
	return r.state.Contact, nil
}

func refusal(err error) error {
	if err == nil {
		return nil
	}
	t := RefusedInvalid
	if campaign.CodeOf(err) == campaign.CodeConflict {
		t = RefusedConflict
	}
	message := err.Error()
	var e *campaign.Error
	if errors.As(err, &e) && len(e.Fields) > 0 {
		return temporal.NewNonRetryableApplicationError(e.Fields[0].Message, t, nil, e.Fields[0].Field)
	}
	return temporal.NewNonRetryableApplicationError(message, t, nil)
}

// Plan answers the plan query.
type Plan struct {
	NextAction string           `json:"next_action"`
	At         string           `json:"at,omitempty"`
	Blockers   []string         `json:"blockers,omitempty"`
	Contact    campaign.Contact `json:"contact"`
}

func (r *run) plan() (Plan, error) {
	p := Plan{Contact: r.state.Contact}
	if at, why, ok := r.state.Wake(); ok {
		p.NextAction, p.At = why, at.UTC().Format("2006-01-02T15:04:05Z07:00")
	}
	p.Blockers = r.state.Blockers()
	return p, nil
}
