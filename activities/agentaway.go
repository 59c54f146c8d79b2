package activities

import (
	"context"
	"errors"
	"fmt"

	"carillon/agents"
	"carillon/campaign"
	"carillon/store"
)

// asked keeps what the end of a turn tells about its agent: one that cannot be
// reached, answers 5xx or not in time is shown in error when that goes on, and runs
// again with its next answer. It is asked all the while: nothing is held.
func (a *Activities) asked(ctx context.Context, agent *campaign.Agent, turnID string, err error) {
	ctx = context.WithoutCancel(ctx)
	f, failed := errors.AsType[*agents.Failure](err)
	switch {
	case err == nil:
		a.answers(ctx, agent)
	case failed && !f.Permanent: // what it refuses for good is put before a person, contact by contact
		a.askedInVain(ctx, agent, turnID, f)
	}
}

func (a *Activities) askedInVain(ctx context.Context, agent *campaign.Agent, turnID string, f *agents.Failure) {
	since, show := a.silences.failed(agent.ID, turnID, agent.Status != campaign.AgentRunning, a.now())
	if !show {
		return
	}
	why := fmt.Sprintf("it has given no answer since %s and is asked again; the last time: %v (turn %s)", since.UTC().Format("2006-01-02 15:04 UTC"), f, turnID)
	err := a.agentStatus(ctx, agent.ID, campaign.AgentRunning, campaign.AgentError, why)
	switch {
	case err == nil:
		a.Log.Warn("agent gives no answers", "agent_id", agent.ID, "since", since, "error", f)
	case !errors.Is(err, errAsItIs) && !errors.Is(err, store.ErrNotFound):
		a.silences.unshown(agent.ID)
		a.Log.Warn("status of an agent not kept", "agent_id", agent.ID, "error", err)
	}
}

func (a *Activities) answers(ctx context.Context, agent *campaign.Agent) {
	a.silences.over(agent.ID)
	if agent.Status != campaign.AgentError {
		return
	}
	err := a.agentStatus(ctx, agent.ID, campaign.AgentError, campaign.AgentRunning, "")
	switch {
	case err == nil:
		a.Log.Info("agent answers again", "agent_id", agent.ID)
	case !errors.Is(err, errAsItIs) && !errors.Is(err, store.ErrNotFound): // the next answer tries again
		a.Log.Warn("status of an agent not kept", "agent_id", agent.ID, "error", err)
	}
}

// agentStatus changes an agent's status unless somebody else has meanwhile.
func (a *Activities) agentStatus(ctx context.Context, id string, from, to campaign.AgentStatus, why string) error {
	_, err := a.Store.UpdateAgent(ctx, id, func(v *campaign.Agent) error {
		if v.Status != from {
			return errAsItIs
		}
		v.Status, v.StatusMessage = to, why
		return nil
	})
	return err
}
