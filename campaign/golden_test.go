package campaign_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

var update = flag.Bool("update", false, "write the goldens in testdata anew")

// TestWireForm freezes the JSON of every record: it is what REST answers, what
// Temporal's history holds and what Python sees. A change here breaks them all.
func TestWireForm(t *testing.T) {
	t.Parallel()
	at, later, limit := monday, monday.Add(3*day), 1
	outcome, stage, hours := "success", "Paid", campaign.Duration(36*time.Hour)
	delivery := campaign.Delivery{
		Channel: campaign.EmailNotification, Integration: "in_1", Agent: "ag_1", Subject: "Hello {{ name }}", Template: "You owe {{ parameters.amount }}",
		Format: "text", ProjectID: "p", Version: "v", TemplateName: "n", Language: "en", Variables: map[string]string{"1": "{{ name }}"},
		StartState: "greeting", CompleteOn: "delivered", UnknownPolicy: "resend", WaitForLink: true,
	}
	communication := campaign.Communication{
		ID: "ct_1-1", Name: "Reminder", StageName: "Mail", StageID: "st_1", StartDate: at, Timeout: hours, ExpiresAt: &later, StartState: "greeting",
		Params: campaign.Dict{"discount": raw(`5`)}, Status: campaign.StatusAt{Status: campaign.CommunicationDelivered, At: at, Reason: "r"}, Flagged: true,
		Channel: campaign.EmailNotification, Alternative: "default", SessionID: "ss_ct_1-1", ProviderMessageID: "pm_1", Results: campaign.Dict{"ok": raw(`true`)}, Attempt: 1,
	}
	contact := campaign.Contact{
		ID: "ct_1", CampaignID: "ca_1", ObjectID: "CONTRACT-123", ExternalID: "USER-456", Name: "Ada", Email: "ada@example.com", Phone: "+4930123456",
		Timezone: "Europe/Berlin", Language: "de", TelegramChatID: "77",
		Parameters:   campaign.Dict{"account": raw(`900719925474099312345`), "due": raw(`{"$d":"2026-03-09"}`)},
		Results:      campaign.Dict{"promise": raw(`{"$dt":"2026-03-09T10:00:00+01:00"}`)},
		InternalData: campaign.Dict{"n": raw(`[1,null]`)}, CurrentStage: "Mail", Communications: []campaign.Communication{communication, {ID: "ct_1-2"}},
		Outcome: campaign.OutcomeSuccess, Status: campaign.ContactNeedsAttention, Held: &campaign.Hold{Cause: campaign.HeldCampaign, Ref: "ca_1", Since: at},
		Attention: &campaign.Attention{Reason: "send_unknown", Detail: "cut off", CommunicationID: "ct_1-1", Since: at}, Idle: true, Paused: true,
		NextActionAt: &later, Counts: campaign.Counts{Sent: 1, Received: 2}, CreatedAt: at, UpdatedAt: at, StartedAt: &at, EndedAt: &later,
	}
	decision := campaign.Decision{At: at, Kind: campaign.DecisionSent, Summary: "Sent: Reminder by email_notification", Reason: "r", Data: map[string]any{"communication_id": "ct_1-1"}}
	change := campaign.Change{
		Set: map[string]string{"email": "a@example.com"}, Parameters: campaign.DictChange{Set: campaign.Dict{"a": raw(`1`)}, Remove: []string{"b"}},
		Stage: &stage, Final: &campaign.FinalStage{Name: "Paid", Outcome: campaign.OutcomeSuccess}, Outcome: &outcome,
		Plan:    []campaign.Communication{{Name: "Follow-up", StageName: "Chat", StageID: "st_2", StartDate: later}},
		Edit:    []campaign.Edit{{ID: "ct_1-1", StartDate: &later, Timeout: &hours, NoExpiry: true, Reason: "r"}},
		Ignored: []string{"status is not a strategy's to change (\"active\" stays)"},
	}
	verdict := campaign.Verdict{
		Outcome: campaign.GateGo, StageName: "Mail", Channel: campaign.EmailNotification, Alternative: "default", Probability: 0.25, Queue: "send-in_1",
		Until: &later, Hold: contact.Held, Reason: "r", Detail: "d", Final: change.Final,
	}
	sent := campaign.SendOutcome{
		Outcome: campaign.SendSent, SessionID: "ss_1", Queue: "send-in_1", ProviderMessageID: "pm_1", Silent: true, Timeout: hours, OnDelivered: true,
		Until: &later, Hold: contact.Held, Reason: "r", Detail: "d",
	}
	row := campaign.RowImport{ImportID: "im_1", Line: 2, Row: campaign.Row{Line: 2, Fields: map[string]string{"email": "a@example.com"}, Parameters: campaign.Dict{"a": raw(`1`)}}}
	event := campaign.Event{
		ID: "ev_1", Kind: campaign.EventMessage, SessionID: "ss_1", CommunicationID: "ct_1-1", MessageID: "ms_1", Author: campaign.AuthorContact, Content: "hello",
		Delivery: "delivered", Status: campaign.SessionCompleted, Results: campaign.Dict{"a": raw(`1`)}, Reason: "r", Import: &row,
		Release: &campaign.Release{Cause: campaign.HeldAgentFull, Ref: "ag_1", CommunicationID: "ct_1-1", Policy: campaign.ResumeSpread, Over: hours},
		Operation: &campaign.Operation{
			Action: campaign.OperateMove, Actor: "kim", StageName: "Paid", StageID: "st_9", Final: change.Final, SendNow: true,
			CommunicationID: "ct_1-1", StartDate: &later, Policy: campaign.ResumeNow, Reason: "r",
		},
		Verdict: &verdict, Sent: &sent, Held: contact.Held,
		Decided: &campaign.StrategyOutcome{None: true, Version: 3, Change: change, Error: &campaign.StrategyError{
			Kind: "error", Type: "KeyError", Message: "m", File: "f.py", Line: 1, Column: 2, Traceback: "t",
		}},
	}
	ending := campaign.Ending{
		CommunicationID: "ct_1-1", Outcome: campaign.CommunicationCompleted, SessionID: "ss_1", SessionStatus: campaign.SessionCompleted,
		Results: campaign.Dict{"a": raw(`1`)}, Reason: "r", Answered: true,
	}
	message := campaign.Message{ID: "ms_1", SessionID: "ss_1", Author: campaign.AuthorAgent, Content: "hello", At: at, Delivery: "sent", ProviderMessageID: "pm_1"}
	job := campaign.Command{
		Kind: campaign.CommandStrategy, Step: 7, CommunicationID: "ct_1-1", SessionID: "ss_1", From: "ss_0", MessageID: "ms_1", Queue: "send-in_1",
		Verdict: &verdict, Type: campaign.Aggregation, Ending: &ending, Import: &row, Message: &message, Status: campaign.SessionCompleted,
		Results: campaign.Dict{"a": raw(`1`)}, Reason: "r", Timeout: true,
	}
	for _, g := range []struct {
		name        string
		value, into any
	}{
		{"contact", contact, &campaign.Contact{}},
		{"contact_empty", campaign.Contact{}, &campaign.Contact{}},
		{"communication", communication, &campaign.Communication{}},
		{"stage", campaign.Stage{
			ID: "st_1", CampaignID: "ca_1", Name: "Mail", Description: "d", Position: 1, SessionTimeout: hours, SendIf: "parameters.paid != true", Outcome: campaign.OutcomeFailure,
			Weight: 1, Delivery: delivery, Alternatives: []campaign.Alternative{{Label: "b", Weight: 0.5, Fallback: true, Delivery: campaign.Delivery{Channel: campaign.Human}}},
			Paused: true, Version: 2, CreatedAt: at, UpdatedAt: at,
		}, &campaign.Stage{}},
		{"campaign", campaign.Campaign{
			ID: "ca_1", Name: "Pre-collection", Description: "d", Labels: []string{"debt"}, Timezone: "Europe/Berlin", Status: campaign.Running, StatusMessage: "m",
			Fields: []campaign.Field{{Name: "due", Type: "date", Format: "%d.%m.%Y", Values: []string{"a"}, Required: true, Indexed: true}},
			Rules: campaign.Rules{
				Hours: map[string]campaign.Hours{"*": {"mon": {{"09:00", "18:00"}}}}, Holidays: []string{"2026-12-25"}, MaxAttempts: 5, ExhaustedStage: "Lost",
				MaxLateness: hours, DailyCap: 100, MinGap: campaign.Duration(day), Priority: 2,
			},
			Success: campaign.Success{Stages: []string{"Paid"}, Outcomes: []string{"success"}}, Egress: campaign.Egress{Hosts: []string{"api.crm.example:443"}},
			Version: 4, CreatedAt: at, UpdatedAt: at, StartedAt: &at, StoppedAt: &later, FinishedAt: &later,
		}, &campaign.Campaign{}},
		{"session", campaign.Session{
			ID: "ss_1", CampaignID: "ca_1", ContactID: "ct_1", CommunicationID: "ct_1-1", StageName: "Chat", AgentID: "ag_1", IntegrationID: "in_1", Channel: campaign.Telegram,
			Address: "77", Mode: campaign.ModeCopilot, State: "greeting", Status: campaign.SessionOpen, Reason: "r", Late: true, Results: campaign.Dict{"a": raw(`1`)},
			Messages: []campaign.Message{message}, CreatedAt: at, LastMessageAt: &at, EndedAt: &later,
		}, &campaign.Session{}},
		{"agent", campaign.Agent{
			ID: "ag_1", Name: "Bell", Kind: campaign.AgentScripted, Status: campaign.AgentRunning, StatusMessage: "m", Instructions: "i",
			States: []campaign.AgentState{{Name: "greeting", Instructions: "i", Start: true}}, ResultFields: []campaign.ResultField{{Name: "paid", Description: "d", Type: "enum", Values: []string{"yes"}}},
			Integrations: map[string]string{"telegram": "in_1"}, MaxSessions: &limit, DailySessions: &limit, Settings: map[string]string{"model": "m"}, SecretNames: []string{"key"},
			Version: 1, CreatedAt: at, UpdatedAt: at,
		}, &campaign.Agent{}},
		{"integration", campaign.Integration{
			ID: "in_1", Name: "Mail", Provider: "sendgrid", Settings: map[string]string{"from": "a@example.com"}, SecretNames: []string{"api_key"}, RatePerSecond: 5, Paused: true,
			Status: "error", StatusMessage: "m", Version: 1, CreatedAt: at, UpdatedAt: at,
		}, &campaign.Integration{}},
		{"decision", decision, &campaign.Decision{}},
		{"decision_empty", campaign.Decision{Kind: campaign.DecisionRead}, &campaign.Decision{}},
		{"strategy", campaign.Strategy{
			ID: "sg_1", CampaignID: "ca_1", Name: "Follow up", Type: campaign.Aggregation, Function: "run", Code: "async def run(): ...", Network: true, Version: 3, Hash: "abc",
			Slow: true, CreatedAt: at, UpdatedAt: at,
		}, &campaign.Strategy{}},
		{"event", event, &campaign.Event{}},
		{"state", campaign.State{
			Contact: campaign.Contact{ID: "ct_1"}, Steps: 7, Open: []campaign.Open{{SessionID: "ss_1", CommunicationID: "ct_1-1", Timeout: hours, Deadline: later, Late: true, OnDelivered: true, Received: 1}},
			Closing: []campaign.Closing{{SessionID: "ss_1", CommunicationID: "ct_1-1", Status: campaign.SessionTimeout, Results: campaign.Dict{"a": raw(`1`)}, Reason: "r", Timeout: true}},
			Ended:   []campaign.Ending{ending}, Inputs: []campaign.Event{{ID: "ev_1", Kind: campaign.EventImport, Import: &row}}, Sending: "ct_1-2", Replies: []string{"ms_1"}, Job: &job,
			Holds:     []campaign.CommHold{{Hold: *contact.Held, CommunicationID: "ct_1-3", SessionID: "ss_3", Timeout: true}},
			Deferrals: []campaign.Deferral{{CommunicationID: "ct_1-4", Until: later}}, Trouble: &campaign.Trouble{Attention: *contact.Attention, Kind: campaign.TroubleUnknown, Sent: &sent},
			Final: change.Final, Stopping: "r", Late: 2, Routes: []campaign.Route{{CommunicationID: "ct_1-1", Queue: "send-in_1"}}, Early: []campaign.Event{{Kind: campaign.EventMessage}},
			Granted: []string{"ct_1-5"}, Seen: []string{"ev_1"}, Decisions: []campaign.Decision{decision}, Taken: []string{"ev_1"},
			Settled: []campaign.RowSettle{{ImportID: "im_1", Line: 2, Error: &campaign.RowError{Line: 2, Field: "f", Value: "v", Reason: "r"}}}, Dirty: true,
		}, &campaign.State{}},
		{"state_new", campaign.NewState(campaign.Contact{ID: "ct_1"}), &campaign.State{}},
	} {
		t.Run(g.name, func(t *testing.T) {
			t.Parallel()
			got, err := json.MarshalIndent(g.value, "", "  ")
			require.NoError(t, err)
			got = append(got, '\n')
			path := filepath.Join("testdata", g.name+".json")
			if *update {
				require.NoError(t, os.MkdirAll("testdata", 0o755))
				require.NoError(t, os.WriteFile(path, got, 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "the wire form is frozen; go test ./campaign -update writes it anew")
			require.NoError(t, json.Unmarshal(want, g.into))
			again, err := json.MarshalIndent(g.into, "", "  ")
			require.NoError(t, err)
			require.Equal(t, string(bytes.TrimSpace(want)), string(again), "what is written is read back whole")
		})
	}
}

func TestAStatusMayBeWrittenBare(t *testing.T) {
	t.Parallel()
	var m campaign.Communication
	require.NoError(t, json.Unmarshal(raw(`{"status":"CANCELED"}`), &m))
	require.Equal(t, campaign.CommunicationCanceled, m.Status.Status)
}
