// Package telegram speaks Telegram as a bot: it sends texts to chats that their
// people have opened, and reads what they write from the webhook or by long
// polling. It imports packages channels and campaign. The rules are Telegram's:
// https://core.telegram.org/bots/api
package telegram

import (
	"context"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"carillon/campaign"
	"carillon/channels"
)

// Name is the provider's name in an integration.
const Name = "telegram"

// How updates arrive: the setting updates.
const (
	byWebhook = "webhook"
	byPoll    = "poll"
)

// maxText is how long a text may be, in UTF-16 code units:
// https://core.telegram.org/bots/api#sendmessage
const maxText = 4096

// Provider is Telegram.
type Provider struct{}

// Describe implements [channels.Provider].
func (Provider) Describe() channels.Description {
	return channels.Description{
		Provider: Name, Name: "Telegram", Channels: []campaign.Channel{campaign.Telegram}, Manual: manual(),
		Settings: []channels.Field{
			{Name: "bot_username", Label: "Name of the bot", Hint: "As @BotFather shows it, such as collect_bot; {{ telegram_link }} is made of it."},
			{Name: "updates", Label: "Updates", Hint: "How answers come: webhook needs webhook_secret and an address that Telegram reaches, poll needs neither.", Values: []string{byWebhook, byPoll}, Default: byWebhook},
			{Name: "base_url", Label: "Address of the API", Hint: "Only for a Bot API server of your own.", Kind: channels.KindURL, Default: defaultBase},
		},
		Secrets: []channels.Field{
			{Name: "bot_token", Label: "Token of the bot", Hint: "From @BotFather, such as 110201543:AAHd….", Required: true, Secret: true},
			{Name: "webhook_secret", Label: "Secret of the webhook", Hint: "The secret_token you give to setWebhook: 1 to 256 of A-Z, a-z, 0-9, _ and -.", Secret: true},
		},
		NoReports: true,
	}
}

// Open implements [channels.Provider].
func (p Provider) Open(i campaign.Integration, d channels.Deps) (channels.Sender, error) {
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	return &sender{
		bot: newBot(i, d), username: channels.BotUsername(&i), now: d.Clock, integrationID: i.ID,
		polls: i.Settings["updates"] == byPoll, guarded: d.Secrets["webhook_secret"] != "",
	}, nil
}

// sender implements [channels.Sender] and [channels.Verifier]. Nothing looks a
// message up at Telegram: an unknown outcome stays unknown.
type sender struct {
	bot           *bot
	username      string
	integrationID string
	polls         bool // updates are asked for
	guarded       bool // the webhook has its secret
	now           func() time.Time
}

// Send implements [channels.Sender]. Telegram knows no idempotency key and gives
// nothing back: the request is made once.
func (s *sender) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	text, failure := compose(&m)
	if failure != nil {
		return channels.Receipt{}, failure
	}
	var sent struct {
		ID int64 `json:"message_id"`
	}
	failure = s.bot.call(ctx, func(b *tgbotapi.BotAPI) (*tgbotapi.APIResponse, error) { return b.Request(text) }, &sent)
	if failure != nil {
		return channels.Receipt{}, failure
	}
	if sent.ID == 0 {
		return channels.Receipt{}, channels.Fail(channels.Unknown, "200", "the answer names no message, so it may not be Telegram that answered")
	}
	return channels.Receipt{ProviderMessageID: messageID(text.ChatID, sent.ID), At: s.now().Truncate(time.Microsecond)}, nil
}

// compose makes the message: plain text, so that nothing an agent says is taken
// for markup, or HTML where the stage's format asks for it.
func compose(m *channels.Outbound) (tgbotapi.MessageConfig, *channels.Failure) {
	var none tgbotapi.MessageConfig
	chat, err := strconv.ParseInt(strings.TrimSpace(m.To), 10, 64)
	if err != nil || chat == 0 {
		return none, channels.Fail(channels.Recipient, "no_chat", "%q is not the number of a Telegram chat", m.To)
	}
	if empty := checkEmpty(m.Body); empty != nil {
		return none, empty
	}
	text := tgbotapi.NewMessage(chat, m.Body)
	if m.HTML {
		text.ParseMode = tgbotapi.ModeHTML // Telegram counts what is left of it
		return text, nil
	}
	if long := checkLength(m.Body); long != nil {
		return none, long
	}
	return text, nil
}

// CheckText implements [channels.TextChecker].
func (Provider) CheckText(text string) error {
	if f := checkEmpty(text); f != nil {
		return f
	}
	if f := checkLength(text); f != nil {
		return f
	}
	return nil
}

func checkEmpty(text string) *channels.Failure {
	if strings.TrimSpace(text) == "" {
		return channels.Fail(channels.Invalid, "empty", "the message has no text")
	}
	return nil
}

func checkLength(text string) *channels.Failure {
	if n := len(utf16.Encode([]rune(text))); n > maxText {
		return channels.Fail(channels.Invalid, "too_long", "the text has %d characters (an emoji is two); Telegram takes %d", n, maxText)
	}
	return nil
}

// messageID is a message's id among all of the bot's: Telegram's own is one only
// within its chat.
func messageID(chat, message int64) string {
	return strconv.FormatInt(chat, 10) + ":" + strconv.FormatInt(message, 10)
}
