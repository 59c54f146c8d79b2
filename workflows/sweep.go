package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// settleTime is longer than a send may last: a gate that saw the old state has
// written its hold by then.
const settleTime = 20 * time.Second

// Between passes a sweep waits, twice as long each time.
const (
	firstWait = 5 * time.Second
	lastWait  = time.Minute
)

// Sweep touches many contacts one by one: it releases what a cause held, stops
// a campaign's contacts, or carries out a bulk action. A release repeats its
// passes until one that began later than settleTime after the flip finds
// nothing, so no hold is lost to a race; it ends at once when its cause is back.
func Sweep(ctx workflow.Context, in SweepInput) error {
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		began, whole := workflow.Now(ctx), in.After == ""
		found := 0
		for {
			out, err := SweepChunk.call(ctx, officeWork(string(in.Kind)+" the next contacts"), SweepChunkInput{Sweep: in})
			if err != nil {
				return err
			}
			if out.Over {
				return nil
			}
			found += out.Done
			in.After = out.Last
			if !out.More {
				break
			}
			if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
				return workflow.NewContinueAsNewError(ctx, TypeSweep, in)
			}
		}
		if in.Kind == SweepBulk || whole && found == 0 && began.After(in.Since.Add(settleTime)) {
			return nil
		}
		in.After = ""
		if err := workflow.Sleep(ctx, wait); err != nil {
			return err
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			return workflow.NewContinueAsNewError(ctx, TypeSweep, in)
		}
	}
}
