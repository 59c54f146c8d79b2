package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"
)

// LaunchInput names the campaign a launcher works for.
type LaunchInput struct {
	CampaignID string `json:"campaign_id"`
}

// Launch starts every planned contact of a running campaign. It is woken by
// start, resume and an import's end, looks again every minute, and ends when
// the campaign does not run any more; the next start or resume begins it anew.
// Nothing else starts contacts, so none is forgotten whatever the order of
// import, start and pause.
func Launch(ctx workflow.Context, in LaunchInput) error {
	wake := workflow.GetSignalChannelWithOptions(ctx, SignalWake, workflow.SignalChannelOptions{Description: "look for contacts to start"})
	for {
		for wake.ReceiveAsync(nil) {
			continue
		}
		out, err := LaunchChunk.call(ctx, officeWork("start the contacts that are planned"), LaunchChunkInput(in))
		if err != nil {
			return err
		}
		if !out.Running && wake.Len() == 0 {
			return nil
		}
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() { // a new run looks at once: wakes are answered
			for wake.ReceiveAsync(nil) {
				continue
			}
			return workflow.NewContinueAsNewError(ctx, TypeLaunch, in)
		}
		if out.More {
			continue
		}
		if _, err := workflow.AwaitWithTimeout(ctx, time.Minute, func() bool { return wake.Len() > 0 }); err != nil {
			return err
		}
	}
}
