// Package dovecottest starts a real IMAP server, Debian's dovecot, for tests: a
// child of the test's, on loopback, without any privilege, with one mailbox.
package dovecottest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The only account.
const (
	User     = "anna"
	Password = "the-password-of-the-mailbox"
)

// config runs everything as one user, without a chroot.
const config = `
protocols = imap
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
auth_verbose = yes
mail_location = maildir:%[1]s/mail
auth_mechanisms = plain login
auth_failure_delay = 0
ssl = required
ssl_cert = <%[1]s/cert.pem
ssl_key = <%[1]s/key.pem
ssl_dh =
first_valid_uid = 1
default_internal_user = %[2]s
default_internal_group = %[3]s
default_login_user = %[2]s
mailbox_idle_check_interval = 1s
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%%u %[1]s/users
}
userdb {
  driver = static
  args = uid=%[4]d gid=%[5]d home=%[1]s/home
}
service anvil {
  chroot =
}
service imap-login {
  chroot =
  inet_listener imap {
    address = 127.0.0.1
    port = %[6]s
  }
  inet_listener imaps {
    address = 127.0.0.1
    port = %[7]s
    ssl = yes
  }
}
`

// Server is a running server.
type Server struct {
	Host       string // 127.0.0.1
	Plain, TLS string // ports: for STARTTLS, and with TLS from the first byte
	Roots      *x509.CertPool
	RootsFile  string // PEM

	t       testing.TB
	dir     string
	command func() *exec.Cmd
	running *exec.Cmd
	letters int
	cert    tls.Certificate
}

// Start starts a server, with more lines for its configuration; it ends with the
// test. Without dovecot the test is skipped, and fails in CI.
func Start(t testing.TB, more ...string) *Server {
	t.Helper()
	const path = "/usr/sbin/dovecot"
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("dovecot-imapd is not installed")
		}
		t.Skip("dovecot-imapd is not installed")
	}
	dir, err := os.MkdirTemp("", "dovecot") //nolint:usetesting // another user must get in, and its sockets have short names
	s := &Server{t: t, Host: "127.0.0.1", dir: dir}
	s.check(err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s.Plain, s.TLS = s.port(), s.port()
	s.certify()
	uid, gid, name, group := os.Geteuid(), os.Getegid(), "nobody", "nogroup"
	if uid == 0 {
		uid, gid = 65534, 65534
	} else {
		me, err := user.Current()
		s.check(err)
		mine, err := user.LookupGroupId(strconv.Itoa(gid))
		s.check(err)
		name, group = me.Username, mine.Name
	}
	for _, folder := range []string{"run", "state", "home", "mail", "mail/cur", "mail/new", "mail/tmp"} {
		s.check(os.Mkdir(filepath.Join(dir, folder), 0o700))
	}
	s.write("users", fmt.Appendf(nil, "%s:%s\n", User, Password))
	s.write("config", fmt.Appendf(nil, config+strings.Join(more, "\n")+"\n", dir, name, group, uid, gid, s.Plain, s.TLS))
	if os.Geteuid() == 0 {
		s.check(filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil {
				return err
			}
			return os.Chown(path, uid, gid)
		}))
	}
	s.command = func() *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), path, "-F", "-c", filepath.Join(dir, "config"))
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if os.Geteuid() == 0 {
			cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid), Groups: []uint32{uint32(gid)}} //nolint:gosec // 65534
		}
		return cmd
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("dovecot: %s", log)
		}
	})
	s.Run()
	return s
}

// TLSConfig is for another server of the test, with the same certificate.
func (s *Server) TLSConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{s.cert}, MinVersion: tls.VersionTLS12}
}

