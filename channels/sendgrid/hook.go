package sendgrid

import (
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/mailin"
)

// Headers of a signed request.
const (
	signatureHeader = "X-Twilio-Email-Event-Webhook-Signature"
	timestampHeader = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// eventsLimit bounds a batch of events.
const eventsLimit = 8 << 20

// Paths of the two webhooks.
const (
	eventsPath  = "/events"
	inboundPath = "/inbound"
)

// hook receives the Event Webhook and Inbound Parse of one integration. What it
// has no key for it takes for forged.
type hook struct {
	keys map[string]*ecdsa.PublicKey // by path
	box  mailin.Mailbox
}

// OpenHook implements [channels.HookProvider].
func (Provider) OpenHook(i campaign.Integration, d channels.Deps) (channels.Hook, error) {
	h := &hook{keys: map[string]*ecdsa.PublicKey{}, box: mailin.Mailbox{From: i.Settings["from_email"], Replies: d.Replies, Now: d.Clock}}
	for path, setting := range map[string]string{eventsPath: "event_public_key", inboundPath: "inbound_public_key"} {
		text := i.Settings[setting]
		if text == "" {
			continue
		}
		key, err := channels.ParsePublicKey(text)
		if err != nil {
			return nil, channels.Fail(channels.Config, "bad_key", "settings.%s: %v", setting, err)
		}
		h.keys[path] = key
	}
	if len(h.keys) == 0 {
		return nil, channels.Fail(channels.Config, "no_key",
			"settings.event_public_key and settings.inbound_public_key are missing: copy them from SendGrid's settings of the Event Webhook and of Inbound Parse")
	}
	return h, nil
}

// Limit implements [channels.Hook].
func (h *hook) Limit(path string) int64 {
	if path == inboundPath {
		return inboundLimit
	}
	return eventsLimit
}

// Receive implements [channels.Hook]. The provider promises no time in which it
// repeats a request, so an old signature is good: the ids of events and letters
// make a replay harmless. Both webhooks are signed alike.
// https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks
func (h *hook) Receive(_ context.Context, r *channels.HookRequest) ([]channels.Report, channels.HookAnswer, error) {
	if r.Method != http.MethodPost || r.Path != eventsPath && r.Path != inboundPath {
		return nil, channels.HookAnswer{}, fmt.Errorf("%w: %s %s is no webhook of SendGrid", channels.ErrForged, r.Method, r.Path)
	}
	key := h.keys[r.Path]
	if key == nil {
		return nil, channels.HookAnswer{}, fmt.Errorf("%w: the integration has no key for %s", channels.ErrForged, r.Path)
	}
	if !verify(key, r.Header.Get(timestampHeader), r.Header.Get(signatureHeader), r.Body) {
		return nil, channels.HookAnswer{}, channels.ErrForged
	}
	read := parse
	if r.Path == inboundPath {
		read = func([]byte) ([]channels.Report, error) { return h.letter(r) }
	}
	reports, err := read(r.Body)
	return reports, channels.HookAnswer{}, err
}

// verify checks ECDSA over SHA-256 of the timestamp and the raw body.
func verify(key *ecdsa.PublicKey, timestamp, signature string, body []byte) bool {
	der, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || timestamp == "" {
		return false
	}
	sum := sha256.New()
	sum.Write([]byte(timestamp))
	sum.Write(body)
	return ecdsa.VerifyASN1(key, sum.Sum(nil), der)
}

// event is the part of an event we read; fields of the wrong type are left empty,
// for our own arguments stand beside SendGrid's and anybody may add some.
type event struct {
	Event          word   `json:"event"`
	Email          word   `json:"email"`
	Timestamp      number `json:"timestamp"`
	EventID        word   `json:"sg_event_id"`
	MessageID      word   `json:"sg_message_id"`
	CorrelationKey word   `json:"correlation_key"`
	Type           word   `json:"type"` // of a bounce: bounce or blocked
	Reason         word   `json:"reason"`
	Response       word   `json:"response"`
	Status         word   `json:"status"`
	MachineOpen    flag   `json:"sg_machine_open"`
}

type word string

// UnmarshalJSON takes a string or nothing.
func (t *word) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = word(s)
	}
	return nil
}

