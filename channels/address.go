package channels

import (
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"

	"carillon/campaign"
)

// Errors of addresses; test with errors.Is. Both are an [*AddressError].
var (
	// ErrNoAddress says that the contact has no address for the channel.
	ErrNoAddress = errors.New("no address")
	// ErrBadAddress says that the address cannot exist.
	ErrBadAddress = errors.New("bad address")
)

// AddressError says why a contact cannot be reached on a channel.
type AddressError struct {
	Reason  string // the code a decision records: no_address, no_chat or bad_address
	Channel campaign.Channel
	Detail  string
	kind    error
}

// Error says what is missing or wrong.
func (e *AddressError) Error() string { return e.Detail }

// Unwrap returns ErrNoAddress or ErrBadAddress.
func (e *AddressError) Unwrap() error { return e.kind }

// Address returns where the channel reaches the contact: its e-mail or Telegram
// chat as it was imported, its phone as providers write it; "" for the channels
// that need none. A contact without it is an [*AddressError].
func Address(c *campaign.Contact, ch campaign.Channel) (string, error) {
	field := addressField(ch)
	var address string
	switch field {
	case "":
		return "", nil
	case "email":
		address = c.Email
	case "phone":
		address = international(c.Phone)
	case "telegram_chat_id":
		address = c.TelegramChatID
	}
	if address = strings.TrimSpace(address); address != "" {
		return address, nil
	}
	reason := "no_address"
	if ch == campaign.Telegram {
		reason = "no_chat"
	}
	return "", &AddressError{Reason: reason, Channel: ch, Detail: fmt.Sprintf("the contact has no %s for %s", field, ch), kind: ErrNoAddress}
}

// international is a phone number as providers write it (E.164): what they tell
// of +49 (0)151 2345-6789 they tell of +4915123456789. What is no number stays.
func international(text string) string {
	n, err := phonenumbers.Parse(text, "")
	if err != nil || !phonenumbers.IsValidNumber(n) {
		return text
	}
	return phonenumbers.Format(n, phonenumbers.E164)
}

// CheckAddress reports an address that cannot exist. In live and redirect mode
// such a send is refused; the outbox only notes it, because the manual's own
// sample numbers are invalid.
func CheckAddress(ch campaign.Channel, address string) error {
	bad := func(format string, args ...any) error {
		return &AddressError{Reason: "bad_address", Channel: ch, Detail: fmt.Sprintf(format, args...), kind: ErrBadAddress}
	}
	switch addressField(ch) {
	case "email":
		if a, err := mail.ParseAddress(address); err != nil || a.Address != address {
			return bad("%q is not an e-mail address", address)
		}
	case "phone":
		if ch == campaign.SIP && strings.HasPrefix(address, "sip:") {
			return nil
		}
		if n, err := phonenumbers.Parse(address, ""); err != nil || !phonenumbers.IsValidNumber(n) {
			return bad("%q is not a valid phone number with a country code", address)
		}
	case "telegram_chat_id":
		if _, err := strconv.ParseInt(address, 10, 64); err != nil {
			return bad("%q is not the number of a Telegram chat", address)
		}
	}
	return nil
}

// addressField names the contact's field the channel writes to, "" if none.
func addressField(ch campaign.Channel) string {
	switch ch {
	case campaign.EmailNotification, campaign.Email:
		return "email"
	case campaign.WhatsAppBird, campaign.WhatsAppMeta, campaign.SIP, campaign.Twilio:
		return "phone"
	case campaign.Telegram:
		return "telegram_chat_id"
	default:
		return ""
	}
}
