package egress_test

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/dns/dnsmessage"

	"carillon/strategies/egress"
)

// A name may lead to any address, and to another one a moment later: what counts is where the connection goes.
func TestNamesThatLeadHomeAreRefused(t *testing.T) {
	t.Parallel()
	server, address := fake(t, false, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("in")) })
	_, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	var asked atomic.Int32
	resolver := resolverOf(t, func(name string) []netip.Addr {
		asked.Add(1)
		switch name {
		case "meta.crm.example.":
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}
		case "home.crm.example.":
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		default:
			return nil
		}
	})
	closed := open(t, func(o *egress.Options) { o.AllowPrivate, o.Resolver = false, resolver })
	opened := open(t, func(o *egress.Options) { o.Resolver = resolver })
	for _, p := range []*house{closed, opened} {
		p.allow("one", "home.crm.example:"+port, "meta.crm.example:"+port, "meta.crm.example", "none.crm.example:80", address)
	}
	c := closed.client("one", nil)
	for _, host := range []string{"home.crm.example:" + port, "meta.crm.example:" + port, address} {
		status, text := answer(t, c, "http://"+host+"/")
		require.Equal(t, http.StatusForbidden, status, host)
		require.Contains(t, text, "egress: "+host+" is at ")
		require.Contains(t, text, "not a public address")
	}
	require.ErrorContains(t, fails(c, "https://meta.crm.example/"), "egress: meta.crm.example:443 is at 169.254.169.254, which is not a public address")
	status, text := answer(t, c, "http://none.crm.example/")
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, text, "egress: none.crm.example:80: there is no such host")
	require.Positive(t, asked.Load())

	status, text = answer(t, opened.client("one", nil), "http://home.crm.example:"+port+"/")
	require.Equal(t, 200, status, "allowed by the operator")
	require.Equal(t, "in", text)
	server.Close()
	status, text = answer(t, opened.client("one", nil), "http://home.crm.example:"+port+"/")
	require.Equal(t, http.StatusBadGateway, status)
	require.Contains(t, text, "connection refused")
}

// resolverOf asks a name server on the loopback.
func resolverOf(t *testing.T, addresses func(name string) []netip.Addr) *net.Resolver {
	t.Helper()
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		buffer := make([]byte, 1500)
		for {
			n, from, err := l.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			found := addresses(q.Name.String())
			m = dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
			if found == nil {
				m.RCode = dnsmessage.RCodeNameError
			}
			for _, a := range found {
				if q.Type == dnsmessage.TypeA {
					m.Answers = append(m.Answers, dnsmessage.Resource{
						Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}, Body: &dnsmessage.AResource{A: a.As4()},
					})
				}
			}
			if b, err := m.Pack(); err == nil {
				_, _ = l.WriteTo(b, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", l.LocalAddr().String())
	}}
}
