package campaign_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"carillon/campaign"
)

// TestNothingIsSentTwiceOrForgotten takes a contact through random histories:
// whatever happens, in whatever order results arrive, the invariants hold
// after every step.
func TestNothingIsSentTwiceOrForgotten(t *testing.T) {
	checks := "3000"
	if testing.Short() {
		checks = "300"
	}
	if err := flag.Set("rapid.nofailfile", "true"); err != nil { // testdata holds goldens only
		t.Fatal(err)
	}
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "rapid.checks" })
	if !given {
		if err := flag.Set("rapid.checks", checks); err != nil {
			t.Fatal(err)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(rt)
		for range rapid.IntRange(5, 60).Draw(rt, "length") {
			w.act()
		}
		w.drain()
	})
}

// world is one contact, the interpreter of its commands, and what it remembers
// in order to judge the state.
type world struct {
	t           *rapid.T
	s           campaign.State
	now         time.Time
	stages      []campaign.Stage
	outstanding []call
	uniform     bool
	draws       uint64
	benign      bool // every command succeeds and no strategy plans anything more

	events   int
	messages int
	imports  map[int]int // line to times settled
	sent     map[string]bool
	ended    map[[2]string]int // (communication, session) closed, to be aggregated
	judged   map[[2]string]int // (communication, session) aggregated without an error
	excused  map[string]bool   // an operator, a final stage or max_attempts ended it
	places   map[string]bool   // agent's places taken
	late     map[string]bool   // answers of turns that a person has overtaken
	said     []campaign.Reply  // in order, and not sent yet
	ordered  map[string]bool   // what was said in order
	stopped  bool
}

// call is a command that has not been answered, with the contact as it was
// when it was given.
type call struct {
	campaign.Command
	contact campaign.Contact
}

func newWorld(t *rapid.T) *world {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	w := &world{
		t: t, now: now, stages: stages(), uniform: rapid.Bool().Draw(t, "uniform"),
		imports: map[int]int{}, sent: map[string]bool{}, ended: map[[2]string]int{}, judged: map[[2]string]int{},
		excused: map[string]bool{}, places: map[string]bool{}, late: map[string]bool{}, ordered: map[string]bool{},
	}
	c := campaign.Contact{ID: "ct_1", CampaignID: "ca_1", ObjectID: "o", ExternalID: "e", Name: "Ada", Status: campaign.ContactActive, StartedAt: &now}
	change := campaign.Change{}
	for range w.pick(3, "first plan") {
		change.Plan = append(change.Plan, w.communication())
	}
	change.Apply(&c, now, false)
	w.s = campaign.NewState(c)
	return w
}

// pick draws a number below n. Rapid favours small numbers, which makes short
// failures but leaves rare meetings out: half of the histories are uniform.
func (w *world) pick(n int, what string) int {
	if !w.uniform {
		return rapid.IntRange(0, n-1).Draw(w.t, what)
	}
	w.draws++
	x := (uint64(rapid.Uint32().Draw(w.t, what)) + w.draws<<32) * 0x9e3779b97f4a7c15
	x ^= x >> 29
	return int(x * 0xbf58476d1ce4e5b9 >> 33 % uint64(n))
}

// rarely is true once in n; shrinking makes it false.
func (w *world) rarely(n int, what string) bool { return !w.benign && w.pick(n, what) == n-1 }

func sample[T any](w *world, from []T, what string) T { return from[w.pick(len(from), what)] }

func (w *world) communication() campaign.Communication {
	s := w.stages[w.pick(len(w.stages), "stage")]
	m := campaign.Communication{
		Name: "m" + fmt.Sprint(w.pick(3, "name")), StageName: s.Name, StageID: s.ID,
		StartDate: w.now.Add(time.Duration(w.pick(5, "in")-1) * 12 * time.Hour),
	}
	if w.rarely(8, "expires") {
		at := m.StartDate.Add(time.Hour)
		m.ExpiresAt = &at
	}
	if w.rarely(5, "own timeout") {
		m.Timeout = campaign.Duration(6 * time.Hour)
	}
	return m
}

