package campaign_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestEgressHosts(t *testing.T) {
	t.Parallel()
	for entry, want := range map[string]string{
		"api.crm.example:443": "", "api.crm.example": "", "API.crm.example.:8443": "", "localhost:80": "", "10.0.0.7:8080": "", "[2001:db8::1]:443": "",
		"[2001:db8::1]": "", "xn--bcher-kva.example": "", "my_host.internal:1": "",
		"https://api.crm.example":  "has a scheme",
		"*.crm.example:443":        "list every host",
		"api.crm.example/v1":       "only",
		"user@api.crm.example:443": "more than a host and a port",
		"api.crm.example:0":        "from 1 to 65535",
		"api.crm.example:65536":    "from 1 to 65535",
		"api.crm.example:+80":      "from 1 to 65535",
		"api.crm.example:080":      "from 1 to 65535",
		"api.crm.example:":         "from 1 to 65535",
		"2001:db8::1":              "in brackets",
		"[2001:db8::1":             "not closed",
		"[2001:db8::1]x":           "only a port",
		"[api.crm.example]:443":    "brackets are for IPv6",
		"[::ffff:127.0.0.1]:80":    "write the address plainly, such as 127.0.0.1",
		"[fe80::1%eth0]:80":        "plainly",
		"2130706433:80":            "neither a host name nor an address",
		"127.1:80":                 "neither a host name nor an address",
		"0x7f000001:80":            "neither a host name nor an address",
		"bücher.example:443":       "xn--",
		"-a.example":               "not a host name",
		"a..example":               "not a host name",
		"":                         "1 to 253",
		"a b":                      "more than a host",
		strings.Repeat("a.", 200):  "1 to 253",
	} {
		_, _, err := campaign.ParseEgressHost(entry)
		if want == "" {
			require.NoError(t, err, entry)
			continue
		}
		require.Error(t, err, entry)
		if want != "only" {
			require.ErrorContains(t, err, want, entry)
		}
	}
}

func TestEgressAllowsWhatIsListedAndNothingElse(t *testing.T) {
	t.Parallel()
	e := campaign.Egress{Hosts: []string{"api.crm.example", "crm.example:8443", "10.0.0.7:80", "[2001:DB8::1]:443"}}
	for _, yes := range []struct {
		host string
		port int
	}{{"api.crm.example", 443}, {"API.CRM.example.", 443}, {"crm.example", 8443}, {"10.0.0.7", 80}, {"2001:db8:0::1", 443}} {
		require.True(t, e.Allows(yes.host, yes.port), yes.host)
	}
	for _, no := range []struct {
		host string
		port int
	}{
		{"api.crm.example", 80},
		{"x.api.crm.example", 443},
		{"crm.example", 443},
		{"::ffff:10.0.0.7", 80},
		{"167772167", 80},
		{"", 443},
		{"api.crm.example@evil.example", 443},
		{"api.crm.example\x00.evil.example", 443},
	} {
		require.False(t, e.Allows(no.host, no.port), no.host)
	}
	require.False(t, campaign.Egress{}.Allows("api.crm.example", 443))
}

func TestACampaignSaysWhichHostIsWrong(t *testing.T) {
	t.Parallel()
	c := campaign.Campaign{Name: "One", Egress: campaign.Egress{Hosts: []string{"api.crm.example:443", "https://x"}}}
	require.ErrorContains(t, c.Validate(), "egress.hosts[1]: ")
	c.Egress.Hosts = make([]string, campaign.MaxEgressHosts+1)
	require.ErrorContains(t, c.Validate(), "at most 100 hosts")
}
