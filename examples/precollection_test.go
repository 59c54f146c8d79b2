package examples_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

const (
	annasEmail    = `2026-12-10 10:00 email_notification "1. Reminder e-mail" to anna.becker@example.com`
	annasWhatsApp = `2026-12-14 11:00 whatsapp_meta "2. WhatsApp message" to +14155550111`
	annasCall     = `2026-12-17 10:30 twilio "3. Phone call" to +14155550111`
	annasLetter   = `2026-12-19 09:00 email_notification "4. Missed payment" to anna.becker@example.com`
)

func TestPreCollectionPaidAfterTheFirstReminder(t *testing.T) {
	newWalk(t, "pre-collection", "L-2001", on("2026-12-01 12:00")).
		news("2026-12-11 09:00", value("paid", true)).
		goes("completed success at Paid", annasEmail)
}

func TestPreCollectionMissed(t *testing.T) {
	w := newWalk(t, "pre-collection", "L-2001", on("2026-12-01 12:00")).
		ends("2026-12-17 10:31", campaign.SessionNotAnswered, nil).
		ends("2026-12-17 13:32", campaign.SessionBusy, nil)
	w.goes("completed failure at Overdue",
		annasEmail, annasWhatsApp, annasCall,
		`2026-12-17 13:31 twilio "3. Phone call" to +14155550111`,
		annasLetter,
	)
	require.Equal(t, "2026-12-24 09:00", w.env.Now().In(zone).Format(clock))
}

func TestPreCollectionWillPayAndForgets(t *testing.T) {
	newWalk(t, "pre-collection", "L-2001", on("2026-12-01 12:00")).
		says("2026-12-14 12:00", "Yes, no problem").
		news("2026-12-21 09:00", value("paid", true)).
		goes("completed success at Paid", annasEmail, annasWhatsApp, `    Perfect, thank you Anna Becker`, annasLetter)
}

func TestPreCollectionPaysDuringTheCall(t *testing.T) {
	newWalk(t, "pre-collection", "L-2001", on("2026-12-01 12:00")).
		says("2026-12-17 10:31", "I have paid this morning").
		news("2026-12-18 09:00", value("paid", true)).
		goes("completed success at Paid", annasEmail, annasWhatsApp, annasCall, `    Thank you! We will see it in a day or two; you need not do anything more`)
}

func TestPreCollectionImportedLate(t *testing.T) {
	newWalk(t, "pre-collection", "L-2001", on("2026-12-12 12:00")).
		says("2026-12-14 12:00", "stop").
		goes("completed failure at Overdue", annasWhatsApp, `    Understood, there will be no more reminders`, annasLetter)
}

// Local time is the contact's, not the campaign's.
func TestPreCollectionInNewYork(t *testing.T) {
	newWalk(t, "pre-collection", "L-2002", on("2026-12-01 12:00")).
		news("2026-12-15 12:00", value("paid", true)).
		goes("completed success at Paid",
			`2026-12-10 16:00 email_notification "1. Reminder e-mail" to tom.baker@example.com`,
			`2026-12-14 17:00 whatsapp_meta "2. WhatsApp message" to +14155550112`,
		)
}

// The due date is New Year's Eve; there is no number to call, and the letter of
// 2 January waits for an open Saturday hour.
func TestPreCollectionWithoutAPhone(t *testing.T) {
	newWalk(t, "pre-collection", "L-2003", on("2026-12-01 12:00")).
		goes("completed failure at Overdue",
			`2026-12-24 10:00 email_notification "1. Reminder e-mail" to sofia.rossi@example.com`,
			`2027-01-02 09:00 email_notification "4. Missed payment" to sofia.rossi@example.com`,
		)
}

func TestPreCollectionTheDueDateMoves(t *testing.T) {
	newWalk(t, "pre-collection", "L-2001", on("2026-12-01 12:00")).
		news("2026-12-11 12:00", campaign.Dict{"due_date": []byte(`{"$d":"2027-01-21"}`)}).
		goes("completed failure at Overdue",
			annasEmail,
			`2027-01-18 11:00 whatsapp_meta "2. WhatsApp message" to +14155550111`,
			`2027-01-21 10:30 twilio "3. Phone call" to +14155550111`,
			`2027-01-21 14:30 twilio "3. Phone call" to +14155550111`,
			`2027-01-23 09:00 email_notification "4. Missed payment" to anna.becker@example.com`,
		)
}
