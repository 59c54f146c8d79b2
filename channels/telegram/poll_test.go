package telegram_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/telegram"
	"carillon/channels/telegram/telegramtest"
)

// kept is what a poller committed.
type kept struct {
	mu      sync.Mutex
	reports []channels.Report
	cursor  string
	fail    error
	changed chan struct{}
}

func newKept() *kept { return &kept{changed: make(chan struct{}, 1000)} }

func (k *kept) commit(_ context.Context, reports []channels.Report, cursor string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail == nil {
		k.reports, k.cursor = append(k.reports, reports...), cursor
	}
	k.changed <- struct{}{}
	return k.fail
}

func (k *kept) said() (said []string, cursor string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, r := range k.reports {
		text := string(r.Kind)
		if r.Inbound != nil {
			text = r.Inbound.Content
		}
		said = append(said, text)
	}
	return said, k.cursor
}

// await waits for commits until one leaves things as they are to be.
func (k *kept) await(t *testing.T, want func(said []string, cursor string) bool) {
	t.Helper()
	over := time.After(20 * time.Second)
	for {
		if said, cursor := k.said(); want(said, cursor) {
			return
		}
		select {
		case <-k.changed:
		case <-over:
			said, cursor := k.said()
			t.Fatalf("it ended with %q, cursor %q", said, cursor)
		}
	}
}

func poller(t *testing.T, f *telegramtest.Server) channels.Poller {
	t.Helper()
	p, err := telegram.Provider{}.OpenPoll(integration(f, "updates", "poll"), listening())
	require.NoError(t, err)
	require.NotNil(t, p)
	return p
}

// polling polls until the test or stop ends it.
func polling(t *testing.T, f *telegramtest.Server, cursor string, k *kept) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	p := poller(t, f)
	go func() { done <- p.Poll(ctx, cursor, k.commit) }()
	return func() error {
		cancel()
		return <-done
	}
}

func TestUpdatesArePolled(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	k := newKept()
	f.Say(4242, "early")
	stop := polling(t, f, "", k)
	k.await(t, func(said []string, cursor string) bool { return len(said) == 1 && cursor == "" })
	require.Equal(t, 0, f.Waiting(), "confirmed, and so the cursor is empty again")
	f.Say(4242, "late")
	f.Start(4242, start.Token("in_1", "ct_1"))
	f.Press(telegramtest.Message{ID: 1, Chat: 4242}, "PAY")
	k.await(t, func(said []string, cursor string) bool { return len(said) == 4 && cursor == "" })
	said, _ := k.said()
	require.Equal(t, []string{"early", "late", "identity", "PAY"}, said)
	require.NoError(t, stop(), "an end is no failure")
	require.Equal(t, []string{"cq870000004"}, f.Answered())
	require.Empty(t, f.Refused())
	require.LessOrEqual(t, f.Calls(), 12, "it waits at Telegram rather than asking all the time")
}

func TestNothingIsConfirmedThatWasNotKept(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	f.Say(4242, "hi")
	k := newKept()
	k.fail = errors.New("the store is away")
	require.ErrorContains(t, poller(t, f).Poll(t.Context(), "", k.commit), "away")
	require.Equal(t, 1, f.Waiting(), "it is there to be asked for again")

	k.fail = nil
	ctx, cancel := context.WithCancel(t.Context())
	dies := func(ctx context.Context, reports []channels.Report, cursor string) error {
		cancel() // the worker dies between its commit and the call that confirms
		return k.commit(ctx, reports, cursor)
	}
	require.NoError(t, poller(t, f).Poll(ctx, "", dies))
	said, cursor := k.said()
	require.Equal(t, []string{"hi"}, said)
	require.Equal(t, "110201543:870000002", cursor, "with the bot's number, and nothing else of its token")
	require.Equal(t, 1, f.Waiting())

	f.Say(4242, "more")
	stop := polling(t, f, cursor, k)
	k.await(t, func(said []string, cursor string) bool { return len(said) == 2 && cursor == "" })
	require.NoError(t, stop())
	said, _ = k.said()
	require.Equal(t, []string{"hi", "more"}, said, "and nothing of it comes twice")
	require.Equal(t, 0, f.Waiting())
}

func TestAFloodIsPolledInBatches(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	for range 250 {
		f.Say(4242, strings.Repeat("x", 4000))
	}
	k := newKept()
	stop := polling(t, f, "not a number", k)
	k.await(t, func(said []string, cursor string) bool { return len(said) == 250 && cursor == "" })
	require.NoError(t, stop())
	require.GreaterOrEqual(t, f.Calls(), 6, "five times 50, and the last word")
	require.LessOrEqual(t, f.Calls(), 7, "and the wait for more")
}