// Run starts the server again after Stop.
func (s *Server) Run() {
	s.t.Helper()
	s.running = s.command()
	var out bytes.Buffer
	s.running.Stdout, s.running.Stderr = &out, &out
	s.check(s.running.Start())
	for end := time.Now().Add(20 * time.Second); ; {
		c, err := (&net.Dialer{}).DialContext(s.t.Context(), "tcp", net.JoinHostPort(s.Host, s.Plain))
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("dovecot does not listen: %s", out.String())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Stop ends the server as a machine does that loses its power.
func (s *Server) Stop() {
	if s.running != nil {
		_ = syscall.Kill(-s.running.Process.Pid, syscall.SIGKILL)
		_ = s.running.Wait()
		s.running = nil
	}
}

// Deliver puts a letter into the mailbox, as a mail server does: written aside,
// then renamed.
func (s *Server) Deliver(raw []byte) {
	s.t.Helper()
	s.letters++
	name := fmt.Sprintf("%d.%06d.test", time.Now().Unix(), s.letters)
	s.write("mail/tmp/"+name, raw)
	if os.Geteuid() == 0 {
		s.check(os.Chown(filepath.Join(s.dir, "mail/tmp", name), 65534, 65534))
	}
	s.check(os.Rename(filepath.Join(s.dir, "mail/tmp", name), filepath.Join(s.dir, "mail/new", name)))
}

// Seen counts the letters of the inbox that are marked as read.
func (s *Server) Seen() int {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, "mail/cur/*:2,*S*"))
	s.check(err)
	letters := map[string]bool{} // a file that is renamed meanwhile may be listed by both names
	for _, path := range found {
		name, _, _ := strings.Cut(filepath.Base(path), ":")
		letters[name] = true
	}
	return len(letters)
}

// Folder makes a folder beside the inbox.
func (s *Server) Folder(name string) {
	s.t.Helper()
	for _, sub := range []string{"", "/cur", "/new", "/tmp"} {
		path := filepath.Join(s.dir, "mail", "."+name+sub)
		s.check(os.Mkdir(path, 0o700))
		if os.Geteuid() == 0 {
			s.check(os.Chown(path, 65534, 65534))
		}
	}
}

// In counts the letters of a folder, "" for the inbox.
func (s *Server) In(name string) int {
	s.t.Helper()
	if name != "" {
		name = "." + name
	}
	n := 0
	for _, sub := range []string{"cur", "new"} {
		found, err := os.ReadDir(filepath.Join(s.dir, "mail", name, sub))
		s.check(err)
		n += len(found)
	}
	return n
}

// Renumber makes the inbox forget the numbers it gave its letters.
func (s *Server) Renumber() {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, "mail/dovecot*"))
	s.check(err)
	for _, path := range found {
		s.check(os.Remove(path))
	}
}

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) write(name string, content []byte) {
	s.t.Helper()
	s.check(os.WriteFile(filepath.Join(s.dir, name), content, 0o600))
}

func (s *Server) port() string {
	s.t.Helper()
	l, err := (&net.ListenConfig{}).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
	s.check(err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	s.check(err)
	s.check(l.Close())
	return port
}

// certify makes a certificate of 127.0.0.1 that signs itself.
func (s *Server) certify() {
	s.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	s.check(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "dovecot of a test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	s.check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	s.check(err)
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	secret := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})
	s.write("cert.pem", cert)
	s.write("key.pem", secret)
	s.Roots, s.RootsFile = x509.NewCertPool(), filepath.Join(s.dir, "cert.pem")
	s.Roots.AppendCertsFromPEM(cert)
	s.cert, err = tls.X509KeyPair(cert, secret)
	s.check(err)
}

// Damage makes the letter with a text unreadable for the server.
func (s *Server) Damage(text string) {
	s.t.Helper()
	found, err := filepath.Glob(filepath.Join(s.dir, "mail/*/*.test*"))
	s.check(err)
	for _, path := range found {
		raw, err := os.ReadFile(path)
		s.check(err)
		if strings.Contains(string(raw), text) {
			s.check(os.Chmod(path, 0))
			return
		}
	}
	s.t.Fatalf("no letter says %q", text)
}
