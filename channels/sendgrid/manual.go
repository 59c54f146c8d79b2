package sendgrid

import (
	_ "embed" // the guide

	"carillon/campaign"
	"carillon/channels"
)

//go:embed guide.md
var guide string

// manual is what the documentation says beside the fields.
func manual() channels.Manual {
	return channels.Manual{
		Guide:  guide,
		Tested: "against a fake built from SendGrid's published specification, and its signatures against SendGrid's published example",
		Hooks: []channels.HookAddress{{
			Path: "/events", SetIn: "Mail Settings, Event Webhook, with *Signed Event Webhook* on; all events but Group Unsubscribes and Resubscribes",
			Verified: "ECDSA over timestamp and body by `event_public_key`, the *Verification Key* shown there",
		}, {
			Path: "/inbound", SetIn: "Settings, Inbound Parse, for the `reply_domain`, with a security policy that signs; *POST the raw, full MIME message* on or off",
			Verified: "ECDSA over timestamp and body by `inbound_public_key`, the public key of that policy",
		}},
		Reports: []string{campaign.ReportSent, campaign.ReportDelivered, campaign.ReportRead, campaign.ReportFailed, campaign.ReportBounced, campaign.ReportOptOut},
		Limits: []channels.Limit{
			{What: "text of a message", Value: "10 MiB (ours: SendGrid takes 30 MB in all, and HTML is sent as text too)", Source: "https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations"},
			{What: "a batch of events", Value: "8 MiB"},
			{What: "a letter that comes in, with its files", Value: "30 MiB", Source: "https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook"},
			{What: "text of such a letter", Value: "50,000 bytes are kept; the rest is left out, and it says so"},
		},
		Causes: []channels.Cause{
			{Class: channels.Config, When: "401, 402, 403, 404, 405, 406, 407, 410, 451, a redirection; 400 about the sender"},
			{Class: channels.Invalid, When: "400 and every other 4xx; a text too long, which is not asked for"},
			{Class: channels.Recipient, When: "400 about the address"},
			{Class: channels.Throttled, When: "429; 403 “too many bad requests”"},
			{Class: channels.Retryable, When: "408, 503, a 5xx with SendGrid's own error body"},
			{Class: channels.NotSent, When: "no connection"},
			{Class: channels.Unknown, When: "a 5xx of a proxy, no answer, an answer that names no message"},
		},
	}
}