// act lets one thing happen.
func (w *world) act() {
	switch what := w.pick(21, "what"); {
	case what < 9 && len(w.outstanding) > 0:
		w.answer(w.pick(len(w.outstanding), "which"))
	case what < 12:
		w.pass()
	case what == 12, what == 13:
		w.message()
	case what == 14:
		id, session := w.someCommunication()
		w.messages++
		author := campaign.AuthorAgent
		if w.rarely(3, "operator") {
			author = campaign.AuthorOperator
		}
		w.deliver(campaign.Event{Kind: campaign.EventAnswer, CommunicationID: id, SessionID: session, MessageID: fmt.Sprintf("msg%d", w.messages), Author: author, Content: "hello", Ordered: !w.rarely(4, "an older history")})
	case what == 15:
		id, session := w.someCommunication()
		status := sample(w, append([]campaign.SessionStatus{""}, campaign.SessionEnds...), "status")
		w.deliver(campaign.Event{Kind: campaign.EventResult, CommunicationID: id, SessionID: session, Status: status, Results: campaign.Dict{"paid": json.RawMessage(`true`)}})
	case what == 16:
		id, session := w.someCommunication()
		if w.rarely(4, "suppressed") {
			w.deliver(campaign.Event{
				Kind: campaign.EventDelivery, CommunicationID: id, SessionID: session, Status: campaign.SessionDeclined, Reason: "unsubscribed",
				Delivery: sample(w, []string{campaign.ReportOptOut, campaign.ReportCovered}, "timeline"),
			})
			return
		}
		w.deliver(campaign.Event{Kind: campaign.EventDelivery, CommunicationID: id, Delivery: sample(w, []string{"delivered", "read", "bounced", "failed"}, "delivery")})
	case what == 17:
		line := len(w.imports) + 1
		w.imports[line] = 0
		w.deliver(campaign.Event{Kind: campaign.EventImport, Import: &campaign.RowImport{ImportID: "im", Line: line}})
	case what == 18:
		w.release()
	case what == 19:
		w.hand()
	default:
		w.operate()
	}
}

func (w *world) pass() {
	d := sample(w, []time.Duration{0, time.Minute, 7 * time.Hour, 26 * time.Hour, 8 * 24 * time.Hour}, "jump")
	if at, _, ok := w.s.Wake(); ok && d == 0 {
		w.now = at
	} else {
		w.now = w.now.Add(d)
	}
	w.step(campaign.Event{Kind: campaign.EventTick})
}

// someCommunication names one of the contact's or an unknown one, and a
// session of it.
func (w *world) someCommunication() (id, session string) {
	n := w.pick(len(w.s.Contact.Communications)+1, "communication")
	if n == len(w.s.Contact.Communications) {
		return "ct_1-999", "ss_ct_1-999"
	}
	id = w.s.Contact.Communications[n].ID
	sessions := []string{campaign.SessionID(id)}
	for _, o := range w.s.Open {
		if o.CommunicationID == id && o.SessionID != "" {
			sessions = append(sessions, o.SessionID)
		}
	}
	return id, sessions[w.pick(len(sessions), "session")]
}

func (w *world) message() {
	id, session := w.someCommunication()
	if w.rarely(3, "no session") {
		session = ""
	}
	w.messages++
	w.deliver(campaign.Event{Kind: campaign.EventMessage, CommunicationID: id, SessionID: session, MessageID: fmt.Sprintf("msg%d", w.messages), Content: "hi"})
}

func (w *world) release() {
	if w.rarely(3, "a grant") {
		id, _ := w.someCommunication()
		for _, h := range w.s.Holds { // only who waits is granted a place
			if h.CommunicationID == id && h.Cause == campaign.HeldAgentFull {
				w.places[id] = true
				w.deliver(campaign.Event{Kind: campaign.EventRelease, Release: &campaign.Release{Cause: campaign.HeldAgentFull, CommunicationID: id}})
				return
			}
		}
	}
	w.deliver(campaign.Event{Kind: campaign.EventRelease, Release: &campaign.Release{
		Cause:  sample(w, []string{campaign.HeldCampaign, campaign.HeldStage, campaign.HeldAgentStopped}, "cause"),
		Policy: sample(w, []string{campaign.ResumeNow, campaign.ResumeSpread, campaign.ResumeRestartWaits}, "policy"),
		Over:   campaign.Duration(time.Hour),
	}})
}

