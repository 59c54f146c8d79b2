package main

import (
	"io"
	"log/slog"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAWorkersMetricsCountItsSends(t *testing.T) {
	t.Parallel()
	sends := newSendCounter()
	sends.count("sendgrid", "sent")
	sends.count("sendgrid", "sent")
	sends.count("sendgrid", "retryable")
	h, at, err := serveMetrics(t.Context(), "127.0.0.1:0", slog.New(slog.DiscardHandler), sends)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+at.String()+"/metrics", nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { require.NoError(t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), `carillon_sends_total{outcome="sent",provider="sendgrid"} 2`)
	require.Contains(t, string(text), `carillon_sends_total{outcome="retryable",provider="sendgrid"} 1`)
	require.Contains(t, string(text), "go_goroutines")
}
