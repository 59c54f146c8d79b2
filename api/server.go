package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"

	"carillon/agents"
	"carillon/channels"
	"carillon/relay"
	"carillon/store"
)

// Modes of sending.
const (
	ModeOutbox   = "outbox"
	ModeRedirect = "redirect"
	ModeLive     = "live"
)

// Store is every role of the store the API uses.
type Store interface {
	store.Campaigns
	store.Stages
	store.Strategies
	store.Contacts
	store.Imports
	store.Sessions
	store.Ledger
	store.Reports
	store.Agents
	store.Office
	Ping(ctx context.Context) error
}

// Deps is what the API stands on.
type Deps struct {
	Store       Store
	Temporal    client.Client // nil: what needs it answers 503
	Relay       *relay.Relay
	Runner      Runner // nil: strategies are not checked, tests of them answer 503
	Channels    *channels.Registry
	Agents      *agents.Registry
	HTTP        *http.Client      // to ask providers with; nil is channels.NewHTTPClient(false)
	Dial        channels.DialFunc // the same for those that speak no HTTP
	Renderer    *channels.Renderer
	Mode        string // outbox, redirect or live; "" is outbox
	PublicURL   string // as providers and people outside reach us
	Namespace   string // of Temporal; "" is default
	TemporalUI  string // address of the Temporal Web UI, "" if there is none
	AdminKey    string // a key of role admin that is not in the store, "" if none
	RequireKeys bool   // refuse requests without a key, also from this machine
	Log         *slog.Logger
	Now         func() time.Time
	Console     http.Handler // serves every path that is not ours; may be nil
	Version     string
	Collectors  []prometheus.Collector // what else /metrics shows
}

// Server is the API; see [Server.Handler].
type Server struct {
	Deps
	echo    *echo.Echo
	metrics *metrics
	ids     map[string]bool // operation ids in use
	touched sync.Map        // id of a key to when its use was last written
	hooks   *hooks
	courier *courier
	links   linkSecret
}

// New makes the server with every route.
func New(d Deps) (*Server, error) {
	if d.Store == nil {
		return nil, errors.New("make the API: it needs a store")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Namespace == "" {
		d.Namespace = client.DefaultNamespace
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Renderer == nil {
		d.Renderer = channels.NewRenderer()
	}
	if d.Channels == nil {
		d.Channels = channels.NewRegistry()
	}
	if d.Agents == nil {
		d.Agents = agents.NewRegistry()
	}
	if d.HTTP == nil {
		d.HTTP = channels.NewHTTPClient(false)
	}
	if d.Mode == "" {
		d.Mode = ModeOutbox
	}
	s := &Server{Deps: d, echo: echo.New(), ids: map[string]bool{}}
	s.metrics = newMetrics(s)
	s.courier = newCourier(s)
	s.hooks = newHooks(s)
	s.echo.HideBanner, s.echo.HidePort = true, true
	s.echo.IPExtractor = echo.ExtractIPDirect()
	s.echo.HTTPErrorHandler = s.answer
	s.echo.Use(s.identify, s.observe, s.catch, s.limitBody, s.authenticate, s.replay)
	s.register()
	return s, nil
}

// Close waits for what is told to workflows behind the requests that brought it.
// Call it once no request is served any more; what it leaves, the relay finds.
func (s *Server) Close() { s.courier.close() }

// Handler serves the API and, on every path that is not the API's, the console.
func (s *Server) Handler() http.Handler {
	if s.Console == nil {
		return s.echo
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ours(r.URL.Path) {
			s.echo.ServeHTTP(w, r)
			return
		}
		s.Console.ServeHTTP(w, r)
	})
}

// ours reports whether a path belongs to the API.
func ours(path string) bool {
	for _, prefix := range []string{"/v1", "/hooks", "/u", "/docs", "/healthz", "/readyz", "/metrics"} {
		if path == prefix || strings.HasPrefix(path, prefix+"/") {
			return true
		}
	}
	return strings.HasPrefix(path, "/openapi")
}

// now is the moment as the store keeps it.
func (s *Server) now() time.Time { return s.Now().UTC().Truncate(time.Microsecond) }

// newID makes an id such as "cp_" and 20 letters and digits.
func newID(prefix string) string {
	return prefix + strings.ToLower(rand.Text()[:20])
}

// auditf records a change that the caller made. It is called after the change;
// a record that cannot be written is only logged.
func (s *Server) auditf(ctx context.Context, action, resource, format string, args ...any) {
	entry := store.AuditEntry{
		ID: newID("au_"), At: s.now(), Actor: actor(ctx), Action: action, Resource: resource, Detail: fmt.Sprintf(format, args...),
	}
	if err := s.Store.Audit(context.WithoutCancel(ctx), entry); err != nil {
		s.Log.Error("audit", "action", action, "resource", resource, "error", err)
	}
}
