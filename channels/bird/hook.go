package bird

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/channels"
)

// maxAge is how old a signed request may be. Bird repeats what was not accepted
// for a day with the timestamp it first had, so a shorter time would lose
// messages after an outage; ids make a replay harmless.
const maxAge = 24*time.Hour + 15*time.Minute

// hook receives the webhook subscriptions of one integration:
// https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions
type hook struct {
	channel string
	key     func() string
	now     func() time.Time
}

// OpenHook implements [channels.HookProvider].
func (Provider) OpenHook(i campaign.Integration, d channels.Deps) (channels.Hook, error) {
	if d.Secrets["signing_key"] == "" {
		return nil, channels.Fail(channels.Config, "no_signing_key", "secrets.signing_key is missing: without it nobody can tell Bird's webhook from a forged one")
	}
	return &hook{channel: i.Settings["channel_id"], key: d.Secrets["signing_key"].Reveal, now: d.Clock}, nil
}

// Limit implements [channels.Hook].
func (h *hook) Limit(string) int64 { return channels.HookLimit }

// Receive implements [channels.Hook].
func (h *hook) Receive(_ context.Context, r *channels.HookRequest) ([]channels.Report, channels.HookAnswer, error) {
	var none channels.HookAnswer
	if r.Method != http.MethodPost || r.Path != "" && r.Path != "/" {
		return nil, none, fmt.Errorf("%w: %s %s is no webhook of Bird", channels.ErrForged, r.Method, r.Path)
	}
	stamp := r.Header.Get("messagebird-request-timestamp")
	if !verify(h.key(), stamp, r.URL, r.Header.Get("messagebird-signature"), r.Body) {
		return nil, none, channels.ErrForged
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return nil, none, channels.ErrForged
	}
	if age := h.now().Sub(time.Unix(seconds, 0)); age > maxAge || age < -maxAge {
		return nil, none, channels.ErrStale
	}
	var e event
	if err := json.Unmarshal(r.Body, &e); err != nil {
		return nil, none, fmt.Errorf("%w: not an event of Bird", channels.ErrMalformed)
	}
	if e.Payload.ChannelID != "" && e.Payload.ChannelID != h.channel {
		return nil, none, nil // of another channel of the workspace
	}
	return e.reports(r.Body), none, nil
}

// verify checks HMAC-SHA256 over the timestamp, the address and the body's hash.
func verify(key, stamp, address, signature string, body []byte) bool {
	given, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || stamp == "" {
		return false
	}
	sum := sha256.Sum256(body)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(stamp + "\n" + address + "\n"))
	mac.Write(sum[:])
	return hmac.Equal(given, mac.Sum(nil))
}

type event struct {
	Event   string `json:"event"` // whatsapp.inbound, whatsapp.outbound, whatsapp.interaction
	Payload struct {
		ID           string `json:"id"`
		MessageID    string `json:"messageId"` // of an interaction
		ChannelID    string `json:"channelId"`
		Reference    string `json:"reference"`
		Status       string `json:"status"`
		Type         string `json:"type"` // of an interaction
		Reason       string `json:"reason"`
		LastStatusAt moment `json:"lastStatusAt"`
		CreatedAt    moment `json:"createdAt"`
		Failure      struct {
			Code        code   `json:"code"`
			Description string `json:"description"`
			Source      struct {
				Code code   `json:"code"` // of the platform behind Bird: Meta's
				Name string `json:"name"`
			} `json:"source"`
		} `json:"failure"`
		Body    said `json:"body"`
		ReplyTo struct {
			ID string `json:"id"`
		} `json:"replyTo"`
		Meta struct {
			Extra struct {
				UserID string `json:"whatsappbsuid"` // the business-scoped one
			} `json:"extraInformation"`
		} `json:"meta"`
		Sender struct {
			Contact person `json:"contact"`
		} `json:"sender"`
		Receiver struct {
			Contacts []person `json:"contacts"`
		} `json:"receiver"`
	} `json:"payload"`
}

type person struct {
	identifier
	Others      []identifier `json:"identifiers"`
	Annotations struct {
		Name string `json:"name"`
	} `json:"annotations"`
}

type identifier struct {
	Key   string `json:"identifierKey"`
	Value string `json:"identifierValue"`
}

// address is the person's number if Bird knows it, else the id that WhatsApp gives
// who hides theirs.
func (p *person) address() string {
	for _, i := range append([]identifier{p.identifier}, p.Others...) {
		if i.Key == "phonenumber" && i.Value != "" {
			return i.Value
		}
	}
	return p.Value
}

// userID is the id that WhatsApp gives a person who hides the number, "" if it is
// not told.
func (p *person) userID() string {
	for _, i := range append([]identifier{p.identifier}, p.Others...) {
		if i.Key == "whatsappbsuid" {
			return i.Value
		}
	}
	return ""
}

// code is one that is written as a number or as a text.
type code string

// UnmarshalJSON takes a number, a text, or nothing.
func (c *code) UnmarshalJSON(b []byte) error {
	if text := strings.Trim(string(b), `"`); text != "null" {
		*c = code(text)
	}
	return nil
}

// moment is a time, zero if it cannot be read: what happened counts for more.
type moment struct{ time.Time }

// UnmarshalJSON takes a time or nothing.
func (m *moment) UnmarshalJSON(b []byte) error {
	if t, err := time.Parse(`"`+time.RFC3339Nano+`"`, string(b)); err == nil {
		m.Time = t
	}
	return nil
}

// reports says what an event tells: one thing, or two where the person has
// stopped the messages, one of which did not arrive for it.
func (e *event) reports(raw []byte) []channels.Report {
	r := e.report(raw)
	if r.Status != campaign.ReportFailed || e.Payload.Failure.Source.Code != stopped {
		return []channels.Report{r}
	}
	left := r
	left.Key, left.Status, left.Suppress = r.Key+"|opt_out", campaign.ReportOptOut, "opt_out"
	return []channels.Report{r, left}
}

