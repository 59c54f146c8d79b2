package campaign

import (
	"fmt"
	"slices"
	"time"
)

// onGated takes the gate's verdict on a due communication.
func (s *State) onGated(e *Event, now time.Time) []Command {
	job, ok := s.jobDone(CommandGate)
	if !ok || e.Verdict == nil {
		return nil
	}
	m, v := s.Contact.Communication(job.CommunicationID), e.Verdict
	if m == nil || m.Status.Status != CommunicationPlanned || s.Stopping != "" {
		if v.Outcome == GateGo {
			return []Command{s.spawn(Command{Kind: CommandRelease, CommunicationID: job.CommunicationID})}
		}
		return nil
	}
	if v.Outcome == GateGo && (s.frozen() || s.dueAt(m).After(now) || len(s.Closing)+len(s.Ended)+len(s.Inputs) > 0) {
		return []Command{s.spawn(Command{Kind: CommandRelease, CommunicationID: m.ID})} // meanwhile it may not go: it passes the gate again
	}
	if v.StageName != "" {
		m.StageName = v.StageName
	}
	s.dropDeferral(m.ID)
	switch v.Outcome {
	case GateGo:
		return s.dispatch(m, v, now)
	case GateDeferred:
		s.deferUntil(m, *v.Until, v.Reason, now)
	case GateHeld:
		s.hold(m, *v.Hold, false, now)
	case GateSkipped:
		s.skip(m, v.Reason, orElse(v.Detail, v.Reason), now)
	case GateFinal:
		m.end(CommunicationCompleted, now, "")
		m.Channel = NoCommunication
		s.moveTo(m.StageName, now)
		s.reach(*v.Final, nil, now)
	case GateExhausted:
		m.end(CommunicationSkipped, now, "max_attempts")
		s.decide(now, DecisionSkipped, "max_attempts", "Not sent: "+m.Name+" ("+v.Detail+")", commData(m))
		if v.Final != nil {
			s.moveTo(v.Final.Name, now)
			s.reach(*v.Final, nil, now)
		} else {
			s.trouble(TroubleSend, "max_attempts", v.Detail, m.ID, now)
		}
	case GateAttention:
		s.trouble(TroubleSend, v.Reason, v.Detail, m.ID, now)
	}
	return nil
}

func (s *State) dispatch(m *Communication, v *Verdict, now time.Time) []Command {
	m.advance(CommunicationStarted, now)
	m.Channel, m.Alternative = v.Channel, v.Alternative
	if s.Final == nil {
		s.moveTo(m.StageName, now)
	}
	s.Sending = m.ID
	s.Dirty = true
	cmds := []Command{s.spawn(Command{Kind: CommandSend, CommunicationID: m.ID, Verdict: v})}
	if i := slices.Index(s.Granted, m.ID); i >= 0 {
		s.Granted = slices.Delete(s.Granted, i, i+1)
		if !v.Channel.Conversation() { // its stage was changed since: no session will give the place back
			cmds = append(cmds, s.spawn(Command{Kind: CommandRelease, CommunicationID: m.ID}))
		}
	}
	return cmds
}

func (s *State) moveTo(stage string, now time.Time) {
	if s.Contact.CurrentStage == stage {
		return
	}
	from := s.Contact.CurrentStage
	s.Contact.CurrentStage = stage
	s.decide(now, DecisionStageChanged, "", "Stage: "+orElse(from, "none")+" → "+orElse(stage, "none"), map[string]any{"from": from, "to": stage})
}

