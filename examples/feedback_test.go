package examples_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

const (
	idasInvitation = `2026-11-17 10:00 email_notification "1. Survey invitation" to ida.nowak@example.com`
	idasReminder   = `2026-11-20 17:00 whatsapp_meta "3. WhatsApp reminder" to +14155550131`
	bensInvitation = `2026-11-17 10:00 email_notification "1. Survey invitation" to ben.okafor@example.com`
	bensCall       = `2026-11-20 11:00 twilio "2. Call" to +14155550132`
)

func TestFeedbackOnTheWeb(t *testing.T) {
	w := newWalk(t, "feedback", "O-4001", on(monday)).
		news("2026-11-18 21:00", value("rating", 5))
	done := w.goes("completed success at Participated",
		idasInvitation,
		`2026-11-19 09:00 email_notification "4. Thank you" to ida.nowak@example.com`,
	)
	require.Equal(t, `"web"`, string(done.Results["answered_on"]))
}

func TestFeedbackUnhappyOnTheWeb(t *testing.T) {
	newWalk(t, "feedback", "O-4001", on(monday)).
		news("2026-11-18 12:00", value("rating", 1)).
		ends("2026-11-18 15:00", campaign.SessionResolvedByOperator, nil).
		goes("completed success at Participated",
			idasInvitation,
			`2026-11-18 12:00 human "5. Call an unsatisfied customer"`,
			`2026-11-18 15:00 email_notification "4. Thank you" to ida.nowak@example.com`,
		)
}

func TestFeedbackOnWhatsApp(t *testing.T) {
	w := newWalk(t, "feedback", "O-4001", on(monday)).
		says("2026-11-20 18:00", "hm").
		says("2026-11-20 18:01", "4 of 5").
		says("2026-11-20 18:02", "It could be louder")
	done := w.goes("completed success at Participated",
		idasInvitation, idasReminder,
		`    A number from 1 to 5 would help us`,
		`    Thank you! Is there something you would like to add?`,
		`    Thank you, Ida Nowak`,
		`2026-11-20 18:02 email_notification "4. Thank you" to ida.nowak@example.com`,
	)
	require.Equal(t, `4`, string(done.Results["rating"]))
	require.Equal(t, `"It could be louder"`, string(done.Results["comment"]))
	require.Equal(t, `"whatsapp_meta"`, string(done.Results["answered_on"]))
}

func TestFeedbackImportantCustomersAreCalled(t *testing.T) {
	newWalk(t, "feedback", "O-4002", on(monday)).
		says("2026-11-20 11:01", "I would say 2").
		says("2026-11-20 11:02", "no").
		ends("2026-11-21 10:30", campaign.SessionResolvedByOperator, nil).
		goes("completed success at Participated",
			bensInvitation, bensCall,
			`    I am sorry to hear that`,
			`    Thank you for your time, Ben Okafor`,
			`2026-11-20 11:02 human "5. Call an unsatisfied customer"`,
			`2026-11-21 10:30 email_notification "4. Thank you" to ben.okafor@example.com`,
		)
}

func TestFeedbackImportantCustomerNotReached(t *testing.T) {
	newWalk(t, "feedback", "O-4002", on(monday)).
		ends("2026-11-20 11:01", campaign.SessionNotAnswered, nil).
		goes("completed failure at No answer",
			bensInvitation, bensCall,
			`2026-11-20 17:00 whatsapp_meta "3. WhatsApp reminder" to +14155550132`,
		)
}

func TestFeedbackNotAskedAgain(t *testing.T) {
	newWalk(t, "feedback", "O-4003", on(monday)).
		says("2026-11-23 09:30", "Stop!").
		goes("completed failure at No answer",
			`2026-11-18 10:00 email_notification "1. Survey invitation" to mia.haas@example.com`,
			`2026-11-23 09:00 whatsapp_meta "3. WhatsApp reminder" to +14155550133`, // Saturday closes at 16:00,
			`    Understood`,
		)
}

// The web's answer comes while the reminder on WhatsApp is open.
func TestFeedbackOnTheWebAfterAReminder(t *testing.T) {
	newWalk(t, "feedback", "O-4001", on(monday)).
		news("2026-11-21 12:00", value("rating", 3)).
		goes("completed success at Participated",
			idasInvitation, idasReminder,
			`2026-11-21 12:00 email_notification "4. Thank you" to ida.nowak@example.com`,
		)
}
