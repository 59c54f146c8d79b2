package smtp_test

import (
	"context"
	"net"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/smtp"
	"carillon/channels/smtp/dovecottest"
	"carillon/channels/smtp/imaptest"
)

// clock is the time of a mailbox.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// refusing answers no to every letter, or to those named.
func refusing(no imap.Error, letters ...string) imaptest.Meddling {
	return imaptest.Meddling{Refuse: func(numbers imap.NumSet) error {
		if len(letters) > 0 && !slices.Contains(letters, numbers.String()) {
			return nil
		}
		return &no
	}}
}

var damaged = imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCodeServerBug, Text: "Internal error occurred."}

func TestALetterThatTheServerWithholdsIsReportedAndPassed(t *testing.T) {
	t.Parallel()
	for name, no := range map[string]imap.Error{
		"NO [SERVERBUG]": damaged,
		"NO":             {Type: imap.StatusResponseTypeNo, Text: "The message is damaged."},
		"BAD":            {Type: imap.StatusResponseTypeBad, Text: "Cannot read that."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := &clock{at: time.Now()}
			server, p := fakedAt(t, c.now)
			for _, text := range []string{"one", "two", "three"} {
				server.Put(note(text, text))
			}
			server.Meddle(refusing(no, "2"))
			kept := &store{}
			stop := poll(t, p, kept)
			kept.until(t, "one", "three") // it holds up nobody
			require.NoError(t, stop())
			tries := regexp.MustCompile(`^[0-9a-f]{12}:\d+:3:2\.(\d)\.\d+$`)
			for try := 1; try <= 5; try++ { // each by another worker: only the cursor is left of the one before
				m := tries.FindStringSubmatch(kept.at())
				require.NotNil(t, m, kept.at())
				require.Equal(t, string(rune('0'+try)), m[1])
				require.Equal(t, []string{"one", "three"}, kept.told())
				n := kept.count()
				stop := poll(t, p, kept)
				require.Eventually(t, func() bool { return kept.count() > n }, 20*time.Second, 5*time.Millisecond)
				require.NoError(t, stop())
				require.Equal(t, m[0], kept.at(), "not before its time")
				c.pass(time.Minute<<(try-1) + time.Second)
				before := kept.at()
				stop = poll(t, p, kept)
				require.Eventually(t, func() bool { return kept.at() != before }, 20*time.Second, 5*time.Millisecond)
				require.NoError(t, stop())
			}
			require.Equal(t, []string{"one", "three", "unread"}, kept.told())
			require.True(t, strings.HasSuffix(kept.at(), ":3"), kept.at())
			r := kept.reports[2]
			require.Regexp(t, `^imap:[0-9a-f]{12}:\d+:2$`, r.Key)
			require.Equal(t, "letter 2 of the folder INBOX of anna at 127.0.0.1 was passed over after 6 tries, and is unread there. Read it with a mail program; "+
				"copied into the folder anew it is read here, once the server hands it out. The server said: "+no.Text, r.Reason)
			require.Equal(t, []imap.UID{2}, server.Unread())

			server.Meddle(imaptest.Meddling{})
			c.pass(24 * time.Hour)
			server.Put(note("four", "four"))
			stop = poll(t, p, kept)
			kept.until(t, "one", "three", "unread", "four")
			require.NoError(t, stop())
		})
	}
}

func TestALetterThatTheServerHandsOutLaterIsRead(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now()}
	server, p := fakedAt(t, c.now)
	server.Put(note("only", "only"))
	server.Meddle(refusing(damaged))
	kept := &store{}
	stop := poll(t, p, kept)
	require.Eventually(t, func() bool { return strings.Contains(kept.at(), ":1.1.") }, 20*time.Second, 5*time.Millisecond, "a letter alone is counted: %s", kept.at())
	server.Meddle(imaptest.Meddling{})
	c.pass(time.Minute + time.Second)
	server.Put(note("two", "two")) // the same connection goes on
	kept.until(t, "two", "only")
	require.NoError(t, stop())
	require.True(t, strings.HasSuffix(kept.at(), ":2"), kept.at())
	require.Empty(t, server.Unread())
}