// hand lets a session change hands; an agent that gets it may have to answer.
func (w *world) hand() {
	id, session := w.someCommunication()
	e := campaign.Event{Kind: campaign.EventPerson, CommunicationID: id, SessionID: session, Actor: "bob", Action: sample(w, []string{
		campaign.PersonHandOff, campaign.PersonClaim, campaign.PersonUnclaim, campaign.PersonHandBack,
	}, "hand")}
	back := e.Action == campaign.PersonHandBack
	if w.rarely(4, "an older history") { // then a turn under way stays the agent's
		w.deliver(e)
		return
	}
	e.Mode = campaign.ModeHuman
	if back {
		e.Mode, e.Author = campaign.ModeAI, sample(w, []campaign.Author{campaign.AuthorContact, campaign.AuthorAgent, campaign.AuthorOperator}, "last word")
		if e.Author == campaign.AuthorContact {
			w.messages++
			e.MessageID = fmt.Sprintf("hand%d", w.messages)
		}
	}
	before := w.openOne(session)
	known := before != nil && !slices.ContainsFunc(w.s.Closing, func(c campaign.Closing) bool { return c.SessionID == session }) && w.s.Stopping == ""
	for _, c := range w.outstanding {
		if answer := "trn_" + c.MessageID; known && c.Kind == campaign.CommandTurn && c.SessionID == session {
			if !back {
				w.late[answer] = true
			} else if e.Author == campaign.AuthorAgent {
				delete(w.late, answer)
			}
		}
	}
	w.deliver(e)
	if o := w.openOne(session); known && !back && (o == nil || o.Asking != "" || o.Ask != "" || o.Deadline.Before(w.now)) {
		w.t.Fatalf("a person has %s and its time does not run: %s", session, mustJSON(w.t, w.s))
	}
}

func (w *world) operate() {
	action := sample(w, []string{
		campaign.OperateRetry, campaign.OperateSkip, campaign.OperateMove, campaign.OperatePause, campaign.OperateResume,
		campaign.OperateReschedule, campaign.OperateRetry, campaign.OperateResume, campaign.OperateStop,
	}, "action")
	op := campaign.Operation{Action: action}
	switch action {
	case campaign.OperateMove:
		s := w.stages[w.pick(len(w.stages), "to")]
		op.StageName, op.StageID, op.SendNow = s.Name, s.ID, w.rarely(2, "send now")
		if s.Final() {
			op.Final = &campaign.FinalStage{Name: s.Name, Outcome: s.Outcome}
		}
	case campaign.OperateReschedule:
		at := w.now.Add(time.Duration(w.pick(4, "days")) * 24 * time.Hour)
		op.StartDate = &at
		op.CommunicationID, _ = w.someCommunication()
	}
	if w.s.CanOperate(&op) == nil {
		switch action {
		case campaign.OperateStop:
			w.stopped = true
		case campaign.OperateSkip, campaign.OperateMove:
			if tr := w.s.Trouble; tr != nil && tr.Kind != campaign.TroubleTurn {
				w.excused[tr.CommunicationID] = true
				if tr.Kind == campaign.TroubleStrategy && len(w.s.Ended) > 0 {
					w.excused[w.s.Ended[0].CommunicationID] = true
				}
			}
		}
	}
	w.deliver(campaign.Event{Kind: campaign.EventOperate, Operation: &op})
}

// deliver steps an event of the inbox, sometimes a second time.
func (w *world) deliver(e campaign.Event) {
	w.events++
	e.ID = fmt.Sprintf("ev%d", w.events)
	w.step(e)
	if w.rarely(12, "again") {
		if cmds := w.step(e); len(cmds) > 0 {
			w.t.Fatalf("a repeated event gave %v", cmds)
		}
	}
}

