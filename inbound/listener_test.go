package inbound_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/inbound"
	"carillon/store"
)

// desk is a provider that is polled: it numbers what it is given, and hands out
// what is past the cursor.
type desk struct {
	mu       sync.Mutex
	news     chan struct{} // closed when something changes
	kept     []string
	at       map[string]int // how many ask at the moment, by setting "host"
	most     int            // of one host
	began    map[string]int // how often
	fail     error
	panics   bool
	brief    bool   // it says at once that there is nothing
	withheld string // why it does not hand out one thing
}

func newDesk() *desk {
	return &desk{news: make(chan struct{}), at: map[string]int{}, began: map[string]int{}}
}

func (d *desk) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.news)
	d.news = make(chan struct{})
}

func (d *desk) say(words ...string) { d.change(func() { d.kept = append(d.kept, words...) }) }

func (d *desk) asking(host string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.at[host]
}

// times counts how often a host was asked.
func (d *desk) times(host string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.began[host]
}

func (*desk) Describe() channels.Description {
	return channels.Description{Provider: "smtp", Channels: []campaign.Channel{campaign.Email}}
}

func (*desk) Open(campaign.Integration, channels.Deps) (channels.Sender, error) {
	return nil, channels.Fail(channels.Config, "", "only read")
}

func (d *desk) OpenPoll(i campaign.Integration, _ channels.Deps) (channels.Poller, error) {
	switch host := i.Settings["host"]; host {
	case "":
		return nil, nil
	case "nowhere":
		return nil, channels.Fail(channels.Config, "no_host", "there is no host nowhere")
	default:
		return desked{d, host}, nil
	}
}

type desked struct {
	*desk
	host string
}

func (d desked) Poll(ctx context.Context, cursor string, commit channels.Commit) error {
	d.change(func() { d.at[d.host]++; d.began[d.host]++; d.most = max(d.most, d.at[d.host]) })
	defer d.change(func() { d.at[d.host]-- })
	next, _ := strconv.Atoi(cursor)
	for {
		d.mu.Lock()
		news, fail, panics, brief := d.news, d.fail, d.panics, d.brief
		var reports []channels.Report
		for n := next; n < len(d.kept); n++ {
			reports = append(reports, channels.Report{
				Key: fmt.Sprint("m", n), Kind: channels.ReportMessage, Channel: campaign.Email, Address: "ann@example.com",
				Raw: []byte(d.kept[n]), Inbound: &channels.Inbound{Content: d.kept[n]},
			})
		}
		if d.withheld != "" {
			reports = append(reports, channels.Report{Key: "withheld", Kind: channels.ReportUnread, Channel: campaign.Email, Reason: d.withheld})
			d.withheld = ""
		}
		next = len(d.kept)
		d.mu.Unlock()
		if panics {
			panic("a message nobody thought of")
		}
		if fail != nil {
			return fail
		}
		if len(reports) > 0 {
			if err := commit(ctx, reports, strconv.Itoa(next)); err != nil {
				return err
			}
		}
		if brief {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// office is a store with listeners.
type office struct {
	t     *testing.T
	store *store.Store
	desk  *desk
}

func newOffice(t *testing.T, host string) *office {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "carillon.db"), store.Options{})
	require.NoError(t, err)
	require.NoError(t, s.Migrate(t.Context()))
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	o := &office{t: t, store: s, desk: newDesk()}
	require.NoError(t, s.CreateIntegration(t.Context(), campaign.Integration{
		ID: "in_1", Name: "mail", Provider: "smtp", Status: "ok", Settings: map[string]string{"host": host},
	}))
	return o
}

// listen starts a listener; the function ends it, and returns when it has ended.
func (o *office) listen(s inbound.Store) (stop func()) { return o.listenTo(s, slog.DiscardHandler) }

func (o *office) listenTo(s inbound.Store, log slog.Handler) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &inbound.Listener{
		Store: s, Channels: channels.NewRegistry(o.desk), Now: time.Now, Log: slog.New(log),
		TurnTime: 300 * time.Millisecond, LookTime: 20 * time.Millisecond, MaxPause: 50 * time.Millisecond,
	}
	ended := make(chan struct{})
	go func() { defer close(ended); l.Run(ctx) }()
	stop = sync.OnceFunc(func() { cancel(); <-ended })
	o.t.Cleanup(stop)
	return stop
}