func TestAServerThatHandsOutNothingLosesNoLetter(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now()}
	server, p := fakedAt(t, c.now)
	server.Put(note("one", "one"))
	kept := &store{}
	stop := poll(t, p, kept)
	kept.until(t, "one")
	require.NoError(t, stop())
	server.Put(note("two", "two"))
	server.Put(note("three", "three"))
	for code, class := range map[imap.ResponseCode]channels.Class{imap.ResponseCodeServerBug: channels.Retryable, "": channels.Config} {
		no := damaged
		no.Code = code
		server.Meddle(refusing(no))
		at := kept.at()
		for range 10 {
			err := p.Poll(t.Context(), kept.at(), kept.commit)
			require.Equal(t, class, channels.Classify(err).Class, "%v", err)
			require.ErrorContains(t, err, "Internal error occurred.")
			c.pass(time.Hour)
		}
		require.Equal(t, at, kept.at(), "no try counts")
	}
	server.Meddle(imaptest.Meddling{})
	stop = poll(t, p, kept)
	kept.until(t, "one", "two", "three")
	require.NoError(t, stop())
}

func TestAConnectionThatEndsIsNotTheLettersFault(t *testing.T) {
	t.Parallel()
	c := &clock{at: time.Now()}
	server, p := fakedAt(t, c.now)
	for _, text := range []string{"one", "two"} {
		server.Put(note(text, text))
	}
	var asked atomic.Int32
	cut := func(number string) {
		server.Meddle(imaptest.Meddling{Refuse: func(numbers imap.NumSet) error {
			if number == "" || numbers.String() == number {
				asked.Add(1)
				server.Cut()
			}
			return nil
		}})
	}
	kept := &store{}
	visits := func(n int) {
		for range n {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			require.Error(t, p.Poll(ctx, kept.at(), kept.commit))
			require.NoError(t, ctx.Err(), "it ended by itself")
			cancel()
			c.pass(time.Hour)
		}
	}
	cut("") // at whatever is asked for
	visits(8)
	require.EqualValues(t, 8, asked.Load())
	require.Empty(t, kept.told())
	require.NotRegexp(t, `\.[1-9]\.`, kept.at(), "no try counts")
	cut("2") // at one letter, again and again
	visits(2)
	require.Equal(t, []string{"one"}, kept.told(), "which the others do not wait for")
	require.Regexp(t, `:2\.1\.\d+$`, kept.at(), "and counts if another one was handed out just before")
	server.Meddle(imaptest.Meddling{})
	stop := poll(t, p, kept)
	kept.until(t, "one", "two")
	require.NoError(t, stop())
}

func TestDovecotsUnreadableLetterHoldsUpNobody(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	c := &clock{at: time.Now()}
	p, err := smtp.Provider{Roots: server.Roots}.OpenPoll(mailbox(server), channels.Deps{
		Dial: (&net.Dialer{}).DialContext, Secrets: map[string]campaign.Secret{"imap_password": dovecottest.Password}, Replies: replies, Now: c.now,
	})
	require.NoError(t, err)
	kept := &store{}
	server.Deliver(note("1", "one"))
	stop := poll(t, p, kept)
	kept.until(t, "one")
	require.NoError(t, stop())
	server.Deliver(note("2", "two"))
	server.Damage("two")
	server.Damage("one") // which was read before
	server.Deliver(note("3", "three"))
	for n := 0; n < 24 && len(kept.told()) < 3; n++ { // dovecot ends the connection at each try
		require.Equal(t, channels.NotSent, channels.Classify(p.Poll(t.Context(), kept.at(), kept.commit)).Class)
		c.pass(20 * time.Minute)
	}
	require.Equal(t, []string{"one", "three", "unread"}, kept.told())
	require.Contains(t, kept.reports[2].Reason, "passed over after 6 tries")
	require.Equal(t, 2, server.Seen())
	server.Deliver(note("4", "four"))
	stop = poll(t, p, kept)
	kept.until(t, "one", "three", "unread", "four")
	require.NoError(t, stop())
}
