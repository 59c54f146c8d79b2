package activities

import (
	"context"
	"errors"
	"sync"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
	"carillon/workflows"
)

const (
	launchSize        = 500
	launchConcurrency = 24
)

// LaunchChunk starts the workflows of the next planned contacts. A contact is
// claimed in the store, then started, then confirmed; what a dead process left
// claimed is claimed again. Idempotent: a workflow that runs is not started
// twice, and one that has ended finds its contact ended.
func (a *Activities) LaunchChunk(ctx context.Context, in workflows.LaunchChunkInput) (workflows.LaunchChunkOutput, error) {
	stop := heartbeats(ctx)
	defer stop()
	camp, err := a.Store.Campaign(ctx, in.CampaignID)
	if isNotFound(err) {
		return workflows.LaunchChunkOutput{}, nil
	} else if err != nil {
		return workflows.LaunchChunkOutput{}, err
	}
	if camp.Status != campaign.Running {
		return workflows.LaunchChunkOutput{}, nil
	}
	out := workflows.LaunchChunkOutput{Running: true}
	for ctx.Err() == nil {
		contacts, err := a.Store.ClaimLaunch(ctx, in.CampaignID, launchSize, a.now())
		if err != nil {
			return out, err
		}
		if len(contacts) == 0 {
			return out, nil
		}
		ids, err := a.startAll(ctx, contacts, camp.Name)
		if cerr := a.Store.ConfirmLaunch(ctx, ids, a.now()); cerr != nil || err != nil {
			return out, errors.Join(err, cerr)
		}
		out.Started += len(ids)
		if out.Started >= 20*launchSize {
			out.More = true
			return out, nil
		}
	}
	return out, ctx.Err()
}

func (a *Activities) startAll(ctx context.Context, contacts []campaign.Contact, name string) ([]string, error) {
	var (
		wg      sync.WaitGroup
		mu      sync.Mutex
		started []string
		all     error
		gate    = make(chan struct{}, launchConcurrency)
	)
	for i := range contacts {
		c := &contacts[i]
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			err := a.startOne(ctx, c, name)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				all = errors.Join(all, err)
				return
			}
			started = append(started, c.ID)
		})
	}
	wg.Wait()
	return started, all
}

func (a *Activities) startOne(ctx context.Context, c *campaign.Contact, name string) error {
	next := c.Next()
	if next == nil {
		return nil
	}
	options := relay.Start(c, name, next.StartDate, a.now())
	options.WorkflowIDConflictPolicy = enumspb.WORKFLOW_ID_CONFLICT_POLICY_FAIL
	options.WorkflowExecutionErrorWhenAlreadyStarted = true
	_, err := a.Temporal.ExecuteWorkflow(ctx, options, workflows.TypeContact, relay.Input(c))
	if temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return nil
	}
	return err
}

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
