package campaign

import (
	"slices"
	"time"
)

// reply sends a message inside a session. What is said in order waits until
// everything said before it is settled: sent, failed, or nobody knows. Sessions do
// not wait for each other.
func (s *State) reply(r Reply, ordered bool) []Command {
	s.Replies = append(s.Replies, r.MessageID)
	if ordered {
		waits := s.replying(r.SessionID) != nil
		s.Line = append(s.Line, r)
		if waits {
			return nil
		}
	}
	return []Command{s.sendReply(&r)}
}

// replying returns the message that is being sent in a session, of those in order.
func (s *State) replying(sessionID string) *Reply {
	for i := range s.Line {
		if s.Line[i].SessionID == sessionID {
			return &s.Line[i]
		}
	}
	return nil
}

func (s *State) sendReply(r *Reply) Command {
	return s.spawn(Command{Kind: CommandReply, CommunicationID: r.CommunicationID, SessionID: r.SessionID, MessageID: r.MessageID, Attempt: r.Attempt, Queue: s.route(r.CommunicationID).Queue})
}

// onReplySent takes the result of a message inside a session, and sends the next.
func (s *State) onReplySent(e *Event, now time.Time) []Command {
	s.Replies = slices.DeleteFunc(s.Replies, func(id string) bool { return id == e.MessageID })
	s.Dirty = true
	i := slices.IndexFunc(s.Line, func(r Reply) bool { return r.MessageID == e.MessageID })
	if i < 0 { // of an older history
		s.settleReply(e, nil, now)
		return nil
	}
	said := s.Line[i]
	s.settleReply(e, &said, now)
	session := said.SessionID
	s.Line = slices.Delete(s.Line, i, i+1)
	if next := s.replying(session); next != nil {
		return []Command{s.sendReply(next)}
	}
	return nil
}

// settleReply says what became of a message, and asks a person where that is needed:
// of those in order, since older histories asked nobody.
func (s *State) settleReply(e *Event, r *Reply, now time.Time) {
	m := s.Contact.Communication(e.CommunicationID)
	if m == nil || e.Sent == nil {
		return
	}
	d := commData(m)
	d["message_id"] = e.MessageID
	switch out := e.Sent; out.Outcome {
	case SendSent:
		s.Contact.Counts.Sent++
		m.advance(CommunicationSent, now)
	case SendUnknown:
		s.decide(now, DecisionUnknown, out.Reason, "Nobody knows whether the answer was sent ("+orElse(out.Detail, out.Reason)+")", d)
		if r != nil {
			s.unheard(r, "send_unknown", "nobody knows whether an answer in "+m.Name+" was sent: "+orElse(out.Detail, out.Reason), replyData(m, r), now)
		}
	default:
		s.decide(now, DecisionFailed, out.Reason, "The answer could not be sent ("+orElse(out.Detail, out.Reason)+")", d)
		if r != nil && r.fellSilent(out) {
			s.unheard(r, ReasonAnswerFailed, "an answer in "+m.Name+" could not be sent: "+orElse(out.Detail, out.Reason), replyData(m, r), now)
		}
	}
}

func replyData(m *Communication, r *Reply) map[string]any {
	d := commData(m)
	d["session_id"], d["message_id"] = r.SessionID, r.MessageID
	return d
}
