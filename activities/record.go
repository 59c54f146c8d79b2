package activities

import (
	"context"

	"go.temporal.io/sdk/activity"

	"carillon/store"
	"carillon/workflows"
)

// BeginRun hands the contact to the run that asks. Idempotent: the generation
// is allocated per run id.
func (a *Activities) BeginRun(ctx context.Context, in workflows.BeginInput) (workflows.BeginOutput, error) {
	c, err := a.Store.BeginRun(ctx, in.ContactID, runID(ctx), in.Now)
	return workflows.BeginOutput{Contact: c}, settled(err)
}

// Record writes the contact's progress. Idempotent: a revision that is written
// already changes nothing, and a run older than the newest is refused.
func (a *Activities) Record(ctx context.Context, in workflows.RecordInput) (workflows.None, error) {
	r := store.Recording{
		ContactID: in.Contact.ID, RunID: runID(ctx), Revision: in.Revision, Contact: in.Contact,
		Decisions: in.Decisions, Taken: in.Taken, Now: in.Now,
	}
	for _, s := range in.Settled {
		r.Settled = append(r.Settled, store.Settlement{ImportID: s.ImportID, Line: s.Line, Error: s.Error})
	}
	return workflows.None{}, settled(a.Store.Record(ctx, r))
}

func runID(ctx context.Context) string { return activity.GetInfo(ctx).WorkflowExecution.RunID }
