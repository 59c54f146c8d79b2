package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// TestListsReadAlongAnIndex: a page of every filtered list reads no more than its
// page, so no plan scans a table or sorts.
func TestListsReadAlongAnIndex(t *testing.T) {
	t.Parallel()
	databases(t, func(t *testing.T, address func(t *testing.T) string) {
		s, ctx := openMigrated(t, address(t)), t.Context()
		yes, since := true, time.Now().Add(-time.Hour)
		require.NoError(t, s.CreateCampaign(ctx, campaign.Campaign{ID: "ca_1", Name: "x", Fields: []campaign.Field{{Name: "city", Type: "string", Indexed: true}}}))
		page := store.Page{Limit: 50}
		for _, f := range []store.ContactFilter{
			{},
			{Status: "active"},
			{Stage: "Hello"},
			{Stage: "Hello", Status: "active"},
			{Outcome: "success"},
			{Held: &yes},
			{HeldCause: "agent_full"},
			{AttentionReason: "strategy_error"},
			{Idle: &yes},
			{Idle: &yes, Stage: "Hello"},
			{ObjectID: "1"},
			{ExternalID: "1"},
			{ObjectID: "1", ExternalID: "2"},
			{Fields: map[string]string{"city": "Rome"}},
			{Fields: map[string]string{"city": "Rome"}, Status: "active"},
			{UpdatedSince: since},
			{OverdueSince: since},
			{OverdueSince: since, Status: "active"},
			{HeldSince: since},
			{HeldSince: since, HeldCause: "agent_full"},
		} {
			f.CampaignID = "ca_1"
			along(t, s, fmt.Sprintf("contacts %+v", f), func() error { _, err := s.Contacts(ctx, f, page); return err })
		}
		for _, status := range []campaign.CommunicationStatus{"", "FAILED"} {
			for _, stage := range []string{"", "Hello"} {
				for _, channel := range []campaign.Channel{"", campaign.Email} {
					along(t, s, fmt.Sprint("communications ", status, stage, channel), func() error {
						_, err := s.Communications(ctx, "ca_1", status, stage, channel, page)
						return err
					})
				}
			}
		}
		for _, f := range []store.RunFilter{{}, {Status: "error"}, {Type: campaign.Aggregation}, {Type: campaign.Aggregation, Status: "error"}, {ContactID: "ct_1"}, {Type: campaign.DataLoad, Version: 2}} {
			f.CampaignID = "ca_1"
			along(t, s, fmt.Sprintf("runs %+v", f), func() error { _, err := s.Runs(ctx, f, page); return err })
		}
		for _, f := range []store.SessionFilter{
			{},
			{CampaignID: "ca_1"},
			{CampaignID: "ca_1", Status: campaign.SessionOpen},
			{CampaignID: "ca_1", Outcome: campaign.CommunicationFailed},
			{ContactID: "ct_1"},
			{AgentID: "ag_1"},
			{Mode: campaign.ModeHuman, Status: campaign.SessionOpen},
		} {
			along(t, s, fmt.Sprintf("sessions %+v", f), func() error { _, err := s.Sessions(ctx, f, page); return err })
		}
		for _, f := range []store.InboxFilter{
			{},
			{CampaignID: "ca_1"},
			{CampaignID: "ca_1", StageNames: []string{"Hello"}, Channel: campaign.Email},
			{ClaimedID: "an_operator"},
			{Claim: "open", DueBefore: since},
		} {
			f.Now = time.Now()
			along(t, s, fmt.Sprintf("inbox %+v", f), func() error { _, err := s.Inbox(ctx, f, page); return err })
		}
		for _, kind := range []campaign.DecisionKind{"", campaign.DecisionSkipped} {
			for _, reason := range []string{"", "quiet_hours"} {
				if kind != "" || reason == "" {
					along(t, s, fmt.Sprint("decisions ", kind, reason), func() error {
						_, err := s.CampaignDecisions(ctx, "ca_1", kind, reason, page)
						return err
					})
				}
			}
		}
		along(t, s, "progress", func() error { _, err := s.CampaignProgress(ctx, "ca_1"); return err })
		along(t, s, "tally", func() error { _, err := s.Tally(ctx, "ca_1", since, time.Now()); return err })
		along(t, s, "stuck", func() error { _, err := s.Stuck(ctx, "ca_1", since, since); return err })
		along(t, s, "sessions of whom to leave alone", func() error {
			_, err := s.Suppress(ctx, store.Suppression{ExternalID: "P1", Address: "ann@example.com", Reason: "opt_out"})
			return err
		})
		along(t, s, "active ids", func() error { _, err := s.ActiveIDs(ctx, "ca_1", "", 50); return err })
	})
}

// along runs a read and looks at how the database carries its statements out.
func along(t *testing.T, s *store.Store, name string, read func() error) {
	t.Helper()
	plans, err := s.PlansForTest(t.Context(), read)
	require.NoError(t, err, name)
	require.NotEmpty(t, plans, name)
	for query, plan := range plans {
		for line := range strings.Lines(plan) {
			line = strings.TrimSpace(line)
			grouped := strings.Contains(query, "group by")
			table, scan := strings.CutPrefix(line, "SCAN ")
			table, _, covered := strings.Cut(table, " ")
			bad := scan && !covered && len(table) > 1 || // one letter names a subquery
				strings.Contains(line, "USE TEMP B-TREE") && !grouped ||
				strings.Contains(line, "Seq Scan") ||
				strings.Contains(line, "Sort Key") && !grouped
			require.False(t, bad, "%s\n%s\n%s", name, query, plan)
		}
	}
}