// answer carries out an outstanding command and delivers its result.
func (w *world) answer(n int) {
	c := w.outstanding[n]
	w.outstanding = slices.Delete(w.outstanding, n, n+1)
	switch c.Kind {
	case campaign.CommandGate:
		v := w.gate(&c)
		w.step(campaign.Event{Kind: campaign.EventGated, Verdict: &v})
	case campaign.CommandSend:
		out := w.send(&c)
		w.step(campaign.Event{Kind: campaign.EventSent, CommunicationID: c.CommunicationID, Sent: &out})
	case campaign.CommandReply:
		out := campaign.SendOutcome{Outcome: sample(w, []string{campaign.SendSent, campaign.SendFailed, campaign.SendUnknown}, "reply")}
		w.step(campaign.Event{Kind: campaign.EventReplySent, CommunicationID: c.CommunicationID, MessageID: c.MessageID, Sent: &out})
	case campaign.CommandStrategy:
		out := w.decide(&c)
		if c.Type == campaign.Aggregation && out.Error == nil && c.Ending.Reason != "late_answer" { // that is one more
			w.judged[[2]string{c.CommunicationID, c.SessionID}]++
		}
		w.step(campaign.Event{Kind: campaign.EventDecided, Decided: &out})
	case campaign.CommandTurn:
		w.step(campaign.Event{Kind: campaign.EventTurned, CommunicationID: c.CommunicationID, SessionID: c.SessionID, MessageID: c.MessageID, Turn: w.turn(&c)})
	case campaign.CommandClose:
		e := campaign.Event{Kind: campaign.EventClosed}
		if c.Timeout && w.rarely(4, "paused") {
			e.Held = &campaign.Hold{Cause: campaign.HeldCampaign, Ref: "ca_1"}
		} else if o := w.openOne(c.SessionID); c.Timeout && o != nil && w.rarely(4, "claimed") {
			until := w.now.Add(15 * time.Minute)
			e.Until = &until
		} else {
			if c.SessionID != "" {
				delete(w.places, c.CommunicationID)
			}
			dropped := len(w.s.Closing) > 0 && w.s.Closing[0].Dropped
			if m := w.s.Contact.Communication(c.CommunicationID); w.s.Stopping == "" && !dropped && m.Status.Status != campaign.CommunicationCanceled {
				w.ended[[2]string{c.CommunicationID, c.SessionID}]++
			}
		}
		w.step(e)
	default:
		w.t.Fatalf("no one answers a %s", c.Kind)
	}
}

func (w *world) openOne(session string) *campaign.Open {
	for i := range w.s.Open {
		if session != "" && w.s.Open[i].SessionID == session {
			return &w.s.Open[i]
		}
	}
	return nil
}

func (w *world) gate(c *call) campaign.Verdict {
	m := w.s.Contact.Communication(c.CommunicationID)
	s := w.stage(m.StageName)
	if s.Final() {
		w.excused[m.ID] = true
		return campaign.Verdict{Outcome: campaign.GateFinal, StageName: s.Name, Final: &campaign.FinalStage{Name: s.Name, Outcome: s.Outcome}}
	}
	outcome := campaign.GateGo
	if w.rarely(2, "no go") {
		outcome = sample(w, []string{
			campaign.GateDeferred, campaign.GateHeld, campaign.GateSkipped, campaign.GateExhausted, campaign.GateAttention,
		}, "verdict")
	}
	v := campaign.Verdict{Outcome: outcome, StageName: s.Name, Reason: "r", Detail: "d"}
	switch outcome {
	case campaign.GateGo:
		v.Channel, v.Alternative = s.Delivery.Channel, campaign.DefaultLabel
		if v.Channel.Conversation() {
			w.places[m.ID] = true
		}
	case campaign.GateDeferred:
		until := w.now.Add(time.Duration(1+w.pick(30, "hours")) * time.Hour)
		v.Until = &until
	case campaign.GateHeld:
		causes := []string{campaign.HeldCampaign, campaign.HeldStage, campaign.HeldAgentStopped}
		if s.Delivery.Channel.Conversation() && !w.places[m.ID] {
			causes = append(causes, campaign.HeldAgentFull)
		}
		v.Hold = &campaign.Hold{Cause: sample(w, causes, "hold")}
	case campaign.GateExhausted:
		w.excused[m.ID] = true
		if w.rarely(2, "exhausted stage") {
			v.Final = &campaign.FinalStage{Name: "Lost", Outcome: campaign.OutcomeFailure}
		}
	}
	return v
}

