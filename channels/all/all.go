// Package all is the list of the providers this build has: adding one is one
// line here. Nobody but the wiring imports it.
package all

import (
	"carillon/channels"
	"carillon/channels/bird"
	"carillon/channels/human"
	"carillon/channels/outbox"
	"carillon/channels/sendgrid"
	"carillon/channels/smtp"
	"carillon/channels/telegram"
	"carillon/channels/whatsapp"
)

// New makes the registry of every provider; box keeps what leaves through the outbox.
func New(box outbox.Box) *channels.Registry {
	return channels.NewRegistry(
		outbox.New(box),
		human.Provider{},
		sendgrid.Provider{},
		smtp.Provider{},
		whatsapp.Provider{},
		bird.Provider{},
		telegram.Provider{},
	)
}
