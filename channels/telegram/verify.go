package telegram

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"carillon/channels"
)

// Verify implements [channels.Verifier]: it asks who the token's bot is, and where
// its updates go.
func (s *sender) Verify(ctx context.Context) (string, error) {
	var me struct {
		Username string `json:"username"`
	}
	failure := s.ask(ctx, "getMe", &me)
	switch {
	case failure != nil:
		return "", failure
	case me.Username == "":
		return "", channels.Fail(channels.Config, "200", "the answer names no bot, so it may not be Telegram that answered")
	case s.username != "" && !strings.EqualFold(s.username, me.Username):
		return "", channels.Fail(channels.Config, "bot_username", "the token is that of @%s and bot_username says @%s: links would lead to another bot", me.Username, s.username)
	}
	text := "Telegram accepts the token of @" + me.Username
	if s.username == "" {
		text += "; set bot_username to " + me.Username + " for {{ telegram_link }}"
	}
	if !s.polls && !s.guarded {
		return text + "; answers do not arrive: set webhook_secret, or updates to poll", nil
	}
	var hook tgbotapi.WebhookInfo
	if failure := s.ask(ctx, "getWebhookInfo", &hook); failure != nil {
		return "", failure
	}
	if deaf := s.deaf(&hook); deaf != "" {
		text += "; " + deaf
	}
	return text, nil
}

func (s *sender) ask(ctx context.Context, method string, result any) *channels.Failure {
	return s.bot.call(ctx, func(b *tgbotapi.BotAPI) (*tgbotapi.APIResponse, error) { return b.MakeRequest(method, nil) }, result)
}

// deaf says why updates do not reach us, and what to do; "" if they may. Of the
// webhook's address only the host is shown: its path may be somebody's secret.
// https://core.telegram.org/bots/api#webhookinfo
func (s *sender) deaf(hook *tgbotapi.WebhookInfo) string {
	ours := "/hooks/" + Name + "/" + s.integrationID
	at, err := url.Parse(hook.URL)
	switch {
	case s.polls && hook.URL != "":
		return "answers do not arrive: a webhook is set, so Telegram refuses to be polled; call deleteWebhook"
	case s.polls:
		return ""
	case hook.URL == "":
		return "answers do not arrive: no webhook is set; call setWebhook with this integration's address, " + ours
	case err != nil || !strings.HasSuffix(at.Path, ours):
		host := "another address"
		if err == nil && at.Host != "" {
			host = "another address, at " + at.Host
		}
		return "answers do not arrive: the webhook leads to " + host + "; call setWebhook with this integration's, " + ours
	case hook.PendingUpdateCount > 0 && hook.LastErrorMessage != "":
		return fmt.Sprintf("%d updates wait at Telegram: its last delivery failed, at %s: %s", hook.PendingUpdateCount,
			time.Unix(int64(hook.LastErrorDate), 0).UTC().Format(time.RFC3339), s.bot.redact(hook.LastErrorMessage))
	}
	return ""
}
