package campaign_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestStatusAfter(t *testing.T) {
	t.Parallel()
	const refused = campaign.Status("")
	actions := []campaign.Action{campaign.ActionStart, campaign.ActionPause, campaign.ActionResume, campaign.ActionStop}
	for from, want := range map[campaign.Status][4]campaign.Status{
		campaign.Draft:   {campaign.Running, refused, refused, campaign.Stopped},
		campaign.Running: {refused, campaign.Paused, refused, campaign.Stopped},
		campaign.Paused:  {refused, refused, campaign.Running, campaign.Stopped},
		campaign.Stopped: {refused, refused, refused, refused},
	} {
		for i, action := range actions {
			t.Run(fmt.Sprintf("%s of a campaign that is %s", action, from), func(t *testing.T) {
				got, err := from.After(action)
				if want[i] == refused {
					require.Equal(t, campaign.CodeConflict, campaign.CodeOf(err))
					require.ErrorContains(t, err, fmt.Sprintf("cannot %s a campaign that is %s", action, from))
					require.Equal(t, from, got)
					return
				}
				require.NoError(t, err)
				require.Equal(t, want[i], got)
			})
		}
	}
}

func TestCampaignRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, field string
		change      func(c *campaign.Campaign)
	}{
		{"a name is needed", "name", func(c *campaign.Campaign) { c.Name = "" }},
		{"the zone exists", "timezone", func(c *campaign.Campaign) { c.Timezone = "Mars/Olympus" }},
		{"the server's own zone is no zone", "timezone", func(c *campaign.Campaign) { c.Timezone = "Local" }},
		{"fields are unique", "fields[1].name", func(c *campaign.Campaign) {
			c.Fields = []campaign.Field{{Name: "a", Type: "string"}, {Name: "a", Type: "date"}}
		}},
		{"a field has a known type", "fields[0].type", func(c *campaign.Campaign) { c.Fields = []campaign.Field{{Name: "a", Type: "money"}} }},
		{"an enum has values", "fields[0].values", func(c *campaign.Campaign) { c.Fields = []campaign.Field{{Name: "a", Type: "enum"}} }},
		{"hours are of a channel", "rules.hours.fax", func(c *campaign.Campaign) { c.Rules.Hours = map[string]campaign.Hours{"fax": {}} }},
		{"a weekday is a weekday", "rules.hours.*.monday", func(c *campaign.Campaign) {
			c.Rules.Hours = map[string]campaign.Hours{"*": {"monday": nil}}
		}},
		{"a span ends after it begins", "rules.hours.*.mon", func(c *campaign.Campaign) {
			c.Rules.Hours = map[string]campaign.Hours{"*": {"mon": {{"18:00", "09:00"}}}}
		}},
		{"a holiday is a date", "rules.holidays[0]", func(c *campaign.Campaign) { c.Rules.Holidays = []string{"25.12."} }},
		{"max_attempts has a limit", "rules.max_attempts", func(c *campaign.Campaign) { c.Rules.MaxAttempts = 201 }},
		{"an outcome that counts as success is a word", "success.outcomes[1]", func(c *campaign.Campaign) { c.Success.Outcomes = []string{"PAID", strings.Repeat("x", 61)} }},
		{"a stage that counts as success is named", "success.stages[0]", func(c *campaign.Campaign) { c.Success.Stages = []string{" "} }},
		{"a stage counts as success once", "success.stages[1]", func(c *campaign.Campaign) { c.Success.Stages = []string{"Paid", "Paid"} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := campaign.Campaign{Name: "A", Timezone: "Europe/Berlin"}
			require.NoError(t, v.Validate())
			c.change(&v)
			require.ErrorContains(t, v.Validate(), "; "+c.field+": ")
		})
	}
	require.Equal(t, 10, (&campaign.Rules{}).Attempts())
	require.Equal(t, 3, (&campaign.Rules{MaxAttempts: 3}).Attempts())
}

func TestSessionRollUp(t *testing.T) {
	t.Parallel()
	want := map[campaign.SessionStatus]campaign.CommunicationStatus{
		campaign.SessionCompleted: "COMPLETED", campaign.SessionResolvedByOperator: "COMPLETED",
		campaign.SessionEscalatedByOperator: "COMPLETED", campaign.SessionTransferred: "COMPLETED",
		campaign.SessionNotAnswered: "NO_RESPONSE", campaign.SessionDeclined: "NO_RESPONSE", campaign.SessionBusy: "NO_RESPONSE",
		campaign.SessionUserTimeout: "NO_RESPONSE", campaign.SessionTimeout: "NO_RESPONSE", campaign.SessionNotFound: "NO_RESPONSE",
		campaign.SessionFailed: "FAILED", campaign.SessionNetworkError: "FAILED", campaign.SessionCanceled: "FAILED", campaign.SessionUnknown: "FAILED",
	}
	require.Len(t, campaign.SessionEnds, 14)
	for _, s := range campaign.SessionEnds {
		require.Equal(t, want[s], s.RollUp(), s)
		require.True(t, s.Ended())
	}
	require.False(t, campaign.SessionOpen.Ended())
	require.Empty(t, campaign.SessionOpen.RollUp())
}

func TestSecretNeverShows(t *testing.T) {
	t.Parallel()
	v := struct{ Key campaign.Secret }{"hunter2"}
	b, err := json.Marshal(v)
	require.NoError(t, err)
	for _, s := range []string{string(b), fmt.Sprint(v), fmt.Sprintf("%+v %#v %s %q", v, v, v.Key, v.Key)} {
		require.NotContains(t, s, "hunter2")
	}
	require.Equal(t, "hunter2", v.Key.Reveal())
	require.Empty(t, campaign.Secret("").String())
}

func TestOtherRecords(t *testing.T) {
	t.Parallel()
	zero := 0
	require.NoError(t, (&campaign.Agent{Name: "A", Kind: campaign.AgentOpenAI}).Validate())
	require.ErrorContains(t, (&campaign.Agent{Kind: "parrot", MaxSessions: &zero, Integrations: map[string]string{"fax": "i"}}).Validate(),
		"the agent is not valid; name: an agent needs a name; kind: \"parrot\" is not scripted, openai, webhook or external; max_sessions: at least 1, or null for unlimited; integrations.fax: no such channel")
	require.NoError(t, (&campaign.Integration{Name: "A", Provider: "smtp"}).Validate())
	require.ErrorContains(t, (&campaign.Integration{Name: "A", Provider: "fax"}).Validate(), "provider: ")
	require.NoError(t, (&campaign.Strategy{Name: "A", Type: campaign.DataLoad, Code: "x"}).Validate())
	require.ErrorContains(t, (&campaign.Strategy{Name: "A", Type: "other", Code: " "}).Validate(), "type: ")
	require.Equal(t, "on_agent_answer", campaign.AgentAnswer.DefaultFunction())
	require.Equal(t, "run", campaign.DataLoad.DefaultFunction())
	require.True(t, campaign.CommunicationStatus("REPLIED").Valid())
	require.False(t, campaign.CommunicationStatus("SENDING").Valid())
}
