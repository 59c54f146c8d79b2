// Package fakes is every fake provider behind one form, for demonstrations: the
// integration to make, the webhook to set, what it was sent, and what a person
// answers. The fakes themselves are beside the providers they stand in for, and
// were written from their specifications; they stand in for nobody's service.
// It imports no test library.
package fakes

import (
	"context"
	"fmt"
	"net"

	"carillon/campaign"
	"carillon/channels/fault"
)

// Fake is one provider on this machine.
type Fake struct {
	Provider string            // as an integration names it
	Channel  campaign.Channel  // of the conversations it carries
	Settings map[string]string // of its integration
	Secrets  map[string]string // made up
	Hooks    []string          // what is set where: the end of the webhook's address, "" is the address itself
	Roots    []byte            // PEM that Carillon has to trust to read the mailbox, nil if there is none
	Stage    map[string]any    // fields of a stage that opens a conversation, as the fake wants it

	// Hook tells the fake the address of the integration's webhook; nil if it has none.
	Hook func(ctx context.Context, address string) error
	// Sent is everything it accepted, in order.
	Sent func() []Message
	// Say is a person who writes, as an answer to what reached them last; an error
	// if they could not, since nothing did.
	Say func(from, words string) error

	serve []func(net.Listener) // one for each of its servers
	named func(f *Fake)        // writes their addresses into the settings
}

// annsChat is the chat of a person who has started the fake bot.
const annsChat = 4242

// Ann is a person who is reached through every fake: her addresses, by the
// columns of an import.
func Ann() map[string]string {
	return map[string]string{"email": "ann@people.example", "phone": "+14155550142", "telegram_chat_id": fmt.Sprint(annsChat)}
}

// Message is one that the fake accepted.
type Message struct{ To, Text string }

// Listen has the fake answer at addresses of its own choice too, the next port
// for each of its servers, and returns the first port that is still free.
func (f *Fake) Listen(port int) (int, error) {
	for _, serve := range f.serve {
		l, err := fault.Listen(address(port))
		if err != nil {
			return port, err
		}
		serve(l)
		if port > 0 { // 0 is any that is free
			port++
		}
	}
	f.named(f)
	return port, nil
}

// All starts every fake; they end with their owner. The mailbox shows the
// certificate, with its key, as [imaptest.Certificate] makes them.
func All(o fault.Owner, certificate []byte) []*Fake {
	all := []*Fake{sendGrid(o), post(o, certificate), meta(o), bird(o), telegram(o)}
	for _, f := range all {
		f.named(f)
	}
	return all
}
