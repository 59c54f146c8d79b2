package telegram

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"carillon/campaign"
	"carillon/channels"
)

// update is one thing that happened: https://core.telegram.org/bots/api#update
type update = tgbotapi.Update

// wanted are the kinds of updates that are read.
const wanted = `["message","edited_message","callback_query","my_chat_member"]`

// parse reads an update. What a later version of Telegram writes in another form
// is left out, and the rest is read.
func parse(raw []byte) (*update, error) {
	u := &update{}
	err := json.Unmarshal(raw, u)
	if _, odd := errors.AsType[*json.UnmarshalTypeError](err); err != nil && !odd {
		return nil, errors.New("not an update of Telegram")
	}
	if u.UpdateID == 0 {
		return nil, errors.New("an update without an id")
	}
	return u, nil
}

// reader makes reports of the updates of one integration's bot.
type reader struct {
	bot         string // its number, which its token begins with
	integration string
	starter     func(context.Context) (channels.Starter, error)
}

func newReader(i campaign.Integration, d channels.Deps) reader {
	number, _, _ := strings.Cut(d.Secrets["bot_token"].Reveal(), ":")
	return reader{bot: number, integration: i.ID, starter: d.Starter}
}

// read makes the report of an update. Its key is the update's id, which is the
// bot's: an integration may be given another bot.
func (r reader) read(ctx context.Context, u *update, raw []byte) (channels.Report, error) {
	report := channels.Report{
		Key: r.bot + "|" + strconv.Itoa(u.UpdateID), Kind: channels.ReportStatus, Status: channels.StatusNoted, Channel: campaign.Telegram, Raw: raw,
	}
	switch {
	case u.Message != nil:
		return r.message(ctx, report, u.Message)
	case u.CallbackQuery != nil:
		return pressed(report, u.CallbackQuery), nil
	case u.MyChatMember != nil:
		return member(report, u.MyChatMember), nil
	case u.EditedMessage != nil:
		m := u.EditedMessage
		report.At, report.Address = moment(m.EditDate), address(m.Chat)
		return noted(report, "the person changed a message"), nil
	default:
		return noted(report, "a kind of update that is not read"), nil
	}
}

// noted is kept, and tells nobody anything.
func noted(report channels.Report, why string) channels.Report {
	report.Reason = why
	return report
}

// message reads what a person wrote, or who it is when it has opened the bot.
func (r reader) message(ctx context.Context, report channels.Report, m *tgbotapi.Message) (channels.Report, error) {
	report.At, report.Address = moment(m.Date), address(m.Chat)
	if !private(m.Chat) {
		return noted(report, "a group is no contact"), nil
	}
	if payload, ok := started(m.Text); ok {
		contact := ""
		if payload != "" {
			starter, err := r.starter(ctx)
			if err != nil {
				return report, err
			}
			contact, ok = starter.Read(r.integration, payload)
		}
		if ok {
			report.Kind, report.Status = channels.ReportIdentity, ""
			report.Identity = &channels.Identity{ContactID: contact, UserID: userID(m.From, report.Address), Name: name(m.From)}
			return report, nil
		} // a token that is not ours is a message like any other
	}
	in := &channels.Inbound{Name: name(m.From), Auto: m.From != nil && m.From.IsBot}
	in.Content, in.Files = said(m)
	if in.Content == "" {
		return noted(report, "a notice of the chat"), nil
	}
	if to := m.ReplyToMessage; to != nil && to.MessageID != 0 && m.Chat != nil {
		report.ProviderMessageID = messageID(m.Chat.ID, int64(to.MessageID))
		in.Threads = []string{report.ProviderMessageID}
	}
	report.Kind, report.Status, report.Inbound = channels.ReportMessage, "", in
	return report, nil
}

// started reads the command that opens a bot: https://core.telegram.org/bots/features#deep-linking
func started(text string) (payload string, ok bool) {
	words := strings.Fields(text)
	if len(words) == 0 || len(words) > 2 {
		return "", false
	}
	if command, _, _ := strings.Cut(words[0], "@"); command != "/start" {
		return "", false
	}
	if len(words) == 2 {
		payload = words[1]
	}
	return payload, true
}

// pressed reads the press of a button as what is written on it.
func pressed(report channels.Report, q *tgbotapi.CallbackQuery) channels.Report {
	if q.Message == nil || !private(q.Message.Chat) {
		return noted(report, "a button outside a private chat")
	}
	text := q.Data
	if keys := q.Message.ReplyMarkup; keys != nil {
		for _, row := range keys.InlineKeyboard {
			for _, key := range row {
				if key.CallbackData != nil && *key.CallbackData == q.Data && q.Data != "" {
					text = key.Text
				}
			}
		}
	}
	report.Address = address(q.Message.Chat)
	if text = strings.TrimSpace(text); text == "" {
		return noted(report, "a button without a text")
	}
	report.ProviderMessageID = messageID(q.Message.Chat.ID, int64(q.Message.MessageID))
	report.Kind, report.Status = channels.ReportMessage, ""
	report.Inbound = &channels.Inbound{Name: name(q.From), Content: text, Threads: []string{report.ProviderMessageID}}
	return report
}

// member reads that a person has blocked the bot, or lets it write again. A
// block is an opt-out; that it is over takes nothing back, a person here does.
func member(report channels.Report, m *tgbotapi.ChatMemberUpdated) channels.Report {
	report.At, report.Address = moment(m.Date), address(&m.Chat)
	status := m.NewChatMember.Status
	if !private(&m.Chat) || status != "kicked" && status != "member" {
		return noted(report, "the bot's place in a group")
	}
	report.Kind, report.Status = channels.ReportIdentity, ""
	report.Identity = &channels.Identity{UserID: userID(&m.From, report.Address), Name: name(&m.From), Blocked: status == "kicked"}
	if report.Identity.Blocked {
		report.Status, report.Suppress, report.Reason = campaign.ReportOptOut, "opt_out", "the person blocked the bot"
	}
	return report
}

func private(c *tgbotapi.Chat) bool { return c != nil && c.Type == "private" && c.ID != 0 }

// address is a chat as contacts have it.
func address(c *tgbotapi.Chat) string {
	if c == nil || c.ID == 0 {
		return ""
	}
	return strconv.FormatInt(c.ID, 10)
}

// userID is the person's number; a private chat has the same one.
func userID(u *tgbotapi.User, chat string) string {
	if u == nil || u.ID == 0 {
		return chat
	}
	return strconv.FormatInt(u.ID, 10)
}

func name(u *tgbotapi.User) string {
	if u == nil {
		return ""
	}
	return strings.TrimSpace(u.FirstName + " " + u.LastName)
}

func moment(seconds int) time.Time {
	if seconds <= 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0).UTC()
}
