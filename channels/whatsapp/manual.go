package whatsapp

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
		Tested: "against a fake built from Meta's published specification",
		Hooks: []channels.HookAddress{{
			SetIn:    "App, WhatsApp, Configuration; subscribe to the fields `messages` and `user_preferences`",
			Verified: "a GET with your `verify_token` once, then HMAC-SHA256 of each body by the `app_secret`",
		}},
		Reports: []string{campaign.ReportSent, campaign.ReportDelivered, campaign.ReportRead, campaign.ReportFailed, campaign.ReportBounced, campaign.ReportOptOut},
		Limits: []channels.Limit{
			{What: "free text", Value: "4,096 characters", Source: "https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages"},
			{What: "window of free texts", Value: "24 hours from the contact's last message; later answers fail as `policy`", Source: "https://developers.facebook.com/docs/whatsapp/conversation-types"},
			{What: "a batch of the webhook", Value: "4 MiB (Meta sends up to 1,000 updates, 3 MB)", Source: "https://developers.facebook.com/docs/graph-api/webhooks/getting-started"},
		},
		Causes: []channels.Cause{
			{Class: channels.Config, When: "401, a redirection; 0, 3, 10, 33, 100 with subcode 33, 190, 200–299, 368, 131005, 131031, 131037, 131042, 131045, 131048, 133xxx"},
			{Class: channels.Template, When: "132000, 132001, 132005, 132007, 132012, 132015, 132016; variables that do not fit"},
			{Class: channels.Invalid, When: "100, 131008, 131009, 131051, 131052, a text too long, any other 4xx"},
			{Class: channels.Recipient, When: "131021, 131026"},
			{Class: channels.OptOut, When: "131050"},
			{Class: channels.Policy, When: "130472, 130497, 131030, 131047, 131049; an answer outside the window, which is not asked for"},
			{Class: channels.Throttled, When: "429; 4, 80007, 130429, 131056, 133016"},
			{Class: channels.Retryable, When: "1, 2, 131000, 131016, 131053, 131057, 408, 503, a 5xx with Meta's own error body"},
			{Class: channels.NotSent, When: "no connection"},
			{Class: channels.Unknown, When: "a 5xx of a proxy, no answer, an answer that names no message"},
		},
	}
}
