package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
	"carillon/channels/all"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/store"
)

// post is a service with an integration of SendGrid and a message sent through it.
type post struct {
	*service
	signer *sendgridtest.Signer
	path   string // of the event webhook
	id     string // of the integration
	send   store.Send
	logged *logbook
}

// failing is a store whose commits fail while it is told to.
type failing struct {
	*store.Store
	away    atomic.Bool
	panics  atomic.Bool
	commits atomic.Int64
}

func (f *failing) CommitReports(ctx context.Context, events []store.ProviderEvent, now time.Time) ([]store.InboxEvent, error) {
	f.commits.Add(1)
	if f.away.Load() {
		return nil, errors.New("the disk is full")
	}
	if f.panics.Load() {
		panic("nobody thought of it")
	}
	return f.Store.CommitReports(ctx, events, now)
}

func newPost(t *testing.T, changes ...func(*api.Deps)) *post {
	t.Helper()
	p := &post{signer: sendgridtest.NewSigner(), logged: &logbook{}}
	base := func(d *api.Deps) {
		d.Channels, d.Log = all.New(frontBox{d.Store.(*store.Store)}), slog.New(slog.NewTextHandler(p.logged, nil))
	}
	p.service = serve(t, append([]func(*api.Deps){base}, changes...)...)
	p.id, p.path = p.integration("mail")
	p.send = p.sent("ct_1-1")
	return p
}

// integration makes one of SendGrid and returns its id and the path of its webhook.
func (p *post) integration(name string) (id, path string) {
	p.t.Helper()
	id = p.call("POST", "/v1/integrations", map[string]any{
		"name": name, "provider": "sendgrid", "secrets": map[string]any{"api_key": "SG.x"},
		"settings": map[string]any{"from_email": "a@example.com", "event_public_key": p.signer.PublicKey},
	}).ok(http.StatusCreated)["id"].(string)
	return id, "/hooks/sendgrid/" + id + "/events"
}

// sent is a message in the ledger that the provider took.
func (p *post) sent(id string) store.Send {
	p.t.Helper()
	v := store.Send{
		ID: id, ContactID: "ct_1", CampaignID: "ca_1", CommunicationID: id, IntegrationID: p.id, Channel: campaign.EmailNotification,
		Address: "ann@example.com", CorrelationKey: id, CreatedAt: time.Now(),
	}
	_, _, err := p.store.ClaimSend(p.t.Context(), v, nil, nil)
	require.NoError(p.t, err)
	require.NoError(p.t, p.store.SettleSend(p.t.Context(), id, store.SendSent, "pm-"+id, "", time.Now()))
	return v
}

// events is the body SendGrid would send.
func events(of ...map[string]any) []byte {
	b, err := json.Marshal(of)
	if err != nil {
		panic(err)
	}
	return append(b, "\r\n"...)
}

func event(id, kind, key string) map[string]any {
	return map[string]any{"sg_event_id": id, "event": kind, "correlation_key": key, "email": "ann@example.com", "timestamp": 1700000000}
}

// tell posts a signed body, as from outside: without a key of ours.
func (p *post) tell(body []byte) answer {
	p.t.Helper()
	h := http.Header{}
	p.signer.Sign(h, body, time.Now())
	return p.deliver(p.path, body, h)
}

func (p *post) deliver(path string, body []byte, h http.Header) answer {
	p.t.Helper()
	outside := *p.service
	outside.key = ""
	var headers []string
	for name := range h {
		headers = append(headers, name, h.Get(name))
	}
	return outside.call("POST", path, body, headers...)
}

func (p *post) kept() []store.ProviderEvent {
	p.t.Helper()
	l, err := p.store.ProviderEvents(p.t.Context(), p.id, store.Page{Limit: 1000})
	require.NoError(p.t, err)
	return l.Items
}

func (p *post) inbox() []store.InboxEvent {
	p.t.Helper()
	l, err := p.store.UntakenEvents(p.t.Context(), time.Now().Add(time.Minute), 10_000)
	require.NoError(p.t, err)
	return l
}

