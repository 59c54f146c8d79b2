package campaign

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// MaxEgressHosts bounds the hosts of one campaign.
const MaxEgressHosts = 100

// httpsPort is the port of an entry that names none.
const httpsPort = 443

// Egress lists the hosts ("api.crm.example:443") strategies may call. An entry
// without a port means 443. There are no wildcards: who controls one name under
// a wildcard could be sent everything a strategy knows.
type Egress struct {
	Hosts []string `json:"hosts,omitempty"`
}

// Allows reports whether strategies may connect to the host at the port. Names
// compare without regard to case and to a final dot; addresses only match
// where the list holds the address itself.
func (e Egress) Allows(host string, port int) bool {
	host = canonicalHost(host)
	for _, entry := range e.Hosts {
		if h, p, err := ParseEgressHost(entry); err == nil && h == host && p == port {
			return true
		}
	}
	return false
}

func (e Egress) validate(p *problems) {
	if len(e.Hosts) > MaxEgressHosts {
		p.add("egress.hosts", "at most %d hosts", MaxEgressHosts)
		return
	}
	for i, entry := range e.Hosts {
		if _, _, err := ParseEgressHost(entry); err != nil {
			p.add("egress.hosts["+itoa(i)+"]", "%v", err)
		}
	}
}

// ParseEgressHost reads an entry of egress.hosts: a host name or an address (of
// IPv6 in brackets), and a port. The error says what to write instead.
func ParseEgressHost(entry string) (host string, port int, err error) {
	switch {
	case strings.Contains(entry, "://"):
		return "", 0, fmt.Errorf("%q has a scheme: write the host and the port only, such as api.crm.example:443", entry)
	case strings.Contains(entry, "*"):
		return "", 0, fmt.Errorf("%q is a wildcard: list every host by its name", entry)
	case strings.ContainsAny(entry, "/@?# \t\r\n"):
		return "", 0, fmt.Errorf("%q is more than a host and a port, such as api.crm.example:443", entry)
	}
	var text string
	var hasPort bool
	if strings.HasPrefix(entry, "[") {
		end := strings.Index(entry, "]")
		if end < 0 {
			return "", 0, fmt.Errorf("%q: the bracket is not closed", entry)
		}
		rest := entry[end+1:]
		if host = entry[1:end]; !strings.Contains(host, ":") {
			return "", 0, fmt.Errorf("%q: brackets are for IPv6 addresses", entry)
		}
		if text, hasPort = strings.CutPrefix(rest, ":"); !hasPort && rest != "" {
			return "", 0, fmt.Errorf("%q: after the bracket only a port can follow", entry)
		}
	} else {
		if strings.Count(entry, ":") > 1 {
			return "", 0, fmt.Errorf("%q: write an IPv6 address in brackets, such as [2001:db8::1]:443", entry)
		}
		host, text, hasPort = strings.Cut(entry, ":")
	}
	port = httpsPort
	if hasPort {
		if port, err = strconv.Atoi(text); err != nil || port < 1 || port > 65535 || strconv.Itoa(port) != text {
			return "", 0, fmt.Errorf("%q: the port is a number from 1 to 65535", entry)
		}
	}
	host = canonicalHost(host)
	if err := checkHost(host); err != nil {
		return "", 0, fmt.Errorf("%q: %w", entry, err)
	}
	return host, port, nil
}

// canonicalHost is the one form that hosts are compared in.
func canonicalHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.String()
	}
	return host
}

func checkHost(host string) error {
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" || a.Is4In6() {
			return fmt.Errorf("write the address plainly, such as %s", a.Unmap().WithZone(""))
		}
		return nil
	}
	if host == "" || len(host) > 253 {
		return fmt.Errorf("a host name has 1 to 253 characters")
	}
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return fmt.Errorf("%q is not a host name", host)
		}
		if strings.ContainsFunc(label, func(r rune) bool { return r > 127 }) {
			return fmt.Errorf("write a name with other letters in its ASCII form (xn--…)")
		}
		if strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		}) {
			return fmt.Errorf("%q is not a host name", host)
		}
	}
	// Resolvers read such names as addresses: 2130706433, 127.1, 0x7f.1.
	last := labels[len(labels)-1]
	if strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return fmt.Errorf("%q is neither a host name nor an address written in full", host)
	}
	return nil
}
