// Package whatsapp speaks WhatsApp through Meta's Cloud API: it opens with
// approved templates, answers freely inside the 24 hours that the contact's last
// message opens, and reads Meta's webhook. It imports packages channels and
// campaign. The rules are Meta's:
// https://developers.facebook.com/docs/whatsapp/cloud-api
package whatsapp

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
const Name = "meta"

const (
	defaultBase     = "https://graph.facebook.com"
	defaultVersion  = "v23.0"
	defaultLanguage = "en_US"
	answerLimit     = 1 << 20
)

// Provider is Meta.
type Provider struct{}

// Describe implements [channels.Provider].
func (Provider) Describe() channels.Description {
	return channels.Description{
		Provider: Name, Name: "WhatsApp (Meta)", Channels: []campaign.Channel{campaign.WhatsAppMeta}, Manual: manual(),
		Settings: []channels.Field{
			{Name: "phone_number_id", Label: "Phone number ID", Hint: "Of the sending number: App → WhatsApp → API Setup.", Required: true},
			{Name: "waba_id", Label: "Business account ID", Hint: "Lets a stage's template be checked against the approved ones."},
			{Name: "app_id", Label: "App ID", Hint: "For your own reference."},
			{Name: "language", Label: "Language", Hint: "Of templates whose stage names none, such as de.", Default: defaultLanguage},
			{Name: "api_version", Label: "API version", Hint: "Of the Graph API.", Default: defaultVersion},
			{Name: "base_url", Label: "Address of the API", Hint: "Only for a server that stands in for Meta.", Kind: channels.KindURL, Default: defaultBase},
		},
		Secrets: []channels.Field{
			{Name: "access_token", Label: "Access token", Hint: "Of a system user with whatsapp_business_messaging.", Required: true, Secret: true},
			{Name: "app_secret", Label: "App secret", Hint: "Verifies the webhook: App → Settings → Basic.", Secret: true},
			{Name: "verify_token", Label: "Verify token", Hint: "A word of your choice, given to Meta with the webhook's address.", Secret: true},
		},
	}
}

// Open implements [channels.Provider].
func (p Provider) Open(i campaign.Integration, d channels.Deps) (channels.Sender, error) {
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	base, version := orElse(strings.TrimSuffix(i.Settings["base_url"], "/"), defaultBase), orElse(i.Settings["api_version"], defaultVersion)
	return &sender{
		base: base + "/" + url.PathEscape(version) + "/", number: i.Settings["phone_number_id"], account: i.Settings["waba_id"],
		language: orElse(i.Settings["language"], defaultLanguage), token: d.Secrets["access_token"].Reveal,
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

// sender implements [channels.Sender], [channels.Verifier] and
// [channels.TemplateChecker]. The token is kept behind a function, so that no
// way of printing the sender shows it.
type sender struct {
	base, number, account, language string
	token                           func() string
	redact                          func(string) string
	client                          *http.Client
	now                             func() time.Time
}

// Send implements [channels.Sender]. Meta knows no idempotency key: the request
// is made once. The correlation key comes back with every status of the message.
func (s *sender) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	body, failure := s.compose(m)
	if failure != nil {
		return channels.Receipt{}, failure
	}
	var answer struct {
		Messages []struct {
			ID string `json:"id"`
		} `json:"messages"`
	}
	if failure := s.call(ctx, http.MethodPost, url.PathEscape(s.number)+"/messages", body, &answer); failure != nil {
		return channels.Receipt{}, failure
	}
	if len(answer.Messages) == 0 || answer.Messages[0].ID == "" {
		return channels.Receipt{}, channels.Fail(channels.Unknown, "200", "the answer names no message, so it may not be Meta that answered")
	}
	return channels.Receipt{ProviderMessageID: answer.Messages[0].ID, At: s.now().Truncate(time.Microsecond)}, nil
}

// Verify implements [channels.Verifier]: it reads the sending number.
func (s *sender) Verify(ctx context.Context) (string, error) {
	var number struct {
		Display string `json:"display_phone_number"`
		Name    string `json:"verified_name"`
		Quality string `json:"quality_rating"`
	}
	failure := s.call(ctx, http.MethodGet, url.PathEscape(s.number)+"?fields=display_phone_number,verified_name,quality_rating", nil, &number)
	if failure != nil {
		return "", failure
	}
	if number.Display == "" {
		return "", channels.Fail(channels.Config, "200", "the answer describes no phone number, so it may not be Meta that answered")
	}
	return fmt.Sprintf("Meta accepts the token; it sends from %s (%s), quality %s", number.Display, number.Name, orElse(number.Quality, "unknown")), nil
}

// call makes one request and reads its answer.
func (s *sender) call(ctx context.Context, method, path string, body []byte, answer any) *channels.Failure {
	var trip channels.Trip
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(trip.Watch(ctx), method, s.base+path, reader)
	if err != nil {
		return channels.Fail(channels.Config, "base_url", "%s", s.redact(err.Error()))
	}
	r.Header.Set("Authorization", "Bearer "+s.token())
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
	if resp.StatusCode != http.StatusOK {
		return s.classify(resp, raw)
	}
	if err == nil {
		err = json.Unmarshal(raw, answer)
	}
	if err != nil {
		return channels.Fail(channels.Unknown, "200", "the answer cannot be read")
	}
	return nil
}
