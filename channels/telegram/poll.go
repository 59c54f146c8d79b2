package telegram

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"carillon/campaign"
	"carillon/channels"
)

const (
	// pollTime is how long Telegram waits for news before it says that there is none.
	pollTime = 25 * time.Second
	// pollSpare is what an answer may take on top of that.
	pollSpare = 10 * time.Second
	// pollMost is how many updates one answer may hold: with the longest texts they
	// stay far below answerLimit.
	pollMost = 50
	// pressTime is how long the presses of one batch may hold up the next.
	pressTime = 10 * time.Second
)

// poller asks for updates where no webhook reaches us:
// https://core.telegram.org/bots/api#getupdates
type poller struct {
	reader
	bot *bot
	me  string // the bot's number
}

// OpenPoll implements [channels.PollProvider].
func (p Provider) OpenPoll(i campaign.Integration, d channels.Deps) (channels.Poller, error) {
	if i.Settings["updates"] != byPoll {
		return nil, nil
	}
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	b := newBot(i, d).patient(pollTime + pollSpare)
	return &poller{reader: newReader(i, d), bot: b, me: b.number()}, nil
}

// Poll implements [channels.Poller]. The cursor is the bot's number and the offset
// of the next call, which confirms what is below it: so it is committed first.
// Once Telegram has been told, the cursor is "" again, for after a week without
// news the numbers of updates begin anew anywhere. It returns when Telegram says
// that there is no news.
func (p *poller) Poll(ctx context.Context, cursor string, commit channels.Commit) error {
	offset := p.offset(cursor)
	for !over(ctx) {
		batch, failure := p.ask(ctx, offset)
		if over(ctx) {
			break
		}
		if failure != nil {
			return failure
		}
		if len(batch) == 0 && offset == 0 {
			return nil // whoever calls learns that polling works
		}
		reports, presses, next, err := p.reports(ctx, batch)
		if err != nil {
			return err
		}
		cursor = ""
		if next != 0 {
			cursor = p.me + ":" + strconv.Itoa(next)
		}
		if err := commit(ctx, reports, cursor); err != nil {
			return err
		}
		offset = next
		p.release(ctx, presses)
	}
	return nil
}

// offset reads a cursor: 0, which is all that is not confirmed, where it is none
// or another bot's. The numbers of that one would confirm what nobody has read.
func (p *poller) offset(cursor string) int {
	me, number, _ := strings.Cut(cursor, ":")
	if me != p.me {
		return 0
	}
	offset, _ := strconv.Atoi(number)
	return offset
}

// release has the apps of those who pressed a button stop waiting. Where that
// fails they wait a little longer, and the updates do not.
func (p *poller) release(ctx context.Context, presses []string) {
	ctx, cancel := context.WithTimeout(ctx, pressTime)
	defer cancel()
	for _, id := range presses {
		if f := p.bot.call(ctx, func(b *tgbotapi.BotAPI) (*tgbotapi.APIResponse, error) {
			return b.MakeRequest("answerCallbackQuery", tgbotapi.Params{"callback_query_id": id})
		}, nil); f != nil {
			return
		}
	}
}

// over says that nobody waits for news any more, which is no failure.
func over(ctx context.Context) bool { return ctx.Err() != nil }

// ask makes one call. Of two who ask at once Telegram refuses one, and everybody
// while a webhook is set.
func (p *poller) ask(ctx context.Context, offset int) ([]json.RawMessage, *channels.Failure) {
	params := tgbotapi.Params{"timeout": strconv.Itoa(int(pollTime.Seconds())), "limit": strconv.Itoa(pollMost), "allowed_updates": wanted}
	if offset != 0 { // to confirm is not to wait
		params["offset"], params["timeout"] = strconv.Itoa(offset), "0"
	}
	var batch []json.RawMessage
	f := p.bot.call(ctx, func(b *tgbotapi.BotAPI) (*tgbotapi.APIResponse, error) { return b.MakeRequest("getUpdates", params) }, &batch)
	if f == nil || f.Code != "409" {
		return batch, f
	}
	if strings.Contains(f.Error(), "webhook") {
		return nil, channels.Fail(channels.Config, f.Code, "the bot has a webhook, so Telegram answers no getUpdates: call deleteWebhook, or set updates to webhook (%w)", f.Err)
	}
	return nil, channels.Fail(channels.Config, f.Code, "somebody else asks for the updates of the same bot: stop it, or give this integration a bot of its own (%w)", f.Err)
}

// reports reads a batch: what cannot be read is kept as it came and does not keep
// the others. next is the offset that confirms all of it.
func (p *poller) reports(ctx context.Context, batch []json.RawMessage) (reports []channels.Report, presses []string, next int, err error) {
	for _, raw := range batch {
		var id struct {
			ID int `json:"update_id"`
		}
		_ = json.Unmarshal(raw, &id)
		next = max(next, id.ID+1)
		u, err := parse(raw)
		if err != nil {
			sum := sha256.Sum256(raw)
			reports = append(reports, channels.Report{Key: "sha256:" + hex.EncodeToString(sum[:]), Kind: channels.ReportUnread, Channel: campaign.Telegram, Raw: raw})
			continue
		}
		report, err := p.read(ctx, u, raw)
		if err != nil {
			return nil, nil, 0, err
		}
		reports = append(reports, report)
		if u.CallbackQuery != nil {
			presses = append(presses, u.CallbackQuery.ID)
		}
	}
	if len(batch) > 0 && next <= 1 {
		return nil, nil, 0, channels.Fail(channels.Unknown, "200", "the updates have no numbers, so it may not be Telegram that answered")
	}
	return reports, presses, next, nil
}
