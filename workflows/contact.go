package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"carillon/campaign"
)

// ContactInput starts a contact's run: ids only, and the state of the run
// before when it continued as new.
type ContactInput struct {
	CampaignID string          `json:"campaign_id"`
	ContactID  string          `json:"contact_id"`
	State      *campaign.State `json:"state,omitempty"`
}

// ContactResult is how a contact ended.
type ContactResult struct {
	Status  string `json:"status"`
	Stage   string `json:"stage,omitempty"`
	Outcome string `json:"outcome,omitempty"`
}

// run is one execution of a contact's workflow. A single event loop owns the
// state: signals, updates, timers and results become events, [campaign.State]
// says what follows, and run carries it out.
type run struct {
	in       ContactInput
	state    campaign.State
	revision int64
	sel      workflow.Selector
	arrived  []arrival          // not yet stepped
	calls    []campaign.Command // regular activities to be started after the recording
	alarm    alarm
	shown    shown
	slow     map[campaign.StrategyType]bool // types that overran the local budget in this run
	ready    bool                           // the state is there
	asked    func() bool                    // to cancel
	canceled bool
	stale    bool
}

// Contact is the life of one contact in one campaign. It does everything on a
// context of its own: a cancellation from the Temporal Web UI is an event like
// others and cuts no activity off.
func Contact(outer workflow.Context, in ContactInput) (ContactResult, error) {
	ctx, _ := workflow.NewDisconnectedContext(outer)
	r := &run{
		asked: func() bool { return outer.Err() != nil },
		in:    in, sel: workflow.NewSelector(ctx), slow: map[campaign.StrategyType]bool{},
		revision: workflow.GetInfo(ctx).WorkflowStartTime.UnixMicro(),
	}
	if err := r.answer(ctx); err != nil {
		return ContactResult{}, err
	}
	if err := r.begin(ctx); err != nil {
		if isType(err, ErrTypeGone) {
			return ContactResult{Status: "deleted"}, nil
		}
		return ContactResult{}, err
	}
	if err := r.listen(ctx); err != nil {
		return ContactResult{}, err
	}
	return r.loop(ctx)
}

func (r *run) begin(ctx workflow.Context) error {
	if r.in.State != nil {
		r.state, r.ready = *r.in.State, true
		return nil
	}
	out, err := BeginRun.local(ctx, quick("read the contact"), BeginInput{ContactID: r.in.ContactID, Now: workflow.Now(ctx)})
	if err != nil {
		return err
	}
	r.state, r.ready = campaign.ResumeState(out.Contact, out.Sessions, out.Final, workflow.Now(ctx)), true
	return nil
}

func (r *run) loop(ctx workflow.Context) (ContactResult, error) {
	for {
		for r.sel.HasPending() {
			r.sel.Select(ctx)
		}
		if r.mustCancel() {
			r.cancel()
		}
		if err := r.turn(ctx); err != nil {
			return ContactResult{}, err
		}
		if r.stale {
			return ContactResult{Status: "superseded"}, nil
		}
		if r.state.Done() {
			if done, err := r.close(ctx); done || err != nil {
				return r.result(), err
			}
			continue
		}
		if r.mayContinueAsNew(ctx) {
			if err := r.answered(ctx); err != nil {
				return ContactResult{}, err
			}
			if r.pending() {
				continue
			}
			next := r.in
			next.State = &r.state
			return ContactResult{}, workflow.NewContinueAsNewError(ctx, TypeContact, next)
		}
		r.arm(ctx)
		r.publish(ctx)
		if err := workflow.Await(ctx, func() bool { return r.pending() || r.mustCancel() }); err != nil {
			return ContactResult{}, err
		}
	}
}

// arrival is an event that waits for its step; done tells an update handler
// that it was carried out and recorded.
type arrival struct {
	event campaign.Event
	done  *bool
}

func (r *run) arrive(e campaign.Event) { r.arrived = append(r.arrived, arrival{event: e}) }

func (r *run) pending() bool { return len(r.arrived) > 0 || r.sel.HasPending() }

// turn steps every event that has arrived, and time, through the state;
// carries out what can be done in place; records; and starts the rest. The
// order matters: what a send needs is in the store before the send is asked for.
func (r *run) turn(ctx workflow.Context) error {
	arrived := r.arrived
	r.arrived = nil
	for _, a := range arrived {
		if err := r.step(ctx, a.event); err != nil {
			return err
		}
	}
	if err := r.step(ctx, campaign.Event{Kind: campaign.EventTick}); err != nil {
		return err
	}
	if err := r.record(ctx); err != nil {
		return err
	}
	for _, a := range arrived {
		if a.done != nil {
			*a.done = true
		}
	}
	for _, c := range r.calls {
		r.begun(ctx, c)
	}
	r.calls = nil
	return nil
}

