package campaign_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestATrialTellsWhatWouldBeDone(t *testing.T) {
	t.Parallel()
	planned := func(id, name string) campaign.Communication {
		return campaign.Communication{
			ID: id, Name: name, StageName: "Mail", StageID: "st_mail", StartDate: monday,
			Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: monday},
		}
	}
	base := campaign.Contact{
		ID: "ct_1", CampaignID: "ca_1", Name: "Ada", Timezone: "Europe/Berlin", CurrentStage: "Mail", Status: campaign.ContactActive,
		Parameters:     campaign.Dict{"amount": raw(`5`), "old": raw(`"x"`)},
		Communications: []campaign.Communication{planned("ct_1-1", "First"), planned("ct_1-2", "Second"), planned("ct_1-3", "")},
	}
	base.Communications[2].Status.Status, base.Communications[2].Flagged = campaign.CommunicationSent, true
	next := base.Clone()
	next.Email, next.Outcome, next.CurrentStage, next.Status = "ada@example.com", campaign.OutcomeSuccess, "Paid", campaign.ContactCompleted
	next.Parameters = campaign.Dict{"amount": raw(`6`), "due": raw(`{"$d":"2026-03-09"}`), "long": raw(`"` + strings.Repeat("ü", 200) + `"`)}
	next.Communications = next.Communications[1:]
	next.Communications[0].StartDate, next.Communications[0].Timeout = monday.Add(day), campaign.Duration(72*time.Hour)
	next.Communications[1].Status = campaign.StatusAt{Status: campaign.CommunicationCompleted, Reason: "paid"}
	expires := monday.Add(3 * day)
	next.Communications = append(next.Communications, campaign.Communication{Name: "Third", StageName: "Chat", StartDate: monday.Add(2 * day), ExpiresAt: &expires})
	returned, err := json.Marshal(next)
	require.NoError(t, err)

	k := campaign.Knowledge{Stages: stages(), Flagged: "ct_1-3", Now: monday}
	trial, err := campaign.Try(base, returned, k, false, time.UTC)
	require.NoError(t, err)
	at := func(d time.Duration) string {
		berlin, err := time.LoadLocation("Europe/Berlin")
		require.NoError(t, err)
		return monday.Add(d).In(berlin).Format("Mon 2006-01-02 15:04") + " CET"
	}
	require.Equal(t, []string{
		`email: "" → "ada@example.com"`,
		`parameters.amount: 5 → 6`,
		`parameters.due: "2026-03-09"`,
		`parameters.long: "` + strings.Repeat("ü", 119) + `…`,
		`parameters.old: removed (was "x")`,
		`stage: "Mail" → "Paid" (final, success)`,
		`outcome: none → success`,
		`cancel: "First" at stage "Mail", planned for ` + at(0) + `: removed by the strategy`,
		`change: "Second" at stage "Mail": ` + at(0) + ` → ` + at(day) + `, timeout the stage's → 3d`,
		`end: stage "Mail", SENT → COMPLETED: paid`,
		`plan: "Third" at stage "Chat", ` + at(2*day) + `, expires ` + at(3*day),
	}, trial.Summary)
	require.Equal(t, []string{`status is not a strategy's to change ("active" stays)`}, trial.Notes)
	require.Equal(t, "ct_1-4", trial.After.Communications[3].ID)
	paths := make([]string, len(trial.Diff))
	for i, d := range trial.Diff {
		paths[i] = d.Path
	}
	require.Equal(t, []string{"communications", "current_stage", "email", "outcome", "parameters.amount", "parameters.due", "parameters.long", "parameters.old"}, paths)
	require.JSONEq(t, `"2026-03-09"`, string(trial.Diff[5].To))
	require.Equal(t, campaign.CommunicationPlanned, base.Communications[0].Status.Status, "the contact itself is as it was")

	again, err := campaign.Try(base, nil, k, false, time.UTC)
	require.NoError(t, err)
	require.Empty(t, again.Summary)
	require.Empty(t, again.Diff)
	_, err = campaign.Try(base, json.RawMessage(`{"current_stage":"Nowhere"}`), k, false, time.UTC)
	var bad *campaign.BadResultError
	require.ErrorAs(t, err, &bad)
	require.Equal(t, "current_stage", bad.Path)
}
