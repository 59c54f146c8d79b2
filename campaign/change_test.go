package campaign_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// base is a contact with one planned, one sent and one ended communication.
func base() campaign.Contact {
	c := campaign.Contact{
		ID: "ct_1", CampaignID: "ca_1", ObjectID: "o", ExternalID: "e", Name: "Ada", Status: campaign.ContactActive, CurrentStage: "Mail",
		Parameters: campaign.Dict{"amount": raw(`12`), "old": raw(`1`)},
	}
	(&campaign.Change{Plan: []campaign.Communication{plan("Call", monday), plan("Chat", monday), plan("Mail", monday)}}).Apply(&c, monday, false)
	c.Communications[1].Status.Status = campaign.CommunicationSent
	c.Communications[2].Status.Status = campaign.CommunicationCompleted
	return c
}

// strategy returns what change makes of the contact, as Python gives it back.
func strategy(t *testing.T, c campaign.Contact, flagged string, change func(c *campaign.Contact)) (campaign.Change, error) {
	t.Helper()
	next := c.Clone()
	change(&next)
	b, err := json.Marshal(next)
	require.NoError(t, err)
	got, err := campaign.Diff(c, b, campaign.Knowledge{Stages: stages(), Flagged: flagged, Now: monday})
	if err != nil {
		return got, err
	}
	text, err := json.Marshal(got)
	require.NoError(t, err)
	var again campaign.Change // the change travels between activity and workflow
	require.NoError(t, json.Unmarshal(text, &again))
	return again, nil
}

