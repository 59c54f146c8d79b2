package api_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"carillon/api"
)

func TestStartWakesTheLauncher(t *testing.T) {
	t.Parallel()
	binary, err := filepath.Abs("../bin/temporal")
	require.NoError(t, err)
	if _, err := os.Stat(binary); err != nil {
		t.Skip("make temporal puts the dev server into ./bin")
	}
	dev, err := testsuite.StartDevServer(t.Context(), testsuite.DevServerOptions{ExistingPath: binary, LogLevel: "error"})
	require.NoError(t, err)
	t.Cleanup(func() { _ = dev.Stop() })

	s := serve(t, func(d *api.Deps) { d.Temporal = dev.Client() })
	path := s.campaign("One")
	id := path[len("/v1/campaigns/"):]
	s.call("POST", path+"/start", nil).ok(200)
	_, err = dev.Client().DescribeWorkflowExecution(t.Context(), "launch/"+id, "")
	require.NoError(t, err)
	s.call("POST", path+"/pause", nil).ok(200)
	s.call("POST", path+"/resume", nil).ok(200)
	_, err = dev.Client().DescribeWorkflowExecution(t.Context(), "sweep/release-campaign-"+id+"-4", "")
	require.NoError(t, err)
	s.call("POST", path+"/resume", nil).fails(409)
	left, err := s.store.SweepsLeft(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Empty(t, left, "what Temporal has, and what was refused, is not kept")
	s.call("POST", path+"/stop", nil).ok(200)
	_, err = dev.Client().DescribeWorkflowExecution(t.Context(), "sweep/stop-"+id, "")
	require.NoError(t, err)

	ready := s.call("GET", "/readyz", nil).ok(503)
	require.Equal(t, "ok", ready["temporal"])
	require.Equal(t, "none polls", ready["worker"])
}
