// Package relay tells contacts' workflows what the store has committed for
// them: it turns inbox rows into signals, again and again until they are taken,
// and knows how a contact's workflow is started. It is used by the API, right
// after a commit, and by the worker, which sweeps up what a dead process left.
// It must not decide anything about a contact.
package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// Inbox is what the relay reads and marks.
type Inbox interface {
	UntakenEvents(ctx context.Context, before time.Time, limit int) ([]store.InboxEvent, error)
	TryEvents(ctx context.Context, ids []string, now time.Time) error
	TakeEvents(ctx context.Context, ids []string) error
	SettleRow(ctx context.Context, importID string, s store.Settlement) error
	MarkUnmatched(ctx context.Context, id, reason string) error
	ContactByID(ctx context.Context, id string) (campaign.Contact, error)
	HearEvent(ctx context.Context, id, contactID string, hear func(*campaign.Contact) []campaign.Decision) error
}

// Relay carries inbox events to workflows.
type Relay struct {
	Inbox    Inbox
	Temporal client.Client
	Log      *slog.Logger
}

// Start is how every contact's workflow is started: first is the moment of its
// first communication. A workflow that waits for it costs one write.
func Start(c *campaign.Contact, campaignName string, first, now time.Time) client.StartWorkflowOptions {
	attributes := []temporal.SearchAttributeUpdate{
		workflows.KeyCampaign.ValueSet(c.CampaignID), workflows.KeyObject.ValueSet(c.ObjectID),
		workflows.KeyStage.ValueSet(c.CurrentStage), workflows.KeyStatus.ValueSet(string(campaign.ContactActive)),
	}
	if !first.IsZero() {
		attributes = append(attributes, workflows.KeyNext.ValueSet(first))
	}
	summary := c.ObjectID
	if campaignName != "" {
		summary += " · " + campaignName
	}
	return client.StartWorkflowOptions{
		ID:                       workflows.ContactWorkflowID(c.CampaignID, c.ID),
		TaskQueue:                workflows.QueueContacts,
		StartDelay:               max(first.Sub(now), 0),
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
		TypedSearchAttributes:    temporal.NewSearchAttributes(attributes...),
		StaticSummary:            summary,
		Priority:                 temporal.Priority{FairnessKey: c.CampaignID},
		WorkflowTaskTimeout:      10 * time.Second,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
	}
}

// Input is the argument of a contact's workflow.
func Input(c *campaign.Contact) workflows.ContactInput {
	return workflows.ContactInput{CampaignID: c.CampaignID, ContactID: c.ID}
}

// Deliver signals one event to its contact. Rows of imports and stops start a
// workflow where none runs, and wake one that waits for its first date; what a
// provider reports of a contact without a workflow goes on its timeline, and
// where it can be written to into its record; any other event is put with the unmatched ones.
// The event stays untaken until the workflow has recorded it.
func (r *Relay) Deliver(ctx context.Context, e store.InboxEvent) error {
	var event campaign.Event
	if err := json.Unmarshal(e.Payload, &event); err != nil {
		return r.Inbox.MarkUnmatched(ctx, e.ID, "unreadable: "+err.Error())
	}
	c, err := r.Inbox.ContactByID(ctx, e.ContactID)
	if errors.Is(err, store.ErrNotFound) {
		if row := event.Import; event.Kind == campaign.EventImport && row != nil { // its import waits for the row
			if err := r.Inbox.SettleRow(ctx, row.ImportID, store.Settlement{
				ImportID: row.ImportID, Line: row.Line, Error: &campaign.RowError{Line: row.Line, Reason: "the contact was deleted"},
			}); err != nil {
				return fmt.Errorf("relay event %s: %w", e.ID, err)
			}
		}
		return r.Inbox.MarkUnmatched(ctx, e.ID, "the contact does not exist")
	} else if err != nil {
		return fmt.Errorf("relay event %s: %w", e.ID, err)
	}
	name := workflows.SignalFor(event.Kind)
	id := workflows.ContactWorkflowID(c.CampaignID, c.ID)
	if starts(event.Kind) {
		_, err = r.Temporal.SignalWithStartWorkflow(ctx, id, name, event, Start(&c, "", time.Time{}, time.Time{}), workflows.TypeContact, Input(&c))
	} else {
		err = r.Temporal.SignalWorkflow(ctx, id, "", name, event)
	}
	if _, gone := errors.AsType[*serviceerror.NotFound](err); gone {
		if event.Kind == campaign.EventDelivery || event.Kind == campaign.EventLinked {
			return r.heard(ctx, &e, &event)
		}
		if event.Kind == campaign.EventMessage {
			return r.Inbox.MarkUnmatched(ctx, e.ID, "the contact is "+string(c.Status)+" and has no workflow")
		}
		return r.Inbox.TakeEvents(ctx, []string{e.ID})
	}
	if err != nil {
		return fmt.Errorf("signal event %s: %w", e.ID, err)
	}
	return nil
}

