package whatsapp

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/channels"
)

// hookLimit bounds a batch: Meta sends up to 1,000 updates at once, of at most 3 MB.
const hookLimit = 4 << 20

// hook receives the webhook of one integration:
// https://developers.facebook.com/docs/graph-api/webhooks/getting-started
type hook struct {
	number, account string
	secret, token   func() string
}

// OpenHook implements [channels.HookProvider].
func (Provider) OpenHook(i campaign.Integration, d channels.Deps) (channels.Hook, error) {
	for _, name := range []string{"app_secret", "verify_token"} {
		if d.Secrets[name] == "" {
			return nil, channels.Fail(channels.Config, "no_"+name, "secrets.%s is missing: without it nobody can tell Meta's webhook from a forged one", name)
		}
	}
	return &hook{number: i.Settings["phone_number_id"], account: i.Settings["waba_id"], secret: d.Secrets["app_secret"].Reveal, token: d.Secrets["verify_token"].Reveal}, nil
}

// Limit implements [channels.Hook].
func (h *hook) Limit(string) int64 { return hookLimit }

// Receive implements [channels.Hook]. A GET proves to Meta that the address is
// ours; a POST brings messages and statuses, repeated for up to seven days with
// the signature it first had, so an old one is good and its ids make it harmless.
func (h *hook) Receive(_ context.Context, r *channels.HookRequest) ([]channels.Report, channels.HookAnswer, error) {
	var none channels.HookAnswer
	if r.Path != "" && r.Path != "/" {
		return nil, none, fmt.Errorf("%w: %s is no webhook of Meta", channels.ErrForged, r.Path)
	}
	switch r.Method {
	case http.MethodGet:
		if r.Query.Get("hub.mode") != "subscribe" || subtle.ConstantTimeCompare([]byte(r.Query.Get("hub.verify_token")), []byte(h.token())) != 1 {
			return nil, none, channels.ErrForged
		}
		return nil, channels.HookAnswer{ContentType: "text/plain; charset=utf-8", Body: []byte(r.Query.Get("hub.challenge"))}, nil
	case http.MethodPost:
	default:
		return nil, none, fmt.Errorf("%w: %s", channels.ErrForged, r.Method)
	}
	if !verify(h.secret(), r.Header.Get("X-Hub-Signature-256"), r.Body) {
		return nil, none, channels.ErrForged
	}
	reports, err := h.parse(r.Body)
	return reports, none, err
}

// verify checks HMAC-SHA256 over the raw body.
func verify(secret, signature string, body []byte) bool {
	given, err := hex.DecodeString(strings.TrimPrefix(signature, "sha256="))
	if err != nil || !strings.HasPrefix(signature, "sha256=") {
		return false
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hmac.Equal(given, mac.Sum(nil))
}

type payload struct {
	Entry []struct {
		ID      string `json:"id"`
		Changes []struct {
			Field string          `json:"field"`
			Value json.RawMessage `json:"value"`
		} `json:"changes"`
	} `json:"entry"`
}

type value struct {
	Metadata struct {
		NumberID string `json:"phone_number_id"`
	} `json:"metadata"`
	Contacts []struct {
		WaID    string `json:"wa_id"`
		UserID  string `json:"user_id"`
		Profile struct {
			Name string `json:"name"`
		} `json:"profile"`
	} `json:"contacts"`
	Messages    []json.RawMessage `json:"messages"`
	Statuses    []json.RawMessage `json:"statuses"`
	Preferences []json.RawMessage `json:"user_preferences"`
}

// parse reads a batch. What is of another number or account is not ours; what
// cannot be read is kept as it came and does not keep the others.
func (h *hook) parse(body []byte) ([]channels.Report, error) {
	var p payload
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, fmt.Errorf("%w: not a payload of WhatsApp", channels.ErrMalformed)
	}
	var reports []channels.Report
	for _, entry := range p.Entry {
		for _, change := range entry.Changes {
			var v value
			if change.Field != "messages" && change.Field != "user_preferences" {
				if h.account == "" || entry.ID == h.account {
					reports = append(reports, unread(change.Value)) // kept: a template's or an account's news
				}
				continue
			}
			if json.Unmarshal(change.Value, &v) != nil || v.Metadata.NumberID == "" {
				reports = append(reports, unread(change.Value))
				continue
			}
			if v.Metadata.NumberID != h.number {
				continue
			}
			if len(v.Statuses)+len(v.Preferences)+len(v.Messages) == 0 { // errors of the number
				reports = append(reports, unread(change.Value))
			}
			for _, raw := range v.Statuses {
				reports = append(reports, status(raw)...)
			}
			for _, raw := range v.Preferences {
				reports = append(reports, preference(raw))
			}
			for _, raw := range v.Messages {
				if r, ok := inbound(raw, &v); ok {
					reports = append(reports, r)
				}
			}
		}
	}
	return reports, nil
}

func unread(raw []byte) channels.Report {
	sum := sha256.Sum256(raw)
	return channels.Report{Key: "sha256:" + hex.EncodeToString(sum[:]), Kind: channels.ReportUnread, Channel: campaign.WhatsAppMeta, Raw: raw}
}

// moment reads Meta's time: seconds since 1970 as text, now and then milliseconds.
func moment(text stamp) time.Time {
	n, err := strconv.ParseInt(string(text), 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n > 1e12:
		return time.UnixMilli(n).UTC()
	default:
		return time.Unix(n, 0).UTC()
	}
}

// stamp is a time of Meta's: a text in most places, a number in some.
type stamp string

