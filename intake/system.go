package intake

import (
	"net/mail"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
)

// check judges one system field. Without ids and a name a contact cannot be kept, and a wrong address was meant to be
// another; an empty address, an odd phone or an unknown zone only closes a channel or holds the contact, so it is a
// warning.
func (c *columns) check(row *Row, name, text string) {
	switch name {
	case "name":
		if text == "" {
			row.fail(name, text, "is empty")
		}
	case "object_id", "external_id":
		if text == "" {
			row.fail(name, text, "is empty")
		} else if len(text) > MaxID {
			row.fail(name, text, "is longer than 200 bytes")
		}
	case "email":
		if text == "" {
			row.warn(name, text, "is empty")
		} else if reason := badEmail(text); reason != "" {
			row.fail(name, text, reason)
		}
	case "phone":
		if text == "" {
			row.warn(name, text, "is empty")
		} else if !validPhone(text) {
			row.warn(name, text, "is not a valid phone number with a country code")
		}
	case "timezone":
		if text != "" && !c.validZone(text) {
			row.warn(name, text, "is not a time zone of the IANA database: the contact will be held")
		}
	}
}

// badEmail says what is wrong with an address. The limit is RFC 5321's (errata 1690).
func badEmail(text string) string {
	const most = 254
	if len(text) > most {
		return "is longer than 254 bytes"
	}
	address, err := mail.ParseAddress(text)
	if err != nil {
		return "is not an e-mail address"
	}
	if address.Name != "" || address.Address != text {
		return "is not an e-mail address alone"
	}
	domain := text[strings.LastIndexByte(text, '@')+1:]
	plain, err := idna.Lookup.ToASCII(domain)
	if err != nil || len(plain) > 253 {
		return "has a domain that cannot exist"
	}
	labels := strings.Split(plain, ".")
	if len(labels) < 2 {
		return "has a domain without a dot"
	}
	for _, label := range labels {
		if label == "" || len(label) > 63 {
			return "has a domain that cannot exist"
		}
	}
	return ""
}

func validPhone(text string) bool {
	number, err := phonenumbers.Parse(text, "")
	return err == nil && phonenumbers.IsValidNumber(number)
}

// validZone looks a zone up once: a file has few of them, and each look-up reads a file.
func (c *columns) validZone(name string) bool {
	const longest = 100
	valid, ok := c.zones[name]
	if ok || len(name) > longest {
		return valid
	}
	_, err := time.LoadLocation(name)
	valid = err == nil && name != "Local"
	if len(c.zones) < remembered {
		c.zones[strings.Clone(name)] = valid
	}
	return valid
}
