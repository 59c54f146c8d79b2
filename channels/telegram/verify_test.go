package telegram_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/telegram"
)

func TestTheBotIsTheOneThatLinksLeadTo(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.Subscribe("https://host.example/hooks/telegram/in_1", "a_secret-nobody-sees")
	verify := func(username string) (string, error) {
		return open(t, integration(f, "bot_username", username)).(channels.Verifier).Verify(t.Context())
	}
	for _, name := range []string{"collect_bot", "@Collect_Bot"} {
		text, err := verify(name)
		require.NoError(t, err)
		require.Equal(t, "Telegram accepts the token of @collect_bot", text)
	}
	text, err := verify("")
	require.NoError(t, err)
	require.Equal(t, "Telegram accepts the token of @collect_bot; set bot_username to collect_bot for {{ telegram_link }}", text)
	_, err = verify("another_bot")
	require.ErrorContains(t, err, "@collect_bot")
	require.Equal(t, channels.Config, channels.Classify(err).Class)
}

func TestVerifyingTellsWhyAnswersDoNotArrive(t *testing.T) {
	t.Parallel()
	const ours, deaf = "https://host.example/hooks/telegram/in_1", "; answers do not arrive: "
	at := time.Date(2026, 11, 26, 8, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		updates, webhook, failure string
		unguarded                 bool
		want                      string
	}{
		"all is well":       {webhook: ours},
		"no secret":         {unguarded: true, want: deaf + "set webhook_secret, or updates to poll"},
		"no webhook":        {updates: "webhook", want: deaf + "no webhook is set; call setWebhook with this integration's address, /hooks/telegram/in_1"},
		"another webhook":   {webhook: "https://old.example/secret-path", want: deaf + "the webhook leads to another address, at old.example; call setWebhook with this integration's, /hooks/telegram/in_1"},
		"failed deliveries": {webhook: ours, failure: "Wrong response from the webhook: 401 Unauthorized", want: "; 3 updates wait at Telegram: its last delivery failed, at 2026-11-26T08:30:00Z: Wrong response from the webhook: 401 Unauthorized"},
		"polls":             {updates: "poll", unguarded: true},
		"polls, but cannot": {updates: "poll", unguarded: true, webhook: ours, want: deaf + "a webhook is set, so Telegram refuses to be polled; call deleteWebhook"},
	} {
		f, d := newFake(t), deps()
		f.Subscribe(c.webhook, "a_secret-nobody-sees")
		if c.failure != "" {
			f.FailDeliveries(3, c.failure, at)
		}
		if c.unguarded {
			d.Secrets = map[string]campaign.Secret{"bot_token": token}
		}
		s, err := telegram.Provider{}.Open(integration(f, "updates", c.updates), d)
		require.NoError(t, err, name)
		text, err := s.(channels.Verifier).Verify(t.Context())
		require.NoError(t, err, name)
		require.Equal(t, "Telegram accepts the token of @collect_bot"+c.want, text, name)
	}
}
