// Package imaptest is a mailbox on this machine for demonstrations: a small IMAP
// server with TLS, which letters are put into. Tests of the poller itself use a
// real server, package dovecottest.
package imaptest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-imap/v2/imapserver/imapmemserver"

	"carillon/channels/fault"
)

// Server is the mailbox of one user.
type Server struct {
	Host, Port string
	Roots      []byte // PEM: who reads the mailbox has to trust it, through SSL_CERT_FILE for instance
	tls        *tls.Config
	imap       *imapserver.Server
	user       *imapmemserver.User
	serving    sync.WaitGroup
	mu         sync.Mutex
	meddling   Meddling
	conns      []*imapserver.Conn
}

// Meddling is what goes wrong, or happens just then.
type Meddling struct {
	Refuse   func(imap.NumSet) error // before letters are handed out; an [*imap.Error] is the answer
	Searched func()                  // after a search, before its answer
}

// Meddle has it happen from now on.
func (s *Server) Meddle(m Meddling) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.meddling = m
}

// session is one connection, meddled with.
type session struct {
	imapserver.SessionIMAP4rev2
	server *Server
}

func (s session) meddling() Meddling {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	return s.server.meddling
}

// Fetch implements [imapserver.Session].
func (s session) Fetch(w *imapserver.FetchWriter, numbers imap.NumSet, o *imap.FetchOptions) error {
	if refuse := s.meddling().Refuse; refuse != nil {
		if err := refuse(numbers); err != nil {
			return err
		}
	}
	return s.SessionIMAP4rev2.Fetch(w, numbers, o)
}

// Search implements [imapserver.Session].
func (s session) Search(kind imapserver.NumKind, c *imap.SearchCriteria, o *imap.SearchOptions) (*imap.SearchData, error) {
	found, err := s.SessionIMAP4rev2.Search(kind, c, o)
	if searched := s.meddling().Searched; searched != nil {
		searched()
	}
	return found, err
}

// New starts a server on a free port, with a certificate of its own; it ends with
// its owner. It panics where no port can be had.
func New(o fault.Owner, user, password string) *Server {
	return NewCertified(o, user, password, Certificate())
}

// NewCertified is New with a certificate and its key, as [Certificate] makes them:
// who trusts a server need not learn of another one after it. It panics where the
// certificate is none.
func NewCertified(o fault.Owner, user, password string, certificate []byte) *Server {
	l, err := fault.Listen("127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	s := &Server{user: imapmemserver.NewUser(user, password)}
	if err := s.user.Create("INBOX", nil); err != nil {
		panic(err) // it is there already: a new user has nothing
	}
	s.certify(certificate)
	users := imapmemserver.New()
	users.AddUser(s.user)
	s.imap = imapserver.New(&imapserver.Options{
		NewSession: func(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.conns = append(s.conns, c)
			return session{users.NewSession().(imapserver.SessionIMAP4rev2), s}, nil, nil
		},
		Logger: log.New(io.Discard, "", 0),
	})
	s.Serve(l)
	o.Cleanup(func() {
		_ = s.imap.Close()
		s.serving.Wait()
	})
	return s
}

// Serve answers at one more address, which becomes Host and Port.
func (s *Server) Serve(l net.Listener) {
	s.Host, s.Port, _ = net.SplitHostPort(l.Addr().String())
	s.serving.Go(func() { _ = s.imap.Serve(tls.NewListener(l, s.tls)) }) // ends with Close
}

// Put puts a letter into the inbox, unread.
func (s *Server) Put(letter []byte) {
	_, err := s.user.Append("INBOX", literal{bytes.NewReader(letter), int64(len(letter))}, &imap.AppendOptions{Time: time.Now()})
	if err != nil {
		panic(err) // into memory
	}
}

// Unread is the numbers of the letters in the inbox that are not marked as read.
func (s *Server) Unread() []imap.UID {
	view := imapmemserver.NewUserSession(s.user)
	if _, err := view.Select("INBOX", nil); err != nil {
		panic(err) // it is there
	}
	defer func() { _ = view.Close() }()
	found, err := view.Search(imapserver.NumKindUID, &imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}, &imap.SearchOptions{})
	if err != nil {
		panic(err) // of memory
	}
	return found.AllUIDs()
}

// Cut ends every connection, as a network does.
func (s *Server) Cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.NetConn().Close()
	}
	s.conns = nil
}

// literal is a letter as the server reads it.
type literal struct {
	io.Reader
	size int64
}

// Size implements [imap.LiteralReader].
func (l literal) Size() int64 { return l.size }

// lifetime is how long a certificate is good.
const lifetime = 365 * 24 * time.Hour

// Certificate makes a certificate for this machine that nobody else signed, and
// its key, as PEM.
func Certificate() []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no randomness
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(lifetime),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		panic(err) // as above
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		panic(err) // of a kind it knows
	}
	return append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
}

// Good reports that a certificate and its key can be used for a day at least.
func Good(certificate []byte) bool {
	pair, err := tls.X509KeyPair(certificate, certificate)
	return err == nil && pair.Leaf.VerifyHostname("127.0.0.1") == nil && pair.Leaf.NotAfter.After(time.Now().Add(24*time.Hour))
}

func (s *Server) certify(certificate []byte) {
	pair, err := tls.X509KeyPair(certificate, certificate)
	if err != nil {
		panic(err) // whoever gives one has it from Certificate
	}
	s.Roots = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Leaf.Raw})
	s.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
}
