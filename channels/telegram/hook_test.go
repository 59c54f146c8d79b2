package telegram_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/telegram"
	"carillon/channels/telegram/telegramtest"
)

var start = channels.Starter{Secret: bytes.Repeat([]byte{7}, 32)}

// listening is a Deps that reads start tokens.
func listening() channels.Deps {
	d := deps()
	d.StartSecret = func(context.Context) ([]byte, error) { return start.Secret, nil }
	return d
}

func hook(t *testing.T) channels.Hook {
	t.Helper()
	h, err := telegram.Provider{}.OpenHook(campaign.Integration{ID: "in_1"}, listening())
	require.NoError(t, err)
	return h
}

func post(t *testing.T, body string) ([]channels.Report, channels.HookAnswer, error) {
	t.Helper()
	return hook(t).Receive(t.Context(), &channels.HookRequest{
		Method: http.MethodPost, Body: []byte(body), Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a_secret-nobody-sees"}},
	})
}

// one is the report of an update with one part.
func one(t *testing.T, kind, part string) channels.Report {
	t.Helper()
	reports, _, err := post(t, fmt.Sprintf(`{"update_id":870000001,%q:%s}`, kind, part))
	require.NoError(t, err, part)
	require.Len(t, reports, 1, part)
	r := reports[0]
	require.Equal(t, "110201543|870000001", r.Key, "one bot's")
	require.Equal(t, campaign.Telegram, r.Channel)
	require.NotEmpty(t, r.Raw)
	return r
}

// message is a message of Ada's with more fields.
func message(more string) string {
	return `{"message_id":8,"date":1796115600,"from":{"id":4242,"first_name":"Ada","last_name":"Lovelace"},"chat":{"id":4242,"type":"private","first_name":"Ada"},` + more + `}`
}