// onSent takes the result of an opening.
func (s *State) onSent(e *Event, now time.Time) []Command {
	if s.Sending == "" || s.Sending != e.CommunicationID || e.Sent == nil {
		return nil
	}
	s.Sending, s.Dirty = "", true
	m := s.Contact.Communication(e.CommunicationID)
	if m == nil {
		return nil
	}
	var cmds []Command
	out := e.Sent
	m.SessionID, m.ProviderMessageID = out.SessionID, out.ProviderMessageID
	switch out.Outcome {
	case SendSent:
		s.sent(m, out, now)
	case SendFailed:
		m.end(CommunicationFailed, now, out.Reason)
		s.decide(now, DecisionFailed, out.Reason, "Could not be sent: "+m.Name+" ("+orElse(out.Detail, out.Reason)+")", commData(m))
		s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: CommunicationFailed, Reason: out.Reason})
	case SendSkipped:
		s.skip(m, out.Reason, orElse(out.Detail, out.Reason), now)
	case SendRefused:
		s.refused(m, out, now)
	case SendHeld: // the gate holds it: its hold is written before any release can look for it
		if out.Detail != "" {
			s.decide(now, DecisionHeld, out.Reason, "Not sent: "+m.Name+" by "+string(m.Channel)+" ("+out.Detail+")", commData(m))
		}
		m.SessionID = "" // nothing was said in it: the store withdraws it
		s.backToPlanned(m, now)
	case SendDeferred:
		s.backToPlanned(m, now)
		s.deferUntil(m, *out.Until, out.Reason, now)
	case SendUnknown:
		s.decide(now, DecisionUnknown, out.Reason, "Nobody knows whether it was sent: "+m.Name+" ("+orElse(out.Detail, out.Reason)+")", commData(m))
		s.trouble(TroubleUnknown, "send_unknown", orElse(out.Detail, out.Reason), m.ID, now)
		s.Trouble.Sent = out
	default:
		s.backToPlanned(m, now)
		s.trouble(TroubleSend, orElse(out.Reason, "send_failed"), out.Detail, m.ID, now)
		// A send that was given up by time could not give the agent's place back itself.
		cmds = append(cmds, s.spawn(Command{Kind: CommandRelease, CommunicationID: m.ID}))
	}
	early := s.Early
	s.Early = nil
	for i := range early {
		cmds = append(cmds, s.handle(&early[i], now)...)
	}
	return cmds
}

// sent goes on from a message that has left.
func (s *State) sent(m *Communication, out *SendOutcome, now time.Time) {
	summary := "Sent: " + m.Name + " by " + string(m.Channel)
	if out.Silent {
		summary = "Session open: " + m.Name + " by " + string(m.Channel)
	} else {
		m.advance(CommunicationSent, now)
		s.Contact.Counts.Sent++
	}
	kind := DecisionSent
	if out.Silent {
		kind = DecisionSessionStarted
	}
	s.decide(now, kind, "", summary, commData(m))
	if out.Queue != "" || out.Turns != TurnsNone {
		s.Routes = append(s.Routes, Route{CommunicationID: m.ID, Queue: out.Queue, Turns: out.Turns})
	}
	if s.Stopping != "" {
		if out.SessionID != "" {
			s.Open = append(s.Open, Open{SessionID: out.SessionID, CommunicationID: m.ID})
		} else {
			m.end(CommunicationCompleted, now, "")
		}
		return
	}
	if out.SessionID == "" && out.Timeout == 0 && !out.OnDelivered {
		s.Ended = append(s.Ended, Ending{CommunicationID: m.ID, Outcome: CommunicationCompleted})
		return
	}
	if m.Timeout == 0 {
		m.Timeout = out.Timeout // what it waits for is part of its record from now on
	}
	o := Open{SessionID: out.SessionID, CommunicationID: m.ID, Timeout: out.Timeout, OnDelivered: out.OnDelivered, Turns: out.Turns}
	if out.Timeout > 0 {
		o.Deadline = now.Add(time.Duration(out.Timeout))
	}
	if out.Opened != nil {
		o.Results = out.Opened.Results
	}
	s.Open = append(s.Open, o)
	if out.Opened != nil {
		s.conclude(&o, m, out.Opened, now)
	}
}

// refused plans a communication anew that the provider did not take: the gate
// chooses the next of its stage's fallbacks. It has a row of the ledger and a
// session of its own.
func (s *State) refused(m *Communication, out *SendOutcome, now time.Time) {
	s.decide(now, DecisionFailed, out.Reason, "Refused: "+m.Name+" by "+string(m.Channel)+" ("+orElse(out.Detail, out.Reason)+"); its fallback is next", commData(m))
	s.Tried = append(s.Tried, Tried{CommunicationID: m.ID, Label: m.Alternative})
	m.Attempt++
	m.SessionID, m.ProviderMessageID = "", ""
	s.backToPlanned(m, now)
}

func (s *State) backToPlanned(m *Communication, now time.Time) {
	m.Status = StatusAt{Status: CommunicationPlanned, At: now}
}

