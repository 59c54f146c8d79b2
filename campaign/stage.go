package campaign

import (
	"slices"
	"strings"
	"time"
)

// Channel is the means by which a stage speaks.
type Channel string

// The nine channels.
const (
	EmailNotification Channel = "email_notification"
	Email             Channel = "email"
	WhatsAppBird      Channel = "whatsapp_bird"
	WhatsAppMeta      Channel = "whatsapp_meta"
	Telegram          Channel = "telegram"
	SIP               Channel = "sip"
	Twilio            Channel = "twilio"
	Human             Channel = "human"
	NoCommunication   Channel = "none"
)

// Channels lists the nine channels in the manual's order.
var Channels = []Channel{EmailNotification, Email, WhatsAppBird, WhatsAppMeta, Telegram, SIP, Twilio, Human, NoCommunication}

// Valid reports whether the channel is one of the nine.
func (c Channel) Valid() bool { return c.Required() != nil }

// Required lists the delivery fields the channel cannot do without; nil for
// an unknown channel. Integrations may be missing in outbox mode.
func (c Channel) Required() []string {
	switch c {
	case EmailNotification:
		return []string{"integration", "subject", "template"}
	case Email:
		return []string{"agent", "subject", "template"}
	case WhatsAppBird:
		return []string{"agent", "project_id", "version", "start_state"}
	case WhatsAppMeta:
		return []string{"agent", "template_name", "start_state"}
	case Telegram, SIP:
		return []string{"agent"}
	case Twilio:
		return []string{"agent", "start_state"}
	case Human:
		return []string{}
	case NoCommunication:
		return []string{"start_state"}
	default:
		return nil
	}
}

// Conversation reports whether the channel opens a session.
func (c Channel) Conversation() bool {
	return c.Valid() && c != EmailNotification && c != NoCommunication
}

// Family returns the channels that reach the contact by the same means, the
// channel among them: who wants no e-mail wants neither kind.
func (c Channel) Family() []Channel {
	for _, family := range [][]Channel{{EmailNotification, Email}, {WhatsAppBird, WhatsAppMeta}, {SIP, Twilio}} {
		if slices.Contains(family, c) {
			return family
		}
	}
	return []Channel{c}
}

// Voice reports whether the channel is a phone call.
func (c Channel) Voice() bool { return c == SIP || c == Twilio }

// Timeout returns how long a session waits for the contact by default.
func (c Channel) Timeout() time.Duration {
	switch c {
	case Human:
		return 7 * 24 * time.Hour
	case SIP, Twilio:
		return time.Hour
	default:
		return 72 * time.Hour
	}
}

// Delivery is how a stage speaks: channel and that channel's settings.
type Delivery struct {
	Channel       Channel           `json:"channel"`
	Integration   string            `json:"integration,omitempty"`
	Agent         string            `json:"agent,omitempty"`
	Subject       string            `json:"subject,omitempty"`
	Template      string            `json:"template,omitempty"`
	Format        string            `json:"format,omitempty"` // text or html
	ProjectID     string            `json:"project_id,omitempty"`
	Version       string            `json:"version,omitempty"`
	TemplateName  string            `json:"template_name,omitempty"`
	Language      string            `json:"language,omitempty"`
	Variables     map[string]string `json:"variables,omitempty"`
	StartState    string            `json:"start_state,omitempty"`
	CompleteOn    string            `json:"complete_on,omitempty"`    // accepted (default) or delivered
	UnknownPolicy string            `json:"unknown_policy,omitempty"` // hold (default) or resend
	WaitForLink   bool              `json:"wait_for_link,omitempty"`
}

func (d *Delivery) field(name string) string {
	switch name {
	case "integration":
		return d.Integration
	case "agent":
		return d.Agent
	case "subject":
		return d.Subject
	case "template":
		return d.Template
	case "project_id":
		return d.ProjectID
	case "version":
		return d.Version
	case "template_name":
		return d.TemplateName
	case "start_state":
		return d.StartState
	default:
		return ""
	}
}

func (d *Delivery) validate(p *problems, at string) {
	if !d.Channel.Valid() {
		p.add(at+".channel", "%q is not one of the nine channels", d.Channel)
		return
	}
	for _, f := range d.Channel.Required() {
		if f != "integration" && d.field(f) == "" {
			p.add(at+"."+f, "channel %s needs it", d.Channel)
		}
	}
	if d.Format != "" && d.Format != "text" && d.Format != "html" {
		p.add(at+".format", "%q is not text or html", d.Format)
	}
	if d.CompleteOn != "" && (d.CompleteOn != "accepted" && d.CompleteOn != "delivered" || d.Channel != EmailNotification) {
		p.add(at+".complete_on", "accepted or delivered, for e-mail notifications only")
	}
	switch {
	case d.UnknownPolicy == "" || d.UnknownPolicy == "hold":
	case d.UnknownPolicy != "resend":
		p.add(at+".unknown_policy", "%q is not hold or resend", d.UnknownPolicy)
	case d.Channel != EmailNotification:
		p.add(at+".unknown_policy", "resend may be chosen for e-mail notifications only: it can send twice")
	}
}

// DefaultLabel names a stage's own delivery among its alternatives.
const DefaultLabel = "default"

// Alternative is a labelled, weighted other Delivery of a stage.
type Alternative struct {
	Label    string   `json:"label"`
	Weight   float64  `json:"weight"`
	Fallback bool     `json:"fallback"`
	Delivery Delivery `json:"delivery"`
}

