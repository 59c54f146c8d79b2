package smtp_test

import (
	"bytes"
	"fmt"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/smtp"
)

// eximConfig is a mail server that takes mail for one mailbox, and asks for a
// password. It runs without any privilege.
const eximConfig = `
spool_directory = %[1]s/spool
log_file_path = %[1]s/log-%%s
pid_file_path = %[1]s/pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = %[2]s
primary_hostname = mx.example
deliver_drop_privilege
admin_groups = %[5]d
exim_user = %[4]d
exim_group = %[5]d
tls_advertise_hosts =
acl_smtp_rcpt = rcpt
rfc1413_query_timeout = 0s
host_lookup =
keep_environment =
begin acl
rcpt:
  require authenticated = *
  accept  local_parts = ada
          domains = people.example
  deny    domains = people.example
          message = no such mailbox
  deny    message = relay not permitted
begin routers
mailbox:
  driver = accept
  transport = file
begin transports
file:
  driver = appendfile
  file = %[1]s/mailbox
begin authenticators
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{anna}{%[3]s}fail}
  server_set_id = $auth1
`

// exim starts Debian's mail server and returns its port and its mailbox.
func exim(t *testing.T) (port, mailbox string) {
	t.Helper()
	path := "/usr/sbin/exim4"
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("exim4-daemon-light is not installed")
		}
		t.Skip("exim4-daemon-light is not installed")
	}
	dir, err := os.MkdirTemp("", "exim") //nolint:usetesting // another user must get in
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	const nobody = 65534
	uid, gid := os.Geteuid(), os.Getegid()
	if uid == 0 { // exim delivers nothing as root
		uid, gid = nobody, nobody
	}
	config := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, eximConfig, dir, port, password, uid, gid), 0o644))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "spool"), 0o755))
	cmd := exec.Command(path, "-C", config, "-bdf", "-q1h")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{nobody}}
		for _, p := range []string{dir, filepath.Join(dir, "spool")} {
			require.NoError(t, os.Chown(p, nobody, nobody))
		}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log-main"))
			t.Logf("exim: %s\n%s", out.String(), log)
		}
	})
	require.Eventually(t, func() bool {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+port)
		if err != nil {
			return false
		}
		return c.Close() == nil
	}, 20*time.Second, 20*time.Millisecond, "exim listens")
	return port, filepath.Join(dir, "mailbox")
}

// A mail server that is not ours: what we send is found in the mailbox, and
// what it refuses has the class it should.
func TestARealMailServerDeliversOurMail(t *testing.T) {
	t.Parallel()
	port, mailbox := exim(t)
	i := campaign.Integration{Provider: smtp.Name, Settings: map[string]string{
		"host": "127.0.0.1", "port": port, "security": smtp.SecurityNone, "username": "anna", "from_email": "anna@collect.example", "from_name": "Anna",
	}}
	s := open(t, smtp.Provider{}, i, password)
	text, err := s.(channels.Verifier).Verify(t.Context())
	require.NoError(t, err)
	require.Contains(t, text, "accepts the user and the password")
	m := message(1)
	m.To, m.Subject, m.Body = "ada@people.example", "Grüße", "Hello\n.\nGrüße"
	receipt, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	var kept []byte
	require.Eventually(t, func() bool {
		kept, _ = os.ReadFile(mailbox)
		return strings.Contains(string(kept), "Hello")
	}, 20*time.Second, 20*time.Millisecond, "the message is in the mailbox")
	_, kept, _ = bytes.Cut(kept, []byte("\n")) // the line From of a mailbox
	found, err := mail.ReadMessage(bytes.NewReader(kept))
	require.NoError(t, err)
	require.Equal(t, receipt.ProviderMessageID, found.Header.Get("Message-ID"))
	require.Equal(t, 1, bytes.Count(kept, []byte("Message-ID")))

	m.To = "bob@people.example"
	_, err = s.Send(t.Context(), m)
	require.Equal(t, channels.Recipient, channels.Classify(err).Class, "%v", err)
	m.To = "ada@elsewhere.example"
	_, err = s.Send(t.Context(), m)
	require.Equal(t, channels.Config, channels.Classify(err).Class, "%v", err)
	_, err = open(t, smtp.Provider{}, i, "another password").(channels.Verifier).Verify(t.Context())
	require.Equal(t, channels.Config, channels.Classify(err).Class, "%v", err)
	require.ErrorContains(t, err, "535")
}
