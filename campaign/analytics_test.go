package campaign_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// counted is a tally of contacts, as a store keeps it.
func counted(contacts ...campaign.Contact) *campaign.Tally {
	t := &campaign.Tally{Cells: map[campaign.Cell]int{}, StageIDs: map[string]string{"Pay": "st_pay", "Paid": "st_pay", "Letter": "st_letter"}}
	for i := range contacts {
		c := &contacts[i]
		var decisions []campaign.Decision
		for _, m := range c.Communications {
			if m.Status.Status == campaign.CommunicationCompleted {
				decisions = append(decisions, campaign.Decision{Kind: campaign.DecisionReplied, Data: map[string]any{"communication_id": m.ID}})
			}
		}
		for cell, n := range campaign.Cells(c, campaign.Reached("").Advance(c, decisions), true) {
			t.Cells[cell] += n
		}
	}
	return t
}

func letter(id string, status campaign.CommunicationStatus, label string) campaign.Communication {
	return campaign.Communication{ID: id, StageName: "Letter", StageID: "st_letter", Channel: campaign.Email, Alternative: label, Status: campaign.StatusAt{Status: status}}
}

func result(word string) campaign.Dict {
	raw, _ := json.Marshal(word)
	return campaign.Dict{"OutcomeStatus": raw}
}

var lettersAndPaid = []campaign.Stage{
	{
		ID: "st_letter", Name: "Letter", Weight: 3, Delivery: campaign.Delivery{Channel: campaign.Email}, Alternatives: []campaign.Alternative{
			{Label: "short", Weight: 1, Delivery: campaign.Delivery{Channel: campaign.Email}},
			{Label: "call", Fallback: true, Delivery: campaign.Delivery{Channel: campaign.SIP}},
		},
	},
	{ID: "st_pay", Name: "Paid", Delivery: campaign.Delivery{Channel: campaign.NoCommunication}},
}

func TestAnalyse(t *testing.T) {
	t.Parallel()
	const done, stopped = campaign.ContactCompleted, campaign.ContactStopped
	sent := func(label string) []campaign.Communication {
		return []campaign.Communication{letter("x-1", campaign.CommunicationCompleted, label)}
	}
	for _, tc := range []struct {
		name     string
		success  campaign.Success
		contacts []campaign.Contact
		want     func(t *testing.T, a campaign.Analytics)
	}{
		{"nobody: every rate is 0", campaign.Success{}, nil, func(t *testing.T, a campaign.Analytics) {
			require.Zero(t, a.Total)
			require.Zero(t, a.CompletionRate)
			require.Zero(t, a.SuccessRate)
			require.Len(t, a.ByStatus, 5)
			require.Equal(t, []string{"Letter", "Paid"}, []string{a.ByStage[0].Stage, a.ByStage[1].Stage})
			require.Empty(t, a.Outcomes)
		}},
		{
			"a contact's outcome counts, of completed contacts only",
			campaign.Success{Stages: []string{"Letter"}},
			[]campaign.Contact{
				{Status: done, Outcome: "success"},
				{Status: done, Outcome: "failure", CurrentStage: "Letter"},
				{Status: stopped, Outcome: "success"},
				{Status: campaign.ContactActive, Outcome: "success"},
			},
			func(t *testing.T, a campaign.Analytics) {
				require.Equal(t, []int{4, 3, 2, 1}, []int{a.Total, a.Processed, a.Completed, a.Success})
				require.InDelta(t, 0.5, a.CompletionRate, 1e-9)
				require.InDelta(t, 0.5, a.SuccessRate, 1e-9)
				require.Equal(t, []campaign.OutcomeCount{{Of: "contact", Outcome: "success", Count: 3}, {Of: "contact", Outcome: "failure", Count: 1}}, a.Outcomes)
			},
		},
		{
			"without one, the rule's stages count, by any name a stage has had",
			campaign.Success{Stages: []string{"Pay"}},
			[]campaign.Contact{{Status: done, CurrentStage: "Paid"}, {Status: done, CurrentStage: "Pay"}, {Status: done, CurrentStage: "Letter"}, {Status: done}},
			func(t *testing.T, a campaign.Analytics) {
				require.Equal(t, 2, a.Success)
				require.Equal(t, 2, a.ByStage[2].Count, "both names are one stage: %v", a.ByStage)
				require.Empty(t, a.ByStage[0].Stage, "who was in none comes first")
			},
		},
		{
			"and so do the rule's outcomes: what the agent called it",
			campaign.Success{Outcomes: []string{"paid"}},
			[]campaign.Contact{{Status: done, Results: result("PAID")}, {Status: done, Results: result("REFUSED")}, {Status: done, Outcome: "failure", Results: result("PAID")}},
			func(t *testing.T, a campaign.Analytics) { require.Equal(t, 1, a.Success) },
		},
		{
			"alternatives are compared by who they were sent to",
			campaign.Success{Outcomes: []string{"PAID"}},
			[]campaign.Contact{
				{Status: done, Results: result("PAID"), Communications: sent("default")},
				{Status: done, Communications: append(sent("default"), letter("x-2", campaign.CommunicationDelivered, "default"))},
				{Status: campaign.ContactActive, Communications: []campaign.Communication{letter("x-1", campaign.CommunicationSent, "short")}},
				{Status: done, Outcome: "success", Communications: []campaign.Communication{letter("x-1", campaign.CommunicationFailed, "short"), letter("x-2", campaign.CommunicationPlanned, "")}},
			},
			func(t *testing.T, a campaign.Analytics) {
				require.Len(t, a.ByAlternative, 3)
				own, call, short := a.ByAlternative[0], a.ByAlternative[1], a.ByAlternative[2]
				require.Equal(t, campaign.AlternativeCount{
					Stage: "Letter", StageID: "st_letter", Label: "default", Channel: campaign.Email, Weight: 3, Probability: 0.75, ReplyRate: 2.0 / 3,
					Reach:  campaign.Reach{Contacts: 2, ContactsCompleted: 2, Success: 1, SuccessRate: 0.5},
					Funnel: campaign.Funnel{Communications: 3, Sent: 3, Delivered: 3, Read: 2, Replied: 2, Open: 1, Completed: 2},
				}, own)
				require.Equal(t, campaign.Reach{Contacts: 1}, short.Reach, "what failed reached nobody")
				require.Equal(t, 1, short.Failed)
				require.InDelta(t, 0.25, short.Probability, 1e-9)
				require.True(t, call.Fallback)
				require.Zero(t, call.Probability)
				require.Equal(t, 1, a.ByStage[1].Planned, "%v", a.ByStage)
				require.Len(t, a.ByChannel, 1)
				require.Equal(t, campaign.Reach{Contacts: 3, ContactsCompleted: 2, Success: 1, SuccessRate: 0.5}, a.ByChannel[0].Reach)
			},
		},
		{
			"outcomes of sessions are the agents' words, else how the communication ended",
			campaign.Success{},
			[]campaign.Contact{{Communications: []campaign.Communication{
				{Status: campaign.StatusAt{Status: campaign.CommunicationCompleted}, Results: result("PROMISE")},
				{Status: campaign.StatusAt{Status: campaign.CommunicationNoResponse}},
				{Status: campaign.StatusAt{Status: campaign.CommunicationCanceled}, Results: result("PROMISE")},
				{Status: campaign.StatusAt{Status: campaign.CommunicationReplied}, Results: result("PROMISE")},
			}}},
			func(t *testing.T, a campaign.Analytics) {
				require.Equal(t, []campaign.OutcomeCount{{Of: "session", Outcome: "NO_RESPONSE", Count: 1}, {Of: "session", Outcome: "PROMISE", Count: 1}}, a.Outcomes)
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.want(t, campaign.Analyse(&campaign.Campaign{Success: tc.success}, lettersAndPaid, counted(tc.contacts...)))
		})
	}
}

