package api_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// The plan says why nothing is sent, also of contacts that no workflow knows.
func TestThePlanSaysWhyNothingIsSent(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := &front{t: t, store: s.store, url: s.url}
	c := f.addCampaign(campaign.Paused)
	require.NoError(t, s.store.CreateAgent(t.Context(), campaign.Agent{ID: "ag_anna", Name: "Anna", Kind: campaign.AgentExternal, Status: campaign.AgentStopped}))
	stage := "st_" + c.ID + "_Chat"
	chat := func(c *campaign.Contact) {
		c.Communications[0].StageName, c.Communications[0].StageID = "Chat", stage
	}
	plan := func(c campaign.Contact) (at, blockers any) {
		doc := s.call("GET", contactPath(c)+"/plan", nil).ok(200)
		return doc["at"], doc["blockers"]
	}
	waiting := f.addContact(c, "1", chat)
	_, why := plan(waiting)
	require.Contains(t, why, "the campaign is paused")
	require.Contains(t, why, "the agent Anna is stopped")

	_, err := s.store.UpdateStage(t.Context(), c.ID, stage, func(s *campaign.Stage) error { s.Paused = true; return nil })
	require.NoError(t, err)
	_, err = s.store.UpdateCampaign(t.Context(), c.ID, func(c *campaign.Campaign) error {
		c.Status, c.Rules.MaxAttempts = campaign.Running, 1
		c.Rules.Hours = map[string]campaign.Hours{"*": {"mon": {{"09:00", "09:30"}}}}
		return nil
	})
	require.NoError(t, err)
	at, why := plan(waiting)
	require.Contains(t, why, "the stage Chat is paused")
	require.Contains(t, why, "it waits to be launched; the launcher works through the campaign's contacts")
	when, err := time.Parse(time.RFC3339, at.(string))
	require.NoError(t, err)
	require.Equal(t, time.Monday, when.Weekday(), "quiet hours move the earliest time")

	nobody := f.addContact(c, "2", func(c *campaign.Contact) { c.Email = "" })
	_, why = plan(nobody)
	require.Contains(t, s.call("GET", contactPath(nobody)+"/plan", nil).ok(200)["blockers"].([]any)[1], "First letter will be skipped", "%v", why)
	s.call("POST", "/v1/suppressions", map[string]any{"external_id": waiting.ExternalID, "channel": "email", "reason": "opt_out"}).ok(201)
	_, why = plan(waiting)
	require.Contains(t, why, "First letter will be skipped: the person must not be contacted by email (opt_out)")

	empty := f.addContact(c, "3", func(c *campaign.Contact) { c.Communications = nil })
	_, why = plan(empty)
	require.Equal(t, []any{"nothing is planned: data_load planned no communication"}, why)
	ended := f.addContact(c, "4", func(c *campaign.Contact) { c.Status = campaign.ContactStopped })
	_, why = plan(ended)
	require.Equal(t, []any{"the contact is stopped: nothing more happens by itself"}, why)
}

