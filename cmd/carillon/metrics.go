package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// sendCounter counts the calls of providers that this process makes.
type sendCounter struct{ *prometheus.CounterVec }

func newSendCounter() sendCounter {
	return sendCounter{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "carillon_sends_total", Help: "Calls of providers to send a message, by provider and how they ended: sent, or the class of the failure.",
	}, []string{"provider", "outcome"})}
}

func (c sendCounter) count(provider, outcome string) { c.WithLabelValues(provider, outcome).Inc() }

// serveMetrics serves the numbers of a process that has no API, until its server
// is shut down.
func serveMetrics(ctx context.Context, address string, log *slog.Logger, of prometheus.Collector) (*http.Server, net.Addr, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, nil, fmt.Errorf("listen on %s (--metrics-listen): %w", address, err)
	}
	r := prometheus.NewRegistry()
	r.MustRegister(of, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{}))
	h := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := h.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			log.Error("the metrics' server ended", "error", err)
		}
	}()
	return h, l.Addr(), nil
}
