package main

import (
	"context"
	"encoding/json"
	"errors"

	"go.temporal.io/sdk/client"

	"carillon/activities"
	"carillon/api"
	"carillon/campaign"
	"carillon/channels/outbox"
	"carillon/store"
	"carillon/strategies"
)

// outboxStore keeps the outbox's messages in the store.
type outboxStore struct{ store *store.Store }

// Put implements [outbox.Box].
func (o outboxStore) Put(ctx context.Context, m outbox.Message) (outbox.Message, error) {
	kept, err := o.store.PutOutbox(ctx, store.OutboxMessage(m))
	return outbox.Message(kept), err
}

// ByCorrelation implements [outbox.Box].
func (o outboxStore) ByCorrelation(ctx context.Context, key string) (outbox.Message, bool, error) {
	m, err := o.store.OutboxByCorrelation(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return outbox.Message{}, false, nil
	}
	return outbox.Message(m), err == nil, err
}

// prepareTemporal adds what we need to an existing Temporal namespace.
func prepareTemporal(ctx context.Context, o client.Options) error {
	c, err := client.DialContext(ctx, o)
	if err != nil {
		return err
	}
	defer c.Close()
	namespace := o.Namespace
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	return prepareNamespace(ctx, c, namespace)
}

// pythonRunner checks and tries strategies for the API in the same pool that
// runs them.
type pythonRunner struct{ pool *strategies.Pool }

// Check implements [api.Runner].
func (r pythonRunner) Check(ctx context.Context, q api.CheckRequest) ([]api.CodeProblem, error) {
	found, err := r.pool.Check(ctx, strategies.Type(q.Type), q.Function, q.Code, q.Stages)
	problems := make([]api.CodeProblem, len(found))
	for i, p := range found {
		problems[i] = api.CodeProblem(p)
	}
	return problems, err
}

// Try implements [api.Runner].
func (r pythonRunner) Try(ctx context.Context, q api.TryRequest) (api.Trial, error) {
	job := activities.StrategyJob(&q.Campaign, q.Stages, &q.Strategy, q.Secrets)
	result, err := r.pool.Run(ctx, job, strategies.Call{
		Contact: q.Contact, Existing: q.Existing, SessionResults: q.SessionResults, Message: q.Message, Now: q.Now,
		Kwargs: json.RawMessage(`{"idempotency_key":"try"}`),
	})
	if err != nil {
		return api.Trial{}, err
	}
	hide := campaign.NewRedactor(q.Secrets)
	t := api.Trial{Contact: result.Contact}
	for _, l := range result.Logs {
		t.Logs = append(t.Logs, campaign.LogLine{Level: l.Level, Message: hide.Replace(l.Message)})
	}
	if result.Err != nil {
		e := campaign.StrategyError(*result.Err)
		e.Message, e.Traceback = hide.Replace(e.Message), hide.Replace(e.Traceback)
		t.Error = &e
	}
	return t, nil
}
