package channels

import (
	"slices"
	"time"

	"carillon/campaign"
)

// Field describes one thing a user fills in.
type Field struct {
	Name     string   `json:"name"`
	Label    string   `json:"label"`
	Hint     string   `json:"hint,omitempty"`
	Required bool     `json:"required"`
	Secret   bool     `json:"secret,omitempty"`
	Values   []string `json:"values,omitempty"`  // the only ones allowed, if any
	Kind     string   `json:"kind,omitempty"`    // what it holds: one of the Kind constants, "" is any text
	Default  string   `json:"default,omitempty"` // what counts if it is not set
}

// Description is a provider about itself: REST, validation, the console's forms
// and the documentation are made from it.
type Description struct {
	Provider string             `json:"provider"` // as in campaign.Integration
	Name     string             `json:"name"`
	Channels []campaign.Channel `json:"channels"`
	Settings []Field            `json:"settings"`
	Secrets  []Field            `json:"secrets"`
	// NoReports says that the provider never tells that a message was delivered.
	NoReports bool `json:"no_reports,omitempty"`
	// Manual is what the provider's page in docs/channels says beside the fields.
	Manual Manual `json:"-"`
}

// Serves reports whether the provider carries the channel.
func (d Description) Serves(ch campaign.Channel) bool { return slices.Contains(d.Channels, ch) }

// Complete reports, as a [*Failure] of class [Config], the first required
// setting or secret that an integration lacks. Providers ask it when they are opened.
func (d Description) Complete(i campaign.Integration, secrets map[string]campaign.Secret) error {
	for _, f := range d.Settings {
		if f.Required && i.Settings[f.Name] == "" {
			return Fail(Config, "incomplete", "the integration %q has no %s", i.Name, f.Name)
		}
	}
	for _, f := range d.Secrets {
		if f.Required && secrets[f.Name] == "" {
			return Fail(Config, "incomplete", "the integration %q has no secret %s", i.Name, f.Name)
		}
	}
	return nil
}

// ChannelInfo describes a channel: the fields of its deliveries and what it can do.
type ChannelInfo struct {
	Channel   campaign.Channel `json:"channel"`
	Name      string           `json:"name"`
	Fields    []Field          `json:"fields"`
	Address   string           `json:"address"` // the contact's field it writes to, "" if none
	TwoWay    bool             `json:"two_way"`
	Session   bool             `json:"session"`
	Voice     bool             `json:"voice"`
	Receipts  bool             `json:"receipts"` // tells that a message was delivered or read
	Template  bool             `json:"template"` // opens with a template the provider approved
	Providers []string         `json:"providers"`
	// Window is how long after the contact's last message free texts may be sent; 0: always.
	Window campaign.Duration `json:"window,omitempty"`
}

// WhatsAppWindow is how long after the contact's last message WhatsApp takes free
// texts: https://developers.facebook.com/docs/whatsapp/conversation-types
const WhatsAppWindow = 24 * time.Hour

// Window returns how long after the contact's last message free texts may be sent
// on the channel; 0 is always.
func Window(ch campaign.Channel) time.Duration {
	if ch == campaign.WhatsAppBird || ch == campaign.WhatsAppMeta {
		return WhatsAppWindow
	}
	return 0
}

// deliveryFields describes every field a delivery may have.
var deliveryFields = map[string]Field{
	"integration":    {Label: "Integration", Hint: "Whose account sends; not needed in outbox mode."},
	"agent":          {Label: "Agent", Hint: "Who talks in the session."},
	"subject":        {Label: "Subject", Hint: "Liquid, such as: Your invoice {{ parameters.invoice }}"},
	"template":       {Label: "Template", Hint: "The message, in Liquid, such as: Hello {{ name }}"},
	"format":         {Label: "Format", Hint: "text is the default; in html every value is escaped.", Values: []string{"text", "html"}},
	"project_id":     {Label: "Project ID", Hint: "The project of the template in Bird."},
	"version":        {Label: "Version", Hint: "The version of that project."},
	"template_name":  {Label: "Template name", Hint: "The template's name as Meta approved it."},
	"language":       {Label: "Language", Hint: "The template's language, such as en_US."},
	"variables":      {Label: "Variables", Hint: "The template's variables, each of them Liquid."},
	"start_state":    {Label: "Start state", Hint: "Where the agent begins; a communication may set its own."},
	"complete_on":    {Label: "Complete on", Hint: "When the notification counts as done; accepted is the default.", Values: []string{"accepted", "delivered"}},
	"unknown_policy": {Label: "Unknown outcome", Hint: "hold asks a person; resend may send twice.", Values: []string{"hold", "resend"}},
	"wait_for_link":  {Label: "Wait for link", Hint: "A contact without a chat is waited for until it has opened {{ telegram_link }}, as long as its session would last.", Values: []string{"true", "false"}},
}

// describeChannel returns what is true of a channel whoever carries it.
func describeChannel(ch campaign.Channel) ChannelInfo {
	info := ChannelInfo{
		Channel: ch, Address: addressField(ch),
		TwoWay: ch.Conversation(), Session: ch.Conversation(), Voice: ch.Voice(), Window: campaign.Duration(Window(ch)),
		Fields: []Field{}, Providers: []string{},
	}
	var optional []string
	switch ch {
	case campaign.EmailNotification:
		info.Name, info.Receipts = "E-mail notification", true
		optional = []string{"format", "complete_on", "unknown_policy"}
	case campaign.Email:
		info.Name, info.Receipts = "E-mail conversation", true
		optional = []string{"integration", "format", "start_state"}
	case campaign.WhatsAppBird:
		info.Name, info.Receipts, info.Template = "WhatsApp (Bird)", true, true
		optional = []string{"integration", "language", "variables", "template"}
	case campaign.WhatsAppMeta:
		info.Name, info.Receipts, info.Template = "WhatsApp (Meta)", true, true
		optional = []string{"integration", "language", "variables", "template"}
	case campaign.Telegram:
		info.Name = "Telegram"
		optional = []string{"integration", "template", "start_state", "wait_for_link"}
	case campaign.SIP:
		info.Name = "Call (SIP)"
		optional = []string{"integration", "template", "start_state"}
	case campaign.Twilio:
		info.Name = "Call (Twilio)"
		optional = []string{"integration", "template"}
	case campaign.Human:
		info.Name = "Human"
	case campaign.NoCommunication:
		info.Name = "No communication"
	}
	for _, name := range ch.Required() {
		f := deliveryFields[name]
		f.Name, f.Required = name, true
		info.Fields = append(info.Fields, f)
	}
	for _, name := range optional {
		f := deliveryFields[name]
		f.Name = name
		info.Fields = append(info.Fields, f)
	}
	return info
}
