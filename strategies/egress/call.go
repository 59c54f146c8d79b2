package egress

import (
	"context"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"
	"time"
)

// call is one request to the proxy: a plain one that is forwarded, or a tunnel.
type call struct {
	proxy    *Proxy
	campaign string
	host     string // without port
	port     int
	method   string
	began    time.Time
	sent     atomic.Int64
	received int64
}

func (c *call) target() string { return net.JoinHostPort(c.host, strconv.Itoa(c.port)) }

// ServeHTTP admits a call and carries it out. Every call is logged once.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{proxy: p, began: time.Now(), method: methodOf(r)}
	leave, no := c.admit(r)
	if no != nil {
		c.refuse(r.Context(), w, no)
		return
	}
	defer leave()
	ctx, cancel := context.WithTimeout(r.Context(), p.options.Longest)
	defer cancel()
	if r.Method == http.MethodConnect {
		c.tunnel(ctx, w)
		return
	}
	c.forward(ctx, w, r)
}

// methodOf is the method as it may be logged: another word may be anything.
func methodOf(r *http.Request) string {
	known := []string{"CONNECT", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
	if slices.Contains(known, r.Method) {
		return r.Method
	}
	return "other"
}

// admit finds out who calls whom, and whether it may. The caller is asked for
// before anything else is said.
func (c *call) admit(r *http.Request) (leave func(), no *refusal) {
	var ok bool
	if c.campaign, ok = c.proxy.caller(r.Header); !ok {
		return nil, refuse(http.StatusProxyAuthRequired, "no credentials of a running strategy; take the proxy's address from HTTPS_PROXY as it is")
	}
	if no := c.aim(r); no != nil {
		return nil, no
	}
	allowed, err := c.proxy.options.Hosts(r.Context(), c.campaign)
	if err != nil {
		return nil, refuse(http.StatusServiceUnavailable, "the campaign's egress.hosts cannot be read")
	}
	if !allowed.Allows(c.host, c.port) {
		return nil, refuse(http.StatusForbidden, "%s is not in the campaign's egress.hosts", c.target())
	}
	if leave, ok = c.proxy.enter(c.campaign); !ok {
		return nil, refuse(http.StatusTooManyRequests, "%d calls of this campaign are under way, more are not allowed", c.proxy.options.Connections)
	}
	return leave, nil
}

// aim reads where the request goes: of CONNECT the authority, else an absolute URL.
func (c *call) aim(r *http.Request) *refusal {
	if r.URL.User != nil {
		return refuse(http.StatusBadRequest, "a user in the address is not allowed; send an Authorization header")
	}
	var port string
	if r.Method == http.MethodConnect {
		var err error
		if c.host, port, err = net.SplitHostPort(r.RequestURI); err != nil {
			return refuse(http.StatusBadRequest, "CONNECT needs host:port")
		}
	} else {
		switch {
		case !r.URL.IsAbs():
			return refuse(http.StatusBadRequest, "this is a proxy: it is not asked directly")
		case r.URL.Scheme != "http":
			return refuse(http.StatusBadRequest, "%s is not forwarded; https goes through CONNECT", r.URL.Scheme)
		}
		if c.host, port = r.URL.Hostname(), r.URL.Port(); port == "" {
			port = "80"
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 || c.host == "" {
		return refuse(http.StatusBadRequest, "the port is a number from 1 to 65535, and the host is not empty")
	}
	c.port = int(n)
	return nil
}

// log tells of the call, without its path, query or headers.
func (c *call) log(ctx context.Context, status int, refusal string) {
	host := ""
	if c.port != 0 {
		host = cut(c.target())
	}
	attrs := []any{
		"campaign_id", c.campaign, "host", host, "method", c.method, "status", status,
		"sent", c.sent.Load(), "received", c.received, "duration_ms", time.Since(c.began).Milliseconds(),
	}
	if refusal == "" {
		c.proxy.options.Log.InfoContext(ctx, "strategy called a host", attrs...)
		return
	}
	c.proxy.options.Log.WarnContext(ctx, "strategy's call refused or cut", append(attrs, "refusal", refusal)...)
}
