package campaign_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestContactLimits(t *testing.T) {
	t.Parallel()
	c := campaign.Contact{}
	require.NoError(t, c.CheckSize())
	c.Communications = make([]campaign.Communication, campaign.MaxCommunications+1)
	require.ErrorContains(t, c.CheckSize(), "201 communications; the limit is 200")
	c = campaign.Contact{Parameters: campaign.Dict{"x": raw(`"` + strings.Repeat("y", campaign.MaxContactBytes) + `"`)}}
	require.ErrorContains(t, c.CheckSize(), "the limit is 65536")
}

func TestContactReads(t *testing.T) {
	t.Parallel()
	c := campaign.Contact{ID: "ct_1"}
	require.Nil(t, c.Next())
	for i, s := range []campaign.CommunicationStatus{"PLANNED", "PLANNED", "CANCELED", "SKIPPED", "SENT", "FAILED"} {
		c.Communications = append(c.Communications, campaign.Communication{ID: id(i + 1), StartDate: monday, Status: campaign.StatusAt{Status: s}})
	}
	require.Equal(t, id(1), c.Next().ID, "equal dates keep the order of planning")
	require.Equal(t, 2, c.Attempts())
	copied := c.Clone()
	copied.Communications[0].Name = "changed"
	require.Empty(t, c.Communications[0].Name)
}

func TestLoad(t *testing.T) {
	t.Parallel()
	by := campaign.LoadedBy{ImportID: "im_1", Line: 2}
	row := campaign.Row{Line: 2, Fields: map[string]string{"object_id": "o", "external_id": "e", "name": "Ada"}, Parameters: campaign.Dict{"amount": raw(`12`)}}
	fresh := row.NewContact("ca_1", monday)
	planned := campaign.StrategyOutcome{Version: 1, Change: campaign.Change{Plan: []campaign.Communication{plan("Mail", monday.Add(day))}}}
	t.Run("a new contact is pending until its first date", func(t *testing.T) {
		c, decisions := campaign.Load(fresh, nil, &planned, by, monday)
		require.Equal(t, campaign.ContactPending, c.Status)
		require.Equal(t, monday.Add(day), *c.NextActionAt)
		require.Equal(t, c.ID+"-1", c.Communications[0].ID)
		require.Equal(t, "Imported by import im_1, line 2", decisions[0].Summary)
		require.Equal(t, campaign.DecisionPlanned, decisions[2].Kind)
		require.Empty(t, fresh.Communications, "the contact given is not touched")
	})
	t.Run("no plan at all stays pending", func(t *testing.T) {
		c, _ := campaign.Load(fresh, nil, &campaign.StrategyOutcome{None: true}, by, monday)
		require.Equal(t, campaign.ContactPending, c.Status)
		require.Nil(t, c.NextActionAt)
	})
	t.Run("a final stage with nothing planned completes at once", func(t *testing.T) {
		c, _ := campaign.Load(fresh, nil, &campaign.StrategyOutcome{Change: moved("Paid", campaign.OutcomeSuccess)}, by, monday)
		require.Equal(t, campaign.ContactCompleted, c.Status)
		require.Equal(t, campaign.OutcomeSuccess, c.Outcome)
	})
	t.Run("a second import keeps communications and plans no second one", func(t *testing.T) {
		before, _ := campaign.Load(fresh, nil, &planned, by, monday)
		second := campaign.Row{Fields: map[string]string{"email": "a@b.example"}}
		c, decisions := campaign.Load(second.Merge(before), &before, &planned, campaign.LoadedBy{ImportID: "im_2", Line: 9}, monday.Add(time.Hour))
		require.Len(t, c.Communications, 1)
		require.Equal(t, "a@b.example", c.Email)
		require.Equal(t, "Ada", c.Name)
		require.Equal(t, "Updated by import im_2, line 9", decisions[0].Summary)
		require.Contains(t, fmt.Sprint(decisions[1].Data["notes"]), "is there already and is not planned again")
	})
	t.Run("a completed one without a workflow waits for one again", func(t *testing.T) {
		before, _ := campaign.Load(fresh, nil, &campaign.StrategyOutcome{Change: moved("Paid", campaign.OutcomeSuccess)}, by, monday)
		c, _ := campaign.Load(before, &before, &planned, by, monday)
		require.Equal(t, campaign.ContactPending, c.Status)
		require.Nil(t, c.EndedAt)
	})
}

