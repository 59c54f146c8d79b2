package sendgridtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/http"
	"strconv"
	"time"
)

// Signer signs as SendGrid's Event Webhook does. It is written from the
// provider's description and shares nothing with the verifier it tests.
type Signer struct {
	PublicKey string // for settings.event_public_key
	key       *ecdsa.PrivateKey
}

// NewSigner makes a signer with a key of its own.
func NewSigner() *Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // the system has no randomness
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err) // P-256 always has this form
	}
	return &Signer{PublicKey: base64.StdEncoding.EncodeToString(der), key: key}
}

// Sign sets the headers of a request that is made at a moment.
func (s *Signer) Sign(h http.Header, body []byte, at time.Time) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	digest := sha256.Sum256(append([]byte(timestamp), body...))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, digest[:])
	if err != nil {
		panic(err) // as in NewSigner
	}
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, v})
	if err != nil {
		panic(err) // two numbers always have this form
	}
	h.Set("X-Twilio-Email-Event-Webhook-Timestamp", timestamp)
	h.Set("X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(der))
}
