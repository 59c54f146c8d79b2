package egress_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/strategies/egress"
)

// book keeps what was logged.
type book struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *book) Write(p []byte) (int, error) { b.mu.Lock(); defer b.mu.Unlock(); return b.buf.Write(p) }

func (b *book) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.buf.String() }

// house is a proxy with what its campaigns may call.
type house struct {
	t *testing.T
	*egress.Proxy
	log   *book
	mu    sync.Mutex
	hosts map[string][]string
}

func open(t *testing.T, change ...func(*egress.Options)) *house {
	t.Helper()
	h := &house{t: t, log: &book{}, hosts: map[string][]string{}}
	o := egress.Options{AllowPrivate: true, Log: slog.New(slog.NewTextHandler(h.log, nil)), Hosts: func(_ context.Context, id string) (campaign.Egress, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if id == "lost" {
			return campaign.Egress{}, errors.New("no such campaign")
		}
		return campaign.Egress{Hosts: h.hosts[id]}, nil
	}}
	for _, c := range change {
		c(&o)
	}
	var err error
	h.Proxy, err = egress.Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(h.Close)
	return h
}

// allow lists hosts for a campaign.
func (h *house) allow(campaignID string, hosts ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hosts[campaignID] = hosts
}

// client calls through the proxy as a process of the campaign.
func (h *house) client(campaignID string, trust *httptest.Server) *http.Client {
	proxy, revoke := h.Admit(campaignID)
	h.t.Cleanup(revoke)
	u, err := url.Parse(proxy)
	require.NoError(h.t, err)
	tr := &http.Transport{Proxy: http.ProxyURL(u), TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}}
	if trust != nil && trust.TLS != nil {
		tr.TLSClientConfig.RootCAs = trust.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	}
	h.t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// raw sends bytes to the proxy and returns the status line of its answer, or "" if it hangs up.
func (h *house) raw(text string) string {
	h.t.Helper()
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", h.Port()))
	require.NoError(h.t, err)
	defer func() { _ = c.Close() }()
	require.NoError(h.t, c.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = io.WriteString(c, text)
	require.NoError(h.t, err)
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line)
}

// credentials is the header that says who calls.
func (h *house) credentials(campaignID string) string {
	proxy, revoke := h.Admit(campaignID)
	h.t.Cleanup(revoke)
	u, err := url.Parse(proxy)
	require.NoError(h.t, err)
	r := &http.Request{Header: http.Header{}}
	password, _ := u.User.Password()
	r.SetBasicAuth(u.User.Username(), password)
	return "Proxy-Authorization: " + r.Header.Get("Authorization") + "\r\n"
}

func fake(t *testing.T, secure bool, h http.HandlerFunc) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	if secure {
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s, s.Listener.Addr().String()
}

func answer(t *testing.T, c *http.Client, address string) (int, string) {
	t.Helper()
	resp, err := c.Get(address)
	require.NoError(t, err)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(b)
}

// fails returns the error of a call that gets no answer.
func fails(c *http.Client, address string) error {
	resp, err := c.Get(address)
	if err == nil {
		_ = resp.Body.Close()
	}
	return err
}