// UnmarshalJSON takes a text, a number, or nothing.
func (t *stamp) UnmarshalJSON(b []byte) error {
	*t = stamp(strings.Trim(string(b), `"`))
	return nil
}

// status says what became of a message of ours. One that did not arrive because
// the person has stopped such messages is two things: it failed, and they are to
// be left alone.
func status(raw []byte) []channels.Report {
	var s struct {
		ID          string    `json:"id"`
		Status      string    `json:"status"`
		Timestamp   stamp     `json:"timestamp"`
		RecipientID string    `json:"recipient_id"`
		UserID      string    `json:"recipient_user_id"` // the business-scoped one
		Correlation string    `json:"biz_opaque_callback_data"`
		Errors      []problem `json:"errors"`
	}
	if json.Unmarshal(raw, &s) != nil || s.ID == "" || s.Status == "" {
		return []channels.Report{unread(raw)}
	}
	r := channels.Report{
		Key: s.ID + "|" + s.Status + "|" + string(s.Timestamp), Kind: channels.ReportStatus, At: moment(s.Timestamp), Channel: campaign.WhatsAppMeta,
		CorrelationKey: s.Correlation, ProviderMessageID: s.ID, Address: phone(s.RecipientID), Raw: raw, Status: channels.StatusNoted,
	}
	if s.UserID != "" {
		r.Identity = &channels.Identity{UserID: s.UserID}
	}
	switch s.Status {
	case "sent":
		r.Status = campaign.ReportSent
	case "delivered":
		r.Status = campaign.ReportDelivered
	case "read", "played":
		r.Status = campaign.ReportRead
	case "failed":
		r.Status = campaign.ReportFailed
		if len(s.Errors) > 0 {
			e := &s.Errors[0]
			r.Reason = strconv.Itoa(e.Code) + " " + e.text()
			switch class(http.StatusBadRequest, e.Code) { //nolint:exhaustive // the others say nothing about the address
			case channels.OptOut:
				return []channels.Report{r, stopped(r)}
			case channels.Recipient:
				r.Status, r.Suppress = campaign.ReportBounced, "bounced"
			case channels.Config:
				r.Breaks = e.Code != 0
			}
		}
	}
	return []channels.Report{r}
}

// stopped is the second thing that a failed message tells.
func stopped(r channels.Report) channels.Report {
	r.Key, r.Status, r.Suppress = r.Key+"|opt_out", campaign.ReportOptOut, "opt_out"
	return r
}

// preference reads that a person stops marketing messages, by a button of
// WhatsApp's own. That they take them again is only noted: whoever suppressed an
// address lifts that. See
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences
func preference(raw []byte) channels.Report {
	var p struct {
		WaID      string `json:"wa_id"`
		UserID    string `json:"user_id"`
		Category  string `json:"category"`
		Value     string `json:"value"`
		Detail    string `json:"detail"`
		Timestamp stamp  `json:"timestamp"`
	}
	if json.Unmarshal(raw, &p) != nil || orElse(p.WaID, p.UserID) == "" {
		return unread(raw)
	}
	r := channels.Report{
		Key: "preference|" + orElse(p.WaID, p.UserID) + "|" + p.Category + "|" + p.Value + "|" + string(p.Timestamp), Kind: channels.ReportIdentity,
		At: moment(p.Timestamp), Channel: campaign.WhatsAppMeta, Address: phone(orElse(p.WaID, p.UserID)), Raw: raw, Reason: p.Detail,
		Identity: &channels.Identity{UserID: p.UserID, Blocked: p.Value == "stop"},
	}
	if r.Identity.Blocked {
		r.Status, r.Suppress = campaign.ReportOptOut, "opt_out"
	}
	return r
}

// phone is a number as contacts have it.
func phone(waID string) string {
	if waID == "" || strings.Trim(waID, "0123456789") != "" { // a user's id that is no number
		return waID
	}
	return "+" + waID
}

// inbound reads a message of a contact; false for what nobody said to us.
func inbound(raw []byte, v *value) (channels.Report, bool) {
	var m message
	if json.Unmarshal(raw, &m) != nil || m.ID == "" {
		return unread(raw), true
	}
	if m.GroupID != "" {
		return channels.Report{}, false
	}
	r := channels.Report{
		Key: m.ID, Kind: channels.ReportMessage, At: moment(m.Timestamp), Channel: campaign.WhatsAppMeta,
		Address: phone(orElse(m.From, m.FromUser)), Raw: raw, Inbound: &channels.Inbound{},
	}
	if m.Context.ID != "" {
		r.ProviderMessageID, r.Inbound.Threads = m.Context.ID, []string{m.Context.ID}
	}
	for i := range v.Contacts {
		if c := &v.Contacts[i]; c.WaID == m.From && c.WaID != "" || c.UserID == m.FromUser && c.UserID != "" {
			r.Inbound.Name = c.Profile.Name
		}
	}
	if id := m.moved(); id != nil {
		r.Kind, r.Inbound, r.Identity, r.Address = channels.ReportIdentity, nil, id, phone(orElse(m.System.WaID, m.System.NewID))
		return r, true
	}
	if m.FromUser != "" {
		r.Identity = &channels.Identity{UserID: m.FromUser, Name: r.Inbound.Name}
	}
	r.Inbound.Content, r.Inbound.Files = m.said()
	if r.Inbound.Content == "" && len(r.Inbound.Files) == 0 { // a reaction taken back, a system's notice
		r.Kind, r.Inbound, r.Identity = channels.ReportUnread, nil, nil
	}
	return r, true
}
