package activities

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/store"
	"carillon/strategies"
	"carillon/workflows"
)

const (
	localBudget = time.Second            // of a strategy run in place
	knownSlow   = 500 * time.Millisecond // past this, a version goes to its own queue from the start
)

// RunStrategy runs one strategy for one contact and says what it changed.
// Idempotent by (contact, run, step): a repeated call returns what the first
// one committed. The strategy itself may run more than once if the worker dies
// before that commit; idempotency_key tells it so.
func (a *Activities) RunStrategy(ctx context.Context, in workflows.StrategyInput) (campaign.StrategyOutcome, error) {
	run, step := runID(ctx)+"/"+subject(&in), in.Step
	if in.Import != nil {
		step = 0 // a row comes once in a run, also if a repeated task counts its steps in another order
	}
	if raw, ok, err := a.Store.Memo(ctx, in.ContactID, run, step); err != nil || ok {
		return outcomeOf(raw, err)
	}
	if in.Import != nil { // an earlier run may have settled it
		if pending, err := a.Store.RowPending(ctx, in.Import.ImportID, in.Import.Line); err != nil || !pending {
			return campaign.StrategyOutcome{None: true}, err
		}
	}
	strategy, err := a.Store.ActiveStrategy(ctx, in.CampaignID, in.Type)
	none := errors.Is(err, store.ErrNotFound)
	if err != nil && !none {
		return campaign.StrategyOutcome{}, err
	}
	if none && in.Type != campaign.DataLoad {
		return campaign.StrategyOutcome{None: true}, nil
	}
	if in.Local && (strategy.Slow || strategy.Network) {
		return campaign.StrategyOutcome{}, temporal.NewNonRetryableApplicationError("this version is known to be slow", workflows.ErrTypeSlow, nil)
	}
	base, err := a.base(ctx, &in)
	if err != nil {
		return campaign.StrategyOutcome{}, err
	}
	camp, err := a.Store.Campaign(ctx, in.CampaignID)
	if err != nil {
		return campaign.StrategyOutcome{}, settled(err)
	}
	stages, err := a.Store.Stages(ctx, in.CampaignID)
	if err != nil {
		return campaign.StrategyOutcome{}, err
	}
	k := campaign.Knowledge{Stages: stages, Now: in.Now}
	if in.Ending != nil {
		k.Flagged = in.Ending.CommunicationID
	}
	if in.Import != nil {
		merged := in.Import.Row.Merge(base)
		if k.Timezone = merged.Timezone; none { // a row without a data load strategy is merged
			raw, err := mergedOutcome(base, merged, k)
			if err != nil {
				return campaign.StrategyOutcome{}, err
			}
			return outcomeOf(a.Store.PutMemo(ctx, in.ContactID, run, step, raw, nil))
		}
	}
	call, err := a.call(ctx, &in, base)
	if err != nil {
		return campaign.StrategyOutcome{}, err
	}
	secrets, err := a.Store.CampaignSecrets(ctx, in.CampaignID)
	if err != nil {
		return campaign.StrategyOutcome{}, err
	}
	job := StrategyJob(&camp, stages, &strategy, secrets)
	if in.Local {
		job.Deadline = localBudget
	}
	began := time.Now()
	result, err := a.Runner.Run(ctx, job, call)
	if err != nil {
		return campaign.StrategyOutcome{}, fmt.Errorf("run strategy %s of %s: %w", in.Type, in.ContactID, err)
	}
	if result.Duration > knownSlow && !strategy.Slow {
		if err := a.Store.MarkSlow(ctx, strategy.ID, strategy.Version); err != nil {
			a.Log.Warn("slow strategy not marked", "strategy_id", strategy.ID, "error", err)
		}
	}
	hide := campaign.NewRedactor(secrets)
	if e := result.Err; e != nil && e.Transient() {
		if in.Local {
			return campaign.StrategyOutcome{}, temporal.NewNonRetryableApplicationError(hide.Replace(e.Error()), workflows.ErrTypeSlow, nil)
		}
		if !e.User() || activity.GetInfo(ctx).Attempt < 2 {
			return campaign.StrategyOutcome{}, temporal.NewApplicationError(hide.Replace(e.Error()), e.Kind)
		}
	}
	out, record := judge(base, result, &strategy, k, hide)
	record.ID = fmt.Sprintf("%s/%s/%d", in.ContactID, run, in.Step)
	record.At, record.CampaignID, record.ContactID = in.Now, in.CampaignID, in.ContactID
	record.DurationMS = time.Since(began).Milliseconds()
	raw, err := json.Marshal(out)
	if err != nil {
		return out, fmt.Errorf("write the outcome of strategy %s: %w", in.Type, err)
	}
	return outcomeOf(a.Store.PutMemo(ctx, in.ContactID, run, step, raw, &record))
}

// subject names what the call is about. It is part of the memo's key: a
// workflow task that is executed again may take its events in another order.
func subject(in *workflows.StrategyInput) string {
	switch {
	case in.Ending != nil:
		return fmt.Sprintf("%s/%s/%s", in.Type, in.Ending.CommunicationID, in.Ending.SessionID)
	case in.Import != nil:
		return fmt.Sprintf("%s/%s:%d", in.Type, in.Import.ImportID, in.Import.Line)
	case in.Message != nil:
		return fmt.Sprintf("%s/%s", in.Type, in.Message.ID)
	default:
		return string(in.Type)
	}
}

func outcomeOf(raw json.RawMessage, err error) (out campaign.StrategyOutcome, _ error) {
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(raw, &out)
}