type number float64

// UnmarshalJSON takes a number, also in quotes, or nothing.
func (n *number) UnmarshalJSON(b []byte) error {
	var f json.Number
	if json.Unmarshal(b, &f) == nil {
		if v, err := f.Float64(); err == nil {
			*n = number(v)
		}
	}
	return nil
}

type flag bool

// UnmarshalJSON takes true or nothing.
func (f *flag) UnmarshalJSON(b []byte) error {
	*f = string(b) == "true"
	return nil
}

// parse reads a batch. One event that cannot be read does not keep the others.
func parse(body []byte) ([]channels.Report, error) {
	var batch []json.RawMessage
	if err := json.Unmarshal(body, &batch); err != nil {
		return nil, fmt.Errorf("%w: not an array of events", channels.ErrMalformed)
	}
	reports := make([]channels.Report, 0, len(batch))
	for _, raw := range batch {
		var e event
		if json.Unmarshal(raw, &e) != nil || e.Event == "" {
			reports = append(reports, channels.Report{Key: hashed(raw), Kind: channels.ReportUnread, Raw: raw})
			continue
		}
		reports = append(reports, e.report(raw))
	}
	return reports, nil
}

// hashed is the key of what has none.
func hashed(raw []byte) string {
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// report says what an event means.
func (e *event) report(raw []byte) channels.Report {
	id, _, _ := strings.Cut(string(e.MessageID), ".") // what follows names the filters it passed
	r := channels.Report{
		Key: string(e.EventID), Kind: channels.ReportStatus, At: e.at(), Channel: campaign.Email,
		CorrelationKey: string(e.CorrelationKey), ProviderMessageID: id, Address: string(e.Email), Raw: raw, Status: channels.StatusNoted,
	}
	if r.Key == "" {
		r.Key = hashed(raw)
	}
	switch e.Event {
	case "processed":
		r.Status = campaign.ReportSent
	case "delivered":
		r.Status = campaign.ReportDelivered
	case "open":
		if !e.MachineOpen { // mail programs fetch pictures nobody looks at
			r.Status = campaign.ReportRead
		}
	case "click":
		r.Status = campaign.ReportRead
	case "dropped":
		r.Status, r.Reason, r.Suppress = campaign.ReportFailed, "dropped: "+string(e.Reason), dropSuppresses(string(e.Reason))
	case "bounce":
		r.Status, r.Reason = campaign.ReportBounced, e.why()
		if e.Type == "blocked" { // the server refused us for now; the address may be good
			r.Status = campaign.ReportFailed
		} else {
			r.Suppress = "bounced"
		}
	case "deferred":
		r.Reason = string(e.Response)
	case "spamreport":
		r.Status, r.Suppress = campaign.ReportOptOut, "spam_report"
	case "unsubscribe", "group_unsubscribe":
		r.Status, r.Suppress = campaign.ReportOptOut, "unsubscribed"
	}
	return r
}

func (e *event) why() string {
	return strings.TrimSpace(string(e.Status) + " " + string(e.Reason))
}

// dropSuppresses says why SendGrid will not write to an address any more, ""
// where the reason is the message's.
func dropSuppresses(reason string) string {
	switch strings.ToLower(reason) {
	case "bounced address", "invalid":
		return "bounced"
	case "unsubscribed address":
		return "unsubscribed"
	case "spam reporting address":
		return "spam_report"
	default:
		return ""
	}
}

// at is the event's time, zero if it has none that can be.
func (e *event) at() time.Time {
	const latest = 1 << 33 // the year 2242
	if t := float64(e.Timestamp); t > 0 && t < latest {
		sec, frac := math.Modf(t)
		return time.Unix(int64(sec), int64(frac*1e9)).UTC()
	}
	return time.Time{}
}
