// Package channeltest is what every provider must pass. A provider's test
// describes it in a [Spec] and calls [Run], next to its own cases.
package channeltest

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

// Spec describes the provider under test.
type Spec struct {
	Provider    channels.Provider
	Integration campaign.Integration       // with every required setting
	Secrets     map[string]campaign.Secret // with every required secret
	NoMessage   bool                       // nothing leaves, so receipts carry no id
	HTTP        *HTTP                      // of a provider that is reached over HTTP
}

// Run checks what holds for every provider: it describes itself completely, its
// required fields are enforced, it sends on each of its channels, it may be
// used by many at once, and it ends with its context. A sender that can look
// messages up finds exactly what was sent.
func Run(t *testing.T, spec Spec) {
	t.Helper()
	t.Run("describes itself", func(t *testing.T) { testDescription(t, spec) })
	t.Run("has a manual that says what it does", func(t *testing.T) { testManual(t, spec) })
	t.Run("enforces its required fields", func(t *testing.T) { testRequired(t, spec) })
	t.Run("sends on each of its channels", func(t *testing.T) { testSend(t, spec) })
	t.Run("is used by many at once", func(t *testing.T) { testConcurrent(t, spec) })
	t.Run("ends with its context", func(t *testing.T) { testCanceled(t, spec) })
	t.Run("finds what was sent", func(t *testing.T) { testFind(t, spec) })
	t.Run("asks whether its integration works", func(t *testing.T) { testVerify(t, spec) })
	if spec.HTTP != nil {
		testHTTP(t, spec)
	}
}

// LocalOnly is a transport that reaches this machine and nothing else, so that
// no test ever talks to a provider. It follows no proxy.
func LocalOnly() *http.Transport {
	var d net.Dialer
	return &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, fmt.Errorf("dial %s: %w", address, err)
		}
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return nil, fmt.Errorf("dial %s: tests reach loopback addresses only", address)
		}
		return d.DialContext(ctx, network, address)
	}}
}

// Outbound is a message on the channel, whole and valid; n tells several apart.
func Outbound(ch campaign.Channel, n int) channels.Outbound {
	m := channels.Outbound{
		ID: fmt.Sprintf("m-%s-%d", ch, n), CorrelationKey: fmt.Sprintf("key-%s-%d", ch, n),
		Channel: ch, To: "+14155550100", Body: "Hello Ada",
		Delivery:  campaign.Delivery{Channel: ch, TemplateName: "hello", Language: "en", ProjectID: "p1", Version: "v1", StartState: "greeting"},
		Variables: map[string]string{"1": "Ada"}, CampaignID: "c1", ContactID: "ct_1", CommunicationID: "ct_1-1", SessionID: "ss_ct_1-1",
		At: clock(), Heard: clock().Add(-time.Hour),
	}
	switch ch {
	case campaign.EmailNotification, campaign.Email:
		m.To, m.Subject = "ada@example.com", "Hello"
	case campaign.Telegram:
		m.To = "4242"
	default:
	}
	return m
}

func open(t *testing.T, spec Spec) channels.Sender {
	t.Helper()
	return openWith(t, spec, &http.Client{Transport: LocalOnly(), Timeout: 5 * time.Second})
}

func openWith(t *testing.T, spec Spec, client *http.Client) channels.Sender {
	t.Helper()
	s, err := spec.Provider.Open(spec.Integration, channels.Deps{HTTP: client, Dial: LocalOnly().DialContext, Secrets: spec.Secrets, Now: clock})
	require.NoError(t, err)
	return s
}

