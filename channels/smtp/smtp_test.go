package smtp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/smtp"
	"carillon/channels/smtp/smtptest"
)

const password = "a-password-nobody-sees"

func integration(fake *smtptest.Server, security string) campaign.Integration {
	return campaign.Integration{Name: "Post", Provider: smtp.Name, Settings: map[string]string{
		"host": fake.Host, "port": fake.Port, "security": security, "from_email": "anna@collect.example", "from_name": `Anna "the Ü" Schmidt`,
	}}
}

func open(t *testing.T, p smtp.Provider, i campaign.Integration, secret campaign.Secret) channels.Sender {
	t.Helper()
	s, err := p.Open(i, channels.Deps{
		Dial: channeltest.LocalOnly().DialContext, Secrets: map[string]campaign.Secret{"password": secret},
		Now: func() time.Time { return time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC) },
	})
	require.NoError(t, err)
	return s
}

func plain(t *testing.T) (*smtptest.Server, channels.Sender) {
	t.Helper()
	fake := smtptest.New(t, smtptest.Options{})
	return fake, open(t, smtp.Provider{}, integration(fake, smtp.SecurityNone), "")
}

func message(n int) channels.Outbound { return channeltest.Outbound(campaign.Email, n) }

func TestSMTPIsAProvider(t *testing.T) {
	t.Parallel()
	config, roots := certificate(t)
	for _, security := range []string{smtp.SecurityStartTLS, smtp.SecurityTLS} {
		t.Run(security, func(t *testing.T) {
			t.Parallel()
			fake := smtptest.New(t, smtptest.Options{User: "anna", Password: password, TLS: config, Implicit: security == smtp.SecurityTLS})
			i := integration(fake, security)
			i.Settings["username"] = "anna"
			channeltest.Run(t, channeltest.Spec{Provider: smtp.Provider{Roots: roots}, Integration: i, Secrets: map[string]campaign.Secret{"password": password}})
		})
	}
}

