// Package bird speaks WhatsApp through Bird's Channels API (once MessageBird):
// it opens with template projects, answers freely inside the 24 hours that the
// contact's last message opens, looks messages up by their reference, and reads
// Bird's webhook. It imports packages channels and campaign. The rules are Bird's:
// https://docs.bird.com/api/channels-api
package bird

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/channels"
)

// Name is the provider's name in an integration.
const Name = "bird"

const (
	defaultBase   = "https://api.bird.com"
	defaultLocale = "en"
	answerLimit   = 2 << 20
)

// Provider is Bird.
type Provider struct{}

// Describe implements [channels.Provider].
func (Provider) Describe() channels.Description {
	return channels.Description{
		Provider: Name, Name: "WhatsApp (Bird)", Channels: []campaign.Channel{campaign.WhatsAppBird}, Manual: manual(),
		Settings: []channels.Field{
			{Name: "workspace_id", Label: "Workspace ID", Hint: "The first id in the address of your Bird dashboard.", Required: true},
			{Name: "channel_id", Label: "Channel ID", Hint: "Developer → Channels → WhatsApp.", Required: true},
			{Name: "locale", Label: "Locale", Hint: "Of templates whose stage names no language.", Default: defaultLocale},
			{Name: "base_url", Label: "Address of the API", Hint: "Only for a server that stands in for Bird.", Kind: channels.KindURL, Default: defaultBase},
		},
		Secrets: []channels.Field{
			{Name: "access_key", Label: "Access key", Hint: "Developer → Access keys, with the Channels permissions.", Required: true, Secret: true},
			{Name: "signing_key", Label: "Signing key", Hint: "The one given when the webhook subscriptions were made.", Secret: true},
		},
	}
}

// Open implements [channels.Provider].
func (p Provider) Open(i campaign.Integration, d channels.Deps) (channels.Sender, error) {
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	base := orElse(strings.TrimSuffix(i.Settings["base_url"], "/"), defaultBase)
	return &sender{
		channel: base + "/workspaces/" + url.PathEscape(i.Settings["workspace_id"]) + "/channels/" + url.PathEscape(i.Settings["channel_id"]),
		locale:  orElse(i.Settings["locale"], defaultLocale), key: d.Secrets["access_key"].Reveal,
		redact: func(text string) string { return channels.Redact(text, d.Secrets) },
		client: channels.Narrow(d.Client(), answerLimit), now: d.Clock,
	}, nil
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}

// sender implements [channels.Sender], [channels.Finder] and [channels.Verifier].
// The key is kept behind a function, so that no way of printing the sender shows it.
type sender struct {
	channel, locale string
	key             func() string
	redact          func(string) string
	client          *http.Client
	now             func() time.Time
}

// sent is a message as Bird knows it.
type sent struct {
	ID        string    `json:"id"`
	Reference string    `json:"reference"`
	Status    string    `json:"status"`
	CreatedAt time.Time `json:"createdAt"`
}

func (v *sent) receipt(now time.Time) channels.Receipt {
	at := v.CreatedAt
	if at.IsZero() {
		at = now
	}
	return channels.Receipt{ProviderMessageID: v.ID, At: at.UTC().Truncate(time.Microsecond)}
}

// Send implements [channels.Sender]. The Channels API knows no idempotency key:
// the request is made once; its reference finds it again.
func (s *sender) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	body, failure := s.compose(m)
	if failure != nil {
		return channels.Receipt{}, failure
	}
	var answer sent
	if failure := s.call(ctx, http.MethodPost, "/messages", body, http.StatusAccepted, &answer); failure != nil {
		return channels.Receipt{}, failure
	}
	if answer.ID == "" {
		return channels.Receipt{}, channels.Fail(channels.Unknown, "202", "the answer names no message, so it may not be Bird that answered")
	}
	return answer.receipt(s.now()), nil
}

const (
	lookBack  = time.Hour // a message is looked for from so long before it was sent
	lookPages = 5
	settles   = time.Minute // what Bird may take to list a message it has accepted
)

// Find implements [channels.Finder]: it lists what was sent to the number and
// compares references. A message that is not listed is surely not sent once Bird
// has had a minute to list it and everything since was read.
func (s *sender) Find(ctx context.Context, m channels.Outbound) (channels.Receipt, bool, error) {
	q := url.Values{
		"phonenumber": {number(m.To)}, "direction": {"outgoing"}, "limit": {"100"},
		"startAt": {m.At.Add(-lookBack).UTC().Format(time.RFC3339)},
	}
	for range lookPages {
		var page struct {
			Results *[]sent `json:"results"`
			Next    string  `json:"nextPageToken"`
		}
		if failure := s.call(ctx, http.MethodGet, "/messages?"+q.Encode(), nil, http.StatusOK, &page); failure != nil {
			return channels.Receipt{}, false, failure
		}
		if page.Results == nil { // no list is no proof that the message is not in it
			return channels.Receipt{}, false, channels.Fail(channels.Retryable, "200", "the answer lists no messages, so it may not be Bird that answered")
		}
		for _, v := range *page.Results {
			if v.Reference == m.CorrelationKey {
				return v.receipt(s.now()), true, nil
			}
		}
		if page.Next == "" {
			if s.now().Sub(m.At) < settles {
				return channels.Receipt{}, false, channels.Fail(channels.Retryable, "too_early", "Bird may not list the message yet")
			}
			return channels.Receipt{}, false, nil
		}
		q.Set("pageToken", page.Next)
	}
	return channels.Receipt{}, false, channels.Fail(channels.Retryable, "too_many", "the number has too many messages to be sure")
}

// Verify implements [channels.Verifier]: it lists one message of the channel.
func (s *sender) Verify(ctx context.Context) (string, error) {
	var page struct {
		Results *[]sent `json:"results"`
	}
	if failure := s.call(ctx, http.MethodGet, "/messages?limit=1", nil, http.StatusOK, &page); failure != nil {
		return "", failure
	}
	if page.Results == nil {
		return "", channels.Fail(channels.Config, "200", "the answer lists no messages, so it may not be Bird that answered")
	}
	return "Bird accepts the key, and the channel can be read", nil
}

// call makes one request and reads its answer.
func (s *sender) call(ctx context.Context, method, path string, body []byte, want int, answer any) *channels.Failure {
	var trip channels.Trip
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(trip.Watch(ctx), method, s.channel+path, reader)
	if err != nil {
		return channels.Fail(channels.Config, "base_url", "%s", s.redact(err.Error()))
	}
	r.Header.Set("Authorization", "AccessKey "+s.key())
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := s.client.Do(r)
	if err != nil {
		f := trip.Failure(err)
		f.Err = errors.New(s.redact(f.Err.Error()))
		return f
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if resp.StatusCode != want {
		return s.classify(resp, raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, answer)
	}
	if err != nil {
		return channels.Fail(channels.Unknown, fmt.Sprint(want), "the answer cannot be read")
	}
	return nil
}
