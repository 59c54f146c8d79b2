package api

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"

	"carillon/campaign"
	"carillon/channels"
	"carillon/inbound"
	"carillon/store"
)

// hookAge is how long an opened hook is good: a changed secret counts after it.
const hookAge = 2 * time.Second

// hooks receives providers' webhooks.
type hooks struct {
	server *Server
	group  *group
	quiet  *quiet
	burst  burst
	bodies bodies

	mu   sync.Mutex
	open map[string]openHook // by integration
}

// openHook is the receiver of one integration, for a while.
type openHook struct {
	hook     channels.Hook
	provider string
	at       time.Time
}

func newHooks(s *Server) *hooks {
	h := &hooks{server: s, quiet: newQuiet(s.Log), bodies: newBodies(), open: map[string]openHook{}}
	h.group = newGroup(func(ctx context.Context, events []store.ProviderEvent) error {
		told, err := s.Store.CommitReports(ctx, events, s.now())
		if err == nil {
			s.courier.send(told)
		}
		return err
	})
	return h
}

// webhooks registers the routes. They take no key: each provider signs in its own way.
func (s *Server) webhooks(g huma.API) {
	const path = "/hooks/:provider/:integration_id"
	for _, p := range []string{path, path + "/*"} {
		s.echo.GET(p, s.hooks.receive)
		s.echo.POST(p, s.hooks.receive)
	}
	responses := func() map[string]*huma.Response {
		return map[string]*huma.Response{
			"200": {Description: "Committed, or known already"},
			"401": {Description: "Not signed by the provider, or too old; the body is empty"},
			"404": problemResponse(g, "No such integration, or its provider has no webhooks"),
			"413": problemResponse(g, "The body is too large"), "503": problemResponse(g, "Come again"),
		}
	}
	params := []*huma.Param{pathParam("provider"), pathParam("integration_id")}
	for _, o := range []*huma.Operation{
		{Method: http.MethodGet, OperationID: "verify-webhook", Summary: "A provider verifies its webhook"},
		{Method: http.MethodPost, OperationID: "receive-webhook", Summary: "A provider tells what happened"},
	} {
		o.Path, o.Tags, o.Parameters, o.Responses = "/hooks/{provider}/{integration_id}", []string{"hooks"}, params, responses()
		o.Description = "What is verified, and which address to set where: docs/webhooks.md. Some providers add to the path, such as /events."
		g.OpenAPI().AddOperation(o)
	}
}

func pathParam(name string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString}}
}

// problemResponse documents an error in the form that all have.
func problemResponse(g huma.API, description string) *huma.Response {
	return &huma.Response{Description: description, Content: map[string]*huma.MediaType{
		problemType: {Schema: huma.SchemaFromType(g.OpenAPI().Components.Schemas, reflect.TypeFor[Problem]())},
	}}
}

// Outcomes of a webhook request, for the metric.
const (
	hookAccepted    = "accepted"
	hookUnknown     = "unknown" // no such integration
	hookForged      = "forged"
	hookStale       = "stale"
	hookTooLarge    = "too_large"
	hookMalformed   = "malformed"
	hookUnavailable = "unavailable" // the store failed: the provider comes again
)

