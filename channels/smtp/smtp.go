// Package smtp sends e-mail through a mail server of the operator's, and reads the
// mailbox that answers arrive in. It imports packages channels, mailin and
// campaign, go-mail for composing and sending, and go-imap for the mailbox.
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"carillon/campaign"
	"carillon/channels"
)

// Name is the provider's name in an integration.
const Name = "smtp"

// How the connection is secured.
const (
	SecurityNone     = "none"     // in the clear; a password is then only sent hashed
	SecurityStartTLS = "starttls" // must be upgraded before anything is said
	SecurityTLS      = "tls"      // from the first byte
)

// sendTime bounds one send; the activity is given 15 s.
const sendTime = 10 * time.Second

// Provider is any mail server.
type Provider struct {
	// Roots are who signs servers' certificates; nil is the system's list.
	Roots *x509.CertPool
	// Look is the time between two looks at a mailbox whose server cannot say when
	// there is news; 0 is 30 s.
	Look time.Duration
}

// Describe implements [channels.Provider].
func (Provider) Describe() channels.Description {
	return channels.Description{
		Provider: Name, Name: "SMTP server", Channels: []campaign.Channel{campaign.EmailNotification, campaign.Email}, NoReports: true, Manual: manual(),
		Settings: []channels.Field{
			{Name: "host", Label: "Server", Required: true, Kind: channels.KindHost},
			{Name: "port", Label: "Port", Hint: "587 for starttls, 465 for tls, 25 for none, if not set.", Kind: channels.KindPort},
			{Name: "security", Label: "Security", Hint: "starttls if not set. With none the message travels in the clear.", Values: []string{SecurityNone, SecurityStartTLS, SecurityTLS}},
			{Name: "username", Label: "User name", Hint: "None: the server takes mail from this machine without."},
			{Name: "from_email", Label: "Sender", Required: true, Kind: channels.KindEmail},
			{Name: "from_name", Label: "Sender's name"},
			{Name: "reply_domain", Label: "Reply domain", Hint: "A domain all of whose mail arrives in the mailbox below; answers of conversations are addressed to it. Without it they go to the sender.", Kind: channels.KindDomain},
			{Name: "imap_host", Label: "IMAP server", Hint: "Of the mailbox that answers arrive in. Without it they do not reach Carillon.", Kind: channels.KindHost},
			{Name: "imap_port", Label: "IMAP port", Hint: "993 for tls, 143 for starttls, if not set.", Kind: channels.KindPort},
			{Name: "imap_security", Label: "IMAP security", Hint: "tls if not set, starttls with port 143. A mailbox is not read in the clear.", Values: []string{SecurityStartTLS, SecurityTLS}},
			{Name: "imap_username", Label: "IMAP user name", Hint: "The user name above if not set."},
			{Name: "imap_folder", Label: "IMAP folder", Hint: "INBOX if not set."},
			{Name: "imap_done_folder", Label: "Folder for what was read", Hint: "Where letters are moved once they are taken. Without it they stay, and are marked as read."},
		},
		Secrets: []channels.Field{
			{Name: "password", Label: "Password", Secret: true},
			{Name: "imap_password", Label: "IMAP password", Hint: "The password above if not set.", Secret: true},
		},
	}
}

// Open implements [channels.Provider].
func (p Provider) Open(i campaign.Integration, d channels.Deps) (channels.Sender, error) {
	if err := p.Describe().Complete(i, d.Secrets); err != nil {
		return nil, err
	}
	s := &sender{
		host: i.Settings["host"], security: i.Settings["security"], user: i.Settings["username"], from: i.Settings["from_email"], fromName: i.Settings["from_name"],
		replyDomain: i.Settings["reply_domain"], password: d.Secrets["password"].Reveal, dial: d.Dialer(), now: d.Clock, roots: p.Roots,
	}
	s.redact = func(text string) string { return redact(text, s.user, d.Secrets) }
	s.mailbox = func() (*mailbox, error) { return p.mailbox(i, d) }
	if s.user != "" && s.password() == "" {
		return nil, channels.Fail(channels.Config, "incomplete", "the integration %q has a username and no secret password", i.Name)
	}
	if s.security == "" {
		s.security = SecurityStartTLS
	}
	s.port = map[string]int{SecurityNone: 25, SecurityStartTLS: 587, SecurityTLS: 465}[s.security]
	if given := i.Settings["port"]; given != "" {
		port, err := strconv.ParseUint(given, 10, 16)
		if err != nil || port == 0 {
			return nil, channels.Fail(channels.Config, "port", "the integration %q has the port %q, which is not one", i.Name, given)
		}
		s.port = int(port)
	}
	return s, nil
}

// sender implements [channels.Sender] and [channels.Verifier]. Every send is a
// connection of its own. The password is kept behind a function, so that no way
// of printing the sender shows it.
type sender struct {
	host, security, user, from, fromName, replyDomain string
	port                                              int
	password                                          func() string
	redact                                            func(string) string
	dial                                              channels.DialFunc
	now                                               func() time.Time
	roots                                             *x509.CertPool
	mailbox                                           func() (*mailbox, error) // nil if none is to be read
}