func (w *world) send(c *call) campaign.SendOutcome {
	m := w.s.Contact.Communication(c.CommunicationID)
	s := w.stage(m.StageName)
	out := campaign.SendOutcome{Outcome: campaign.SendSent, Reason: "r", Detail: "d", Timeout: s.EffectiveTimeout(m, s.Delivery.Channel), OnDelivered: s.Delivery.CompleteOn == "delivered"}
	if s.Delivery.Channel.Conversation() {
		out.SessionID = campaign.SessionID(m.ID)
		if m.Attempt > 0 {
			out.SessionID += fmt.Sprintf("-%d", m.Attempt+1)
		}
		if m.StageName == "Chat" {
			out.Turns = campaign.TurnsHere
		}
	}
	if w.rarely(3, "not sent") {
		out.Outcome = sample(w, []string{
			campaign.SendFailed, campaign.SendUnknown, campaign.SendUnknown, campaign.SendSkipped, campaign.SendHeld, campaign.SendDeferred, campaign.SendAttention,
			campaign.SendRefused,
		}, "outcome")
	}
	switch out.Outcome {
	case campaign.SendSent, campaign.SendUnknown:
		w.sent[attempt(m)] = true
		return out
	case campaign.SendHeld:
		out.Hold = &campaign.Hold{Cause: campaign.HeldCampaign, Ref: "ca_1"}
	case campaign.SendDeferred:
		until := w.now.Add(3 * time.Hour)
		out.Until = &until
	}
	delete(w.places, m.ID)
	return out
}

// turn is an agent that may say something, end or hand over, or cannot answer.
func (w *world) turn(c *call) *campaign.TurnOutcome {
	out := &campaign.TurnOutcome{MessageID: "trn_" + c.MessageID, Content: "hello", Ordered: true, Results: campaign.Dict{"said": json.RawMessage(`1`)}}
	switch {
	case w.rarely(6, "agent stopped"):
		return &campaign.TurnOutcome{Held: &campaign.Hold{Cause: campaign.HeldAgentStopped, Ref: "ag_1"}}
	case w.rarely(6, "agent error"):
		return &campaign.TurnOutcome{Error: "no such state"}
	case w.rarely(6, "silent"):
		out.MessageID, out.Content = "", ""
	}
	if w.rarely(3, "ends") {
		out.End = campaign.SessionCompleted
	}
	out.HandOff = w.rarely(6, "hands off")
	return out
}

func attempt(m *campaign.Communication) string { return fmt.Sprintf("%s#%d", m.ID, m.Attempt) }

// decide is a strategy: it works on the contact as it was when it was called.
func (w *world) decide(c *call) campaign.StrategyOutcome {
	if w.rarely(6, "strategy error") {
		return campaign.StrategyOutcome{Error: &campaign.StrategyError{Kind: "error", Message: "boom"}}
	}
	if w.rarely(8, "no strategy") {
		return campaign.StrategyOutcome{None: true}
	}
	next := c.contact.Clone()
	k := campaign.Knowledge{Stages: w.stages, Now: w.now}
	if c.Type == campaign.Aggregation {
		k.Flagged = c.CommunicationID
	}
	if !w.benign {
		for i := range next.Communications {
			m := &next.Communications[i]
			if m.ID == k.Flagged && w.rarely(2, "ends it") {
				m.Status.Status = sample(w, []campaign.CommunicationStatus{campaign.CommunicationCompleted, campaign.CommunicationNoResponse, campaign.CommunicationCanceled}, "end")
			} else if w.rarely(6, "cancels") {
				m.Status.Status = campaign.CommunicationCanceled
			} else if w.rarely(6, "timeout") {
				m.Timeout = campaign.Duration(time.Hour)
			} else if w.rarely(6, "date") {
				m.StartDate = w.now.Add(time.Hour)
			}
		}
		if len(next.Communications) > 0 && w.rarely(6, "removes") {
			next.Communications = next.Communications[1:]
		}
		if len(next.Communications) < 12 {
			for range w.pick(4, "plans") {
				next.Communications = append(next.Communications, w.communication())
			}
		}
		if w.rarely(4, "moves") {
			next.CurrentStage = w.stages[w.pick(len(w.stages), "to")].Name
		}
	}
	raw, err := json.Marshal(next)
	if err != nil {
		w.t.Fatal(err)
	}
	change, err := campaign.Diff(c.contact, raw, k)
	if err != nil {
		w.t.Fatalf("diff: %v", err)
	}
	return throughJSON(w.t, campaign.StrategyOutcome{Version: 1, Change: change})
}

