package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/mailin"
)

// Times of a mailbox.
const (
	connectTime = 20 * time.Second // to connect and to log in
	askTime     = 2 * time.Minute  // of one command, a large letter included
	idleTime    = 5 * time.Minute  // without news: what lies between may have forgotten the connection
	lookTime    = 30 * time.Second // between two looks at a server that cannot say when there is news
)

// OpenPoll implements [channels.PollProvider].
func (p Provider) OpenPoll(i campaign.Integration, d channels.Deps) (channels.Poller, error) {
	m, err := p.mailbox(i, d)
	if m == nil {
		return nil, err
	}
	return m, nil
}

// mailbox is the one that an integration reads; nil if none is to be read.
func (p Provider) mailbox(i campaign.Integration, d channels.Deps) (*mailbox, error) {
	s := i.Settings
	if s["imap_host"] == "" {
		return nil, nil
	}
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	m := &mailbox{
		host: s["imap_host"], security: s["imap_security"], user: orElse(s["imap_username"], s["username"]), folder: orElse(s["imap_folder"], "INBOX"),
		done: s["imap_done_folder"], password: d.Secrets["imap_password"].Reveal, dial: d.Dialer(), roots: p.Roots,
		box: mailin.Mailbox{From: s["from_email"], Replies: d.Replies, Now: d.Clock}, look: p.Look,
	}
	if m.look == 0 {
		m.look = lookTime
	}
	if d.Secrets["imap_password"] == "" {
		m.password = d.Secrets["password"].Reveal
	}
	m.redact = func(text string) string { return redact(text, m.user, d.Secrets) }
	if m.user == "" || m.password() == "" {
		return nil, channels.Fail(channels.Config, "incomplete",
			"the integration %q has an imap_host and lacks a user name (imap_username, or username) or a secret (imap_password, or password)", i.Name)
	}
	port := s["imap_port"]
	if m.security == "" {
		m.security = SecurityTLS
		if port == "143" {
			m.security = SecurityStartTLS
		}
	}
	if port == "" {
		port = map[string]string{SecurityTLS: "993", SecurityStartTLS: "143"}[m.security]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return nil, channels.Fail(channels.Config, "port", "the integration %q has the imap_port %q, which is not one", i.Name, port)
	}
	m.address = net.JoinHostPort(m.host, port)
	return m, nil
}

// mailbox implements [channels.Poller].
type mailbox struct {
	host, address, security, user, folder, done string
	password                                    func() string
	redact                                      func(string) string
	dial                                        channels.DialFunc
	roots                                       *x509.CertPool
	box                                         mailin.Mailbox
	look                                        time.Duration

	// Of the visits before:
	broke   imap.UID // the letter at which the last connection ended; 0 if it ended otherwise
	vouched int      // how often other letters were asked for
}

// Poll implements [channels.Poller]: it is connected for as long as ctx lasts, and
// learns of letters as they come.
func (m *mailbox) Poll(ctx context.Context, cursor string, commit channels.Commit) error {
	v, err := m.open(ctx)
	if err == nil {
		defer v.close()
		err = v.follow(ctx, m.place(cursor), commit)
	}
	if ctx.Err() == nil {
		return err
	}
	return nil // nobody waits for news any more
}

// open connects, logs in and selects the folder.
func (m *mailbox) open(ctx context.Context) (*visit, error) {
	dialing, cancel := context.WithTimeout(ctx, connectTime)
	defer cancel()
	conn, err := m.dial(dialing, "tcp", m.address)
	if err != nil {
		return nil, m.failed(err)
	}
	v := &visit{mailbox: m, news: make(chan struct{}, 1)}
	v.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
	late := time.AfterFunc(connectTime, func() { _ = conn.Close() })
	defer late.Stop()
	if err := v.enter(dialing, conn); err != nil {
		v.close()
		_ = conn.Close()
		return nil, m.failed(err)
	}
	return v, nil
}

func (v *visit) enter(ctx context.Context, conn net.Conn) error {
	m := v.mailbox
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: m.host, RootCAs: m.roots}
	options := &imapclient.Options{TLSConfig: config, UnilateralDataHandler: &imapclient.UnilateralDataHandler{Mailbox: v.hear}}
	if m.security == SecurityStartTLS {
		c, err := imapclient.NewStartTLS(conn, options)
		if err != nil {
			return err
		}
		v.client = c
	} else {
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			return err
		}
		v.client = imapclient.New(secure, options)
	}
	if err := v.client.WaitGreeting(); err != nil {
		return err
	}
	if err := v.client.Login(m.user, m.password()).Wait(); err != nil {
		return m.refused("the user or the password", err)
	}
	selected, err := v.client.Select(m.folder, nil).Wait()
	if err != nil {
		return m.refused("the folder "+m.folder, err)
	}
	v.validity, v.next = selected.UIDValidity, selected.UIDNext
	return nil
}

// refused classes the server's no to a command that only a person can mend.
func (m *mailbox) refused(what string, err error) error {
	no, ok := errors.AsType[*imap.Error](err)
	if !ok {
		return err
	}
	if passes(no) {
		return channels.Fail(channels.Retryable, string(no.Code), "%s: %s", m.host, m.redact(no.Text))
	}
	return channels.Fail(channels.Config, string(no.Code), "%s refuses %s: %s", m.host, what, m.redact(no.Text))
}

// passes reports a no that is none a while later.
func passes(no *imap.Error) bool {
	codes := []imap.ResponseCode{imap.ResponseCodeUnavailable, imap.ResponseCodeInUse, imap.ResponseCodeLimit, imap.ResponseCodeServerBug}
	return slices.Contains(codes, no.Code) || no.Type == imap.StatusResponseTypeBye
}

// failed classes an error of the connection.
func (m *mailbox) failed(err error) error {
	if _, ok := errors.AsType[*channels.Failure](err); ok {
		return err
	}
	text := m.redact(err.Error())
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, other := errors.AsType[x509.HostnameError](err)
	switch {
	case errors.Is(err, channels.ErrPrivate):
		return channels.Fail(channels.Config, "private_address", "%s", text)
	case unknown || other:
		return channels.Fail(channels.Config, "certificate", "connect to %s: %s", m.address, text)
	default:
		return channels.Fail(channels.NotSent, "", "mailbox at %s: %s", m.address, text)
	}
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}
