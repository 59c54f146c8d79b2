package channels

import (
	"time"
	"unicode/utf8"
)

// maxWhatsAppText is how long a free text may be, in characters:
// https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages
const maxWhatsAppText = 4096

// WhatsAppText says why WhatsApp would refuse a free text, whoever carries it
// there, as a [*Failure] of class [Invalid]; nil if it takes it.
func WhatsAppText(text string) error {
	if n := utf8.RuneCountInString(text); n > maxWhatsAppText {
		return Fail(Invalid, "too_long", "the text has %d characters; WhatsApp takes %d", n, maxWhatsAppText)
	}
	return nil
}

// WindowClosed is the failure of a free text outside WhatsApp's window: the
// contact was heard last at a moment, or never.
func WindowClosed(heard time.Time) *Failure {
	if heard.IsZero() {
		return Fail(Policy, "window_closed", "the contact has not written yet: only a template may be sent")
	}
	return Fail(Policy, "window_closed", "the contact last wrote more than 24 hours ago: only a template may be sent")
}
