package channels

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"strings"

	"carillon/campaign"
)

// UnsubscribeSecret is the name of the workspace's secret that signs the links.
const UnsubscribeSecret = "unsubscribe"

// PreviewToken stands where a token would be in a message nobody gets.
const PreviewToken = "preview"

// Unsubscriber makes the links by which a contact ends messages of a kind. A
// link names no address, cannot be made without the secret, and is the same
// each time the same message is rendered.
type Unsubscriber struct {
	Base   string // address that contacts reach us at; "" makes no links
	Secret []byte // of the workspace; nil makes no links
}

// URL is the link of a contact's messages to an address, or "".
func (u Unsubscriber) URL(contactID string, ch campaign.Channel, address string) string {
	if u.Base == "" || len(u.Secret) == 0 || address == "" {
		return ""
	}
	return strings.TrimSuffix(u.Base, "/") + "/u/" + u.Token(contactID, ch, address)
}

// Token is what a link names: version, channel, what identifies the address,
// the contact and a signature.
func (u Unsubscriber) Token(contactID string, ch campaign.Channel, address string) string {
	body := append([]byte{unsubscribeVersion, channelNumber(ch)}, addressMark(address)...)
	body = append(body, contactID...)
	return base64.RawURLEncoding.EncodeToString(append(body, u.sign(body)...))
}

// Unsubscribing is what a token says.
type Unsubscribing struct {
	ContactID string
	Channel   campaign.Channel
	mark      string
}

// Is reports whether the link was in a message to the address.
func (u Unsubscribing) Is(address string) bool {
	return address != "" && string(addressMark(address)) == u.mark
}

const (
	unsubscribeVersion = 1
	markSize           = 8
	signatureSize      = 16
)

// Read verifies a token, in constant time; false if we did not make it.
func (u Unsubscriber) Read(token string) (Unsubscribing, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(u.Secret) == 0 || len(raw) <= 2+markSize+signatureSize {
		return Unsubscribing{}, false
	}
	body, signature := raw[:len(raw)-signatureSize], raw[len(raw)-signatureSize:]
	if subtle.ConstantTimeCompare(signature, u.sign(body)) != 1 || body[0] != unsubscribeVersion || int(body[1]) >= len(campaign.Channels) {
		return Unsubscribing{}, false
	}
	return Unsubscribing{
		ContactID: string(body[2+markSize:]), Channel: campaign.Channels[body[1]], mark: string(body[2 : 2+markSize]),
	}, true
}

func (u Unsubscriber) sign(body []byte) []byte {
	mac := hmac.New(sha256.New, u.Secret)
	mac.Write([]byte("unsubscribe\n"))
	mac.Write(body)
	return mac.Sum(nil)[:signatureSize]
}

// channelNumber is a channel's place in the manual's order, which never changes.
func channelNumber(ch campaign.Channel) byte {
	for i, c := range campaign.Channels {
		if c == ch {
			return byte(i)
		}
	}
	return 255
}

// addressMark tells addresses apart without naming them.
func addressMark(address string) []byte {
	sum := sha256.Sum256([]byte(strings.ToLower(strings.TrimSpace(address))))
	return sum[:markSize]
}