// receive takes one request. Only what was verified and committed is answered
// with 2xx, and only a failing store with 5xx.
func (h *hooks) receive(c echo.Context) error {
	r := c.Request()
	provider, id := c.Param("provider"), c.Param("integration_id")
	hook, err := h.hook(r.Context(), provider, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		h.count("", hookUnknown)
		return problem(http.StatusNotFound, "not_found", "there is no such webhook")
	case errors.Is(err, channels.ErrForged):
		h.refuse(provider, id, hookForged, r, err)
		return c.NoContent(http.StatusUnauthorized)
	case err != nil:
		return h.unavailable(provider, err)
	}
	rest := ""
	if c.Param("*") != "" {
		rest = "/" + c.Param("*")
	}
	body, done, err := h.bodies.read(c, hook.Limit(rest))
	switch {
	case isTooLarge(err):
		h.refuse(provider, id, hookTooLarge, r, err)
		return problem(http.StatusRequestEntityTooLarge, "too_large", "the body is too large")
	case errors.Is(err, errManyBodies):
		return h.unavailable(provider, err)
	case err != nil:
		return problem(http.StatusBadRequest, "unreadable", "the body broke off")
	}
	defer done()
	reports, answer, err := hook.Receive(r.Context(), &channels.HookRequest{
		Method: r.Method, Path: rest, URL: strings.TrimSuffix(h.server.PublicURL, "/") + r.URL.RequestURI(), Query: r.URL.Query(),
		Header: r.Header, Body: body, Remote: r.RemoteAddr,
	})
	switch {
	case errors.Is(err, channels.ErrForged), errors.Is(err, channels.ErrStale):
		outcome := hookForged
		if errors.Is(err, channels.ErrStale) {
			outcome = hookStale
		}
		h.refuse(provider, id, outcome, r, err)
		return c.NoContent(http.StatusUnauthorized)
	case errors.Is(err, channels.ErrMalformed):
		h.refuse(provider, id, hookMalformed, r, err)
		reports = []channels.Report{inbound.Unread(body)}
	case err != nil:
		return h.unavailable(provider, err)
	}
	h.burst.count() // only what is a provider's: a forged flood delays nobody
	if events := inbound.Events(provider, id, reports); len(events) > 0 {
		for i := range events {
			h.server.metrics.reports.WithLabelValues(provider, or(events[i].Status, events[i].Kind)).Inc()
		}
		if err := h.group.add(r.Context(), events); err != nil {
			return h.unavailable(provider, err)
		}
	}
	if err == nil {
		h.count(provider, hookAccepted)
	}
	return h.answer(c, provider, answer)
}

// answer writes what the provider is to get.
func (h *hooks) answer(c echo.Context, provider string, a channels.HookAnswer) error {
	if a.Then != nil {
		next, err := a.Then(c.Request().Context())
		if err != nil {
			return h.unavailable(provider, err)
		}
		a = next
	}
	if a.Status == 0 {
		a.Status = http.StatusOK
	}
	if len(a.Body) == 0 {
		return c.NoContent(a.Status)
	}
	return c.Blob(a.Status, a.ContentType, a.Body)
}

// hook opens the receiver of an integration, or finds it open. One that lacks
// what it would verify with takes everything for forged.
func (h *hooks) hook(ctx context.Context, provider, id string) (channels.Hook, error) {
	now := h.server.Now()
	h.mu.Lock()
	known, ok := h.open[id]
	h.mu.Unlock()
	if ok && known.provider == provider && now.Sub(known.at) < hookAge {
		return known.hook, nil
	}
	i, err := h.server.Store.Integration(ctx, id)
	if err != nil {
		return nil, err
	}
	if i.ID != id || i.Provider != provider { // a name is no address
		return nil, store.ErrNotFound
	}
	secrets, err := h.server.Store.IntegrationSecrets(ctx, id)
	if err != nil {
		return nil, err
	}
	signs, err := h.server.links.read(ctx, h.server.Store)
	if err != nil {
		return nil, err
	}
	hook, ok, err := h.server.Channels.OpenHook(i, channels.Deps{Secrets: secrets, Replies: channels.ReplyTokens{Secret: signs}, Now: h.server.Now, StartSecret: inbound.StartSecret(h.server.Store)})
	if !ok {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, errors.Join(channels.ErrForged, err)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open[id] = openHook{hook: hook, provider: provider, at: now}
	return hook, nil
}

// forget makes the next request open its integration anew.
func (h *hooks) forget(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.open, id)
}

// refuse counts and logs, now and then, what is not taken as a provider's word.
func (h *hooks) refuse(provider, id, outcome string, r *http.Request, err error) {
	h.count(provider, outcome)
	h.quiet.warn(id+" "+outcome, "webhook "+outcome, "provider", provider, "integration_id", id, "remote", r.RemoteAddr, "error", err)
}

func (h *hooks) unavailable(provider string, err error) error {
	h.count(provider, hookUnavailable)
	if errors.Is(err, context.Canceled) {
		return err
	}
	p := problem(http.StatusServiceUnavailable, string(campaign.CodeUnavailable), "the webhook cannot be kept now: come again")
	p.cause = err
	return p
}

func (h *hooks) count(provider, outcome string) {
	h.server.metrics.hooks.WithLabelValues(provider, outcome).Inc()
}
