package public_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/internal/public"
)

func TestIs(t *testing.T) {
	t.Parallel()
	for _, yes := range []string{"1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"} {
		require.True(t, public.Is(netip.MustParseAddr(yes)), yes)
	}
	for _, no := range []string{
		"0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"198.18.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1",
		"fe80::1", "fe80::1%lo", "fd00:ec2::254", "ff02::1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001::1", "2001:db8::1",
	} {
		require.False(t, public.Is(netip.MustParseAddr(no)), no)
	}
	require.False(t, public.Is(netip.Addr{}))
}
