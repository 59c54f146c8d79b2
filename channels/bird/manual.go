package bird

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
		Tested: "against a fake built from Bird's published specification",
		Hooks: []channels.HookAddress{{
			SetIn:    "one webhook subscription each for `whatsapp.outbound`, `whatsapp.inbound` and `whatsapp.interaction`",
			Verified: "HMAC-SHA256 over timestamp, address and body by the subscriptions' `signing_key`; at most a day old",
		}},
		Reports: []string{campaign.ReportSent, campaign.ReportDelivered, campaign.ReportRead, campaign.ReportFailed, campaign.ReportBounced, campaign.ReportOptOut},
		LookUp:  "by its reference in the list of what was sent to the number, for a quarter of an hour at most, before anybody is asked",
		Limits: []channels.Limit{
			{What: "free text", Value: "4,096 characters", Source: "https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages"},
			{What: "window of free texts", Value: "24 hours from the contact's last message; later answers fail as `policy`", Source: "https://developers.facebook.com/docs/whatsapp/conversation-types"},
			{What: "a request of the webhook", Value: "1 MiB"},
		},
		Causes: []channels.Cause{
			{Class: channels.Config, When: "401, 402, 403, a redirection; 404 of the workspace or the channel"},
			{Class: channels.Template, When: "404 or another 4xx about the project, the template or the locale"},
			{Class: channels.Invalid, When: "any other 4xx, a text too long"},
			{Class: channels.Recipient, When: "4xx about the receiver; what is no phone number"},
			{Class: channels.Policy, When: "an answer outside the window, which is not asked for"},
			{Class: channels.Throttled, When: "429"},
			{Class: channels.Retryable, When: "408, 503, a 5xx with Bird's own error body"},
			{Class: channels.NotSent, When: "no connection"},
			{Class: channels.Unknown, When: "a 5xx of a proxy, no answer, an answer that names no message; a look-up follows"},
		},
	}
}
