package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"carillon/campaign"
	"carillon/channels"
)

const (
	defaultBase = "https://api.telegram.org"
	answerLimit = 8 << 20 // a batch of updates with long texts
)

// bot calls the Bot API for one token. The library it wraps knows no context,
// reads answers of any size, and its errors show the token, which is part of
// every address. The token is kept behind a function, so that no way of
// printing the bot shows it.
type bot struct {
	endpoint string // with a place for the token and one for the method
	token    func() string
	redact   func(string) string
	client   *http.Client
	now      func() time.Time
}

func newBot(i campaign.Integration, d channels.Deps) *bot {
	base := strings.TrimSuffix(i.Settings["base_url"], "/")
	if base == "" {
		base = defaultBase
	}
	return &bot{
		endpoint: strings.ReplaceAll(base, "%", "%%") + "/bot%s/%s", token: d.Secrets["bot_token"].Reveal,
		redact: func(text string) string { return channels.Redact(text, d.Secrets) },
		client: channels.Narrow(d.Client(), answerLimit), now: d.Clock,
	}
}

// patient returns the bot with a client that waits longer for an answer.
func (b *bot) patient(wait time.Duration) *bot {
	other, client := *b, *b.client
	client.Timeout = wait
	other.client = &client
	return &other
}

// number is the bot's, which its token begins with and which is no secret; "" for
// what is no token.
func (b *bot) number() string {
	number, _, ok := strings.Cut(b.token(), ":")
	if !ok {
		return ""
	}
	return number
}

// doer makes the library's requests.
type doer func(*http.Request) (*http.Response, error)

// Do implements tgbotapi.HTTPClient.
func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// call makes one request through the library and reads its result.
func (b *bot) call(ctx context.Context, request func(*tgbotapi.BotAPI) (*tgbotapi.APIResponse, error), result any) *channels.Failure {
	var trip channels.Trip
	var answer *http.Response
	var lost error
	api := &tgbotapi.BotAPI{Token: url.PathEscape(b.token()), Client: doer(func(r *http.Request) (*http.Response, error) {
		answer, lost = b.client.Do(r.WithContext(trip.Watch(ctx)))
		return answer, lost
	})}
	api.SetAPIEndpoint(b.endpoint)
	got, err := request(api)
	switch {
	case lost != nil:
		f := trip.Failure(lost)
		f.Err = errors.New(b.redact(f.Err.Error()))
		return f
	case answer == nil: // the library refused to make the request
		return channels.Fail(channels.Config, "base_url", "the address cannot be called: %s", b.redact(err.Error()))
	case err != nil || answer.StatusCode != http.StatusOK:
		return b.classify(answer, err)
	}
	if result != nil && json.Unmarshal(got.Result, result) != nil {
		return unreadable()
	}
	return nil
}

func unreadable() *channels.Failure {
	return channels.Fail(channels.Unknown, "200", "the answer cannot be read")
}
