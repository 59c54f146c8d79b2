package campaign_test

import (
	"time"

	"carillon/campaign"
)

// stages is a campaign of five: a notification without a wait, one that waits,
// one that completes when delivered, a conversation, a call, and two ends.
func stages() []campaign.Stage {
	day := campaign.Duration(24 * time.Hour)
	stage := func(id, name string, d campaign.Delivery) campaign.Stage {
		return campaign.Stage{ID: id, CampaignID: "ca_1", Name: name, Weight: 1, Delivery: d}
	}
	list := []campaign.Stage{
		stage("st_mail", "Mail", campaign.Delivery{Channel: campaign.EmailNotification, Subject: "s", Template: "t"}),
		stage("st_wait", "Mail and wait", campaign.Delivery{Channel: campaign.EmailNotification, Subject: "s", Template: "t"}),
		stage("st_sure", "Mail delivered", campaign.Delivery{Channel: campaign.EmailNotification, Subject: "s", Template: "t", CompleteOn: "delivered"}),
		stage("st_chat", "Chat", campaign.Delivery{Channel: campaign.Telegram, Agent: "ag_1", Template: "t"}),
		stage("st_call", "Call", campaign.Delivery{Channel: campaign.SIP, Agent: "ag_1"}),
		stage("st_paid", "Paid", campaign.Delivery{Channel: campaign.NoCommunication, StartState: "end"}),
		stage("st_lost", "Lost", campaign.Delivery{Channel: campaign.NoCommunication, StartState: "end"}),
	}
	list[1].SessionTimeout, list[2].SessionTimeout = 3*day, day
	list[5].Outcome, list[6].Outcome = campaign.OutcomeSuccess, campaign.OutcomeFailure
	return list
}
