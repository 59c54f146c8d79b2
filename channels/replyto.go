package channels

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"regexp"
	"strings"
)

// ReplyTokens proves, by the address an e-mail was sent to, which session it
// answers. The zero value makes no tokens and believes none. It signs with the
// workspace's secret of [UnsubscribeSecret], for another purpose than links.
type ReplyTokens struct {
	Secret []byte
}

// replyPrefix begins the local part of an address that carries a token.
const replyPrefix = "reply+"

// A token is a session's id, a point and the signature. Both are of letters that
// survive mail servers, of which some fold the local part to lower case, and
// together with the prefix they fit the 64 bytes it may have (RFC 5321, 4.5.3.1.1).
const (
	replyMark   = 8 // bytes of the signature
	longestHere = 64 - len(replyPrefix) - 1 - 13
)

var (
	tokenLetters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
	tokenSession = regexp.MustCompile(`^[a-z0-9_-]+$`)
)

// Token signs a session's id; "" without a secret, or for an id that fits no address.
func (t ReplyTokens) Token(sessionID string) string {
	if len(t.Secret) == 0 || len(sessionID) > longestHere || !tokenSession.MatchString(sessionID) {
		return ""
	}
	return sessionID + "." + t.sign(sessionID)
}

// Session is the session that an address proves, "" if it proves none.
func (t ReplyTokens) Session(address string) string {
	local, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(address)), "@")
	token, ok := strings.CutPrefix(local, replyPrefix)
	id, signature, signed := strings.Cut(token, ".")
	if !ok || !signed || len(t.Secret) == 0 || subtle.ConstantTimeCompare([]byte(signature), []byte(t.sign(id))) != 1 {
		return ""
	}
	return id
}

func (t ReplyTokens) sign(sessionID string) string {
	mac := hmac.New(sha256.New, t.Secret)
	mac.Write([]byte("reply\n" + sessionID))
	return tokenLetters.EncodeToString(mac.Sum(nil)[:replyMark])
}

// replyAddress is where the answers of a conversation go. Without a token it
// reaches us all the same, and only the message's thread tells whose it is.
func replyAddress(token, domain string) string {
	if token == "" {
		return "reply@" + domain
	}
	return replyPrefix + token + "@" + domain
}