// Stage is one step of a campaign.
type Stage struct {
	ID             string        `json:"id"`
	CampaignID     string        `json:"campaign_id"`
	Name           string        `json:"name"`
	Description    string        `json:"description"`
	Position       int           `json:"position"`
	SessionTimeout Duration      `json:"session_timeout"`
	SendIf         string        `json:"send_if"`
	Outcome        Outcome       `json:"outcome"`
	Weight         float64       `json:"weight"`
	Delivery       Delivery      `json:"delivery"`
	Alternatives   []Alternative `json:"alternatives"`
	ResultFields   []ResultField `json:"result_fields,omitempty"` // what a person is to find out, beside the agent's
	Paused         bool          `json:"paused"`
	PausedBecause  string        `json:"paused_because,omitempty"` // what the provider refused, if nobody paused it
	Version        int           `json:"version"`
	CreatedAt      time.Time     `json:"created_at"`
	UpdatedAt      time.Time     `json:"updated_at"`
}

// Final reports whether reaching the stage ends a contact.
func (s *Stage) Final() bool { return s.Delivery.Channel == NoCommunication }

// Validate reports every field that breaks a rule; see also [Stage.Misplaced].
func (s *Stage) Validate() error {
	var p problems
	if strings.TrimSpace(s.Name) == "" {
		p.add("name", "a stage needs a name")
	}
	if len(s.Name) > 200 {
		p.add("name", "at most 200 bytes")
	}
	if s.Weight < 0 {
		p.add("weight", "a weight is not below 0")
	}
	if !s.Outcome.Valid() {
		p.add("outcome", "%q is not success, failure or null", s.Outcome)
	}
	if s.Outcome != OutcomeNone && s.Delivery.Channel.Valid() && !s.Final() {
		p.add("outcome", "only a final stage (channel none) sets an outcome")
	}
	p = append(p, ValidateResultFields(s.ResultFields)...)
	s.Delivery.validate(&p, "delivery")
	if s.Final() && len(s.Alternatives) > 0 {
		p.add("alternatives", "a final stage has none")
	}
	sum, labels := s.Weight, map[string]bool{DefaultLabel: true}
	for i := range s.Alternatives {
		a, at := &s.Alternatives[i], "alternatives["+itoa(i)+"]"
		if a.Label == "" {
			p.add(at+".label", "an alternative needs a label")
		} else if labels[a.Label] {
			p.add(at+".label", "%q is taken", a.Label)
		}
		labels[a.Label] = true
		if a.Weight < 0 {
			p.add(at+".weight", "a weight is not below 0")
		}
		if a.Delivery.Channel == NoCommunication {
			p.add(at+".delivery.channel", "an alternative cannot be the end of the campaign")
		}
		a.Delivery.validate(&p, at+".delivery")
		if !a.Fallback {
			sum += a.Weight
		}
	}
	if sum <= 0 && len(p) == 0 {
		p.add("weight", "the weights sum to 0: nothing could ever be drawn")
	}
	return p.err("stage")
}

// Drawn is the delivery that was chosen, with its label and probability.
type Drawn struct {
	Label       string   `json:"label"`
	Probability float64  `json:"probability"`
	Delivery    Delivery `json:"delivery"`
}

// Draw chooses the delivery of a communication: a pure function of the
// contact, the communication and the weights, so a retry, a reset and a
// simulation all draw the same. Fallbacks are never drawn.
func (s *Stage) Draw(contactID, communicationID string) Drawn {
	sum := s.Weight
	for i := range s.Alternatives {
		if !s.Alternatives[i].Fallback {
			sum += s.Alternatives[i].Weight
		}
	}
	if sum <= 0 {
		return Drawn{Label: DefaultLabel, Probability: 1, Delivery: s.Delivery}
	}
	x := hashUnit(contactID, communicationID) * sum
	if x < s.Weight {
		return Drawn{Label: DefaultLabel, Probability: s.Weight / sum, Delivery: s.Delivery}
	}
	x -= s.Weight
	last := Drawn{Label: DefaultLabel, Probability: s.Weight / sum, Delivery: s.Delivery}
	for i := range s.Alternatives {
		a := &s.Alternatives[i]
		if a.Fallback || a.Weight == 0 {
			continue
		}
		last = Drawn{Label: a.Label, Probability: a.Weight / sum, Delivery: a.Delivery}
		if x < a.Weight {
			return last
		}
		x -= a.Weight
	}
	return last
}

// Labelled returns the delivery with the label, and whether it exists.
func (s *Stage) Labelled(label string) (Delivery, bool) {
	if label == DefaultLabel {
		return s.Delivery, true
	}
	for i := range s.Alternatives {
		if s.Alternatives[i].Label == label {
			return s.Alternatives[i].Delivery, true
		}
	}
	return Delivery{}, false
}

// EffectiveTimeout returns how long a communication waits for the contact:
// its own, else the stage's, else the channel's. Zero means it does not wait
// (an e-mail notification without a timeout).
func (s *Stage) EffectiveTimeout(m *Communication, ch Channel) Duration {
	switch {
	case m.Timeout > 0:
		return m.Timeout
	case s.SessionTimeout > 0:
		return s.SessionTimeout
	case ch == EmailNotification:
		return 0
	default:
		return Duration(ch.Timeout())
	}
}