func TestOperateUnstarted(t *testing.T) {
	t.Parallel()
	pending := func() campaign.Contact {
		c := campaign.Contact{ID: "ct_1", Status: campaign.ContactPending}
		(&campaign.Change{Plan: []campaign.Communication{plan("Mail", monday), plan("Chat", monday.Add(day))}}).Apply(&c, monday, false)
		return c
	}
	later := monday.Add(30 * day)
	for _, c := range []struct {
		name  string
		op    campaign.Operation
		check func(t *testing.T, c *campaign.Contact)
	}{
		{"stop cancels the plan", campaign.Operation{Action: campaign.OperateStop}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.ContactStopped, c.Status)
			require.Equal(t, campaign.CommunicationCanceled, c.Communications[1].Status.Status)
			require.Nil(t, c.NextActionAt)
		}},
		{"pause takes the next action away", campaign.Operation{Action: campaign.OperatePause}, func(t *testing.T, c *campaign.Contact) {
			require.True(t, c.Paused)
			require.Nil(t, c.NextActionAt)
		}},
		{"skip leaves the next one", campaign.Operation{Action: campaign.OperateSkip}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.CommunicationSkipped, c.Communications[0].Status.Status)
			require.Equal(t, monday.Add(day), *c.NextActionAt)
		}},
		{"reschedule moves the date", campaign.Operation{Action: campaign.OperateReschedule, CommunicationID: id(1), StartDate: &later}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, later, c.Communications[0].StartDate)
			require.Equal(t, monday.Add(day), *c.NextActionAt)
		}},
		{"move to a final stage completes", campaign.Operation{Action: campaign.OperateMove, StageName: "Paid", Final: &campaign.FinalStage{Name: "Paid", Outcome: campaign.OutcomeSuccess}}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.ContactCompleted, c.Status)
			require.Equal(t, campaign.OutcomeSuccess, c.Outcome)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			contact := pending()
			decisions, err := campaign.OperateUnstarted(&contact, &c.op, monday)
			require.NoError(t, err)
			require.Equal(t, campaign.DecisionOperator, decisions[0].Kind)
			c.check(t, &contact)
		})
	}
	t.Run("what does not fit changes nothing", func(t *testing.T) {
		contact := pending()
		_, err := campaign.OperateUnstarted(&contact, &campaign.Operation{Action: campaign.OperateRetry}, monday)
		require.Equal(t, campaign.CodeConflict, campaign.CodeOf(err))
		require.Equal(t, pending(), contact)
	})
	t.Run("a completed one that is planned for again is pending: it has no workflow yet", func(t *testing.T) {
		contact := campaign.Contact{ID: "ct_1", Status: campaign.ContactCompleted, EndedAt: &later}
		_, err := campaign.OperateUnstarted(&contact, &campaign.Operation{Action: campaign.OperateMove, StageName: "Chat", SendNow: true}, monday)
		require.NoError(t, err)
		require.Equal(t, campaign.ContactPending, contact.Status)
		require.Nil(t, contact.EndedAt)
	})
}

func TestCanOperate(t *testing.T) {
	t.Parallel()
	planned := []campaign.Communication{
		{ID: id(1), Status: campaign.StatusAt{Status: campaign.CommunicationPlanned}},
		{ID: id(2), Status: campaign.StatusAt{Status: campaign.CommunicationSent}},
	}
	trouble := &campaign.Attention{Reason: "r", CommunicationID: id(1)}
	for _, c := range []struct {
		name    string
		contact campaign.Contact
		op      campaign.Operation
		want    campaign.Code
	}{
		{"retry without trouble", campaign.Contact{}, campaign.Operation{Action: "retry"}, campaign.CodeConflict},
		{"retry with trouble", campaign.Contact{Attention: trouble}, campaign.Operation{Action: "retry"}, ""},
		{"skip with nothing planned", campaign.Contact{}, campaign.Operation{Action: "skip"}, campaign.CodeConflict},
		{"skip of what is planned", campaign.Contact{Communications: planned}, campaign.Operation{Action: "skip"}, ""},
		{"skip of an ended contact", campaign.Contact{Status: "completed"}, campaign.Operation{Action: "skip"}, campaign.CodeConflict},
		{"stop of a stopped contact", campaign.Contact{Status: "stopped"}, campaign.Operation{Action: "stop"}, campaign.CodeConflict},
		{"pause of a paused contact", campaign.Contact{Paused: true}, campaign.Operation{Action: "pause"}, campaign.CodeConflict},
		{"resume of one that is not paused", campaign.Contact{}, campaign.Operation{Action: "resume"}, campaign.CodeConflict},
		{"resume of a paused contact", campaign.Contact{Paused: true}, campaign.Operation{Action: "resume"}, ""},
		{"move without a stage", campaign.Contact{}, campaign.Operation{Action: "move"}, campaign.CodeInvalid},
		{"move of a stopped contact", campaign.Contact{Status: "stopped"}, campaign.Operation{Action: "move", StageName: "A"}, campaign.CodeConflict},
		{"move of a completed contact", campaign.Contact{Status: "completed"}, campaign.Operation{Action: "move", StageName: "A"}, ""},
		{"move that would plan one too many", campaign.Contact{Communications: make([]campaign.Communication, 200)}, campaign.Operation{Action: "move", StageName: "A", SendNow: true}, campaign.CodeConflict},
		{"reschedule of an unknown communication", campaign.Contact{}, campaign.Operation{Action: "reschedule"}, campaign.CodeInvalid},
		{"reschedule of a sent one", campaign.Contact{Communications: planned}, campaign.Operation{Action: "reschedule", CommunicationID: id(2), StartDate: &monday}, campaign.CodeConflict},
		{"reschedule without a date", campaign.Contact{Communications: planned}, campaign.Operation{Action: "reschedule", CommunicationID: id(1)}, campaign.CodeInvalid},
		{"an action nobody knows", campaign.Contact{}, campaign.Operation{Action: "explode"}, campaign.CodeInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := campaign.NewState(c.contact)
			require.Equal(t, c.want, campaign.CodeOf(s.CanOperate(&c.op)))
		})
	}
}