func (s *State) deferUntil(m *Communication, until time.Time, reason string, now time.Time) {
	until = until.UTC().Truncate(time.Microsecond)
	d := Deferral{CommunicationID: m.ID, Until: until}
	if reason == ReasonNoChat {
		d.Reason = reason
	}
	s.Deferrals = append(s.Deferrals, d)
	s.decide(now, DecisionDeferred, reason, fmt.Sprintf("%s waits until %s (%s)", m.Name, until.UTC().Format(time.RFC3339), reason), commData(m))
}

func (s *State) dropDeferral(communicationID string) {
	s.Deferrals = slices.DeleteFunc(s.Deferrals, func(d Deferral) bool { return d.CommunicationID == communicationID })
}

func (s *State) hold(m *Communication, h Hold, timeout bool, now time.Time) {
	h.Since = now
	s.Holds = append(s.Holds, CommHold{Hold: h, CommunicationID: m.ID, Timeout: timeout})
	s.decide(now, DecisionHeld, h.Cause, m.Name+" is held: "+heldText(h.Cause), commData(m))
}

func heldText(cause string) string {
	switch cause {
	case HeldCampaign:
		return "the campaign is paused"
	case HeldStage:
		return "the stage is paused"
	case HeldIntegration:
		return "the integration is paused"
	case HeldAgentStopped:
		return "the agent is not running"
	case HeldAgentFull:
		return "the agent is busy"
	default:
		return cause
	}
}

func (s *State) trouble(kind, reason, detail, communicationID string, now time.Time) {
	s.Trouble = &Trouble{Kind: kind, Attention: Attention{Reason: reason, Detail: detail, CommunicationID: communicationID, Since: now}}
	s.decide(now, DecisionAttention, reason, "Needs attention: "+orElse(detail, reason), map[string]any{"communication_id": communicationID, "kind": kind})
}

// didLeave goes on from a send of unknown outcome once something proves that
// it left.
func (s *State) didLeave(m *Communication, now time.Time) {
	if t := s.Trouble; t != nil && t.Kind == TroubleUnknown && t.CommunicationID == m.ID && t.Sent != nil {
		s.Trouble = nil
		s.sent(m, t.Sent, now)
	}
}

// surrender gives back the place of an agent that a communication was granted
// but cannot use now: others may be waiting for it.
func (s *State) surrender(now time.Time) []Command {
	var cmds []Command
	s.Granted = slices.DeleteFunc(s.Granted, func(id string) bool {
		m := s.Contact.Communication(id)
		if m != nil && m.Status.Status == CommunicationPlanned && !s.held(id, false) && !s.frozen() && !s.dueAt(m).After(now) {
			return false
		}
		if m == nil || m.Status.Status == CommunicationPlanned || m.Status.Status.Final() { // else its session gives the place back
			cmds = append(cmds, s.spawn(Command{Kind: CommandRelease, CommunicationID: id}))
		}
		return true
	})
	return cmds
}

// onRelease goes on with what a hold kept waiting.
func (s *State) onRelease(r *Release, now time.Time) {
	if r == nil {
		return
	}
	if r.Cause == HeldAgentFull && r.CommunicationID != "" && !slices.Contains(s.Granted, r.CommunicationID) {
		s.Granted = append(s.Granted, r.CommunicationID)
	}
	released := false
	s.Holds = slices.DeleteFunc(s.Holds, func(h CommHold) bool {
		match := h.Cause == r.Cause && (r.Ref == "" || h.Ref == r.Ref) && (r.CommunicationID == "" || h.CommunicationID == r.CommunicationID)
		released = released || match
		return match
	})
	if !released {
		return
	}
	s.Dirty = true
	s.applyResume(r.Policy, r.Over, now)
}

// applyResume treats dates that passed during a hold or pause as the policy says.
func (s *State) applyResume(policy string, over Duration, now time.Time) {
	switch policy {
	case ResumeSpread:
		for i := range s.Contact.Communications {
			m := &s.Contact.Communications[i]
			if m.Status.Status == CommunicationPlanned && m.StartDate.Before(now) {
				until := now.Add(time.Duration(hashUnit(m.ID, "spread") * float64(over)))
				s.dropDeferral(m.ID)
				s.deferUntil(m, until, "resume_spread", now)
			}
		}
	case ResumeRestartWaits:
		for i := range s.Open {
			if o := &s.Open[i]; !o.Deadline.IsZero() {
				o.Deadline = now.Add(time.Duration(o.Timeout))
			}
		}
	}
}

func orElse(s, other string) string {
	if s != "" {
		return s
	}
	return other
}