// step takes one event, and every event that follows from it in place.
func (r *run) step(ctx workflow.Context, e campaign.Event) error {
	for _, c := range r.state.Step(e, workflow.Now(ctx)) {
		result, err := r.carryOut(ctx, c)
		if err != nil {
			return err
		}
		if result != nil {
			if err := r.step(ctx, *result); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) record(ctx workflow.Context) error {
	if !r.state.Dirty {
		return nil
	}
	after := r.revision
	r.revision = max(after+1, workflow.Now(ctx).UnixMicro())
	s := &r.state
	_, err := Record.local(ctx, quick(recorded(s)), RecordInput{
		Revision: r.revision, After: after, Contact: s.Contact, Decisions: s.Decisions, Taken: s.Taken, Unmatched: s.Unmatched, Settled: s.Settled,
		Reopened: s.Reopened, Now: workflow.Now(ctx),
	})
	if isType(err, ErrTypeStale) || isType(err, ErrTypeGone) {
		r.stale, r.calls = true, nil
		return nil
	}
	if err != nil {
		return err
	}
	s.Recorded()
	return nil
}

// recorded is what the decisions about to be written say, so that the history
// in the Web UI is the timeline. What people wrote is not repeated there.
func recorded(s *campaign.State) string {
	var said []string
	for i := range s.Decisions {
		switch d := &s.Decisions[i]; d.Kind {
		case campaign.DecisionStrategyRun: // has an entry of its own
		case campaign.DecisionReplied:
			said = append(said, "the contact answered")
		case campaign.DecisionMessage:
			said = append(said, "an answer")
		default:
			said = append(said, d.Summary)
		}
	}
	if len(said) == 0 {
		return "write down what changed"
	}
	return strings.Join(said, "; ")
}

// close waits for update handlers to answer; anything that arrived meanwhile
// is looked at first.
func (r *run) close(ctx workflow.Context) (bool, error) {
	r.alarm.disarm()
	r.publish(ctx)
	if err := r.answered(ctx); err != nil {
		return false, err
	}
	if r.pending() {
		return false, nil
	}
	if r.canceled {
		return true, temporal.NewCanceledError("the run was canceled")
	}
	return true, nil
}

// answered waits until no update handler is unfinished, or one has asked for
// something: it waits for the loop, so the loop must not wait for it.
func (r *run) answered(ctx workflow.Context) error {
	return workflow.Await(ctx, func() bool { return r.pending() || workflow.AllHandlersFinished(ctx) })
}

func (r *run) result() ContactResult {
	c := &r.state.Contact
	return ContactResult{Status: string(c.Status), Stage: c.CurrentStage, Outcome: string(c.Outcome)}
}

func (r *run) mayContinueAsNew(ctx workflow.Context) bool {
	return r.state.Quiet() && !r.pending() && workflow.GetInfo(ctx).GetContinueAsNewSuggested()
}

func (r *run) mustCancel() bool { return r.asked() && !r.canceled }

// cancel treats a cancellation as a stop: sessions are closed and the contact
// is recorded as stopped before the run closes.
func (r *run) cancel() {
	r.canceled = true
	r.arrive(campaign.Event{Kind: campaign.EventOperate, Operation: &campaign.Operation{
		Action: campaign.OperateStop, Actor: "Temporal", Reason: "the workflow was canceled",
	}})
}

func isType(err error, t string) bool {
	app, ok := errors.AsType[*temporal.ApplicationError](err)
	return ok && app.Type() == t
}

// alarm is the one timer of a run.
type alarm struct {
	at     time.Time
	why    string
	cancel workflow.CancelFunc
}

// arm sets the timer to the next moment at which time itself has something to
// do, and leaves it alone if it is set to that already.
func (r *run) arm(ctx workflow.Context) {
	at, why, ok := r.state.Wake()
	a := &r.alarm
	if ok && a.cancel != nil && a.at.Equal(at) && a.why == why {
		return
	}
	a.disarm()
	if !ok {
		return
	}
	wait := max(at.Sub(workflow.Now(ctx)), time.Millisecond)
	tctx, cancel := workflow.WithCancel(ctx)
	a.at, a.why, a.cancel = at, why, cancel
	timer := workflow.NewTimerWithOptions(tctx, wait, workflow.TimerOptions{Summary: limit(fmt.Sprintf("%s, %s", why, at.UTC().Format("2 Jan 15:04:05 UTC")))})
	r.sel.AddFuture(timer, func(f workflow.Future) {
		if f.Get(tctx, nil) == nil {
			r.alarm = alarm{}
		}
	})
}

func (a *alarm) disarm() {
	if a.cancel != nil {
		a.cancel()
	}
	*a = alarm{}
}
