package smtp_test

import (
	"crypto/x509"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/smtp"
	"carillon/channels/smtp/imaptest"
)

// faked is a mailbox that goes wrong as real ones seldom do.
func faked(t *testing.T) (*imaptest.Server, channels.Poller) {
	t.Helper()
	return fakedAt(t, nil)
}

func fakedAt(t *testing.T, now func() time.Time, more ...string) (*imaptest.Server, channels.Poller) {
	t.Helper()
	s := imaptest.New(t, "anna", "the-password")
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(s.Roots))
	i := campaign.Integration{Name: "Mail", Provider: smtp.Name, Settings: map[string]string{
		"host": "127.0.0.1", "from_email": "anna@collect.example", "imap_host": s.Host, "imap_port": s.Port, "imap_username": "anna",
	}}
	for n := 0; n+1 < len(more); n += 2 {
		i.Settings[more[n]] = more[n+1]
	}
	p, err := smtp.Provider{Roots: roots, Look: 20 * time.Millisecond}.OpenPoll(i, channels.Deps{
		Dial: (&net.Dialer{}).DialContext, Secrets: map[string]campaign.Secret{"imap_password": "the-password"}, Replies: replies, Now: now,
	})
	require.NoError(t, err)
	return s, p
}

func (s *store) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commits
}

func TestALetterThatComesWhileAMailboxIsReadForTheFirstTimeIsRead(t *testing.T) {
	t.Parallel()
	server, p := faked(t)
	var came atomic.Bool
	server.Meddle(imaptest.Meddling{Searched: func() {
		if came.CompareAndSwap(false, true) {
			server.Put(note("1", "just then"))
		}
	}})
	kept := &store{}
	stop := poll(t, p, kept)
	kept.until(t, "just then")
	require.NoError(t, stop())
}

func TestTheCursorOfAnotherMailboxIsNotBelieved(t *testing.T) {
	t.Parallel()
	server, p := faked(t)
	server.Put(note("1", "one"))
	kept := &store{}
	stop := poll(t, p, kept)
	kept.until(t, "one")
	require.NoError(t, stop())
	parts := strings.Split(kept.at(), ":")
	require.Len(t, parts, 3, "of the mailbox, its numbers, and the letter")
	for name, cursor := range map[string]string{"without a mark": parts[1] + ":9", "of another": "000000000000:" + parts[1] + ":9"} {
		server.Put(note(name, name))
		fresh := &store{cursor: cursor}
		stop := poll(t, p, fresh)
		require.Eventually(t, func() bool { return slices.Contains(fresh.told(), name) }, 20*time.Second, 10*time.Millisecond, name)
		require.NoError(t, stop())
		require.True(t, strings.HasPrefix(fresh.at(), parts[0]+":"), name)
	}
	own := &store{cursor: strings.Join([]string{parts[0], parts[1], "2"}, ":")}
	server.Put(note("4", "four"))
	stop = poll(t, p, own)
	require.Eventually(t, func() bool { return len(own.told()) == 2 }, 20*time.Second, 10*time.Millisecond, "its own is")
	require.NoError(t, stop())
}

func TestEachVisitTellsAtOnceThatTheMailboxCanBeRead(t *testing.T) {
	t.Parallel()
	_, p := faked(t)
	kept := &store{}
	for n := range 2 {
		stop := poll(t, p, kept)
		require.Eventually(t, func() bool { return kept.count() > n }, 20*time.Second, 10*time.Millisecond)
		require.NoError(t, stop())
		require.Empty(t, kept.told())
	}
}