func TestStuckContactsAreFound(t *testing.T) {
	t.Parallel()
	s := serve(t)
	f := &front{t: t, store: s.store, url: s.url}
	c := f.addCampaign(campaign.Running)
	ago := func(d time.Duration) *time.Time { at := time.Now().Add(-d); return &at }
	f.addContact(c, "fine")
	late := f.addContact(c, "late", func(c *campaign.Contact) { c.Status, c.NextActionAt = campaign.ContactActive, ago(time.Hour) })
	f.addContact(c, "later", func(c *campaign.Contact) { c.Status, c.NextActionAt = campaign.ContactActive, ago(time.Minute) })
	held := f.addContact(c, "held", func(c *campaign.Contact) {
		c.Status, c.Held = campaign.ContactActive, &campaign.Hold{Cause: campaign.HeldAgentFull, Since: *ago(48 * time.Hour)}
	})
	f.addContact(c, "lost", func(c *campaign.Contact) {
		c.Status, c.Attention = campaign.ContactNeedsAttention, &campaign.Attention{Reason: "no_workflow", Since: time.Now()}
	})
	f.addContact(c, "idle", func(c *campaign.Contact) { c.Status, c.Idle = campaign.ContactActive, true })
	path := "/v1/campaigns/" + c.ID
	require.Equal(t, map[string]any{
		"overdue": 1.0, "idle": 1.0, "attention": map[string]any{"no_workflow": 1.0}, "held": map[string]any{"agent_full": 1.0},
	}, s.call("GET", path+"/stuck", nil).ok(200))
	list := func(query string) []any {
		return s.call("GET", path+"/contacts?"+query, nil).ok(200)["items"].([]any)
	}
	require.Equal(t, late.ID, list("overdue_by=15m")[0].(map[string]any)["id"])
	require.Len(t, list("overdue_by=10s"), 2)
	require.Equal(t, held.ID, list("held_for=1d")[0].(map[string]any)["id"])
	require.Empty(t, list("held_for=3d"))
	first := s.call("GET", path+"/contacts?overdue_by=10s&limit=1", nil).ok(200)
	require.Len(t, list("overdue_by=10s&limit=1&cursor="+first["next_cursor"].(string)), 1)
	require.Equal(t, "held_for", s.call("GET", path+"/contacts?held_for=long", nil).fails(422).Errors[0].Field)
	require.Equal(t, "overdue_by", s.call("GET", path+"/stuck?overdue_by=-1h", nil).fails(422).Errors[0].Field)
}

// A message that its provider does not take is under way, and the plan says so.
func TestThePlanSaysThatAMessageIsUnderWay(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := serve(t)
	f := &front{t: t, store: s.store, url: s.url}
	c := f.addCampaign(campaign.Running)
	require.NoError(t, s.store.CreateIntegration(ctx, campaign.Integration{ID: "in_grid", Name: "Grid", Provider: "sendgrid", Status: "ok"}))
	began := time.Date(2026, 11, 26, 18, 40, 0, 0, time.UTC)
	contact := f.addContact(c, "1", func(c *campaign.Contact) {
		c.Status, c.StartedAt = campaign.ContactActive, &began
		c.Communications[0].Channel, c.Communications[0].Status = campaign.Email, campaign.StatusAt{Status: campaign.CommunicationStarted, At: began}
	})
	m := contact.Communications[0]
	plan := func() map[string]any { return s.call("GET", contactPath(contact)+"/plan", nil).ok(200) }
	require.Equal(t, "First letter is about to be sent by email, since 2026-11-26T18:40:00Z", plan()["next_action"])
	require.Empty(t, plan()["blockers"])

	_, _, err := s.store.ClaimSend(ctx, store.Send{
		ID: m.ID, ContactID: contact.ID, CampaignID: c.ID, CommunicationID: m.ID, IntegrationID: "in_grid", Channel: campaign.Email, State: store.SendSending, CreatedAt: began,
	}, nil, nil)
	require.NoError(t, err)
	require.Equal(t, "First letter is being sent by email, since 2026-11-26T18:40:00Z", plan()["next_action"])
	require.NoError(t, s.store.SettleSend(ctx, m.ID, store.SendRetry, "", "retryable 503: service unavailable", began.Add(time.Minute)))
	_, err = s.store.UpdateIntegration(ctx, "in_grid", func(i *campaign.Integration) error { i.Status, i.StatusMessage = "error", "it is away"; return nil })
	require.NoError(t, err)
	require.Equal(t, "First letter is being sent by email, since 2026-11-26T18:40:00Z; it is tried again by itself", plan()["next_action"])
	require.Equal(t, []any{"it was not taken at 2026-11-26T18:41:00Z: retryable 503: service unavailable", "the integration Grid is in error: it is away"}, plan()["blockers"])

	_, _, err = s.store.ClaimSend(ctx, store.Send{
		ID: m.ID, ContactID: contact.ID, CampaignID: c.ID, CommunicationID: m.ID, IntegrationID: "in_grid", Channel: campaign.Email, State: store.SendSending, CreatedAt: began,
	}, nil, nil)
	require.NoError(t, err)
	require.NoError(t, s.store.SettleSend(ctx, m.ID, store.SendSent, "p-1", "", began.Add(2*time.Minute)))
	require.Empty(t, plan()["next_action"])
}