func (w *world) stage(name string) *campaign.Stage {
	for i := range w.stages {
		if w.stages[i].Name == name {
			return &w.stages[i]
		}
	}
	w.t.Fatalf("no stage %q", name)
	return nil
}

// step takes one event through the state and judges what came out of it.
func (w *world) step(e campaign.Event) []campaign.Command {
	var copied campaign.State
	travels := w.pick(6, "travels") == 0
	if travels {
		copied = throughJSON(w.t, w.s)
	}
	cmds := w.s.Step(e, w.now)
	if travels {
		mustEqual(w.t, "commands after a journey through JSON", cmds, copied.Step(e, w.now))
		mustEqual(w.t, "the state after a journey through JSON", w.s, copied)
	}
	for _, s := range w.s.Settled {
		w.imports[s.Line]++
	}
	for _, r := range w.s.Line {
		if !w.ordered[r.MessageID] {
			w.said, w.ordered[r.MessageID] = append(w.said, r), true
		}
	}
	w.s.Recorded()
	for _, c := range cmds {
		w.given(&c)
	}
	w.judge()
	return cmds
}

// given takes a command on, if it may be given at all.
func (w *world) given(c *campaign.Command) {
	switch c.Kind { //nolint:exhaustive // the others may always be given
	case campaign.CommandOpenLate:
		return
	case campaign.CommandRelease:
		delete(w.places, c.CommunicationID)
		return
	case campaign.CommandTurn:
		if slices.ContainsFunc(w.outstanding, func(o call) bool {
			return o.Kind == c.Kind && o.SessionID == c.SessionID && !slices.Contains(w.openOne(c.SessionID).Overtaken, o.MessageID)
		}) {
			w.t.Fatalf("two turns are taken at once in %s", c.SessionID)
		}
		if w.s.Contact.Paused {
			w.t.Fatalf("a turn is taken for a contact that is paused")
		}
	case campaign.CommandReply:
		if w.late[c.MessageID] {
			w.t.Fatalf("%s is sent, and a person had taken the session over", c.MessageID)
		}
		w.inOrder(c)
	case campaign.CommandSend:
		m := w.s.Contact.Communication(c.CommunicationID)
		if w.sent[attempt(m)] {
			w.t.Fatalf("%s is sent a second time", attempt(m))
		}
		if m.Status.Status != campaign.CommunicationStarted {
			w.t.Fatalf("%s is sent while %s", m.ID, m.Status.Status)
		}
		if w.s.Contact.Paused || w.s.Trouble != nil {
			w.t.Fatalf("%s is sent for a contact that is paused or needs attention", m.ID)
		}
		if slices.ContainsFunc(w.outstanding, func(o call) bool { return o.Kind == campaign.CommandSend }) {
			w.t.Fatalf("two openings are being sent at once")
		}
	}
	if ended := w.s.Contact.Status.Ended(); ended && (c.Kind != campaign.CommandStrategy || c.Type != campaign.DataLoad) {
		w.t.Fatalf("an ended contact asks for %s", c.Kind)
	}
	w.outstanding = append(w.outstanding, call{Command: *c, contact: w.s.Contact.Clone()})
}