func TestACursorIsItsBots(t *testing.T) {
	t.Parallel()
	for _, cursor := range []string{"870000003", "99:870000003", ":870000003", "110201543:", "110201543:x"} {
		f := newFake(t, 4242)
		f.Say(4242, "one")
		f.Say(4242, "two")
		k := newKept()
		stop := polling(t, f, cursor, k)
		k.await(t, func(said []string, cursor string) bool { return len(said) == 2 && cursor == "" })
		require.NoError(t, stop())
		said, _ := k.said()
		require.Equal(t, []string{"one", "two"}, said, "cursor %q tells this bot nothing", cursor)
	}
}

func TestNoNewsIsTold(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	f.Fail(channeltest.Fault{Status: 200, Body: `{"ok":true,"result":[]}`})
	k := newKept()
	require.NoError(t, poller(t, f).Poll(ctx, "", k.commit))
	require.NoError(t, ctx.Err(), "it returned by itself")
	require.Equal(t, 1, f.Calls())
	said, _ := k.said()
	require.Empty(t, said)
}

// watched notes how long each request of answerCallbackQuery may take.
type watched struct {
	http.RoundTripper
	mu    sync.Mutex
	spans []time.Duration
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/answerCallbackQuery") {
		until, _ := r.Context().Deadline()
		w.mu.Lock()
		w.spans = append(w.spans, time.Until(until))
		w.mu.Unlock()
	}
	return w.RoundTripper.RoundTrip(r)
}

func TestPressesDoNotHoldUpUpdates(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	for range 3 {
		f.Press(telegramtest.Message{ID: 1, Chat: 4242}, "PAY")
	}
	d := listening()
	w := &watched{RoundTripper: d.HTTP.Transport}
	d.HTTP.Transport = w
	p, err := telegram.Provider{}.OpenPoll(integration(f, "updates", "poll"), d)
	require.NoError(t, err)
	f.Fail(channeltest.Fault{}, channeltest.Fault{}, channeltest.Fault{Status: 502, Body: "<html>"})
	ctx, cancel := context.WithCancel(t.Context())
	k := newKept()
	done := make(chan error, 1)
	go func() { done <- p.Poll(ctx, "", k.commit) }()
	k.await(t, func(said []string, cursor string) bool { return len(said) == 3 && cursor == "" })
	cancel()
	require.NoError(t, <-done)
	require.Len(t, f.Answered(), 1, "the second fails, and the third is not tried")
	require.Len(t, w.spans, 2)
	for _, span := range w.spans {
		require.LessOrEqual(t, span, 10*time.Second)
		require.Positive(t, span)
	}
}

func TestWhatKeepsFromPolling(t *testing.T) {
	t.Parallel()
	f := newFake(t, 4242)
	k := newKept()
	p := poller(t, f)
	for _, tc := range []struct {
		fault channeltest.Fault
		class channels.Class
		says  string
	}{
		{channeltest.Fault{Status: 409, Body: `{"ok":false,"error_code":409,"description":"Conflict: can't use getUpdates method while webhook is active"}`}, channels.Config, "call deleteWebhook"},
		{channeltest.Fault{Status: 409, Body: `{"ok":false,"error_code":409,"description":"Conflict: terminated by other getUpdates request"}`}, channels.Config, "somebody else asks"},
		{channeltest.Fault{Status: 401, Body: `{"ok":false,"error_code":401,"description":"Unauthorized"}`}, channels.Config, "Unauthorized"},
		{channeltest.Fault{Status: 502, Body: "<html>"}, channels.Unknown, "502"},
		{channeltest.Fault{Reset: true}, channels.Unknown, "no answer"},
		{channeltest.Fault{Status: 200, Body: `{"ok":true,"result":[{}]}`}, channels.Unknown, "no numbers"},
		{channeltest.Fault{Status: 200, Body: `{"ok":true,"result":7}`}, channels.Unknown, "cannot be read"},
	} {
		f.Fail(tc.fault)
		err := p.Poll(t.Context(), "", k.commit)
		require.ErrorContains(t, err, tc.says)
		require.Equal(t, tc.class, channels.Classify(err).Class, "%v", err)
		require.NotContains(t, err.Error(), "AAHdq")
	}
	said, _ := k.said()
	require.Empty(t, said)

	f.Fail(channeltest.Fault{Status: 200, Body: `{"ok":true,"result":[{"update_id":5,"message":7},"x",{"update_id":6,"message":` + message(`"text":"hi"`) + `}]}`})
	stop := polling(t, f, "", k)
	k.await(t, func(said []string, cursor string) bool { return len(said) == 3 && cursor == "" })
	require.NoError(t, stop())
	said, _ = k.said()
	require.Equal(t, []string{"status", "unread", "hi"}, said, "what cannot be read keeps nothing else")
}

func TestOnlyWhoPollsPolls(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	for _, how := range []string{"", "webhook"} {
		p, err := channels.NewRegistry(telegram.Provider{}).OpenPoll(integration(f, "updates", how), deps())
		require.NoError(t, err)
		require.Nil(t, p)
	}
	_, err := telegram.Provider{}.OpenPoll(campaign.Integration{Settings: map[string]string{"updates": "poll"}}, channels.Deps{})
	require.Equal(t, channels.Config, channels.Classify(err).Class)
}