func TestHooksCommitWhatWasSigned(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	a := p.tell(events(event("e2", "open", "ct_1-1"), event("e1", "delivered", "ct_1-1")))
	require.Equal(t, http.StatusOK, a.Status, "%s", a.Body)
	require.Empty(t, a.Body)
	require.Len(t, p.kept(), 2)
	require.Len(t, p.inbox(), 1, "read tells that it was delivered")
	row, err := p.store.SendRow(t.Context(), "ct_1-1")
	require.NoError(t, err)
	require.Equal(t, "read", row.Delivery)

	for range 3 { // SendGrid repeats, up to a day, with another signature each time
		require.Equal(t, http.StatusOK, p.tell(events(event("e1", "delivered", "ct_1-1"), event("e2", "open", "ct_1-1"))).Status)
	}
	require.Len(t, p.kept(), 2)
	require.Len(t, p.inbox(), 1)
	require.Equal(t, http.StatusOK, p.tell(events(event("e3", "unsubscribe", "ct_1-1"))).Status)
	reason, err := p.store.Suppressed(t.Context(), "", campaign.Email, "ann@example.com")
	require.NoError(t, err)
	require.Equal(t, "unsubscribed", reason)
}

func TestHooksLeaveNoTraceOfTheRest(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	body := events(event("e1", "bounce", "ct_1-1"))
	signed := http.Header{}
	p.signer.Sign(signed, body, time.Now())
	other := http.Header{}
	sendgridtest.NewSigner().Sign(other, body, time.Now())
	secondID, second := p.integration("second")

	for name, tc := range map[string]struct {
		path   string
		body   []byte
		header http.Header
		status int
	}{
		"not signed":                    {p.path, body, http.Header{}, http.StatusUnauthorized},
		"signed by somebody else":       {p.path, body, other, http.StatusUnauthorized},
		"changed on the way":            {p.path, bytes.Replace(body, []byte("ann"), []byte("bob"), 1), signed, http.StatusUnauthorized},
		"another path":                  {"/hooks/sendgrid/" + p.id, body, signed, http.StatusUnauthorized},
		"larger than the limit":         {p.path, append(bytes.Repeat([]byte(" "), 9<<20), body...), signed, http.StatusRequestEntityTooLarge},
		"an integration there is not":   {"/hooks/sendgrid/in_none/events", body, signed, http.StatusNotFound},
		"a name in place of the id":     {"/hooks/sendgrid/mail/events", body, signed, http.StatusNotFound},
		"another provider":              {"/hooks/meta/" + p.id, body, signed, http.StatusNotFound},
		"a provider without webhooks":   {"/hooks/outbox/" + p.id, body, signed, http.StatusNotFound},
		"signed, but for another inbox": {second, body, signed, http.StatusOK}, // the same account; its messages are not the first one's
	} {
		a := p.deliver(tc.path, tc.body, tc.header)
		require.Equal(t, tc.status, a.Status, "%s: %s", name, a.Body)
		if tc.status == http.StatusUnauthorized {
			require.Empty(t, a.Body, name)
		}
	}
	require.Empty(t, p.kept())
	require.Empty(t, p.inbox())
	unmatched, err := p.store.ProviderEvents(t.Context(), secondID, store.Page{})
	require.NoError(t, err)
	require.Len(t, unmatched.Items, 1)
	require.Empty(t, unmatched.Items[0].SendID)
	require.Equal(t, 1, strings.Count(p.logged.about("webhook forged"), "webhook forged"), "anybody can cause it: it is logged once in a while")

	unreadable := []byte(`{"event":"delivered"}`)
	require.Equal(t, http.StatusOK, p.tell(unreadable).Status, "or it is repeated for days")
	require.Equal(t, store.ReportUnread, p.kept()[0].Kind)
	require.JSONEq(t, string(unreadable), p.kept()[0].Raw)
	require.Empty(t, p.inbox())

	metrics := string(p.call("GET", "/metrics", nil).Body)
	for _, line := range []string{
		`carillon_webhooks_total{outcome="forged",provider="sendgrid"} 4`, `carillon_webhooks_total{outcome="too_large",provider="sendgrid"} 1`,
		`carillon_webhooks_total{outcome="malformed",provider="sendgrid"} 1`, `carillon_webhooks_total{outcome="unknown",provider=""} 4`,
	} {
		require.Contains(t, metrics, line)
	}
}