// inOrder: what is said in order is sent when everything said before it in the
// session is settled.
func (w *world) inOrder(c *campaign.Command) {
	i := slices.IndexFunc(w.said, func(r campaign.Reply) bool { return r.MessageID == c.MessageID })
	if i < 0 {
		return
	}
	if first := slices.IndexFunc(w.said, func(r campaign.Reply) bool { return r.SessionID == c.SessionID }); first < i {
		w.t.Fatalf("%s is sent before %s", c.MessageID, w.said[first].MessageID)
	}
	if slices.ContainsFunc(w.outstanding, func(o call) bool {
		return o.Kind == c.Kind && o.SessionID == c.SessionID && slices.ContainsFunc(w.s.Line, func(r campaign.Reply) bool { return r.MessageID == o.MessageID })
	}) {
		w.t.Fatalf("%s is sent beside another message of %s", c.MessageID, c.SessionID)
	}
	w.said = slices.Delete(w.said, i, i+1)
}

// judge holds the state against what must be true after every step.
func (w *world) judge() {
	s, c := &w.s, &w.s.Contact
	serial := 0
	for _, o := range w.outstanding {
		if o.Kind == campaign.CommandGate || o.Kind == campaign.CommandStrategy || o.Kind == campaign.CommandClose {
			serial++
		}
	}
	if jobs := map[bool]int{true: 1}[s.Job != nil]; serial != jobs {
		w.t.Fatalf("%d serial commands are outstanding, the state knows %d", serial, jobs)
	}
	for i := range c.Communications {
		m := &c.Communications[i]
		if running := s.Job != nil && s.Job.Type == campaign.Aggregation && s.Job.CommunicationID == m.ID; m.Flagged != running {
			w.t.Fatalf("%s: flagged is %t, aggregation runs for it is %t", m.ID, m.Flagged, running)
		}
		if !m.Status.Status.Valid() {
			w.t.Fatalf("%s has the status %q", m.ID, m.Status.Status)
		}
		w.judgeOne(m)
	}
	if c.Status == campaign.ContactCompleted && (c.Next() != nil || len(s.Open)+len(s.Closing)+len(s.Ended)+len(s.Holds)+len(s.Deferrals) > 0 || s.Sending != "" || s.Trouble != nil || len(s.Unheard) > 0) {
		w.t.Fatalf("the contact is completed with something left: %s", mustJSON(w.t, s))
	}
	if (s.Trouble != nil || len(s.Unheard) > 0) != (c.Status == campaign.ContactNeedsAttention) && !c.Status.Ended() {
		w.t.Fatalf("the contact is %s, and a person is asked: %s", c.Status, mustJSON(w.t, s))
	}
	if at, why, ok := s.Wake(); ok && !at.After(w.now) {
		w.t.Fatalf("Wake is %s (%s) and now is %s: a hot loop", at, why, w.now)
	}
	for line, n := range w.imports {
		if n > 1 {
			w.t.Fatalf("the row of line %d is settled %d times", line, n)
		}
	}
	for key, n := range w.judged {
		if n > 1 {
			w.t.Fatalf("%v is aggregated %d times", key, n)
		}
	}
}

// judgeOne: nobody forgets a communication.
func (w *world) judgeOne(m *campaign.Communication) {
	s, c := &w.s, &w.s.Contact
	if m.Status.Status.Final() {
		return
	}
	if c.Status.Ended() {
		w.t.Fatalf("the contact is %s and %s is %s", c.Status, m.ID, m.Status.Status)
	}
	if m.Status.Status == campaign.CommunicationPlanned {
		_, _, wakes := s.Wake()
		active := c.Status == campaign.ContactActive && !c.Paused && s.Stopping == "" && !w.heldOne(m.ID)
		if active && !wakes && s.Job == nil && s.Sending == "" {
			w.t.Fatalf("%s is planned and nothing will wake the contact", m.ID)
		}
		return
	}
	is := func(id string) bool { return id == m.ID }
	known := is(s.Sending) || s.Trouble != nil && is(s.Trouble.CommunicationID) ||
		slices.ContainsFunc(s.Open, func(o campaign.Open) bool { return is(o.CommunicationID) && !o.Late }) ||
		slices.ContainsFunc(s.Ended, func(e campaign.Ending) bool { return is(e.CommunicationID) })
	if !known {
		w.t.Fatalf("%s is %s and nobody waits for it: %s", m.ID, m.Status.Status, mustJSON(w.t, s))
	}
}

