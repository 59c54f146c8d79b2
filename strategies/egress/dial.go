package egress

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"syscall"

	"carillon/internal/public"
)

// dial connects. Addresses are judged after the name was resolved, right before
// each connection, so a name that changes its mind in between gains nothing.
func (p *Proxy) dial(ctx context.Context, network, target string) (net.Conn, error) {
	d := net.Dialer{Timeout: p.options.DialTimeout, Resolver: p.options.Resolver}
	d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !p.options.AllowPrivate && !public.Is(to.Addr()) {
			return refuse(http.StatusForbidden,
				"%s is at %s, which is not a public address; the operator can allow such ones (CARILLON_ALLOW_PRIVATE_URLS)", target, to.Addr())
		}
		return nil
	}
	return d.DialContext(ctx, network, target)
}