func TestOnlyTheSecretOpensTheWebhook(t *testing.T) {
	t.Parallel()
	body := []byte(`{"update_id":1,"message":` + message(`"text":"hi"`) + `}`)
	for name, r := range map[string]*channels.HookRequest{
		"no secret":        {Method: http.MethodPost, Body: body, Header: http.Header{}},
		"an empty one":     {Method: http.MethodPost, Body: body, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {""}}},
		"another":          {Method: http.MethodPost, Body: body, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a_secret-nobody-seeS"}}},
		"the beginning":    {Method: http.MethodPost, Body: body, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a_secret"}}},
		"the token itself": {Method: http.MethodPost, Body: body, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {token}}},
		"a GET":            {Method: http.MethodGet, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a_secret-nobody-sees"}}},
		"another path":     {Method: http.MethodPost, Path: "/x", Body: body, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a_secret-nobody-sees"}}},
	} {
		_, _, err := hook(t).Receive(t.Context(), r)
		require.ErrorIs(t, err, channels.ErrForged, name)
		require.NotContains(t, err.Error(), "a_secret")
	}
	_, err := telegram.Provider{}.OpenHook(campaign.Integration{}, channels.Deps{Secrets: map[string]campaign.Secret{"bot_token": token}})
	require.Equal(t, channels.Config, channels.Classify(err).Class, "without a secret everything would be believed")
	for _, body := range []string{"", "{", "[]", `"x"`, "{}", `{"update_id":0}`, `{"message":` + message(`"text":"hi"`) + `}`} {
		_, _, err := post(t, body)
		require.ErrorIs(t, err, channels.ErrMalformed, body)
	}
}

func TestWhatPeopleSayIsHeard(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		more, want string
		files      []channels.File
	}{
		{`"text":" I will pay "`, "I will pay", nil},
		{`"text":"/stop"`, "/stop", nil},
		{`"text":"/start me up please"`, "/start me up please", nil},
		{
			`"caption":"my receipt","photo":[{"file_id":"s","file_size":10},{"file_id":"L","file_size":900},{"file_id":"m","file_size":90}]`, "my receipt",
			[]channels.File{{Name: "photo", Type: "image/jpeg", Size: 900, URL: "telegram-file:L"}},
		},
		{
			`"document":{"file_id":"d","file_name":"bill.pdf","mime_type":"application/pdf","file_size":5}`, "[bill.pdf]",
			[]channels.File{{Name: "bill.pdf", Type: "application/pdf", Size: 5, URL: "telegram-file:d"}},
		},
		{`"voice":{"file_id":"v","duration":3,"mime_type":"audio/ogg"}`, "[voice message]", []channels.File{{Name: "voice message", Type: "audio/ogg", URL: "telegram-file:v"}}},
		{`"animation":{"file_id":"g","file_name":"a.mp4"},"document":{"file_id":"g","file_name":"a.mp4"}`, "[a.mp4]", []channels.File{{Name: "a.mp4", URL: "telegram-file:g"}}},
		{`"sticker":{"file_id":"k","emoji":"👍"}`, "[sticker]\n👍", []channels.File{{Name: "sticker", URL: "telegram-file:k"}}},
		{`"contact":{"phone_number":"+14155550100","first_name":"Bob","last_name":""}`, "Bob +14155550100", nil},
		{`"location":{"latitude":1.5,"longitude":2}`, "(1.5, 2)", nil},
		{`"venue":{"location":{"latitude":1.5,"longitude":2},"title":"Home","address":"Main St"},"location":{"latitude":1.5,"longitude":2}`, "Home Main St (1.5, 2)", nil},
		{`"dice":{"emoji":"🎲","value":6}`, "🎲 6", nil},
		{`"text":"hi","reply_to_message":{"message_id":7,"date":1},"poll":{"total_voter_count":"a form of the future"}`, "hi", nil},
	} {
		r := one(t, "message", message(tc.more))
		require.Equal(t, channels.ReportMessage, r.Kind, tc.more)
		require.Equal(t, tc.want, r.Inbound.Content, tc.more)
		require.Equal(t, tc.files, r.Inbound.Files, tc.more)
		require.Equal(t, "Ada Lovelace", r.Inbound.Name)
		require.Equal(t, "4242", r.Address)
		require.Equal(t, now, r.At)
		require.Empty(t, r.Status)
		require.False(t, r.Inbound.Auto)
	}
	r := one(t, "message", message(`"text":"yes","reply_to_message":{"message_id":7,"date":1,"chat":{"id":4242,"type":"private"}}`))
	require.Equal(t, "4242:7", r.ProviderMessageID, "it answers a message of ours")
	require.Equal(t, []string{"4242:7"}, r.Inbound.Threads)
	r = one(t, "message", `{"message_id":8,"date":1,"from":{"id":1,"is_bot":true},"chat":{"id":1,"type":"private"},"text":"beep"}`)
	require.True(t, r.Inbound.Auto)
}

func TestAButtonIsATextAndIsAnswered(t *testing.T) {
	t.Parallel()
	const button = `{"id":"cq1","from":{"id":4242,"first_name":"Ada"},"data":"PAY","message":{"message_id":9,"chat":{"id":4242,"type":"private"}%s}}`
	r := one(t, "callback_query", fmt.Sprintf(button, ``))
	require.Equal(t, "PAY", r.Inbound.Content)
	require.Equal(t, "4242:9", r.ProviderMessageID)
	r = one(t, "callback_query", fmt.Sprintf(button, `,"reply_markup":{"inline_keyboard":[[{"text":"Later","callback_data":"L"},{"text":"I pay now","callback_data":"PAY"}]]}`))
	require.Equal(t, "I pay now", r.Inbound.Content, "what is written on it")
	_, answer, err := post(t, `{"update_id":5,"callback_query":`+fmt.Sprintf(button, ``)+`}`)
	require.NoError(t, err)
	require.Equal(t, "application/json", answer.ContentType)
	require.JSONEq(t, `{"method":"answerCallbackQuery","callback_query_id":"cq1"}`, string(answer.Body))
	r = one(t, "callback_query", `{"id":"cq2","from":{"id":4242},"inline_message_id":"x","data":"PAY"}`)
	require.Equal(t, channels.StatusNoted, r.Status)
}

func TestALinkBindsAContactToItsChat(t *testing.T) {
	t.Parallel()
	const contact = "ct_0f1e2d3c4b5a69788796"
	good := start.Token("in_1", contact)
	for text, want := range map[string]string{"/start " + good: contact, "/start@collect_bot " + good: contact, "/start": "", " /start ": ""} {
		r := one(t, "message", message(fmt.Sprintf(`"text":%q`, text)))
		require.Equal(t, channels.ReportIdentity, r.Kind, text)
		require.Equal(t, &channels.Identity{ContactID: want, UserID: "4242", Name: "Ada Lovelace"}, r.Identity)
		require.Equal(t, "4242", r.Address)
	}
	for _, forged := range []string{"x", good + "A", good[:len(good)-2], start.Token("in_2", contact), strings.ToUpper(good)} {
		r := one(t, "message", message(fmt.Sprintf(`"text":%q`, "/start "+forged)))
		require.Equal(t, channels.ReportMessage, r.Kind, "%s binds nobody", forged)
		require.Equal(t, "/start "+forged, r.Inbound.Content)
		require.Nil(t, r.Identity)
	}
	d := listening()
	d.StartSecret = func(context.Context) ([]byte, error) { return nil, errors.New("the store is away") }
	h, err := telegram.Provider{}.OpenHook(campaign.Integration{ID: "in_1"}, d)
	require.NoError(t, err)
	_, _, err = h.Receive(t.Context(), &channels.HookRequest{Method: http.MethodPost, Body: []byte(`{"update_id":1,"message":` + message(`"text":"/start x"`) + `}`), Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a_secret-nobody-sees"}}})
	require.ErrorContains(t, err, "away", "Telegram comes again")
	require.NotErrorIs(t, err, channels.ErrMalformed)
}

func TestABlockIsAnOptOut(t *testing.T) {
	t.Parallel()
	member := func(chat, from, to string) string {
		return fmt.Sprintf(`{"chat":%s,"from":{"id":4242,"first_name":"Ada"},"date":1796115600,"old_chat_member":{"user":{"id":1},"status":%q},"new_chat_member":{"user":{"id":1},"status":%q}}`, chat, from, to)
	}
	const ada, group = `{"id":4242,"type":"private"}`, `{"id":-100,"type":"supergroup"}`
	r := one(t, "my_chat_member", member(ada, "member", "kicked"))
	require.Equal(t, channels.ReportIdentity, r.Kind)
	require.Equal(t, campaign.ReportOptOut, r.Status)
	require.Equal(t, "opt_out", r.Suppress)
	require.Equal(t, &channels.Identity{UserID: "4242", Name: "Ada", Blocked: true}, r.Identity)
	require.Equal(t, now, r.At)
	r = one(t, "my_chat_member", member(ada, "kicked", "member"))
	require.Equal(t, &channels.Identity{UserID: "4242", Name: "Ada"}, r.Identity)
	require.Empty(t, r.Suppress, "what a person here suppressed stays so")
	require.Empty(t, r.Status)
	require.Equal(t, channels.StatusNoted, one(t, "my_chat_member", member(group, "member", "kicked")).Status, "a group is nobody")
}

func TestWhatTellsNobodyAnything(t *testing.T) {
	t.Parallel()
	for kind, part := range map[string]string{
		"edited_message": message(`"text":"hi again","edit_date":1796115660`),
		"message":        `{"message_id":8,"date":1,"from":{"id":4242},"chat":{"id":-100,"type":"group","title":"Us"},"text":"/start x"}`,
		"channel_post":   `{"message_id":8,"date":1,"chat":{"id":-100,"type":"channel"},"text":"news"}`,
		"poll":           `{"id":"1","question":"?","options":[]}`,
	} {
		r := one(t, kind, part)
		require.Equal(t, channels.ReportStatus, r.Kind, kind)
		require.Equal(t, channels.StatusNoted, r.Status, kind)
		require.NotEmpty(t, r.Reason)
		require.Nil(t, r.Inbound)
	}
	require.Equal(t, channels.StatusNoted, one(t, "message", message(`"pinned_message":{"message_id":1}`)).Status)
	require.Equal(t, channels.StatusNoted, one(t, "message", `{"message_id":8,"text":"from nowhere"}`).Status)
}

func FuzzUpdate(f *testing.F) {
	fake := telegramtest.New(f, token, 4242)
	fake.Now = clock
	fake.Say(4242, "hi")
	fake.Start(4242, start.Token("in_1", "ct_1"))
	fake.Press(telegramtest.Message{ID: 1, Chat: 4242}, "PAY")
	fake.Edit(4242, "hello")
	fake.Block(4242)
	fake.Send(4242, map[string]any{"photo": []any{map[string]any{"file_id": "x"}}, "caption": "y"})
	for _, body := range fake.Updates() {
		f.Add(body)
	}
	f.Add([]byte(`{"update_id":1,"callback_query":{"message":{"chat":null},"data":"x"}}`))
	f.Add([]byte(`{"update_id":1,"message":{"chat":{"id":1,"type":"private"},"photo":[{}],"poll":{},"venue":{},"reply_to_message":{}}}`))
	h, err := telegram.Provider{}.OpenHook(campaign.Integration{ID: "in_1"}, listening())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body []byte) {
		reports, _, err := h.Receive(t.Context(), &channels.HookRequest{
			Method: http.MethodPost, Body: body, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {"a_secret-nobody-sees"}},
		})
		if err != nil {
			require.ErrorIs(t, err, channels.ErrMalformed)
			return
		}
		require.Len(t, reports, 1)
		require.True(t, json.Valid(body))
		r := reports[0]
		require.NotEmpty(t, r.Key)
		require.Equal(t, r.Kind == channels.ReportMessage, r.Inbound != nil)
		require.Equal(t, r.Kind == channels.ReportIdentity, r.Identity != nil)
		require.True(t, r.Kind == channels.ReportStatus || r.Address != "", "who speaks has an address")
		if r.Inbound != nil {
			require.NotEmpty(t, strings.TrimSpace(r.Inbound.Content))
			for _, file := range r.Inbound.Files {
				require.True(t, strings.HasPrefix(file.URL, "telegram-file:"))
			}
		}
	})
}
