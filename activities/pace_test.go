package activities_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"carillon/activities"
	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/channeltest"
	"carillon/channels/sendgrid/sendgridtest"
	"carillon/store"
	"carillon/workflows"
)

// gridDesk is a desk in mode live whose mail goes through a fake of SendGrid, and
// whose time passes as told.
func gridDesk(t *testing.T) (*desk, *sendgridtest.Server, func(time.Duration)) {
	t.Helper()
	d := newDesk(t)
	grid := sendgridtest.New(t, "the-key")
	for _, id := range []string{"grid", "other"} {
		require.NoError(t, d.store.CreateIntegration(t.Context(), campaign.Integration{
			ID: id, Name: id, Provider: "sendgrid", Settings: map[string]string{"from_email": "anna@collect.example", "base_url": grid.URL},
		}))
		require.NoError(t, d.store.SetIntegrationSecrets(t.Context(), id, map[string]campaign.Secret{"api_key": "the-key"}))
	}
	d.through("grid")
	var passed atomic.Int64
	d.Mode, d.HTTP = activities.ModeLive, channels.NewHTTPClient(true)
	d.Now = func() time.Time { return now.Add(time.Duration(passed.Load())) }
	return d, grid, func(by time.Duration) { passed.Add(int64(by)) }
}

// through has mail sent through an integration.
func (d *desk) through(integration string) {
	d.t.Helper()
	_, err := d.store.UpdateStage(d.t.Context(), "cp", "st_mail", func(s *campaign.Stage) error { s.Delivery.Integration = integration; return nil })
	require.NoError(d.t, err)
}

// people adds contacts with a planned mail each.
func (d *desk) people(n int) []workflows.SendInput {
	d.t.Helper()
	out := make([]workflows.SendInput, n)
	for i := range out {
		id := fmt.Sprint("p", i)
		row := campaign.Row{Line: 2, Fields: map[string]string{"object_id": id, "external_id": id, "name": id, "email": id + "@example.com"}}
		c := row.NewContact("cp", now)
		m := campaign.Communication{
			ID: c.ID + "-1", Name: "mail", StageID: "st_mail", StageName: "Mail", StartDate: now, Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now},
		}
		c.Communications = []campaign.Communication{m}
		d.add(c, row)
		out[i] = workflows.SendInput{CampaignID: "cp", ContactID: c.ID, Communication: m, Verdict: campaign.Verdict{
			Outcome: campaign.GateGo, Alternative: "default", Channel: campaign.EmailNotification, Queue: "send-grid",
		}}
	}
	return out
}

// waits sends, and is how long the activity is to wait before it is repeated.
func (d *desk) waits(in workflows.SendInput) time.Duration {
	d.t.Helper()
	_, err := d.Activities.Send(d.t.Context(), in)
	var again *temporal.ApplicationError
	require.ErrorAs(d.t, err, &again)
	require.False(d.t, again.NonRetryable())
	return again.NextRetryDelay()
}

func tooFast(after string) channeltest.Fault {
	return channeltest.Fault{Status: 429, Header: map[string]string{"Retry-After": after}, Body: `{"errors":[{"message":"too many requests","field":null}]}`}
}

func TestOneAnswerToWaitIsHeededByAllOfTheIntegration(t *testing.T) {
	t.Parallel()
	d, grid, pass := gridDesk(t)
	people := d.people(12)
	grid.Fail(tooFast("30"))
	require.Equal(t, 30*time.Second, d.waits(people[0]))
	require.Equal(t, 1, grid.Calls())
	pass(10 * time.Second)
	for _, in := range people[1:] {
		wait := d.waits(in)
		require.GreaterOrEqual(t, wait, 20*time.Second)
		require.Less(t, wait, 31*time.Second, "no later than needed to keep them apart")
		_, err := d.store.SendRow(t.Context(), in.Communication.ID)
		require.ErrorIs(t, err, store.ErrNotFound, "nothing is claimed")
	}
	require.Equal(t, 1, grid.Calls(), "the others are not sent to be refused")

	d.through("other")
	out, err := d.Activities.Send(t.Context(), people[1])
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome, "another account goes on")
	d.through("grid")
	out, err = d.Activities.Send(t.Context(), people[1])
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome, "what has left is not asked to wait")
	require.Equal(t, 2, grid.Calls())

	pass(20 * time.Second)
	for _, in := range people {
		out, err := d.Activities.Send(t.Context(), in)
		require.NoError(t, err)
		require.Equal(t, campaign.SendSent, out.Outcome)
	}
	for key, n := range grid.Times() {
		require.Equal(t, 1, n, key)
	}
	require.Len(t, grid.Times(), len(people))
}

func TestALongPauseIsAskedAboutNowAndThen(t *testing.T) {
	t.Parallel()
	d, grid, pass := gridDesk(t)
	people := d.people(3)
	grid.Fail(tooFast("3600"), tooFast("3600"))
	require.Equal(t, time.Hour, d.waits(people[0]))
	require.Less(t, d.waits(people[1]), 6*time.Minute)
	pass(5 * time.Minute)
	require.Equal(t, time.Hour, d.waits(people[1]), "one asks again")
	require.Less(t, d.waits(people[2]), 6*time.Minute)
	require.Equal(t, 2, grid.Calls())
}

func TestARefusalWithoutATimeKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	d, grid, _ := gridDesk(t)
	people := d.people(2)
	fault := tooFast("")
	fault.Header = nil
	grid.Fail(fault)
	require.Zero(t, d.waits(people[0]))
	out, err := d.Activities.Send(t.Context(), people[1])
	require.NoError(t, err)
	require.Equal(t, campaign.SendSent, out.Outcome)
}
