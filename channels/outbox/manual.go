package outbox

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
		Guide:   guide,
		Reports: []string{campaign.ReportDelivered, campaign.ReportRead, campaign.ReportFailed, campaign.ReportBounced, campaign.ReportOptOut},
		LookUp:  "by its correlation key",
		Causes:  []channels.Cause{{Class: channels.Retryable, When: "the store is away"}},
	}
}
