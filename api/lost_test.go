package api_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/activities"
	"carillon/campaign"
)

// A contact that its Temporal server has lost is found once it is overdue, and goes
// on by a retry of many.
func TestAContactTheServerHasLostIsFound(t *testing.T) {
	t.Parallel()
	f, c := newRunning(t)
	camp := f.addCampaign(campaign.Running)
	ago := time.Now().Add(-time.Hour)
	lost := f.addContact(camp, "lost", func(c *campaign.Contact) {
		c.Status, c.StartedAt, c.NextActionAt = campaign.ContactActive, &ago, &ago
		c.Communications[0].StageName, c.Communications[0].StageID = "Paid", ""
		c.Communications[0].StartDate = ago
	})
	require.NoError(t, f.store.ConfirmLaunch(t.Context(), []string{lost.ID}, ago))
	a := &activities.Activities{
		Store: f.store, Temporal: c, Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return time.Now().Add(20 * time.Minute) }, // nothing has happened for long
	}
	require.NoError(t, a.Reconcile(t.Context()))
	found := f.get(contactPath(lost)).is(http.StatusOK)
	require.Equal(t, "needs_attention", found.text("status"))
	require.Equal(t, "no_workflow", found.text("attention.reason"))
	require.EqualValues(t, 1, f.get("/v1/campaigns/"+camp.ID+"/stuck").is(http.StatusOK).at("attention.no_workflow"))

	job := f.post("/v1/campaigns/"+camp.ID+"/contacts/bulk", `{"filter":{"attention":"no_workflow"},"action":"retry"}`).is(http.StatusAccepted)
	done := f.becomes("/v1/jobs/"+job.text("id"), "status", "completed")
	require.EqualValues(t, 0, done.at("failed"), done.raw)
	f.becomes(contactPath(lost), "status", "completed")
}
