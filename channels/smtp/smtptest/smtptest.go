// Package smtptest is a mail server for tests, which keeps what it accepts and
// misbehaves to order.
package smtptest

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/mail"
	"sync"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"carillon/channels/fault"
)

// Options say what server it is.
type Options struct {
	User, Password string // none: it asks for no password
	TLS            *tls.Config
	Implicit       bool // TLS from the first byte, else STARTTLS if there is TLS
}

// Fault is what goes wrong with one message, at the command it names.
type Fault struct {
	At       string // mail, rcpt, data (the end of the message), or cut (its middle, where the connection ends)
	Code     int    // answered
	Enhanced [3]int
	Text     string
	Drop     bool          // the connection ends instead of an answer; at data the message was taken
	Hold     bool          // no answer comes until the client gives up
	Slow     time.Duration // the answer comes so much later; at data the message was taken
}

// Message is one that was accepted.
type Message struct {
	From string
	To   []string
	Raw  []byte
}

// ID returns the Message-ID, with its angle brackets.
func (m *Message) ID() string {
	parsed, err := m.Parsed()
	if err != nil {
		return ""
	}
	return parsed.Header.Get("Message-ID")
}

// Parsed returns the message read.
func (m *Message) Parsed() (*mail.Message, error) {
	return mail.ReadMessage(bytes.NewReader(m.Raw))
}

// Server is the fake.
type Server struct {
	Host, Port string
	o          Options
	smtp       *smtp.Server
	serving    sync.WaitGroup
	done       chan struct{}

	fault.Book[Message]

	mu          sync.Mutex
	faults      []Fault
	always      *Fault
	connections int
	held        int
}

// New starts a server on a free port; it ends with its owner. It panics where no
// port can be had.
func New(owner fault.Owner, o Options) *Server {
	l, err := fault.Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &Server{o: o, done: make(chan struct{})}
	srv := smtp.NewServer(smtp.BackendFunc(s.open))
	srv.Domain, srv.MaxMessageBytes, srv.AllowInsecureAuth, srv.ErrorLog = "fake.example", 32<<20, o.TLS == nil, log.New(io.Discard, "", 0)
	if !o.Implicit {
		srv.TLSConfig = o.TLS
	}
	s.smtp = srv
	s.Serve(l)
	owner.Cleanup(func() {
		close(s.done)
		_ = srv.Close()
		s.serving.Wait()
	})
	return s
}

// Serve answers at one more address, which becomes Host and Port.
func (s *Server) Serve(l net.Listener) {
	s.Host, s.Port, _ = net.SplitHostPort(l.Addr().String())
	if s.o.Implicit {
		l = tls.NewListener(l, s.o.TLS)
	}
	s.serving.Go(func() { _ = s.smtp.Serve(l) }) // ends with Close
}

// Fail orders faults for the next messages, one each.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// Always orders a fault for every message from now on; nil mends it.
func (s *Server) Always(f *Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always, s.faults = f, nil
}

// Held counts the messages that wait for an answer that never comes.
func (s *Server) Held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held
}

// Times counts the accepted messages of each Message-ID.
func (s *Server) Times() map[string]int {
	return s.Book.Times((*Message).ID)
}

// Connections counts the connections that came.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.connections
}

func (s *Server) open(c *smtp.Conn) (smtp.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.connections++
	return &session{s: s, conn: c}, nil
}

// session is one connection.
type session struct {
	s    *Server
	conn *smtp.Conn
	user bool
	m    Message
}

// AuthMechanisms implements [smtp.AuthSession].
func (c *session) AuthMechanisms() []string {
	if c.s.o.User == "" {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth implements [smtp.AuthSession].
func (c *session) Auth(mech string) (sasl.Server, error) {
	check := func(user, password string) error {
		if user != c.s.o.User || password != c.s.o.Password {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no, not " + user + " with " + password}
		}
		c.user = true
		return nil
	}
	if mech != sasl.Plain {
		return nil, smtp.ErrAuthUnknownMechanism
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return check(user, password) }), nil
}

// Mail implements [smtp.Session].
func (c *session) Mail(from string, _ *smtp.MailOptions) error {
	if c.s.o.User != "" && !c.user {
		return smtp.ErrAuthRequired
	}
	c.m = Message{From: from}
	return c.fault("mail")
}

// Rcpt implements [smtp.Session].
func (c *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	c.m.To = append(c.m.To, to)
	return c.fault("rcpt")
}

// Data implements [smtp.Session].
func (c *session) Data(r io.Reader) error {
	f := c.next("cut")
	if f != nil { // in the middle of the message
		_, _ = io.CopyN(io.Discard, r, 1)
		return c.conn.Close()
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.m.Raw = raw
	f = c.next("data")
	if f == nil || f.Drop || f.Hold || f.Slow > 0 {
		c.s.Accept(c.m)
	}
	return c.apply(f)
}

// Reset implements [smtp.Session].
func (c *session) Reset() { c.m = Message{} }

// Logout implements [smtp.Session].
func (c *session) Logout() error { return nil }

func (c *session) fault(at string) error { return c.apply(c.next(at)) }

func (c *session) next(at string) *Fault {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if len(c.s.faults) == 0 || c.s.faults[0].At != at {
		if c.s.always != nil && c.s.always.At == at {
			return c.s.always
		}
		return nil
	}
	f := c.s.faults[0]
	c.s.faults = c.s.faults[1:]
	return &f
}

// hold waits until the client has gone, which only reading from it tells.
func (c *session) hold() error {
	c.s.count(1)
	defer c.s.count(-1)
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = c.conn.Conn().Read(make([]byte, 1))
	}()
	select {
	case <-gone:
	case <-c.s.done:
	}
	return errors.Join(c.conn.Close(), errors.New("held"))
}

func (s *Server) count(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held += n
}

func (c *session) apply(f *Fault) error {
	switch {
	case f == nil:
		return nil
	case f.Drop:
		return errors.Join(c.conn.Close(), errors.New("dropped"))
	case f.Hold:
		return c.hold()
	case f.Slow > 0:
		select {
		case <-time.After(f.Slow):
		case <-c.s.done:
		}
		return nil
	default:
		code := smtp.EnhancedCode(f.Enhanced)
		if f.Enhanced == [3]int{} {
			code = smtp.NoEnhancedCode
		}
		return &smtp.SMTPError{Code: f.Code, EnhancedCode: code, Message: f.Text}
	}
}