func TestAListedHostIsReachedBothWays(t *testing.T) {
	t.Parallel()
	p := open(t)
	for _, secure := range []bool{false, true} {
		var seen http.Header
		var host string
		server, address := fake(t, secure, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			seen, host = r.Header, r.Host
			w.Header().Set("Proxy-Authenticate", "Basic")
			w.Header().Set("X-End", "1")
			_, _ = w.Write(append([]byte("said "), b...))
		})
		p.allow("one", address)
		req, err := http.NewRequest(http.MethodPost, server.URL+"/secret-path?token=secret-query", strings.NewReader("hello"))
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer s3cret")
		req.Header.Set("Connection", "X-Mine")
		req.Header.Set("X-Mine", "1")
		resp, err := p.client("one", server).Do(req)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, "said hello", string(b))
		require.Equal(t, "Bearer s3cret", seen.Get("Authorization"))
		require.Equal(t, address, host)
		if !secure {
			require.Empty(t, seen.Get("Proxy-Authorization"), "the password is for us")
			require.Empty(t, seen.Get("X-Mine"))
			require.Empty(t, resp.Header.Get("Proxy-Authenticate"))
		}
		require.Equal(t, "1", resp.Header.Get("X-End"))
	}
	p.Close() // tunnels are logged at their end
	said := p.log.String()
	require.Equal(t, 2, strings.Count(said, "strategy called a host"))
	require.Contains(t, said, "campaign_id=one")
	require.Contains(t, said, "method=POST status=200 sent=5 received=10")
	require.Contains(t, said, "method=CONNECT status=200")
	require.NotContains(t, said, "secret", "neither the path nor the query nor a header")
}

func TestOtherHostsAndOtherCampaignsAreRefused(t *testing.T) {
	t.Parallel()
	p := open(t)
	server, address := fake(t, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("in")) })
	secure, secured := fake(t, true, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("in")) })
	p.allow("one", address, secured)
	p.allow("two", "api.crm.example:443")
	status, text := answer(t, p.client("one", nil), server.URL)
	require.Equal(t, "200 in", fmt.Sprint(status, " ", text))
	status, text = answer(t, p.client("two", nil), server.URL)
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, "egress: "+address+" is not in the campaign's egress.hosts\n", text)
	require.ErrorContains(t, fails(p.client("two", secure), secure.URL), "egress: "+secured+" is not in the campaign's egress.hosts")
	p.allow("two", address)
	status, _ = answer(t, p.client("two", nil), server.URL)
	require.Equal(t, http.StatusOK, status, "the list counts as it is now")
	status, text = answer(t, p.client("lost", nil), server.URL)
	require.Equal(t, http.StatusServiceUnavailable, status)
	require.Contains(t, text, "cannot be read")
}

func TestCredentialsAreNeededAndEnd(t *testing.T) {
	t.Parallel()
	p := open(t)
	_, address := fake(t, false, func(http.ResponseWriter, *http.Request) {})
	p.allow("one", address)
	get := "GET http://" + address + "/ HTTP/1.1\r\nHost: " + address + "\r\n"
	const unknown = "HTTP/1.1 407 egress: no credentials"
	good := p.credentials("one")
	require.Contains(t, p.raw(get+good+"\r\n"), "200")
	require.Contains(t, p.raw(get+"\r\n"), unknown)
	require.Contains(t, p.raw(get+good+good+"\r\n"), unknown, "twice is ambiguous")
	require.Contains(t, p.raw(get+"Proxy-Authorization: Basic c3RyYXRlZ3k6b25l\r\n\r\n"), unknown)
	require.Contains(t, p.raw(get+"Proxy-Authorization: Bearer x\r\n\r\n"), unknown)
	require.Contains(t, p.raw("CONNECT "+address+" HTTP/1.1\r\nHost: "+address+"\r\n\r\n"), unknown)
	require.Contains(t, p.raw("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n"), unknown)
	proxy, revoke := p.Admit("one")
	u, err := url.Parse(proxy)
	require.NoError(t, err)
	revoke()
	require.ErrorContains(t, fails(&http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(u)}}, "https://"+address), "no credentials")
	other, _ := p.Admit("one")
	require.NotEqual(t, proxy, other, "each process has its own")
}

