package channels_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

func TestTheDialerReachesPublicAddressesOnly(t *testing.T) {
	t.Parallel()
	d := channels.NewDialer(false)
	for address, refused := range map[string]bool{
		"127.0.0.1:80": true, "10.0.0.1:80": true, "172.16.9.9:80": true, "192.168.1.1:80": true, "169.254.169.254:80": true, "100.64.0.1:80": true,
		"0.0.0.0:80": true, "255.255.255.255:80": true, "224.0.0.1:80": true, "[::1]:80": true, "[fe80::1]:80": true, "[fd00::1]:80": true, "[::]:80": true,
		"[::ffff:127.0.0.1]:80": true, "[::ffff:10.1.1.1]:80": true, "[64:ff9b::7f00:1]:80": true, "[2002:7f00:1::]:80": true, "no port": true,
		"93.184.215.14:443": false, "[2606:4700::1111]:443": false, "172.32.0.1:80": false,
	} {
		err := d.Control("tcp", address, nil)
		require.Equal(t, refused, err != nil, "%s: %v", address, err)
	}
	require.Nil(t, channels.NewDialer(true).Control)

	// The name is resolved first and what it resolved to is looked at, so that
	// a name of a private address is refused too.
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	_, err = d.DialContext(t.Context(), "tcp", "localhost:"+port)
	require.ErrorIs(t, err, channels.ErrPrivate)
	c, err := channels.NewDialer(true).DialContext(t.Context(), "tcp", "localhost:"+port)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestTheHTTPClientFollowsNoRedirectAndReadsNoMoreThanItMay(t *testing.T) {
	t.Parallel()
	var hits int
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits++
		w.Header().Set("Location", "/next")
		w.WriteHeader(http.StatusTemporaryRedirect)
		_, _ = w.Write([]byte(strings.Repeat("x", 1000)))
	}))
	defer srv.Close()
	c := channels.Narrow(channels.NewHTTPClient(true), 10)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL, strings.NewReader("{}"))
	require.NoError(t, err)
	resp, err := c.Do(req)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Len(t, body, 10)
	require.Equal(t, http.StatusTemporaryRedirect, resp.StatusCode)
	require.Equal(t, 1, hits)
	require.LessOrEqual(t, c.Timeout, 10*time.Second)
}

func TestATripTellsWhetherARequestCanHaveLeft(t *testing.T) {
	t.Parallel()
	var trip channels.Trip
	f := trip.Failure(errors.New("no such host"))
	require.Equal(t, channels.NotSent, f.Class)
	require.False(t, f.MaybeSent())
	f = trip.Failure(context.DeadlineExceeded)
	require.Equal(t, channels.NotSent, f.Class)
	require.ErrorContains(t, f, "in time")
}

func TestRedactFindsSecretsInEveryForm(t *testing.T) {
	t.Parallel()
	secrets := map[string]campaign.Secret{"password": "p&ss word/1", "empty": ""}
	got := channels.Redact("p&ss word/1 cCZzcyB3b3JkLzE= p%26ss+word%2F1 p&ss%20word%2F1 and\r\nmore", secrets)
	require.Equal(t, "[secret] [secret] [secret] [secret] and more", got)
	require.LessOrEqual(t, len(channels.Redact(strings.Repeat("ü", 1000), nil)), 310)
}

func TestPlainTextOfHTML(t *testing.T) {
	t.Parallel()
	for html, want := range map[string]string{
		"Hello": "Hello",
		"<html><head><title>No</title><style>p{}</style></head><body><h1>Hi</h1><p>One\n  two</p><p>Three<br>four</p></body></html>": "Hi\n\nOne two\n\nThree\nfour",
		"<ul><li>a</li><li>b &lt; c</li></ul>":                                    "- a\n- b < c",
		`<a href="https://x.example/1">https://x.example/1</a>`:                   "https://x.example/1",
		`Pay <a href="https://x.example/1"><b>here</b></a>.`:                      "Pay here (https://x.example/1).",
		`<script>alert("<p>no</p>")</script><img alt="Logo" src="x"><div>y</div>`: "Logo\ny",
		"<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>":         "a b\n\nc",
		"broken <p": "broken",
	} {
		require.Equal(t, want, channels.PlainText(html), html)
	}
}

func TestHostsAndPortsAreChecked(t *testing.T) {
	t.Parallel()
	r := channels.NewRegistry(described{})
	for _, tc := range []struct {
		name, value string
		ok          bool
	}{
		{"host", "smtp.example.com", true},
		{"host", "8.8.8.8", true},
		{"host", "localhost", false},
		{"host", "192.168.0.1", false},
		{"host", "a b", false},
		{"host", "x.local", false},
		{"host", "-x", false},
		{"port", "587", true},
		{"port", "0", false},
		{"port", "65536", false},
		{"port", "+25", false},
	} {
		err := r.Validate(campaign.Integration{Provider: "described", Settings: map[string]string{tc.name: tc.value}}, nil)
		require.Equal(t, tc.ok, err == nil, "%s %q: %v", tc.name, tc.value, err)
	}
}

type described struct{}

func (described) Describe() channels.Description {
	return channels.Description{Provider: "described", Settings: []channels.Field{{Name: "host", Kind: channels.KindHost}, {Name: "port", Kind: channels.KindPort}}}
}

func (described) Open(campaign.Integration, channels.Deps) (channels.Sender, error) { return nil, nil }
