package telegram

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"net/http"

	"carillon/campaign"
	"carillon/channels"
)

// secretHeader brings the secret_token of setWebhook with every update:
// https://core.telegram.org/bots/api#setwebhook
const secretHeader = "X-Telegram-Bot-Api-Secret-Token"

// hook receives the webhook of one integration.
type hook struct {
	reader
	secret func() string
}

// OpenHook implements [channels.HookProvider].
func (p Provider) OpenHook(i campaign.Integration, d channels.Deps) (channels.Hook, error) {
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	if d.Secrets["webhook_secret"] == "" {
		return nil, channels.Fail(channels.Config, "no_webhook_secret", "secrets.webhook_secret is missing: without it nobody can tell Telegram's webhook from a forged one")
	}
	return &hook{reader: newReader(i, d), secret: d.Secrets["webhook_secret"].Reveal}, nil
}

// Limit implements [channels.Hook]. One update is far smaller.
func (h *hook) Limit(string) int64 { return channels.HookLimit }

// Receive implements [channels.Hook]. Telegram signs nothing: the secret proves
// who sends, and repeats an update until it is answered with 2xx.
func (h *hook) Receive(ctx context.Context, r *channels.HookRequest) ([]channels.Report, channels.HookAnswer, error) {
	var none channels.HookAnswer
	switch {
	case r.Path != "" && r.Path != "/":
		return nil, none, fmt.Errorf("%w: %s is no webhook of Telegram", channels.ErrForged, r.Path)
	case r.Method != http.MethodPost:
		return nil, none, fmt.Errorf("%w: %s", channels.ErrForged, r.Method)
	case !same(r.Header.Get(secretHeader), h.secret()):
		return nil, none, fmt.Errorf("%w: the header %s is not webhook_secret", channels.ErrForged, secretHeader)
	}
	u, err := parse(r.Body)
	if err != nil {
		return nil, none, fmt.Errorf("%w: %w", channels.ErrMalformed, err)
	}
	report, err := h.read(ctx, u, r.Body)
	if err != nil {
		return nil, none, err
	}
	return []channels.Report{report}, answering(u), nil
}

// same compares in constant time, also over the lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// answering is the answer to an update: after the press of a button it has the
// app stop waiting, which a webhook may ask for in place of a call:
// https://core.telegram.org/bots/api#making-requests-when-getting-updates
func answering(u *update) channels.HookAnswer {
	if u.CallbackQuery == nil {
		return channels.HookAnswer{}
	}
	body, err := json.Marshal(map[string]string{"method": "answerCallbackQuery", "callback_query_id": u.CallbackQuery.ID})
	if err != nil {
		return channels.HookAnswer{}
	}
	return channels.HookAnswer{ContentType: "application/json", Body: body}
}
