package telegram_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/telegram"
	"carillon/channels/telegram/telegramtest"
)

const token = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

var (
	now     = time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	secrets = map[string]campaign.Secret{"bot_token": token, "webhook_secret": "a_secret-nobody-sees"}
)

func clock() time.Time { return now }

func newFake(t *testing.T, chats ...int64) *telegramtest.Server {
	t.Helper()
	f := telegramtest.New(t, token, chats...)
	f.Now = clock
	return f
}

func integration(f *telegramtest.Server, more ...string) campaign.Integration {
	i := campaign.Integration{ID: "in_1", Name: "Telegram", Provider: telegram.Name, Settings: map[string]string{"base_url": f.URL, "bot_username": telegramtest.Username}}
	for n := 0; n < len(more); n += 2 {
		i.Settings[more[n]] = more[n+1]
	}
	return i
}

func deps() channels.Deps {
	return channels.Deps{HTTP: &http.Client{Transport: channeltest.LocalOnly(), Timeout: 5 * time.Second}, Secrets: secrets, Now: clock}
}

func open(t *testing.T, i campaign.Integration) channels.Sender {
	t.Helper()
	s, err := telegram.Provider{}.Open(i, deps())
	require.NoError(t, err)
	return s
}

func TestTelegramIsAProvider(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	channeltest.Run(t, channeltest.Spec{
		Provider: telegram.Provider{}, Integration: integration(f), Secrets: secrets,
		HTTP: &channeltest.HTTP{Server: f.Server, Problem: `{"ok":false,"error_code":400,"description":"Bad Request: %s"}`, TooLong: 4097},
	})
	for _, why := range f.Refused() {
		require.Equal(t, "Not Found", why, "the fake refused a message")
	}
}

func TestATextGoesAsItIs(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	s := open(t, integration(f))
	m := channeltest.Outbound(campaign.Telegram, 1)
	m.Body = "5 < 6 & *no* [markup](x) 😀"
	receipt, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, "4242:101", receipt.ProviderMessageID, "an id is one within its chat only")
	require.Equal(t, telegramtest.Message{ID: 101, Chat: 4242, Text: m.Body, At: now}, f.Accepted()[0])

	m.Body, m.HTML = "<b>Hello</b> Ada &amp; all", true
	_, err = s.Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, "HTML", f.Accepted()[1].ParseMode)

	m.Body, m.HTML = strings.Repeat("😀", 2048), false // two UTF-16 units each
	_, err = s.Send(t.Context(), m)
	require.NoError(t, err)
	m.Body += "x"
	_, err = s.Send(t.Context(), m)
	require.ErrorContains(t, err, "4097 characters (an emoji is two); Telegram takes 4096")
	require.Equal(t, channels.Invalid, channels.Classify(err).Class)
	require.Len(t, f.Accepted(), 3)
	require.Empty(t, f.Refused())

	for body, to := range map[string]string{"Hello": "@ada", "Hi": "", " \n": "4242"} {
		m.Body, m.To = body, to
		_, err = s.Send(t.Context(), m)
		require.Contains(t, []channels.Class{channels.Recipient, channels.Invalid}, channels.Classify(err).Class)
	}
	require.Equal(t, 3, f.Calls(), "none of these is asked")
}

func TestChatsThatCannotBeWrittenTo(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	s := open(t, integration(f))
	send := func(to string) *channels.Failure {
		m := channeltest.Outbound(campaign.Telegram, 1)
		m.To = to
		_, err := s.Send(t.Context(), m)
		return channels.Classify(err)
	}
	require.Equal(t, channels.Recipient, send("4243").Class, "nobody has opened it")
	f.Block(4242)
	require.Equal(t, channels.OptOut, send("4242").Class)
	require.Empty(t, f.Accepted())
	require.Equal(t, 0, f.Count(4242, "Hello Ada"))
}

func TestErrorsHaveTheClassesOfTheReference(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	s := open(t, integration(f))
	for _, tc := range []struct {
		status      int
		description string
		want        channels.Class
	}{
		{400, "Bad Request: chat not found", channels.Recipient},
		{400, "Bad Request: message is too long", channels.Invalid},
		{400, "Bad Request: can't parse entities: Unexpected end tag at byte offset 3", channels.Invalid},
		{400, "Bad Request: group chat was upgraded to a supergroup chat", channels.Recipient},
		{401, "Unauthorized", channels.Config},
		{403, "Forbidden: bot was blocked by the user", channels.OptOut},
		{403, "Forbidden: user is deactivated", channels.OptOut},
		{403, "Forbidden: bot was kicked from the group chat", channels.OptOut},
		{403, "Forbidden: bot can't initiate conversation with a user", channels.Recipient},
		{403, "Forbidden: something new", channels.Invalid},
		{404, "Not Found", channels.Config},
		{409, "Conflict: terminated by other getUpdates request", channels.Config},
		{500, "Internal Server Error", channels.Retryable},
		{500, "Internal Server Error: restart", channels.Unknown},
	} {
		f.Fail(channeltest.Fault{Status: tc.status, Body: fmt.Sprintf(`{"ok":false,"error_code":%d,"description":%q}`, tc.status, tc.description)})
		_, err := s.Send(t.Context(), channeltest.Outbound(campaign.Telegram, 1))
		require.Equal(t, tc.want, channels.Classify(err).Class, tc.description)
		require.ErrorContains(t, err, tc.description)
		require.Equal(t, fmt.Sprint(tc.status), channels.Classify(err).Code)
	}
	for seconds, want := range map[string]time.Duration{"7": 7 * time.Second, "9999999": time.Hour, "-1": 0} {
		f.Fail(channeltest.Fault{Status: 429, Body: `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after ` + seconds + `","parameters":{"retry_after":` + seconds + `}}`})
		_, err := s.Send(t.Context(), channeltest.Outbound(campaign.Telegram, 1))
		require.Equal(t, channels.Throttled, channels.Classify(err).Class)
		require.Equal(t, want, channels.Classify(err).RetryAfter, seconds)
	}
	require.Empty(t, f.Accepted())
}

func TestAnAddressThatCannotBeCalledShowsNoToken(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for _, base := range []string{"http://127.0.0.1:1/a%2Fb", "http://127.0.0.1:x", "http://[::1"} {
		_, err := open(t, integration(f, "base_url", base)).Send(t.Context(), channeltest.Outbound(campaign.Telegram, 1))
		require.Error(t, err)
		require.NotContains(t, err.Error(), "AAHdq")
	}
}