func TestAMessageArrivesWhole(t *testing.T) {
	t.Parallel()
	fake, s := plain(t)
	m := message(1)
	m.Subject, m.HTML, m.UnsubscribeURL = "Ihre Rechnung über 12 €", true, "https://carillon.example/u/tok"
	m.Body = "<p>Guten Tag</p><p>.</p>\n.\n" + strings.Repeat("ü", 3000)
	m.Reply, m.Opening = true, "ct_1-1#2"
	receipt, err := s.Send(t.Context(), m)
	require.NoError(t, err)
	require.Equal(t, "<key-email-1@collect.example>", receipt.ProviderMessageID)
	got := fake.Accepted()
	require.Len(t, got, 1)
	require.Equal(t, "anna@collect.example", got[0].From)
	require.Equal(t, []string{"ada@example.com"}, got[0].To)
	parsed, err := got[0].Parsed()
	require.NoError(t, err)
	for name, want := range map[string]string{
		"Message-ID": "<key-email-1@collect.example>", "References": "<ct_1-1#2@collect.example>", "In-Reply-To": "<ct_1-1#2@collect.example>",
		"List-Unsubscribe": "<https://carillon.example/u/tok>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
		"To": "<ada@example.com>", "Date": "Tue, 01 Dec 2026 09:00:00 +0000", "Subject": m.Subject, "User-Agent": "",
	} {
		text, err := new(mime.WordDecoder).DecodeHeader(parsed.Header.Get(name))
		require.NoError(t, err)
		require.Equal(t, want, text, name)
	}
	from, err := parsed.Header.AddressList("From")
	require.NoError(t, err)
	require.Equal(t, `Anna "the Ü" Schmidt`, from[0].Name)
	kind, params, err := mime.ParseMediaType(parsed.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/alternative", kind)
	parts := multipart.NewReader(parsed.Body, params["boundary"])
	for _, want := range []string{channels.PlainText(m.Body), m.Body} {
		part, err := parts.NextRawPart()
		require.NoError(t, err)
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		require.NoError(t, err)
		require.Equal(t, want, strings.ReplaceAll(string(text), "\r\n", "\n"))
	}
}

func TestAnswersHaveTheirClass(t *testing.T) {
	t.Parallel()
	fake, s := plain(t)
	for n, tc := range []struct {
		fault smtptest.Fault
		want  channels.Class
	}{
		{smtptest.Fault{At: "mail", Code: 421, Text: "too many connections"}, channels.Throttled},
		{smtptest.Fault{At: "mail", Code: 451, Text: "try again"}, channels.Retryable},
		{smtptest.Fault{At: "mail", Code: 530, Text: "authenticate first"}, channels.Config},
		{smtptest.Fault{At: "mail", Code: 550, Text: "no such sender"}, channels.Config},
		{smtptest.Fault{At: "mail", Code: 552, Text: "too big"}, channels.Invalid},
		{smtptest.Fault{At: "mail", Code: 553, Text: "not your address"}, channels.Config},
		{smtptest.Fault{At: "rcpt", Code: 450, Enhanced: [3]int{4, 7, 1}, Text: "greylisted"}, channels.Throttled},
		{smtptest.Fault{At: "rcpt", Code: 450, Text: "mailbox busy"}, channels.Retryable},
		{smtptest.Fault{At: "rcpt", Code: 452, Enhanced: [3]int{4, 2, 2}, Text: "mailbox full"}, channels.Retryable},
		{smtptest.Fault{At: "rcpt", Code: 550, Text: "no such user"}, channels.Recipient},
		{smtptest.Fault{At: "rcpt", Code: 550, Enhanced: [3]int{5, 1, 1}, Text: "no such user"}, channels.Recipient},
		{smtptest.Fault{At: "rcpt", Code: 553, Text: "not allowed"}, channels.Recipient},
		{smtptest.Fault{At: "rcpt", Code: 554, Enhanced: [3]int{5, 7, 1}, Text: "Relay access denied"}, channels.Config},
		{smtptest.Fault{At: "rcpt", Code: 550, Enhanced: [3]int{5, 7, 1}, Text: "not from you"}, channels.Policy},
		{smtptest.Fault{At: "rcpt", Code: 552, Enhanced: [3]int{5, 2, 2}, Text: "mailbox full"}, channels.Policy},
		{smtptest.Fault{At: "rcpt", Code: 554, Text: "no"}, channels.Policy},
		{smtptest.Fault{At: "data", Code: 421, Text: "shutting down"}, channels.Throttled},
		{smtptest.Fault{At: "data", Code: 451, Text: "local error"}, channels.Retryable},
		{smtptest.Fault{At: "data", Code: 550, Enhanced: [3]int{5, 1, 1}, Text: "no such user"}, channels.Recipient},
		{smtptest.Fault{At: "data", Code: 550, Text: "spam"}, channels.Policy},
		{smtptest.Fault{At: "data", Code: 552, Text: "too big"}, channels.Invalid},
		{smtptest.Fault{At: "data", Code: 554, Text: "spam"}, channels.Policy},
		{smtptest.Fault{At: "data", Code: 500, Text: "line too long"}, channels.Invalid},
		{smtptest.Fault{At: "mail", Drop: true}, channels.NotSent},
		{smtptest.Fault{At: "rcpt", Drop: true}, channels.NotSent},
	} {
		fake.Fail(tc.fault)
		_, err := s.Send(t.Context(), message(n))
		f := channels.Classify(err)
		require.Equal(t, tc.want, f.Class, "%+v: %v", tc.fault, err)
		require.Contains(t, f.Error(), tc.fault.Text)
		if tc.fault.Code != 0 {
			require.True(t, strings.HasPrefix(f.Code, fmt.Sprint(tc.fault.Code)), f.Code)
		}
	}
	fake.Fail(smtptest.Fault{At: "cut"})
	long := message(99)
	long.Body = strings.Repeat("x", 8<<20) // more than the connection takes in one go
	_, err := s.Send(t.Context(), long)
	require.Equal(t, channels.NotSent, channels.Classify(err).Class, "the end of the message was not sent: %v", err)
	require.Empty(t, fake.Accepted())
	for code := 400; code < 600; code++ {
		for _, at := range []string{"mail", "rcpt", "data"} {
			fake.Fail(smtptest.Fault{At: at, Code: code, Text: "no"})
			_, err := s.Send(t.Context(), message(code))
			class := channels.Classify(err).Class
			require.NotContains(t, []channels.Class{channels.Unclassified, channels.Unknown, channels.NotSent}, class, "%d at %s: %v", code, at, err)
			require.Equal(t, code < 500, class.Retry(), "%d at %s", code, at)
		}
	}
	require.Empty(t, fake.Accepted())
}

func TestAcceptThenDropIsUnknownAndSentOnce(t *testing.T) {
	t.Parallel()
	fake, s := plain(t)
	fake.Fail(smtptest.Fault{At: "data", Drop: true})
	_, err := s.Send(t.Context(), message(1))
	require.Equal(t, channels.Unknown, channels.Classify(err).Class, "%v", err)
	require.Len(t, fake.Accepted(), 1)
	require.Equal(t, 1, fake.Connections())

	fake.Fail(smtptest.Fault{At: "data", Hold: true})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = s.Send(ctx, message(2))
	require.Equal(t, channels.Unknown, channels.Classify(err).Class, "%v", err)

	fake.Fail(smtptest.Fault{At: "data", Slow: 20 * time.Millisecond})
	_, err = s.Send(t.Context(), message(4))
	require.NoError(t, err, "slow is not lost")

	fake.Fail(smtptest.Fault{At: "rcpt", Hold: true})
	ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = s.Send(ctx, message(3))
	require.Equal(t, channels.NotSent, channels.Classify(err).Class, "the context ends it before anything was sent: %v", err)
	require.Len(t, fake.Accepted(), 3)
}

func TestNothingLeavesWithoutAServerOrAPassword(t *testing.T) {
	t.Parallel()
	config, roots := certificate(t)
	withPassword := smtptest.New(t, smtptest.Options{User: "anna", Password: password, TLS: config})
	without := smtptest.New(t, smtptest.Options{})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	for _, tc := range []struct {
		name     string
		server   *smtptest.Server
		security string
		settings map[string]string
		roots    *x509.CertPool
		want     channels.Class
		says     string
	}{
		{"a wrong password", withPassword, smtp.SecurityStartTLS, map[string]string{"username": "anna"}, roots, channels.Config, "535"},
		{"no password where one is asked", withPassword, smtp.SecurityStartTLS, nil, roots, channels.Config, "502"},
		{"a certificate nobody knows", withPassword, smtp.SecurityStartTLS, nil, nil, channels.NotSent, "certificate"},
		{"a server without STARTTLS", without, smtp.SecurityStartTLS, nil, roots, channels.Config, "STARTTLS"},
		{"a password in the clear", without, smtp.SecurityNone, map[string]string{"username": "anna"}, nil, channels.Config, "does not support SMTP AUTH"},
		{"no TLS where it is spoken at once", without, smtp.SecurityTLS, nil, roots, channels.NotSent, ""},
		{"a closed port", without, smtp.SecurityNone, map[string]string{"port": port}, nil, channels.NotSent, "refused"},
		{"a name that does not exist", without, smtp.SecurityNone, map[string]string{"host": "nowhere.invalid"}, nil, channels.NotSent, ""},
	} {
		i := integration(tc.server, tc.security)
		for k, v := range tc.settings {
			i.Settings[k] = v
		}
		secret := campaign.Secret("wrong-" + password)
		s := open(t, smtp.Provider{Roots: tc.roots}, i, secret)
		_, err := s.Send(t.Context(), message(1))
		f := channels.Classify(err)
		require.Equal(t, tc.want, f.Class, "%s: %v", tc.name, err)
		require.ErrorContains(t, err, tc.says, tc.name)
		for _, form := range []string{"%v", "%+v", "%#v"} {
			if strings.Contains(fmt.Sprintf(form, err)+fmt.Sprintf(form, f)+fmt.Sprintf(form, s), password) {
				t.Errorf("%s: the password is shown", tc.name)
			}
		}
	}
	private, err := smtp.Provider{}.Open(integration(without, smtp.SecurityNone), channels.Deps{})
	require.NoError(t, err)
	_, err = private.Send(t.Context(), message(1))
	require.Equal(t, channels.Config, channels.Classify(err).Class)
	require.ErrorContains(t, err, "CARILLON_ALLOW_PRIVATE_URLS")
	require.Empty(t, without.Accepted())
	require.Empty(t, withPassword.Accepted())

	long := message(1)
	long.Body = strings.Repeat("x", 10<<20+1)
	_, err = private.Send(t.Context(), long)
	require.Equal(t, channels.Invalid, channels.Classify(err).Class)
	i := integration(without, smtp.SecurityNone)
	i.Settings["username"] = "anna"
	_, err = smtp.Provider{}.Open(i, channels.Deps{})
	require.ErrorContains(t, err, "no secret password")
}

// certificate makes a certificate of 127.0.0.1 and who trusts it.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	require.NoError(t, err)
	parsed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}
