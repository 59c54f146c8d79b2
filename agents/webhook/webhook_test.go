package webhook_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/agents"
	"carillon/agents/agenttest"
	"carillon/agents/webhook"
	"carillon/agents/webhooktest"
	"carillon/campaign"
)

const key = "a key that both sides know"

func agent(url string) campaign.Agent {
	return campaign.Agent{
		ID: "ag_1", Name: "Bot", Kind: campaign.AgentWebhook, Settings: map[string]string{"url": url, "timeout": "5s"}, SecretNames: []string{"signing_key"},
		ResultFields: []campaign.ResultField{{Name: "amount", Type: "number"}},
		States:       []campaign.AgentState{{Name: "hello"}, {Name: "ask", Start: true}},
	}
}

func deps(secret campaign.Secret) agents.Deps {
	return agents.Deps{HTTP: &http.Client{Transport: &http.Transport{}}, Secrets: map[string]campaign.Secret{"signing_key": secret}}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s := webhooktest.New(t, key)
	with := func(change func(*campaign.Agent)) campaign.Agent {
		a := agent(s.URL)
		a.Settings = map[string]string{"url": s.URL}
		change(&a)
		return a
	}
	setting := func(name, value string) campaign.Agent {
		return with(func(a *campaign.Agent) { a.Settings[name] = value })
	}
	agenttest.Run(t, agenttest.Case{
		Kind: webhook.Kind{}, Agent: agent(s.URL), Deps: deps(key),
		Broken: map[string]campaign.Agent{
			"settings.url":          with(func(a *campaign.Agent) { delete(a.Settings, "url") }),
			"secrets.signing_key":   with(func(a *campaign.Agent) { a.SecretNames = nil }),
			"secrets.api_key":       with(func(a *campaign.Agent) { a.SecretNames = append(a.SecretNames, "api_key") }),
			"settings.model":        setting("model", "x"),
			"settings.timeout":      setting("timeout", "101s"),
			"result_fields[0].type": with(func(a *campaign.Agent) { a.ResultFields = []campaign.ResultField{{Name: "x", Type: "y"}} }),
			"states[0].name":        with(func(a *campaign.Agent) { a.States = []campaign.AgentState{{}} }),
			"states[0]":             with(func(a *campaign.Agent) { a.States = []campaign.AgentState{{Name: "a", Say: "Hello"}} }),
			"states[1].start": with(func(a *campaign.Agent) {
				a.States = []campaign.AgentState{{Name: "a", Start: true}, {Name: "b", Start: true}}
			}),
			"result_fields[1].name": with(func(a *campaign.Agent) { a.ResultFields = []campaign.ResultField{{Name: "x"}, {Name: "x"}} }),
		},
	})
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, url string }{
		{"no scheme", "bot.example.com/turns"},
		{"not of the web", "ftp://bot.example.com"},
		{"no host", "https:///turns"},
		{"a password", "https://u:s3cret@bot.example.com"},
		{"a query, which may hold a secret", "https://bot.example.com/?key=s3cret"},
		{"two lines", "https://bot.example.com/\r\nX: y"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := agent(tc.url)
			err := webhook.Kind{}.Validate(&a)
			require.ErrorContains(t, err, "settings.url")
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

// turn is one in which John has said the messages, of which the last wait.
func turn(contents ...string) agents.Turn {
	t := agents.Turn{
		ID: "msg_1", Now: time.Date(2026, 11, 25, 9, 0, 0, 0, time.UTC), Contact: campaign.Contact{Name: "John"},
		Session: campaign.Session{ID: "ss_1", Channel: campaign.WhatsAppMeta, State: "ask"},
	}
	for _, c := range contents {
		t.Session.Messages = append(t.Session.Messages, campaign.Message{Author: campaign.AuthorContact, Content: c})
	}
	return t
}

func speak(t *testing.T, s *webhooktest.Server, in agents.Turn) (agents.Answer, error) {
	t.Helper()
	sp, err := webhook.Kind{}.Open(agent(s.URL), deps(key))
	require.NoError(t, err)
	return sp.Speak(t.Context(), in)
}

func TestTurns(t *testing.T) {
	t.Parallel()
	s := webhooktest.New(t, key)
	s.Answer = func(t webhooktest.Turn) map[string]any {
		if len(t.Said) == 0 {
			return map[string]any{"content": "Good morning, " + t.Contact.Name, "state": "hello"}
		}
		return map[string]any{"content": "Thanks", "end": "completed", "reason": "paid", "results": map[string]any{"amount": 12.5, "OutcomeStatus": "PAID"}}
	}
	in := turn()
	in.ID = "ss_1"
	opening, err := speak(t, s, in)
	require.NoError(t, err)
	require.Equal(t, agents.Answer{Content: "Good morning, John", State: "hello"}, opening)

	for range 2 { // the second is the same turn after a crash
		answer, err := speak(t, s, turn("I paid", "12.50"))
		require.NoError(t, err)
		raw, err := json.Marshal(answer.Results)
		require.NoError(t, err)
		require.JSONEq(t, `{"amount":12.5,"OutcomeStatus":"PAID"}`, string(raw))
		answer.Results = nil
		require.Equal(t, agents.Answer{Content: "Thanks", End: campaign.SessionCompleted, Reason: "paid"}, answer)
	}
	require.Equal(t, 2, s.Asked("msg_1"), "under the same id")
	asked := s.Turns()[1]
	require.Equal(t, "ask", asked.Session.State)
	require.Equal(t, []webhooktest.Message{{Author: "contact", Content: "I paid"}, {Author: "contact", Content: "12.50"}}, asked.Said)
}

func TestALongTranscript(t *testing.T) {
	t.Parallel()
	s := webhooktest.New(t, key)
	_, err := speak(t, s, turn(strings.Split(strings.Repeat("x ", 250)+"last", " ")...))
	require.NoError(t, err)
	got := s.Turns()[0].Session
	require.Len(t, got.Messages, 200)
	require.Equal(t, 51, got.Earlier)
	require.Equal(t, "last", got.Messages[199].Content)
}

func TestResponses(t *testing.T) {
	t.Parallel()
	const again, never = "again", "never"
	for _, tc := range []struct {
		name  string
		fault webhooktest.Fault
		want  string // "": an answer that says nothing
		text  string
		after time.Duration
	}{
		{name: "204 says nothing", fault: webhooktest.Fault{Status: 204}},
		{name: "202 says nothing now", fault: webhooktest.Fault{Status: 202, Body: `{"content":"later"}`}},
		{name: "200 without a body", fault: webhooktest.Fault{Status: 200}, want: never, text: "answer 204"},
		{name: "201", fault: webhooktest.Fault{Status: 201, Body: `{}`}, want: never, text: "201 Created"},
		{name: "a redirect is not followed", fault: webhooktest.Fault{Status: 307, Header: map[string]string{"Location": "http://127.0.0.1:1/"}}, want: never, text: "redirects are not followed"},
		{name: "400 with its reason and without a secret", fault: webhooktest.Fault{Status: 400, Body: "no\nsuch thing: " + key}, want: never, text: "400 Bad Request: no such thing: [secret]"},
		{name: "401", fault: webhooktest.Fault{Status: 401}, want: never, text: "same signing_key"},
		{name: "404", fault: webhooktest.Fault{Status: 404}, want: never, text: "404 Not Found"},
		{name: "410", fault: webhooktest.Fault{Status: 410}, want: never, text: "410 Gone"},
		{name: "408", fault: webhooktest.Fault{Status: 408}, want: again, text: "408"},
		{name: "409, at it already", fault: webhooktest.Fault{Status: 409}, want: again, text: "409"},
		{name: "425", fault: webhooktest.Fault{Status: 425}, want: again, text: "425"},
		{name: "429 says when", fault: webhooktest.Fault{Status: 429, Header: map[string]string{"Retry-After": "7"}}, want: again, text: "429", after: 7 * time.Second},
		{name: "503 asks for a day", fault: webhooktest.Fault{Status: 503, Header: map[string]string{"Retry-After": "86400"}}, want: again, text: "503", after: time.Hour},
		{name: "500", fault: webhooktest.Fault{Status: 500, Body: "panic"}, want: again, text: "500"},
		{name: "the connection breaks", fault: webhooktest.Fault{Drop: true}, want: again, text: "cannot be reached"},
		{name: "not JSON", fault: webhooktest.Fault{Status: 200, Body: "<html>"}, want: never, text: "it is not JSON"},
		{name: "half of JSON", fault: webhooktest.Fault{Status: 200, Body: `{"content":"a`}, want: never, text: "beginning of JSON"},
		{name: "two objects", fault: webhooktest.Fault{Status: 200, Body: `{}{}`}, want: never, text: "something follows"},
		{name: "an unknown field", fault: webhooktest.Fault{Status: 200, Body: `{"handoff":true}`}, want: never, text: `unknown field "handoff"; its fields are content, state, results, end, hand_off, reason`},
		{name: "a field of the wrong type", fault: webhooktest.Fault{Status: 200, Body: `{"content":1}`}, want: never, text: "content is not of the right type"},
		{name: "an unknown state", fault: webhooktest.Fault{Status: 200, Body: `{"state":"x"}`}, want: never, text: "it has hello, ask"},
		{name: "no such end", fault: webhooktest.Fault{Status: 200, Body: `{"end":"open"}`}, want: never, text: `"open"`},
		{name: "an end and a hand-off", fault: webhooktest.Fault{Status: 200, Body: `{"end":"completed","hand_off":true}`}, want: never, text: "send end or hand_off"},
		{name: "an undeclared result", fault: webhooktest.Fault{Status: 200, Body: `{"results":{"internal_data":1}}`}, want: never, text: "results.internal_data is not among"},
		{name: "a result of the wrong type", fault: webhooktest.Fault{Status: 200, Body: `{"results":{"amount":"much"}}`}, want: never, text: "is not a number"},
		{name: "too long a text", fault: webhooktest.Fault{Status: 200, Body: `{"content":"` + strings.Repeat("x", 50_001) + `"}`}, want: never, text: "50000 bytes"},
		{name: "too long a body", fault: webhooktest.Fault{Status: 200, Body: strings.Repeat(" ", 257<<10)}, want: never, text: "256 KiB"},
		{name: "nothing but space is nothing", fault: webhooktest.Fault{Status: 200, Body: `{"content":" \n"}`}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := webhooktest.New(t, key)
			s.Fail(tc.fault)
			answer, err := speak(t, s, turn("hello"))
			if tc.want == "" {
				require.NoError(t, err)
				require.Equal(t, agents.Answer{}, answer)
				return
			}
			f, ok := errors.AsType[*agents.Failure](err)
			require.True(t, ok, "%v", err)
			require.Equal(t, tc.want == never, f.Permanent, "%v", f)
			require.ErrorContains(t, f, tc.text)
			require.Equal(t, tc.after, f.RetryAfter)
			require.NotContains(t, f.Error(), key)
		})
	}
}

func TestATurnHasItsTime(t *testing.T) {
	t.Parallel()
	s := webhooktest.New(t, key)
	s.Fail(webhooktest.Fault{Hang: true})
	a := agent(s.URL)
	a.Settings = map[string]string{"url": s.URL, "timeout": "1s"}
	sp, err := webhook.Kind{}.Open(a, deps(key))
	require.NoError(t, err)
	_, err = sp.Speak(t.Context(), turn("hello"))
	f, ok := errors.AsType[*agents.Failure](err)
	require.True(t, ok)
	require.False(t, f.Permanent)
	require.ErrorContains(t, err, "did not answer in time")
}

func TestKeys(t *testing.T) {
	t.Parallel()
	s := webhooktest.New(t, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	for _, tc := range []struct {
		name   string
		secret campaign.Secret
		text   string
	}{
		{"as Standard Webhooks writes it", " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n", ""},
		{"the wrong one", "whsec_AAAA", "same signing_key"},
		{"not base64", "whsec_?", "not base64"},
		{"none", "", "no signing_key"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			sp, err := webhook.Kind{}.Open(agent(s.URL), deps(tc.secret))
			if err == nil {
				_, err = sp.Speak(t.Context(), turn("hello"))
			}
			if tc.text == "" {
				require.NoError(t, err)
				return
			}
			f, ok := errors.AsType[*agents.Failure](err)
			require.True(t, ok)
			require.True(t, f.Permanent)
			require.ErrorContains(t, err, tc.text)
		})
	}
}

func TestNoWayOut(t *testing.T) {
	t.Parallel()
	_, err := webhook.Kind{}.Open(agent("https://bot.example.com"), agents.Deps{})
	require.ErrorIs(t, err, agents.ErrNoClient)
	_, err = webhook.Kind{}.Open(campaign.Agent{Name: "Bot"}, deps(key))
	require.ErrorContains(t, err, "no address")
}