// Send implements [channels.Sender]. The message is composed before anything
// is said, so that it is sent whole or not at all.
func (s *sender) Send(ctx context.Context, m channels.Outbound) (channels.Receipt, error) {
	if m.CorrelationKey == "" {
		return channels.Receipt{}, channels.Fail(channels.Unclassified, "", "the message has no correlation key")
	}
	message, id, err := s.compose(m)
	if err != nil {
		return channels.Receipt{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	c, conn, err := s.connect(ctx)
	if err != nil {
		return channels.Receipt{}, err
	}
	defer conn.end()
	session, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return channels.Receipt{}, s.notConnected(ctx, err)
	}
	if err := c.SendWithSMTPClient(session, message); err != nil {
		if f := s.classify(ctx, err); f != nil {
			return channels.Receipt{}, f
		}
	}
	_ = session.UpdateDeadline(time.Second) // it was taken; a server that is slow to part does not matter
	_ = session.Quit()
	return channels.Receipt{ProviderMessageID: id, At: s.now().Truncate(time.Microsecond)}, nil
}

// Verify implements [channels.Verifier]: it connects, logs in, and leaves; likewise
// at the mailbox, if there is one.
func (s *sender) Verify(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	c, conn, err := s.connect(ctx)
	if err != nil {
		return "", err
	}
	defer conn.end()
	session, err := c.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return "", s.notConnected(ctx, err)
	}
	if err := session.Noop(); err != nil {
		return "", s.notConnected(ctx, err)
	}
	_ = session.UpdateDeadline(time.Second)
	_ = session.Quit()
	found := s.host + " accepts the user and the password"
	if s.user == "" {
		found = s.host + " answers; it was not asked for a password"
	}
	box, err := s.mailbox()
	if err != nil || box == nil {
		return found, err
	}
	v, err := box.open(ctx)
	if err != nil {
		return "", err
	}
	v.close()
	return found + ", and the mailbox at " + box.host + " can be read", nil
}

// line is the connection of one send. It ends with the send's context, which
// go-mail looks at only until it is connected.
type line struct {
	conn net.Conn
	stop func() bool
}

func (l *line) end() {
	if l.stop != nil {
		l.stop()
	}
	if l.conn != nil {
		// Not a QUIT: behind a message that was cut off, go-mail would end that
		// message first and so have it delivered in part.
		_ = l.conn.Close()
	}
}

// connect makes the client of one send; it dials when it is told to.
func (s *sender) connect(ctx context.Context) (*mail.Client, *line, error) {
	l := &line{}
	options := []mail.Option{
		mail.WithPort(s.port), mail.WithTimeout(sendTime), mail.WithoutNoop(), mail.WithHELO(helo(s.from)),
		mail.WithDialContextFunc(func(dialing context.Context, network, address string) (net.Conn, error) {
			conn, err := s.dial(dialing, network, address)
			if err != nil {
				return nil, err
			}
			l.conn = conn
			l.stop = context.AfterFunc(ctx, func() { _ = conn.Close() })
			if s.security != SecurityTLS {
				return conn, nil
			}
			secure := tls.Client(conn, s.tls())
			return secure, secure.HandshakeContext(dialing)
		}),
	}
	switch s.security {
	case SecurityNone:
		options = append(options, mail.WithTLSPolicy(mail.NoTLS))
	case SecurityTLS:
		options = append(options, mail.WithSSL(), mail.WithTLSConfig(s.tls()))
	default:
		options = append(options, mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(s.tls()))
	}
	if s.user != "" {
		ways := []mail.SMTPAuthType{mail.SMTPAuthPlain, mail.SMTPAuthLogin, mail.SMTPAuthSCRAMSHA256, mail.SMTPAuthSCRAMSHA1, mail.SMTPAuthCramMD5}
		if s.security == SecurityNone {
			ways = ways[2:]
		}
		options = append(options, mail.WithUsername(s.user), mail.WithPassword(s.password()), mail.WithOpportunisticSMTPAuth(ways...))
	}
	c, err := mail.NewClient(s.host, options...)
	if err != nil {
		return nil, nil, channels.Fail(channels.Config, "", "%s", s.redact(err.Error()))
	}
	return c, l, nil
}

func (s *sender) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.host, RootCAs: s.roots}
}

// notConnected classes what went wrong before the message was begun.
func (s *sender) notConnected(ctx context.Context, err error) *channels.Failure {
	if errors.Is(err, channels.ErrPrivate) {
		return channels.Fail(channels.Config, "private_address", "%s", s.redact(err.Error()))
	}
	if r, ok := replyOf(err); ok {
		return channels.Fail(r.greeting(), r.code(), "%s: %s", s.host, s.redact(r.text))
	}
	text := err.Error()
	if ctx.Err() != nil {
		text = "it was canceled or its time was over"
	}
	return channels.Fail(connecting(err), "", "connect to %s: %s", s.host, s.redact(text))
}
