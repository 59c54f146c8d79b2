package smtp_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/smtp"
	"carillon/channels/smtp/dovecottest"
	"carillon/channels/smtp/smtptest"
)

var replies = channels.ReplyTokens{Secret: []byte("of the workspace")}

// mailbox is an integration that reads dovecot's.
func mailbox(s *dovecottest.Server, more ...string) campaign.Integration {
	i := campaign.Integration{Name: "Mail", Provider: smtp.Name, Settings: map[string]string{
		"host": "127.0.0.1", "from_email": "anna@collect.example", "imap_host": s.Host, "imap_port": s.TLS, "imap_username": dovecottest.User,
	}}
	for n := 0; n+1 < len(more); n += 2 {
		i.Settings[more[n]] = more[n+1]
	}
	return i
}

func openPoll(t *testing.T, s *dovecottest.Server, i campaign.Integration, password campaign.Secret) channels.Poller {
	t.Helper()
	p, err := smtp.Provider{Roots: s.Roots, Look: 20 * time.Millisecond}.OpenPoll(i, channels.Deps{
		Dial: (&net.Dialer{}).DialContext, Secrets: map[string]campaign.Secret{"imap_password": password}, Replies: replies,
	})
	require.NoError(t, err)
	require.NotNil(t, p)
	return p
}

// store keeps what is committed.
type store struct {
	mu      sync.Mutex
	reports []channels.Report
	cursor  string
	commits int
	fail    error
	seen    func() int // when a commit comes
	early   bool       // something was marked as read before its commit
}

func (s *store) commit(_ context.Context, reports []channels.Report, cursor string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen != nil && s.seen() > len(s.reports) {
		s.early = true
	}
	if s.fail != nil && len(reports) > 0 {
		return s.fail
	}
	s.reports, s.cursor, s.commits = append(s.reports, reports...), cursor, s.commits+1
	return nil
}

func (s *store) told() (said []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.reports {
		what := string(r.Kind)
		if r.Inbound != nil {
			what = r.Inbound.Content
			if r.Inbound.Auto {
				what = "auto"
			}
		}
		said = append(said, what)
	}
	return said
}

func (s *store) at() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cursor
}

// poll polls until stop; its error is that of the poll.
func poll(t *testing.T, p channels.Poller, s *store) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- p.Poll(ctx, s.at(), s.commit) }()
	return sync.OnceValue(func() error {
		cancel()
		return <-done
	})
}

func (s *store) until(t *testing.T, want ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return slices.Equal(want, s.told()) }, 20*time.Second, 10*time.Millisecond, "%v", want)
}

func note(id, text string, headers ...string) []byte {
	return []byte("From: Ann <ann@example.com>\r\nTo: anna@collect.example\r\nMessage-ID: <" + id + "@example.com>\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n" + text + "\r\n")
}

func TestAMailboxIsReadAsLettersCome(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	for name, i := range map[string]campaign.Integration{
		"TLS": mailbox(server), "STARTTLS": mailbox(server, "imap_port", server.Plain, "imap_security", smtp.SecurityStartTLS),
	} {
		before := server.Seen()
		kept := &store{seen: func() int { return server.Seen() - before }}
		stop := poll(t, openPoll(t, server, i, dovecottest.Password), kept)
		require.Eventually(t, func() bool { return kept.at() != "" }, 20*time.Second, 10*time.Millisecond, "it begins where the mailbox is")
		server.Deliver(note("1"+name, "Yes", "To: reply+"+replies.Token("ss_ct_1-1")+"@collect.example"))
		kept.until(t, "Yes")
		server.Deliver(note("2"+name, "No", "In-Reply-To: <ct_1-2@collect.example>"))
		kept.until(t, "Yes", "No") // of two that come at once dovecot may number either first
		server.Deliver(note("3"+name, "Away", "Auto-Submitted: auto-replied"))
		kept.until(t, "Yes", "No", "auto")
		require.Eventually(t, func() bool { return server.Seen() == before+3 }, 20*time.Second, 10*time.Millisecond, "what was kept is marked as read")
		require.NoError(t, stop())
		require.False(t, kept.early, "nothing is marked before it is kept")
		require.Equal(t, "ss_ct_1-1", kept.reports[0].Inbound.Session)
		require.Equal(t, "ct_1-2", kept.reports[1].CorrelationKey)
		require.Equal(t, []string{"<ct_1-2@collect.example>"}, kept.reports[1].Inbound.Threads, "the receipt of a send through SMTP is its Message-ID")
	}
}

