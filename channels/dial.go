package channels

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"carillon/internal/public"
)

// ErrPrivate says that an address is of a private network or of this machine,
// which nothing an operator enters may reach.
var ErrPrivate = errors.New("a private address, which CARILLON_ALLOW_PRIVATE_URLS=true would allow")

// dialTime bounds how long a connection may take to come about.
const dialTime = 5 * time.Second

// NewDialer makes the dialer for every address an operator enters. Unless
// allowPrivate is set it refuses, with [ErrPrivate], to connect to private,
// loopback and other special addresses. It looks at the address that is about
// to be connected to, after the name was resolved, so a name that resolves
// differently the second time does not get past it.
func NewDialer(allowPrivate bool) *net.Dialer {
	d := &net.Dialer{Timeout: dialTime}
	if !allowPrivate {
		d.Control = func(_, address string, _ syscall.RawConn) error {
			ap, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("connect to %s: %w", address, err)
			}
			if !public.Is(ap.Addr()) {
				return fmt.Errorf("connect to %s: %w", ap.Addr(), ErrPrivate)
			}
			return nil
		}
	}
	return d
}
