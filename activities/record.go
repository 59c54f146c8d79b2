package activities

import (
	"context"
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/activity"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// BeginRun hands the contact to the run that asks, with its sessions, so that
// a run that begins in the middle of a contact's life finds what is open.
// Idempotent: the first answer is kept under the run's id, because a workflow
// task that is executed again must begin where its dead attempt began.
func (a *Activities) BeginRun(ctx context.Context, in workflows.BeginInput) (workflows.BeginOutput, error) {
	run := runID(ctx)
	var out workflows.BeginOutput
	raw, ok, err := a.Store.Memo(ctx, in.ContactID, run, 0)
	if err != nil {
		return out, err
	}
	if !ok {
		if out.Contact, err = a.Store.BeginRun(ctx, in.ContactID, run, in.Now); err != nil {
			return out, settled(err)
		}
		if out.Sessions, err = a.sessionsOf(ctx, &out.Contact); err != nil {
			return out, err
		}
		if out.Final, err = a.finalStage(ctx, &out.Contact); err != nil {
			return out, err
		}
		if raw, err = json.Marshal(out); err != nil {
			return out, fmt.Errorf("write contact %s: %w", in.ContactID, err)
		}
		if raw, err = a.Store.PutMemo(ctx, in.ContactID, run, 0, raw, nil); err != nil {
			return out, err
		}
	}
	out = workflows.BeginOutput{}
	return out, json.Unmarshal(raw, &out)
}

func (a *Activities) finalStage(ctx context.Context, c *campaign.Contact) (*campaign.FinalStage, error) {
	if c.CurrentStage == "" {
		return nil, nil
	}
	s, err := a.Store.StageByName(ctx, c.CampaignID, c.CurrentStage)
	if isNotFound(err) || err == nil && !s.Final() {
		return nil, nil
	}
	return &campaign.FinalStage{Name: s.Name, Outcome: s.Outcome}, err
}

// sessionsOf lists the sessions of a contact that has been spoken to.
func (a *Activities) sessionsOf(ctx context.Context, c *campaign.Contact) ([]campaign.SessionBrief, error) {
	if c.Attempts() == 0 {
		return nil, nil
	}
	page, err := a.Store.Sessions(ctx, store.SessionFilter{ContactID: c.ID}, store.Page{Limit: 500})
	if err != nil {
		return nil, err
	}
	var out []campaign.SessionBrief
	for i := range page.Items {
		s := &page.Items[i]
		b := campaign.SessionBrief{ID: s.ID, CommunicationID: s.CommunicationID, Status: s.Status, Reason: s.Reason, Results: s.Results, Late: s.Late, At: s.CreatedAt}
		if s.LastMessageAt != nil {
			b.At = *s.LastMessageAt
		}
		if s.Status == campaign.SessionOpen && s.AgentID != "" {
			if b.Turns, b.Ask, err = a.waitsForTurn(ctx, s); err != nil {
				return nil, err
			}
		}
		out = append(out, b)
	}
	return out, nil
}

// waitsForTurn says how a session's agent comes to speak, and which message of the
// contact it has not answered. An answer that is still pending may never have
// left: the same turn says it again.
func (a *Activities) waitsForTurn(ctx context.Context, s *campaign.Session) (turns campaign.Turns, ask string, err error) {
	agent, err := a.Store.Agent(ctx, s.AgentID)
	if isNotFound(err) {
		return "", "", nil
	} else if err != nil {
		return "", "", err
	}
	if turns = a.Agents.Turns(agent.Kind); turns == campaign.TurnsNone || s.Mode == campaign.ModeHuman { // a person answers
		return turns, "", nil
	}
	whole, err := a.Store.Session(ctx, s.ID)
	for _, m := range whole.Messages {
		switch {
		case m.Author == campaign.AuthorContact:
			ask = m.ID
		case m.Delivery != "pending":
			ask = ""
		}
	}
	return turns, ask, err
}

// Record writes the contact's progress. Idempotent: a revision that is written
// already changes nothing, and a run older than the newest is refused.
func (a *Activities) Record(ctx context.Context, in workflows.RecordInput) (workflows.None, error) {
	r := store.Recording{
		ContactID: in.Contact.ID, RunID: runID(ctx), Revision: in.Revision, After: in.After, Contact: in.Contact,
		Decisions: in.Decisions, Taken: in.Taken, Unmatched: in.Unmatched, Reopened: in.Reopened, Now: in.Now,
	}
	for _, s := range in.Settled {
		r.Settled = append(r.Settled, store.Settlement{ImportID: s.ImportID, Line: s.Line, Error: s.Error})
	}
	return workflows.None{}, settled(a.Store.Record(ctx, r))
}

func runID(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.RunID }
