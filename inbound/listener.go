package inbound

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// Store is what a listener reads and keeps.
type Store interface {
	store.Polls
	Integrations(ctx context.Context, p store.Page) (store.List[campaign.Integration], error)
	IntegrationSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error)
	WorkspaceSecret(ctx context.Context, name string) ([]byte, error)
	UpdateIntegration(ctx context.Context, id string, change func(*campaign.Integration) error) (campaign.Integration, error)
}

// Relay tells contacts what was committed for them.
type Relay interface {
	DeliverAll(ctx context.Context, events []store.InboxEvent) error
}

// Listener polls every integration whose provider is to be polled, as the table
// of integrations says. Of all processes one polls an integration at a time; when
// it dies another goes on from the cursor it committed last, within TurnTime.
type Listener struct {
	Store    Store
	Channels *channels.Registry
	Relay    Relay             // nil: the relay's own passes find what was committed
	HTTP     *http.Client      // nil is channels.NewHTTPClient(false)
	Dial     channels.DialFunc // nil is that of channels.NewDialer(false)
	Now      func() time.Time
	Log      *slog.Logger

	TurnTime time.Duration // how long a turn outlasts its holder; 0 is 15 s
	LookTime time.Duration // how often the table is read; 0 is 3 s
	MaxPause time.Duration // the longest time between two tries that fail; 0 is a minute
}

func (l *Listener) now() time.Time { return l.Now().UTC() }

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// post is one integration that is polled, as it was when it was opened.
type post struct {
	integration campaign.Integration
	secrets     map[string]campaign.Secret
	replies     channels.ReplyTokens
	stop        context.CancelFunc
}

func (p *post) is(i *campaign.Integration, secrets map[string]campaign.Secret) bool {
	return p.integration.Provider == i.Provider && maps.Equal(p.integration.Settings, i.Settings) && maps.Equal(p.secrets, secrets)
}

// Run polls until ctx ends, and returns when every poller has.
func (l *Listener) Run(ctx context.Context) {
	tick := time.NewTicker(or(l.LookTime, 3*time.Second))
	defer tick.Stop()
	var polls sync.WaitGroup
	defer polls.Wait()
	posts := map[string]*post{}
	for {
		if err := l.look(ctx, &polls, posts); err != nil && ctx.Err() == nil {
			l.Log.Warn("integrations to poll not read", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look starts and stops pollers as the table says. An integration that cannot be
// read leaves the others alone.
func (l *Listener) look(ctx context.Context, polls *sync.WaitGroup, posts map[string]*post) error {
	wanted := map[string]bool{}
	var unread error
	for cursor := ""; ; {
		page, err := l.Store.Integrations(ctx, store.Page{Limit: 500, Cursor: cursor})
		if err != nil {
			return err
		}
		for _, i := range page.Items {
			if !l.Channels.Polls(i.Provider) {
				continue
			}
			wanted[i.ID] = true
			secrets, err := l.Store.IntegrationSecrets(ctx, i.ID)
			if err != nil {
				unread = errors.Join(unread, err)
				continue
			}
			if p := posts[i.ID]; p != nil {
				if p.is(&i, secrets) {
					continue
				}
				p.stop()
			}
			signs, err := l.Store.WorkspaceSecret(ctx, channels.UnsubscribeSecret)
			if err != nil && !errors.Is(err, store.ErrNoKey) { // without a key no address was ever signed
				return err
			}
			p := &post{integration: i, secrets: secrets, replies: channels.ReplyTokens{Secret: signs}}
			var own context.Context
			own, p.stop = context.WithCancel(ctx)
			posts[i.ID] = p
			polls.Go(func() { l.listen(own, p) })
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	for id, p := range posts {
		if !wanted[id] {
			p.stop()
			delete(posts, id)
		}
	}
	return unread
}

// listen polls one integration until ctx ends.
func (l *Listener) listen(ctx context.Context, p *post) {
	i := &p.integration
	poller, err := l.Channels.OpenPoll(*i, channels.Deps{HTTP: l.HTTP, Dial: l.Dial, Secrets: p.secrets, Replies: p.replies, Now: l.Now, StartSecret: StartSecret(l.Store)})
	if err != nil {
		l.trouble(ctx, i, err)
		return // until somebody changes it
	}
	if poller == nil {
		return
	}
	t := turn{listener: l, integration: i, poller: poller, holder: rand.Text()}
	defer t.release(ctx)
	for pause := time.Second; ctx.Err() == nil; {
		began := time.Now()
		held, err := t.poll(ctx)
		wait := time.Duration(0)
		switch {
		case ctx.Err() != nil || errors.Is(err, store.ErrStale):
		case err != nil:
			l.trouble(ctx, i, err)
			if wait = pause; channels.Classify(err).Class == channels.Config {
				wait = or(l.MaxPause, time.Minute) // a person has to mend it
			}
			pause = min(2*pause, or(l.MaxPause, time.Minute))
		case !held:
			wait = or(l.TurnTime, 15*time.Second) / 3
		default:
			pause = time.Second
			wait = max(200*time.Millisecond-time.Since(began), 0) // however quickly it says that there is nothing
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// deaf begins the message of an integration whose poller is refused.
const deaf = "answers of contacts do not arrive: "

// trouble logs that polling failed, and shows on the integration what a person
// has to mend.
func (l *Listener) trouble(ctx context.Context, i *campaign.Integration, err error) {
	f := channels.Classify(err)
	l.Log.Warn("provider not polled", "provider", i.Provider, "integration_id", i.ID, "class", f.Class, "error", f.Error())
	if f.Class == channels.Config {
		l.show(ctx, i, deaf+f.Error())
	}
}

// errAsItIs leaves an integration as it is.
var errAsItIs = errors.New("as it is")

// show sets the integration's status for what polling found; "" says that it
// works. What others found stays, also why it is paused.
func (l *Listener) show(ctx context.Context, i *campaign.Integration, message string) {
	_, err := l.Store.UpdateIntegration(ctx, i.ID, func(i *campaign.Integration) error {
		switch {
		case i.Paused || i.StatusMessage == message:
			return errAsItIs
		case message != "":
			i.Status, i.StatusMessage = "error", message
		case strings.HasPrefix(i.StatusMessage, deaf):
			i.Status, i.StatusMessage = "ok", ""
		default:
			return errAsItIs
		}
		return nil
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errAsItIs) && !errors.Is(err, store.ErrNotFound) {
		l.Log.Warn("status of an integration not kept", "integration_id", i.ID, "error", err)
	}
}
