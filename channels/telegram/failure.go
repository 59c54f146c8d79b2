package telegram

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"carillon/channels"
)

// classify says how an answer other than an acceptance ends the call. Telegram's
// own errors have a description, and the code of the HTTP status:
// https://core.telegram.org/bots/api#making-requests
func (b *bot) classify(answer *http.Response, err error) *channels.Failure {
	status := answer.StatusCode
	theirs, ok := errors.AsType[*tgbotapi.Error](err)
	if status == http.StatusOK && !ok {
		return unreadable()
	}
	f := channels.Fail(class(status, "", false), strconv.Itoa(status), "Telegram answers %d without an error of its own", status)
	wait := channels.RetryAfter(answer.Header, b.now())
	if ok && theirs.Code != 0 {
		f = channels.Fail(class(status, theirs.Message, true), strconv.Itoa(status), "Telegram: %s", b.redact(theirs.Message))
		if s := theirs.RetryAfter; s > 0 {
			wait = time.Duration(min(s, 3600)) * time.Second
		}
	}
	if f.Retry() {
		f.RetryAfter = wait
	}
	return f
}

// class is that of a status and, where the same status means several things,
// Telegram's description of it. The descriptions are those of its server:
// https://github.com/tdlib/telegram-bot-api
func class(status int, description string, theirs bool) channels.Class {
	switch {
	case status < 300: // it may have been taken
		return channels.Unknown
	case status < 400, status == http.StatusUnauthorized, status == http.StatusNotFound, status == http.StatusConflict:
		return channels.Config // a wrong token, or somebody else takes the bot's updates
	case status == http.StatusForbidden && theirs:
		return forbidden(strings.ToLower(description))
	case status == http.StatusForbidden:
		return channels.Config
	case status == http.StatusTooManyRequests:
		return channels.Throttled
	case status == http.StatusRequestTimeout:
		return channels.Retryable
	case status < 500:
		return bad(strings.ToLower(description))
	case theirs && !strings.Contains(description, "restart"), status == http.StatusServiceUnavailable:
		return channels.Retryable // Telegram says that it did not take it
	default:
		return channels.Unknown // a proxy answers, or the server went away while it worked
	}
}

// forbidden: the person does not want the bot, or has never opened it.
func forbidden(description string) channels.Class {
	switch {
	case has(description, "blocked by the user", "user is deactivated", "was kicked"):
		return channels.OptOut
	case has(description, "can't initiate conversation", "can't send messages to bots", "is not a member", "group chat was deleted", "chat_write_forbidden", "not enough rights"):
		return channels.Recipient
	default:
		return channels.Invalid
	}
}

// bad: there is no such chat, or the message is wrong.
func bad(description string) channels.Class {
	if has(description, "chat not found", "user not found", "peer_id_invalid", "input_user_deactivated", "upgraded to a supergroup", "group chat was deactivated") {
		return channels.Recipient
	}
	return channels.Invalid
}

func has(text string, parts ...string) bool {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return true
		}
	}
	return false
}
