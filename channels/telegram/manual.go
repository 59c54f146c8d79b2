package telegram

import (
	_ "embed" // the guide

	"carillon/campaign"
	"carillon/channels"
)

//go:embed guide.md
var guide string

const reference = "https://core.telegram.org/bots/api"

// manual is what the documentation says beside the fields.
func manual() channels.Manual {
	return channels.Manual{
		Guide:  guide,
		Tested: "against a fake built from the Bot API's published reference",
		Hooks: []channels.HookAddress{{
			SetIn:    "a call of [setWebhook](" + reference + "#setwebhook) with a `secret_token`, once (*Answers* on the provider's page)",
			Verified: "the header `" + secretHeader + "`, which is the `webhook_secret`",
		}},
		Polls:   "With `updates` set to `poll` Carillon asks for updates itself (getUpdates), and needs no webhook.",
		Reports: []string{campaign.ReportOptOut},
		Limits: []channels.Limit{
			{What: "text", Value: "4,096 UTF-16 units: most characters are one, an emoji is two", Source: reference + "#sendmessage"},
			{What: "speed", Value: "about 30 messages a second for a bot, one a second in a chat: set `rate_per_second`", Source: "https://core.telegram.org/bots/faq#my-bot-is-hitting-limits-how-do-i-avoid-this"},
		},
		Causes: []channels.Cause{
			{Class: channels.Config, When: "401, 404 (a wrong token), 409, a redirection, a 403 of a proxy"},
			{Class: channels.Invalid, When: "a text too long or empty, HTML that cannot be parsed, any other 400 or 403"},
			{Class: channels.Recipient, When: "no such chat; a person who never opened the bot"},
			{Class: channels.OptOut, When: "403: the bot was blocked or kicked, the account is deactivated"},
			{Class: channels.Throttled, When: "429"},
			{Class: channels.Retryable, When: "408, 503, a 5xx with Telegram's own error body"},
			{Class: channels.NotSent, When: "no connection"},
			{Class: channels.Unknown, When: "a 5xx of a proxy, a server that restarts, no answer, an answer that names no message"},
		},
	}
}
