package api

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"carillon/campaign"
	"carillon/store"
)

// metrics is what /metrics shows.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	hooks    *prometheus.CounterVec
	reports  *prometheus.CounterVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "carillon_http_requests_total", Help: "Requests by method, route and status.",
		}, []string{"method", "route", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "carillon_http_request_seconds", Help: "How long requests took.", Buckets: prometheus.DefBuckets,
		}, []string{"method", "route"}),
	}
	m.hooks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "carillon_webhooks_total", Help: "Webhook requests by provider and outcome.",
	}, []string{"provider", "outcome"})
	m.reports = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "carillon_provider_events_total", Help: "What verified webhooks told, by provider and what it was; repetitions count.",
	}, []string{"provider", "what"})
	m.registry.MustRegister(m.requests, m.seconds, m.hooks, m.reports, &census{server: s},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.registry.MustRegister(s.Collectors...)
	return m
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(method, route).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

var (
	campaignsGauge = prometheus.NewDesc("carillon_campaigns", "Campaigns by status.", []string{"status"}, nil)
	contactsGauge  = prometheus.NewDesc("carillon_contacts", "Contacts by status.", []string{"status"}, nil)
)

// censusAge is how long a count is good: counting reads every campaign.
const censusAge = 15 * time.Second

// census counts campaigns and contacts when it is asked.
type census struct {
	server *Server
	mu     sync.Mutex
	at     time.Time
	kept   []prometheus.Metric
}

// Describe names the gauges.
func (c *census) Describe(ch chan<- *prometheus.Desc) {
	ch <- campaignsGauge
	ch <- contactsGauge
}

// Collect counts. A store that is away leaves the gauges out.
func (c *census) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.at) > censusAge {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		kept, err := c.count(ctx)
		if err != nil {
			c.server.Log.Warn("count for metrics", "error", err)
			return
		}
		c.kept, c.at = kept, time.Now()
	}
	for _, m := range c.kept {
		ch <- m
	}
}

func (c *census) count(ctx context.Context) ([]prometheus.Metric, error) {
	campaigns, contacts := map[campaign.Status]int{}, map[campaign.ContactStatus]int{}
	for page := (store.Page{Limit: 500}); ; {
		list, err := c.server.Store.Campaigns(ctx, store.CampaignFilter{}, page)
		if err != nil {
			return nil, err
		}
		for i := range list.Items {
			campaigns[list.Items[i].Status]++
			p, err := c.server.Store.CampaignProgress(ctx, list.Items[i].ID)
			if err != nil {
				return nil, err
			}
			for status, n := range p.ByStatus {
				contacts[status] += n
			}
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	var out []prometheus.Metric
	for status, n := range campaigns {
		out = append(out, prometheus.MustNewConstMetric(campaignsGauge, prometheus.GaugeValue, float64(n), string(status)))
	}
	for status, n := range contacts {
		out = append(out, prometheus.MustNewConstMetric(contactsGauge, prometheus.GaugeValue, float64(n), string(status)))
	}
	return out, nil
}
