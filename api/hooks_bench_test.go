package api_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
	"carillon/channels/all"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/internal/pgtest"
	"carillon/store"
)

// BenchmarkHooks is one signed event of one message a request, verified and
// committed; nobody is told. Every other figure of it belongs to the caller.
func BenchmarkHooks(b *testing.B) {
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return filepath.Join(b.TempDir(), "carillon.db") },
		"postgres": func() string { return pgtest.New(b) },
	} {
		b.Run(name, func(b *testing.B) { benchmarkHooks(b, openStore(b, dsn())) })
	}
}

func benchmarkHooks(b *testing.B, s *store.Store) {
	ctx, signer := b.Context(), sendgridtest.NewSigner()
	require.NoError(b, s.CreateIntegration(ctx, campaign.Integration{
		ID: "in_1", Name: "mail", Provider: "sendgrid", Settings: map[string]string{"from_email": "a@example.com", "event_public_key": signer.PublicKey},
	}))
	server, err := api.New(api.Deps{Store: s, Channels: all.New(frontBox{s}), AdminKey: adminKey, PublicURL: "https://carillon.example"})
	require.NoError(b, err)
	h := httptest.NewServer(server.Handler())
	defer h.Close()
	requests := make([]*http.Request, b.N)
	for i := range requests {
		id := fmt.Sprintf("ct_%d-1", i)
		_, _, err := s.ClaimSend(ctx, store.Send{ID: id, CommunicationID: id, ContactID: fmt.Sprint("ct_", i), IntegrationID: "in_1", Channel: campaign.EmailNotification, CorrelationKey: id, CreatedAt: time.Now()}, nil, nil)
		require.NoError(b, err)
		said := event(fmt.Sprintf("event-%d", i), "delivered", id)
		said["sg_message_id"] = fmt.Sprintf("pm%d.filter0001", i)
		body := events(said)
		requests[i], err = http.NewRequestWithContext(ctx, http.MethodPost, h.URL+"/hooks/sendgrid/in_1/events", bytes.NewReader(body))
		require.NoError(b, err)
		signer.Sign(requests[i].Header, body, time.Now())
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	var next atomic.Int64
	b.SetParallelism(24)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := client.Do(requests[next.Add(1)-1])
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Error(err, resp)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "hooks/s")
}
