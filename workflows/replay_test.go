package workflows_test

import (
	"compress/gzip"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"carillon/workflows"
)

// TestReplay replays every recorded history on this build: a workflow that
// runs in production would go on with it. Histories are recorded by `make
// histories`, named for their scenario, and kept for ever.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/replay/*.json.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files, "no recorded histories: run make histories")
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.Contact, workflow.RegisterOptions{Name: workflows.TypeContact})
	replayer.RegisterWorkflowWithOptions(workflows.Import, workflow.RegisterOptions{Name: workflows.TypeImport})
	replayer.RegisterWorkflowWithOptions(workflows.Launch, workflow.RegisterOptions{Name: workflows.TypeLaunch})
	replayer.RegisterWorkflowWithOptions(workflows.Sweep, workflow.RegisterOptions{Name: workflows.TypeSweep})
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			f, err := os.Open(name)
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close() })
			z, err := gzip.NewReader(f)
			require.NoError(t, err)
			h, err := client.HistoryFromJSON(z, client.HistoryJSONOptions{})
			require.NoError(t, err)
			require.NoError(t, replayer.ReplayWorkflowHistory(log.NewStructuredLogger(slog.New(slog.DiscardHandler)), h))
		})
	}
}