// What may be sent to a proxy to get past it. Whatever it answers, the host behind it is not reached.
func TestTricks(t *testing.T) {
	t.Parallel()
	p := open(t)
	reached := make(chan string, 100)
	_, address := fake(t, false, func(_ http.ResponseWriter, r *http.Request) {
		reached <- r.Host + r.URL.Path + " " + r.Header.Get("X-Smuggled")
	})
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	p.allow("one", "api.crm.example:"+port)
	auth := p.credentials("one")
	for name, request := range map[string]string{
		"an address":              "CONNECT 127.0.0.1:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a decimal address":       "CONNECT 2130706433:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a short address":         "CONNECT 127.1:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a hexadecimal address":   "CONNECT 0x7f000001:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a mapped address":        "CONNECT [::ffff:127.0.0.1]:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"the other loopback":      "CONNECT [::1]:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a user":                  "CONNECT api.crm.example:443@127.0.0.1:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a user in a URL":         "GET http://api.crm.example@127.0.0.1:%s/ HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a user with a backslash": "GET http://127.0.0.1:%s\\@api.crm.example/ HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a zero byte":             "CONNECT api.crm.example\x00.127.0.0.1:%s HTTP/1.1\r\nHost: api.crm.example\r\n",
		"an encoded host":         "GET http://127%%2e0.0.1:%s/ HTTP/1.1\r\nHost: api.crm.example\r\n",
		"another host's URL":      "GET http://127.0.0.1:%s/ HTTP/1.1\r\nHost: api.crm.example\r\n",
		"a path only":             "GET / HTTP/1.1\r\nHost: 127.0.0.1:%s\r\n",
		"a listed host header":    "GET /x HTTP/1.1\r\nHost: api.crm.example:%s\r\n",
		"another scheme":          "GET ftp://api.crm.example:%s/ HTTP/1.1\r\nHost: api.crm.example\r\n",
		"https without CONNECT":   "GET https://api.crm.example:%s/ HTTP/1.1\r\nHost: api.crm.example\r\n",
		"no port":                 "CONNECT api.crm.example HTTP/1.1\r\nX: %s\r\nHost: api.crm.example\r\n",
		"port nought":             "CONNECT api.crm.example:0 HTTP/1.1\r\nX: %s\r\nHost: api.crm.example\r\n",
		"a large port":            "CONNECT api.crm.example:65979 HTTP/1.1\r\nX: %s\r\nHost: api.crm.example\r\n",
		"two hosts":               "GET http://api.crm.example/ HTTP/1.1\r\nX: %s\r\nHost: a\r\nHost: b\r\n",
		"two lengths":             "POST http://api.crm.example:%s/ HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n",
		"an odd encoding":         "POST http://api.crm.example:%s/ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, x\r\n",
		"a folded header":         "GET http://127.0.0.1:%s/ HTTP/1.1\r\nHost: a\r\n folded: b\r\n",
		"a header with a space":   "GET http://127.0.0.1:%s/ HTTP/1.1\r\nHost: a\r\nA B: c\r\n",
		"a large header":          "GET http://127.0.0.1:%s/ HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 100<<10) + "\r\n",
		"many headers":            "GET http://127.0.0.1:%s/ HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X: y\r\n", 30_000),
		"another protocol":        "PRI * HTTP/2.0\r\nX: %s\r\n",
	} {
		got := p.raw(fmt.Sprintf(request, port) + auth + "\r\n")
		require.NotContains(t, got, " 200", name)
	}
	require.Empty(t, reached)

	// A body that is two requests for a careless reader is one for us.
	p.allow("one", address)
	smuggled := "GET /inner HTTP/1.1\r\nHost: x\r\nX-Smuggled: yes\r\n\r\n"
	got := p.raw("POST http://" + address + "/outer HTTP/1.1\r\nHost: elsewhere\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n" + auth +
		"\r\n0\r\n\r\n" + smuggled)
	require.Contains(t, got, " 200")
	require.Equal(t, address+"/outer ", <-reached, "the URL's host, whatever Host says")
	require.Empty(t, reached)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	hold, held := make(chan struct{}), make(chan struct{})
	serve := func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/hold":
			held <- struct{}{}
			<-hold
		case "/large":
			w.Header().Set("Content-Length", "2000")
			_, _ = w.Write(make([]byte, 2000))
		case "/long":
			for range 20 {
				_, _ = w.Write(make([]byte, 100))
				_ = http.NewResponseController(w).Flush()
			}
		case "/headers":
			w.Header().Set("X", strings.Repeat("x", 100<<10))
		default:
			_, _ = io.Copy(io.Discard, r.Body)
		}
	}
	p := open(t, func(o *egress.Options) { o.SentBytes, o.ReceivedBytes, o.Connections = 1000, 1000, 4 })
	server, address := fake(t, false, serve)
	p.allow("one", address)
	p.allow("two", address)
	c := p.client("one", nil)
	says := func(method, path string, body io.Reader) string {
		req, err := http.NewRequest(method, server.URL+path, body)
		require.NoError(t, err)
		resp, err := c.Do(req)
		if err != nil {
			return err.Error()
		}
		defer func() { _ = resp.Body.Close() }()
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprint(resp.StatusCode, " ", string(b), err)
	}
	require.Contains(t, says("POST", "/", bytes.NewReader(make([]byte, 2000))), "413 egress: more than 1000 bytes sent")
	require.Contains(t, says("POST", "/", io.LimitReader(zeros{}, 2000)), "413 egress: more than 1000 bytes sent", "also without a length")
	require.Contains(t, says("GET", "/large", nil), "502 egress: "+address+" answers with more than 1000 bytes")
	require.Contains(t, says("GET", "/long", nil), "unexpected EOF", "an answer is cut, and seen to be")
	require.Contains(t, says("GET", "/headers", nil), "502 egress: ")
	ended := make(chan string, 4)
	for range 4 {
		go func() {
			said := "429" // a call before may be counted until a moment after its answer
			for strings.HasPrefix(said, "429") {
				said = says("GET", "/hold", nil)
			}
			ended <- said
		}()
	}
	for range 4 {
		<-held
	}
	require.Contains(t, says("GET", "/", nil), "429 egress: 4 calls of this campaign")
	status, _ := answer(t, p.client("two", nil), server.URL)
	require.Equal(t, 200, status, "another campaign is not held up")
	close(hold)
	for range 4 {
		require.Equal(t, "200 <nil>", <-ended)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { return len(b), nil }

func TestATunnelHasLimitsToo(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *egress.Options) {
		o.SentBytes, o.ReceivedBytes, o.Idle, o.HeaderTimeout = 10_000, 10_000, 200*time.Millisecond, 300*time.Millisecond
	})
	server, address := fake(t, true, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/silent" {
			<-r.Context().Done()
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(make([]byte, 20_000))
	})
	p.allow("one", address)
	c := p.client("one", server)
	resp, err := c.Get(server.URL)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	require.Error(t, err)
	if resp, err = c.Post(server.URL, "", bytes.NewReader(make([]byte, 20_000))); err == nil {
		_ = resp.Body.Close()
	}
	require.Error(t, err)
	require.Error(t, fails(c, server.URL+"/silent"))
	require.Eventually(t, func() bool {
		said := p.log.String()
		return strings.Count(said, "more bytes than one tunnel may carry") == 2 && strings.Contains(said, "silent for too long")
	}, 5*time.Second, time.Millisecond)

	slow, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", p.Port()))
	require.NoError(t, err)
	defer func() { _ = slow.Close() }()
	_, err = io.WriteString(slow, "CONNECT "+address+" HTTP/1.1\r\nHost: x\r\n")
	require.NoError(t, err)
	require.NoError(t, slow.SetReadDeadline(time.Now().Add(10*time.Second)))
	_, err = io.ReadAll(slow)
	require.NoError(t, err, "whoever is slow with a header is hung up on")
}

func TestCloseEndsTunnels(t *testing.T) {
	t.Parallel()
	p := open(t)
	arrived := make(chan struct{})
	server, address := fake(t, true, func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
	})
	p.allow("one", address)
	c := p.client("one", server)
	failed := make(chan error, 1)
	go func() {
		failed <- fails(c, server.URL)
	}()
	<-arrived
	p.Close()
	require.Error(t, <-failed)
}