func TestAServerThatCannotTellOfNewsIsLookedAt(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t, "imap_capability = IMAP4rev1 UIDPLUS MOVE")
	kept := &store{}
	stop := poll(t, openPoll(t, server, mailbox(server), dovecottest.Password), kept)
	require.Eventually(t, func() bool { return kept.at() != "" }, 20*time.Second, 10*time.Millisecond)
	for _, text := range []string{"one", "two"} {
		server.Deliver(note(text, text))
		require.Eventually(t, func() bool { return slices.Contains(kept.told(), text) }, 20*time.Second, 10*time.Millisecond)
	}
	require.NoError(t, stop())
}

func TestVerifyTriesTheMailboxToo(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	post := smtptest.New(t, smtptest.Options{})
	verify := func(password campaign.Secret) (string, error) {
		s, err := smtp.Provider{Roots: server.Roots}.Open(mailbox(server, "host", post.Host, "port", post.Port, "security", smtp.SecurityNone), channels.Deps{
			Dial: (&net.Dialer{}).DialContext, Secrets: map[string]campaign.Secret{"imap_password": password},
		})
		require.NoError(t, err)
		return s.(channels.Verifier).Verify(t.Context())
	}
	text, err := verify(dovecottest.Password)
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1 answers; it was not asked for a password, and the mailbox at 127.0.0.1 can be read", text)
	_, err = verify("wrong-and-secret")
	require.Equal(t, channels.Config, channels.Classify(err).Class)
	require.ErrorContains(t, err, "refuses the user or the password")
	_, err = verify("")
	require.ErrorContains(t, err, "imap_password")
}

func TestNothingIsLostWhereACommitFailsOrTheServerDies(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	kept := &store{}
	stop := poll(t, openPoll(t, server, mailbox(server), dovecottest.Password), kept)
	require.Eventually(t, func() bool { return kept.at() != "" }, 20*time.Second, 10*time.Millisecond)
	begin := kept.at()
	kept.mu.Lock()
	kept.fail = fmt.Errorf("the store is away")
	kept.mu.Unlock()
	server.Deliver(note("1", "one"))
	require.Eventually(t, func() bool { return server.In("") == 1 }, 20*time.Second, 10*time.Millisecond)
	p := openPoll(t, server, mailbox(server), dovecottest.Password)
	require.ErrorContains(t, p.Poll(t.Context(), begin, kept.commit), "the store is away")
	_ = stop()
	require.Zero(t, server.Seen(), "what was not kept is as it was")
	require.Equal(t, begin, kept.at())

	kept.fail = nil
	server.Stop()
	err := p.Poll(t.Context(), begin, kept.commit)
	require.Equal(t, channels.NotSent, channels.Classify(err).Class, "%v", err)
	server.Run()
	stop = poll(t, p, kept)
	kept.until(t, "one")
	server.Deliver(note("2", "two"))
	kept.until(t, "one", "two")
	require.NoError(t, stop())

	// A connection that ends while it waits is a failure; the next poll goes on.
	failed := make(chan error, 1)
	go func() { failed <- p.Poll(t.Context(), kept.at(), kept.commit) }()
	server.Deliver(note("3", "three"))
	kept.until(t, "one", "two", "three")
	server.Stop()
	require.Equal(t, channels.NotSent, channels.Classify(<-failed).Class)
	server.Deliver(note("4", "four"))
	server.Renumber()
	server.Run()
	stop = poll(t, p, kept)
	kept.until(t, "one", "two", "three", "four")
	require.NoError(t, stop(), "numbers that begin anew repeat at most what nobody had read")
}

func TestAPoisonLetterIsKeptAndPassed(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	kept := &store{}
	stop := poll(t, openPoll(t, server, mailbox(server), dovecottest.Password), kept)
	require.Eventually(t, func() bool { return kept.at() != "" }, 20*time.Second, 10*time.Millisecond)
	corpus, err := filepath.Glob("../mailin/testdata/*.eml")
	require.NoError(t, err)
	for _, file := range corpus {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		server.Deliver(raw)
	}
	server.Deliver([]byte("no headers"))
	server.Deliver([]byte("From: a@example.com\nMessage-ID: <big@example.com>\n\nBig\n-- \n" + strings.Repeat("0123456789\n", 1<<20)))
	server.Deliver(note("last", "the last"))
	require.Eventually(t, func() bool {
		said := kept.told()
		return len(said) > 0 && said[len(said)-1] == "the last"
	}, 60*time.Second, 20*time.Millisecond)
	require.NoError(t, stop())
	said := kept.told()
	require.Len(t, said, len(corpus)+3, "one report each")
	require.Contains(t, said, "unread")
	require.Contains(t, said, "Big")
	require.Eventually(t, func() bool { return server.Seen() == len(corpus)+3 }, 20*time.Second, 10*time.Millisecond)
	require.Greater(t, kept.commits, 3, "not all at once")
}

