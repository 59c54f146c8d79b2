package worker_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"

	"carillon/campaign"
	"carillon/store"
	"carillon/workflows"
)

// The next chunk is decided while one is committed: it must still meet the contacts of the one before.
func TestAChunkDecidedAheadMeetsTheContactsOfTheChunkBefore(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.stage("E-mail", campaign.Delivery{Channel: campaign.EmailNotification, Integration: "mail", Subject: "x", Template: "y"})
	h.strategy(campaign.DataLoad, `
async def run(contact, existing_contact, logger, **kwargs):
    contact.internal_data["seen"] = 1 + (existing_contact.internal_data["seen"] if existing_contact else 0)
    if existing_contact is None:
        contact.communications.append(Communication(name="A", stage_name="E-mail", start_date=datetime.now() + timedelta(days=1)))
    return contact
`)
	ctx := t.Context()
	const chunks = 3
	require.NoError(t, h.store.CreateImport(ctx, campaign.Import{ID: "im_1", CampaignID: h.camp.ID, StartedAt: time.Now()}))
	for n := range chunks {
		var rows []store.ImportRow
		for i, object := range []string{"same", fmt.Sprint("own", n)} {
			line := 2 + 2*n + i
			rows = append(rows, store.ImportRow{Line: line, Row: &campaign.Row{Line: line, Fields: map[string]string{
				"object_id": object, "external_id": "E", "name": object, "email": "a@example.com",
			}}})
		}
		require.NoError(t, h.store.AddRows(ctx, "im_1", n, rows))
	}
	require.NoError(t, h.store.SealImport(ctx, "im_1", chunks))
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	workflows.ImportChunk.Bind(env, h.acts.ImportChunk)
	for n := range chunks {
		_, err := env.ExecuteActivity(workflows.ImportChunk.Name, workflows.ImportChunkInput{ImportID: "im_1", Chunk: n})
		require.NoError(t, err)
	}
	done, err := h.store.FinishImport(ctx, "im_1", time.Now())
	require.NoError(t, err)
	require.Equal(t, campaign.ImportCompleted, done.Status)
	require.Equal(t, []int{4, 2, 0}, []int{done.Created, done.Updated, done.Failed})
	same, err := h.store.Contact(ctx, h.camp.ID, campaign.ContactID(h.camp.ID, "same", "E"))
	require.NoError(t, err)
	require.Equal(t, "3", string(same.InternalData["seen"]), "every row met what the one before left")
	require.Len(t, same.Communications, 1)
}