// eventually waits until what is asked for is so.
func (o *office) eventually(what string, is func() bool) {
	o.t.Helper()
	require.Eventually(o.t, is, 20*time.Second, 5*time.Millisecond, what)
}

// heard waits until the store has these words, each once.
func (o *office) heard(words ...string) {
	o.t.Helper()
	var got []string
	defer func() { require.ElementsMatch(o.t, words, got) }()
	o.eventually("words", func() bool {
		list, err := o.store.ProviderEvents(o.t.Context(), "in_1", store.Page{Limit: 100})
		require.NoError(o.t, err)
		got = nil
		for _, e := range list.Items {
			got = append(got, e.Raw)
		}
		return len(got) == len(words)
	})
}

func (o *office) status() string {
	o.t.Helper()
	i, err := o.store.Integration(o.t.Context(), "in_1")
	require.NoError(o.t, err)
	return i.Status + " " + i.StatusMessage
}

func (o *office) set(host string) {
	o.t.Helper()
	o.update(func(i *campaign.Integration) { i.Settings = map[string]string{"host": host} })
}

func (o *office) update(change func(*campaign.Integration)) {
	o.t.Helper()
	_, err := o.store.UpdateIntegration(o.t.Context(), "in_1", func(i *campaign.Integration) error { change(i); return nil })
	require.NoError(o.t, err)
}

func TestWhatIsGivenUpIsLoggedAndShown(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "a")
	o.desk.withheld = "letter 2 of the folder INBOX of anna at a was passed over"
	o.desk.say("one")
	var log bytes.Buffer
	stop := o.listenTo(o.store, slog.NewTextHandler(&log, nil))
	o.heard("one", "")
	stop()
	require.Contains(t, log.String(), `level=WARN msg="message given up" provider=smtp integration_id=in_1 key=withheld reason="letter 2 of the folder INBOX of anna at a was passed over"`)
	unmatched, err := o.store.UnmatchedEvents(t.Context(), store.Page{})
	require.NoError(t, err)
	require.Len(t, unmatched.Items, 2)
	require.Contains(t, unmatched.Items[0].Reason+unmatched.Items[1].Reason, "letter 2 of the folder INBOX")
}

func TestAnotherListenerGoesOnWhereTheFirstEnded(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "a")
	o.desk.say("one", "two")
	stop := o.listen(o.store)
	o.heard("one", "two")
	other := o.listen(o.store)
	o.desk.say("three")
	o.heard("one", "two", "three")
	require.Equal(t, 1, o.desk.asking("a"), "one asks at a time")
	stop()
	o.desk.say("four")
	o.heard("one", "two", "three", "four")
	other()
	require.Equal(t, 1, o.desk.most, "never two at once")
	require.Zero(t, o.desk.asking("a"), "nobody asks once the listeners have ended")
}

// killed is the store of a process that stands still: nothing it writes arrives.
type killed struct {
	inbound.Store
	stands chan struct{}
}

func (k killed) stood() bool {
	select {
	case <-k.stands:
		return true
	default:
		return false
	}
}

func (k killed) TakePoll(ctx context.Context, id, holder string, now, until time.Time) (string, bool, error) {
	if k.stood() {
		return "", false, context.DeadlineExceeded
	}
	return k.Store.TakePoll(ctx, id, holder, now, until)
}

func (k killed) ReleasePoll(ctx context.Context, id, holder string) error {
	if k.stood() {
		return context.DeadlineExceeded
	}
	return k.Store.ReleasePoll(ctx, id, holder)
}

func TestTheTurnOfADeadListenerEnds(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "a")
	dead := killed{o.store, make(chan struct{})}
	o.desk.say("one")
	stop := o.listen(dead)
	o.heard("one")
	close(dead.stands)
	stop() // its turn is not given back
	o.desk.say("two")
	o.listen(o.store)
	o.heard("one", "two")
}

func TestAListenerThatLostItsTurnKeepsNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "a")
	slow := killed{o.store, make(chan struct{})}
	o.desk.say("one")
	o.listen(slow)
	o.heard("one")
	close(slow.stands) // it does not hear that its turn is over, and goes on asking
	o.listen(o.store)
	o.eventually("both ask", func() bool { return o.desk.asking("a") == 2 })
	o.desk.say("two")
	o.heard("one", "two")
}

func TestTheListenerFollowsTheTableOfIntegrations(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "")
	o.listen(o.store)
	o.desk.say("one")
	o.set("a")
	o.heard("one")
	o.set("b")
	o.eventually("b is asked and a is not", func() bool { return o.desk.asking("b") == 1 && o.desk.asking("a") == 0 })
	o.desk.say("two")
	o.heard("one", "two")
	require.NoError(t, o.store.DeleteIntegration(t.Context(), "in_1"))
	o.eventually("nobody is asked", func() bool { return o.desk.asking("b") == 0 })
}

func TestWhatAPersonHasToMendStandsAtTheIntegration(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "nowhere")
	o.listen(o.store)
	o.eventually("an error", func() bool {
		return o.status() == "error answers of contacts do not arrive: config no_host: there is no host nowhere"
	})
	o.desk.change(func() { o.desk.fail = channels.Fail(channels.Config, "wrong", "the password is wrong") })
	o.set("a")
	o.eventually("another error", func() bool {
		return o.status() == "error answers of contacts do not arrive: config wrong: the password is wrong"
	})
	o.desk.change(func() { o.desk.fail = nil })
	o.desk.say("one")
	o.heard("one")
	o.eventually("it works", func() bool { return o.status() == "ok " })

	o.desk.change(func() { o.desk.fail = channels.Fail(channels.Config, "wrong", "the password is wrong again") })
	o.eventually("an error once more", func() bool { return strings.HasSuffix(o.status(), "again") })
	o.update(func(i *campaign.Integration) { i.Status, i.StatusMessage = "ok", "" }) // somebody verified it, which asks for other things
	o.eventually("the error is shown for as long as it is true", func() bool { return strings.HasSuffix(o.status(), "again") })
	o.desk.change(func() { o.desk.fail, o.desk.brief = nil, true })
	o.eventually("it works, and nobody writes", func() bool { return o.status() == "ok " })

	o.update(func(i *campaign.Integration) {
		i.Paused, i.Status, i.StatusMessage = true, "error", "the account is not paid for"
	})
	asked := o.desk.times("a")
	o.desk.change(func() { o.desk.fail = channels.Fail(channels.Config, "wrong", "the password is wrong") })
	o.eventually("it is asked again and again", func() bool { return o.desk.times("a") > asked+3 })
	require.Equal(t, "error the account is not paid for", o.status(), "why it is paused stays")
}

// locked is a store that cannot open the secrets of one integration.
type locked struct {
	inbound.Store
	id string
}

func (l locked) IntegrationSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error) {
	if id == l.id {
		return nil, errors.New("no key opens it")
	}
	return l.Store.IntegrationSecrets(ctx, id)
}

func TestAnIntegrationThatCannotBeReadKeepsNoOther(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "a")
	require.NoError(t, o.store.CreateIntegration(t.Context(), campaign.Integration{ID: "in_2", Name: "sealed", Provider: "smtp", Settings: map[string]string{"host": "b"}}))
	o.desk.say("one")
	o.listen(locked{o.store, "in_2"})
	o.heard("one")
	require.Zero(t, o.desk.times("b"))
}

func TestTroubleIsTriedAgain(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "a")
	o.desk.fail = channels.Fail(channels.Retryable, "away", "the provider is away")
	o.listen(o.store)
	o.desk.say("one")
	o.desk.change(func() { o.desk.fail, o.desk.panics = nil, true })
	o.desk.say("two")
	o.desk.change(func() { o.desk.panics = false })
	o.heard("one", "two")
	require.Equal(t, "ok ", o.status(), "no trouble of a person's")
}