func testDescription(t *testing.T, spec Spec) {
	d := spec.Provider.Describe()
	require.NotEmpty(t, d.Provider)
	require.NotEmpty(t, d.Name)
	require.NotEmpty(t, d.Channels)
	require.NotNil(t, d.Settings, "an empty list, so that JSON says []")
	require.NotNil(t, d.Secrets, "an empty list, so that JSON says []")
	for _, ch := range d.Channels {
		require.True(t, ch.Valid(), "channel %s", ch)
	}
	seen := map[string]bool{}
	for _, f := range append(append([]channels.Field{}, d.Settings...), d.Secrets...) {
		require.NotEmpty(t, f.Name)
		require.NotEmpty(t, f.Label, "label of %s", f.Name)
		require.False(t, seen[f.Name], "%s is there twice", f.Name)
		seen[f.Name] = true
	}
	for _, f := range d.Secrets {
		require.True(t, f.Secret, "%s is among the secrets", f.Name)
	}
}

func testRequired(t *testing.T, spec Spec) {
	r := channels.NewRegistry(spec.Provider)
	r.AllowPrivate = true
	require.NoError(t, r.Validate(spec.Integration, spec.Secrets))
	d := spec.Provider.Describe()
	for _, f := range d.Settings {
		if f.Required {
			i := spec.Integration
			i.Settings = without(i.Settings, f.Name)
			refused(t, r, i, spec.Secrets, "settings."+f.Name)
		}
	}
	for _, f := range d.Secrets {
		if f.Required {
			refused(t, r, spec.Integration, without(spec.Secrets, f.Name), "secrets."+f.Name)
		}
	}
}

func refused(t *testing.T, r *channels.Registry, i campaign.Integration, secrets map[string]campaign.Secret, field string) {
	t.Helper()
	require.ErrorContains(t, r.Validate(i, secrets), field)
	_, err := r.Open(i, channels.Deps{HTTP: &http.Client{Transport: LocalOnly()}, Secrets: secrets})
	require.Error(t, err, "open without %s", field)
	require.Equal(t, channels.Config, channels.Classify(err).Class)
}

func without[V any](m map[string]V, key string) map[string]V {
	out := map[string]V{}
	for k, v := range m {
		if k != key {
			out[k] = v
		}
	}
	return out
}

func testSend(t *testing.T, spec Spec) {
	s := open(t, spec)
	for _, ch := range spec.Provider.Describe().Channels {
		receipt, err := s.Send(t.Context(), Outbound(ch, 1))
		require.NoError(t, err, "channel %s", ch)
		require.Equal(t, spec.NoMessage, receipt.ProviderMessageID == "", "channel %s: %q", ch, receipt.ProviderMessageID)
		require.False(t, receipt.At.IsZero())
		require.Equal(t, time.UTC, receipt.At.Location())
	}
}

func testConcurrent(t *testing.T, spec Spec) {
	s, ch := open(t, spec), spec.Provider.Describe().Channels[0]
	errs := make([]error, 20)
	var wg sync.WaitGroup
	for n := range errs {
		wg.Go(func() { _, errs[n] = s.Send(t.Context(), Outbound(ch, 100+n)) })
	}
	wg.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

func testCanceled(t *testing.T, spec Spec) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(t, spec).Send(ctx, Outbound(spec.Provider.Describe().Channels[0], 2))
	if err == nil {
		return // it had nothing to wait for
	}
	require.NotEqual(t, channels.Unclassified, channels.Classify(err).Class, "an error that is no *Failure: %v", err)
	for _, secret := range spec.Secrets {
		if strings.Contains(err.Error(), secret.Reveal()) {
			t.Error("the error shows a secret") // and this message does not
		}
	}
}

func testFind(t *testing.T, spec Spec) {
	s := open(t, spec)
	f, ok := s.(channels.Finder)
	if !ok {
		t.Skip("the provider cannot look messages up")
	}
	m := Outbound(spec.Provider.Describe().Channels[0], 3)
	m.At = clock().Add(-time.Hour) // long enough ago that a provider must know
	_, found, err := f.Find(t.Context(), m)
	require.NoError(t, err)
	require.False(t, found, "found before it was sent")
	sent, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	receipt, found, err := f.Find(t.Context(), m)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, sent, receipt)
}
