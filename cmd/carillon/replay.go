package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	sdkworker "go.temporal.io/sdk/worker"

	"carillon/worker"
)

// replayCmd replays a history against this build: it proves that a workflow
// that runs now would go on with it.
type replayCmd struct {
	File       string `arg:"" optional:"" type:"existingfile" help:"History as downloaded in the Web UI, payloads decoded or not, or by temporal workflow show -o json; also gzipped."`
	WorkflowID string `name:"workflow-id" help:"Fetch the history of this workflow from the server instead (TEMPORAL_ADDRESS)."`
	RunID      string `name:"run-id" help:"Run of the workflow; the newest if not given."`
}

// Run fails with the first command that differs.
func (r *replayCmd) Run(ctx context.Context, out io.Writer) error {
	replayer := sdkworker.NewWorkflowReplayer()
	worker.RegisterWorkflows(replayer)
	logger := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	name := r.File
	switch {
	case r.File != "":
		history, err := readHistory(r.File)
		if err != nil {
			return err
		}
		if err := replayer.ReplayWorkflowHistory(logger, history); err != nil {
			return fmt.Errorf("%s does not replay: %w", r.File, err)
		}
	case r.WorkflowID != "":
		name = r.WorkflowID
		o, err := temporalOptions()
		if err != nil {
			return err
		}
		c, err := client.DialContext(ctx, o)
		if err != nil {
			return err
		}
		defer c.Close()
		history := c.GetWorkflowHistory(ctx, r.WorkflowID, r.RunID, false, 0)
		h, err := collect(history)
		if err != nil {
			return fmt.Errorf("fetch the history of %s: %w", r.WorkflowID, err)
		}
		if err := replayer.ReplayWorkflowHistory(logger, h); err != nil {
			return fmt.Errorf("%s does not replay: %w", r.WorkflowID, err)
		}
	default:
		return errors.New("give a history file or --workflow-id")
	}
	_, err := fmt.Fprintf(out, "%s replays on this build\n", name)
	return err
}
