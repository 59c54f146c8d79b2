package examples_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// Monday morning: the notice goes on Tuesday.
const monday = "2026-11-16 08:00"

const (
	johnsNotice   = `2026-11-17 09:30 email_notification "1. Payment notice" to john.doe@example.com`
	johnsWhatsApp = `2026-11-20 10:00 whatsapp_meta "2. WhatsApp conversation" to +14155550101`
)

func TestDebtPromiseKept(t *testing.T) {
	w := newWalk(t, "debt", "D-1001", on(monday)).
		says("2026-11-20 11:00", "ok, I will pay on Wednesday").
		news("2026-11-25 16:00", value("paid", true))
	done := w.goes("completed success at Paid",
		johnsNotice,
		johnsWhatsApp,
		`    Thank you, John Doe`,
		`2026-11-24 10:00 email_notification "3. Payment promised" to john.doe@example.com`,
	)
	require.Equal(t, `"Wednesday"`, string(done.Results["promised_day"]))
	require.Equal(t, `{"$d":"2026-11-25"}`, string(done.Results["promised_date"]))
	require.Equal(t, "2026-11-25 16:00", w.env.Now().In(zone).Format(clock), "nothing is waited for once it is paid")
}

func TestDebtPromiseBroken(t *testing.T) {
	w := newWalk(t, "debt", "D-1001", on(monday)).
		says("2026-11-20 11:00", "I'll pay").
		says("2026-11-20 11:10", "next friday").
		ends("2026-12-01 12:00", campaign.SessionResolvedByOperator, value("OutcomeStatus", "NOTHING_TO_GET"))
	done := w.goes("completed failure at Not paid",
		johnsNotice,
		johnsWhatsApp,
		`    Thank you`,
		`    Thank you, John Doe`,
		`2026-11-26 10:00 email_notification "3. Payment promised" to john.doe@example.com`,
		`2026-11-30 09:00 human "4. Personal contact"`,
	)
	require.Equal(t, `true`, string(done.Results["promise_broken"]))
	require.Equal(t, `"the promised payment did not arrive"`, string(done.Results["person_because"]))
}

func TestDebtPaidEarly(t *testing.T) {
	newWalk(t, "debt", "D-1001", on(monday)).
		news("2026-11-18 12:00", value("paid", true)).
		goes("completed success at Paid", johnsNotice)
}

func TestDebtPaidDuringTheConversation(t *testing.T) {
	w := newWalk(t, "debt", "D-1001", on(monday)).
		says("2026-11-20 11:00", "I will pay").
		news("2026-11-20 12:00", value("paid", true))
	w.goes("completed success at Paid", johnsNotice, johnsWhatsApp, `    Thank you`)
	require.Equal(t, "2026-11-20 12:00", w.env.Now().In(zone).Format(clock))
}

func TestDebtNotReached(t *testing.T) {
	newWalk(t, "debt", "D-1001", on(monday)).
		goes("completed failure at Not paid",
			johnsNotice,
			johnsWhatsApp,
			`2026-11-24 10:00 whatsapp_meta "2. WhatsApp conversation" to +14155550101`,
			`2026-11-26 10:00 human "4. Personal contact"`,
		)
}

func TestDebtSilentAfterHalfAPromise(t *testing.T) {
	newWalk(t, "debt", "D-1001", on(monday)).
		says("2026-11-20 11:00", "I'll pay").
		ends("2026-11-23 12:00", campaign.SessionResolvedByOperator, value("OutcomeStatus", "PAID")).
		goes("completed success at Paid", johnsNotice, johnsWhatsApp, `    Thank you`, `2026-11-23 09:00 human "4. Personal contact"`)
}

func TestDebtNoEmailAddress(t *testing.T) {
	newWalk(t, "debt", "D-1004", on(monday)).
		says("2026-11-17 12:00", "I already paid yesterday!").
		ends("2026-11-18 12:00", campaign.SessionResolvedByOperator, value("OutcomeStatus", "PAID")).
		goes("completed success at Paid",
			`2026-11-17 10:00 whatsapp_meta "2. WhatsApp conversation" to +14155550104`,
			`    Thank you, Wei Chen`,
			`2026-11-17 12:00 human "4. Personal contact"`,
		)
}

func TestDebtTheNoticeBounces(t *testing.T) {
	newWalk(t, "debt", "D-1001", on(monday)).
		reported("2026-11-17 09:31", "bounced").
		news("2026-11-17 12:00", value("paid", true)).
		goes("completed success at Paid", johnsNotice, `2026-11-17 10:00 whatsapp_meta "2. WhatsApp conversation" to +14155550101`)
}

func TestDebtDisputed(t *testing.T) {
	w := newWalk(t, "debt", "D-1001", on(monday)).
		says("2026-11-20 11:00", "That is the wrong amount").
		ends("2026-11-23 12:00", campaign.SessionResolvedByOperator, campaign.Dict{
			"OutcomeStatus": []byte(`"PROMISE_TO_PAY"`), "promised_day": []byte(`"thursday"`),
		}).
		news("2026-11-25 16:00", value("paid", true))
	w.goes("completed success at Paid",
		johnsNotice,
		johnsWhatsApp,
		`    I understand`,
		`2026-11-25 10:00 email_notification "3. Payment promised" to john.doe@example.com`,
	)
}

func TestDebtAnswersTheNoticeAndWantsNoMessages(t *testing.T) {
	newWalk(t, "debt", "D-1001", on(monday)).
		says("2026-11-18 11:00", "Who are you?").
		ends("2026-11-19 11:00", campaign.SessionResolvedByOperator, nil).
		goes("completed failure at Not paid", johnsNotice, `2026-11-18 11:00 human "4. Personal contact"`)
	t.Run("on WhatsApp", func(t *testing.T) {
		newWalk(t, "debt", "D-1001", on(monday)).
			says("2026-11-20 11:00", "STOP").
			goes("completed failure at Not paid", johnsNotice, johnsWhatsApp, `    Understood, we will not write to you here any more`,
				`2026-11-20 11:00 human "4. Personal contact"`)
	})
}