func TestHooksAskAgainWhenTheStoreFails(t *testing.T) {
	t.Parallel()
	var f *failing
	p := newPost(t, func(d *api.Deps) {
		f = &failing{Store: d.Store.(*store.Store)}
		d.Store = f
	})
	f.away.Store(true)
	body := events(event("e1", "delivered", "ct_1-1"))
	require.Equal(t, "unavailable", p.tell(body).fails(http.StatusServiceUnavailable).Code)
	require.Empty(t, p.kept())
	f.away.Store(false)
	f.panics.Store(true)
	require.Equal(t, "internal", p.tell(body).fails(http.StatusInternalServerError).Code)
	f.panics.Store(false)
	require.Equal(t, http.StatusOK, p.tell(body).Status, "whoever comes after a panic is served")
	require.Len(t, p.inbox(), 1)
}

func TestHooksCommitTogetherAndAnswerEach(t *testing.T) {
	t.Parallel()
	var f *failing
	p := newPost(t, func(d *api.Deps) {
		f = &failing{Store: d.Store.(*store.Store)}
		d.Store = f
	})
	const callers, each = 16, 20
	var all sync.WaitGroup
	bad := make(chan string, callers*each)
	for n := range callers {
		all.Go(func() {
			for i := range each {
				if a := p.tell(events(event(fmt.Sprintf("e%d-%d", n, i), "deferred", "ct_1-1"))); a.Status != http.StatusOK {
					bad <- string(a.Body)
				}
			}
		})
	}
	all.Wait()
	close(bad)
	require.Empty(t, bad)
	require.Len(t, p.kept(), callers*each)
	require.LessOrEqual(t, f.commits.Load(), int64(callers*each))
	t.Logf("%d requests in %d transactions", callers*each, f.commits.Load())
}

func TestHooksFollowTheIntegration(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	require.Equal(t, http.StatusOK, p.tell(events(event("e1", "delivered", "ct_1-1"))).Status)
	next := sendgridtest.NewSigner()
	p.call("PUT", "/v1/integrations/"+p.id, map[string]any{"name": "mail", "provider": "sendgrid", "settings": map[string]any{"from_email": "a@example.com", "event_public_key": next.PublicKey}}).ok(http.StatusOK)
	require.Equal(t, http.StatusUnauthorized, p.tell(events(event("e2", "open", "ct_1-1"))).Status, "the old key")
	p.signer = next
	require.Equal(t, http.StatusOK, p.tell(events(event("e2", "open", "ct_1-1"))).Status)
	p.call("PUT", "/v1/integrations/"+p.id, map[string]any{"name": "mail", "provider": "sendgrid", "settings": map[string]any{"from_email": "a@example.com"}}).ok(http.StatusOK)
	require.Equal(t, http.StatusUnauthorized, p.tell(events(event("e3", "open", "ct_1-1"))).Status, "without a key nothing can be verified")
	bad := p.call("PUT", "/v1/integrations/"+p.id, map[string]any{"name": "mail", "provider": "sendgrid", "settings": map[string]any{"from_email": "a@example.com", "event_public_key": "MFkw"}}).fails(http.StatusUnprocessableEntity)
	require.Equal(t, "settings.event_public_key", bad.Errors[0].Field)
}

// timeSoon is late enough for every event that is in an inbox by now.
func timeSoon() time.Time { return time.Now().Add(time.Minute) }

// keylessStore is a store that can keep no secrets.
func keylessStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), emptyDatabase(t), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	require.NoError(t, s.Migrate(t.Context()))
	return s
}
