package e2e_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// planNow sends one notification soon after the import and ends the contact
// once it is aggregated.
const planNow = `
async def run(contact: Contact, existing_contact: Contact | None, logger, **kwargs) -> Contact:
    contact.communications.append(Communication(name="Hello", stage_name="Notice", start_date=datetime.now() + timedelta(seconds=1)))
    contact.current_stage = "Notice"
    return contact
`

const thenEnd = `
async def run(contact: Contact, session_results: dict | None, logger, **kwargs) -> Contact:
    contact.current_stage = "Done"
    return contact
`

func TestAContactSurvivesAKillAndIsSentToOnce(t *testing.T) {
	c := dev(t)
	s := c.campaign(doc{})
	s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Hello {{ name }}", "template": "You owe {{ parameters.add_param1 }}."})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", planNow)
	s.strategy("aggregation", thenEnd)

	imported := s.upload("text/csv", read(t, "../intake/testdata/manual.csv"))
	require.EqualValues(t, 2, imported["created"], "%v", imported)
	s.start()
	c.killAndRestart()

	for _, object := range []string{"123", "456"} {
		done := s.awaitStatus(object, "completed", 60*time.Second)
		require.Equal(t, "success", done["outcome"])
		require.Equal(t, "Done", done["current_stage"])
	}
	sent := s.outbox("")
	require.Len(t, sent, 2)
	require.ElementsMatch(t, []any{"Hello John Doe", "Hello Jane Smith"}, []any{sent[0]["subject"], sent[1]["subject"]})
}
