// Package egress is the only way out of a strategy's sandbox: an HTTP proxy in
// our process, on a port of the loopback. It knows by the credentials which
// campaign calls, lets it reach the hosts of that campaign's egress and nothing
// else, refuses private addresses when it connects, bounds and logs every call.
// Why: docs/adr/0010-egress-proxy.md.
package egress

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"carillon/campaign"
)

// Options of a Proxy. Zero values of the limits are their defaults.
type Options struct {
	// Hosts says what a campaign may call at this moment; it is asked for every
	// call. An error refuses the call.
	Hosts func(ctx context.Context, campaignID string) (campaign.Egress, error)
	// AllowPrivate lets listed hosts be on private and loopback addresses.
	AllowPrivate bool
	Log          *slog.Logger  // nil is none
	Resolver     *net.Resolver // nil is the system's

	Connections   int           // of one campaign at once; 64
	SentBytes     int64         // in one request or tunnel; 16 MiB
	ReceivedBytes int64         // in one answer or tunnel; 64 MiB
	HeaderBytes   int           // of a request or an answer; 64 KiB
	HeaderTimeout time.Duration // for a request's header; 10 s
	DialTimeout   time.Duration // for a connection, the name's lookup included; 10 s
	Idle          time.Duration // without a byte either way; 60 s, which is more than a strategy may take
	Longest       time.Duration // of a request or tunnel; 5 min
}

func (o Options) withDefaults() Options {
	o.Connections = cmp.Or(o.Connections, 64)
	o.SentBytes = cmp.Or(o.SentBytes, 16<<20)
	o.ReceivedBytes = cmp.Or(o.ReceivedBytes, 64<<20)
	o.HeaderBytes = cmp.Or(o.HeaderBytes, 64<<10)
	o.HeaderTimeout = cmp.Or(o.HeaderTimeout, 10*time.Second)
	o.DialTimeout = cmp.Or(o.DialTimeout, 10*time.Second)
	o.Idle = cmp.Or(o.Idle, 60*time.Second)
	o.Longest = cmp.Or(o.Longest, 5*time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Resolver == nil {
		o.Resolver = net.DefaultResolver
	}
	return o
}

// Proxy serves the strategies of this process. It is safe for concurrent use.
type Proxy struct {
	options   Options
	listener  net.Listener
	server    *http.Server
	transport *http.Transport
	tunnels   sync.WaitGroup
	served    chan struct{}

	mu      sync.Mutex
	callers map[[sha256.Size]byte]string // digest of a password to its campaign
	busy    map[string]int               // calls under way, by campaign
	open    map[net.Conn]bool            // connections of tunnels
	closed  bool
}

// Open listens on a free port of the loopback and serves until Close.
func Open(ctx context.Context, o Options) (*Proxy, error) {
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the egress proxy: %w", err)
	}
	o = o.withDefaults()
	p := &Proxy{
		options: o, listener: l, served: make(chan struct{}),
		callers: map[[sha256.Size]byte]string{}, busy: map[string]int{}, open: map[net.Conn]bool{},
	}
	p.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return p.dial(ctx, network, address)
		},
		DisableKeepAlives:      true, // no request rides on a connection another one was admitted to
		DisableCompression:     true,
		MaxResponseHeaderBytes: int64(o.HeaderBytes),
		ResponseHeaderTimeout:  o.Idle,
	}
	p.server = &http.Server{
		Handler: p, ReadHeaderTimeout: o.HeaderTimeout, ReadTimeout: o.Longest, WriteTimeout: o.Longest, IdleTimeout: o.Idle,
		MaxHeaderBytes: o.HeaderBytes, DisableGeneralOptionsHandler: true,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug),
	}
	go func() {
		defer close(p.served)
		_ = p.server.Serve(l) // ends when Close closes it
	}()
	return p, nil
}

// Close cuts every connection and waits until nothing is served any more.
func (p *Proxy) Close() {
	_ = p.server.Close()
	<-p.served
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.tunnels.Wait()
}

// Port is where the proxy listens on 127.0.0.1.
func (p *Proxy) Port() int { return p.listener.Addr().(*net.TCPAddr).Port }

// userName is in every proxy URL; the password alone says who calls.
const userName = "strategy"

// Admit makes credentials for one process of the campaign. The URL is what goes
// into HTTPS_PROXY; it holds a password, so it is not to be shown. revoke takes
// the credentials back.
func (p *Proxy) Admit(campaignID string) (proxyURL string, revoke func()) {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	password := base64.RawURLEncoding.EncodeToString(raw)
	digest := sha256.Sum256([]byte(password))
	p.mu.Lock()
	p.callers[digest] = campaignID
	p.mu.Unlock()
	u := url.URL{Scheme: "http", User: url.UserPassword(userName, password), Host: p.listener.Addr().String()}
	return u.String(), func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.callers, digest)
	}
}

// caller returns the campaign that calls, by its credentials.
func (p *Proxy) caller(h http.Header) (string, bool) {
	given := h.Values("Proxy-Authorization")
	if len(given) != 1 {
		return "", false
	}
	_, password, ok := (&http.Request{Header: http.Header{"Authorization": given}}).BasicAuth()
	if !ok {
		return "", false
	}
	digest := sha256.Sum256([]byte(password))
	p.mu.Lock()
	defer p.mu.Unlock()
	id, ok := p.callers[digest]
	return id, ok
}

// enter counts a call of the campaign, unless it has as many as it may.
func (p *Proxy) enter(campaignID string) (leave func(), ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.busy[campaignID] >= p.options.Connections {
		return nil, false
	}
	p.busy[campaignID]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.busy[campaignID]--; p.busy[campaignID] == 0 {
			delete(p.busy, campaignID)
		}
	}, true
}
