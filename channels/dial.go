package channels

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
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
			if !public(ap.Addr()) {
				return fmt.Errorf("connect to %s: %w", ap.Addr(), ErrPrivate)
			}
			return nil
		}
	}
	return d
}

// special are the ranges no public service has, beside those package netip
// knows: IANA's special-purpose registries, and the ranges that carry an IPv4
// address inside an IPv6 one.
var special = prefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// public reports whether an address may belong to a service on the internet.
func public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsGlobalUnicast() || a.IsPrivate() {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}