func TestSeriesAreCountedInTheCampaignsZone(t *testing.T) {
	t.Parallel()
	c := campaign.Campaign{Timezone: "Asia/Kolkata"} // half an hour off
	begin := time.Date(2026, 11, 23, 18, 30, 0, 0, time.UTC)
	pending := campaign.Cell{Kind: campaign.CellContact, Status: "pending"}
	done := campaign.Cell{Kind: campaign.CellContact, Status: "completed", Stage: "Paid"}
	tally := &campaign.Tally{Cells: map[campaign.Cell]int{done: 2, pending: 1}, StageIDs: map[string]string{"Paid": "st_pay"}}
	for _, h := range []struct {
		cell campaign.Cell
		at   time.Duration
		n    int
	}{{pending, 0, 3}, {pending, 25 * time.Hour, -2}, {done, 25 * time.Hour, 2}} {
		tally.Changes = append(tally.Changes, campaign.HourChange{HourCell: campaign.HourCell{Hour: begin.Add(h.at), Cell: h.cell}, N: h.n})
	}
	a := campaign.Analyse(&c, lettersAndPaid, tally)
	a.Series(&c, lettersAndPaid, tally, campaign.ByDay, begin, begin.Add(30*time.Hour))
	period := func(day, count, change int) campaign.Period {
		return campaign.Period{Period: begin.AddDate(0, 0, day), Date: []string{"2026-11-24", "2026-11-25"}[day], Count: count, Change: change}
	}
	require.Equal(t, []campaign.StatusPeriod{{"pending", period(0, 3, 3)}, {"pending", period(1, 1, -2)}, {"completed", period(1, 2, 2)}}, a.StatusByPeriod)
	require.Equal(t, campaign.StagePeriod{Stage: "Paid", StageID: "st_pay", Period: period(1, 2, 2)}, a.StageByPeriod[2])

	a.StatusByPeriod = nil
	a.Series(&c, lettersAndPaid, tally, campaign.ByHour, begin.Add(24*time.Hour), begin.Add(26*time.Hour))
	require.Len(t, a.StatusByPeriod, 3)
	require.Equal(t, "2026-11-25T01:00", a.StatusByPeriod[1].Date)

	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	sunday := time.Date(2026, 10, 24, 22, 0, 0, 0, time.UTC) // the day clocks go back
	require.Equal(t, sunday.Add(25*time.Hour), campaign.ByDay.Next(sunday, berlin))
	require.Equal(t, sunday, campaign.ByDay.Begin(sunday.Add(24*time.Hour), berlin))
	require.Equal(t, begin.Add(time.Hour), campaign.HourOf(begin.Add(119*time.Minute), c.Location()))
}

func TestCellsKeepTheirTexts(t *testing.T) {
	t.Parallel()
	c := campaign.Contact{Status: campaign.ContactActive, CurrentStage: "a\tb", Communications: []campaign.Communication{letter("x-1", campaign.CommunicationRead, "default")}}
	for cell := range campaign.Cells(&c, campaign.Reached("5"), true) {
		require.Equal(t, cell, campaign.ParseCell(cell.Kind, cell.Text()))
	}
	require.Equal(t, campaign.Reached("5"), campaign.Reached("3").Advance(&c, nil))
	require.Equal(t, campaign.Reached("6"), campaign.Reached("6").Advance(&c, nil), "it never comes back")
}