// heard puts a report on the timeline of a contact that no workflow runs. Where
// one should run and does not, the event waits for it.
func (r *Relay) heard(ctx context.Context, e *store.InboxEvent, event *campaign.Event) error {
	err := r.Inbox.HearEvent(ctx, e.ID, e.ContactID, func(c *campaign.Contact) []campaign.Decision {
		return campaign.Heard(c, event, time.Now().UTC().Truncate(time.Microsecond))
	})
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func starts(k campaign.EventKind) bool {
	return k == campaign.EventImport || k == campaign.EventOperate || k == campaign.EventRelease
}

// Run delivers, until ctx ends, every event that is due for five seconds and
// still untaken: what a process that died between commit and signal left.
func (r *Relay) Run(ctx context.Context) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := r.Pass(ctx, time.Now().UTC().Add(-5*time.Second)); err != nil && ctx.Err() == nil {
			r.Log.Warn("relay pass", "error", err)
		}
	}
}

// passSize bounds one pass; concurrency bounds signals in flight.
const (
	passSize    = 500
	concurrency = 16
)

// Pass delivers the events that were due before a moment and returns how many.
// They are marked as tried first: what nobody takes comes again more and more
// seldom, and whatever comes of it does not keep others waiting.
func (r *Relay) Pass(ctx context.Context, before time.Time) (int, error) {
	events, err := r.Inbox.UntakenEvents(ctx, before, passSize)
	if err != nil {
		return 0, fmt.Errorf("read the inbox: %w", err)
	}
	if len(events) == 0 {
		return 0, nil
	}
	ids := make([]string, len(events))
	for i := range events {
		ids[i] = events[i].ID
	}
	if err := r.Inbox.TryEvents(ctx, ids, before); err != nil {
		return 0, err
	}
	return len(events), r.DeliverAll(ctx, events)
}

// DeliverAll delivers events, those of one contact in their order.
func (r *Relay) DeliverAll(ctx context.Context, events []store.InboxEvent) error {
	byContact := map[string][]store.InboxEvent{}
	var order []string
	for _, e := range events {
		if _, ok := byContact[e.ContactID]; !ok {
			order = append(order, e.ContactID)
		}
		byContact[e.ContactID] = append(byContact[e.ContactID], e)
	}
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		all  error
		gate = make(chan struct{}, concurrency)
	)
	for _, id := range order {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			for _, e := range byContact[id] {
				if err := r.Deliver(ctx, e); err != nil {
					mu.Lock()
					all = errors.Join(all, err)
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return all
}

// Wake tells a campaign's launcher to look for contacts to start.
func Wake(ctx context.Context, c client.Client, campaignID string) error {
	_, err := c.SignalWithStartWorkflow(ctx, workflows.LaunchWorkflowID(campaignID), workflows.SignalWake, nil, client.StartWorkflowOptions{
		ID: workflows.LaunchWorkflowID(campaignID), TaskQueue: workflows.QueueContacts,
		StaticSummary: "launcher of campaign " + campaignID,
	}, workflows.TypeLaunch, workflows.LaunchInput{CampaignID: campaignID})
	if err != nil {
		return fmt.Errorf("wake the launcher of %s: %w", campaignID, err)
	}
	return nil
}

// Sweep starts a sweep; one with the same id that runs is left alone.
func Sweep(ctx context.Context, c client.Client, in workflows.SweepInput) error {
	_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.SweepWorkflowID(in.ID), TaskQueue: workflows.QueueContacts,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		StaticSummary:            string(in.Kind) + " " + in.CampaignID,
	}, workflows.TypeSweep, in)
	if err != nil {
		return fmt.Errorf("start sweep %s: %w", in.ID, err)
	}
	return nil
}

// StartImport starts the processing of a sealed upload.
func StartImport(ctx context.Context, c client.Client, importID string, chunks int) error {
	_, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: workflows.ImportWorkflowID(importID), TaskQueue: workflows.QueueContacts,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
		StaticSummary:            "import " + importID,
	}, workflows.TypeImport, workflows.ImportInput{ImportID: importID, Chunks: chunks})
	if err != nil && !temporal.IsWorkflowExecutionAlreadyStartedError(err) {
		return fmt.Errorf("start import %s: %w", importID, err)
	}
	return nil
}