func (e *event) report(raw []byte) channels.Report {
	p := &e.Payload
	r := channels.Report{Channel: campaign.WhatsAppBird, Raw: raw}
	switch {
	case e.Event == "whatsapp.inbound" && p.ID != "":
		r.Key, r.Kind, r.At, r.Address = p.ID, channels.ReportMessage, p.CreatedAt.Time, p.Sender.Contact.address()
		r.Inbound = &channels.Inbound{Name: p.Sender.Contact.Annotations.Name}
		r.Inbound.Content, r.Inbound.Files = p.Body.words()
		if p.ReplyTo.ID != "" {
			r.ProviderMessageID, r.Inbound.Threads = p.ReplyTo.ID, []string{p.ReplyTo.ID}
		}
		if id := orElse(p.Meta.Extra.UserID, p.Sender.Contact.userID()); id != "" {
			r.Identity = &channels.Identity{UserID: id, Name: r.Inbound.Name}
			r.Address = orElse(r.Address, id)
		}
		if r.Inbound.Content == "" {
			r.Kind, r.Inbound, r.Identity = channels.ReportUnread, nil, nil
		}
	case e.Event == "whatsapp.outbound" && p.ID != "":
		r.Key, r.At = p.ID+"|"+p.Status+"|"+p.LastStatusAt.UTC().Format(time.RFC3339Nano), p.LastStatusAt.Time
		r.Kind, r.ProviderMessageID, r.CorrelationKey = channels.ReportStatus, p.ID, p.Reference
		if len(p.Receiver.Contacts) > 0 {
			r.Address = p.Receiver.Contacts[0].address()
		}
		e.status(&r)
	case e.Event == "whatsapp.interaction" && p.MessageID != "":
		r.Key, r.At = p.MessageID+"|"+p.Type+"|"+p.ID, p.CreatedAt.Time
		r.Kind, r.ProviderMessageID, r.Status = channels.ReportStatus, p.MessageID, channels.StatusNoted
		if p.Type == "read" || p.Type == "seen" {
			r.Status = campaign.ReportRead
		}
	default:
		sum := sha256.Sum256(raw)
		r.Key, r.Kind = "sha256:"+hex.EncodeToString(sum[:]), channels.ReportUnread
	}
	return r
}

// Codes of failures: Bird's own of an unknown subscriber, and two of Meta's.
const (
	unknownSubscriber code = "15005"
	undeliverable     code = "131026"
	stopped           code = "131050" // the person has stopped marketing messages
)

// ofAccount are the codes of Meta's that every message of the account would meet:
// https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes
var ofAccount = []code{"190", "368", "131005", "131031", "131037", "131042", "131045", "131048"}

// status says what a status of Bird's means.
func (e *event) status(r *channels.Report) {
	p := &e.Payload
	r.Status = channels.StatusNoted
	switch p.Status {
	case "sent":
		r.Status = campaign.ReportSent
	case "delivered":
		r.Status = campaign.ReportDelivered
	case "read", "seen":
		r.Status = campaign.ReportRead
	case "skipped":
		r.Status, r.Reason = campaign.ReportFailed, "skipped by Bird: "+orElse(p.Reason, p.Failure.Description)
	case "sending_failed", "delivery_failed", "rejected":
		r.Status = campaign.ReportFailed
		because := &p.Failure
		r.Reason = strings.Join(strings.Fields(strings.Join([]string{string(because.Code), orElse(because.Description, p.Reason), string(because.Source.Code)}, " ")), " ")
		if because.Code == unknownSubscriber || because.Source.Code == undeliverable {
			r.Status, r.Suppress = campaign.ReportBounced, "bounced"
		}
		r.Breaks = slices.Contains(ofAccount, because.Source.Code)
	}
}

// said is the body of a message in whichever form.
type said struct {
	Type string `json:"type"`
	Text struct {
		Text string `json:"text"`
	} `json:"text"`
	Image struct {
		Text   string  `json:"text"`
		Images []media `json:"images"`
	} `json:"image"`
	File struct {
		Text  string  `json:"text"`
		Files []media `json:"files"`
	} `json:"file"`
	Location struct {
		Coordinates struct {
			Latitude  float64 `json:"latitude"`
			Longitude float64 `json:"longitude"`
		} `json:"coordinates"`
	} `json:"location"`
	Reply struct {
		Text string `json:"text"`
	} `json:"reply"`
}

type media struct {
	URL  string `json:"mediaUrl"`
	Type string `json:"contentType"`
	Name string `json:"filename"`
}

// words is what the contact says, and the media that come with it, as references.
func (s *said) words() (string, []channels.File) {
	var lines []string
	for _, text := range []string{s.Text.Text, s.Image.Text, s.File.Text, s.Reply.Text} {
		if text = strings.TrimSpace(text); text != "" {
			lines = append(lines, text)
		}
	}
	if s.Type == "location" {
		lines = append(lines, fmt.Sprintf("(%g, %g)", s.Location.Coordinates.Latitude, s.Location.Coordinates.Longitude))
	}
	var files []channels.File
	for _, f := range append(s.Image.Images, s.File.Files...) {
		files = append(files, channels.File{Name: f.Name, Type: f.Type, URL: f.URL})
		if len(lines) == 0 {
			lines = append(lines, "["+orElse(f.Name, s.Type)+"]")
		}
	}
	if len(lines) == 0 && s.Type != "" && s.Type != "text" { // a card, an order: somebody wrote
		lines = append(lines, "["+s.Type+" message]")
	}
	return strings.Join(lines, "\n"), files
}
