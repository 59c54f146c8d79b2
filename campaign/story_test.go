package campaign_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// monday is when every story begins.
var monday = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// story drives the state of one contact: events go in, commands come out and
// are answered by name.
type story struct {
	t       *testing.T
	s       campaign.State
	now     time.Time
	pending []campaign.Command
	events  int
}

// begin starts a story with planned communications at the named stages, due
// one day apart from monday on.
func begin(t *testing.T, stageNames ...string) *story {
	t.Helper()
	c := campaign.Contact{ID: "ct_1", CampaignID: "ca_1", Name: "Ada", Status: campaign.ContactActive}
	change := campaign.Change{}
	for i, name := range stageNames {
		change.Plan = append(change.Plan, plan(name, monday.AddDate(0, 0, i)))
	}
	change.Apply(&c, monday, false)
	st := &story{t: t, s: campaign.NewState(c), now: monday}
	st.tick()
	return st
}

func plan(stageName string, at time.Time) campaign.Communication {
	return campaign.Communication{Name: "about " + stageName, StageName: stageName, StageID: "st_" + stageName, StartDate: at}
}

func (st *story) step(e campaign.Event) {
	st.pending = append(st.pending, st.s.Step(e, st.now)...)
}

func (st *story) tick() { st.step(campaign.Event{Kind: campaign.EventTick}) }

// happens delivers an event of the inbox.
func (st *story) happens(e campaign.Event) {
	st.events++
	e.ID = fmt.Sprintf("ev%d", st.events)
	st.step(e)
}

// after lets time pass.
func (st *story) after(d time.Duration) {
	st.now = st.now.Add(d)
	st.tick()
}

// wake lets time pass until the contact wants to be woken.
func (st *story) wake() {
	st.t.Helper()
	at, _, ok := st.s.Wake()
	require.True(st.t, ok, "the contact waits for no moment")
	st.after(at.Sub(st.now))
}

// asked takes the oldest command of the kind that has not been answered.
func (st *story) asked(kind campaign.CommandKind) campaign.Command {
	st.t.Helper()
	i := slices.IndexFunc(st.pending, func(c campaign.Command) bool { return c.Kind == kind })
	require.GreaterOrEqual(st.t, i, 0, "no %s was asked for; there is %v", kind, st.kinds())
	c := st.pending[i]
	st.pending = slices.Delete(st.pending, i, i+1)
	return c
}

func (st *story) kinds() (kinds []campaign.CommandKind) {
	for _, c := range st.pending {
		kinds = append(kinds, c.Kind)
	}
	return kinds
}

func (st *story) nothingAsked() {
	st.t.Helper()
	require.Empty(st.t, st.kinds())
}

func (st *story) gate(v campaign.Verdict) {
	st.t.Helper()
	c := st.asked(campaign.CommandGate)
	if v.Outcome == campaign.GateGo && v.Channel == "" {
		v.Channel = campaign.Telegram
	}
	require.NotEmpty(st.t, c.CommunicationID)
	st.step(campaign.Event{Kind: campaign.EventGated, Verdict: &v})
}

func (st *story) pass(ch campaign.Channel) {
	st.t.Helper()
	st.gate(campaign.Verdict{Outcome: campaign.GateGo, Channel: ch, Alternative: campaign.DefaultLabel})
}

func (st *story) sending(out campaign.SendOutcome) {
	st.t.Helper()
	c := st.asked(campaign.CommandSend)
	st.step(campaign.Event{Kind: campaign.EventSent, CommunicationID: c.CommunicationID, Sent: &out})
}

// notify takes a due notification through gate and send; it waits for timeout.
func (st *story) notify(timeout campaign.Duration) {
	st.t.Helper()
	st.pass(campaign.EmailNotification)
	st.sending(campaign.SendOutcome{Outcome: campaign.SendSent, Timeout: timeout})
}

// converse takes a due communication into an open session, which it names.
func (st *story) converse() string {
	st.t.Helper()
	st.pass(campaign.Telegram)
	c := st.asked(campaign.CommandSend)
	session := campaign.SessionID(c.CommunicationID)
	st.step(campaign.Event{Kind: campaign.EventSent, CommunicationID: c.CommunicationID, Sent: &campaign.SendOutcome{
		Outcome: campaign.SendSent, SessionID: session, Timeout: campaign.Duration(72 * time.Hour),
	}})
	return session
}

func (st *story) closed() campaign.Command {
	st.t.Helper()
	c := st.asked(campaign.CommandClose)
	st.step(campaign.Event{Kind: campaign.EventClosed})
	return c
}

// decided answers the strategy that runs with what it changed.
func (st *story) decided(kind campaign.StrategyType, c campaign.Change) campaign.Command {
	st.t.Helper()
	job := st.asked(campaign.CommandStrategy)
	require.Equal(st.t, kind, job.Type)
	st.step(campaign.Event{Kind: campaign.EventDecided, Decided: &campaign.StrategyOutcome{Version: 1, Change: c}})
	return job
}

func (st *story) fails(kind campaign.StrategyType) {
	st.t.Helper()
	require.Equal(st.t, kind, st.asked(campaign.CommandStrategy).Type)
	st.step(campaign.Event{Kind: campaign.EventDecided, Decided: &campaign.StrategyOutcome{Error: &campaign.StrategyError{
		Kind: "error", Type: "KeyError", Message: "'amount'", File: "follow.py", Line: 3,
	}}})
}

func (st *story) writes(communication int, session, text string) {
	st.happens(campaign.Event{Kind: campaign.EventMessage, CommunicationID: id(communication), SessionID: session, MessageID: "in-" + text, Content: text})
}

func (st *story) operator(op campaign.Operation) {
	st.t.Helper()
	op.Anew = true
	require.NoError(st.t, st.s.CanOperate(&op))
	st.happens(campaign.Event{Kind: campaign.EventOperate, Operation: &op})
}

func (st *story) imports(line int) {
	st.happens(campaign.Event{Kind: campaign.EventImport, Import: &campaign.RowImport{ImportID: "im_1", Line: line}})
}

func (st *story) status(communication int, want campaign.CommunicationStatus) {
	st.t.Helper()
	require.Equal(st.t, want, st.communication(communication).Status.Status)
}

func (st *story) communication(n int) *campaign.Communication {
	st.t.Helper()
	m := st.s.Contact.Communication(id(n))
	require.NotNil(st.t, m)
	return m
}

func (st *story) contact(want campaign.ContactStatus) {
	st.t.Helper()
	require.Equal(st.t, want, st.s.Contact.Status)
}

func (st *story) told(kind campaign.DecisionKind) campaign.Decision {
	st.t.Helper()
	i := slices.IndexFunc(st.s.Decisions, func(d campaign.Decision) bool { return d.Kind == kind })
	require.GreaterOrEqual(st.t, i, 0, "nothing says %s", kind)
	return st.s.Decisions[i]
}

func id(n int) string { return campaign.CommunicationID("ct_1", n) }

func moved(stageName string, outcome campaign.Outcome) campaign.Change {
	return campaign.Change{Stage: &stageName, Final: &campaign.FinalStage{Name: stageName, Outcome: outcome}}
}

func raw(s string) json.RawMessage { return json.RawMessage(s) }