func TestDiffAndApply(t *testing.T) {
	t.Parallel()
	const fresh = "ct_1-4"
	later := monday.Add(3 * day)
	for _, c := range []struct {
		name    string
		flagged string
		change  func(c *campaign.Contact)
		check   func(t *testing.T, c *campaign.Contact)
		ignored string
	}{
		{"nothing changed is nothing", "", func(*campaign.Contact) {}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, base(), *c)
		}, ""},
		{"fields and dictionaries follow", "", func(c *campaign.Contact) {
			c.Email, c.Timezone = "a@b.example", "Europe/Berlin"
			c.Parameters = campaign.Dict{"amount": raw(`12.5`), "n": raw(`900719925474099312345`)}
		}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, "a@b.example", c.Email)
			require.Equal(t, campaign.Dict{"amount": raw(`12.5`), "n": raw(`900719925474099312345`)}, c.Parameters)
		}, ""},
		{"an outcome is set", "", func(c *campaign.Contact) { c.Outcome = campaign.OutcomeSuccess }, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.OutcomeSuccess, c.Outcome)
		}, ""},
		{"a new communication gets the next id, its stage and PLANNED", "", func(c *campaign.Contact) {
			c.Communications = append(c.Communications, campaign.Communication{Name: "n", StageName: "Chat", StartDate: later, Params: campaign.Dict{"x": raw(`1`)}})
		}, func(t *testing.T, c *campaign.Contact) {
			m := c.Communication(fresh)
			require.Equal(t, campaign.CommunicationPlanned, m.Status.Status)
			require.Equal(t, "st_chat", m.StageID)
			require.Equal(t, later, m.StartDate)
		}, ""},
		{"a new one without a date is due now", "", func(c *campaign.Contact) {
			c.Communications = append(c.Communications, campaign.Communication{StageName: "Chat"})
		}, func(t *testing.T, c *campaign.Contact) { require.Equal(t, monday, c.Communication(fresh).StartDate) }, ""},
		{"a new one is PLANNED, whatever it says", "", func(c *campaign.Contact) {
			c.Communications = append(c.Communications, campaign.Communication{StageName: "Chat", Status: campaign.StatusAt{Status: "SENT"}})
		}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.CommunicationPlanned, c.Communication(fresh).Status.Status)
		}, "communications[3]: a new communication is PLANNED, not SENT"},
		{"a planned one may change in everything", "", func(c *campaign.Contact) {
			m := &c.Communications[0]
			m.Name, m.StageName, m.StartDate, m.ExpiresAt, m.StartState, m.Timeout = "x", "Chat", later, &later, "greet", campaign.Duration(day)
			m.Params = campaign.Dict{"a": raw(`1`)}
		}, func(t *testing.T, c *campaign.Contact) {
			m := c.Communication(id(1))
			require.Equal(t, []any{"x", "Chat", "st_chat", later, "greet", campaign.Duration(day)}, []any{m.Name, m.StageName, m.StageID, m.StartDate, m.StartState, m.Timeout})
			require.Equal(t, later, *m.ExpiresAt)
			require.Equal(t, campaign.Dict{"a": raw(`1`)}, m.Params)
		}, ""},
		{"a planned one is canceled by its status", "", func(c *campaign.Contact) {
			c.Communications[0].Status = campaign.StatusAt{Status: "CANCELED", Reason: "paid"}
		}, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.StatusAt{Status: "CANCELED", At: monday, Reason: "paid"}, c.Communication(id(1)).Status)
		}, ""},
		{"a planned one is canceled by its removal", "", func(c *campaign.Contact) { c.Communications = c.Communications[1:] }, func(t *testing.T, c *campaign.Contact) {
			require.Len(t, c.Communications, 3)
			require.Equal(t, "removed by the strategy", c.Communication(id(1)).Status.Reason)
		}, ""},
		{"SKIPPED by a strategy is CANCELED too", "", func(c *campaign.Contact) { c.Communications[0].Status.Status = "SKIPPED" }, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.CommunicationCanceled, c.Communication(id(1)).Status.Status)
		}, ""},
		{"one that has left stays, though removed", "", func(c *campaign.Contact) {
			c.Communications = append(c.Communications[:1:1], c.Communications[2])
		}, nil, "ct_1-2 (SENT) has left already and stays in the list"},
		{
			"the plan of one that has left stays", "", func(c *campaign.Contact) { c.Communications[1].StartDate = later }, nil,
			"communications[1]: the plan of ct_1-2 (SENT) is not a strategy's to change",
		},
		{
			"so do its template variables", "", func(c *campaign.Contact) { c.Communications[1].Params = campaign.Dict{"a": raw(`1`)} }, nil,
			"communications[1]: the plan of ct_1-2 (SENT) is not a strategy's to change",
		},
		{"its timeout may change", "", func(c *campaign.Contact) { c.Communications[1].Timeout = campaign.Duration(day) }, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.Duration(day), c.Communication(id(2)).Timeout)
		}, ""},
		{
			"the timeout of an ended one may not", "", func(c *campaign.Contact) { c.Communications[2].Timeout = campaign.Duration(day) }, nil,
			"communications[2]: the timeout of ct_1-3 (COMPLETED) is not a strategy's to change",
		},
		{
			"the status of one that has left stays", "", func(c *campaign.Contact) { c.Communications[1].Status.Status = "COMPLETED" }, nil,
			"communications[1]: the status of ct_1-2 (SENT) is not a strategy's to change",
		},
		{"but the flagged one may be given its end", id(2), func(c *campaign.Contact) { c.Communications[1].Status.Status = "NO_RESPONSE" }, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, campaign.CommunicationNoResponse, c.Communication(id(2)).Status.Status)
		}, ""},
		{"an id nobody gave is ignored", "", func(c *campaign.Contact) {
			c.Communications = append(c.Communications, campaign.Communication{ID: "mine", StageName: "Chat"})
		}, nil, `communications[3]: no communication has the id "mine"`},
		{
			"one twice in the list is one", "", func(c *campaign.Contact) { c.Communications = append(c.Communications, c.Communications[0]) }, nil,
			`communications[3]: "ct_1-1" is in the list twice`,
		},
		{
			"keys and status are not a strategy's", "", func(c *campaign.Contact) { c.ObjectID, c.Status = "x", "completed" }, nil,
			`object_id is not a strategy's to change ("o" stays)`,
		},
		{"a final stage is known as one", "", func(c *campaign.Contact) { c.CurrentStage = "Paid" }, func(t *testing.T, c *campaign.Contact) {
			require.Equal(t, "Paid", c.CurrentStage)
		}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			change, err := strategy(t, base(), c.flagged, c.change)
			require.NoError(t, err)
			if c.ignored != "" {
				require.Contains(t, change.Ignored, c.ignored)
			} else {
				require.Empty(t, change.Ignored)
			}
			contact := base()
			if m := contact.Communication(c.flagged); m != nil {
				m.Flagged = true
			}
			done := change.Apply(&contact, monday, false)
			require.Empty(t, done.Notes)
			if c.check == nil {
				require.Equal(t, base(), contact, "what is ignored changes nothing")
				return
			}
			c.check(t, &contact)
		})
	}
	t.Run("an outcome is taken back", func(t *testing.T) {
		won := base()
		won.Outcome = campaign.OutcomeSuccess
		change, err := strategy(t, won, "", func(c *campaign.Contact) { c.Outcome = campaign.OutcomeNone })
		require.NoError(t, err)
		change.Apply(&won, monday, false)
		require.Equal(t, campaign.OutcomeNone, won.Outcome)
	})
	t.Run("a final stage brings its outcome", func(t *testing.T) {
		change, err := strategy(t, base(), "", func(c *campaign.Contact) { c.CurrentStage = "Paid" })
		require.NoError(t, err)
		require.Equal(t, &campaign.FinalStage{Name: "Paid", Outcome: campaign.OutcomeSuccess}, change.Final)
	})
}

