package outbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/outbox"
)

// box keeps messages in memory.
type box struct {
	mu   sync.Mutex
	kept map[string]outbox.Message
	err  error
}

func (b *box) Put(_ context.Context, m outbox.Message) (outbox.Message, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return outbox.Message{}, b.err
	}
	if old, ok := b.kept[m.CorrelationKey]; ok {
		return old, nil
	}
	if b.kept == nil {
		b.kept = map[string]outbox.Message{}
	}
	b.kept[m.CorrelationKey] = m
	return m, nil
}

func (b *box) ByCorrelation(_ context.Context, key string) (outbox.Message, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, ok := b.kept[key]
	return m, ok, b.err
}

func open(t *testing.T, b *box) channels.Sender {
	t.Helper()
	s, err := outbox.New(b).Open(campaign.Integration{}, channels.Deps{})
	require.NoError(t, err)
	return s
}

func TestOutboxIsAProvider(t *testing.T) {
	t.Parallel()
	channeltest.Run(t, channeltest.Spec{Provider: outbox.New(&box{}), Integration: campaign.Integration{Provider: outbox.Name}})
}

func TestOutboxKeepsOneMessagePerCorrelationKey(t *testing.T) {
	t.Parallel()
	b := &box{}
	s := open(t, b)
	m := channeltest.Outbound(campaign.WhatsAppMeta, 1)
	first, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	m.Body = "another text"
	second, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, first, second)
	require.Len(t, b.kept, 1)
	require.Equal(t, "Hello Ada", b.kept[m.CorrelationKey].Body)

	m.CorrelationKey = "other"
	third, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	require.NotEqual(t, first.ProviderMessageID, third.ProviderMessageID)
}

func TestOutboxKeepsWhatAProviderWouldGet(t *testing.T) {
	t.Parallel()
	b := &box{}
	m := channeltest.Outbound(campaign.WhatsAppMeta, 1)
	m.To, m.Reply, m.HTML = "+1234567890", true, true
	_, err := open(t, b).Send(t.Context(), m)
	require.NoError(t, err)
	kept := b.kept[m.CorrelationKey]
	require.Equal(t, "sent", kept.Status)
	require.Equal(t, []string{"c1", "ct_1", "ct_1-1", "ss_ct_1-1"}, []string{kept.CampaignID, kept.ContactID, kept.CommunicationID, kept.SessionID})
	var p outbox.Payload
	require.NoError(t, json.Unmarshal(kept.Payload, &p))
	require.Equal(t, outbox.Payload{
		Format: "html", TemplateName: "hello", Language: "en", ProjectID: "p1", Version: "v1", StartState: "greeting",
		Variables: map[string]string{"1": "Ada"}, Reply: true,
		Warnings: []string{`"+1234567890" is not a valid phone number with a country code`},
	}, p)
}

func TestOutboxFailures(t *testing.T) {
	t.Parallel()
	m := channeltest.Outbound(campaign.Email, 1)
	s := open(t, &box{err: errors.New("disk full")})
	_, err := s.Send(t.Context(), m)
	require.Equal(t, channels.Retryable, channels.Classify(err).Class)
	_, _, err = s.(channels.Finder).Find(t.Context(), m)
	require.ErrorContains(t, err, "disk full")

	m.CorrelationKey = ""
	_, err = open(t, &box{}).Send(t.Context(), m)
	require.Equal(t, channels.Unclassified, channels.Classify(err).Class, "a message without a key is our bug")
}
