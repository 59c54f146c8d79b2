package channels

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"carillon/campaign"
)

// StartSecret is the name of the workspace's secret that signs start tokens.
const StartSecret = "telegram_start"

// TrialSecret is the name of the one that signs the links of mode redirect: they
// look alike and tie nobody to anything.
const TrialSecret = "telegram_trial"

// Starter makes the tokens that tie a contact to the chat in which somebody
// starts a bot with one. A token cannot be made without the secret, is good for
// the bot of one integration only, and is the same each time.
type Starter struct {
	Secret []byte // of the workspace; nil makes and reads no tokens
}

const (
	// maxStart is how long a bot's start parameter may be, of A-Z, a-z, 0-9, _ and -:
	// https://core.telegram.org/bots/features#deep-linking
	maxStart      = 64
	startSize     = 12 // of the signature
	startHex      = 1  // a contact's id as [campaign.ContactID] makes it: ten bytes
	startText     = 2  // any other
	contactPrefix = "ct_"
)

// Token is the start token of a contact for an integration's bot; "" if there is
// no secret, or the contact's id is longer than a token may be.
func (s Starter) Token(integrationID, contactID string) string {
	if len(s.Secret) == 0 || contactID == "" {
		return ""
	}
	body := append([]byte{startText}, contactID...)
	if digits, ok := strings.CutPrefix(contactID, contactPrefix); ok {
		if raw, err := hex.DecodeString(digits); err == nil && hex.EncodeToString(raw) == digits {
			body = append([]byte{startHex}, raw...)
		}
	}
	token := base64.RawURLEncoding.EncodeToString(append(body, s.sign(integrationID, body)...))
	if len(token) > maxStart {
		return ""
	}
	return token
}

// URL is the link that opens the integration's bot with a contact's token, or "":
// https://core.telegram.org/bots/features#deep-linking
func (s Starter) URL(i *campaign.Integration, contactID string) string {
	name, token := BotUsername(i), s.Token(i.ID, contactID)
	if name == "" || token == "" {
		return ""
	}
	return StartURL(name, token)
}

// StartURL is the link that opens a bot with a token.
func StartURL(username, token string) string {
	return "https://t.me/" + url.PathEscape(username) + "?start=" + token
}

// BotUsername is the name of an integration's bot without the @, "" if it names none.
func BotUsername(i *campaign.Integration) string {
	return strings.TrimPrefix(strings.TrimSpace(i.Settings["bot_username"]), "@")
}

// TelegramLinkVariable is how templates name the link.
const TelegramLinkVariable = "telegram_link"

// MentionsTelegramLink reports that a template of the delivery may write the link.
func MentionsTelegramLink(d *campaign.Delivery) bool {
	if strings.Contains(d.Subject, TelegramLinkVariable) || strings.Contains(d.Template, TelegramLinkVariable) {
		return true
	}
	for _, text := range d.Variables {
		if strings.Contains(text, TelegramLinkVariable) {
			return true
		}
	}
	return false
}

// Read verifies a token, in constant time, and returns whose it is; false if we
// did not make it for the integration.
func (s Starter) Read(integrationID, token string) (contactID string, ok bool) {
	if strings.ContainsAny(token, "\r\n") { // which the decoder passes over
		return "", false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(s.Secret) == 0 || len(token) > maxStart || len(raw) <= 1+startSize {
		return "", false
	}
	body, signature := raw[:len(raw)-startSize], raw[len(raw)-startSize:]
	if subtle.ConstantTimeCompare(signature, s.sign(integrationID, body)) != 1 {
		return "", false
	}
	switch body[0] {
	case startHex:
		return contactPrefix + hex.EncodeToString(body[1:]), true
	case startText:
		return string(body[1:]), true
	default:
		return "", false
	}
}

func (s Starter) sign(integrationID string, body []byte) []byte {
	mac := hmac.New(sha256.New, s.Secret)
	mac.Write([]byte("telegram start\n" + integrationID + "\n"))
	mac.Write(body)
	return mac.Sum(nil)[:startSize]
}

// Starter returns what reads start tokens, with the workspace's secret.
func (d Deps) Starter(ctx context.Context) (Starter, error) {
	if d.StartSecret == nil {
		return Starter{}, nil
	}
	secret, err := d.StartSecret(ctx)
	return Starter{Secret: secret}, err
}
