// Package sendgrid sends e-mail through Twilio SendGrid's Mail Send API, v3, and
// reads its Event Webhook and Inbound Parse. It imports packages channels, mailin
// and campaign, and of SendGrid's library what builds a request: its clients
// share state and wait inside the process.
package sendgrid

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/sendgrid/rest"
	sdk "github.com/sendgrid/sendgrid-go"

	"carillon/campaign"
	"carillon/channels"
)

// Name is the provider's name in an integration.
const Name = "sendgrid"

// Provider is SendGrid.
type Provider struct{}

// Describe implements [channels.Provider].
func (Provider) Describe() channels.Description {
	return channels.Description{
		Provider: Name, Name: "SendGrid", Channels: []campaign.Channel{campaign.EmailNotification, campaign.Email}, Manual: manual(),
		Settings: []channels.Field{
			{Name: "from_email", Label: "Sender", Hint: "An address of a domain that is authenticated in SendGrid.", Required: true, Kind: channels.KindEmail},
			{Name: "from_name", Label: "Sender's name"},
			{Name: "reply_domain", Label: "Reply domain", Hint: "The domain whose mail Inbound Parse takes; answers of conversations are addressed to it. Without it they go to the sender.", Kind: channels.KindDomain},
			{Name: "event_public_key", Label: "Event key", Hint: "Verification key of the Event Webhook.", Kind: channels.KindPublicKey},
			{Name: "inbound_public_key", Label: "Inbound key", Hint: "Verification key of Inbound Parse. Without it no answer is believed.", Kind: channels.KindPublicKey},
			{Name: "region", Label: "Region", Hint: "eu for a subuser of the European region; global if not set.", Values: []string{"global", "eu"}},
			{Name: "base_url", Label: "Address of the API", Hint: "Only for a server that stands in for SendGrid; wins over the region.", Kind: channels.KindURL},
		},
		Secrets: []channels.Field{
			{Name: "api_key", Label: "API key", Hint: "With the permission Mail Send.", Required: true, Secret: true},
		},
	}
}

// answerLimit is how much of an answer is read; SendGrid's are a few hundred bytes.
const answerLimit = 64 << 10

// Open implements [channels.Provider].
func (p Provider) Open(i campaign.Integration, d channels.Deps) (channels.Sender, error) {
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	s := &sender{
		host: "https://api.sendgrid.com", from: i.Settings["from_email"], fromName: i.Settings["from_name"], replyDomain: i.Settings["reply_domain"],
		key: d.Secrets["api_key"].Reveal, redact: func(text string) string { return channels.Redact(text, d.Secrets) },
		client: &rest.Client{HTTPClient: channels.Narrow(d.Client(), answerLimit)}, now: d.Clock,
	}
	if i.Settings["region"] == "eu" {
		s.host = "https://api.eu.sendgrid.com"
	}
	if u := i.Settings["base_url"]; u != "" {
		s.host = strings.TrimSuffix(u, "/")
	}
	return s, nil
}

// sender implements [channels.Sender] and [channels.Verifier]. The key is kept
// behind a function, so that no way of printing the sender shows it.
type sender struct {
	host, from, fromName, replyDomain string
	key                               func() string
	redact                            func(string) string
	client                            *rest.Client
	now                               func() time.Time
}

// Send implements [channels.Sender]. SendGrid knows no idempotency key: the
// request is made once, and is never marked as one that may be repeated.
func (s *sender) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	body, failure := s.compose(m)
	if failure != nil {
		return channels.Receipt{}, failure
	}
	resp, failure := s.call(ctx, http.MethodPost, "/v3/mail/send", body)
	if failure != nil {
		return channels.Receipt{}, failure
	}
	if resp.StatusCode != http.StatusAccepted {
		return channels.Receipt{}, s.classify(resp)
	}
	id := http.Header(resp.Headers).Get("X-Message-Id")
	if id == "" {
		return channels.Receipt{}, channels.Fail(channels.Unknown, "202", "the answer has no X-Message-Id, so it may not be SendGrid that answered")
	}
	return channels.Receipt{ProviderMessageID: id, At: s.now().Truncate(time.Microsecond)}, nil
}

// Verify implements [channels.Verifier]: it asks what the key may do.
func (s *sender) Verify(ctx context.Context) (string, error) {
	resp, failure := s.call(ctx, http.MethodGet, "/v3/scopes", nil)
	if failure != nil {
		return "", failure
	}
	if resp.StatusCode != http.StatusOK {
		return "", s.classify(resp)
	}
	var answer struct {
		Scopes []string `json:"scopes"`
	}
	if err := json.Unmarshal([]byte(resp.Body), &answer); err != nil {
		return "", channels.Fail(channels.Config, "200", "%s does not answer as SendGrid does", s.host)
	}
	for _, scope := range answer.Scopes {
		if scope == "mail.send" {
			return "SendGrid accepts the key, and it may send", nil
		}
	}
	return "", channels.Fail(channels.Config, "no_mail_send", "SendGrid accepts the key, but it lacks the permission Mail Send")
}

func (s *sender) call(ctx context.Context, method, path string, body []byte) (*rest.Response, *channels.Failure) {
	req := sdk.GetRequest(s.key(), path, s.host)
	req.Method, req.Body = rest.Method(method), body
	var trip channels.Trip
	resp, err := s.client.SendWithContext(trip.Watch(ctx), req)
	switch {
	case resp != nil && resp.StatusCode != 0: // an answer cut off behind its status still tells what became of the request
		return resp, nil
	case err != nil:
		f := trip.Failure(err)
		f.Err = redacted(s.redact(f.Err.Error()))
		return nil, f
	default:
		return nil, channels.Fail(channels.Unknown, "", "no answer came")
	}
}

// redacted is the text of an error from which the secrets were taken.
type redacted string

// Error implements error.
func (r redacted) Error() string { return string(r) }
