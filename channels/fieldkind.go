package channels

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"carillon/internal/public"
)

// Kinds of fields, checked when an integration is saved.
const (
	KindURL       = "url"        // http or https, of a server
	KindHost      = "host"       // the name or address of a server
	KindPort      = "port"       // 1 to 65535
	KindEmail     = "email"      // one address, without a name
	KindDomain    = "domain"     // such as parse.example.com
	KindPublicKey = "public_key" // ECDSA, P-256, as base64 of its DER form
)

// check says what is wrong with the value of a field, "" if nothing is.
func (f *Field) check(v string, allowPrivate bool) string {
	if strings.ContainsAny(v, "\r\n\x00") {
		return "it is more than one line"
	}
	switch f.Kind {
	case KindURL:
		return CheckURL(v, allowPrivate)
	case KindHost:
		return checkHost(v, allowPrivate)
	case KindPort:
		if n, err := strconv.ParseUint(v, 10, 16); err != nil || n == 0 {
			return fmt.Sprintf("%q is not a port from 1 to 65535", v)
		}
	case KindEmail:
		if a, err := mail.ParseAddress(v); err != nil || a.Address != v {
			return fmt.Sprintf("%q is not an e-mail address", v)
		}
	case KindDomain:
		if !hostName.MatchString(v) || !strings.Contains(v, ".") {
			return fmt.Sprintf("%q is not a domain such as parse.example.com", v)
		}
	case KindPublicKey:
		if _, err := ParsePublicKey(v); err != nil {
			return err.Error()
		}
	}
	return ""
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?)*\.?$`)

// CheckURL says what is wrong with an address that an operator enters, "" if
// nothing is: it must be of a public server and https, unless allowPrivate is set.
func CheckURL(v string, allowPrivate bool) string {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return fmt.Sprintf("%q is not an address such as https://api.example.com", v)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "an address without a user, a query (?) or a fragment (#)"
	}
	if u.Scheme == "http" && !allowPrivate {
		return "only https: with http anybody on the way reads the key"
	}
	return checkHost(u.Hostname(), allowPrivate)
}

// checkHost refuses what is surely private. A name that resolves to a private
// address is refused later, by the dialer.
func checkHost(host string, allowPrivate bool) string {
	private := host + " is " + ErrPrivate.Error()
	if ip, err := netip.ParseAddr(host); err == nil {
		if !allowPrivate && !public.Is(ip) {
			return private
		}
		return ""
	}
	if !hostName.MatchString(host) || len(host) > 253 {
		return fmt.Sprintf("%q is not the name of a server", host)
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	if strings.Trim(name[strings.LastIndex(name, ".")+1:], "0123456789") == "" { // 127.1, 2130706433, 0x7f.1
		return fmt.Sprintf("%q is not the name of a server", host)
	}
	if !allowPrivate && (name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".local") || strings.HasSuffix(name, ".internal")) {
		return private
	}
	return ""
}

// ParsePublicKey reads a public key as SendGrid shows it.
func ParsePublicKey(text string) (*ecdsa.PublicKey, error) {
	der, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("the public key is not base64; copy it as it is shown")
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("the public key cannot be read; copy it as it is shown")
	}
	key, ok := parsed.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errors.New("the public key is not an ECDSA key on the curve P-256")
	}
	return key, nil
}
