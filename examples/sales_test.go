package examples_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

const (
	emmasIntro    = `2026-11-17 10:00 email "1. Introduction" to emma.fischer@example.com`
	emmasWhatsApp = `2026-11-18 10:00 whatsapp_meta "2. WhatsApp qualification" to +14155550121`
	emmasCall     = `2026-11-19 11:00 twilio "3. Call" to +14155550121`
	glad          = `    Glad to hear that`
	lucasIntro    = `2026-11-17 10:00 email "1. Introduction" to luca.moretti@example.com`
)

func TestSalesFromInterestToAMeeting(t *testing.T) {
	w := newWalk(t, "sales", "S-3001", on(monday)).
		says("2026-11-18 09:00", "Sounds good, tell me more").
		says("2026-11-18 12:00", "We have 35 drivers").
		says("2026-11-18 12:05", "yes, tomorrow is fine").
		says("2026-11-19 11:01", "Thursday would be best")
	done := w.goes("completed success at Meeting booked",
		emmasIntro, glad, emmasWhatsApp,
		`    Thank you, 35 drivers: that is where planning by hand gets expensive`,
		`    Perfect`,
		emmasCall,
		`    Thursday it is`,
	)
	require.Equal(t, `35`, string(done.Results["drivers"]))
	require.Equal(t, `"medium"`, string(done.Results["size"]))
}

func TestSalesSecondCallThenLetters(t *testing.T) {
	newWalk(t, "sales", "S-3001", on(monday)).
		says("2026-11-18 09:00", "yes").
		says("2026-11-18 12:00", "12").
		says("2026-11-18 12:05", "ok").
		ends("2026-11-19 11:01", campaign.SessionNotAnswered, nil).
		ends("2026-11-23 09:01", campaign.SessionDeclined, nil).
		goes("completed failure at Not now",
			emmasIntro, glad, emmasWhatsApp,
			`    Thank you, 12 drivers: that is where planning by hand gets expensive`,
			`    Perfect`,
			emmasCall,
			`2026-11-23 09:00 twilio "3. Call" to +14155550121`, // Friday closes at 15:00
			`2026-11-24 10:00 email_notification "Nurture 1 - guide" to emma.fischer@example.com`,
			`2026-12-07 10:00 email_notification "Nurture 2 - case" to emma.fischer@example.com`,
			`2026-12-18 10:00 email_notification "Nurture 3 - last" to emma.fischer@example.com`,
		)
}

func TestSalesNobodyAnswers(t *testing.T) {
	newWalk(t, "sales", "S-3002", on(monday)).
		goes("completed failure at Not now",
			lucasIntro,
			`2026-11-23 10:00 email_notification "Nurture 1 - guide" to luca.moretti@example.com`,
			`2026-12-04 10:00 email_notification "Nurture 2 - case" to luca.moretti@example.com`,
			`2026-12-15 10:00 email_notification "Nurture 3 - last" to luca.moretti@example.com`,
		)
}

func TestSalesNotReadyAndBackByALetter(t *testing.T) {
	newWalk(t, "sales", "S-3002", on(monday)).
		says("2026-11-18 10:00", "Maybe next quarter").
		says("2026-11-20 11:00", "Now we would like to talk").
		says("2026-11-20 13:00", "stop").
		goes("completed failure at Not interested",
			lucasIntro, `    Of course`,
			`2026-11-19 10:00 email_notification "Nurture 1 - guide" to luca.moretti@example.com`,
			`2026-11-20 12:00 whatsapp_meta "2. WhatsApp qualification" to +14155550122`,
			`    Understood`,
		)
}

func TestSalesNotInterested(t *testing.T) {
	newWalk(t, "sales", "S-3002", on(monday)).
		says("2026-11-17 11:00", "No, thanks").
		goes("completed failure at Not interested", lucasIntro, `    Thank you for the clear answer, Luca Moretti`)
}

func TestSalesAPersonWhereThereIsNoNumber(t *testing.T) {
	newWalk(t, "sales", "S-3003", on(monday)).
		says("2026-11-17 11:00", "Interested!").
		ends("2026-11-17 15:00", campaign.SessionResolvedByOperator, value("OutcomeStatus", "MEETING")).
		goes("completed success at Meeting booked",
			`2026-11-17 10:00 email "1. Introduction" to nora.lindqvist@example.com`,
			glad,
			`2026-11-17 11:00 human "4. A person calls"`,
		)
}