func (w *world) heldOne(id string) bool {
	return slices.ContainsFunc(w.s.Holds, func(h campaign.CommHold) bool { return h.CommunicationID == id && !h.Timeout && !h.Turn })
}

// drain answers everything and lets time run far ahead.
func (w *world) drain() {
	w.benign = true
	for range 500 {
		if len(w.outstanding) > 0 {
			w.answer(0)
			continue
		}
		at, _, ok := w.s.Wake()
		if !ok {
			break
		}
		w.now = at
		w.step(campaign.Event{Kind: campaign.EventTick})
	}
	s, c := &w.s, &w.s.Contact
	if len(w.outstanding) > 0 {
		w.t.Fatalf("the contact does not come to rest: %v", w.outstanding)
	}
	for line, n := range w.imports {
		if n != 1 {
			w.t.Fatalf("the row of line %d is settled %d times", line, n)
		}
	}
	waits := c.Paused || c.Status == campaign.ContactNeedsAttention
	for i := range c.Communications {
		m := &c.Communications[i]
		held := slices.ContainsFunc(s.Holds, func(h campaign.CommHold) bool { return h.CommunicationID == m.ID })
		if !m.Status.Status.Final() && !waits && !held {
			w.t.Fatalf("%s stays %s for ever: %s", m.ID, m.Status.Status, mustJSON(w.t, s))
		}
		if w.places[m.ID] && m.Status.Status.Final() && !slices.ContainsFunc(s.Open, func(o campaign.Open) bool { return o.CommunicationID == m.ID }) {
			w.t.Fatalf("%s is %s and keeps an agent's place", m.ID, m.Status.Status)
		}
		w.judgeEnd(m)
	}
	for _, o := range s.Open {
		held := slices.ContainsFunc(s.Holds, func(h campaign.CommHold) bool { return h.SessionID == o.SessionID && h.Turn })
		if (o.Ask != "" || o.Asking != "") && !waits && !held {
			w.t.Fatalf("the contact waits for an answer in %s for ever: %s", o.SessionID, mustJSON(w.t, s))
		}
	}
	if c.Status.Ended() && !s.Done() {
		w.t.Fatalf("the contact has ended and its run cannot close: %s", mustJSON(w.t, s))
	}
	if len(w.said)+len(s.Line)+len(s.Replies) > 0 {
		w.t.Fatalf("%v was said and is never sent: %s", w.said, mustJSON(w.t, s))
	}
	for key, n := range w.ended {
		if !w.stopped && n != 1 {
			w.t.Fatalf("%v was closed %d times", key, n)
		}
		if !w.stopped && w.judged[key] != 1 && !w.waitsForJudgement(key[0]) {
			w.t.Fatalf("%v ended and was aggregated %d times", key, w.judged[key])
		}
	}
}

// judgeEnd: what ended was aggregated once, save CANCELED.
func (w *world) judgeEnd(m *campaign.Communication) {
	if !m.Status.Status.Final() || m.Status.Status == campaign.CommunicationCanceled || w.stopped || w.waitsForJudgement(m.ID) {
		return
	}
	n := 0
	for key, times := range w.judged {
		if key[0] == m.ID {
			n += times
		}
	}
	if n == 0 {
		w.t.Fatalf("%s ended as %s and was never aggregated", m.ID, m.Status.Status)
	}
}

func (w *world) waitsForJudgement(id string) bool {
	return w.excused[id] || slices.ContainsFunc(w.s.Ended, func(e campaign.Ending) bool { return e.CommunicationID == id })
}

func mustJSON(t *rapid.T, v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func mustEqual(t *rapid.T, what string, a, b any) {
	if x, y := mustJSON(t, a), mustJSON(t, b); x != y {
		t.Fatalf("%s differ:\n%s\n%s", what, x, y)
	}
}

func throughJSON[T any](t *rapid.T, v T) T {
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out T
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("read back: %v\n%s", err, b)
	}
	if again := mustJSON(t, out); again != string(b) {
		t.Fatalf("JSON is not stable:\n%s\n%s", b, again)
	}
	return out
}
