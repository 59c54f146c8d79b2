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
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"

	"carillon/activities"
	"carillon/agents"
	allagents "carillon/agents/all"
	"carillon/api"
	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/all"
	"carillon/relay"
	"carillon/store"
	"carillon/strategies"
	"carillon/strategies/egress"
	"carillon/worker"
)

// service is the parts every serving command is wired from.
type service struct {
	common
	log       *slog.Logger
	store     *store.Store
	temporal  client.Client
	namespace string
	relay     *relay.Relay
	registry  *channels.Registry
	agents    *agents.Registry
	renderer  *channels.Renderer
	http      *http.Client      // for providers
	dial      channels.DialFunc // the same
	pool      *strategies.Pool
	api       *api.Server // once it is served
	egress    *egress.Proxy
	sends     sendCounter
}

// open opens the store and the strategy pool and dials Temporal.
func (c *common) open(ctx context.Context, dsn string, o client.Options, py strategies.Options) (_ *service, err error) {
	s := &service{common: *c, log: c.logger(), renderer: channels.NewRenderer(), sends: newSendCounter()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, dsn, store.Options{SecretKeys: keys}); err != nil {
		return nil, err
	}
	s.registry, s.agents = all.New(outboxStore{s.store}), allagents.New(s.renderer)
	s.registry.AllowPrivate = c.Private
	s.agents.CheckURL = func(address string) string { return channels.CheckURL(address, c.Private) }
	s.http, s.dial = channels.NewHTTPClient(c.Private), channels.NewDialer(c.Private).DialContext
	if s.egress, err = egress.Open(ctx, egress.Options{Hosts: s.egressOf, AllowPrivate: c.Private, Log: s.log}); err != nil {
		return nil, err
	}
	py.Egress, py.OnQuarantine = s.egress, s.quarantined
	if s.pool, err = strategies.Open(py); err != nil {
		return nil, err
	}
	s.namespace = o.Namespace
	if loopback(o.HostPort) { // compression costs both sides more than what it saves here
		o.ConnectionOptions.GrpcCompression = &client.GrpcCompressionNone{}
	}
	o.Logger = log.NewStructuredLogger(slog.New(sdkLog{s.log.Handler()}))
	if s.temporal, err = client.DialContext(ctx, o); err != nil {
		return nil, fmt.Errorf("reach Temporal at %s: %w", o.HostPort, err)
	}
	s.relay = &relay.Relay{Inbox: s.store, Temporal: s.temporal, Log: s.log}
	return s, nil
}

// egressOf says what the campaign's strategies may call, as it is now.
func (s *service) egressOf(ctx context.Context, campaignID string) (campaign.Egress, error) {
	c, err := s.store.Campaign(ctx, campaignID)
	return c.Egress, err
}

// quarantined keeps in the store that a version is not to be run again, so that
// every process knows, also after a restart.
func (s *service) quarantined(campaignID string, source strategies.Source, last strategies.Error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	log := s.log.With("campaign_id", campaignID, "strategy", source.Filename, "hash", source.Key, "kind", last.Kind)
	if err := s.store.MarkQuarantined(ctx, campaignID, source.Key); err != nil {
		log.Error("quarantined strategy not marked; this process alone refuses it", "error", err)
		return
	}
	log.Warn("strategy quarantined")
}

func (s *service) close() {
	if s.api != nil {
		s.api.Close()
	}
	if s.temporal != nil {
		s.temporal.Close()
	}
	if s.pool != nil {
		s.pool.Close()
	}
	if s.egress != nil {
		s.egress.Close()
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Warn("close the store", "error", err)
		}
	}
}

func (s *service) worker() *worker.Worker {
	return worker.New(s.temporal, worker.Options{
		Activities: &activities.Activities{
			Store: s.store, Runner: s.pool, Channels: s.registry, Agents: s.agents, Renderer: s.renderer, Relay: s.relay, Temporal: s.temporal,
			HTTP: s.http, Dial: s.dial, Mode: s.Mode, Now: time.Now, Log: s.log, PublicURL: s.PublicURL, CountSend: s.sends.count,
		},
		Log: s.log,
	})
}

// bind takes the API's address and returns where it is reached; nothing is
// served yet. Without --public-url that is what people outside are given.
func (s *service) bind(ctx context.Context, address string) (net.Listener, string, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, "", fmt.Errorf("listen on %s (--listen): %w", address, err)
	}
	url := "http://" + l.Addr().String()
	if s.PublicURL == "" {
		s.PublicURL = url
	}
	return l, url, nil
}

// serve serves the API.
func (s *service) serve(l net.Listener, adminKey, ui string, requireKeys bool) (*http.Server, error) {
	server, err := api.New(api.Deps{
		Store: s.store, Temporal: s.temporal, Relay: s.relay, Runner: pythonRunner{s.pool}, Channels: s.registry, Agents: s.agents, Renderer: s.renderer,
		Mode: s.Mode, PublicURL: s.PublicURL, TemporalUI: ui, AdminKey: adminKey, RequireKeys: requireKeys, Log: s.log, Now: time.Now, Version: version,
		Namespace: s.namespace, HTTP: s.http, Dial: s.dial, Collectors: []prometheus.Collector{s.sends},
	})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	s.api = server
	h := &http.Server{Handler: server.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		if err := h.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the API ended", "error", err)
		}
	}()
	return h, nil
}

// loopback says whether an address is on this machine.
func loopback(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	return err == nil && (host == "localhost" || net.ParseIP(host).IsLoopback())
}

// temporalOptions reads TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE, TLS and keys
// from the environment or a profile.
func temporalOptions() (client.Options, error) {
	o, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return o, fmt.Errorf("read the Temporal client's settings: %w", err)
	}
	return o, nil
}

// sdkLog lowers the SDK's chatter: what it calls info is debug to us.
type sdkLog struct{ slog.Handler }

// Handle passes records on, the SDK's info and debug ones as debug.
func (q sdkLog) Handle(ctx context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		if !q.Enabled(ctx, slog.LevelDebug) {
			return nil
		}
		r.Level = slog.LevelDebug
	}
	return q.Handler.Handle(ctx, r)
}

// WithAttrs keeps the wrapper.
func (q sdkLog) WithAttrs(a []slog.Attr) slog.Handler { return sdkLog{q.Handler.WithAttrs(a)} }

// WithGroup keeps the wrapper.
func (q sdkLog) WithGroup(name string) slog.Handler { return sdkLog{q.Handler.WithGroup(name)} }