func TestBadResults(t *testing.T) {
	t.Parallel()
	const known = `it has "Mail", "Mail and wait", "Mail delivered", "Chat", "Call", "Paid", "Lost"`
	for _, c := range []struct {
		name, path, message string
		change              func(c *campaign.Contact)
	}{
		{"an unknown current stage lists the known", "current_stage", known, func(c *campaign.Contact) { c.CurrentStage = "Nowhere" }},
		{"an unknown stage of a new communication", "communications[3].stage_name", known, func(c *campaign.Contact) {
			c.Communications = append(c.Communications, campaign.Communication{StageName: "Nowhere"})
		}},
		{"an unknown stage of a planned one", "communications[0].stage_name", known, func(c *campaign.Contact) { c.Communications[0].StageName = "Nowhere" }},
		{"a status that is none", "communications[1].status", "is not a CommunicationStatus", func(c *campaign.Contact) { c.Communications[1].Status.Status = "GONE" }},
		{"a zone that does not exist", "timezone", "not an IANA time zone", func(c *campaign.Contact) { c.Timezone = "Mars" }},
		{"an outcome that is none", "outcome", "is not success, failure or None", func(c *campaign.Contact) { c.Outcome = "win" }},
		{"more than 200 communications", "communications", "more than 200 communications", func(c *campaign.Contact) {
			for range 198 {
				c.Communications = append(c.Communications, campaign.Communication{StageName: "Chat"})
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := strategy(t, base(), "", c.change)
			var bad *campaign.BadResultError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, c.path, bad.Path)
			require.ErrorContains(t, err, c.message)
		})
	}
	t.Run("a zone that does not exist but came with the row is not the strategy's doing", func(t *testing.T) {
		change, err := campaign.Diff(base(), raw(`{"timezone": "Mars"}`), campaign.Knowledge{Timezone: "Mars"})
		require.NoError(t, err)
		require.Equal(t, "Mars", change.Set["timezone"])
	})
	t.Run("exactly 200 are allowed", func(t *testing.T) {
		_, err := strategy(t, base(), "", func(c *campaign.Contact) {
			for range 197 {
				c.Communications = append(c.Communications, campaign.Communication{StageName: "Chat"})
			}
		})
		require.NoError(t, err)
	})
	for text, path := range map[string]string{`{"name": 5}`: "name", `{"communications": "none"}`: "communications", `[1]`: "", `nonsense`: "contact"} {
		t.Run("a broken type: "+text, func(t *testing.T) {
			_, err := campaign.Diff(base(), raw(text), campaign.Knowledge{})
			var bad *campaign.BadResultError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, path, bad.Path)
		})
	}
}

func TestApplyToAContactThatHasGoneOn(t *testing.T) {
	t.Parallel()
	t.Run("one dispatched meanwhile is neither changed nor canceled, and the notes say so", func(t *testing.T) {
		edited, err := strategy(t, base(), "", func(c *campaign.Contact) { c.Communications[0].StartDate = monday.Add(day) })
		require.NoError(t, err)
		canceled, err := strategy(t, base(), "", func(c *campaign.Contact) { c.Communications = c.Communications[1:] })
		require.NoError(t, err)
		now := base()
		now.Communications[0].Status.Status = campaign.CommunicationStarted
		require.Equal(t, []string{"ct_1-1 is STARTED by now; its plan is not changed"}, edited.Apply(&now, monday, false).Notes)
		require.Equal(t, []string{"ct_1-1 is STARTED by now; it is not canceled"}, canceled.Apply(&now, monday, false).Notes)
		require.Equal(t, monday, now.Communications[0].StartDate)
	})
	t.Run("what others changed meanwhile stays", func(t *testing.T) {
		change, err := strategy(t, base(), "", func(c *campaign.Contact) { c.Parameters["x"] = raw(`1`) })
		require.NoError(t, err)
		now := base()
		now.Email, now.Parameters["y"] = "new@b.example", raw(`2`)
		change.Apply(&now, monday, false)
		require.Equal(t, "new@b.example", now.Email)
		require.Equal(t, []string{"amount", "old", "x", "y"}, now.Parameters.Keys())
	})
	t.Run("ids go on from what is there by now", func(t *testing.T) {
		change, err := strategy(t, base(), "", func(c *campaign.Contact) {
			c.Communications = append(c.Communications, campaign.Communication{StageName: "Chat"})
		})
		require.NoError(t, err)
		now := base()
		now.Communications = append(now.Communications, campaign.Communication{ID: id(4)})
		require.Equal(t, []string{id(5)}, change.Apply(&now, monday, false).Planned)
	})
	t.Run("a re-import plans no second one, unless the first was canceled", func(t *testing.T) {
		change := campaign.Change{Plan: []campaign.Communication{plan("Call", monday), plan("Chat", monday)}}
		now := base()
		now.Communications[0].Status.Status = campaign.CommunicationCanceled
		done := change.Apply(&now, monday.Add(time.Hour), true)
		require.Equal(t, []string{id(4)}, done.Planned)
		require.Equal(t, []string{fmt.Sprintf("%q at stage %q is there already and is not planned again", "about Chat", "Chat")}, done.Notes)
	})
}