func TestLettersAreMovedAwayWhereAFolderIsNamed(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	server.Folder("Taken")
	kept := &store{}
	stop := poll(t, openPoll(t, server, mailbox(server, "imap_done_folder", "Taken"), dovecottest.Password), kept)
	require.Eventually(t, func() bool { return kept.at() != "" }, 20*time.Second, 10*time.Millisecond)
	server.Deliver(note("1", "one"))
	require.Eventually(t, func() bool { return server.In("Taken") == 1 && server.In("") == 0 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, stop())
	require.Equal(t, []string{"one"}, kept.told())

	p := openPoll(t, server, mailbox(server, "imap_done_folder", "Nowhere"), dovecottest.Password)
	server.Deliver(note("2", "two"))
	err := p.Poll(t.Context(), kept.at(), kept.commit)
	require.Equal(t, channels.Config, channels.Classify(err).Class, "%v", err)
	require.Equal(t, []string{"one", "two"}, kept.told(), "it was kept before")
}

func TestTheFirstTimeOldLettersAreLeft(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	server.Deliver(note("1", "one"))
	kept := &store{}
	stop := poll(t, openPoll(t, server, mailbox(server), dovecottest.Password), kept)
	kept.until(t, "one")
	require.Eventually(t, func() bool { return server.Seen() == 1 }, 20*time.Second, 10*time.Millisecond)
	require.NoError(t, stop())
	again := &store{}
	stop = poll(t, openPoll(t, server, mailbox(server), dovecottest.Password), again)
	require.Eventually(t, func() bool { return again.at() != "" }, 20*time.Second, 10*time.Millisecond)
	server.Deliver(note("2", "two"))
	again.until(t, "two")
	require.NoError(t, stop())
}

func TestWhatAPersonHasToMendIsSaid(t *testing.T) {
	t.Parallel()
	server := dovecottest.Start(t)
	trusting := smtp.Provider{Roots: server.Roots}
	deps := channels.Deps{Dial: (&net.Dialer{}).DialContext, Secrets: map[string]campaign.Secret{"password": dovecottest.Password}}
	for name, tc := range map[string]struct {
		provider    smtp.Provider
		integration campaign.Integration
		deps        channels.Deps
		class       channels.Class
		says        string
	}{
		"a wrong password":         {trusting, mailbox(server), channels.Deps{Dial: deps.Dial, Secrets: map[string]campaign.Secret{"imap_password": "wrong-and-secret"}}, channels.Config, "refuses the user or the password"},
		"no such folder":           {trusting, mailbox(server, "imap_folder", "Nowhere"), deps, channels.Config, "the folder Nowhere"},
		"a stranger's certificate": {smtp.Provider{}, mailbox(server), deps, channels.Config, "certificate"},
		"a private address":        {trusting, mailbox(server), channels.Deps{Secrets: deps.Secrets}, channels.Config, "CARILLON_ALLOW_PRIVATE_URLS"},
		"nobody there":             {trusting, mailbox(server, "imap_port", "1"), deps, channels.NotSent, "refused"},
		"TLS where STARTTLS is":    {trusting, mailbox(server, "imap_port", server.Plain), deps, channels.NotSent, "mailbox at"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := tc.provider.OpenPoll(tc.integration, tc.deps)
			require.NoError(t, err)
			err = p.Poll(t.Context(), "", func(context.Context, []channels.Report, string) error { return nil })
			require.Equal(t, tc.class, channels.Classify(err).Class, "%v", err)
			require.ErrorContains(t, err, tc.says)
			require.NotContains(t, err.Error(), "wrong-and-secret")
		})
	}
	p, err := smtp.Provider{}.OpenPoll(campaign.Integration{Settings: map[string]string{"host": "127.0.0.1", "from_email": "a@b.example"}}, deps)
	require.NoError(t, err)
	require.Nil(t, p, "nobody asked for it")
	_, err = smtp.Provider{}.OpenPoll(mailbox(server), channels.Deps{})
	require.Equal(t, channels.Config, channels.Classify(err).Class)
	require.ErrorContains(t, err, "imap_password")
}