func (a *Activities) base(ctx context.Context, in *workflows.StrategyInput) (campaign.Contact, error) {
	if in.Contact != nil {
		return *in.Contact, nil
	}
	c, err := a.Store.Contact(ctx, in.CampaignID, in.ContactID)
	return c, settled(err)
}

func mergedOutcome(base, merged campaign.Contact, k campaign.Knowledge) (json.RawMessage, error) {
	raw, err := json.Marshal(merged)
	if err != nil {
		return nil, err
	}
	change, err := campaign.Diff(base, raw, k)
	if err == nil {
		err = merged.CheckSize()
	}
	if err != nil { // the row's fault: it fails, and is not tried again for ever
		return json.Marshal(campaign.StrategyOutcome{None: true, Error: &campaign.StrategyError{Kind: strategies.KindBadResult, Message: err.Error()}})
	}
	return json.Marshal(campaign.StrategyOutcome{None: true, Change: change})
}

// judge turns what a strategy returned into a change, or into the error its
// author sees, and into the record of the run. Neither shows a secret.
func judge(base campaign.Contact, r strategies.Result, s *campaign.Strategy, k campaign.Knowledge, hide *campaign.Redactor) (campaign.StrategyOutcome, campaign.StrategyRun) {
	out := campaign.StrategyOutcome{Version: s.Version}
	record := campaign.StrategyRun{StrategyID: s.ID, Type: s.Type, Version: s.Version, Status: "ok", Logs: []campaign.LogLine{}}
	for _, l := range r.Logs {
		record.Logs = append(record.Logs, campaign.LogLine(l))
	}
	switch {
	case r.Err != nil:
		e := campaign.StrategyError(*r.Err)
		out.Error = &e
	case r.Contact != nil:
		change, err := campaign.Diff(base, r.Contact, k)
		if err != nil {
			out.Error = &campaign.StrategyError{Kind: strategies.KindBadResult, Message: err.Error(), File: filename(s)}
			break
		}
		after := base.Clone()
		change.Apply(&after, k.Now, false)
		if err := after.CheckSize(); err != nil {
			out.Error = &campaign.StrategyError{Kind: strategies.KindBadResult, Message: err.Error(), File: filename(s)}
			break
		}
		out.Change = change
		for _, line := range change.Ignored {
			record.Logs = append(record.Logs, campaign.LogLine{Level: "warning", Message: "ignored: " + line})
		}
	}
	for i := range record.Logs {
		record.Logs[i].Message = hide.Replace(record.Logs[i].Message)
	}
	if e := out.Error; e != nil {
		e.Message, e.Traceback = hide.Replace(e.Message), hide.Replace(e.Traceback)
		record.Status, record.Error = "error", e
	}
	return out, record
}

func filename(s *campaign.Strategy) string { return s.Name + ".py" }

// call is what this one run is given.
func (a *Activities) call(ctx context.Context, in *workflows.StrategyInput, base campaign.Contact) (strategies.Call, error) {
	kwargs := map[string]any{"idempotency_key": fmt.Sprintf("%s/%s/%d", in.ContactID, runID(ctx), in.Step)}
	call := strategies.Call{Now: in.Now}
	given := base
	var err error
	switch {
	case in.Import != nil:
		given = in.Import.Row.Merge(base)
		if call.Existing, err = json.Marshal(base); err != nil {
			return call, err
		}
	case in.Ending != nil:
		kwargs["communication_id"] = in.Ending.CommunicationID
		results, session, err := a.sessionResults(ctx, in.Ending, &base, in.Now)
		if err != nil {
			return call, err
		}
		if session != nil {
			kwargs["session"] = session
		}
		if call.SessionResults, err = json.Marshal(results); err != nil {
			return call, err
		}
	case in.Message != nil:
		s, err := a.Store.Session(ctx, in.Message.SessionID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return call, err
		}
		kwargs["communication_id"], kwargs["session"] = s.CommunicationID, s
		message := *in.Message
		message.At = in.Now
		if call.Message, err = json.Marshal(message); err != nil {
			return call, err
		}
	}
	if call.Kwargs, err = json.Marshal(kwargs); err != nil {
		return call, err
	}
	call.Contact, err = json.Marshal(given)
	return call, err
}

// sessionResults is the dictionary aggregation is given: what the agent found
// out, then what the engine knows. The agent's own OutcomeStatus wins.
func (a *Activities) sessionResults(ctx context.Context, e *campaign.Ending, c *campaign.Contact, now time.Time) (map[string]any, *campaign.Session, error) {
	type said struct {
		Author  campaign.Author `json:"author"`
		Content string          `json:"content"`
		At      time.Time       `json:"at"`
	}
	m := c.Communication(e.CommunicationID)
	out := map[string]any{
		"OutcomeStatus": string(e.Outcome), "SessionStatus": string(e.SessionStatus), "Reason": e.Reason, "Messages": []any{},
	}
	if m != nil {
		out["Channel"], out["StageName"] = string(m.Channel), m.StageName
		if m.Channel == campaign.EmailNotification && e.Outcome == campaign.CommunicationCompleted && !e.Answered {
			out["OutcomeStatus"] = string(campaign.CommunicationNoResponse)
		}
	}
	for _, k := range e.Results.Keys() {
		out[k] = e.Results[k]
	}
	if e.Said != "" { // a late answer that has no session
		out["Messages"] = []said{{campaign.AuthorContact, e.Said, now}}
	}
	if e.SessionID == "" {
		return out, nil, nil
	}
	s, err := a.Store.Session(ctx, e.SessionID)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	messages := make([]said, len(s.Messages))
	for i, x := range s.Messages {
		messages[i] = said{x.Author, x.Content, x.At}
	}
	out["Messages"] = messages
	return out, &s, nil
}
